"""What the gateway writes on a request: under which step it was routed, to which arm, and who asked."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import xxhash

from glideslope.domain.ids import RolloutId, StepName
from glideslope.domain.logged import SUBJECT_BITS
from glideslope.domain.stamps import ARM, REQUEST, ROLLOUT, SHADOW, STEP, SUBJECT
from glideslope.domain.traffic import Arm
from glideslope.sdk.assign import NO_ROLLOUT, NO_STEP, Assigned

PREDICTION: Final = "x-glideslope-prediction"
"""On the service's answer: the prediction's id, to be given back with its outcome."""

_STEP_NUMBER: Final = re.compile(r"s([1-9][0-9]{0,2})")
_LAST_STEP: Final = 255


@dataclass(frozen=True, slots=True)
class Stamps:
    """One request's place. Without rollout and step it was routed outside any step and is not counted."""

    rollout: RolloutId = NO_ROLLOUT
    step: StepName = NO_STEP
    arm: Arm = Arm.INCUMBENT
    request: str = ""
    """The request's id, the same on a mirrored copy."""
    subject: str = ""
    """Empty when the caller named none."""
    shadow: bool = False
    """A mirrored copy: its answer reaches nobody and is compared with the incumbent's."""

    @property
    def measured(self) -> bool:
        """Tell whether the request was assigned under a step."""
        return bool(self.rollout and self.step)


NO_STAMPS: Final = Stamps()


def from_headers(headers: Iterable[tuple[bytes, bytes]]) -> Stamps:
    """Read the stamps off a request's headers (names in lower case, as ASGI gives them).

    Stamps that are incomplete, doubled or make no sense are no stamps: what cannot be attributed is not counted.
    """
    found: dict[str, str] = {}
    for name, value in headers:
        if (stamp := _NAMES.get(name)) is not None:
            if stamp in found:
                return NO_STAMPS
            found[stamp] = value.decode("latin-1")
    if not found:
        return NO_STAMPS
    request, subject = found.get(REQUEST, ""), found.get(SUBJECT, "")
    rollout, step, arm = found.get(ROLLOUT, ""), found.get(STEP, ""), found.get(ARM, "")
    known = _ARMS.get(arm)
    if known is None or not rollout or (step_number(step) is None and arm != SHADOW):
        return Stamps(request=request, subject=subject)
    return Stamps(
        rollout=RolloutId(rollout),
        step=StepName(step),
        arm=known,
        request=request,
        subject=subject,
        shadow=arm == SHADOW,
    )


def of(assigned: Assigned, *, subject: str, request: str = "") -> Stamps:
    """Return the stamps of a request that was assigned in this process."""
    return Stamps(rollout=assigned.rollout, step=assigned.step, arm=assigned.arm, subject=subject, request=request)


def to_headers(stamps: Stamps) -> list[tuple[str, str]]:
    """Write the stamps for a request to a model server, as a gateway would; what is empty is left out."""
    arm = (SHADOW if stamps.shadow else stamps.arm.value) if stamps.measured else ""
    written = ((ROLLOUT, stamps.rollout), (STEP, stamps.step), (ARM, arm))
    return [(name, text) for name, text in (*written, (REQUEST, stamps.request), (SUBJECT, stamps.subject)) if text]


def step_number(step: str) -> int | None:
    """Return 3 for `s3`; None for what is not a step's name (1 to 255)."""
    match = _STEP_NUMBER.fullmatch(step)
    number = int(match[1]) if match else 0
    return number if 0 < number <= _LAST_STEP else None


def log_hash(subject: str) -> int:
    """Return the 63 bits by which the prediction log knows a subject; 0 when none is named."""
    return (xxhash.xxh64_intdigest(subject.encode()) & SUBJECT_BITS) or 1 if subject else 0


_NAMES: Final = {name.encode(): name for name in (ROLLOUT, STEP, ARM, SUBJECT, REQUEST)}
_ARMS: Final = {**{arm.value: arm for arm in Arm}, SHADOW: Arm.CANDIDATE}
