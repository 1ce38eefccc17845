"""What two answers to one request say about each other before anybody knows the truth: what is compared, binned and limited.

Both arms answer the same request in the shadow stage. Whether they agree needs no outcome, so it is known at once.
"""

import math
from bisect import bisect_left
from enum import StrEnum
from typing import Annotated, Final

import msgspec

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm

PAIRS: Final = "pairs"
"""The kind of source under which the freshness of pairs stands in evidence."""


class PairKind(StrEnum):
    """What is compared."""

    DISAGREEMENT = "disagreement"  # the arms decide differently: another class, or another side of the threshold
    SHIFT = "shift"  # the candidate's score minus the incumbent's
    SLOWER = "slower"  # the candidate's time over the incumbent's
    SKEW = "skew"  # the arms answered from different features


class PairLimit(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """How differently the arms may answer. A broken limit rolls back; a required one is proven before anybody is exposed."""

    kind: PairKind
    limit: float
    """Of disagreement and skew the share of requests; of a shift the mean difference, either way; of slower the part by
    which the candidate may take longer on half of the requests."""
    weight: int = 1
    """Share of alpha, in proportion to the guardrails' weights and the other limits'."""
    required: bool = True


class PairRules(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """How pairs are compared, and what is asked of them."""

    threshold: float = 0.5
    """A score at or above this is a yes."""
    limits: tuple[PairLimit, ...] = ()


NO_RULES: Final = PairRules()
"""Of a plan that asks nothing of its pairs: they are compared for people."""

LONGEST_TEXT: Final = 100
"""Characters of a class, of a request's id, and of an attribute's name and value."""
MOST_ATTRIBUTES: Final = 20

_Text = Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)]


class Half(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One arm's answer to one request; as JSON a list. What is not known has its default."""

    request: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
    """`request_hash` of the request's id."""
    score: Annotated[int, msgspec.Meta(ge=-1, le=SCORE_LEVELS)] = -1
    """Probability x SCORE_LEVELS, rounded."""
    answer: _Text = ""
    """The class that was answered, where an answer is one of several."""
    microseconds: Annotated[int, msgspec.Meta(ge=-1, lt=1 << 53)] = -1
    """From the request's arrival in the service to its answer."""
    features: Annotated[int, msgspec.Meta(ge=0, lt=1 << 53)] = 0
    """Digest of the features that the model read."""
    subject: Annotated[int, msgspec.Meta(ge=0, lt=1 << 48)] = 0
    """`subject_hash`; 0 when the caller named none."""
    slices: Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, le=255)], ...], msgspec.Meta(max_length=3)] = ()
    """As in a receipt: per dimension the index of the value."""
    id: _Text = ""
    """The request's id, for people."""
    attributes: Annotated[dict[_Text, _Text], msgspec.Meta(max_length=MOST_ATTRIBUTES)] = {}
    """What the service's contract lets out of the request."""


class Halves(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers of one arm to requests that the other arm answers too, in the shadow stage of a rollout."""

    model: ModelName
    rollout: RolloutId
    arm: Arm
    halves: tuple[Half, ...]


SHIFT_STEPS: Final = 30
SHIFTS: Final = tuple(math.copysign((k / SHIFT_STEPS) ** 2, k) for k in range(-SHIFT_STEPS, SHIFT_STEPS + 1))
"""Differences of scores, finest around none at all: 0.001 there, 0.07 at the ends. More bins would cost each first look more."""
RATIO_EDGES: Final[tuple[float, ...]] = tuple(2.0 ** (k / 4) for k in range(-8, 9))
"""Ratios of times from a quarter to four times, in steps of a fifth; exactly 1 is an edge, and what is beyond has a bin too."""

_DECIDES: Final = (0.0, 1.0, 1.0, 1.0)
"""Agree; the candidate alone says yes; the incumbent alone; other classes."""
_SLOW: Final = tuple(float(k > RATIO_EDGES.index(1.0)) for k in range(len(RATIO_EDGES) + 1))


ANSWERS_PREFIX: Final = "answers."
"""Stands before what two answers say about each other, where it is counted like a metric."""


def answers_metric(kind: PairKind) -> MetricName:
    """Return the name under which it is counted how answers compare."""
    return MetricName(f"{ANSWERS_PREFIX}{kind.value}")


def pair_values(kind: PairKind) -> tuple[float, ...]:
    """Return what each bin counts for: 1 for a disagreement, a slower answer or other features; a shift for its size."""
    match kind:
        case PairKind.DISAGREEMENT:
            return _DECIDES
        case PairKind.SHIFT:
            return SHIFTS
        case PairKind.SLOWER:
            return _SLOW
        case PairKind.SKEW:
            return (0.0, 1.0)


def compared(rules: PairRules, *, candidate: Half, incumbent: Half) -> dict[PairKind, int]:
    """Return the bin of everything that can be compared in two answers to one request; what one lacks is left out."""
    found: dict[PairKind, int] = {}
    both_scores = candidate.score >= 0 and incumbent.score >= 0
    if candidate.answer and incumbent.answer:
        found[PairKind.DISAGREEMENT] = 0 if candidate.answer == incumbent.answer else 3
    elif both_scores:
        yes, was = (half.score >= rules.threshold * SCORE_LEVELS for half in (candidate, incumbent))
        found[PairKind.DISAGREEMENT] = 0 if yes == was else 1 if yes else 2
    if both_scores:
        found[PairKind.SHIFT] = _shift_bin(candidate.score - incumbent.score)
    if candidate.microseconds >= 0 and incumbent.microseconds >= 0:
        # One microsecond more for both: what took no time can be divided by, and the order stays.
        tolerated = (incumbent.microseconds + 1) * (1 + tolerance(rules))
        found[PairKind.SLOWER] = bisect_left(RATIO_EDGES, (candidate.microseconds + 1) / tolerated)
    if candidate.features and incumbent.features:
        found[PairKind.SKEW] = int(candidate.features != incumbent.features)
    return found


def tolerance(rules: PairRules) -> float:
    """Return the part by which a candidate may take longer; 0 where that is not limited."""
    return next((limit.limit for limit in rules.limits if limit.kind is PairKind.SLOWER), 0.0)


def _shift_bin(levels: int) -> int:
    """Return the bin nearest in value; by size first, so that exchanging the arms mirrors it."""
    size = abs(levels) / SCORE_LEVELS
    below = int(math.sqrt(size) * SHIFT_STEPS)
    if below < SHIFT_STEPS and size - (below / SHIFT_STEPS) ** 2 > ((below + 1) / SHIFT_STEPS) ** 2 - size:
        below += 1
    return SHIFT_STEPS + (below if levels > 0 else -below)


def check_rules(rules: PairRules, *, guardrails: tuple[MetricName, ...], shadowed: bool) -> None:
    """Refuse limits that no test can hold. Raises PlanInvalid."""
    if not shadowed:
        raise PlanInvalid("Only a shadow stage makes pairs, and the plan has none.", where="pairs")
    if not 0.0 < rules.threshold < 1.0:
        raise PlanInvalid(f"The threshold is {rules.threshold:g}; expected a number between 0 and 1.", where="pairs")
    kinds = [limit.kind for limit in rules.limits]
    for limit in rules.limits:
        most = math.inf if limit.kind is PairKind.SLOWER else 1.0
        if not (math.isfinite(limit.limit) and 0.0 < limit.limit < most):
            raise PlanInvalid(
                f"{limit.kind.value} is limited to {limit.limit:g}; expected more than 0"
                f"{'' if math.isinf(most) else ' and less than 1'}.",
                where="pairs",
            )
        if limit.weight < 1 or kinds.count(limit.kind) > 1:
            raise PlanInvalid(f"{limit.kind.value} needs one limit, with a weight of at least 1.", where="pairs")
        if limit.kind.value in guardrails:
            raise PlanInvalid(
                f"{limit.kind.value} is limited in pairs, so no guardrail can have that name.", where="pairs"
            )
