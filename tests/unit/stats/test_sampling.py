"""Counts drawn at random have the distribution that they are drawn from."""

from collections import Counter
from math import comb, exp, factorial
from random import Random

import pytest

from glideslope.stats.sampling import Dice, binomial, poisson

DRAWS = 20_000


def misfit(drawn: Counter[int], expected: dict[int, float]) -> float:
    """Return Pearson's chi-square over its degrees of freedom; values hardly expected are joined."""
    kept = {k: p * DRAWS for k, p in expected.items() if p * DRAWS >= 10}
    rest = DRAWS - sum(kept.values())
    square = sum((drawn[k] - n) ** 2 / n for k, n in kept.items())
    square += (DRAWS - sum(drawn[k] for k in kept) - rest) ** 2 / max(rest, 10)
    return square / len(kept)


@pytest.mark.parametrize(("n", "p"), [(5, 0.3), (400, 0.01), (100, 0.5), (60, 0.8), (2_000, 0.03)])
def test_a_binomial_is_one(n: int, p: float) -> None:
    chance = Random(f"{n} {p}")
    drawn = Counter(binomial(n, p=p, chance=chance) for _ in range(DRAWS))

    assert misfit(drawn, {k: comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(min(n, 160) + 1)}) < 2.0


@pytest.mark.parametrize("mean", [0.2, 6.0, 40.0])
def test_a_poisson_count_is_one(mean: float) -> None:
    chance = Random(f"{mean}")
    drawn = Counter(poisson(mean, chance=chance) for _ in range(DRAWS))

    assert misfit(drawn, {k: exp(-mean) * mean**k / factorial(k) for k in range(100)}) < 2.0


@pytest.mark.parametrize("n", [2, 1_000])
def test_dice_fall_in_proportion_and_none_is_lost(n: int) -> None:
    chance = Random(n)
    dice = Dice.of((1, 0, 3, 6))
    bins = [0] * 4
    for _ in range(DRAWS // n):
        dice.throw(n, into=bins, chance=chance)

    total = n * (DRAWS // n)
    assert sum(bins) == total
    assert bins[1] == 0
    assert all(abs(bins[k] / total - p) < 0.02 for k, p in ((0, 0.1), (2, 0.3), (3, 0.6)))


@pytest.mark.parametrize("bad", [(-1, 0.5), (3, 1.5), (3, float("nan"))])
def test_what_is_no_probability_is_refused(bad: tuple[int, float]) -> None:
    with pytest.raises(ValueError, match="binomial"):
        binomial(bad[0], p=bad[1], chance=Random(1))


def test_dice_without_a_side_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        Dice.of((0.0, 0.0))
