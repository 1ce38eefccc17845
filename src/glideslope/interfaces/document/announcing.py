"""The page of a change for the people affected: what it is for, what it may cost, who meets it when, how it goes back, how it stands.

Nothing is claimed that is not recorded, and what should be recorded and is not is said to be missing.
"""

from collections.abc import Iterator, Sequence
from typing import assert_never

from msgspec import UnsetType

from glideslope.domain.governing.facts import Facts
from glideslope.domain.metric import Kind
from glideslope.domain.plan import Guardrail, HarmNull, MarginKind, Rationale
from glideslope.engine.announcing import AffectedView, AnnouncementView
from glideslope.interfaces.document.paper import Block, Entry, Items, Lacks, Paper, Section, Table, Text

_STATES = {"done": "done", "now": "now", "ahead": "ahead", "left": "it ended here", "never": "never reached"}
_STAGES = {
    "offline": "measured offline; nobody meets it",
    "shadow": "answers copies of requests; nobody meets its answers",
    "full": "everybody",
    "bake": "everybody, watched on",
}


def announcement(view: AnnouncementView) -> Paper:
    """Return the page."""
    plan = view.plan
    return Paper(
        title=f"{plan.model}: {plan.incumbent} to {plan.candidate}",
        subtitle=f"Announcement of {view.rollout}, as recorded up to ledger entry {view.entry} ({_day(view.at)}). Owner: {plan.owner}",
        sections=(
            Section("How it stands", (Text(view.stands, view.entry),)),
            Section("What it is for", tuple(_benefit(view))),
            Section("What it may cost", tuple(_costs(view))),
            Section("Who is affected, and when", tuple(_affected(view))),
            Section("How it goes back", tuple(_back(view))),
            Section("What happened", (_happened(view),)),
        ),
        records=_records(view),
    )


def _benefit(view: AnnouncementView) -> Iterator[Block]:
    plan, said, entry = view.plan, _said(view), view.proposal
    yield Text(f"Why: {plan.why}", entry)
    lacks: list[str] = []
    if said is not None and not isinstance(said.benefit, UnsetType):
        yield Text(f"Expected benefit, as proposed: {said.benefit}", entry)
    else:
        lacks.append("what should get better: the proposal does not say")
    if said is not None and not isinstance(said.benefit_metric, UnsetType):
        yield Text(f"One will see it by: {said.benefit_metric}", entry)
    if plan.evaluations:
        rows = [
            (
                (
                    each.metric,
                    each.holdout,
                    f"{each.incumbent:g}",
                    f"{each.candidate:g}",
                    f"{each.count:,}",
                    "less is better" if each.lower_is_better else "more is better",
                ),
                entry,
            )
            for each in plan.evaluations
        ]
        yield Text("Measured offline, on the same rows, before it was proposed:")
        yield Table(("metric", "holdout", plan.incumbent, plan.candidate, "rows", ""), rows)
    if lacks:
        yield Lacks(lacks)


def _costs(view: AnnouncementView) -> Iterator[Block]:
    said, entry, facts = _said(view), view.proposal, view.facts
    lacks: list[str] = []
    if said is not None and not isinstance(said.risks, UnsetType):
        if said.risks:
            yield Text("Risks and trade-offs, as proposed:")
            yield Items([Text(each, entry) for each in said.risks])
        else:
            yield Text("The proposal names no risks.", entry)
    else:
        lacks.append("risks and trade-offs: the proposal does not say")
    if facts is not None:
        yield from _facts(facts, view.facts_entry)
    if said is not None and not isinstance(said.intended_use_changed, UnsetType):
        changed = "changes" if said.intended_use_changed else "does not change"
        yield Text(f"What it is used for {changed} by it, as proposed.", entry)
    yield Text(
        f"These are watched. Where one is proven to be worse, as said here, {view.plan.incumbent} is returned to everybody:"
    )
    yield Items([Text(f"{g.metric.name}: {_harm(g)}", entry) for g in view.plan.guardrails])
    if lacks:
        yield Lacks(lacks)


def _facts(facts: Facts, entry: int | None) -> Iterator[Block]:
    if not isinstance(facts.intended_use, UnsetType):
        yield Text(f"What it is meant for: {facts.intended_use}", entry)
    if not isinstance(facts.out_of_scope, UnsetType) and facts.out_of_scope:
        yield Text("What it is not meant for:")
        yield Items([Text(each, entry) for each in facts.out_of_scope])
    if not isinstance(facts.limitations, UnsetType) and facts.limitations:
        yield Text("Known limits:")
        yield Items([Text(each, entry) for each in facts.limitations])
    if not isinstance(facts.failure_modes, UnsetType) and facts.failure_modes:
        yield Text("Ways in which it may fail:")
        yield Items(
            [
                Text(f"{mode.name}{'' if isinstance(mode.effect, UnsetType) else f': {mode.effect}'}", entry)
                for mode in facts.failure_modes
            ]
        )


def _affected(view: AnnouncementView) -> Iterator[Block]:
    plan = view.plan
    rows = [((each.step, _whom(each), _when(each), _STATES[each.state]), each.entry) for each in view.affected]
    yield Table(("step", "who meets it", "when", "state"), rows)
    if view.subjects is not None:
        yield Text(f"Up to the last decision {view.subjects:,} subjects had met {plan.candidate}.", view.subjects_entry)
    groups = "; ".join(f"{each.field}: {', '.join(each.values)}" for each in plan.dimensions)
    if groups:
        yield Text(f"These groups are looked at separately: {groups}.", view.proposal)


def _whom(each: AffectedView) -> str:
    return f"{each.share / 100:g} % of the subjects" if each.stage == "canary" else _STAGES.get(each.stage, each.stage)


def _when(each: AffectedView) -> str:
    if each.began:
        return f"since {_day(each.began)}"
    if each.state != "ahead":
        return "-"
    return f"{_lasting(each.earliest)} after it begins at the earliest" if each.earliest else "once it begins"


def _back(view: AnnouncementView) -> Iterator[Block]:
    plan, said, entry = view.plan, _said(view), view.proposal
    if view.phase == "promoted":
        yield Text(f"Going back to {plan.incumbent} is a proposal like this one: it reverts the change.", entry)
    elif view.phase in ("rolled-back", "rolling-back"):
        yield Text(view.stands, view.entry)
    else:
        yield Items(
            [
                Text(
                    f"By the machine: when one of those is proven to be worse, all traffic returns to {plan.incumbent}.",
                    entry,
                ),
                Text(f"By a person: at any time, all traffic returns to {plan.incumbent}.", entry),
                Text(
                    f"By itself: what {plan.candidate} is given ends {_lasting(plan.lease)} after nobody renews it, "
                    "also when the control plane is dead.",
                    entry,
                ),
            ]
        )
    lacks: list[str] = []
    if said is not None and not isinstance(said.rollback_plan, UnsetType):
        yield Text(f"What is done besides returning the traffic, as proposed: {said.rollback_plan}", entry)
    else:
        lacks.append("what is done besides returning the traffic: the proposal does not say")
    if view.practised is not None:
        took = view.practised.restored_in
        last = "" if took is None else f"; all traffic was back after {took:,.0f} ms"
        yield Text(f"Going back was last practised on {_day(view.practised.at)}{last}.", view.practised.entry)
    else:
        lacks.append("a drill of going back that passed: none is recorded")
    yield Lacks(lacks) if lacks else Text("Nothing that should be recorded about going back is missing.")


def _happened(view: AnnouncementView) -> Block:
    rows: Sequence[tuple[tuple[str, ...], int | None]] = [
        ((_minute(each.at), each.by, each.sentence), each.entry) for each in view.happened
    ]
    return Table(("when (UTC)", "by", "what"), rows)


def _records(view: AnnouncementView) -> tuple[Entry, ...]:
    known = {each.entry: Entry(entry=each.entry, at=each.at, by=each.by, what=each.kind) for each in view.happened}
    return tuple(known.values())


def _said(view: AnnouncementView) -> Rationale | None:
    return None if isinstance(view.plan.proposal, UnsetType) else view.plan.proposal


def _harm(guardrail: Guardrail) -> str:
    match guardrail.harm:
        case HarmNull.WORSE:
            return f"worse at all; it goes on to more people only once that is shown to be at most {_margin(guardrail)}"
        case HarmNull.BEYOND_MARGIN:
            return f"worse by more than {_margin(guardrail)}"
        case _:
            assert_never(guardrail.harm)


def _margin(guardrail: Guardrail) -> str:
    margin = guardrail.margin
    if margin.kind is MarginKind.RELATIVE:
        return f"{100 * margin.size:g} %"
    share = guardrail.metric.kind is Kind.EVENT
    return f"{100 * margin.size:g} percentage points" if share else f"{margin.size:g}"


def _day(at: str) -> str:
    return f"{at[:10]} {at[11:16]} UTC"


def _minute(at: str) -> str:
    return f"{at[:10]} {at[11:16]}"


def _lasting(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:g} s"
