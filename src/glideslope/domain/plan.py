"""The frozen course of a rollout: steps, guardrails, and every constant that its tests will use."""

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, assert_never

import msgspec

from glideslope.domain.budget import Budget, Measure, check_budget
from glideslope.domain.decision import Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.governing.governed import Governed
from glideslope.domain.ids import Digest, MetricName, ModelName, SliceName, StepName, VersionName
from glideslope.domain.metric import SPENDS_NO_ALPHA, Cross, Dimension, Kind, Metric, Origin, slice_names
from glideslope.domain.pairs import NO_RULES, PairRules, check_rules
from glideslope.domain.receipt import MAX_DIMENSIONS, NO_SLICE
from glideslope.domain.recomputation import Recompute
from glideslope.domain.stakes import Stakes, Strata
from glideslope.domain.traffic import FULL, Split
from glideslope.domain.value import ValueModel

Milliseconds = int


class StageKind(StrEnum):
    """The regimes, in the order in which a plan may walk them."""

    OFFLINE = "offline"
    SHADOW = "shadow"
    CANARY = "canary"
    FULL = "full"
    BAKE = "bake"


STAGE_ORDER: Final = tuple(StageKind)


class AtMaximum(StrEnum):
    """What an inconclusive step does when its maximum time has passed."""

    HOLD = "hold"
    EXTEND = "extend"
    ROLL_BACK = "roll-back"


class HarmNull(StrEnum):
    """What counts as harm: worse at all, or worse by more than the margin."""

    WORSE = "worse"
    BEYOND_MARGIN = "beyond-margin"


class MarginKind(StrEnum):
    """Relative to the incumbent's rate, or an absolute difference (where the rate is near zero a ratio proves nothing)."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"


class Margin(msgspec.Struct, frozen=True, cache_hash=True, forbid_unknown_fields=True):
    """How much worse is tolerable. Relative 0.25 means up to 1.25 times; absolute is in the metric's unit."""

    kind: MarginKind
    size: float


class Guardrail(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """A metric that must not get worse, with everything that its tests need, frozen."""

    metric: Metric
    margin: Margin
    harm: HarmNull
    weight: int = 1
    """Share of alpha, in proportion to the other guardrails' weights."""
    base_rate: float
    """The incumbent's rate or mean when the plan was made. A wrong one costs power, never validity."""
    reference: tuple[int, ...] = ()
    """The incumbent's histogram, of latencies, counts, means and scores."""
    limit: float | None = None
    """Absolute limit on the rate of an event, whoever serves."""
    required: bool = True
    """False while the metric is only watched for harm and its proof is not needed to advance."""
    quantile: float | msgspec.UnsetType = msgspec.UNSET
    """Of a latency: the quantile that the guardrail is about."""
    threshold: float | msgspec.UnsetType = msgspec.UNSET
    """The incumbent's quantile when the plan was made, one of the metric's edges: what lies beyond is slow."""
    stakes: Stakes | msgspec.UnsetType = msgspec.UNSET
    """What is bet on the harm of an event; without it, as in plans of older releases, what those bet."""
    strata: Strata | msgspec.UnsetType = msgspec.UNSET
    """Groups that are known before the coin is tossed, by which the whole is judged; None of them where unset."""
    trust: float | msgspec.UnsetType = msgspec.UNSET
    """The part of its wealth that a proof of a mean stakes on `reference` being right."""
    prior: tuple[float, ...] | msgspec.UnsetType = msgspec.UNSET
    """What the harm of a count stakes on each of its alternatives; without it, as in plans of older releases, what those staked."""

    @property
    def spends_alpha(self) -> bool:
        """Tell whether its harm rolls back, so that it has a share of alpha."""
        return self.metric.kind not in SPENDS_NO_ALPHA


class Step(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """One leg of a stage. Times in milliseconds, shares in basis points."""

    name: StepName
    stage: StageKind
    candidate: int = 0
    control: int = 0
    mirror: int = 0
    minimum: Milliseconds
    maximum: Milliseconds
    at_maximum: AtMaximum
    loosen: float = 1.0
    """Margins are multiplied by this, so that a small share need only exclude gross harm."""

    @property
    def split(self) -> Split:
        """Return the split of subjects."""
        return Split(candidate=self.candidate, control=self.control)

    @property
    def has_coin(self) -> bool:
        """Tell whether both arms are drawn by chance here, so that outcomes can be compared."""
        return self.candidate > 0 and self.control > 0


class DeclaredHarm(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """A harm that the plan should catch: what forecasts are about. Relative 1.0 is twice as much; no test depends on it."""

    metric: MetricName
    size: Margin


class Criterion(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """An offline condition: the candidate's value may be worse than the incumbent's by at most `margin`."""

    metric: str
    holdout: str
    margin: float
    lower_is_better: bool


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """A measured offline comparison on the same rows.

    One with an interval is judged by all of it: `low` and `high` are the ends of candidate minus incumbent, None where that side is
    open. `verdict` is what the evaluation itself found of its own targets.
    """

    metric: str
    holdout: str
    incumbent: float
    candidate: float
    count: int
    lower_is_better: bool = True
    low: float | msgspec.UnsetType | None = msgspec.UNSET
    high: float | msgspec.UnsetType | None = msgspec.UNSET
    verdict: Verdict | msgspec.UnsetType = msgspec.UNSET
    report: Digest | msgspec.UnsetType = msgspec.UNSET
    """The report that this was taken from, by its digest."""


class Rationale(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """What a proposal says for itself besides why; what is absent was not said, and a policy that asks for it blocks."""

    benefit: str | msgspec.UnsetType = msgspec.UNSET
    """What should get better."""
    benefit_metric: str | msgspec.UnsetType = msgspec.UNSET
    """By which metric one will see it."""
    risks: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    rollback_plan: str | msgspec.UnsetType = msgspec.UNSET
    """What is done besides returning the traffic."""
    intended_use_changed: bool | msgspec.UnsetType = msgspec.UNSET


class Plan(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True, forbid_unknown_fields=True):
    """What was agreed before anything moved. Nothing in it changes in flight; its digest is what people approve."""

    format: int = 1
    model: ModelName
    incumbent: VersionName
    incumbent_digest: Digest
    candidate: VersionName
    candidate_digest: Digest
    owner: str
    why: str
    alpha: float
    """Chance of ever rolling back a candidate that is not worse, over the whole rollout."""
    alpha_pass: float
    """Chance of a proof for a candidate at or beyond the margin, per guardrail."""
    guardrails: tuple[Guardrail, ...]
    dimensions: tuple[Dimension, ...]
    steps: tuple[Step, ...]
    criteria: tuple[Criterion, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    approvals: int = 0
    """How many people other than the proposer must approve."""
    stale_after: Milliseconds
    """A gateway or service silent for longer than this cannot advance a step."""
    outcomes_stale_after: Milliseconds
    """The same for outcomes, which come late by nature."""
    maturity: float
    """Least share of a step's predictions whose outcomes must have arrived before a proof on them counts."""
    lease: Milliseconds
    """How long an exposure outlives its last renewal."""
    recompute: Recompute | msgspec.UnsetType = msgspec.UNSET
    """Whether the counters must agree with a recomputation from the prediction log before anything advances."""
    recount: int | msgspec.UnsetType = msgspec.UNSET
    """How much the log keeps for that, as `recomputation.KEPT` has it; absent in plans of older releases, and where none is asked for."""
    logged: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Attributes of predictions that may be written into the prediction log; no other ever leaves its service."""
    harms: tuple[DeclaredHarm, ...] | msgspec.UnsetType = msgspec.UNSET
    """Harms that its authors declared; absent when they declared none."""
    shown: tuple[Metric, ...] | msgspec.UnsetType = msgspec.UNSET
    """Metrics that are counted although no guardrail judges them: for a budget, or for people."""
    budgets: tuple[Budget, ...] | msgspec.UnsetType = msgspec.UNSET
    """How much harm the rollout may cost before it ends."""
    value: ValueModel | msgspec.UnsetType = msgspec.UNSET
    """In what the metric `value` is counted, and what technical metrics are worth."""
    crosses: tuple[Cross, ...] | msgspec.UnsetType = msgspec.UNSET
    """Pairs of fields whose values are also looked at together."""
    pairs: PairRules | msgspec.UnsetType = msgspec.UNSET
    """How differently the arms may answer the same request."""
    proposal: Rationale | msgspec.UnsetType = msgspec.UNSET
    """What its proposer says for it besides why; absent where nothing was said."""
    governed: Governed | msgspec.UnsetType = msgspec.UNSET
    """Who must approve under which rules; absent where no organisation is in force."""

    @property
    def slices(self) -> tuple[SliceName, ...]:
        """Return every slice that is looked at, crosses last."""
        return slice_names(self.dimensions, self.crosses or ())

    @property
    def is_kept(self) -> bool:
        """Tell whether the log keeps what pairs, blocks and formulas rest on."""
        return self.recount is not msgspec.UNSET

    @property
    def rules(self) -> PairRules:
        """Return how pairs are compared; where the plan is silent, for people only."""
        return self.pairs or NO_RULES

    @property
    def counted(self) -> tuple[Metric, ...]:
        """Return every metric that is counted, those that guardrails judge first."""
        return (*(g.metric for g in self.guardrails), *(self.shown or ()))

    @property
    def tolerances(self) -> Mapping[MetricName, float]:
        """Return by what the candidate's values are divided, as 1 + this, before they are binned: latencies by their margin."""
        return {g.metric.name: g.margin.size for g in self.guardrails if g.metric.kind is Kind.LATENCY}


def thresholds(plan: Plan) -> Mapping[MetricName, float]:
    """Return beyond what a latency is late, of the guardrails on quantiles."""
    return {g.metric.name: g.threshold for g in plan.guardrails if g.threshold is not msgspec.UNSET}


def wrong_margin(kind: Kind, margin: MarginKind) -> str:
    """Return why a kind of metric cannot have such a margin; empty when it can."""
    match kind:
        case Kind.EVENT | Kind.COUNT | Kind.MEAN:
            return ""
        case Kind.LATENCY:
            return "" if margin is MarginKind.RELATIVE else "a latency's margin is relative, like 25%"
        case Kind.SCORE:
            return "" if margin is MarginKind.ABSOLUTE else "a score's margin is absolute, like 0.02"
        case Kind.UNBOUNDED | Kind.CALIBRATION | Kind.AUC | Kind.AVERAGE_PRECISION:
            return "" if margin is MarginKind.ABSOLUTE else "its margin is absolute, like 0.02"
        case _:
            assert_never(kind)


def check_plan(plan: Plan) -> None:
    """Refuse what cannot be run or would void a promise. Raises PlanInvalid, SplitInvalid."""
    _check_numbers(plan)
    _check_guardrails(plan)
    _check_ladder(plan)
    if plan.incumbent_digest == plan.candidate_digest:
        raise PlanInvalid(f"{plan.candidate} is the same content as the incumbent {plan.incumbent}.", where="candidate")
    _check_offline(plan)
    _check_dimensions(plan)
    _check_budgets(plan)
    _check_prices(plan)
    if plan.pairs:
        names = tuple(g.metric.name for g in plan.guardrails)
        check_rules(plan.pairs, guardrails=names, shadowed=any(s.stage is StageKind.SHADOW for s in plan.steps))


def _check_budgets(plan: Plan) -> None:
    metrics = {metric.name: metric for metric in plan.counted}
    seen: set[tuple[MetricName, Measure]] = set()
    for budget in plan.budgets or ():
        where = f"harm_budget.{budget.metric}"
        if budget.metric not in metrics:
            raise PlanInvalid(f"The harm budget is in {budget.metric}, which is not counted.", where=where)
        if (budget.metric, budget.measure) in seen:
            raise PlanInvalid(f"{budget.metric} has two harm budgets of one kind.", where=where)
        seen.add((budget.metric, budget.measure))
        check_budget(budget, metrics[budget.metric])


def _check_prices(plan: Plan) -> None:
    judged = {g.metric.name for g in plan.guardrails}
    for price in plan.value.each if plan.value else ():
        if price.metric not in judged:
            raise PlanInvalid(f"{price.metric} has a price but no guardrail, so nothing would be shown.", where="value")


def _check_offline(plan: Plan) -> None:
    if any(s.stage is StageKind.OFFLINE for s in plan.steps) and not plan.criteria:
        raise PlanInvalid("The offline stage has no criteria to judge by.", where="offline")
    for c in plan.criteria:
        if not math.isfinite(c.margin):
            raise PlanInvalid(f"{c.metric} on {c.holdout}: a margin is a finite number.", where="offline")
    for e in plan.evaluations:
        if not (math.isfinite(e.incumbent) and math.isfinite(e.candidate)):
            raise PlanInvalid(f"The evaluation of {e.metric} on {e.holdout} is not a finite number.", where="offline")
        if any(isinstance(end, float) and not math.isfinite(end) for end in (e.low, e.high)):
            raise PlanInvalid(f"The interval of {e.metric} on {e.holdout} has no finite ends.", where="offline")


def _check_dimensions(plan: Plan) -> None:
    """A prediction's receipt has room for three dimensions of 255 values, and a slice's name stands between slashes."""
    names = slice_names(plan.dimensions)
    _check_crosses(plan)
    if len(plan.dimensions) > MAX_DIMENSIONS or any(len(d.values) > NO_SLICE for d in plan.dimensions):
        raise PlanInvalid(
            f"At most {MAX_DIMENSIONS} fields of {NO_SLICE} values each can be looked at separately.", where="slices"
        )
    by_field = {d.field: d for d in plan.dimensions}
    for g in plan.guardrails:
        if g.strata is msgspec.UNSET:
            continue
        if g.metric.origin is not Origin.OUTCOME or g.metric.loss is None:
            raise PlanInvalid(
                f"{g.metric.name}: only a loss that is counted when outcomes arrive can be judged by strata.",
                where="guardrails",
            )
        if (d := by_field.get(g.strata.field)) is None or len(d.values) != len(g.strata.usual):
            raise PlanInvalid(
                f"{g.metric.name}: its strata need a usual rate for each value of {g.strata.field} under slices.",
                where="guardrails",
            )
    for name in names:
        if "/" in name or names.count(name) > 1:
            raise PlanInvalid(f"The slice {name} is named twice or holds a slash.", where="slices")


MOST_SLICES: Final = 1_000
"""Of a plan with crosses, whose number is a product; each slice takes its part of alpha, and a row of the evidence."""


def _check_crosses(plan: Plan) -> None:
    fields = [d.field for d in plan.dimensions]
    crosses: tuple[Cross, ...] = plan.crosses or ()
    for first, second in crosses:
        if first == second or {first, second} - set(fields):
            raise PlanInvalid(f"{first} & {second}: a cross is of two different fields of `slices`.", where="cross")
    if len({frozenset(cross) for cross in crosses}) < len(crosses):
        raise PlanInvalid("The same two fields are crossed twice.", where="cross")
    if crosses and len(plan.slices) > MOST_SLICES:
        raise PlanInvalid(
            f"With their crosses there are {len(plan.slices):,} slices; at most {MOST_SLICES:,} can be looked at. "
            "List fewer values, or cross fewer fields.",
            where="cross",
        )


def _check_numbers(plan: Plan) -> None:
    for name, value, low, high in (
        ("alpha", plan.alpha, 1e-6, 0.5),
        ("alpha_pass", plan.alpha_pass, 1e-6, 0.5),
        ("maturity", plan.maturity, 0.0, 1.0),
        ("stale_after", plan.stale_after, 100, math.inf),
        ("outcomes_stale_after", plan.outcomes_stale_after, 100, math.inf),
        ("lease", plan.lease, 200, 60_000),
        ("approvals", plan.approvals, 0, 20),
    ):
        if not low <= value <= high:
            raise PlanInvalid(f"{name} is {value}; expected {low} to {high}.", where=name)
    if not plan.owner:
        raise PlanInvalid("A change without a reachable owner is refused.", where="owner")
    if not plan.why:
        raise PlanInvalid("Say why: those affected will ask.", where="why")


def _check_guardrails(plan: Plan) -> None:
    if not plan.guardrails:
        raise PlanInvalid("A change without guardrails cannot be proposed.", where="guardrails")
    names = [g.metric.name for g in plan.guardrails]
    for name in sorted({n for n in names if names.count(n) > 1}):
        raise PlanInvalid(f"{name} is a guardrail twice.", where="guardrails")
    for g in plan.guardrails:
        if not (math.isfinite(g.margin.size) and g.margin.size > 0 and g.weight > 0):
            raise PlanInvalid(f"{g.metric.name}: margin and weight must be above zero.", where="guardrails")
        if g.limit is not None and (g.metric.kind is not Kind.EVENT or not 0 < g.limit < 1):
            raise PlanInvalid(f"{g.metric.name}: a limit is a rate between 0 and 1 of an event.", where="guardrails")
        if wrong := wrong_margin(g.metric.kind, g.margin.kind):
            raise PlanInvalid(f"{g.metric.name}: {wrong}.", where="guardrails")
        if not math.isfinite(g.base_rate):
            raise PlanInvalid(f"{g.metric.name}: a base rate is a finite number.", where="guardrails")
        if g.metric.kind is not Kind.EVENT and g.metric.origin is not Origin.OUTCOME and not g.metric.edges:
            raise PlanInvalid(f"{g.metric.name}: a {g.metric.kind.value} needs bins.", where="guardrails")
        if g.threshold is not msgspec.UNSET and g.threshold not in g.metric.edges[:-1]:
            raise PlanInvalid(f"{g.metric.name}: its quantile lies on none of its edges.", where="guardrails")
        if g.required and not g.spends_alpha:
            raise PlanInvalid(f"{g.metric.name}: a {g.metric.kind.value} proves nothing.", where="guardrails")
    for harm in plan.harms or ():
        _check_harm(harm, plan)
    if not any(g.required for g in plan.guardrails):
        raise PlanInvalid(
            "At least one guardrail's proof must be required, else nothing need be proven.", where="guardrails"
        )


def _check_harm(harm: DeclaredHarm, plan: Plan) -> None:
    if not any(harm.metric in (g.metric.name, g.metric.measured) for g in plan.guardrails):
        raise PlanInvalid(
            f"No guardrail watches {harm.metric}, so nothing would catch it.", where=f"harms.{harm.metric}"
        )
    if not (math.isfinite(harm.size.size) and harm.size.size > 0):
        raise PlanInvalid(f"{harm.metric}: a harm is above zero.", where=f"harms.{harm.metric}")


def _check_ladder(plan: Plan) -> None:
    if not plan.steps:
        raise PlanInvalid("A plan without stages leads nowhere.", where="stages")
    order = [STAGE_ORDER.index(s.stage) for s in plan.steps]
    if order != sorted(order):
        raise PlanInvalid("Stages go offline, shadow, canary, full, bake; some may be left out.", where="stages")
    if not any(s.has_coin for s in plan.steps):
        raise PlanInvalid("Without a canary step there is no comparison, so nothing could be promoted.", where="stages")
    if [s.name for s in plan.steps] != [StepName(f"s{k + 1}") for k in range(len(plan.steps))]:
        raise PlanInvalid("Steps are named s1, s2, ... in order.", where="stages")
    reached = 0
    for s in plan.steps:
        _check_traffic(s)
        if s.stage is StageKind.SHADOW and not _pairable(plan):
            raise PlanInvalid(
                f"{s.name}: a shadow needs a required guardrail on outcomes or a limit in `pairs`, else it proves nothing.",
                where="stages",
            )
        if not 0 <= s.minimum <= s.maximum:
            raise PlanInvalid(f"{s.name}: the minimum time must not exceed the maximum.", where="stages")
        if not (math.isfinite(s.loosen) and s.loosen >= 1):
            raise PlanInvalid(f"{s.name}: a step may loosen margins, not tighten them.", where="stages")
        if s.candidate and s.candidate < reached:
            # Else subjects of an earlier control would be tossed again with a biased coin, and alpha would not hold.
            raise PlanInvalid(
                f"{s.name}: {s.candidate / 100:g}% must be at least the {reached / 100:g}% that the step before it measured.",
                where="stages",
            )
        reached = max(reached, s.candidate + s.control)


def _check_traffic(s: Step) -> None:
    weights = s.split.weights()
    if s.stage is StageKind.CANARY and not (weights.candidate and weights.control):
        raise PlanInvalid(f"{s.name}: a canary step needs a candidate and a control share.", where="stages")
    if s.stage in (StageKind.FULL, StageKind.BAKE) and (s.candidate, s.control) != (FULL, 0):
        raise PlanInvalid(f"{s.name}: {s.stage.value} means all traffic to the candidate.", where="stages")
    if s.stage in (StageKind.OFFLINE, StageKind.SHADOW) and s.candidate:
        raise PlanInvalid(f"{s.name}: nobody is exposed in {s.stage.value}.", where="stages")
    if not 0 <= s.mirror <= FULL or (s.stage is StageKind.OFFLINE and s.mirror):
        raise PlanInvalid(f"{s.name}: a mirror is 0% to 100% of the requests, and none offline.", where="stages")
    if s.stage is StageKind.SHADOW and not s.mirror:
        raise PlanInvalid(f"{s.name}: a shadow needs a mirror.", where="stages")


def _pairable(plan: Plan) -> bool:
    on_outcomes = (
        g.required and g.metric.origin is Origin.OUTCOME and (g.metric.loss is not None or g.metric.paired is True)
        for g in plan.guardrails
    )
    return any(on_outcomes) or any(limit.required for limit in plan.rules.limits)
