"""What is asked where no coin chose an arm: of pairs in the shadow stage, and of absolute limits."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from glideslope.domain.asked import Asked, told
from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Kind, differences
from glideslope.domain.pair_tests import proof_tests
from glideslope.domain.plan import Guardrail, HarmNull, MarginKind, Plan
from glideslope.domain.tables import added, limited_tally
from glideslope.stats.calibration import CalibrationGuard
from glideslope.stats.guard import RateGuard
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.wealth import TallyTest

LIMIT_ALPHA: Final = 0.01
"""Chance of ever pausing for an absolute limit that is kept, per guardrail."""


def pair_proof_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every required limit on pairs: is it proven to be kept? Both sides of a shift must be."""
    return tuple(one.finding() for one in pair_proofs(plan, evidence))


def limit_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask the same, and return every answer."""
    return tuple(asked.finding() for asked in _limits(plan, evidence))


def limit_found(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail with an absolute limit, on both arms together: is it broken? Return FAIL, and INVALID."""
    return told(_limits(plan, evidence))


@lru_cache(maxsize=4096)
def paired_harm(g: Guardrail) -> TallyTest:
    """Return the test of harm for pairs."""
    if g.metric.kind is Kind.EVENT and g.harm is HarmNull.WORSE:
        return PairedHarm()
    return PairedScoreHarm(
        values=differences(g.metric),
        margin=g.margin.size if g.harm is HarmNull.BEYOND_MARGIN else 0.0,
    )


@lru_cache(maxsize=4096)
def paired_proof(g: Guardrail, loosen: float) -> TallyTest:
    """Return the test that proves a candidate to be within the margin on pairs."""
    if g.metric.kind is Kind.EVENT and g.margin.kind is MarginKind.RELATIVE:
        return PairedPass(margin=g.margin.size * loosen)
    return PairedScorePass(values=differences(g.metric), margin=g.margin.size * loosen)


@lru_cache(maxsize=1024)
def calibration_test(g: Guardrail) -> TallyTest:
    """Return the test of what one arm says happens against what does."""
    return CalibrationGuard(edges=g.metric.edges, tolerance=g.margin.size)


@lru_cache(maxsize=1024)
def limit_test(limit: float) -> TallyTest:
    """Return the test of an absolute limit on a rate."""
    return RateGuard(limit)


def pair_proofs(plan: Plan, evidence: Evidence) -> Iterable[Asked]:
    for limit in plan.rules.limits:
        for test in proof_tests(limit) if limit.required else ():
            yield Asked(
                question=Question.PROOF,
                crossing=Verdict.PASS,
                subject=limit.kind.value,
                slice=WHOLE,
                test=test,
                alpha=plan.alpha_pass,
                over=limited_tally(evidence, limit, WHOLE),
            )


def _limits(plan: Plan, evidence: Evidence) -> Iterable[Asked]:
    for g in plan.guardrails:
        if g.metric.kind is Kind.CALIBRATION:
            mine = [c.candidate for c in evidence.counts if (c.metric, c.slice) == (g.metric.name, WHOLE)]
            yield Asked(
                question=Question.LIMIT,
                crossing=Verdict.FAIL,
                subject=g.metric.name,
                slice=WHOLE,
                test=calibration_test(g),
                alpha=LIMIT_ALPHA,
                over=added(mine, bins=g.metric.bins),
            )
        if g.limit is None:
            continue
        arms = [
            arm
            for c in evidence.counts
            if c.metric == g.metric.name and c.slice == WHOLE
            for arm in (c.candidate, c.incumbent)
        ]
        yield Asked(
            question=Question.LIMIT,
            crossing=Verdict.FAIL,
            subject=g.metric.name,
            slice=WHOLE,
            test=limit_test(g.limit),
            alpha=LIMIT_ALPHA,
            over=added(arms, bins=g.metric.bins),
        )
