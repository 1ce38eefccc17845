"""When a machine's judgement needs a person's: evidence that cannot be judged, and measures that disagree."""

from collections.abc import Iterable
from typing import Final

from glideslope.domain.ids import WHOLE
from glideslope.domain.reasons import FOR_PEOPLE
from glideslope.domain.rollout import Phase
from glideslope.engine.views import GuardrailView, RolloutView, SignalView

HALFWAY: Final = 0.5
"""How far evidence of harm has come when it contradicts a proof on another guardrail: a part of its line, both as logarithms."""


def is_stuck(view: RolloutView) -> bool:
    """Tell whether the machine cannot judge what it sees, so that a rollout stays where it is until a person does something."""
    held = view.phase == Phase.RUNNING and view.last is not None and view.last.decision == "hold"
    return held and bool(FOR_PEOPLE & set(view.reasons))


def grounds(view: RolloutView, flags: Iterable[SignalView]) -> tuple[str, ...]:
    """Return what speaks for a look at a rollout under way and was not judged in this step: codes, disagreeing guardrails, flags."""
    if view.ended or view.phase == Phase.HALTED:
        return ()
    pair = conflict(view.guardrails)
    found = sorted(code for code in view.reasons if code in FOR_PEOPLE) if is_stuck(view) else []
    found += [] if pair is None else [about_pair(pair)]
    found += sorted(each.id for each in flags if each.rollout == view.id)
    known = {ground for each in view.judged if each.step == view.step for ground in each.about}
    return tuple(ground for ground in found if ground not in known)


def conflict(guardrails: Iterable[GuardrailView]) -> tuple[GuardrailView, GuardrailView] | None:
    """Return a guardrail that is proven to be well and one that is on its way to harm, where measures disagree so."""
    judged = [each for each in guardrails if each.harm_line > 0]
    against = max(
        (each for each in judged if each.harm_wealth >= HALFWAY * each.harm_line),
        key=lambda each: each.harm_wealth / each.harm_line,
        default=None,
    )
    well = next((each for each in judged if each.word == "proven" and each is not against), None)
    return None if against is None or well is None else (well, against)


def about_pair(pair: tuple[GuardrailView, GuardrailView]) -> str:
    """Return what a judgement of a disagreement names."""
    return f"{_name(pair[0])}/{_name(pair[1])}"


def disagreement(pair: tuple[GuardrailView, GuardrailView]) -> str:
    """Say what disagrees."""
    well, against = (_name(each) for each in pair)
    way = pair[1].harm_wealth / pair[1].harm_line
    return (
        f"Measures disagree: {well} is proven to be within its margin, and {against} is {way:.0%} of the way to harm."
    )


def _name(view: GuardrailView) -> str:
    return view.metric if view.slice == WHOLE else f"{view.metric} on {view.slice}"
