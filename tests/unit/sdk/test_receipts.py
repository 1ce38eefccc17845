"""A receipt is minted only when it is true; what cannot be said truly has none."""

import math

import pytest

from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.metric import Dimension
from glideslope.domain.observation import Briefing
from glideslope.domain.receipt import NO_SLICE, ReceiptKey, model_hash, read, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.sdk.briefed import NOT_BRIEFED, Briefed, briefed
from glideslope.sdk.receipts import mint_prediction
from glideslope.sdk.stamps import NO_STAMPS, Stamps

KEY = ReceiptKey(id=9, secret=b"secret")
MODEL = ModelName("flights")
NOW = 1_800_000_000
BRIEFED = briefed(
    Briefing(
        model=MODEL,
        grant=None,
        rollouts={RolloutId("flights-4"): 40},
        metrics=(),
        dimensions=(Dimension("origin", ("LGA", "JFK")), Dimension("day", ("sat", "sun"))),
        key_id=KEY.id,
        key=KEY.secret,
        tag="t",
    )
)
STAMPED = Stamps(rollout=RolloutId("flights-4"), step=StepName("s3"), arm=Arm.CANDIDATE, request="r-7", subject="anna")


def minted(
    stamps: Stamps = STAMPED, *, score: float = 0.5, slices: dict[str, str] | None = None, known: Briefed = BRIEFED
) -> str | None:
    return mint_prediction(stamps, model=MODEL, score=score, at=NOW, briefed=known, slices=slices)


def test_a_receipt_says_where_when_and_what_was_predicted() -> None:
    prediction = minted(slices={"day": "sun", "origin": "EWR", "carrier": "UA"})

    assert prediction is not None
    receipt = read(prediction, keys={9: KEY})
    assert (receipt.model, receipt.rollout, receipt.step, receipt.arm) == (model_hash(MODEL), 40, 3, Arm.CANDIDATE)
    assert (receipt.at, receipt.slices, receipt.score) == (NOW, (NO_SLICE, 1, NO_SLICE), 32768)
    assert (receipt.request, receipt.subject) == (request_hash("r-7"), subject_hash("anna"))


def test_traffic_outside_any_rollout_has_receipts_for_the_baseline() -> None:
    prediction = minted(NO_STAMPS)

    assert prediction is not None
    receipt = read(prediction, keys={9: KEY})
    assert (receipt.rollout, receipt.step, receipt.arm, receipt.subject) == (0, 0, Arm.INCUMBENT, 0)


@pytest.mark.parametrize("score", [-0.001, 1.001, math.nan, math.inf])
def test_a_score_that_is_no_probability_has_no_receipt(score: float) -> None:
    assert minted(score=score) is None


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_certainty_is_a_probability(score: float) -> None:
    prediction = minted(score=score)

    assert prediction is not None
    assert score == read(prediction, keys={9: KEY}).probability


def test_a_rollout_that_is_not_known_here_has_no_receipt() -> None:
    """One that called the request unmeasured would be false."""
    assert minted(Stamps(rollout=RolloutId("flights-5"), step=StepName("s1"))) is None


def test_without_a_briefing_there_is_no_receipt() -> None:
    assert minted(known=NOT_BRIEFED) is None


def test_a_mirrored_copy_has_no_receipt() -> None:
    assert minted(Stamps(rollout=RolloutId("flights-4"), step=StepName("s3"), shadow=True)) is None


@pytest.mark.parametrize("at", [-1, 0, 1_577_836_799, 1_577_836_800 + 2**32, 2**63])
def test_a_time_that_no_receipt_can_carry_gives_none_and_no_error(at: int) -> None:
    """A host's clock may be wrong; its requests must not fail for that."""
    assert mint_prediction(NO_STAMPS, model=MODEL, score=0.5, at=at, briefed=BRIEFED) is None
