"""Prediction ids carry what is needed to count an outcome, and nobody else can write one."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import ReceiptInvalid
from glideslope.domain.ids import ModelName
from glideslope.domain.receipt import (
    EPOCH_2020,
    LENGTH,
    MAX_DIMENSIONS,
    NO_SLICE,
    SCORE_LEVELS,
    Receipt,
    ReceiptKey,
    claimed_model,
    mint,
    model_hash,
    read,
    request_hash,
    subject_hash,
)
from glideslope.domain.traffic import Arm

KEY = ReceiptKey(id=7, secret=b"k" * 32)
KEYS = {KEY.id: KEY}
EXAMPLE = Receipt(
    model=1,
    rollout=41,
    step=3,
    arm=Arm.CANDIDATE,
    at=1_769_850_000,
    slices=(0, NO_SLICE, 7),
    score=40_000,
    request=5,
    subject=6,
)

receipts = st.builds(
    Receipt,
    model=st.integers(0, 2**16 - 1),
    rollout=st.integers(0, 2**24 - 1),
    step=st.integers(0, 255),
    arm=st.sampled_from(Arm),
    at=st.integers(EPOCH_2020, EPOCH_2020 + 2**32 - 1),
    slices=st.tuples(*[st.integers(0, NO_SLICE)] * MAX_DIMENSIONS),
    score=st.integers(0, SCORE_LEVELS),
    request=st.integers(0, 2**40 - 1),
    subject=st.integers(0, 2**48 - 1),
)


@given(receipt=receipts)
def test_a_receipt_comes_back_as_it_was_written(receipt: Receipt) -> None:
    prediction = mint(receipt, key=KEY)

    assert len(prediction) == LENGTH
    assert read(prediction, keys=KEYS) == receipt


def test_receipts_that_are_out_in_the_world_can_still_be_read() -> None:
    assert mint(EXAMPLE, key=KEY) == GOLDEN
    assert read(GOLDEN, keys=KEYS) == EXAMPLE


@pytest.mark.parametrize("place", range(36))
def test_no_byte_can_be_changed(place: int) -> None:
    data = bytearray(base64.urlsafe_b64decode(GOLDEN))
    for change in (1, 0x80, 0xFF):
        forged = bytearray(data)
        forged[place] ^= change

        with pytest.raises(ReceiptInvalid):
            read(base64.urlsafe_b64encode(forged).decode(), keys=KEYS)


@given(receipt=receipts)
def test_a_receipt_has_one_spelling(receipt: Receipt) -> None:
    """Else one outcome could be counted once per spelling: the plain alphabet of base64 decodes too."""
    prediction = mint(receipt, key=KEY)
    other = prediction.replace("-", "+").replace("_", "/")

    if other != prediction:
        with pytest.raises(ReceiptInvalid):
            read(other, keys=KEYS)


@given(text=st.one_of(st.text(max_size=60), st.text(min_size=LENGTH, max_size=LENGTH)))
def test_what_is_not_ours_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(ReceiptInvalid):
        read(text, keys=KEYS)


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(ReceiptInvalid, match="tag"):
        read(GOLDEN, keys={7: ReceiptKey(id=7, secret=b"x" * 32)})
    with pytest.raises(ReceiptInvalid, match="unknown"):
        read(GOLDEN, keys={8: KEY})


def test_a_key_per_model_signs_for_that_model_only() -> None:
    whole = ReceiptKey(id=2, secret=b"k" * 32, per_model=True)
    fraud, biopsy = (whole.of(ModelName(name)) for name in ("fraud", "biopsy"))

    assert read(mint(EXAMPLE, key=fraud), keys={2: fraud}) == EXAMPLE
    with pytest.raises(ReceiptInvalid, match="tag"):
        read(mint(EXAMPLE, key=biopsy), keys={2: fraud})
    assert (fraud.of(ModelName("biopsy")), whole.secret in (fraud.secret, biopsy.secret)) == (fraud, False)
    with pytest.raises(ValueError, match="derive"):
        mint(EXAMPLE, key=whole)


def test_receipts_signed_for_one_model_can_still_be_read() -> None:
    key = ReceiptKey(id=2, secret=b"k" * 32, per_model=True).of(ModelName("fraud"))

    assert mint(EXAMPLE, key=key) == GOLDEN_PER_MODEL
    assert claimed_model(GOLDEN_PER_MODEL) == EXAMPLE.model


def test_missing_slices_are_none() -> None:
    short = Receipt(
        model=1, rollout=1, step=1, arm=Arm.INCUMBENT, at=EPOCH_2020, slices=(4,), score=0, request=0, subject=0
    )

    assert read(mint(short, key=KEY), keys=KEYS).slices == (4, NO_SLICE, NO_SLICE)


def test_a_key_does_not_show_its_secret() -> None:
    assert "k" * 8 not in repr(KEY)


def test_a_score_is_a_probability() -> None:
    assert EXAMPLE.probability == pytest.approx(40_000 / 65_535)


@given(text=st.text(min_size=1))
def test_a_named_subject_is_never_nobody(text: str) -> None:
    assert 0 < subject_hash(text) < 2**48
    assert 0 <= request_hash(text) < 2**40
    assert 0 <= model_hash(ModelName(text)) < 2**16


def test_no_subject_is_nobody() -> None:
    assert subject_hash("") == 0


GOLDEN = "BwABAAApAwELceOQAP8HnEAAAAAABQAAAAAABlZesHQ816EN"
GOLDEN_PER_MODEL = "AgABAAApAwELceOQAP8HnEAAAAAABQAAAAAABrdMlfDbS4Sq"
