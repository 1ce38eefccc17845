"""Prediction ids that are signed receipts: an outcome that brings one back is counted without any join.

What would be a row in a table travels with the answer. Layout, big-endian, 36 bytes, 48
characters of URL-safe base64: key id 1, model 2, rollout 3, step 1, arm 1, seconds since 2020 4, slices 3, score 2,
request 5, subject 6, tag 8 (BLAKE2b, keyed, RFC 7693).
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

import xxhash

from glideslope.domain.errors import ReceiptInvalid
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Arm

EPOCH_2020: Final = 1_577_836_800
SCORE_LEVELS: Final = 65_535
NO_SLICE: Final = 255
MAX_DIMENSIONS: Final = 3
UNLISTED: Final = 16
"""Numbers that stand for the values of a field that a plan does not list; several values may share one."""
_DERIVED: Final = b"gs-receipt-model"
"""Keeps a derived key apart from any tag that the same secret makes."""
_TAG: Final = 8
_BODY: Final = 28
LENGTH: Final = (_BODY + _TAG) * 4 // 3


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a prediction id says. `rollout` and `step` are 0 for traffic outside any rollout."""

    model: int
    """16-bit hash of the model's name."""
    rollout: int
    step: int
    """1 for `s1`; 0 when no step was stamped."""
    arm: Arm
    at: int
    """Seconds since the epoch, UTC."""
    slices: tuple[int, ...]
    """Per dimension the index of the value, or NO_SLICE."""
    score: int
    """Probability x SCORE_LEVELS, rounded."""
    request: int
    """40-bit hash of the request id: joins the shadow's answer to the incumbent's."""
    subject: int
    """48-bit hash of the subject; 0 when the caller named none."""

    @property
    def probability(self) -> float:
        """Return the score as a probability."""
        return self.score / SCORE_LEVELS


@dataclass(frozen=True, slots=True)
class ReceiptKey:
    """A secret shared by the services that mint and the server that reads; rotated by id."""

    id: int
    secret: bytes
    per_model: bool = False
    """Only the server holds it; services sign with what is derived from it for their model."""

    def of(self, model: ModelName) -> "ReceiptKey":
        """Return what signs for one model: it tells nothing of another's key, nor of the one that it was derived from."""
        if not self.per_model:
            return self
        derived = blake2b(model.encode(), key=self.secret, person=_DERIVED, digest_size=32).digest()
        return replace(self, secret=derived, per_model=False)

    def hasher(self) -> blake2b:
        """Return what has taken nothing but the key yet; a copy that takes a receipt's body makes its tag."""
        if self.per_model:
            raise ValueError("a key per model signs nothing itself: derive it for one")
        return blake2b(digest_size=_TAG, key=self.secret)

    def __repr__(self) -> str:
        """Hide the secret."""
        return f"ReceiptKey(id={self.id})"


def model_hash(model: ModelName) -> int:
    """Return the 16 bits by which a receipt names a model."""
    return xxhash.xxh64_intdigest(model.encode()) & 0xFFFF


def request_hash(request_id: str) -> int:
    """Return the 40 bits by which a receipt names a request."""
    return xxhash.xxh64_intdigest(request_id.encode()) & 0xFF_FFFF_FFFF


def subject_hash(subject: str) -> int:
    """Return the 48 bits by which a receipt names a subject; never 0 for a named one."""
    return (xxhash.xxh64_intdigest(subject.encode()) & 0xFFFF_FFFF_FFFF) or 1 if subject else 0


def unlisted_place(value: str, *, listed: int) -> int:
    """Return what stands for an unlisted value of a field with so many listed ones; NO_SLICE where there is no room."""
    if listed + UNLISTED > NO_SLICE:
        return NO_SLICE
    return listed + xxhash.xxh64_intdigest(value.encode()) % UNLISTED


def mint(receipt: Receipt, *, key: ReceiptKey) -> str:
    """Write a receipt as a prediction id."""
    slices = (*receipt.slices, NO_SLICE, NO_SLICE, NO_SLICE)[:MAX_DIMENSIONS]
    body = b"".join(
        (
            key.id.to_bytes(1),
            receipt.model.to_bytes(2),
            receipt.rollout.to_bytes(3),
            receipt.step.to_bytes(1),
            b"\x01" if receipt.arm is Arm.CANDIDATE else b"\x00",
            (receipt.at - EPOCH_2020).to_bytes(4),
            bytes(slices),
            receipt.score.to_bytes(2),
            receipt.request.to_bytes(5),
            receipt.subject.to_bytes(6),
        ),
    )
    return base64.urlsafe_b64encode(body + _tag(body, key)).decode()


def claimed_model(prediction: str) -> int:
    """Return the 16 bits by which a prediction id names its model, which nobody has verified yet. Raises ReceiptInvalid."""
    return int.from_bytes(_decoded(prediction)[1:3])


def read(prediction: str, *, keys: Mapping[int, ReceiptKey]) -> Receipt:
    """Read a prediction id that one of the keys signed, as they are. Raises ReceiptInvalid."""
    data = _decoded(prediction)
    body, tag = data[:_BODY], data[_BODY:]
    key = keys.get(body[0])
    if key is None:
        raise ReceiptInvalid(f"its key {body[0]} is unknown")
    if not hmac.compare_digest(tag, _tag(body, key)):
        raise ReceiptInvalid("its tag does not match")
    return Receipt(
        model=int.from_bytes(body[1:3]),
        rollout=int.from_bytes(body[3:6]),
        step=body[6],
        arm=Arm.CANDIDATE if body[7] else Arm.INCUMBENT,
        at=int.from_bytes(body[8:12]) + EPOCH_2020,
        slices=tuple(body[12:15]),
        score=int.from_bytes(body[15:17]),
        request=int.from_bytes(body[17:22]),
        subject=int.from_bytes(body[22:28]),
    )


def _decoded(prediction: str) -> bytes:
    if len(prediction) != LENGTH:
        raise ReceiptInvalid(f"it has {len(prediction)} characters instead of {LENGTH}")
    try:
        data = base64.b64decode(prediction, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ReceiptInvalid("it is not base64") from error
    if base64.urlsafe_b64encode(data).decode() != prediction:
        # Else one prediction could be spelled, and counted, twice: the decoder also takes + and /.
        raise ReceiptInvalid("it is not URL-safe base64")
    return data


def _tag(body: bytes, key: ReceiptKey) -> bytes:
    hasher = key.hasher()
    hasher.update(body)
    return hasher.digest()
