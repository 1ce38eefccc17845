"""What services and the server tell each other about traffic: small messages that may be lost, doubled or late."""

from collections.abc import Mapping
from typing import Final

import msgspec

from glideslope.domain.ids import Digest, MetricName, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.metric import Dimension, Metric


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


class ShadowAnswers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the shadowed candidate would have answered, to be paired with the incumbent's answers to the same requests."""

    model: ModelName
    rollout: RolloutId
    answers: tuple[tuple[int, int], ...]
    """(`request_hash`, score of 0 to SCORE_LEVELS) each."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The truth about one prediction, whenever it comes."""

    prediction: str
    """The id that came with the answer: a signed receipt."""
    happened: bool


class Outcomes(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch of outcomes; any order, repeats welcome."""

    outcomes: tuple[Outcome, ...]


class OutcomeRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome that was not counted, and why. Nothing else in its batch suffers."""

    prediction: str
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
    tolerances: Mapping[MetricName, float] = {}
    """The candidate's values are divided by 1 + this before they are binned, so that "worse" means beyond the margin."""
    thresholds: Mapping[MetricName, float] | msgspec.UnsetType = msgspec.UNSET
    """Beyond this a latency, so divided, is late, however late: what has not ended may be counted."""

    def __repr__(self) -> str:
        """Hide the key: what is held in a service ends up in its logs."""
        return f"Briefing(model={self.model!r}, tag={self.tag!r})"
