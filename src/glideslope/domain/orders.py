"""What blocks of a ranking will say, supposing how both arms score: so many outcomes fill one, and so its difference spreads.

A block's difference has no law that could be written down for both rankings, so some hundred are drawn, always the same.
Of an area under the ROC curve the mean is known exactly; of an average precision it is drawn again, both arms by the same
numbers, so that little is left of chance. The drawn spread is tilted to it.
"""

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from math import exp, fsum, log, log1p
from typing import Final

from glideslope.domain.metric import DIFFERENCE_BINS, Kind, block_size, gap_bin
from glideslope.domain.tilting import tilted
from glideslope.stats.ranking import auc_of_counts, average_precision_of_counts
from glideslope.stats.sampling import Chance, Fixed, binomial

DRAWN: Final = 500
"""Blocks: the spread of their differences is then known within some 3 %."""
MOST_OTHERS: Final = 128
"""Outcomes of the commoner kind that a block holds at most (`engine.ranking.MOST`)."""

USUAL_LOGIT: Final = (-1.7, 1.2)
"""Mean and standard deviation of the log odds that a calibrated model gives, where nobody saw any scores: one in five happens."""

_HALVINGS: Final = 40
_GRID: Final = 400
_WIDEST: Final = 5.0

Joint = tuple[float, ...]
"""Per bin of the score how likely it is with what did not happen (2k), and with what did (2k + 1)."""


@dataclass(frozen=True, slots=True)
class Orders:
    """The blocks of one step."""

    size: int
    """Outcomes of each kind that a block has at least."""
    outcomes: float
    """Of both measured arms, until one is full, on average."""
    comparable: float
    """The part of the blocks in which both arms can be ordered."""
    gaps: tuple[float, ...]
    """Per bin how likely the difference of one that can be compared falls into it."""


@lru_cache(maxsize=512)
def orders_of(kind: Kind, *, candidate: Joint, incumbent: Joint, weights: tuple[int, int]) -> Orders:
    """Return what the blocks are like in a step where the arms have these weights, the candidate's first.

    Raises ValueError for scores of which nothing happens, or everything.
    """
    size = block_size(candidate=weights[0], control=weights[1])
    pi = weights[0] / sum(weights)
    rate = pi * _rate(candidate) + (1 - pi) * _rate(incumbent)
    if not 0.0 < rate < 1.0:
        raise ValueError("where nothing happens, or everything, there is no order")
    chance = Fixed(DRAWN)
    arms = [_Arm.of(candidate), _Arm.of(incumbent)]
    found = [0.0] * DIFFERENCE_BINS
    coupled: list[float] = []
    for number in range(DRAWN):
        common = min(MOST_OTHERS, max(size, _failures(size, p=min(rate, 1 - rate), chance=chance)))
        happened, others = (size, common) if rate <= 0.5 else (common, size)
        dids = binomial(happened, p=pi, chance=chance)
        nots = binomial(others, p=pi, chance=chance)
        gap = _gap(kind, arms, (dids, happened - dids), (nots, others - nots), chance=chance)
        if gap is not None:
            found[gap_bin(gap, chance=chance.random())] += 1.0
            if kind is not Kind.AUC and candidate != incumbent:
                kept = min(dids, happened - dids), min(nots, others - nots)
                first, second = (average_precision_of_counts(a.counts(*kept, chance=Fixed(number))) for a in arms)
                coupled.append((second or 0.0) - (first or 0.0))
    total = fsum(found)
    if not total:
        raise ValueError("no block has both kinds of both arms")
    values = tuple((k - DIFFERENCE_BINS // 2) / (DIFFERENCE_BINS // 2) for k in range(DIFFERENCE_BINS))
    mean = fsum(coupled) / len(coupled) if coupled else area(incumbent) - area(candidate)
    if candidate == incumbent:
        mean = 0.0
    return Orders(
        size=size,
        outcomes=size / min(rate, 1 - rate),
        comparable=total / DRAWN,
        gaps=tilted(tuple(n / total for n in found), values=values, mean=mean),
    )


def worth(kind: Kind, joint: Joint) -> float:
    """Return the area under the ROC curve, or the average precision, of a distribution of scores."""
    return area(joint) if kind is Kind.AUC else _precision(joint)


def area(joint: Joint) -> float:
    """Return the area under the ROC curve, ties half; 0.5 without both kinds."""
    found = auc_of_counts(joint)
    return 0.5 if found is None else found


def _precision(joint: Joint) -> float:
    return average_precision_of_counts(joint) or 0.0


def blurred(kind: Kind, joint: Joint, *, by: float) -> Joint:
    """Return the scores of a model that orders worse by so much: of a part of its answers the score tells nothing.

    Each of those has another answer's score, so how scores spread stays the same. Raises ValueError where even none that tells
    anything is not so much worse.
    """
    rates = (1.0 - _rate(joint), _rate(joint))
    score = [joint[2 * k] + joint[2 * k + 1] for k in range(len(joint) // 2)]
    wanted = worth(kind, joint) - by

    def mixed(part: float) -> Joint:
        return tuple((1 - part) * p + part * score[k // 2] * rates[k % 2] for k, p in enumerate(joint))

    least = worth(kind, mixed(1.0))
    if not wanted > least:
        raise ValueError(f"its value would be {wanted:.4g}, and scores that tell nothing have {least:.4g}")
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if worth(kind, mixed(middle)) > wanted else (low, middle)
    return mixed(low)


def shifted(joint: Joint, *, by: float) -> Joint:
    """Return the outcomes of a model that says too little: whatever the score, it happens more often by so much."""
    found: list[float] = []
    for k in range(len(joint) // 2):
        share = joint[2 * k] + joint[2 * k + 1]
        did = min(share, joint[2 * k + 1] + by * share)
        found += [share - did, did]
    return tuple(found)


@lru_cache(maxsize=8)
def usual_joint(edges: tuple[float, ...]) -> Joint:
    """Return the scores and outcomes of a calibrated model that nobody saw yet."""
    middle, spread = USUAL_LOGIT
    found = [0.0] * (2 * len(edges))
    for k in range(_GRID):
        z = _WIDEST * (2 * (k + 0.5) / _GRID - 1)
        p = 1 / (1 + exp(-(middle + spread * z)))
        weight = exp(-z * z / 2)
        place = next((n for n, edge in enumerate(edges) if p <= edge), len(edges) - 1)
        found[2 * place] += weight * (1 - p)
        found[2 * place + 1] += weight * p
    total = fsum(found)
    return tuple(each / total for each in found)


@dataclass(frozen=True, slots=True)
class _Arm:
    """How likely each score's bin is up to each, of what did not happen and of what did."""

    below: tuple[list[float], list[float]]

    @classmethod
    def of(cls, joint: Joint) -> "_Arm":
        return cls((list(accumulate(joint[0::2])), list(accumulate(joint[1::2]))))

    def counts(self, dids: int, nots: int, *, chance: Chance) -> list[int]:
        """Draw so many of each kind, as joint counts."""
        last = len(self.below[0]) - 1
        found = [0] * (2 * last + 2)
        for kind, n in ((0, nots), (1, dids)):
            below = self.below[kind]
            for _ in range(n):
                found[2 * min(last, bisect(below, chance.random() * below[-1])) + kind] += 1
        return found


def _gap(
    kind: Kind, arms: Sequence[_Arm], dids: tuple[int, int], nots: tuple[int, int], *, chance: Chance
) -> float | None:
    """Draw by how much the candidate orders its part of a block worse; None where one part cannot be ordered."""
    if not (all(dids) and all(nots)):
        return None
    if kind is Kind.AUC:
        parts = [arm.counts(d, n, chance=chance) for arm, d, n in zip(arms, dids, nots, strict=True)]
        first, second = (auc_of_counts(part) for part in parts)
    else:
        parts = [arm.counts(min(dids), min(nots), chance=chance) for arm in arms]
        first, second = (average_precision_of_counts(part) for part in parts)
    return None if first is None or second is None else second - first


def _failures(successes: int, *, p: float, chance: Chance) -> int:
    """Draw how many of the commoner kind come until there are so many of the rarer, which comes with probability p."""
    return sum(int(log(1.0 - chance.random()) / log1p(-p)) for _ in range(successes))


def _rate(joint: Joint) -> float:
    return fsum(joint[1::2]) / fsum(joint)
