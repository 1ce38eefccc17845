"""What is measured: metrics as definitions with frozen bins, and the cells in which their outcomes are counted."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple, Self

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.formula import Formula
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.traffic import Arm


class Kind(StrEnum):
    """How a metric's value is binned, and so which tests may judge it."""

    EVENT = "event"  # good (bin 0) or bad (bin 1)
    SCORE = "score"  # a bounded loss, in bins of equal width
    LATENCY = "latency"  # ordered bins of milliseconds; the candidate's are divided by its tolerance first
    COUNT = "count"  # how many times something happened, in ordered bins
    MEAN = "mean"  # a value between two bounds, on a grid that keeps its mean
    UNBOUNDED = (
        "unbounded-mean"  # a value without bounds, on a grid that grows; its interval is asymptotic, so it only advises
    )
    CALIBRATION = "calibration"  # the probability given and what happened, against each other
    AUC = "auc"  # how well scores tell what happens from what does not: the area under the ROC curve
    AVERAGE_PRECISION = "average-precision"  # the same, with the weight on the highest scores


RANKED: Final = frozenset({Kind.AUC, Kind.AVERAGE_PRECISION})
"""Judged by blocks of outcomes, in each of which both arms' orders are compared."""
_JOINT: Final = RANKED | {Kind.CALIBRATION}
"""Counted by the score's bin and what happened."""
_POINTS: Final = frozenset({Kind.MEAN, Kind.UNBOUNDED})
"""Counted on the points of a grid."""
SPENDS_NO_ALPHA: Final = frozenset({Kind.UNBOUNDED, Kind.CALIBRATION})
"""Never a reason to roll back or to advance: an unbounded mean advises, a calibration pauses."""


class Better(StrEnum):
    """In which direction a value improves."""

    LOWER = "lower"
    HIGHER = "higher"


class Origin(StrEnum):
    """Who counts it."""

    GATEWAY = "gateway"  # the data plane, from status and time
    SERVICE = "service"  # the model server, through the sdk's observe()
    OUTCOME = "outcome"  # us, when the truth about a prediction arrives


class Loss(StrEnum):
    """How a prediction and its outcome become one number."""

    LOG = "log-loss"  # -ln of the probability given to what happened
    BRIER = "brier"  # squared distance of the probability from what happened
    WRONG = "wrong"  # 1 when the likelier class did not happen


class Metric(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """A quantity's definition. `edges` are upper bin edges, ascending; the last bin is open unless `cap` closes it.

    Of a mean they are the points of its grid, and of what is counted jointly with the outcome the score's upper bin edges.
    Units: seconds never, milliseconds for latency, the loss's own unit for scores.
    """

    name: MetricName
    kind: Kind
    origin: Origin
    edges: tuple[float, ...] = ()
    loss: Loss | None = None
    better: Better | msgspec.UnsetType = msgspec.UNSET
    """Of a mean, when more of it is better."""
    of: MetricName | msgspec.UnsetType = msgspec.UNSET
    """Whose values it counts, when they are not its own: `latency_p99` counts what is measured as `latency`."""
    formula: Formula | msgspec.UnsetType = msgspec.UNSET
    """Of a metric of the plan's own: what gives its value, where that is not what a service says it is."""
    paired: bool | msgspec.UnsetType = msgspec.UNSET
    """Of a formula: whether a shadow's answers are compared by it. Absent in plans of older releases, whose are not."""
    within: int | msgspec.UnsetType = msgspec.UNSET
    """Of an event that is the silence of an outcome: bad where none came within so many milliseconds of the answer."""

    @property
    def bins(self) -> int:
        """Return how many bins an outcome may fall into."""
        if self.kind is Kind.EVENT:
            return 2
        if self.kind in _JOINT:
            return 2 * len(self.edges)
        return len(self.edges) + (self.kind is Kind.LATENCY or self.kind is Kind.COUNT)

    @property
    def values(self) -> tuple[float, ...]:
        """Return what each bin costs: the middle of a score's bin, 0 and 1 for an event, a mean's points (negated if more is better).

        A bin of counts stands for the middle of its whole numbers, the last one for the least of them.
        """
        match self.kind:
            case Kind.EVENT:
                return (0.0, 1.0)
            case Kind.MEAN | Kind.UNBOUNDED:
                return tuple(self.sign * point for point in self.edges)
            case Kind.COUNT:
                lows = (0.0, *(edge + 1 for edge in self.edges))
                return tuple((low + high) / 2 for low, high in zip(lows, (*self.edges, lows[-1]), strict=True))
            case _:
                return tuple((low + high) / 2 for low, high in pairwise((0.0, *self.edges)))

    @property
    def is_of_outcomes(self) -> bool:
        """Tell whether a prediction's score and what happened decide its bin, and nothing else."""
        return self.origin is Origin.OUTCOME and self.formula is msgspec.UNSET and self.within is msgspec.UNSET

    @property
    def is_joint(self) -> bool:
        """Tell whether it is counted by the score's bin and what happened together."""
        return self.kind in _JOINT

    @property
    def sign(self) -> int:
        """Return -1 where more is better, else 1: what turns a value into a loss, and a loss back into a value."""
        return -1 if self.better is Better.HIGHER else 1

    @property
    def measured(self) -> MetricName:
        """Return the name under which its values are recorded."""
        return self.name if self.of is msgspec.UNSET else self.of

    @property
    def is_dithered(self) -> bool:
        """Tell whether a value falls on one of two points by chance, so that the mean stays what it is."""
        return self.kind in _POINTS

    def bin(self, value: float, *, chance: float = 0.5) -> int:
        """Return the bin of a value; beyond the last edge is the last bin. Raises Invalid for NaN or infinity.

        A mean's value lies between two points of its grid. It counts at the upper one where `chance`, from 0 up to 1, is
        below its distance from the lower one: if chance is uniform, the mean of what is counted is the value's own.
        """
        if not math.isfinite(value):
            raise Invalid(f"{self.name}: {value} is not a number that can be counted.")
        if self.kind is Kind.EVENT:
            return 1 if value > 0 else 0
        if self.kind in _POINTS:
            return self._point(value, chance=chance)
        return min(bisect_left(self.edges, value), self.bins - 1)

    def _point(self, value: float, *, chance: float) -> int:
        last = len(self.edges) - 1
        below = bisect_right(self.edges, value) - 1
        if below < 0 or below >= last:
            return max(0, min(below, last))
        low, high = self.edges[below], self.edges[below + 1]
        return below + (chance < (value - low) / (high - low))

    def joint_bin(self, *, probability: float, happened: bool) -> int:
        """Return the bin of a score and what happened: two to each bin of the score. Raises Invalid for no probability."""
        if not 0.0 <= probability <= 1.0:
            raise Invalid(f"{probability} is not a probability.")
        return 2 * min(bisect_left(self.edges, probability), len(self.edges) - 1) + happened


SCORE_BINS: Final = 32
LOG_LOSS_CAP: Final = 2.5
LATENCY_EDGES: Final = tuple(round(1.25**k, 3) for k in range(-4, 36))
"""0.4 ms to 2.5 s in steps of a quarter: fine enough for any incumbent, frozen for all."""


def equal_edges(cap: float) -> tuple[float, ...]:
    """Return SCORE_BINS bins of equal width from 0 to a cap."""
    return tuple(cap * (k + 1) / SCORE_BINS for k in range(SCORE_BINS))


ERRORS: Final = Metric(name=MetricName("errors"), kind=Kind.EVENT, origin=Origin.GATEWAY)
LATENCY: Final = Metric(name=MetricName("latency"), kind=Kind.LATENCY, origin=Origin.GATEWAY, edges=LATENCY_EDGES)
LOG_LOSS: Final = Metric(
    name=MetricName("log_loss"),
    kind=Kind.SCORE,
    origin=Origin.OUTCOME,
    edges=equal_edges(LOG_LOSS_CAP),
    loss=Loss.LOG,
)
BRIER: Final = Metric(
    name=MetricName("brier"),
    kind=Kind.SCORE,
    origin=Origin.OUTCOME,
    edges=equal_edges(1.0),
    loss=Loss.BRIER,
)
WRONG: Final = Metric(name=MetricName("wrong"), kind=Kind.EVENT, origin=Origin.OUTCOME, loss=Loss.WRONG)
PROBABILITY_EDGES: Final = tuple(k / 40 for k in range(1, 41))
"""Bins of a score that are narrow enough to see a miscalibration of some hundredths."""
CALIBRATION: Final = Metric(
    name=MetricName("calibration"), kind=Kind.CALIBRATION, origin=Origin.OUTCOME, edges=PROBABILITY_EDGES
)
AUC: Final = Metric(name=MetricName("auc"), kind=Kind.AUC, origin=Origin.OUTCOME, edges=PROBABILITY_EDGES)
AVERAGE_PRECISION: Final = Metric(
    name=MetricName("average_precision"),
    kind=Kind.AVERAGE_PRECISION,
    origin=Origin.OUTCOME,
    edges=PROBABILITY_EDGES,
)
COUNT_EDGES: Final = (0.0, 1.0, 2.0, 4.0, 8.0)
"""0, 1, 2, 3 to 4, 5 to 8, 9 and more."""

CONTRACT: Final = Metric(name=MetricName("contract"), kind=Kind.EVENT, origin=Origin.SERVICE)
"""Bad when a row of features breaks the model's data contract."""

BUILT_IN: Final = {
    m.name: m for m in (ERRORS, LATENCY, LOG_LOSS, BRIER, WRONG, CALIBRATION, AUC, AVERAGE_PRECISION, CONTRACT)
}
BASELINE: Final = {m.name: m for m in (ERRORS, LATENCY)}
"""What the gateway counts of the incumbent's ordinary traffic."""
EXPOSURE: Final = MetricName("exposure")
"""Counted by the gateway, one bin: subjects really served. Not a metric of quality; it checks the coin."""
OUTCOME_SEEN: Final = MetricName("outcome")
"""Counted beside the losses: subjects of a step whose outcome has arrived."""
RESCUED: Final = MetricName("rescued")
"""Requests that the assigned candidate failed and the incumbent answered."""
LOGGED: Final = MetricName("logged")
"""Counted by a source beside everything else: rows that it wrote for the prediction log, so that no more are recounted."""


RESERVED: Final = frozenset(
    {
        *BUILT_IN,
        EXPOSURE,
        OUTCOME_SEEN,
        RESCUED,
        LOGGED,
        "score",
        "slices",
        "prediction",
        "answer",
        "attributes",
        "features",
        "value",
    }
)
"""Names that a plan cannot give to a metric of its own: we count under them, or `record()` takes something else by them."""


POINTS: Final = 33
"""Of a mean's grid, unless the plan says which."""
_GROWTH: Final = 1.25
_REACH: Final = 1e8


def equal_points(floor: float, cap: float) -> tuple[float, ...]:
    """Return POINTS points at equal distances from a floor to a cap."""
    last = POINTS - 1
    return tuple((floor * (last - k) + cap * k) / last for k in range(POINTS))


def growing_points(unit: float) -> tuple[float, ...]:
    """Return 0, and in both directions points that grow by a quarter from a unit to a hundred million of it."""
    count = math.ceil(math.log(_REACH) / math.log(_GROWTH))
    up = tuple(unit * _GROWTH**k for k in range(count + 1))
    return (*(-point for point in reversed(up)), 0.0, *up)


def outcome_bin(metric: Metric, *, probability: float, happened: bool) -> int:
    """Return the bin in which a metric counts a prediction and its outcome. Raises Invalid for one that judges none."""
    if metric.kind in _JOINT:
        return metric.joint_bin(probability=probability, happened=happened)
    return loss_bin(metric, probability=probability, happened=happened)


def loss_of(loss: Loss, *, probability: float, happened: bool) -> float:
    """Return the loss of one prediction (unit of the loss). The probability is of the thing happening, in [0, 1].

    Raises Invalid for any other, NaN too.
    """
    if not 0.0 <= probability <= 1.0:
        raise Invalid(f"{probability} is not a probability.")
    p = probability if happened else 1.0 - probability
    match loss:
        case Loss.LOG:
            return math.inf if p <= 0 else -math.log(p)
        case Loss.BRIER:
            return (1.0 - p) ** 2
        case Loss.WRONG:
            return float(p < 0.5)


def loss_bin(metric: Metric, *, probability: float, happened: bool) -> int:
    """Return the bin of a prediction's loss; what exceeds the cap is the last bin. Raises Invalid without a loss."""
    if metric.loss is None:
        raise Invalid(f"{metric.name} does not judge predictions by their outcomes.")
    return metric.bin(min(loss_of(metric.loss, probability=probability, happened=happened), 1e9))


def block_size(*, candidate: int, control: int) -> int:
    """Return how many outcomes of each kind, happened and not, a block of a ranking has at least, given the arms' weights.

    Some four of the smaller arm, so that both arms can be ordered: in larger blocks fewer bets are made than could be.
    """
    return min(32, max(8, -(-4 * (candidate + control) // max(1, min(candidate, control)))))


DIFFERENCE_BINS: Final = 41
"""Odd, so that no difference has a bin of its own."""


PAIR_PREFIX: Final = "pair."
"""A pair's cell names its metric with this before it, and the candidate as its arm."""


def pair_metric(metric: MetricName) -> MetricName:
    """Return the name under which a metric's pairs are counted."""
    return MetricName(f"{PAIR_PREFIX}{metric}")


def differences(metric: Metric) -> tuple[float, ...]:
    """Return the candidate's loss minus the incumbent's for each bin of a pair.

    For an event the bins are: both good, candidate alone bad, incumbent alone bad, both bad. Of a ranking it is by how much
    the candidate's order of a block is worse.
    """
    if metric.kind is Kind.EVENT:
        return (0.0, 1.0, -1.0, 0.0)
    cap = metric.edges[-1] - (metric.edges[0] if metric.kind is Kind.MEAN else 0.0)
    middle = DIFFERENCE_BINS // 2
    return tuple(cap * (k - middle) / middle for k in range(DIFFERENCE_BINS))


def pair_bin(metric: Metric, *, candidate: float, incumbent: float, chance: float = 0.5) -> int:
    """Return the bin of a pair of losses, or of a mean's values, on the same request. Raises Invalid for NaN.

    What lies beyond a cap or below a floor counts as lying there. Of a mean the difference falls on one of two points, so that its
    mean is kept if `chance` is uniform from 0 to 1.
    """
    if math.isnan(candidate) or math.isnan(incumbent):
        raise Invalid(f"{metric.name}: a pair's loss is not a number.")
    if metric.kind is Kind.EVENT:
        return (candidate > 0) + 2 * (incumbent > 0)
    cap = metric.edges[-1]
    middle = DIFFERENCE_BINS // 2
    if metric.kind is Kind.MEAN:
        floor = metric.edges[0]
        at = middle + middle * metric.sign * (_held(candidate, floor, cap) - _held(incumbent, floor, cap)) / (
            cap - floor
        )
        return min(math.floor(at) + (chance < at - math.floor(at)), 2 * middle)
    difference = _held(candidate, 0.0, cap) - _held(incumbent, 0.0, cap)
    steps = round(abs(difference) / cap * middle)
    # Rounded by size, so that exchanging the arms mirrors the bin: a tie may favour neither.
    return middle + steps if difference > 0 else middle - steps


def _held(value: float, floor: float, cap: float) -> float:
    return max(floor, min(value, cap))


def gap_bin(gap: float, *, chance: float) -> int:
    """Return the bin of a block's difference of orders, from -1 to 1. Its mean is kept if `chance` is uniform from 0 to 1."""
    middle = DIFFERENCE_BINS // 2
    at = (gap + 1.0) * middle
    below = min(max(math.floor(at), 0), 2 * middle)
    return min(below + (chance < at - below), 2 * middle)


class Dimension(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """A field by which the data is sliced, with the values that are looked at; any other value is in no slice."""

    field: str
    values: tuple[str, ...]

    def slices(self) -> tuple[SliceName, ...]:
        """Return `field=value` for each value."""
        return tuple(SliceName(f"{self.field}={value}") for value in self.values)


Cross = tuple[str, str]
"""Two fields whose values are also looked at together."""


def slice_names(dimensions: Sequence[Dimension], crosses: Sequence[Cross] = ()) -> tuple[SliceName, ...]:
    """Return every slice of every dimension, in their order, and then of every cross: `region=EU & tier=gold`."""
    single = tuple(name for dimension in dimensions for name in dimension.slices())
    parts = {dimension.field: dimension.slices() for dimension in dimensions}
    return single + tuple(crossed(a, b) for first, second in crosses for a in parts[first] for b in parts[second])


def crossed(first: SliceName, second: SliceName) -> SliceName:
    """Return the name of what is in both slices. No value holds an equals sign, so it is no single slice's name."""
    return SliceName(f"{first} & {second}")


def slices_of(dimensions: Sequence[Dimension], crosses: Sequence[Cross], places: Sequence[int]) -> list[SliceName]:
    """Return the slices of a request, given per dimension the index of its value; any other index is in none."""
    named = {
        dimension.field: SliceName(f"{dimension.field}={dimension.values[index]}")
        for dimension, index in zip(dimensions, places, strict=False)
        if index < len(dimension.values)
    }
    both = [crossed(named[a], named[b]) for a, b in crosses if a in named and b in named]
    return [*named.values(), *both]


NO_STEP: Final = StepName("-")
"""Stands for the step of what is counted outside any."""


def baseline_scope(model: ModelName) -> RolloutId:
    """Return what stands for the rollout where a model's ordinary traffic is counted."""
    return RolloutId(f"base.{model}")


class Cell(NamedTuple):
    """Where one outcome is counted. As text: `rollout/step/arm/metric/slice/bin`."""

    rollout: RolloutId
    step: StepName
    arm: Arm
    metric: MetricName
    slice: SliceName
    bin: int

    def key(self) -> str:
        """Write it; no part may contain a slash."""
        return "/".join((self.rollout, self.step, self.arm.value, self.metric, self.slice, str(self.bin)))

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read it back. Raises Invalid."""
        try:
            rollout, step, arm, metric, slice_, bin_ = key.split("/")
            cell = cls(
                RolloutId(rollout),
                StepName(step),
                Arm(arm),
                MetricName(metric),
                SliceName(slice_),
                int(bin_),
            )
        except ValueError as error:
            raise Invalid(f"{key!r} names no cell: expected rollout/step/arm/metric/slice/bin.") from error
        if cell.bin < 0 or cell.key() != key:
            # One cell, one key: 01 and 1 would be counted side by side.
            raise Invalid(f"{key!r} names no cell: {bin_} is not a bin.")
        return cell


def logged_cell(rollout: RolloutId) -> Cell:
    """Return where a source counts the rows that it wrote about a rollout for the prediction log."""
    return Cell(rollout, NO_STEP, Arm.INCUMBENT, LOGGED, WHOLE, 0)


def answers_cell(rollout: RolloutId) -> Cell:
    """Return where a server counts the pairs of answers that it wrote there."""
    return Cell(rollout, NO_STEP, Arm.CANDIDATE, LOGGED, WHOLE, 0)
