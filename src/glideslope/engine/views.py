"""What people and programs are shown: read models, plain values that become JSON as they are."""

from collections.abc import Mapping

import msgspec

from glideslope.domain.decision import Finding
from glideslope.domain.plan import Plan


class StepView(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan and what became of it. Shares in basis points, times in milliseconds."""

    name: str
    stage: str
    candidate: int
    control: int
    mirror: int
    minimum: int
    maximum: int
    state: str
    """`done`, `now`, `ahead`, or `left` for the step from which a rollout was rolled back."""
    candidate_subjects: int = 0
    incumbent_subjects: int = 0


class GuardrailView(msgspec.Struct, frozen=True, kw_only=True):
    """One guardrail on one slice: what each arm shows, the interval of the difference, and how sure we are."""

    metric: str
    slice: str
    kind: str
    """What `low`, `estimate`, `high` and `margin` are: `ratio` (candidate / incumbent) or `difference`; `paired` in shadow."""
    incumbent: float | None
    candidate: float | None
    low: float | None
    estimate: float | None
    high: float | None
    margin: float
    """In the same unit: the ratio or difference beyond which it counts as worse."""
    harm_wealth: float
    harm_line: float
    proof_wealth: float
    proof_line: float
    word: str
    """`proven`, `harm`, `beyond its limit`, `watching`, `no evidence`, or `asymptotic, advisory` for what moves no traffic."""
    candidate_count: int
    incumbent_count: int


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded decision. `at` is RFC 3339; `entry` its position in the ledger, `version` its number in the stream."""

    rollout: str
    version: int
    entry: int
    at: str
    by: str
    decision: str
    step: str
    stage: str
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    findings: tuple[Finding, ...]
    why: str = ""


class HappeningView(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of a rollout's story, as a sentence."""

    version: int
    entry: int
    at: str
    by: str
    kind: str
    sentence: str


class RolloutView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one rollout that a page or a terminal shows."""

    id: str
    model: str
    incumbent: str
    candidate: str
    phase: str
    stage: str
    step: str
    share: int
    """Candidate share in force by decision, in basis points; 0 when nobody is exposed."""
    confirmed: bool
    """The data plane itself confirms the present traffic."""
    reasons: tuple[str, ...]
    sentences: tuple[str, ...]
    next: str
    """What happens next and when at the earliest, as a sentence."""
    owner: str
    why: str
    proposed_by: str
    proposed_at: str
    changed_at: str
    ended: bool
    approvals_needed: int
    approved_by: tuple[str, ...]
    denied_by: tuple[str, ...]
    plan_digest: str
    attempt_of: str
    version: int
    steps: tuple[StepView, ...]
    guardrails: tuple[GuardrailView, ...]
    candidate_subjects: int
    """Subjects that met the candidate in all."""
    rescued: int
    last: DecisionView | None
    confirmation_ms: float | None
    """From the last decision's commit to the data plane's confirmation."""


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A registered version."""

    version: str
    digest: str
    url: str
    by: str
    at: str
    state: str
    """`incumbent`, `candidate`, `registered`, `was incumbent`, `rolled back`."""


class ModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model, what serves it and what asks to."""

    name: str
    incumbent: str
    rollout: str
    """The rollout in progress, or empty."""
    versions: tuple[VersionView, ...]
    requests_per_second: float
    signals: Mapping[str, Mapping[str, float]]
    """Per arm: throughput, error rate, latency quantiles in milliseconds, over the last minute."""


class FleetView(msgspec.Struct, frozen=True, kw_only=True):
    """All at a glance."""

    models: tuple[ModelView, ...]
    rollouts: tuple[RolloutView, ...]
    """Newest first; guardrails left out."""
    entries: int
    gateway: str
    """`ready`, or why not."""
    time: str


class StepForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What one step can tell from recent traffic, before it starts."""

    name: str
    stage: str
    share: int
    control: int
    guardrail: str
    detects: float
    """The smallest harm (ratio for an event, difference for a score) that the step's maximum time likely catches."""
    subjects_to_proof: int
    """Candidate subjects until an equal candidate is proven, on average."""
    seconds_to_proof: float | None
    """At recent traffic; None without recent traffic."""
    subjects_at_risk: int | None
    """Candidate subjects until a candidate twice as bad (or one margin beyond) is caught, on average."""


class PlanView(msgspec.Struct, frozen=True, kw_only=True):
    """What `plan` shows: the resolved plan, its forecast, and warnings. Nothing was changed."""

    plan: Plan
    digest: str
    forecast: tuple[StepForecast, ...]
    warnings: tuple["Warning_", ...]
    traffic_per_second: float | None
    earliest_seconds: float
    """Sum of the steps' minimum times."""


class Warning_(msgspec.Struct, frozen=True, kw_only=True):  # noqa: N801 - Warning is Python's own
    """Something a person should know before applying; it does not refuse by itself."""

    code: str
    sentence: str


class ReplayView(msgspec.Struct, frozen=True, kw_only=True):
    """One decision made again from the record."""

    rollout: str
    version: int
    recorded: str
    """Canonical JSON of the decision as recorded."""
    recomputed: str
    same: bool


class CheckView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `doctor` looked at."""

    name: str
    ok: bool
    sentence: str
    next_command: str = ""
