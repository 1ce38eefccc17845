"""What people write: five facts suffice, everything else has a stated default, and the draft shows which is which."""

from typing import Final

import msgspec

from glideslope.domain.budget import Budget
from glideslope.domain.formula import Attribute
from glideslope.domain.ids import MetricName, ModelName, VersionName
from glideslope.domain.metric import Better, Cross, Dimension, Kind
from glideslope.domain.pairs import PairRules
from glideslope.domain.plan import (
    AtMaximum,
    Criterion,
    DeclaredHarm,
    HarmNull,
    Margin,
    MarginKind,
    Milliseconds,
    Rationale,
    StageKind,
)
from glideslope.domain.recomputation import Recompute
from glideslope.domain.value import ValueDraft

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


class StageDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A stage as written. `shares` are a canary's steps in basis points; each takes the stage's times."""

    stage: StageKind
    shares: tuple[int, ...] = ()
    mirror: int = 10_000
    minimum: Milliseconds = 0
    maximum: Milliseconds = 7 * DAY
    at_maximum: AtMaximum = AtMaximum.HOLD


class MetricDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of the plan's own, counted by services. A score has a cap, for bins of equal width, or the bins' upper edges.

    A mean has a cap and a floor, or the points of its grid as `edges`; an unbounded one the smallest `unit` that matters.
    With an `expression` or a `plugin` its values come from there and not from what a service says.
    """

    name: MetricName
    kind: Kind
    cap: float | None = None
    edges: tuple[float, ...] = ()
    floor: float = 0.0
    unit: float | None = None
    better: Better = Better.LOWER
    expression: str = ""
    plugin: str = ""
    no_outcome_within: Milliseconds = 0
    """Above zero, of an event: bad where no outcome came within so long of the answer."""


class StrataDraft(msgspec.Struct, frozen=True, kw_only=True):
    """Strata as written: a field under `slices`, and the incumbent's usual rate or mean for each of its values."""

    by: str
    usual: tuple[tuple[str, float], ...]


class GuardrailDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A guardrail as written; what is None comes from the metric's default and from recent traffic."""

    metric: MetricName
    margin: Margin
    harm: HarmNull | None = None
    base_rate: float | None = None
    limit: float | None = None
    weight: int = 1
    required: bool = True
    quantile: float | None = None
    """Of a latency: that the guardrail is about this quantile (0.99) and not about the whole."""
    strata: StrataDraft | None = None


DEFAULT_STAGES = (
    StageDraft(stage=StageKind.CANARY, shares=(500, 2_500, 5_000), minimum=10 * MINUTE),
    StageDraft(stage=StageKind.FULL, minimum=10 * MINUTE),
    StageDraft(stage=StageKind.BAKE, minimum=HOUR),
)

DEFAULT_GUARDRAILS = (
    # A ratio proves nothing where the incumbent hardly ever fails, hence half a percentage point.
    GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.005)),
    GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25)),
)


MATURITY: Final = 0.5
MATURITY_OF_MEANS: Final = 0.8
"""What has come is no fair sample of costs where the bad are known later: of candidates at their margin too many were proven at
half, and waiting for 95 % takes twenty delays (`benchmarks/maturity.py`)."""


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A change as written in `glideslope.yaml`. Times in milliseconds, shares in basis points."""

    model: ModelName
    candidate: VersionName
    owner: str
    why: str
    stages: tuple[StageDraft, ...] = DEFAULT_STAGES
    guardrails: tuple[GuardrailDraft, ...] = DEFAULT_GUARDRAILS
    metrics: tuple[MetricDraft, ...] = ()
    slices: tuple[Dimension, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    value: ValueDraft | None = None
    harm_budget: tuple[Budget, ...] = ()
    cross: tuple[Cross, ...] = ()
    pairs: PairRules | None = None
    offline: tuple[Criterion, ...] = ()
    alpha: float = 0.01
    alpha_pass: float = 0.05
    approvals: int = 0
    stale_after: Milliseconds = 30 * SECOND
    outcomes_stale_after: Milliseconds = 6 * HOUR
    maturity: float | None = None
    """None for what is usual: MATURITY, and MATURITY_OF_MEANS where a mean or a loss on outcomes must be proven."""
    lease: Milliseconds = 2 * SECOND
    recompute: Recompute | None = None
    logged: tuple[str, ...] = ()
    proposal: Rationale | None = None
    harms: tuple[DeclaredHarm, ...] = ()
    """What the plan should catch; for want of any, one harm per guardrail of twice its margin."""
