"""What services and the server tell each other about traffic: small messages that may be lost, doubled or late."""

from collections.abc import Mapping
from typing import Final

import msgspec

from glideslope.domain.ids import Digest, MetricName, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.metric import Cross, Dimension, Metric
from glideslope.domain.traffic import Arm


class Totals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source's grow-only counts since its epoch began; sending them twice, late or out of order changes nothing."""

    source: str
    epoch: int
    """Larger for each start of the source, for instance milliseconds since 1970 when it started."""
    model: ModelName
    counts: Mapping[str, int]
    """`Cell.key()` to count. Only what changed needs to be sent; what is absent keeps its last total."""
    dropped: int = 0
    """How many observations the source could not count (its buffer was full)."""
    version: VersionName = VersionName("")
    digest: Digest = Digest("")
    """What the service says it serves; a digest that differs from the registered one halts the rollout."""
    sequence: int = 0
    """The message's number within the epoch, from 1, in the order in which it was counted; 0 when the source numbers none.

    By it a total that shrinks is told from a message that comes late.
    """
    usage: Mapping[str, float] | msgspec.UnsetType = msgspec.UNSET
    """What the process uses (`sdk.resources.Meter.read`): shown to people, read by no decision."""
    unlisted: Mapping[str, Mapping[str, str]] | msgspec.UnsetType = msgspec.UNSET
    """By field and number, a value that the plan does not list: to name what a search finds. Only fields whose contract is open."""


class CellRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """A count that was not taken, and why. Nothing else in its message suffers."""

    cell: str
    code: str
    why: str


class TotalsTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a source's message."""

    taken: int
    refused: int
    refusals: tuple[CellRefusal, ...] = ()
    """The first MOST_REFUSALS of them."""


MOST_REFUSALS: Final = 100


class FeatureTally(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows of features in one place: a UTC day, or one step of a rollout with each subject's first row only."""

    where: str
    """`d20416`, days since 1970, or `r-0001/s2`."""
    arm: Arm
    rows: tuple[int, int, int]
    """Rows that keep the contract, that break it, and, among both, those with a field that it does not know."""
    counts: tuple[int, ...]
    """Per feature, in the contract's order, its places one after the other."""
    sums: tuple[int, ...] = ()
    """The same places: the scores of their rows, added up in SCORE_LEVELS per 1. Empty where no row had a score."""
    levels: tuple[int, ...] = ()
    """Rows by score, in LEVELS equal bins from 0 to 1."""


class FeatureTotals(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One source's grow-only counts of feature values since its epoch began; sent again as often as one likes."""

    source: str
    epoch: int
    model: ModelName
    contract: str
    """The `short` of the contract by which was counted."""
    tallies: tuple[FeatureTally, ...]


class FeaturesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them."""

    taken: int
    refused: int
    why: str = ""
    """Of the first that was refused."""


class ShadowAnswers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the shadowed candidate would have answered, to be paired with the incumbent's answers to the same requests."""

    model: ModelName
    rollout: RolloutId
    answers: tuple[tuple[int, int], ...]
    """(`request_hash`, score of 0 to SCORE_LEVELS) each."""


Fact = float | bool | str

MOST_ATTRIBUTES: Final = 32
"""Of one outcome."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth about one prediction, whenever it comes; at least one of what can be told."""

    prediction: str
    """The id that came with the answer: a signed receipt, or with `model` an id of the caller's own."""
    happened: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether what was predicted came true."""
    outcome: Fact | msgspec.UnsetType = msgspec.UNSET
    """The truth itself, where it is more than a yes or no: a class or a number."""
    attributes: Mapping[str, Fact] | msgspec.UnsetType = msgspec.UNSET
    """What else is known by now and the plan's metrics may ask for: an amount, a complaint."""
    model: ModelName | msgspec.UnsetType = msgspec.UNSET
    """Whose prediction it is, where the id is not a receipt that says so itself."""
    at: int | msgspec.UnsetType = msgspec.UNSET
    """When the truth was known, in milliseconds since 1970; of several about one id of the caller's own the latest counts."""


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of outcomes; any order, repeats welcome."""

    outcomes: tuple[Outcome, ...]


class OutcomeRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that was not counted, and why. Nothing else in its batch suffers."""

    prediction: str
    code: str
    why: str


class OutcomeUndefined(msgspec.Struct, frozen=True, kw_only=True):
    """A metric that had no value for an outcome, which counted for others: nothing was counted in its place."""

    prediction: str
    metric: MetricName
    code: str
    why: str


class OutcomesTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch."""

    counted: int
    repeated: int
    """Known already, or a further outcome of a subject that counts once per step."""
    unmeasured: int
    """Ours, but served outside any comparison: kept for the baseline only."""
    refused: tuple[OutcomeRefusal, ...] = ()
    undefined: tuple[OutcomeUndefined, ...] = ()
    """The first MOST_REFUSALS metrics without a value."""
    kept: int = 0
    """About ids of callers' own: in the prediction log, and counted when they have settled and their prediction is known."""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A leased exposure, as handed to a service that assigns in process."""

    rollout: RolloutId
    step: StepName
    salt: str
    candidate: int
    control: int
    """Weights out of TOTAL."""
    lease_ms: int
    """How long from the moment of sending; after that the incumbent serves everybody."""
    epoch: int
    version: int
    """The token: a service refuses a grant older than the newest that it has seen."""


class Briefing(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a service needs to assign, observe and mint for one model."""

    model: ModelName
    grant: Grant | None
    rollouts: Mapping[RolloutId, int]
    """Numbers of the rollouts that receipts may name, for those still open."""
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]
    key_id: int
    key: bytes
    """Signs receipts; a secret."""
    tag: str
    """Changes with the content; a long poll sends the last one seen."""
    incumbent: VersionName = VersionName("")
    """Which version the arm of that name is now; after a promotion it is the former candidate."""
    candidate: VersionName = VersionName("")
    """The same; empty outside a rollout."""
    in_process: bool = False
    """Services assign: then they are the gateway, and count its metrics and the exposure as well."""
    contract: str = ""
    """The `short` of the data contract that is in force; the contract itself is asked for when this changes."""
    tolerances: Mapping[MetricName, float] = {}
    """The candidate's values are divided by 1 + this before they are binned, so that "worse" means beyond the margin."""
    thresholds: Mapping[MetricName, float] | msgspec.UnsetType = msgspec.UNSET
    """Beyond this a latency, so divided, is late, however late: what has not ended may be counted."""
    crosses: tuple[Cross, ...] = ()
    """Two dimensions each, whose values are also looked at together."""
    numbered: bool = False
    """Receipts may number the values that the plan does not list, and totals may name them."""
    usage: bool = False
    """Totals may say what a process uses. An older server says nothing of it, and would refuse the whole message."""
    shadow: RolloutId = RolloutId("")
    """The rollout in whose shadow stage requests are mirrored now: both arms send their halves of pairs. Empty outside one,
    and from a server that knows none."""

    logged: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """The attributes that may be logged, where the server keeps a prediction log; then predictions are to be sent to it."""

    def __repr__(self) -> str:
        """Hide the key: what is held in a service ends up in its logs."""
        return f"Briefing(model={self.model!r}, tag={self.tag!r})"
