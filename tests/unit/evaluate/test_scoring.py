"""Both arms are scored rightly, compared in pairs, and judged by the whole interval."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.decision import Verdict
from glideslope.domain.plan import Margin, MarginKind
from glideslope.evaluate.binary import _Ranks
from glideslope.evaluate.measures import Calibration, Scored
from glideslope.evaluate.results import Comparison, Figure, verdict_of
from glideslope.evaluate.scoring import combination, compare, nothing

ABSOLUTE = Margin(MarginKind.ABSOLUTE, 0.02)
RELATIVE = Margin(MarginKind.RELATIVE, 0.1)


def drawn(seed: int, *, rows: int = 800, groups: int = 80, slope: float = 1.0, weaker: float = 0.7) -> Scored:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1.5, rows)
    happened = rng.random(rows) < 1 / (1 + np.exp(-x))
    return Scored(happened, 1 / (1 + np.exp(-slope * x)), 1 / (1 + np.exp(-weaker * x)), np.arange(rows) % groups)


def by_metric(scored: Scored, *, seed: int = 1, **asked: Margin | float) -> dict[str, Comparison]:
    bounds = {m: [("margin" if isinstance(t, Margin) else "limit", "t", t)] for m, t in asked.items()}
    found = compare(scored, slice_name="all", asked=bounds, threshold=0.5, confidence=0.95, replicates=400, seed=[seed])
    return {each.metric: each for each in found}


def test_points_are_those_of_their_definitions() -> None:
    scored = drawn(1)
    p, y = scored.candidate, scored.happened
    found = by_metric(scored)

    assert found["log_loss"].candidate.value == pytest.approx(-np.mean(np.log(np.where(y, p, 1 - p))), rel=1e-5)
    assert found["brier"].candidate.value == pytest.approx(np.mean((p - y) ** 2), rel=1e-5)
    assert found["accuracy"].candidate.value == pytest.approx(np.mean((p >= 0.5) == y), rel=1e-5)
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y] for b in p[~y]]
    assert found["auc"].candidate.value == pytest.approx(np.mean(pairs), rel=1e-5)


@given(
    scores=st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9]), min_size=2, max_size=12),
    seed=st.integers(0, 10_000),
)
def test_the_weighted_auc_is_that_of_the_rows_repeated(scores: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    happened = rng.random(len(scores)) < 0.5
    weights = rng.integers(0, 3, len(scores)).astype(float)
    scored = Scored(happened, np.array(scores), np.array(scores), np.arange(len(scores)))
    pairs = [
        (weights[a] * weights[b], (scores[a] > scores[b]) + 0.5 * (scores[a] == scores[b]))
        for a in np.flatnonzero(happened)
        for b in np.flatnonzero(~happened)
    ]
    total = sum(weight for weight, _ in pairs)

    auc = _Ranks.of(scored.candidate, scored).auc(weights[None, :])[0]

    if total == 0:
        assert np.isnan(auc)
    else:
        assert auc == pytest.approx(sum(weight * win for weight, win in pairs) / total)


def test_calibration_without_what_chance_adds_is_zero_on_average_for_a_calibrated_model() -> None:
    """The raw estimate is far above zero on as few rows; the debiased one is not."""
    found = []
    for seed in range(200):
        scored = drawn(seed, rows=300, groups=300)
        each = Calibration.of(scored.candidate, scored.happened.astype(float), scored)
        found.append((each.raw(), each.debiased(np.ones((1, 300)))[0]))
    raw, debiased = np.mean(found, axis=0)

    assert raw > 0.006
    assert abs(debiased) < 0.0012


def test_groups_widen_the_interval_when_their_rows_go_together() -> None:
    """The same rows, ten copies of each: as groups they say no more than one copy does."""
    once = drawn(3, rows=200, groups=200)
    copies = Scored(*(np.repeat(column, 10) for column in (once.happened, once.candidate, once.incumbent, once.group)))
    apart = Scored(copies.happened, copies.candidate, copies.incumbent, np.arange(2000))

    def width(scored: Scored) -> float:
        difference = by_metric(scored)["log_loss"].difference
        assert difference.low is not None
        assert difference.high is not None
        return difference.high - difference.low

    assert width(copies) == pytest.approx(width(once), rel=0.2)
    assert width(apart) < 0.5 * width(once)


def test_pairing_cancels_what_is_hard_for_both() -> None:
    found = by_metric(drawn(4))["log_loss"]
    ends = [(f.low, f.high) for f in (found.candidate, found.incumbent, found.difference)]
    widths = [high - low for low, high in ends if low is not None and high is not None]

    assert widths[2] < 0.5 * min(widths[:2])


def test_the_interval_of_a_difference_holds_the_truth_about_as_often_as_it_says() -> None:
    """200 draws; the truth from a draw a thousand times as large. A 95 % interval that held it in fewer than 176 would be wrong."""
    large = drawn(999, rows=400_000, groups=400_000)
    truth = np.mean(
        np.log(np.where(large.happened, large.incumbent, 1 - large.incumbent))
        - np.log(np.where(large.happened, large.candidate, 1 - large.candidate))
    )
    held = 0
    for seed in range(200):
        difference = by_metric(drawn(seed, rows=400, groups=40), seed=seed)["log_loss"].difference
        assert difference.low is not None
        assert difference.high is not None
        held += difference.low <= truth <= difference.high

    assert held >= 176


def test_a_worse_candidate_fails_a_better_one_passes_and_the_rest_is_inconclusive() -> None:
    good, bad = drawn(5, rows=3000), drawn(5, rows=3000, slope=0.2, weaker=1.0)

    assert by_metric(good, log_loss=ABSOLUTE)["log_loss"].bounds[0].verdict is Verdict.PASS
    assert by_metric(bad, log_loss=ABSOLUTE)["log_loss"].bounds[0].verdict is Verdict.FAIL
    assert by_metric(bad, auc=0.999)["auc"].bounds[0].verdict is Verdict.FAIL
    few = drawn(6, rows=60, groups=60, slope=0.9, weaker=1.0)
    assert (
        by_metric(few, log_loss=Margin(MarginKind.ABSOLUTE, 0.001))["log_loss"].bounds[0].verdict
        is Verdict.INCONCLUSIVE
    )


def test_with_too_few_groups_nothing_is_a_pass() -> None:
    found = by_metric(drawn(5, rows=3000, groups=5), log_loss=ABSOLUTE, calibration_error=ABSOLUTE)

    assert {found[m].bounds[0].verdict for m in ("log_loss", "calibration_error")} == {Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("low", "value", "high", "verdict"),
    [
        (-0.2, -0.1, 0.0, Verdict.PASS),
        (-0.2, -0.1, 0.1, Verdict.INCONCLUSIVE),
        (0.1, 0.2, 0.3, Verdict.FAIL),
        (None, -0.1, None, Verdict.INCONCLUSIVE),
        (None, None, None, Verdict.INCONCLUSIVE),
        (-0.2, None, -0.1, Verdict.INCONCLUSIVE),
        (None, -0.1, -0.05, Verdict.PASS),
    ],
)
def test_only_the_whole_interval_decides(
    low: float | None, value: float | None, high: float | None, verdict: Verdict
) -> None:
    assert verdict_of(Figure(value=value, low=low, high=high)) is verdict


@pytest.mark.parametrize(
    ("tolerance", "higher", "candidate", "incumbent", "excess"),
    [
        (0.5, False, 0.4, 9.0, -0.1),
        (0.9, True, 0.8, 9.0, 0.1),
        (ABSOLUTE, False, 0.5, 0.4, 0.08),
        (ABSOLUTE, True, 0.7, 0.8, 0.08),
        (RELATIVE, False, 0.5, 0.4, 0.06),
        (RELATIVE, True, 0.7, 0.8, 0.02),
    ],
)
def test_the_excess_is_how_far_the_candidate_is_beyond_what_is_tolerable(
    tolerance: float | Margin, higher: bool, candidate: float, incumbent: float, excess: float
) -> None:
    a, b, c = combination(tolerance, higher_is_better=higher)

    assert a * candidate + b * incumbent + c == pytest.approx(excess)


def test_of_a_slice_without_rows_nothing_is_known() -> None:
    found = nothing("code=z", {"log_loss": [("margin", "0.02", ABSOLUTE)]})

    assert [b.verdict for each in found for b in each.bounds] == [Verdict.INCONCLUSIVE]
