"""One alpha is divided, never multiplied."""

from fractions import Fraction

import pytest

from glideslope.stats.family import Allotment, allot, equal_weights, holm
from glideslope.stats.reals import written


def test_half_of_a_guardrail_stays_with_the_aggregate_and_half_is_shared_by_its_slices() -> None:
    assert allot(0.01, weights={"errors": 0.6, "latency": 0.4}, slices={"errors": ["de", "fr", "us"]}) == (
        Allotment("errors", None, 0.003),
        Allotment("errors", "de", 0.001),
        Allotment("errors", "fr", 0.001),
        Allotment("errors", "us", 0.001),
        Allotment("latency", None, 0.004),
    )


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.001, 1e-9, 0.3])
@pytest.mark.parametrize("count", [1, 3, 7, 11])
def test_the_parts_never_exceed_the_whole(alpha: float, count: int) -> None:
    """Exactly, as written: thirds and sevenths are rounded down."""
    names = [f"metric-{i}" for i in range(count)]
    slices = {name: [f"slice-{j}" for j in range(index)] for index, name in enumerate(names)}
    parts = [written(part.alpha) for part in allot(alpha, weights=equal_weights(names), slices=slices)]

    assert written(alpha) * (1 - Fraction(1, 10**14)) <= sum(parts) <= written(alpha)


@pytest.mark.parametrize(
    ("alpha", "weights", "slices"),
    [
        (0.0, {"a": 1.0}, {}),
        (float("nan"), {"a": 1.0}, {}),
        (0.05, {}, {}),
        (0.05, {"a": 0.5, "b": 0.4}, {}),
        (0.05, {"a": 1.5, "b": -0.5}, {}),
        (0.05, {"a": float("nan")}, {}),
        (0.05, {"a": 1.0}, {"b": ["x"]}),
        (0.05, {"a": 1.0}, {"a": ["x", "x"]}),
    ],
)
def test_a_family_that_does_not_add_up_is_refused(
    alpha: float, weights: dict[str, float], slices: dict[str, list[str]]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        allot(alpha, weights=weights, slices=slices)


def test_weights_as_people_write_them_sum_to_one() -> None:
    """0.1 ten times is not 1 in doubles, but it is on paper."""
    assert len(allot(0.05, weights={str(i): 0.1 for i in range(10)})) == 10


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        ({"a": 0.01, "b": 0.04, "c": 0.03}, {"a"}),
        ({"a": 0.01, "b": 0.02, "c": 0.03}, {"a", "b", "c"}),
        ({"a": 0.5}, set()),
        ({}, set()),
    ],
)
def test_holm_names_the_guilty(p_values: dict[str, float], rejected: set[str]) -> None:
    assert holm(p_values, alpha=0.05) == rejected


def test_holm_refuses_what_is_no_p_value() -> None:
    with pytest.raises(ValueError, match="p-value"):
        holm({"a": float("nan")}, alpha=0.05)
