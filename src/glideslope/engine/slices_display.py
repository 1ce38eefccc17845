"""The parts of a rollout's data, worst first: what was declared and is judged, and what a search of the rest found. Pure."""

from collections.abc import Sequence
from typing import Final

from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Origin
from glideslope.domain.plan import Plan
from glideslope.domain.scan import SCAN_ALPHA, Searched, family
from glideslope.engine.views import GuardrailView, PairView, SearchedView, SlicesView

MOST_SHOWN: Final = 20
"""Slices that a search looked at."""


def slices_view(
    plan: Plan,
    guardrails: Sequence[GuardrailView],
    pairs: Sequence[PairView],
    *,
    searched: Sequence[Searched],
    left_out: int,
) -> SlicesView:
    """Put the slices in order of the evidence that speaks for harm there."""
    return SlicesView(
        declared=worst_first(guardrails),
        pairs=tuple(sorted((p for p in pairs if p.slice != WHOLE), key=_against)),
        tests=_tests(plan),
        alpha=plan.alpha,
        searched=tuple(
            SearchedView(
                metric=each.metric,
                slice=each.slice,
                paired=each.paired,
                wealth=each.wealth,
                p=each.p,
                found=each.found,
                candidate_count=each.candidate,
                incumbent_count=each.incumbent,
            )
            for each in searched[:MOST_SHOWN]
        ),
        search_alpha=SCAN_ALPHA,
        search_size=sum(family(plan).values()),
        left_out=left_out,
    )


def worst_first(guardrails: Sequence[GuardrailView]) -> tuple[GuardrailView, ...]:
    """Return the declared slices, those nearest to their line of harm first."""
    return tuple(sorted((g for g in guardrails if g.slice != WHOLE), key=_against))


def _against(view: GuardrailView | PairView) -> tuple[float, str, str]:
    share = view.harm_wealth / view.harm_line if view.harm_line > 0 else 0.0
    return (-share, view.metric if isinstance(view, GuardrailView) else view.kind, view.slice)


def _tests(plan: Plan) -> int:
    """Return into how many parts the plan's alpha is divided; two tests that share one part count once."""
    parts = len(plan.slices)
    on_guardrails = sum(
        1 if g.metric.origin is Origin.GATEWAY else 1 + parts for g in plan.guardrails if g.spends_alpha
    )
    return on_guardrails + len(plan.rules.limits) * (1 + parts)
