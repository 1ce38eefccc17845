"""The port of the prediction log: what is kept of predictions and outcomes, and the questions that are asked of it.

Every answer is a function of the rows kept, so asking again gives the same, and a crash between any two acts loses nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from glideslope.domain.ids import MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.logged import AnswersRow, BlockRow, OutcomeRow, PairRow, PredictionRow, RequestRow
from glideslope.domain.metric import Metric
from glideslope.domain.pairs import PairRules
from glideslope.domain.traffic import Arm

Whose = tuple[str, int]
"""A source with its epoch."""

Members = Callable[[str], Sequence[SliceName]]
"""Returns the slices that a prediction belongs to, the whole first, from its fields as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Which outcomes for ids of callers' own count by now, and how they turned out.

    Of an id the first prediction that was received counts, and no other. Its outcome settles `settle` milliseconds after the
    first statement about it was received; of those received until then, the latest by its own time counts, of equal times
    the last received. It is due when it has settled and its prediction is known; what is due at `until` or later is left out.
    Of a subject's outcomes in a step the first due counts, and in a slice the first there, as those by receipt do; of
    equals in time the lower key. Who named no subject is told apart by request, or by id.
    """

    model: ModelName
    rollout: RolloutId
    until: int
    settle: int
    bins: Mapping[MetricName, Sequence[int]]
    """Per metric the bin of an outcome, at place 2 x score + happened."""
    members: Members


@dataclass(frozen=True, slots=True)
class Group:
    """So many outcomes alike, in each of these slices: `bins` per metric; empty where the answer gave no probability."""

    step: StepName
    arm: Arm
    slices: Sequence[SliceName]
    bins: Mapping[MetricName, int]
    count: int


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An id of which different things were said. `counted` tells what counts; `late` that a correction came too late to."""

    prediction: str
    statements: int
    counted: bool
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What came of a join."""

    groups: Sequence[Group]
    waiting: int
    """Ids of the model with an outcome and without a known prediction."""
    contradicted: int
    """Ids of the rollout of which different things were said."""
    late: int
    """Those among them whose last word, by its own time, came after they had settled, and differs from what counts."""
    contradictions: Sequence[Contradiction]
    """The first MOST_CONTRADICTIONS of them, by id."""


MOST_CONTRADICTIONS = 20


Valued = Callable[[Metric, Mapping[str, object]], float | None]
"""Returns what a plug-in makes of its inputs, None where that is nothing: the log calls it for no other formula."""


def no_plugins(_metric: Metric, _inputs: Mapping[str, object]) -> float | None:
    """Make nothing of any inputs."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recount:
    """Count a rollout again from its rows, by other code than the counters'."""

    model: ModelName
    rollout: RolloutId
    services: Mapping[Whose, int]
    """How many of its predictions of the rollout each source had counted; what it wrote beyond is left out."""
    gateways: Mapping[Whose, int]
    """The same of requests."""
    mark: int
    """The last row whose outcome is in the counters."""
    until: int
    settle: int
    """As in the join that is in the counters."""
    metrics: Sequence[Metric]
    members: Members
    tolerances: Mapping[MetricName, float] = field(default_factory=dict)
    thresholds: Mapping[MetricName, float] = field(default_factory=dict)
    """Beyond this a latency of the gateway, so divided, counts as soon as the request's age says so; else beyond its last edge."""
    ranked: Sequence[Metric] = ()
    """Rankings, whose blocks are compared again."""
    paired: Sequence[Metric] = ()
    """What pairs are judged by once the truth is known."""
    answers: Mapping[Whose, int] = field(default_factory=dict)
    """How many pairs of answers of the rollout each source had counted."""
    rules: PairRules | None = None
    """How answers are compared; None where that is not asked."""
    valued: Valued = no_plugins


@dataclass(frozen=True, slots=True, order=True)
class Recounted:
    """So many subjects of one bin."""

    step: StepName
    arm: Arm
    metric: MetricName
    slice: SliceName
    bin: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Ask of a rollout's subjects whether an outcome came within `within` milliseconds of their first answer in a step.

    All times are by the log's clock: when the first answer was received, and the first statement about any of the subject's
    predictions in the step. A subject is counted once its time is over before `until`, with the fields of its first answer.
    """

    model: ModelName
    rollout: RolloutId
    until: int
    within: int
    metric: MetricName
    members: Members


@dataclass(frozen=True, slots=True, kw_only=True)
class Recounts:
    """What came of a recount."""

    counts: Sequence[Recounted]
    missing: int
    """Rows that sources counted and the log does not hold."""
    unmatched: int
    """Outcomes that came with a receipt whose prediction the log does not hold; they were counted by the receipt's facts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """The subjects that one arm first answered within one hour of a step, and what their scores alone let expect of them."""

    step: StepName
    arm: Arm
    hour: int
    """When it began, in milliseconds since 1970, by the log's clock."""
    subjects: int
    labelled: int
    """Those with an outcome."""
    scored: int
    """Those whose answer gave a probability."""
    wrong: float
    log_loss: float
    brier: float
    """Sums of the losses to be expected if each probability is what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ripeness:
    """Of the subjects that one arm first answered in a step with the same sliced values, how many have their outcome."""

    step: StepName
    arm: Arm
    slices: str
    """As `canonical_slices` writes them."""
    subjects: int
    labelled: int


class PredictionLog(Protocol):
    """Keeps rows and answers questions about them. Every method may raise LogUnavailable."""

    async def write(
        self,
        *,
        predictions: Sequence[PredictionRow] = (),
        requests: Sequence[RequestRow] = (),
        outcomes: Sequence[OutcomeRow] = (),
        pairs: Sequence[PairRow] = (),
        answers: Sequence[AnswersRow] = (),
        blocks: Sequence[BlockRow] = (),
        now: int,
    ) -> None:
        """Keep rows; when this returns they outlive the process. `n` and `received` are set here, ascending.

        `now` is the wall clock in milliseconds; the log's own never runs back.
        """
        ...

    def mark(self) -> int:
        """Return the `n` of the last row that was written; rows that are being written have a higher one."""
        ...

    async def join(self, asked: Join) -> Joined:
        """Join late outcomes to predictions. Rows that are received afterwards never change what was due before `until`."""
        ...

    async def silence(self, asked: Silence) -> Sequence[Recounted]:
        """Count subjects in bin 0 where an outcome came in time, else in bin 1. What is received afterwards changes none."""
        ...

    async def recount(self, asked: Recount) -> Recounts:
        """Recompute a rollout's counts."""
        ...

    async def claims(self, model: ModelName, rollout: RolloutId) -> Mapping[str, str]:
        """Return all that pairs and blocks of a rollout claim: by key the cell in which it counts once."""
        ...

    async def cohorts(self, model: ModelName, rollout: RolloutId) -> Sequence[Cohort]:
        """Return a rollout's cohorts, oldest first."""
        ...

    async def ripeness(self, model: ModelName, rollout: RolloutId) -> Sequence[Ripeness]:
        """Return how many outcomes have come per step, arm and sliced values, in that order."""
        ...

    async def forget(self, *, before: int) -> int:
        """Drop what was received before a time, as far as whole files allow; return how many rows went."""
        ...
