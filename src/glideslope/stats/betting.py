"""How bets are written down: priors, checks of what people declare, and the two shapes of label bets."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

_PLACES = 9


def equal(size: int) -> tuple[Fraction, ...]:
    """Return equal prior weights."""
    return (Fraction(1, size),) * size


def priors(weights: Sequence[float], *, size: int) -> tuple[Fraction, ...]:
    """Return weights as they are written, or equal ones if none are; `ValueError` unless positive with sum one."""
    if not weights:
        return equal(size)
    exact = tuple(map(written, weights))
    if len(exact) != size or min(exact) <= 0 or sum(exact) != 1:
        raise ValueError(f"a prior must be {size} positive weights with sum one, got {tuple(weights)}")
    return exact


def check_ratios(ratios: Sequence[float], *, above: float) -> None:
    """Raise `ValueError` unless every ratio is finite and above the null."""
    if not ratios or not all(written(ratio) > written(above) for ratio in ratios):
        raise ValueError(f"ratios must lie above {above}, got {tuple(ratios)}")


def check_margin(margin: float, *, positive: bool = False) -> None:
    """Raise `ValueError` unless the margin is finite and at or above 0 (above, where a proof is asked for)."""
    if written(margin) < 0 or (positive and written(margin) == 0):
        raise ValueError(f"a margin must be {'above' if positive else 'at or above'} 0, got {margin!r}")


def raised(rate: Fraction, *, ratio: Fraction) -> Fraction:
    """Return *ratio* times the rate, or where that is too much, the rate whose complement is divided by *ratio*."""
    return min(rate * ratio, 1 - (1 - rate) / ratio) if rate else rate


def label_bets(*, pi: Fraction, prior: Sequence[Fraction], likelihoods: Sequence[Sequence[Fraction]]) -> Bets:
    """Return the label bets of alternatives given as likelihood ratios per bin, candidate over incumbent.

    Each must not decrease towards the worse bins: that, and nothing else, is what the guarantee asks of them.
    """
    factors = []
    for ratios in likelihoods:
        if list(ratios) != sorted(ratios):
            raise ValueError(f"likelihood ratios must not decrease towards worse bins, got {ratios}")
        mixed = [pi * ratio + 1 - pi for ratio in ratios]
        factors.append([r / m for r, m in zip(ratios, mixed, strict=True)] + [1 / m for m in mixed])
    return Bets.of(prior=prior, factors=factors)


def errors_only_bets(*, pi: Fraction, null: Fraction, prior: Sequence[Fraction], ratios: Sequence[Fraction]) -> Bets:
    """Return bets on bad outcomes alone, against the null that the ratio of rates is at most (or at least) *null*.

    One-sided by its ratios: all above the null, or all below. Good outcomes leave the wealth as it is, which makes the
    test exact for every base rate and costs about the base rate's share of the information.
    """
    q0 = pi * null / (pi * null + 1 - pi)
    factors = []
    for ratio in ratios:
        q = pi * ratio / (pi * ratio + 1 - pi)
        factors.append((Fraction(1), q / q0, Fraction(1), (1 - q) / (1 - q0)))
    return Bets.staked(prior, factors=factors) if sum(prior) != 1 else Bets.of(prior=prior, factors=factors)


def check_base_rate(base_rate: float) -> None:
    """Raise `ValueError` unless 0 <= base_rate < 1."""
    if not 0 <= written(base_rate) < 1:
        raise ValueError(f"a base rate must lie in [0, 1), got {base_rate!r}")


def monotone(smooth: Sequence[Fraction], *, cumulated: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """Return likelihood ratios of bins against *smooth* chances, given the alternative's chance up to each inner edge.

    They are rounded to nine places and never decrease towards the worse bins.
    """
    points = [Fraction(0), *cumulated, Fraction(1)]
    moved = [high - low for low, high in pairwise(points)]
    ratios = [m / s for m, s in zip(moved, smooth, strict=True)]
    # Rounded before the running maximum, and never to zero, so that the order survives.
    unit = 10**_PLACES
    return tuple(accumulate((max(Fraction(round(ratio * unit), unit), Fraction(1, unit)) for ratio in ratios), max))
