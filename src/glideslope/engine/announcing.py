"""What is said of a change to the people affected: folded from the record alone, as of now or of any earlier entry."""

from collections.abc import Iterator, Sequence

import msgspec

from glideslope.domain.decision import Hold
from glideslope.domain.events import Closed, Confirmed, Decided, Escalated, FactsRecorded, rfc3339
from glideslope.domain.governing.drill import DrillEnded, DrillEvent, DrillKind, Drills, DrillTold, practise
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.facts import Facts
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.plan import Plan, StageKind
from glideslope.domain.rollout import Phase, Rollout, apply, exposure, fold
from glideslope.engine.record import Record, Recorded, drill_stream, model_stream
from glideslope.engine.stories import actor_of, sentence
from glideslope.engine.views import HappeningView


class AffectedView(msgspec.Struct, frozen=True, kw_only=True):
    """Who meets the candidate in one step of the plan, and when."""

    step: str
    stage: str
    share: int
    """In basis points."""
    state: str
    """`done`, `now`, `ahead`, `left` where it ended, or `never` where it ended before."""
    began: str
    """When it was entered; empty where it was not."""
    earliest: int
    """Milliseconds after the beginning of the rollout at which it can begin at the earliest."""
    entry: int | None
    """By which ledger entry it began."""


class PractisedView(msgspec.Struct, frozen=True, kw_only=True):
    """The last drill of going back, if it passed."""

    at: str
    restored_in: float | None
    """Milliseconds until all traffic was back; None where that was not measured."""
    entry: int


class AnnouncementView(msgspec.Struct, frozen=True, kw_only=True):
    """A change, as the people affected are told of it. What is not recorded is absent, and nothing stands in for it."""

    rollout: str
    plan: Plan
    proposed_by: str
    proposed_at: str
    proposal: int
    """The ledger entry in which it was proposed."""
    entry: int
    """The last entry of the rollout that it rests on."""
    at: str
    phase: str
    stands: str
    """Who meets which version now, as a sentence."""
    ended: bool
    affected: tuple[AffectedView, ...]
    subjects: int | None
    """Subjects that had met the candidate at the last decision; None before any was recorded."""
    subjects_entry: int | None
    facts: Facts | None
    """What is recorded about how the candidate was made."""
    facts_entry: int | None
    practised: PractisedView | None
    happened: tuple[HappeningView, ...]
    """Every transition, oldest first."""


def announcement(record: Record, id_: RolloutId, *, as_of: int | None = None) -> AnnouncementView:
    """Return what is said of a change, now or right after the entry `as_of`. Raises NotFound."""
    plan = record.rollout(id_).plan
    history = [r for r in record.history(id_) if as_of is None or r.entry <= as_of] or [record.history(id_)[0]]
    until = history[-1].entry if as_of is None else as_of
    rollout = fold(id_, [(r.at, r.event) for r in history])
    decided = [r for r in history if isinstance(r.event, Decided)]
    subjects, counted = _subjects(decided)
    stated = _facts(record, plan, until=until if as_of is not None else record.size())
    return AnnouncementView(
        rollout=id_,
        plan=plan,
        proposed_by=rollout.proposed_by,
        proposed_at=rfc3339(rollout.proposed_at),
        proposal=history[0].entry,
        entry=history[-1].entry,
        at=rfc3339(history[-1].at),
        phase=rollout.phase.value,
        stands=stands(rollout),
        ended=rollout.phase in (Phase.PROMOTED, Phase.ROLLED_BACK),
        affected=_affected(rollout, decided),
        subjects=subjects,
        subjects_entry=counted,
        facts=None if stated is None else stated[0],
        facts_entry=None if stated is None else stated[1],
        practised=_practised(record, plan.model, until=until if as_of is not None else record.size()),
        happened=tuple(
            HappeningView(
                version=r.version,
                entry=r.entry,
                at=rfc3339(r.at),
                by=actor_of(r.event),
                kind=str(r.event.__struct_config__.tag),
                sentence=sentence(r.event, plan=plan),
            )
            for r in _transitions(id_, history)
        ),
    )


def stands(rollout: Rollout) -> str:
    """Say who meets which version."""
    plan, since = rollout.plan, rfc3339(rollout.entered_at)
    everybody = f"{plan.incumbent} serves everybody"
    match rollout.phase:
        case Phase.PROPOSED:
            return f"Nothing has changed yet: {everybody}."
        case Phase.RUNNING | Phase.PROMOTING:
            wanted, step = exposure(rollout), rollout.step
            if wanted is not None and wanted.split.candidate:
                share = wanted.split.candidate / 100
                rest = f"; {plan.incumbent} serves the others" if share < 100 else ""
                return f"Since {since}, {plan.candidate} serves {share:g} % of the subjects{rest}."
            shadow = step is not None and step.stage is StageKind.SHADOW
            more = f" {plan.candidate} answers copies of requests, and nobody meets its answers." if shadow else ""
            return f"{everybody}.{more}"
        case Phase.LAPSED:
            return f"{everybody}. The exposure ended by itself; it comes back by a fresh decision alone."
        case Phase.HALTED:
            return f"{everybody}. The change is halted until somebody resumes it."
        case Phase.ROLLING_BACK:
            return f"It is rolled back: all traffic returns to {plan.incumbent}."
        case Phase.ROLLED_BACK:
            return f"It was rolled back: all traffic returned to {plan.incumbent}."
        case Phase.PROMOTED:
            return f"It was promoted: {plan.candidate} became the incumbent."


def _affected(rollout: Rollout, decided: Sequence[Recorded]) -> tuple[AffectedView, ...]:
    entered: dict[int, Recorded] = {}
    for each in decided:
        to = getattr(each.event.decision, "to", None) if isinstance(each.event, Decided) else None
        if to is not None:
            entered.setdefault(to, each)
    found: list[AffectedView] = []
    earliest = 0
    gone = rollout.phase in (Phase.ROLLED_BACK, Phase.ROLLING_BACK)
    for number, step in enumerate(rollout.plan.steps):
        began = entered.get(number)
        if rollout.phase in (Phase.PROMOTED, Phase.PROMOTING) or number < rollout.position:
            state = "done"
        elif number == rollout.position:
            state = "left" if gone else "now"
        else:
            state = "never" if gone else "ahead"
        found.append(
            AffectedView(
                step=step.name,
                stage=step.stage.value,
                share=step.candidate,
                state=state,
                began="" if began is None else rfc3339(began.at),
                earliest=earliest,
                entry=None if began is None else began.entry,
            )
        )
        earliest += step.minimum
    return tuple(found)


def _subjects(decided: Sequence[Recorded]) -> tuple[int | None, int | None]:
    for each in reversed(decided):
        if isinstance(each.event, Decided) and each.event.evidence.exposed:
            return sum(e.candidate for e in each.event.evidence.exposed), each.entry
    return None, None


def _facts(record: Record, plan: Plan, *, until: int) -> tuple[Facts, int] | None:
    found = [
        (r.event.facts, r.entry)
        for r in record.history(model_stream(plan.model))
        if isinstance(r.event, FactsRecorded) and r.event.facts.version == plan.candidate and r.entry <= until
    ]
    return found[-1] if found else None


def _practised(record: Record, model: ModelName, *, until: int) -> PractisedView | None:
    history = [r for r in record.history(drill_stream(model)) if r.entry <= until]
    drills = Drills(model=model)
    for each in history:
        if isinstance(each.event, DrillEvent):
            drills = practise(drills, each.event, at=each.at, entry=each.entry)
    held = drills.last(DrillKind.ROLLBACK)
    if held is None or not held.passed:
        return None
    ends = [r.entry for r in history if isinstance(r.event, DrillEnded | DrillTold)]
    return PractisedView(at=rfc3339(held.held_at), restored_in=held.restored_in, entry=ends[drills.held.index(held)])


def _transitions(id_: RolloutId, history: Sequence[Recorded]) -> Iterator[Recorded]:
    """Yield what changed something for somebody, or what people said: not a decision to stay, nor its confirmation."""
    rollout: Rollout | None = None
    for each in history:
        before = rollout
        rollout = fold(id_, [(each.at, each.event)]) if before is None else apply(before, each.event, at=each.at)
        event = each.event
        if isinstance(event, Confirmed | Escalated | Examined | Closed):
            continue
        stays = isinstance(event, Decided) and isinstance(event.decision, Hold)
        # One that withdraws the exposure changes who meets which version.
        withdraws = before is not None and before.phase is not Phase.HALTED and rollout.phase is Phase.HALTED
        if withdraws or not stays:
            yield each
