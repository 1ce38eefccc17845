"""What the prediction log keeps: predictions, requests, outcomes, and what met whom in pairs and blocks, each as one flat row.

The fields are the log's columns, in Parquet and in its journal alike (`docs/reference/prediction-log.md`).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from glideslope.domain.ids import Actor, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.metric import Dimension
from glideslope.domain.traffic import Arm

NO_SCORE: Final = -1
"""Stands for the score of an answer that gave no probability."""

SETTLE: Final = 60_000
"""Milliseconds for which an outcome for an id of the caller's own may be corrected before it is counted."""

LONGEST_ID: Final = 200
"""Characters of a caller's own prediction id."""
MOST_FIELDS: Final = 64
"""Metrics, slices and attributes of one prediction, each."""
LONGEST_TEXT: Final = 200
"""Characters of an attribute's value."""

TOSS: Final = "toss."
"""Stands before the name of a mean, among a prediction's metrics, for the toss that puts its value on one of two points."""

SUBJECT_BITS: Final = (1 << 63) - 1
"""A subject is known to the log by so many bits of its hash; the lowest 48 are those in a receipt."""
RECEIPT_BITS: Final = (1 << 48) - 1


class Prediction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One answer of a service, as it tells the log. `at` in milliseconds since 1970, by the service's clock."""

    prediction: str
    """The receipt, or an id of the caller's own."""
    at: int
    number: int
    """Counts this source's predictions of this rollout from 1: what is sent twice is kept as one."""
    rollout: RolloutId = RolloutId("")
    step: StepName = StepName("")
    arm: Arm = Arm.INCUMBENT
    request: int = 0
    """40-bit hash of the request's id; 0 when there was none."""
    subject: int = 0
    """63-bit hash of the subject; 0 when the caller named none."""
    slices: Mapping[str, str] = {}
    """The request's fields that the plan looks at."""
    score: int = NO_SCORE
    """Probability x SCORE_LEVELS, rounded."""
    metrics: Mapping[str, float] = {}
    """What was observed with the answer, by the metric's name."""
    attributes: Mapping[str, str] = {}
    """Only those that the plan calls loggable."""


class Predictions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of a source; any order, repeats welcome."""

    source: str
    epoch: int
    model: ModelName
    predictions: tuple[Prediction, ...]


class PredictionRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction that was not kept, and why. Nothing else in its batch suffers."""

    prediction: str
    code: str
    why: str


class PredictionsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    kept: int
    refused: tuple[PredictionRefusal, ...] = ()
    """The first of them; `kept` is exact."""


class PredictionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A prediction as it is kept. `received` and `n` are the log's: its clock, which never runs back, and its order."""

    n: int = 0
    received: int = 0
    model: ModelName
    source: str
    epoch: int
    number: int
    prediction: str
    key: int
    """64 bits of BLAKE2b over model and id: what joins."""
    at: int
    rollout: RolloutId
    step: StepName
    arm: Arm
    request: int
    subject: int
    slices: str
    """JSON, keys in order."""
    score: int
    metrics: Mapping[str, float]
    attributes: Mapping[str, str]


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A measured request as the gateway saw it, attributed to the arm that was assigned."""

    n: int = 0
    received: int = 0
    model: ModelName
    source: str
    epoch: int
    number: int
    rollout: RolloutId
    step: StepName
    arm: Arm
    subject: int
    status: int
    latency_us: int
    rescued: bool
    stream: int = 0
    """Hash of what tells a request apart that names no subject; 0 where that is not known."""
    in_flight: bool = False
    """It had not ended: `latency_us` is its age, by which it was counted as late."""


class OutcomeRow(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about how a prediction turned out.

    With `counted`, it came with its receipt and entered the counters in the order of `n`, with the receipt's facts beside it.
    Without, it is about an id of the caller's own, and counts when its prediction is known and it has settled.
    """

    n: int = 0
    received: int = 0
    model: ModelName
    prediction: str
    key: int
    at: int
    """When the truth was known, by the teller's clock, in milliseconds; 0 when not said. The latest correction wins by it."""
    happened: bool | None
    """None where only what formulas read was told."""
    by: Actor
    counted: bool
    rollout: RolloutId = RolloutId("")
    step: StepName = StepName("")
    arm: Arm = Arm.INCUMBENT
    unit: int = 0
    """What counts once per step: the subject's 48 bits, or minus one minus the request's 40."""
    slices: str = "{}"
    score: int = NO_SCORE
    facts: str = "{}"
    """JSON: of what came with it, that which the plan's formulas read."""
    chances: Mapping[str, float] = {}
    """By metric the toss, 0 up to 1, that puts the value of a mean on one of two points."""


class PairRow(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms' answers to one request of the shadow stage, with the truth about it; the rows are in the order of counting."""

    n: int = 0
    received: int = 0
    model: ModelName
    rollout: RolloutId
    step: StepName
    unit: int
    """Whose pair it is, as in `OutcomeRow`; of a subject the first counts."""
    slices: str
    candidate: int
    """Probability x SCORE_LEVELS, rounded."""
    incumbent: int
    happened: bool | None
    facts: str = "{}"
    chances: Mapping[str, float] = {}
    claims: Mapping[str, str] = {}
    """By key the cell in which it counts once, so that what was logged and not counted when a server died is counted later."""


class AnswersRow(msgspec.Struct, frozen=True, kw_only=True):
    """Both arms' answers to one request of the shadow stage, before anybody knows the truth; counted by the source as requests are."""

    n: int = 0
    received: int = 0
    model: ModelName
    source: str
    epoch: int
    number: int
    rollout: RolloutId
    step: StepName
    unit: int
    slices: str
    candidate_score: int
    incumbent_score: int
    candidate_answer: int
    """64 bits of a hash of the class; 0 where none was named."""
    incumbent_answer: int
    candidate_us: int
    """Microseconds until the answer; -1 where not known."""
    incumbent_us: int
    candidate_features: int
    """Digest of what the model read; 0 where not known."""
    incumbent_features: int


class BlockRow(msgspec.Struct, frozen=True, kw_only=True):
    """Which outcomes stood together when a ranking compared the arms' orders, in the order that chance made."""

    n: int = 0
    received: int = 0
    model: ModelName
    rollout: RolloutId
    step: StepName
    slice: SliceName
    units: tuple[int, ...]
    """Of each outcome whose it is, as in `OutcomeRow`."""
    chances: Mapping[str, float]
    claims: Mapping[str, str]
    """As in `PairRow`."""


def canonical_slices(fields: Mapping[str, str], dimensions: tuple[Dimension, ...] | None = None) -> str:
    """Return fields as JSON with its keys in order; of those that are looked at, if `dimensions` says which."""
    looked_at = None if dimensions is None else {d.field: frozenset(d.values) for d in dimensions}
    kept = {
        name: value
        for name, value in sorted(fields.items())
        if looked_at is None or value in looked_at.get(name, frozenset())
    }
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def named_slices(dimensions: Sequence[Dimension], indices: Sequence[int]) -> str:
    """Return the fields of a receipt as JSON, of which it has the numbers of the values."""
    named = zip(dimensions, indices, strict=False)
    return canonical_slices({d.field: d.values[index] for d, index in named if index < len(d.values)})


def read_slices(text: str) -> Mapping[str, str]:
    """Read them back."""
    found: dict[str, str] = json.loads(text)
    return found
