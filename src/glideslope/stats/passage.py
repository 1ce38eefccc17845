"""When a test will speak: the wealth of a frozen bet is a random walk, and walks cross lines at times whose law is known.

A bet multiplies the wealth by a factor that depends on the outcome's cell. If the cells' probabilities are known, the
logarithm of the wealth is a sum of independent steps with known mean and variance. For many small steps the first time at
which it reaches a line is inverse Gaussian (Wald 1947; Siegmund 1985, chapter 3). A mixture of bets is followed by the one
that leads, started not from its own prior weight but from where the sum of all stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import erfc, exp, fsum, inf, log, log1p, sqrt

from glideslope.stats.wealth import Bets

_FAR = -40.0
"""Nats below which a term of a sum is nothing."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast each alternative's log wealth moves: nats per counted outcome, and the variance of that."""

    priors: tuple[float, ...]
    means: tuple[float, ...]
    variances: tuple[float, ...]
    overshoots: tuple[float, ...]
    """Nats by which a line is passed on average, when it is."""

    @classmethod
    def of(cls, bets: Bets, *, cells: Sequence[float]) -> "Pace":
        """Return the pace of bets where cells have these probabilities. Raises `ValueError` unless there is one per cell."""
        if len(cells) != len(bets.weights[0]):
            raise ValueError(f"there are {len(bets.weights[0])} cells, got {len(cells)} probabilities")
        means, variances, overshoots = [], [], []
        for weights in bets.weights:
            mean = fsum(p * w for p, w in zip(cells, weights, strict=True))
            means.append(mean)
            variances.append(max(fsum(p * w * w for p, w in zip(cells, weights, strict=True)) - mean * mean, 0.0))
            # Of renewals at the steps upwards: the mean of what is left of the step that passes a far line (Lorden 1970).
            up = [(p, w) for p, w in zip(cells, weights, strict=True) if p > 0.0 and w > 0.0]
            overshoots.append(fsum(p * w * w for p, w in up) / (2.0 * fsum(p * w for p, w in up)) if up else 0.0)
        return cls(
            priors=tuple(row[0] for row in bets.rows),
            means=tuple(means),
            variances=tuple(variances),
            overshoots=tuple(overshoots),
        )

    def room(self, logs: Sequence[float], *, line: float, sure: float) -> float:
        """Return how many outcomes more the test needs at the least to speak, from what its factors made so far (nats).

        At the least means: if it outran its mean by `sure` standard deviations. Infinite for one that has spoken or that
        will hardly ever.
        """
        stand = [p + log_ for p, log_ in zip(self.priors, logs, strict=True)] if logs else list(self.priors)
        # The line is the mixture's, and the others lend what they have to whoever leads.
        left = line - _whole(stand) + max(stand)
        best = inf
        for own, mean, variance in zip(stand, self.means, self.variances, strict=True):
            gap = left - own
            if gap <= 0.0:
                return inf
            # mean n + sure sqrt(variance n) = gap, the first time.
            b = sure * sqrt(variance)
            under = b * b + 4.0 * mean * gap
            if under < 0.0 or b + sqrt(under) <= 0.0:
                continue
            root = 2.0 * gap / (b + sqrt(under))
            best = min(best, root * root)
        return best


@dataclass(frozen=True, slots=True)
class Walk:
    """Where log wealth is expected to stand: per alternative the mean with its prior, and the variance."""

    means: tuple[float, ...]
    variances: tuple[float, ...]
    priors: tuple[float, ...]
    overshoots: tuple[float, ...]

    @classmethod
    def start(cls, pace: Pace) -> "Walk":
        """Return a walk before its first step."""
        zeros = (0.0,) * len(pace.priors)
        return cls(means=pace.priors, variances=zeros, priors=pace.priors, overshoots=pace.overshoots)

    def after(self, pace: Pace, outcomes: float) -> "Walk":
        """Return it after so many outcomes more. Raises `ValueError` for a pace of other alternatives."""
        return Walk(
            means=tuple(m + outcomes * d for m, d in zip(self.means, pace.means, strict=True)),
            variances=tuple(v + outcomes * d for v, d in zip(self.variances, pace.variances, strict=True)),
            priors=self.priors,
            overshoots=pace.overshoots,
        )

    @property
    def whole(self) -> float:
        """Return the log wealth of the mixture where all stand at their means."""
        return _whole(self.means)

    def reached(self, line: float) -> float:
        """Return the probability that the wealth has been at a line (nats) by now.

        The mixture is above the line when any alternative, helped by all others, is: the likeliest of them counts.
        """
        top = max(self.means)
        whole, begun = self.whole, _whole(self.priors)
        best = 0.0
        for mean, variance, prior, over in zip(self.means, self.variances, self.priors, self.overshoots, strict=True):
            if top - mean > line:
                continue
            # The others add to the one that leads; whoever lies behind must get there alone.
            lent = min(whole - top, begun - prior) if mean == top else 0.0
            best = max(best, passed(mean - prior, variance=variance, line=line - prior - lent + over))
        return best


def passed(mean: float, *, variance: float, line: float) -> float:
    """Return the probability that a Brownian motion with drift has reached *line* by when it has this mean and variance."""
    if line <= 0.0:
        return 1.0
    if variance <= 0.0:
        return 1.0 if mean >= line else 0.0
    spread = sqrt(variance)
    direct = _normal((mean - line) / spread)
    power = 2.0 * mean * line / variance
    tail = _log_normal(-(mean + line) / spread)
    return min(1.0, direct + (exp(min(0.0, power + tail)) if power + tail > _FAR else 0.0))


def _whole(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + log(fsum(exp(each - top) for each in logs if each - top > _FAR))


def _normal(x: float) -> float:
    return 0.5 * erfc(-x / sqrt(2.0))


@lru_cache(maxsize=4096)
def _log_normal(x: float) -> float:
    """Return the logarithm of the normal distribution's tail below x, far out by its asymptotic series."""
    if x > -30.0:
        return log(max(_normal(x), 1e-300))
    return -0.5 * x * x - log(-x) - 0.9189385332046727 + log1p(-1.0 / (x * x))
