"""Read models: what pages, terminals and programs are shown. They change nothing.

Long because every part of a rollout's view is made here once.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final, Protocol, assert_never

import msgspec

from glideslope.domain.decision import Finding, Hold
from glideslope.domain.doubt import sentence as doubted
from glideslope.domain.errors import NotFound
from glideslope.domain.events import Confirmed, Decided, Event, kind_of, rfc3339
from glideslope.domain.evidence import NOTHING, Evidence
from glideslope.domain.gate import harm_findings
from glideslope.domain.governing.governed import Permit
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.governing.policy import Policy
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId
from glideslope.domain.metric import EXPOSURE, OUTCOME_SEEN, RESCUED
from glideslope.domain.plan import Rationale, StageKind, Step
from glideslope.domain.recomputation import sentence as differing
from glideslope.domain.rollout import ENDED, Phase, Rollout, exposure
from glideslope.domain.said import Judgement, More
from glideslope.domain.scan import Searched
from glideslope.domain.tallied import pair_proof_findings
from glideslope.domain.traffic import Arm
from glideslope.engine.display import guardrail_views, source_views
from glideslope.engine.governing_views import GovernedView, governed_view
from glideslope.engine.observer import Observer
from glideslope.engine.pair_display import pair_views
from glideslope.engine.ports import Clock
from glideslope.engine.record import Model, Record, Recorded, rollout_number
from glideslope.engine.searching import Searching
from glideslope.engine.slices_display import slices_view
from glideslope.engine.stale import rollout_tag
from glideslope.engine.standing import standing
from glideslope.engine.stories import actor_of, budget_words, sentence
from glideslope.engine.views import (
    BudgetView,
    DecisionView,
    FleetView,
    GuardrailView,
    HappeningView,
    JudgementView,
    ModelView,
    MoreView,
    PairView,
    RationaleView,
    RolloutView,
    SlicesView,
    SourceView,
    StepView,
    VersionView,
)
from glideslope.engine.worth import budget_views, priced, value_views

SEARCH_EVERY: Final = 5.0
"""Seconds for which what a search found is shown as it was."""
SHOW_EVERY: Final = 1.0
"""Seconds for which a rollout's guardrails are shown as they were computed."""


_Figures = tuple[tuple[GuardrailView, ...], tuple[SourceView, ...]]


class InForce(Protocol):
    """Knows what the data plane has in force."""

    @property
    def trouble(self) -> str: ...

    def in_force(self, rollout: Rollout) -> bool: ...


class Queries:
    """Questions about the record and the counters."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        searching: Searching,
        reconciler: InForce,
        permit: Callable[[Rollout], Permit | msgspec.UnsetType],
        policies: Callable[[], Sequence[Policy]],
        organisation: Callable[[], Organisation | None],
        clock: Clock,
    ) -> None:
        self._permit = permit
        self._policies = policies
        self._organisation = organisation
        self._searching = searching
        self._record = record
        self._observer = observer
        self._reconciler = reconciler
        self._clock = clock
        self._searched: dict[RolloutId, tuple[float, tuple[Searched, ...], int]] = {}
        self._compared: dict[RolloutId, tuple[tuple[Phase, int], float, tuple[PairView, ...]]] = {}
        self._shown: dict[RolloutId, tuple[tuple[Phase, int], float, _Figures]] = {}

    def fleet(self, *, ended: int | None = None) -> FleetView:
        """Return all at a glance; rollouts newest first, without their guardrails.

        Of those that have ended the newest `ended`, and whatever still asks something of people; None for all.
        """
        known = self._record.rollouts()
        shown = known if ended is None else self._at_a_glance(known, ended=ended)
        return FleetView(
            models=tuple(self.model(m.name) for m in self._record.models()),
            rollouts=tuple(self.rollout(r.id, with_guardrails=False) for r in reversed(shown)),
            older=len(known) - len(shown),
            entries=self._record.size(),
            gateway=self._reconciler.trouble or "ready",
            time=rfc3339(self._record.now()),
        )

    def _at_a_glance(self, known: Sequence[Rollout], *, ended: int) -> Sequence[Rollout]:
        done = [rollout.id for rollout in known if rollout.phase in ENDED]
        kept = set(done[max(0, len(done) - ended) :])
        return [r for r in known if r.phase not in ENDED or r.id in kept or (r.glass and not self._reviewed(r))]

    def rollouts(self, *, model: ModelName | None, below: int | None, limit: int) -> Sequence[RolloutView]:
        """Return the newest rollouts (of a model) whose number is below one, without their guardrails."""
        found: list[RolloutView] = []
        for rollout in reversed(self._record.rollouts()):
            if len(found) == limit:
                break
            if model in (None, rollout.plan.model) and (below is None or rollout_number(rollout.id) < below):
                found.append(self.rollout(rollout.id, with_guardrails=False))
        return found

    def model(self, name: ModelName) -> ModelView:
        """Return a model. Raises NotFound."""
        model = self._record.model(name)
        open_ = self._record.open_rollout_of(name)
        serving = {Arm.INCUMBENT: model.incumbent, Arm.CANDIDATE: open_.plan.candidate if open_ else None}
        signals: Mapping[str, Mapping[str, float]] = {
            arm.value: self._observer.signals(name, arm) | (self._observer.usage(name, version) if version else {})
            for arm, version in serving.items()
        }
        return ModelView(
            name=name,
            incumbent=model.incumbent or "",
            rollout=open_.id if open_ else "",
            versions=tuple(
                VersionView(
                    version=v.version,
                    digest=v.digest,
                    url=v.url,
                    by=v.by,
                    at=rfc3339(model.registered_at[v.version]),
                    state=self._state(model, v.version),
                )
                for v in model.versions.values()
            ),
            requests_per_second=round(sum(s["requests_per_second"] for s in signals.values()), 2),
            signals=signals,
        )

    def glance(self, id_: RolloutId, *, within: float) -> RolloutView:
        """Return a rollout with guardrails that may be so many seconds old, for whoever asks of many. Raises NotFound."""
        rollout = self._record.rollout(id_)
        view = self.rollout(id_, with_guardrails=False)
        if rollout.phase in ENDED:
            return view
        return msgspec.structs.replace(
            view, guardrails=self._figures(rollout, self._record.history(id_), within=within)[0]
        )

    def rollout(self, id_: RolloutId, *, with_guardrails: bool = True) -> RolloutView:
        """Return everything about one rollout. Raises NotFound."""
        rollout = self._record.rollout(id_)
        history = self._record.history(id_)
        last = next((self._decision(rollout, r) for r in reversed(history) if isinstance(r.event, Decided)), None)
        subjects, outcomes = self._subjects(rollout), self._outcomes(rollout)
        step, plan, wanted = rollout.step, rollout.plan, exposure(rollout)
        permit = Permit() if rollout.phase in ENDED else self._permit(rollout)
        return RolloutView(
            id=id_,
            model=plan.model,
            incumbent=plan.incumbent,
            candidate=plan.candidate,
            phase=rollout.phase.value,
            stage=step.stage.value if step else "",
            step=step.name if step else "",
            share=wanted.split.candidate if wanted else 0,
            confirmed=rollout.confirmed and (wanted is None or self._reconciler.in_force(rollout)),
            reasons=last.reasons if last else (),
            sentences=last.sentences if last else (),
            next=self._next(rollout, permit),
            owner=plan.owner,
            why=plan.why,
            proposed_by=rollout.proposed_by,
            proposed_at=rfc3339(rollout.proposed_at),
            changed_at=rfc3339(rollout.changed_at),
            ended=rollout.phase in ENDED,
            approvals_needed=plan.approvals,
            approved_by=tuple(sorted(rollout.granted)),
            denied_by=tuple(sorted(rollout.denied)),
            plan_digest=rollout.plan_digest,
            attempt_of=rollout.attempt_of,
            version=rollout.version,
            steps=tuple(self._step(rollout, k, s, subjects, outcomes) for k, s in enumerate(plan.steps)),
            guardrails=self._guardrails(rollout, history) if with_guardrails else (),
            sources=self._figures(rollout, history)[1] if with_guardrails else (),
            candidate_subjects=sum(candidate for candidate, _ in subjects.values()),
            rescued=self._rescued(rollout),
            last=last,
            confirmation_ms=self._confirmation(history),
            budgets=self._budgets(rollout),
            values=value_views(plan, self._evidence(rollout, history)) if plan.value and with_guardrails else (),
            pairs=self._pairs(rollout, history) if with_guardrails else (),
            governed=self._governed(rollout, permit),
            standing=standing(rollout, history, self._organisation(), now=self._record.now()),
            asked=tuple(map(_asked, rollout.said.asked)),
            judged=tuple(map(_judged, rollout.said.judged)),
            proposal=_proposal(plan.proposal),
            tag=rollout_tag(rollout, msgspec.UNSET if isinstance(permit, msgspec.UnsetType) else permit.change),
        )

    def slices(self, id_: RolloutId) -> SlicesView:
        """Return the parts of a rollout's data, worst first, and what a search of others found. Raises NotFound."""
        rollout = self._record.rollout(id_)
        history, now = self._record.history(id_), self._clock.monotonic()
        searched = self._searched.get(id_)
        if searched is None or now - searched[0] >= SEARCH_EVERY:
            # Thousands of tests: not at each look.
            searched = self._searched[id_] = (now, *self._searching.found(rollout))
        return slices_view(
            rollout.plan,
            self._guardrails(rollout, history),
            self._pairs(rollout, history),
            searched=searched[1],
            left_out=searched[2],
        )

    def decisions(self, id_: RolloutId) -> Sequence[DecisionView]:
        """Return every recorded decision, oldest first. Raises NotFound."""
        rollout = self._record.rollout(id_)
        return [self._decision(rollout, r) for r in self._record.history(id_) if isinstance(r.event, Decided)]

    def story(self, id_: RolloutId, *, after: int) -> Sequence[HappeningView]:
        """Return what happened after a version, as sentences. Raises NotFound."""
        plan = self._record.rollout(id_).plan
        return [
            HappeningView(
                version=r.version,
                entry=r.entry,
                at=rfc3339(r.at),
                by=actor_of(r.event),
                kind=kind_of(r.event),
                sentence=sentence(r.event, plan=plan),
            )
            for r in self._record.history(id_)
            if r.version > after
        ]

    def _guardrails(self, rollout: Rollout, history: Sequence[Recorded]) -> tuple[GuardrailView, ...]:
        return self._figures(rollout, history)[0]

    def _figures(self, rollout: Rollout, history: Sequence[Recorded], *, within: float = SHOW_EVERY) -> "_Figures":
        """Return what each guardrail shows and how fresh that is, at most `within` seconds old: intervals cost more than all else."""
        if rollout.step is None:
            return (), ()
        where, now = (rollout.phase, rollout.position), self._clock.monotonic()
        shown = self._shown.get(rollout.id)
        if shown is not None and shown[0] == where and (rollout.phase in ENDED or now - shown[1] < within):
            return shown[2]
        evidence = self._evidence(rollout, history)
        views = tuple(
            msgspec.structs.replace(view, worth=priced(rollout.plan, view))
            for view in guardrail_views(rollout.plan, evidence, rollout.step)
        )
        figures = views, source_views(rollout.plan, evidence.freshness, at=self._judged_at(rollout, history))
        self._shown[rollout.id] = (where, now, figures)
        return figures

    def _judged_at(self, rollout: Rollout, history: Sequence[Recorded]) -> int:
        """Return the instant of the evidence that is shown: of the last decision where that is what is shown."""
        if rollout.phase in ENDED:
            return next((r.at for r in reversed(history) if isinstance(r.event, Decided)), rollout.changed_at)
        return self._record.now()

    def _budgets(self, rollout: Rollout) -> tuple[BudgetView, ...]:
        """Return what is spent by now: outcomes that come after the end cost as much as any."""
        if not rollout.plan.budgets:
            return ()
        counts, exposed = self._observer.counts(rollout)
        return budget_views(rollout.plan, msgspec.structs.replace(NOTHING, counts=counts, exposed=exposed))

    def _pairs(self, rollout: Rollout, history: Sequence[Recorded]) -> tuple[PairView, ...]:
        """Return how the arms' answers compare, as old as the guardrails."""
        where, now = (rollout.phase, rollout.position), self._clock.monotonic()
        shown = self._compared.get(rollout.id)
        if shown is not None and shown[0] == where and (rollout.phase in ENDED or now - shown[1] < SHOW_EVERY):
            return shown[2]
        views: tuple[PairView, ...] = ()
        if rollout.step is not None and any(s.stage is StageKind.SHADOW for s in rollout.plan.steps):
            findings: Sequence[Finding] = ()
            if rollout.plan.rules.limits:
                evidence = self._evidence(rollout, history)
                findings = (
                    *harm_findings(rollout.plan, evidence),
                    *pair_proof_findings(rollout.plan, evidence),
                )
            views = pair_views(rollout.plan, partial(self._observer.answers, rollout), findings)
        self._compared[rollout.id] = (where, now, views)
        return views

    def _evidence(self, rollout: Rollout, history: Sequence[Recorded]) -> Evidence:
        """An ended rollout is shown as it was judged; a living one as it is."""
        if rollout.phase in ENDED:
            recorded = [r.event.evidence for r in history if isinstance(r.event, Decided)]
            return recorded[-1] if recorded else NOTHING
        return self._observer.evidence(
            rollout,
            in_force=self._reconciler.in_force(rollout),
        )

    def _decision(self, rollout: Rollout, recorded: Recorded) -> DecisionView:
        event = recorded.event
        if not isinstance(event, Decided):
            raise NotFound(what="decision", name=f"{rollout.id}@{recorded.version}")
        step = self._step_at(rollout, recorded.version)
        return DecisionView(
            rollout=rollout.id,
            version=recorded.version,
            entry=recorded.entry,
            at=rfc3339(recorded.at),
            by=event.by,
            decision=str(event.decision.__struct_config__.tag),
            step=step.name if step else "",
            stage=step.stage.value if step else "",
            reasons=tuple(r.value for r in event.decision.reasons),
            sentences=(
                *(r.sentence for r in event.decision.reasons),
                *(doubted(f.doubt) for f in event.decision.findings if f.doubt),
                *(differing(f.difference) for f in event.decision.findings if f.difference),
                *(budget_words(f) for f in event.decision.findings if f.spending),
            ),
            findings=event.decision.findings,
            why=event.why,
        )

    def _step_at(self, rollout: Rollout, version: int) -> Step | None:
        """Return the step in which a decision was taken."""
        position = -1
        for r in self._record.history(rollout.id):
            if r.version >= version:
                break
            position = _position(r.event, position)
        return rollout.plan.steps[position] if position >= 0 else None

    def _step(
        self,
        rollout: Rollout,
        k: int,
        step: Step,
        subjects: Mapping[str, tuple[int, int]],
        outcomes: Mapping[str, tuple[int, int]],
    ) -> StepView:
        state = "done" if k < rollout.position else "now" if k == rollout.position else "ahead"
        if rollout.phase is Phase.PROMOTED:
            state = "done"
        elif state == "now" and rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            state = "left"
        candidate, incumbent = subjects.get(step.name, (0, 0))
        candidate_outcomes, incumbent_outcomes = outcomes.get(step.name, (0, 0))
        return StepView(
            name=step.name,
            stage=step.stage.value,
            candidate=step.candidate,
            control=step.control,
            mirror=step.mirror,
            minimum=step.minimum,
            maximum=step.maximum,
            state=state,
            candidate_subjects=candidate,
            incumbent_subjects=incumbent,
            candidate_outcomes=candidate_outcomes,
            incumbent_outcomes=incumbent_outcomes,
        )

    def _subjects(self, rollout: Rollout) -> Mapping[str, tuple[int, int]]:
        return self._of_arms(rollout, EXPOSURE)

    def _outcomes(self, rollout: Rollout) -> Mapping[str, tuple[int, int]]:
        return self._of_arms(rollout, OUTCOME_SEEN)

    def _of_arms(self, rollout: Rollout, metric: MetricName) -> Mapping[str, tuple[int, int]]:
        """Return by step how many of each arm were counted, the candidate's first."""
        scope = self._observer.scope(rollout.id)
        return {
            s.name: (
                scope.bins(s.name, metric, WHOLE, Arm.CANDIDATE, size=1)[0],
                scope.bins(s.name, metric, WHOLE, Arm.INCUMBENT, size=1)[0],
            )
            for s in rollout.plan.steps
        }

    def _rescued(self, rollout: Rollout) -> int:
        scope = self._observer.scope(rollout.id)
        return sum(scope.bins(s.name, RESCUED, WHOLE, Arm.CANDIDATE, size=1)[0] for s in rollout.plan.steps)

    def _confirmation(self, history: Sequence[Recorded]) -> float | None:
        return next((r.event.milliseconds for r in reversed(history) if isinstance(r.event, Confirmed)), None)

    def _state(self, model: Model, version: str) -> str:
        if version == model.incumbent:
            return "incumbent"
        open_ = self._record.open_rollout_of(model.name)
        if open_ is not None and open_.plan.candidate == version:
            return "candidate"
        if version in model.installed:
            return "was incumbent"
        tried = [r for r in self._record.rollouts() if (r.plan.model, r.plan.candidate) == (model.name, version)]
        return "rolled back" if any(r.phase is Phase.ROLLED_BACK for r in tried) else "registered"

    def _reviewed(self, rollout: Rollout) -> bool:
        looked_at = self._record.model(rollout.plan.model).glass_reviewed.get(rollout.id)
        return looked_at is not None and (rollout.glass is None or looked_at >= rollout.glass.broken_at)

    def _governed(self, rollout: Rollout, permit: Permit | msgspec.UnsetType) -> GovernedView | None:
        """Return what governs a rollout: an ended one as it was at its end."""
        now = rollout.changed_at if rollout.phase in ENDED else self._record.now()
        # What an ended one was asked stands in its examinations; the policies of today are not those.
        policies = () if rollout.phase in ENDED else self._policies()
        organisation = self._organisation()
        tier = organisation.tier_of(rollout.plan.model) if organisation is not None else None
        return governed_view(
            rollout,
            now=now,
            reviewed=self._reviewed(rollout),
            permit=permit,
            policies=policies,
            proving=msgspec.UNSET if tier is None else tier.proving,
        )

    def _forbidden(self, rollout: Rollout, permit: Permit | msgspec.UnsetType) -> str:
        """Return whom or what a governed proposal waits for, as a sentence; empty when for nothing."""
        view = self._governed(rollout, permit)
        if view is None:
            told = "; ".join(block.why for block in permit.blocks) if permit else ""
            return f"Waits: {told}." if told else ""
        needs = [n.function if n.count == 1 else f"{n.count} of {n.function}" for n in view.missing]
        blocks = "; ".join(view.blocks)
        if needs:
            # Whoever gives the last approval is not to learn only then that it does not begin.
            beside = f", and is forbidden besides: {blocks}" if blocks else ""
            return f"Waits for approval by {', '.join(needs)}{beside}."
        return f"Waits: {blocks}." if blocks else ""

    def _next(self, rollout: Rollout, permit: Permit | msgspec.UnsetType) -> str:
        match rollout.phase:
            case Phase.PROPOSED:
                if waits := self._forbidden(rollout, permit):
                    return waits
                missing = rollout.plan.approvals - len(rollout.granted - {rollout.proposed_by})
                return f"Waits for {missing} approval{'s' if missing != 1 else ''}." if missing > 0 else "Starts now."
            case Phase.HALTED:
                return "Waits for a person to resume it or to roll it back."
            case Phase.LAPSED:
                return "A fresh decision must let the exposure come back."
            case Phase.ROLLING_BACK | Phase.PROMOTING:
                return "Waits for the data plane to confirm."
            case Phase.ROLLED_BACK:
                return f"It ended with {rollout.plan.incumbent} serving everybody. Try again with: glideslope retry {rollout.id}"
            case Phase.PROMOTED:
                return f"It ended with {rollout.plan.candidate} serving everybody."
            case Phase.RUNNING:
                return self._next_step(rollout)
            case _:
                assert_never(rollout.phase)

    def _next_step(self, rollout: Rollout) -> str:
        step = rollout.step
        if step is None:
            return "Starts now."
        after = rollout.plan.steps[rollout.position + 1 :]
        then = "is promoted" if not after else f"goes to {after[0].name} {after[0].stage.value}"
        if after and after[0].candidate:
            then += f" ({after[0].candidate / 100:g}%)"
        held = isinstance(rollout.last, Hold)
        return (
            f"When every guardrail is proven it {then}, no earlier than {rfc3339(rollout.entered_at + step.minimum)}"
            f"{'; it holds for now' if held else ''}."
        )


def _position(event: Event, before: int) -> int:
    if isinstance(event, Decided):
        return int(getattr(event.decision, "to", before))
    return before


def _asked(more: More) -> MoreView:
    return MoreView(
        question=more.version,
        by=more.by,
        at=rfc3339(more.at),
        why=more.why,
        replied_by=more.replied_by or "",
        replied_at="" if more.replied_by is None else rfc3339(more.replied_at),
        reply=more.reply,
    )


def _judged(each: Judgement) -> JudgementView:
    return JudgementView(by=each.by, at=rfc3339(each.at), step=each.step, about=each.about, why=each.why)


def _proposal(said: Rationale | msgspec.UnsetType) -> RationaleView | None:
    if isinstance(said, msgspec.UnsetType):
        return None
    use = said.intended_use_changed
    return RationaleView(
        benefit=said.benefit or "",
        benefit_metric=said.benefit_metric or "",
        risks=said.risks or (),
        rollback_plan=said.rollback_plan or "",
        intended_use_changed=None if isinstance(use, msgspec.UnsetType) else use,
    )
