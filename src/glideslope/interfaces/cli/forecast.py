"""A plan and its forecast as lines of text."""

from msgspec import UnsetType

from glideslope.domain.governing.governed import Governed
from glideslope.domain.plan import Evaluation, Guardrail, MarginKind, Plan, Step
from glideslope.engine.views import PlanView, StepForecast
from glideslope.interfaces.cli.foreseeing import pair_prospect_lines, prospect_lines
from glideslope.interfaces.cli.lanes import lane_lines
from glideslope.interfaces.cli.words import number, percent, span, table
from glideslope.interfaces.cli.worth import budget_lines, formula_lines


def forecast_lines(view: PlanView) -> list[str]:
    """Say what would happen, what each step can detect, how long it takes and who would meet the candidate."""
    plan = view.plan
    lines = [
        f"{plan.model}: {plan.incumbent} ({plan.incumbent_digest[:15]}) -> {plan.candidate} ({plan.candidate_digest[:15]})",
        f"  why         {plan.why.strip()}",
        f"  owner       {plan.owner}",
        f"  traffic     {'nothing measured yet' if view.traffic_per_second is None else f'{view.traffic_per_second:g} subjects a second'}",
        f"  guardrails  {', '.join(_guardrail(g) for g in plan.guardrails)}",
        f"  errors      at most {plan.alpha:g} to roll back a candidate that is not worse; {plan.alpha_pass:g} to pass one beyond a margin",
        f"  approvals   {_approvals(plan)}; exposure is leased for {span(plan.lease / 1000)} at a time",
    ]
    lines += lane_lines(view.lane, width=12)
    lines += [f"  forbidden   {block}" for block in view.blocks]
    if plan.dimensions:
        slices = (f"{d.field}: {', '.join(d.values)}" for d in plan.dimensions)
        lines.append(f"  slices      {'; '.join(slices)}")
    if plan.crosses:
        together = ", ".join(" & ".join(cross) for cross in plan.crosses)
        lines.append(f"  crosses     {together}: {len(plan.slices):,} slices in all")
    if plan.rules.limits:
        limits = (f"{limit.kind.value} at most {limit.limit:.4g}" for limit in plan.rules.limits)
        lines.append(f"  pairs       {', '.join(limits)}")
    lines += formula_lines(plan)
    if plan.evaluations:
        lines += [
            "",
            *table(
                [["offline", "holdout", "incumbent", "candidate", "rows"], *(_evaluation(e) for e in plan.evaluations)]
            ),
        ]
    forecasts: dict[str, list[StepForecast]] = {}
    for each in view.forecast:
        forecasts.setdefault(each.name, []).append(each)
    rows = [["step", "stage", "share", "control", "least", "most", "then"]]
    rows += [_step(step) for step in plan.steps]
    lines += ["", *table(rows)]
    if view.forecast:
        rows = [["step", "guardrail", "detects", "to proof", "subjects to proof", "subjects at risk"]]
        rows += [_forecast(each) for step in plan.steps for each in forecasts.get(step.name, ())]
        lines += ["", *table(rows)]
    lines += prospect_lines(view)
    lines += pair_prospect_lines(view)
    lines += budget_lines(plan, view.budgets)
    lines += ["", f"  earliest end  {span(view.earliest_seconds)}", f"  plan          {view.digest}"]
    lines += [f"  warning {warning.code}: {warning.sentence}" for warning in view.warnings]
    return lines


def _guardrail(guardrail: Guardrail) -> str:
    margin = f"{guardrail.margin.size:.4g}"
    if guardrail.margin.kind is MarginKind.RELATIVE:
        margin = f"{guardrail.margin.size * 100:.4g}%"
    watched = "" if guardrail.required else ", only watched"
    return f"{guardrail.metric.name} (margin {margin}{watched})"


def _evaluation(each: Evaluation) -> list[str]:
    return [each.metric, each.holdout, number(each.incumbent), number(each.candidate), f"{each.count:,}"]


def _step(step: Step) -> list[str]:
    share = percent(step.mirror) + " mirrored" if step.mirror else percent(step.candidate)
    return [
        step.name,
        step.stage.value,
        share,
        percent(step.control),
        span(step.minimum / 1000) if step.minimum else "none",
        span(step.maximum / 1000),
        step.at_maximum.value,
    ]


def _forecast(each: StepForecast) -> list[str]:
    return [
        each.name,
        each.guardrail,
        number(each.detects) if each.detects else "-",
        span(each.seconds_to_proof),
        f"{each.subjects_to_proof:,}" if each.subjects_to_proof else "-",
        "unknown" if each.subjects_at_risk is None else f"{each.subjects_at_risk:,}",
    ]


def _approvals(plan: Plan) -> str:
    governed = plan.governed
    if isinstance(governed, Governed) and governed.needs:
        asked = ", ".join(n.function if n.count == 1 else f"{n.count} of {n.function}" for n in governed.needs)
        return (
            f"{asked} needed"
            if isinstance(governed.envelope, UnsetType)
            else f"{asked} by its tier, unless its envelope brings them"
        )
    return f"{plan.approvals or 'none'} needed"
