"""Forecasts as interfaces show them. Pure."""

from glideslope.domain.forecast import Forecast, Outlook
from glideslope.engine.views import BudgetForecast, StepForecast


def step_forecast(f: Forecast) -> StepForecast:
    """Show what a step can tell."""
    return StepForecast(
        name=f.step.name,
        stage=f.step.stage.value,
        share=f.step.candidate,
        control=f.step.control,
        guardrail=f.guardrail.metric.name,
        detects=f.detects or 0.0,
        subjects_to_proof=f.subjects_to_proof or 0,
        seconds_to_proof=f.seconds_to_proof,
        subjects_at_risk=f.subjects_at_risk,
    )


def budget_forecast(o: Outlook) -> BudgetForecast:
    """Show how long a harm budget lasts."""
    return BudgetForecast(
        metric=o.budget.metric,
        measure=o.budget.measure.value,
        size=o.budget.size,
        when_equal=o.when_equal,
        when_worse=o.when_worse,
    )
