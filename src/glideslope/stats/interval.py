"""Intervals to show beside a verdict: every value of the effect that the same kind of bets has not ruled out.

Confidence sequences: valid at every look, for the whole rollout. They inform people; verdicts never read them.
Each side spends half of alpha, and its wealth moves one way with the value tested, so a bisection over a fixed grid
finds the same ends as testing every point; the ends shown are the outermost points ruled out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from glideslope.stats.counts import Table, Tally, joined
from glideslope.stats.reals import exp, ln, log_sum_exp
from glideslope.stats.score import check_values

POINTS = 4001
"""Points of a grid: 0.23 % apart for ratios, a two-thousandth of the range for differences."""

REACH = 4.605170185988092
"""Ratios of rates are tried from 1/100 to 100: this is ln(100)."""

_RATIOS = (1.02, 1.1, 1.2, 1.5, 2.0, 3.5, 8.0, 25.0)
_ODDS = (1.05, 1.15, 1.3, 1.6, 2.5, 6.0)
_NEAR = 1.3862943611198906
"""Ratios of means are tried from 1/4 to 4: this is ln(4)."""
_BOLDNESS = tuple(0.8 / 2**step for step in range(8))


@dataclass(frozen=True, slots=True)
class Interval:
    """An effect with the values that are not ruled out, None where nothing is ruled out on that side.

    `estimate` is None where it is undefined, as a ratio is without a bad outcome of the incumbent; it is biased outwards
    at the moment of stopping, so show the interval first. Counts are subjects, or pairs (the same number in both).
    """

    low: float | None
    high: float | None
    estimate: float | None
    candidate_count: int
    incumbent_count: int


def ratio_interval(tables: Sequence[Table], *, alpha: float) -> Interval:
    """Return the ratio of the rates of bad (the last bin), candidate over incumbent, over all steps.

    Errors-only label bets with the ratio as the null. The estimate is that of Mantel and Haenszel (1959).
    """
    line = _line(alpha)
    parts = _in_order(tables)
    steps = [(t.candidate_weight / t.control_weight, t.candidate[-1], t.incumbent[-1]) for t in parts]

    def theta(index: int) -> float:
        at = REACH * (2.0 * index / (POINTS - 1) - 1.0)
        return exp(at) if at <= 0.0 else 1.0 / exp(-at)

    strata = [(t.candidate[-1], t.incumbent[-1], sum(t.candidate), sum(t.incumbent)) for t in parts]
    crossed = [(bad_1 * n_0 / (n_1 + n_0), bad_0 * n_1 / (n_1 + n_0)) for bad_1, bad_0, n_1, n_0 in strata if n_1 + n_0]
    below = sum_in_order([bottom for _, bottom in crossed])
    low, high = _ends(
        theta,
        above=lambda value: _ratio_wealth(steps, theta=value, sign=1) >= line,
        under=lambda value: _ratio_wealth(steps, theta=value, sign=-1) >= line,
    )
    return Interval(
        low=low,
        high=high,
        estimate=sum_in_order([top for top, _ in crossed]) / below if below > 0.0 else None,
        candidate_count=sum(n for _, _, n, _ in strata),
        incumbent_count=sum(n for _, _, _, n in strata),
    )


def difference_interval(tables: Sequence[Table], *, values: Sequence[float], centre: float, alpha: float) -> Interval:
    """Return the difference of mean losses, candidate minus incumbent, over all steps; (0, 1) for a binary event.

    Bets on means with the difference as the null. The estimate weights each step by the precision of its comparison.
    """
    line = _line(alpha)
    span = _span(values)
    parts = _in_order(tables)
    cells: list[tuple[int, float, float, float]] = []
    for table in parts:
        pi = table.candidate_weight / (table.candidate_weight + table.control_weight)
        both = pi * (1.0 - pi)
        moves = [(1.0 - pi) * (v - centre) for v in values] + [-pi * (v - centre) for v in values]
        # The largest move that any null on the grid can cost, so that the size of the bets does not depend on it.
        worst = max(map(abs, moves)) + both * span
        counts = table.candidate + table.incumbent
        cells.extend((n, move, both, worst) for n, move in zip(counts, moves, strict=True) if n)

    def at(index: int) -> float:
        return span * (2.0 * index / (POINTS - 1) - 1.0)

    low, high = _ends(
        at,
        above=lambda value: _mean_wealth(cells, null=value, sign=1) >= line,
        under=lambda value: _mean_wealth(cells, null=value, sign=-1) >= line,
    )
    gaps = []
    for table in parts:
        n_1, n_0 = sum(table.candidate), sum(table.incumbent)
        if n_1 and n_0:
            gap = _mean(values, counts=table.candidate) - _mean(values, counts=table.incumbent)
            gaps.append((n_1 * n_0 / (n_1 + n_0), gap))
    weight = sum_in_order([w for w, _ in gaps])
    return Interval(
        low=low,
        high=high,
        estimate=sum_in_order([w * gap for w, gap in gaps]) / weight if gaps else None,
        candidate_count=sum(sum(table.candidate) for table in parts),
        incumbent_count=sum(sum(table.incumbent) for table in parts),
    )


def mean_ratio_interval(tables: Sequence[Table], *, values: Sequence[float], centre: float, alpha: float) -> Interval:
    """Return the ratio of means, candidate over incumbent, over all steps, within a factor of four; values of one sign.

    Bets as of `scaled.ScaledHarm`, with a constant that does not depend on the ratio tested, so that the wealth moves one way.
    """
    line = _line(alpha)
    _span(values)
    sign = -1.0 if min(values) < 0 else 1.0
    sizes, usual = [sign * value for value in values], sign * centre
    parts = _in_order(tables)
    top = exp(-_NEAR) ** -1
    cells: list[tuple[int, float, float, float]] = []
    for table in parts:
        pi = table.candidate_weight / (table.candidate_weight + table.control_weight)
        worst = max(max(abs((1.0 - pi) * (v - usual)), abs(pi * (top * v - usual)), abs(pi * usual)) for v in sizes)
        # A move is what does not depend on the ratio, minus the ratio times what does.
        moves = [((1.0 - pi) * (v - usual), 0.0) for v in sizes] + [(pi * usual, pi * v) for v in sizes]
        counts = table.candidate + table.incumbent
        cells.extend((n, move, slope, worst) for n, (move, slope) in zip(counts, moves, strict=True) if n)

    def theta(index: int) -> float:
        at = _NEAR * (2.0 * index / (POINTS - 1) - 1.0)
        return exp(at) if at <= 0.0 else 1.0 / exp(-at)

    low, high = _ends(
        theta,
        above=lambda value: _mean_wealth(cells, null=value, sign=1) >= line,
        under=lambda value: _mean_wealth(cells, null=value, sign=-1) >= line,
    )
    strata = []
    for table in parts:
        n_1, n_0 = sum(table.candidate), sum(table.incumbent)
        if n_1 and n_0:
            weight = n_1 * n_0 / (n_1 + n_0)
            means = _mean(sizes, counts=table.candidate), _mean(sizes, counts=table.incumbent)
            strata.append((weight * means[0], weight * means[1]))
    below = sum_in_order([bottom for _, bottom in strata])
    return Interval(
        low=low,
        high=high,
        estimate=sum_in_order([upper for upper, _ in strata]) / below if below > 0.0 else None,
        candidate_count=sum(sum(table.candidate) for table in parts),
        incumbent_count=sum(sum(table.incumbent) for table in parts),
    )


def quantile_interval(counts: Sequence[int], *, edges: Sequence[float], level: float, alpha: float) -> Interval:
    """Return one arm's quantile, of a histogram with so many edges and an open last bin, as far as its bins can tell.

    `low` and `high` are edges: at each of them it is asked whether more or fewer than *level* lie below it. Unlike the others
    this takes the quantile to stay what it is. The estimate lies straight within its bin, None in the open one.
    """
    line = _line(alpha)
    total = sum(counts)
    below, seen = [], 0
    for count in counts[:-1]:
        seen += count
        below.append(seen)
    low = high = estimate = None
    for edge, under in zip(edges, below, strict=True):
        if _rate_wealth(total - under, under, rate=1.0 - level) >= line:
            low = edge  # more than 1 - level lie beyond it, so the quantile does too
        if high is None and _rate_wealth(under, total - under, rate=level) >= line:
            high = edge
    left = level * total
    bottom = 0.0
    for edge, count in zip(edges, counts, strict=False):
        if estimate is None and count and left <= count:
            estimate = bottom + (edge - bottom) * left / count
        left -= count
        bottom = edge
    return Interval(low=low, high=high, estimate=estimate, candidate_count=total, incumbent_count=total)


def _rate_wealth(hits: int, misses: int, *, rate: float) -> float:
    """Return log wealth against "the rate of hits is at most this", a mixture of higher odds."""
    if not hits + misses:
        return 0.0
    scores = []
    for odds in _ODDS:
        more = rate * odds / (rate * odds + 1.0 - rate)
        gain = hits * ln(more / rate) + misses * ln((1.0 - more) / (1.0 - rate))
        scores.append(gain - ln(float(len(_ODDS))))
    return log_sum_exp(scores)


def paired_interval(tally: Tally, *, values: Sequence[float], alpha: float) -> Interval:
    """Return the mean difference over pairs, given the difference of each bin; (0, 1, -1, 0) for `paired.pairs`."""
    line = _line(alpha)
    _span(values)
    if len(values) != tally.bins:
        raise ValueError(f"{len(values)} values for a tally of {tally.bins} bins")
    least, most = min(values), max(values)
    cells = [(n, float(v), 1.0, most - least) for n, v in zip(tally.counts, values, strict=True) if n]

    def at(index: int) -> float:
        return least + (most - least) * index / (POINTS - 1)

    low, high = _ends(
        at,
        above=lambda value: _mean_wealth(cells, null=value, sign=1) >= line,
        under=lambda value: _mean_wealth(cells, null=value, sign=-1) >= line,
    )
    count = sum(tally.counts)
    return Interval(
        low=low,
        high=high,
        estimate=_mean(values, counts=tally.counts) if count else None,
        candidate_count=count,
        incumbent_count=count,
    )


def _line(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha is {alpha!r}; expected a number between 0 and 1")
    return ln(2.0 / alpha)


def _in_order(tables: Sequence[Table]) -> list[Table]:
    """Return joined tables by coin: these sums are floats, so their order matters."""
    return sorted(joined(tables), key=lambda table: table.coin)


def _span(values: Sequence[float]) -> float:
    check_values(values)
    return float(max(values) - min(values))


def _mean(values: Sequence[float], *, counts: Sequence[int]) -> float:
    return sum_in_order([value * count for value, count in zip(values, counts, strict=True)]) / sum(counts)


def sum_in_order(terms: Sequence[float]) -> float:
    """Add floats one by one: the built-in `sum` compensates from Python 3.12 on, and would give other bits."""
    total = 0.0
    for term in terms:
        total += term
    return total


def _ends(
    at: Callable[[int], float], *, above: Callable[[float], bool], under: Callable[[float], bool]
) -> tuple[float | None, float | None]:
    """Return the last point from the left where "at most this" is ruled out, and its mirror image from the right."""
    ruled_low = _count(lambda i: above(at(i)))
    ruled_high = _count(lambda i: under(at(POINTS - 1 - i)))
    return (
        at(ruled_low - 1) if ruled_low else None,
        at(POINTS - ruled_high) if ruled_high else None,
    )


def _count(ruled_out: Callable[[int], bool]) -> int:
    """Return for how many of the first points a condition holds that, once false, stays false."""
    low, high = 0, POINTS
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ruled_out(middle) else (low, middle)
    return low


def _ratio_wealth(steps: Sequence[tuple[float, int, int]], *, theta: float, sign: int) -> float:
    """Return log wealth against "the ratio is at most theta" (sign 1) or at least (sign -1)."""
    scores = []
    for ratio in _RATIOS:
        r = ratio if sign > 0 else 1.0 / ratio
        score = -ln(float(len(_RATIOS)))
        for odds, candidate_bad, incumbent_bad in steps:
            null = odds * theta
            score += candidate_bad * ln(r) - (candidate_bad + incumbent_bad) * ln((1.0 + null * r) / (1.0 + null))
        scores.append(score)
    return log_sum_exp(scores)


def _mean_wealth(cells: Sequence[tuple[int, float, float, float]], *, null: float, sign: int) -> float:
    """Return log wealth against "the mean difference is at most null" (sign 1) or at least (sign -1).

    A cell is (count, move, weight of the null in the move, worst move).
    """
    scores = []
    for boldness in _BOLDNESS:
        score = -ln(float(len(_BOLDNESS)))
        for count, move, both, worst in cells:
            score += count * ln(1.0 + boldness / worst * sign * (move - both * null))
        scores.append(score)
    return log_sum_exp(scores)
