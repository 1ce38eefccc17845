"""What is asked of a visitor: whose yes is missing, what stands still until somebody acts. The engine decides again when they act."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase
from glideslope.engine.governing_views import AgreementView, IncidentView
from glideslope.engine.views import RolloutView
from glideslope.interfaces.dashboard.door import Visitor
from glideslope.interfaces.dashboard.words import needs_approval

_FOR_PEOPLE: Final = frozenset(
    {
        Reason.DEADLINE_HOLD,
        Reason.SPLIT_BROKEN,
        Reason.MALFORMED,
        Reason.SOURCE_DOUBTED,
        Reason.RECOMPUTATION_DIFFERS,
        Reason.LOPSIDED,
        Reason.CLOCK_BACK,
    }
)
"""For which reasons waiting alone will not do."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to decide: what it is about, a sentence, where it is done (a page or a command), and since when it waits."""

    about: str
    sentence: str
    since: str
    page: str = ""
    command: str = ""


def _change(view: RolloutView) -> str:
    return f"{view.model} {view.incumbent} → {view.candidate}"


def why_not(view: RolloutView, visitor: Visitor, functions: Sequence[str] | None) -> str:
    """Say why a visitor's approval would not count; empty when it would."""
    actor = visitor.actor
    if not visitor.may_act:
        return "Your token only looks."
    if actor == view.proposed_by:
        return "You proposed it, so your yes does not count."
    governed = view.governed
    if governed is None:
        return "You have approved it." if actor in view.approved_by else ""
    if actor in governed.makers:
        return "You had a part in making it, so your yes does not count."
    if functions == ():
        return "The organisation gives you no function to approve in."
    missing = {need.function for need in governed.missing}
    if actor in view.approved_by and not missing & set(functions or ()):
        return "You have approved it."
    if functions is not None and missing and not missing & set(functions):
        return f"It waits for {', '.join(sorted(missing))}; you approve as {', '.join(functions)}."
    return ""


def is_stuck(view: RolloutView) -> bool:
    """Tell whether the machine cannot judge what it sees, so that a rollout stays where it is until a person does something."""
    held = view.phase == Phase.RUNNING and view.last is not None and view.last.decision == "hold"
    return held and bool(_FOR_PEOPLE & set(view.reasons))


def asks(
    rollouts: Sequence[RolloutView],
    agreements: Sequence[AgreementView],
    incidents: Sequence[IncidentView],
    *,
    visitor: Visitor,
    functions: Sequence[str] | None,
) -> list[Ask]:
    """Return what waits for this visitor, approvals first."""
    if not visitor.may_act:
        return []
    found = [
        Ask(
            about=_change(view),
            sentence=f"Approve or deny {view.id}, proposed by {view.proposed_by}: {view.why}",
            since=view.proposed_at,
            page=f"/approvals#{view.id}",
        )
        for view in rollouts
        if needs_approval(view) and not why_not(view, visitor, functions)
    ]
    found += [
        Ask(
            about=_change(view),
            sentence=f"{view.id} is halted: resume it, or roll it back.",
            since=view.changed_at,
            page=f"/rollouts/{view.id}#acts",
        )
        for view in rollouts
        if view.phase == Phase.HALTED
    ]
    found += [
        Ask(
            about=_change(view),
            sentence=f"{view.id} needs somebody who looks: {' '.join(view.sentences)}",
            since=view.changed_at,
            page=f"/rollouts/{view.id}",
        )
        for view in rollouts
        if is_stuck(view)
    ]
    found += [
        Ask(
            about=f"{each.of} {each.name}",
            sentence=f"{each.tabled.by} tabled it: {each.tabled.why}",
            since=each.tabled.at,
            command=f"glideslope agree show {each.of} {each.name}",
        )
        for each in agreements
        if each.tabled is not None
        and visitor.actor != each.tabled.by
        and {need.function for need in each.needs} & set(functions or ())
        and visitor.actor not in {grant.by for grant in each.tabled.granted}
    ]
    found += [
        Ask(
            about=f"{each.model} {each.candidate}",
            sentence=f"The incident of {each.rollout} is open; it lacks {', '.join(each.lacking) or 'somebody who closes it'}.",
            since=each.opened_at,
            command=f"glideslope incident show {each.rollout}",
        )
        for each in incidents
        if not each.closed_by
    ]
    return found
