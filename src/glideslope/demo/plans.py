"""The plans of the demo's changes, as a person writes them. Times are those of the replay: a day of data takes seconds."""

import json
from collections.abc import Sequence
from typing import Any, Final

from glideslope.demo.training import Comparison

MODEL: Final = "late-arrival"

PLAN: Final = """\
model: {model}
candidate: {candidate}
owner: flights-ml@example.com
why: {why}

stages:
  - offline: {{auc: {{holdout: random, margin: 0.0, lower_is_better: false}}}}
  - shadow: {{for: {shadow}, mirror: 25%, at_most: 120s}}
  - canary: {{shares: [10%], for: {first}, at_most: 120s}}
  - canary: {{shares: [25%], for: {second}, at_most: 120s}}
  - canary: {{shares: [50%], for: {third}, at_most: 120s}}
  - full: {{for: 2s}}
  - bake: {{for: 2s}}

guardrails:
  - {{metric: log_loss, margin: 0.05, harm: worse, weight: 2}}
  - {{metric: errors, margin: 2pp}}
  - {{metric: latency, margin: 200%}}

slices: {{origin: [EWR, JFK, LGA]}}
approvals: 1
alpha: 0.01
lease: 1s
stale_after: 10s
outcomes_stale_after: 10s
"""
"""Tolerances of latency and errors are wide, since all servers of the demo share two busy cores."""


def plan_text(*, candidate: str, why: str, day: float) -> str:
    """Return the plan for a candidate when a day of data takes `day` seconds.

    The times are days of data: landings of a few hours are unlike those of a day, so each step sees whole days.
    """
    return PLAN.format(
        model=MODEL,
        candidate=candidate,
        why=json.dumps(why),
        shadow=_seconds(day),
        first=_seconds(day),
        second=_seconds(8 * day),
        third=_seconds(3 * day),
    )


def evaluations(comparisons: Sequence[Comparison], *, candidate: str, incumbent: str) -> list[dict[str, Any]]:
    """Return the offline comparisons of one candidate in the form that `glideslope register --evaluation` reads."""
    found = []
    for each in comparisons:
        if (each.candidate_version, each.incumbent_version) != (candidate, incumbent):
            continue
        for metric, lower_is_better in (("auc", False), ("log_loss", True)):
            found.append(
                {
                    "metric": metric,
                    "holdout": each.holdout,
                    "incumbent": round(getattr(each.incumbent, metric), 4),
                    "candidate": round(getattr(each.candidate, metric), 4),
                    "count": each.n,
                    "lower_is_better": lower_is_better,
                }
            )
    return found


def _seconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
