"""What services and callers send: taken whole, refused piece by piece, or refused with nothing done."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideslope.domain.errors import GlideslopeError, Invalid, NameInvalid, ReceiptInvalid
from glideslope.domain.metric import Cell
from glideslope.domain.observation import Outcomes, ShadowAnswers, Totals
from glideslope.domain.receipt import (
    EPOCH_2020,
    Receipt,
    ReceiptKey,
    mint,
    model_hash,
    read,
    request_hash,
    subject_hash,
)
from glideslope.domain.traffic import Arm
from glideslope.engine.addresses import host_and_port
from glideslope.sdk.stamps import from_headers, step_number
from glideslope.testing.hostile import PIECES, TEXTS, another, changed
from glideslope.testing.traffic import KEY, Behaviour
from glideslope.testing.world import SHADOW, STAGES, World, draft

SEEDS = st.integers(0, 2**64)
ANY_TEXT = st.text() | st.sampled_from(TEXTS)


def receipt(number: int, *, step: int = 1, at: int = 1_700_000_000) -> Receipt:
    return Receipt(
        model=model_hash("delays"),  # type: ignore[arg-type]  # a name
        rollout=1,
        step=step,
        arm=Arm.CANDIDATE,
        at=at,
        slices=(0, 255, 255),
        score=9_000,
        request=request_hash(str(number)),
        subject=subject_hash(str(number)),
    )


@dataclass
class Standing:
    world: World
    runner: asyncio.Runner

    def send(self, verb: str, message: Any) -> object:
        return self.runner.run(getattr(self.world.app, verb)(message))


@pytest.fixture(scope="module")
def standing() -> Iterator[Standing]:
    """A rollout with a shadow stage and slices, on which every kind of message has something to say."""
    with asyncio.Runner() as runner:
        world = World()

        async def begun() -> None:
            await world.serves("delays", per_second=4, v1=Behaviour(), v2=Behaviour())
            await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
            await world.run(1)

        runner.run(begun())
        yield Standing(world, runner)


VALID: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "observe": (
        Totals,
        {
            "source": "a",
            "epoch": 1,
            "model": "delays",
            "counts": {"r-0001/s2/candidate/errors/all/1": 3, "r-0001/s2/incumbent/latency/all/12": 4, "x": 1},
            "dropped": 0,
            "version": "v2",
            "digest": "sha256:" + "2" * 64,
        },
    ),
    "shadow": (ShadowAnswers, {"model": "delays", "rollout": "r-0001", "answers": [[5, 100], [6, 65_535]]}),
    "outcomes": (
        Outcomes,
        {"outcomes": [{"prediction": mint(receipt(n), key=KEY), "happened": bool(n % 2)} for n in range(4)]},
    ),
}


@pytest.mark.parametrize("verb", VALID)
@given(seed=SEEDS)
def test_a_changed_message_is_taken_or_refused(standing: Standing, verb: str, seed: int) -> None:
    chance = Random(seed)
    kind, valid = VALID[verb]
    content = msgspec.json.encode(another(valid, chance) if chance.random() < 0.5 else valid)
    content = changed(content, chance) if chance.random() < 0.5 else content
    entries = standing.world.app.record.size()
    try:
        message = msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return  # what the API's door makes a `request-invalid` of
    try:
        standing.send(verb, message)
    except GlideslopeError as error:
        refusal = error
        assert refusal.code in {"invalid", "not-found", "name-invalid"}
    assert standing.world.app.record.size() == entries


@given(seed=SEEDS)
def test_a_cell_has_one_spelling(seed: int) -> None:
    chance = Random(seed)
    text = changed(b"r-0001/s1/candidate/errors/origin=LGA/17", chance).decode("utf-8", "replace")
    try:
        found = Cell.parse(text)
    except Invalid:
        return
    assert found.key() == text


@given(seed=SEEDS, bit=st.integers(0, 8 * 36 - 1))
def test_a_receipt_with_one_bit_changed_is_none(seed: int, bit: int) -> None:
    from base64 import urlsafe_b64decode, urlsafe_b64encode

    honest = mint(receipt(seed), key=KEY)
    data = bytearray(urlsafe_b64decode(honest))
    data[bit // 8] ^= 1 << bit % 8

    with pytest.raises(ReceiptInvalid):
        read(urlsafe_b64encode(bytes(data)).decode(), keys={KEY.id: KEY})


@given(text=ANY_TEXT | st.text("AZaz09-_+/=\n", min_size=48, max_size=48), seed=SEEDS)
def test_no_text_is_a_receipt_that_we_did_not_sign(text: str, seed: int) -> None:
    honest = mint(receipt(seed), key=KEY)
    forged = changed(honest.encode(), Random(seed)).decode("utf-8", "replace")
    respelled = honest.replace("-", "+").replace("_", "/")
    for each in (text, forged, respelled, honest.swapcase()):
        if each != honest:
            with pytest.raises(ReceiptInvalid):
                read(each, keys={KEY.id: KEY})
    other = ReceiptKey(id=KEY.id, secret=b"of another ledger, thirty-two by")
    with pytest.raises(ReceiptInvalid):
        read(mint(receipt(seed), key=other), keys={KEY.id: KEY})


@given(at=st.integers(EPOCH_2020, EPOCH_2020 + 2**32 - 1), seed=st.integers(0, 2**40))
def test_a_receipt_is_read_as_it_was_minted(at: int, seed: int) -> None:
    assert read(mint(receipt(seed, at=at), key=KEY), keys={KEY.id: KEY}) == receipt(seed, at=at)


@given(text=ANY_TEXT, seed=SEEDS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_an_address_is_read_as_it_is_written_or_refused(text: str, seed: int) -> None:
    chance = Random(seed)
    honest = chance.choice(("http://host.example:8080", "http://[::1]:80", "http://127.0.0.1"))
    for url in (text, changed(honest.encode(), chance).decode("utf-8", "replace")):
        try:
            host, port = host_and_port(url)
        except NameInvalid:
            continue
        assert (0 < port < 65_536, host.isascii(), host.isprintable()) == (True, True, True)
        written = f"[{host}]" if ":" in host else host
        assert url.removesuffix("/") in {f"http://{written}:{port}", f"http://{written}"}


NAMES = [b"x-glideslope-rollout", b"x-glideslope-step", b"x-glideslope-arm", b"x-glideslope-subject", b"x-request-id"]


VALUES = st.binary(max_size=12) | st.sampled_from([b"s1", b"candidate", b"r-1", *PIECES])


@given(headers=st.lists(st.tuples(st.sampled_from(NAMES), VALUES)))
def test_stamps_are_whole_or_none(headers: list[tuple[bytes, bytes]]) -> None:
    found = from_headers(headers)

    assert found.measured == (step_number(found.step) is not None and bool(found.rollout)) or found.shadow
    if len({name for name, _ in headers}) < len(headers):
        assert not found.measured
