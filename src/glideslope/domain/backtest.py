"""What a plan would have decided on a rollout that was: its guardrails, margins, alphas and times over the recorded evidence.

The evidence stands in the ledger wherever a decision said something new, so that is where this looks. What was never counted
cannot be judged, and what would have happened under other splits or after the recorded end is not known to anybody; each is
said, none is guessed.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec

from glideslope.domain.alphas import harm_alphas
from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER, Advance, Decision, Finding, Hold, Promote, Question, RollBack, Verdict
from glideslope.domain.draft import Draft
from glideslope.domain.errors import Invalid
from glideslope.domain.events import Approved, Decided, Event, Halted, Lapsed, Proposed, Registered, Resumed
from glideslope.domain.evidence import Evidence
from glideslope.domain.freeze import Baseline, freeze, plan_digest, staked
from glideslope.domain.gate import harm_found
from glideslope.domain.ids import MACHINE, Actor, RolloutId, StepName
from glideslope.domain.metric import Kind, Metric
from glideslope.domain.plan import Guardrail, Plan, Step
from glideslope.domain.rollout import Rollout, apply, begin


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded decision, and what this plan would have said. Instants in milliseconds since the epoch, UTC."""

    version: int
    at: int
    recorded_step: StepName | None
    recorded: str
    step: StepName | None
    """Where this plan's rollout would have been."""
    decided: str
    """`advance to s2`, `hold`, `roll back`, `promote`, `ended` after its end, or `unknown`."""
    reasons: tuple[str, ...]
    differs: bool
    note: str = ""


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    rollout: RolloutId
    recorded_end: str
    would_end: str
    """`rolled back at ...`, `promoted`, `unknown after ...`, as words."""
    stopped_at: int | None
    """When it would have rolled back or paused: the first look that shows it; it may have been so since the look before."""
    stopped_after: int | None
    """The look before, at which it was not so yet."""
    exposed_then: int
    """Candidate subjects that had met the candidate by then, as recorded."""
    exposed: int
    """In the recorded rollout, by its last decision."""
    broke: str
    moments: tuple[Moment, ...]
    unknown: tuple[str, ...]
    """What cannot be known, in sentences."""


def frozen_for(draft: Draft, recorded: Plan) -> Plan:
    """Freeze a draft for the versions of a recorded rollout. Raises PlanInvalid, SplitInvalid."""
    incumbent, candidate = (
        Registered(model=recorded.model, version=version, digest=digest, url="", by=Actor("-"), why="recorded")
        for version, digest in (
            (recorded.incumbent, recorded.incumbent_digest),
            (recorded.candidate, recorded.candidate_digest),
        )
    )
    return freeze(draft, incumbent=incumbent, candidate=candidate, baseline=Baseline())


def recorded_plan(events: Sequence[tuple[int, Event]]) -> Plan | None:
    """Return the plan with which a stream begins; None for a stream of another kind."""
    first = events[0][1] if events else None
    return first.plan if isinstance(first, Proposed) else None


def backtest(plan: Plan, id_: RolloutId, events: Sequence[tuple[int, Event]]) -> Backtest:
    """Judge a recorded rollout by another plan. Raises Invalid for a history that none can have, or of another model."""
    if not events:
        raise Invalid(f"{id_} has no history.")
    recorded = begin(id_, events[0][1], at=events[0][0])
    if recorded.plan.model != plan.model:
        raise Invalid(f"{id_} is about {recorded.plan.model}, and the plan about {plan.model}.")
    unknown: list[str] = []
    judged = _comparable(plan, recorded.plan, unknown)
    if judged is None:
        return _nothing(id_, recorded, events, unknown)
    places = _places(judged, recorded.plan, unknown)
    return _Walk(judged, recorded, places, unknown).over(events[1:])


def _comparable(plan: Plan, recorded: Plan, unknown: list[str]) -> Plan | None:
    """Return the plan with those guardrails that the record can judge, with the base rates that were known at the time."""
    rails: list[Guardrail] = []
    for g in plan.guardrails:
        then = next((r for r in recorded.guardrails if r.metric.name == g.metric.name), None)
        metric = next((m for m in recorded.counted if m.name == g.metric.name), None)
        if metric is None:
            unknown.append(f"{g.metric.name} was not counted then, so nothing is known of it.")
        elif not _same_bins(metric, g.metric):
            unknown.append(f"{g.metric.name} was counted in other bins then, so its counts cannot be judged.")
        elif then is not None and g.metric.kind is Kind.LATENCY and then.margin.size != g.margin.size:
            unknown.append(
                f"{g.metric.name}: the candidate's values were divided by 1 + {then.margin.size:g} when they were counted, "
                f"so a margin of {g.margin.size:g} cannot be judged."
            )
        else:
            rails.append(g if then is None else _as_then(g, then))
    if not any(g.required for g in rails):
        unknown.append("No required guardrail can be judged, so no step can be.")
        return None
    if plan.recompute and not recorded.recompute:
        unknown.append("Nothing was recomputed from a prediction log then; it is taken to have agreed.")
    if plan.pairs and plan.pairs != recorded.pairs:
        unknown.append("The plan's limits on how answers may differ were not the recorded ones; they are left out.")
    # Others keep their share of alpha, as if those that cannot be judged had been silent.
    spent = sum(g.weight for g in plan.guardrails if g.spends_alpha)
    part = sum(g.weight for g in rails if g.spends_alpha) / spent if spent else 1.0
    judged = msgspec.structs.replace(
        plan,
        guardrails=tuple(rails),
        alpha=plan.alpha * part if len(rails) < len(plan.guardrails) else plan.alpha,
        incumbent_digest=recorded.incumbent_digest,
        candidate_digest=recorded.candidate_digest,
        evaluations=recorded.evaluations,
        recompute=recorded.recompute,
        pairs=recorded.pairs,
    )
    return _staked_as_then(judged, recorded)


def _same_bins(a: Metric, b: Metric) -> bool:
    return (a.kind, a.edges, a.origin, a.loss) == (b.kind, b.edges, b.origin, b.loss)


def _as_then(g: Guardrail, then: Guardrail) -> Guardrail:
    """What a test takes from traffic it would have taken from the traffic of that day."""
    return msgspec.structs.replace(
        g,
        base_rate=then.base_rate,
        reference=then.reference,
        trust=then.trust,
        prior=then.prior,
        threshold=then.threshold,
        metric=then.metric,
    )


def _staked_as_then(plan: Plan, recorded: Plan) -> Plan:
    """Bet on events what was bet then, where the same alpha is bet under the same coin; else what would be chosen for that day's rate."""
    anew = staked(plan)
    first = [next((s.split for s in p.steps if s.has_coin), None) for p in (plan, recorded)]

    def stakes(g: Guardrail) -> Guardrail:
        then = next((r for r in recorded.guardrails if r.metric == g.metric and r.harm == g.harm), None)
        same = then is not None and first[0] == first[1] and harm_alphas(plan, g) == harm_alphas(recorded, then)
        return msgspec.structs.replace(g, stakes=then.stakes) if then is not None and same else g

    return msgspec.structs.replace(anew, guardrails=tuple(map(stakes, anew.guardrails)))


def _places(plan: Plan, recorded: Plan, unknown: list[str]) -> dict[StepName, StepName]:
    """Return which of the plan's steps each recorded step can stand for: the same stage and split."""
    places: dict[StepName, StepName] = {}
    free = list(plan.steps)
    for step in recorded.steps:
        found = next((s for s in free if _traffic(s) == _traffic(step)), None)
        if found is not None:
            free.remove(found)
            places[step.name] = found.name
    unknown.extend(
        f"{step.name} ({step.stage.value}, {step.candidate / 100:g}% against {step.control / 100:g}%) was not part of the "
        "recorded rollout; what it would have shown is not known."
        for step in free
    )
    return places


def _traffic(step: Step) -> tuple[str, int, int, int]:
    return step.stage.value, step.candidate, step.control, step.mirror


class _Walk:
    """The plan's rollout on its way along the recorded one."""

    def __init__(
        self,
        plan: Plan,
        recorded: Rollout,
        places: dict[StepName, StepName],
        unknown: list[str],
    ) -> None:
        self._plan = plan
        self._recorded = recorded
        self._places = places
        self._unknown = unknown
        self._mine = _proposed(plan, recorded)
        self._moments: list[Moment] = []
        self._end = ""
        self._stopped: tuple[int, int | None, int, str] | None = None
        self._exposed = 0

    def over(self, events: Sequence[tuple[int, Event]]) -> Backtest:
        before: int | None = None
        for at, event in events:
            if isinstance(event, Decided):
                self._look(event, at=at, before=before)
                before = at
            elif isinstance(event, Halted | Resumed | Lapsed) and not self._end:
                with suppress(Invalid):  # what a person or a gateway did then cannot follow where this plan would be
                    self._mine = apply(self._mine, event, at=at)
            self._recorded = apply(self._recorded, event, at=at)
        if not self._end:
            now = self._mine.step
            self._end = f"unknown: it would be in {now.name} when the record ends" if now else "never begun"
            self._unknown.append(
                "What would have come after the recorded end, in more time or at another split, is not known."
            )
        return Backtest(
            rollout=self._recorded.id,
            recorded_end=self._recorded.phase.value,
            would_end=self._end,
            stopped_at=self._stopped[0] if self._stopped else None,
            stopped_after=self._stopped[1] if self._stopped else None,
            exposed_then=self._stopped[2] if self._stopped else self._exposed,
            exposed=self._exposed,
            broke=self._stopped[3] if self._stopped else "",
            moments=tuple(self._moments),
            unknown=tuple(dict.fromkeys(self._unknown)),
        )

    def _look(self, event: Decided, *, at: int, before: int | None) -> None:
        self._exposed = max(self._exposed, sum(e.candidate for e in event.evidence.exposed))
        there = self._recorded.step
        if self._end:
            self._say(event, at, "ended", (), note="")
            return
        evidence = self._translated(event.evidence)
        place = self._places.get(there.name) if there else None
        mine = self._mine.step
        if there is not None and mine is not None and place != mine.name:
            self._elsewhere(event, at=at, before=before)
            return
        if event.by != MACHINE and isinstance(event.decision, RollBack):
            self._say(event, at, "unknown", (), note="a person rolled it back here")
            self._end = "unknown: a person ended the recorded rollout"
            return
        decision = decide(self._mine, evidence, now=at)
        note = ""
        if isinstance(decision, Advance) and decision.to > self._mine.position:
            target = self._plan.steps[decision.to].name
            if target not in self._places.values():
                note = f"the recorded rollout never had a {target} like this plan's"
        self._take(event, decision, at=at, before=before, note=note)

    def _elsewhere(self, event: Decided, *, at: int, before: int | None) -> None:
        """The two are in different steps: harm counts wherever it was seen; a proof cannot be asked for."""
        # Each table says under which coin it was counted, so harm can be asked about whatever the steps were.
        watching = msgspec.structs.replace(self._plan, steps=self._recorded.plan.steps)
        names = {g.metric.name for g in self._plan.guardrails}
        seen = msgspec.structs.replace(
            event.evidence,
            counts=tuple(c for c in event.evidence.counts if c.metric in names),
            pairs=tuple(p for p in event.evidence.pairs if p.metric in names),
        )
        harm = [f for f in harm_found(watching, seen) if f.verdict is Verdict.FAIL]
        if harm:
            self._stop(at, before, harm[0], event.evidence)
            self._end = f"rolled back for {harm[0].subject}, on the traffic as it was recorded"
            self._say(event, at, "roll back", ("guardrail-breached",), note="seen in a step of the recorded rollout")
            return
        there, mine = self._recorded.step, self._mine.step
        place = self._places.get(there.name) if there else None
        order = [s.name for s in self._plan.steps]
        if place is not None and mine is not None and order.index(place) > order.index(mine.name):
            note = f"the record was in {there.name if there else '-'} already; this plan would still ask for a proof in {mine.name}"
        else:
            note = "this plan would have moved on; what its next step would have shown then is not known"
        self._say(event, at, "unknown", (), note=note)

    def _take(self, event: Decided, decision: Decision, *, at: int, before: int | None, note: str) -> None:
        said = _words(decision, self._plan)
        self._say(event, at, said, tuple(r.value for r in decision.reasons), note=note, decision=decision)
        if isinstance(decision, Promote):
            self._end = "promoted"
        withdraws = isinstance(decision, RollBack) or (isinstance(decision, Hold) and not decision.exposed)
        if withdraws and self._mine.step is not None:
            found = next((f for f in decision.findings if f.verdict is Verdict.FAIL), None)
            self._stop(at, before, found, event.evidence)
            self._end = f"{'rolled back' if isinstance(decision, RollBack) else 'paused'} in {self._mine.step.name}"
        if not isinstance(decision, Hold):
            made = Decided(decision=decision, evidence=event.evidence, decider=DECIDER, by=MACHINE)
            self._mine = apply(self._mine, made, at=at)

    def _stop(self, at: int, before: int | None, finding: Finding | None, evidence: Evidence) -> None:
        met = sum(e.candidate for e in evidence.exposed)
        self._stopped = (at, before, met, finding.subject if finding and finding.question is Question.HARM else "")

    def _say(
        self,
        event: Decided,
        at: int,
        said: str,
        reasons: tuple[str, ...],
        *,
        note: str,
        decision: Decision | None = None,
    ) -> None:
        there, mine = self._recorded.step, self._mine.step
        self._moments.append(
            Moment(
                version=self._recorded.version + 1,
                at=at,
                recorded_step=there.name if there else None,
                recorded=_words(event.decision, self._recorded.plan),
                step=mine.name if mine else None,
                decided=said,
                reasons=reasons,
                differs=decision is None or _words(decision, self._plan) != _words(event.decision, self._recorded.plan),
                note=note,
            )
        )

    def _translated(self, evidence: Evidence) -> Evidence:
        """Name recorded steps as the plan does, and leave out what it does not judge."""
        known = self._places
        names = {m.name for m in self._plan.counted}
        return msgspec.structs.replace(
            evidence,
            counts=tuple(
                msgspec.structs.replace(c, step=known[c.step])
                for c in evidence.counts
                if c.step in known and c.metric in names
            ),
            pairs=tuple(p for p in evidence.pairs if p.metric in names),
            exposed=tuple(msgspec.structs.replace(e, step=known[e.step]) for e in evidence.exposed if e.step in known),
            maturity=tuple(
                msgspec.structs.replace(m, step=known[m.step]) for m in evidence.maturity if m.step in known
            ),
        )


def _proposed(plan: Plan, recorded: Rollout) -> Rollout:
    """Propose the plan when the other was, with all approvals that it asks for."""
    digest = plan_digest(plan)
    rollout = begin(
        recorded.id, Proposed(plan=plan, plan_digest=digest, by=recorded.proposed_by), at=recorded.proposed_at
    )
    for k in range(plan.approvals):
        yes = Approved(by=Actor(f"approver-{k}"), granted=True, plan_digest=digest, why="taken as given")
        rollout = apply(rollout, yes, at=recorded.proposed_at)
    return rollout


def _words(decision: Decision, plan: Plan) -> str:
    match decision:
        case Advance(to=to):
            return f"advance to {plan.steps[to].name}"
        case Hold(exposed=exposed):
            return "hold" if exposed else "pause"
        case RollBack():
            return "roll back"
        case Promote():
            return "promote"


def _nothing(id_: RolloutId, recorded: Rollout, events: Iterable[tuple[int, Event]], unknown: list[str]) -> Backtest:
    exposed = 0
    for at, event in _after_first(events):
        if isinstance(event, Decided):
            exposed = max(exposed, sum(e.candidate for e in event.evidence.exposed))
        recorded = apply(recorded, event, at=at)
    return Backtest(
        rollout=id_,
        recorded_end=recorded.phase.value,
        would_end="unknown",
        stopped_at=None,
        stopped_after=None,
        exposed_then=exposed,
        exposed=exposed,
        broke="",
        moments=(),
        unknown=tuple(unknown),
    )


def _after_first(events: Iterable[tuple[int, Event]]) -> Iterator[tuple[int, Event]]:
    found = iter(events)
    next(found, None)
    return found
