"""How outcomes become bins: losses, edges, pairs, cells."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import Invalid
from glideslope.domain.ids import MetricName, RolloutId, SliceName, StepName
from glideslope.domain.metric import (
    BRIER,
    BUILT_IN,
    DIFFERENCE_BINS,
    ERRORS,
    EXPOSURE,
    LATENCY,
    LATENCY_EDGES,
    LOG_LOSS,
    LOG_LOSS_CAP,
    SCORE_BINS,
    WRONG,
    Cell,
    Dimension,
    Kind,
    Loss,
    Metric,
    differences,
    loss_bin,
    loss_of,
    pair_bin,
    slice_names,
)
from glideslope.domain.traffic import Arm

METRICS = tuple(BUILT_IN.values())
SCORES = (LOG_LOSS, BRIER)
finite = st.floats(allow_nan=False, allow_infinity=False)
probabilities = st.floats(0.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "value", "expected"),
    [
        (ERRORS, 0, 0),
        (ERRORS, 1, 1),
        (ERRORS, 0.0001, 1),
        (LATENCY, 0.0, 0),
        (LATENCY, 0.41, 0),  # an edge belongs to the bin below it
        (LATENCY, 0.42, 1),
        (LATENCY, 1.0, 4),
        (LATENCY, LATENCY_EDGES[-1], 39),
        (LATENCY, 10**6, 40),
        (LOG_LOSS, 0.0, 0),
        (LOG_LOSS, LOG_LOSS_CAP, SCORE_BINS - 1),
        (LOG_LOSS, 99.0, SCORE_BINS - 1),
        (BRIER, 1.0, SCORE_BINS - 1),
    ],
)
def test_a_value_falls_into_its_bin(metric: Metric, value: float, expected: int) -> None:
    assert metric.bin(value) == expected


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_in_no_bin(metric: Metric, value: float) -> None:
    with pytest.raises(Invalid):
        metric.bin(value)


@given(metric=st.sampled_from(METRICS), low=finite, high=finite)
def test_a_worse_value_is_never_in_a_better_bin(metric: Metric, low: float, high: float) -> None:
    low, high = sorted((low, high))

    assert 0 <= metric.bin(low) <= metric.bin(high) < metric.bins


@pytest.mark.parametrize("metric", SCORES, ids=lambda metric: metric.name)
def test_a_bins_value_is_its_middle(metric: Metric) -> None:
    assert len(metric.values) == metric.bins
    assert [metric.bin(value) for value in metric.values] == list(range(metric.bins))


def test_bins_of_latency_are_a_quarter_wide() -> None:
    assert LATENCY.bins == len(LATENCY_EDGES) + 1
    assert all(high / low == pytest.approx(1.25, rel=2e-3) for low, high in pairwise(LATENCY_EDGES))


@pytest.mark.parametrize(
    ("loss", "probability", "happened", "expected"),
    [
        (Loss.LOG, 1.0, True, 0.0),
        (Loss.LOG, 0.5, True, math.log(2)),
        (Loss.LOG, 0.5, False, math.log(2)),
        (Loss.LOG, 0.0, True, math.inf),
        (Loss.LOG, 1.0, False, math.inf),
        (Loss.BRIER, 0.7, True, 0.09),
        (Loss.BRIER, 0.7, False, 0.49),
        (Loss.WRONG, 0.7, True, 0.0),
        (Loss.WRONG, 0.7, False, 1.0),
        (Loss.WRONG, 0.5, True, 0.0),
        (Loss.WRONG, 0.5, False, 0.0),
    ],
)
def test_losses(loss: Loss, probability: float, *, happened: bool, expected: float) -> None:
    assert loss_of(loss, probability=probability, happened=happened) == pytest.approx(expected)


@pytest.mark.parametrize("loss", Loss)
@pytest.mark.parametrize("probability", [math.nan, -0.01, 1.01, math.inf])
def test_what_is_no_probability_has_no_loss(loss: Loss, probability: float) -> None:
    """A NaN must not pass for a right answer."""
    with pytest.raises(Invalid):
        loss_of(loss, probability=probability, happened=True)


@given(metric=st.sampled_from((LOG_LOSS, BRIER, WRONG)), probability=probabilities, happened=st.booleans())
def test_every_prediction_has_a_bin(metric: Metric, probability: float, *, happened: bool) -> None:
    assert 0 <= loss_bin(metric, probability=probability, happened=happened) < metric.bins


def test_the_worst_prediction_is_in_the_worst_bin() -> None:
    assert loss_bin(LOG_LOSS, probability=0.0, happened=True) == LOG_LOSS.bins - 1


@pytest.mark.parametrize("metric", [ERRORS, LATENCY], ids=lambda metric: metric.name)
def test_what_has_no_loss_judges_no_predictions(metric: Metric) -> None:
    with pytest.raises(Invalid):
        loss_bin(metric, probability=0.5, happened=True)


@pytest.mark.parametrize(("candidate", "incumbent", "expected"), [(0, 0, 0.0), (1, 0, 1.0), (0, 1, -1.0), (1, 1, 0.0)])
def test_pairs_of_events(candidate: float, incumbent: float, expected: float) -> None:
    assert differences(WRONG)[pair_bin(WRONG, candidate=candidate, incumbent=incumbent)] == expected


@given(metric=st.sampled_from(SCORES), losses=st.tuples(st.floats(0, 1e9), st.floats(0, 1e9)))
def test_a_pairs_bin_is_the_one_nearest_to_its_difference(metric: Metric, losses: tuple[float, float]) -> None:
    cap = metric.edges[-1]
    candidate, incumbent = losses
    difference = min(candidate, cap) - min(incumbent, cap)

    found = pair_bin(metric, candidate=candidate, incumbent=incumbent)

    assert abs(differences(metric)[found] - difference) <= cap / (DIFFERENCE_BINS - 1) + 1e-9
    assert found + pair_bin(metric, candidate=incumbent, incumbent=candidate) == DIFFERENCE_BINS - 1


@given(metric=st.sampled_from(SCORES), loss=st.floats(0, math.inf))
def test_equal_losses_do_not_differ(metric: Metric, loss: float) -> None:
    assert differences(metric)[pair_bin(metric, candidate=loss, incumbent=loss)] == 0.0


@pytest.mark.parametrize("metric", [WRONG, LOG_LOSS, BRIER], ids=lambda metric: metric.name)
@pytest.mark.parametrize(("candidate", "incumbent"), [(math.nan, 0.0), (0.0, math.nan)])
def test_a_pair_of_what_is_no_number_is_refused(metric: Metric, candidate: float, incumbent: float) -> None:
    with pytest.raises(Invalid):
        pair_bin(metric, candidate=candidate, incumbent=incumbent)


def test_built_in_metrics_are_known_by_their_names() -> None:
    assert all(BUILT_IN[name].name == name for name in BUILT_IN)
    assert EXPOSURE not in BUILT_IN
    joint = {Kind.CALIBRATION, Kind.AUC, Kind.AVERAGE_PRECISION}
    assert all((metric.loss is not None or metric.kind in joint) == (metric.origin == "outcome") for metric in METRICS)
    assert all(metric.kind in Kind for metric in METRICS)


def test_slices_are_named_by_field_and_value() -> None:
    dimensions = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("UA",)))

    assert slice_names(dimensions) == ("origin=EWR", "origin=JFK", "carrier=UA")


CELL = Cell(RolloutId("r-1"), StepName("s1"), Arm.CANDIDATE, MetricName("errors"), SliceName("origin=LGA"), 1)


def test_a_cell_is_written_and_read_back() -> None:
    assert CELL.key() == "r-1/s1/candidate/errors/origin=LGA/1"
    assert Cell.parse(CELL.key()) == CELL


@pytest.mark.parametrize(
    "key",
    [
        "",
        "r-1/s1/candidate/errors/all",
        "r-1/s1/candidate/errors/all/1/2",
        "r-1/s1/control/errors/all/1",
        "r-1/s1/candidate/errors/all/one",
        "r-1/s1/candidate/errors/all/-1",
        "r-1/s1/candidate/errors/all/01",
        "r-1/s1/candidate/errors/all/ 1",
        "r-1/s1/candidate/errors/all/1_0",
    ],
)
def test_what_names_no_cell_is_refused(key: str) -> None:
    """One cell has one key: a second spelling would be counted beside the first."""
    with pytest.raises(Invalid):
        Cell.parse(key)
