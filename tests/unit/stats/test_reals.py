"""Our logarithm and exponential are as good as the C library's, and do not depend on it."""

import math
import random

import pytest

from glideslope.stats.reals import exp, ln, log_sum_exp, written


def test_ln_and_exp_agree_with_the_c_library_to_a_few_units_in_the_last_place() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        x = math.exp(rng.uniform(-50, 50))
        assert ln(x) == pytest.approx(math.log(x), rel=1e-15, abs=1e-16)
        y = -(10 ** rng.uniform(-12, 2.8))
        assert exp(y) == pytest.approx(math.exp(y), rel=2e-15, abs=1e-320)


@pytest.mark.parametrize(
    ("x", "bits"),
    [(2.0, "0x1.62e42fefa39efp-1"), (10.0, "0x1.26bb1bbb55515p+1"), (0.5, "-0x1.62e42fefa39efp-1"), (1.0, "0x0.0p+0")],
)
def test_ln_gives_these_very_bits(x: float, bits: str) -> None:
    """If this fails on some machine, its recomputed evidence would differ from everybody else's."""
    assert ln(x).hex() == bits


@pytest.mark.parametrize(
    ("x", "bits"),
    [(0.0, "0x1.0000000000000p+0"), (-1.0, "0x1.78b56362cef38p-2"), (-800.0, "0x0.0p+0")],
)
def test_exp_gives_these_very_bits(x: float, bits: str) -> None:
    assert exp(x).hex() == bits


@pytest.mark.parametrize("x", [0.0, -1.0, math.nan, math.inf])
def test_ln_refuses_what_has_no_logarithm(x: float) -> None:
    with pytest.raises(ValueError, match="positive finite"):
        ln(x)


@pytest.mark.parametrize("x", [1e-9, math.nan, math.inf])
def test_exp_refuses_what_the_room_never_needs(x: float) -> None:
    with pytest.raises(ValueError, match="at or below 0"):
        exp(x)


def test_log_sum_exp_survives_huge_and_tiny_terms() -> None:
    assert log_sum_exp([1e6, 1e6]) == pytest.approx(1e6 + math.log(2))
    assert log_sum_exp([-1e6, 0.0]) == 0.0


def test_a_number_is_read_as_it_is_written() -> None:
    assert written(1.2) == written(6) / 5
    for bad in (math.nan, math.inf):
        with pytest.raises(ValueError, match="finite"):
            written(bad)
