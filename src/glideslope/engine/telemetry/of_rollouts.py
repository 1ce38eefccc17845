"""What is told of one rollout: where it stands, whom it exposes, what its guardrails show, whose yes is missing. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from glideslope.domain.events import instant
from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Kind
from glideslope.domain.rollout import ENDED, Phase, Rollout, exposure
from glideslope.domain.traffic import FULL
from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.families import MOST_SLICES
from glideslope.engine.views import GuardrailView, RolloutView

Tell = Callable[..., None]
"""Takes a definition, a value and the values of its labels."""

LINGER: Final = 15 * 60_000
"""Milliseconds for which the requests of a rollout are told after its end, so that no scrape misses its last ones."""


def told(rollouts: Iterable[Rollout], *, now: int) -> list[Rollout]:
    """Return the rollouts whose requests are told: under way, or ended lately. `now` in milliseconds since the epoch, UTC."""
    return [each for each in rollouts if each.phase not in ENDED or now - each.changed_at <= LINGER]


def standing(tell: Tell, rollout: Rollout) -> None:
    """Tell where a rollout that is under way stands."""
    plan, step = rollout.plan, rollout.step
    labels = (plan.model, rollout.id)
    stage, name = (step.stage.value, step.name) if step else ("", "")
    tell(names.ROLLOUT, 1, *labels, plan.incumbent, plan.candidate, rollout.phase.value, stage, name)
    tell(names.PROPOSED_AT, rollout.proposed_at / 1000, *labels)
    wanted = exposure(rollout)
    tell(names.DESIRED, wanted.split.candidate / FULL if wanted else 0.0, *labels)
    if step is not None:
        tell(names.ENTERED_AT, rollout.entered_at / 1000, *labels)
        tell(names.STEP_MAXIMUM, step.maximum / 1000, *labels)


def phases(tell: Tell, rollouts: Iterable[Rollout]) -> None:
    """Tell how many rollouts stand how; phases that there are none of, too."""
    counted = Counter(each.phase for each in rollouts)
    for phase in Phase:
        tell(names.ROLLOUTS, counted[phase], phase.value)


def missing(tell: Tell, view: RolloutView) -> None:
    """Tell whose yes is missing."""
    if view.governed is not None:
        for need in view.governed.missing:
            tell(names.APPROVALS, need.count, view.model, view.id, need.function)
    elif view.phase == Phase.PROPOSED:
        given = sum(name != view.proposed_by for name in view.approved_by)
        tell(names.APPROVALS, max(0, view.approvals_needed - given), view.model, view.id, "")


def figures(tell: Tell, rollout: Rollout, view: RolloutView) -> None:
    """Tell what its guardrails show, of each the worst slices, what outcomes are worth, and how fresh that is."""
    latencies = {str(g.metric.name) for g in rollout.plan.guardrails if g.metric.kind is Kind.LATENCY}
    shown = kept(view.guardrails)
    tell(names.LEFT_OUT, len(view.guardrails) - len(shown), view.model, view.id)
    for g in shown:
        _guardrail(tell, view, g, seconds=g.metric in latencies)
    for worth in view.values[: MOST_SLICES + 1]:
        for arm, value in (("candidate", worth.candidate), ("incumbent", worth.incumbent)):
            tell(names.WORTH, value / worth.per, view.model, view.id, worth.slice, arm, worth.currency)
    for source in view.sources:
        labels = (view.model, view.id, source.origin)
        tell(names.HEARD_AT, instant(source.last) / 1000 if source.last else None, *labels)
        tell(names.FRESH, int(source.fresh), *labels)
        tell(names.DROPPED, source.dropped, *labels)


def kept(found: Sequence[GuardrailView]) -> list[GuardrailView]:
    """Return each guardrail on the whole, and of its slices the MOST_SLICES with the most evidence of harm."""
    slices = Counter[str]()
    ordered = sorted(found, key=lambda g: (g.slice != WHOLE, g.harm_line - g.harm_wealth, g.slice))
    shown = []
    for g in ordered:
        slices[g.metric] += g.slice != WHOLE
        if g.slice == WHOLE or slices[g.metric] <= MOST_SLICES:
            shown.append(g)
    return shown


def _guardrail(tell: Tell, view: RolloutView, g: GuardrailView, *, seconds: bool) -> None:
    where = (view.model, view.id, g.metric, g.slice)
    tell(names.DIFFERENCE, g.estimate, *where, g.kind)
    tell(names.BOUND, g.low, *where, g.kind, "lower")
    tell(names.BOUND, g.high, *where, g.kind, "upper")
    tell(names.MARGIN, g.margin, *where, g.kind)
    for question, wealth, line in (("harm", g.harm_wealth, g.harm_line), ("proof", g.proof_wealth, g.proof_line)):
        tell(names.EVIDENCE, wealth / line if line > 0 else None, *where, question)
    for arm, value, count in (
        ("candidate", g.candidate, g.candidate_count),
        ("incumbent", g.incumbent, g.incumbent_count),
    ):
        tell(names.VALUE, None if value is None else value / 1000 if seconds else value, *where, arm)
        tell(names.SAMPLES, count, *where, arm)
