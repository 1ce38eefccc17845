"""Evidence in, findings out: which tests a guardrail is put to, and what each answers. Malformed evidence is INVALID."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final, assert_never

from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import WHOLE, SliceName
from glideslope.domain.metric import Kind, Metric, Origin, differences, slice_names
from glideslope.domain.plan import Guardrail, HarmNull, MarginKind, Plan, StageKind, Step
from glideslope.ledger.canonical import LARGEST_INTEGER
from glideslope.stats import family
from glideslope.stats.counts import Table, Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.reals import ln
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass
from glideslope.stats.split import SplitTest
from glideslope.stats.wealth import TallyTest, Test, crossed, log_wealth

SPLIT_ALPHA: Final = 0.001
"""Chance of ever doubting a split that is as asked, per step."""

LIMIT_ALPHA: Final = 0.01
"""Chance of ever pausing for an absolute limit that is kept, per guardrail."""


def harm_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail, on the whole and on each slice: is the candidate worse? FAIL is yes, for good."""
    return tuple(
        finding
        for guardrail in plan.guardrails
        for slice_, alpha in _alphas(plan, guardrail)
        for finding in _harm(plan, guardrail, slice_, alpha=alpha, evidence=evidence)
    )


def proof_findings(plan: Plan, evidence: Evidence, step: Step) -> tuple[Finding, ...]:
    """Ask of every required guardrail: is the candidate proven to be within the margin? Only PASS is yes."""
    if step.stage is StageKind.SHADOW:
        asked = [g for g in plan.guardrails if g.required and is_paired(g.metric)]
        return tuple(
            _ask_pairs(
                Question.PROOF,
                g,
                WHOLE,
                test=paired_proof(g, step.loosen),
                alpha=plan.alpha_pass,
                evidence=evidence,
            )
            for g in asked
        )
    return tuple(
        _ask(
            Question.PROOF,
            g,
            WHOLE,
            test=proof_test(g, step.loosen),
            alpha=plan.alpha_pass,
            tables=_swapped(tables_of(plan, evidence, g, WHOLE))
            if g.metric.kind is Kind.LATENCY
            else tables_of(plan, evidence, g, WHOLE),
        )
        for g in plan.guardrails
        if g.required
    )


def split_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every step with a coin: is the traffic the split that was asked for? INVALID is no."""
    found = []
    for exposed in evidence.exposed:
        step = _step(plan, exposed.step)
        if step is None or not step.has_coin:
            continue
        weights = step.split.weights()
        table = _table(weights.candidate, weights.control, (exposed.candidate,), (exposed.incumbent,))
        found.append(
            _of_tables(
                Question.SPLIT,
                step.name,
                WHOLE,
                test=SplitTest(),
                tables=None if table is None else (table,),
                alpha=SPLIT_ALPHA,
                crossing=Verdict.INVALID,
            ),
        )
    return tuple(found)


def limit_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail with an absolute limit, on both arms together: is it broken? FAIL is yes."""
    found = []
    for g in plan.guardrails:
        if g.limit is None:
            continue
        arms = [
            arm
            for c in evidence.counts
            if c.metric == g.metric.name and c.slice == WHOLE
            for arm in (c.candidate, c.incumbent)
        ]
        found.append(
            _of_tally(
                Question.LIMIT,
                g.metric.name,
                WHOLE,
                test=RateGuard(g.limit),
                tally=_added(arms, bins=g.metric.bins),
                alpha=LIMIT_ALPHA,
                crossing=Verdict.FAIL,
            ),
        )
    return tuple(found)


def offline_findings(plan: Plan) -> tuple[Finding, ...]:
    """Hold each criterion against the evaluation of its holdout. A missing or non-finite value is never a pass."""
    found = []
    for criterion in plan.criteria:
        measured = [
            e
            for e in plan.evaluations
            if (e.metric, e.holdout) == (criterion.metric, criterion.holdout) and e.count > 0
        ]
        worse = [
            e.candidate - e.incumbent if criterion.lower_is_better else e.incumbent - e.candidate for e in measured
        ]
        if not measured:
            verdict = Verdict.INCONCLUSIVE
        else:
            # A NaN is in no comparison and an infinity no measurement, so the pass must be earned by every one.
            met = all(math.isfinite(w) and w <= criterion.margin for w in worse)
            verdict = Verdict.PASS if met else Verdict.FAIL
        found.append(
            Finding(
                question=Question.OFFLINE,
                verdict=verdict,
                subject=f"{criterion.metric} {criterion.holdout}",
                slice=WHOLE,
                wealth=0.0,
                line=0.0,
                candidate=sum(e.count for e in measured),
                incumbent=sum(e.count for e in measured),
            ),
        )
    return tuple(found)


def failing(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return those whose answer is bad news for good: FAIL, or INVALID."""
    return tuple(f for f in findings if f.verdict in (Verdict.FAIL, Verdict.INVALID))


def is_paired(metric: Metric) -> bool:
    """Tell whether the shadow's answers can be judged by this metric: it needs an outcome of the same request."""
    return metric.origin is Origin.OUTCOME and metric.loss is not None


def check_tests(plan: Plan) -> None:
    """Build every test that the plan will need. Raises PlanInvalid for a margin or rate that no test can use."""
    for g in plan.guardrails:
        for step in plan.steps:
            try:
                harm_test(g)
                proof_test(g, step.loosen)
                if is_paired(g.metric):
                    paired_harm(g)
                    paired_proof(g, step.loosen)
            except ValueError as error:
                raise PlanInvalid(f"{g.metric.name} in {step.name}: {error}.", where="guardrails") from error


@lru_cache(maxsize=4096)
def harm_test(g: Guardrail) -> Test:
    """Return the test of harm for outcomes under a coin."""
    beyond = g.harm is HarmNull.BEYOND_MARGIN
    match g.metric.kind:
        case Kind.EVENT if not beyond:
            return EventHarm(g.base_rate)
        case Kind.EVENT if g.margin.kind is MarginKind.RELATIVE:
            return EventHarmBeyond(g.margin.size)
        case Kind.EVENT:
            return DifferenceHarm(margin=g.margin.size, base_rate=g.base_rate)
        case Kind.SCORE:
            return ScoreHarm(values=g.metric.values, centre=g.base_rate, margin=g.margin.size if beyond else 0.0)
        case Kind.LATENCY:
            # The candidate's latencies were divided by 1 + margin when they were binned, so harm is beyond the margin.
            return BinsHarm(reference=_reference(g), edges=g.metric.edges)
        case _:
            assert_never(g.metric.kind)


@lru_cache(maxsize=4096)
def proof_test(g: Guardrail, loosen: float) -> Test:
    """Return the test that proves a candidate to be within the margin, loosened by the step."""
    match g.metric.kind:
        case Kind.EVENT if g.margin.kind is MarginKind.RELATIVE:
            return RatioPass(margin=g.margin.size * loosen)
        case Kind.EVENT:
            return DifferencePass(margin=g.margin.size * loosen, base_rate=g.base_rate)
        case Kind.SCORE:
            return ScorePass(values=g.metric.values, centre=g.base_rate, margin=g.margin.size * loosen)
        case Kind.LATENCY:
            # With the arms swapped: is the incumbent slower than the candidate's latency divided by its tolerance?
            return BinsHarm(reference=_reference(g), edges=g.metric.edges)
        case _:
            assert_never(g.metric.kind)


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


def tables_of(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName) -> tuple[Table, ...] | None:
    """Return a guardrail's outcomes per coin; None when the evidence is malformed."""
    tables, steps = [], []
    for counts in evidence.counts:
        if counts.metric != g.metric.name or counts.slice != slice_:
            continue
        step = _step(plan, counts.step)
        if step is None or not step.has_coin:
            continue
        weights = step.split.weights()
        table = _table(weights.candidate, weights.control, counts.candidate, counts.incumbent)
        if table is None or len(counts.candidate) != g.metric.bins:
            return None
        tables.append(table)
        steps.append(step.name)
    return tuple(tables) if len(set(steps)) == len(steps) else None


def tally_of(evidence: Evidence, g: Guardrail, slice_: SliceName) -> Tally | None:
    """Return a guardrail's pairs; None when the evidence is malformed."""
    found = [p.differences for p in evidence.pairs if p.metric == g.metric.name and p.slice == slice_]
    return _added(found, bins=len(differences(g.metric))) if len(found) <= 1 else None


@lru_cache(maxsize=1024)
def _alphas(plan: Plan, g: Guardrail) -> tuple[tuple[SliceName, float], ...]:
    slices = slice_names(plan.dimensions) if g.metric.origin is not Origin.GATEWAY else ()
    total = sum(other.weight for other in plan.guardrails)
    allotted = family.allot(
        plan.alpha,
        weights={other.metric.name: Fraction(other.weight, total) for other in plan.guardrails},
        slices={g.metric.name: slices} if slices else None,
    )
    return tuple(
        (WHOLE if part.slice is None else SliceName(part.slice), part.alpha)
        for part in allotted
        if part.guardrail == g.metric.name
    )


def _harm(plan: Plan, g: Guardrail, slice_: SliceName, *, alpha: float, evidence: Evidence) -> Iterable[Finding]:
    paired = is_paired(g.metric) and any(s.stage is StageKind.SHADOW for s in plan.steps)
    # Two chances to be wrong about one guardrail share its alpha.
    share = alpha / 2 if paired else alpha
    yield _ask(Question.HARM, g, slice_, test=harm_test(g), alpha=share, tables=tables_of(plan, evidence, g, slice_))
    if paired:
        yield _ask_pairs(Question.HARM, g, slice_, test=paired_harm(g), alpha=share, evidence=evidence)


def _ask(
    question: Question,
    g: Guardrail,
    slice_: SliceName,
    *,
    test: Test,
    alpha: float,
    tables: tuple[Table, ...] | None,
) -> Finding:
    return _of_tables(
        question, g.metric.name, slice_, test=test, tables=tables, alpha=alpha, crossing=_bad_or_good(question)
    )


def _ask_pairs(
    question: Question,
    g: Guardrail,
    slice_: SliceName,
    *,
    test: TallyTest,
    alpha: float,
    evidence: Evidence,
) -> Finding:
    tally = tally_of(evidence, g, slice_)
    return _of_tally(
        question, g.metric.name, slice_, test=test, tally=tally, alpha=alpha, crossing=_bad_or_good(question)
    )


def _bad_or_good(question: Question) -> Verdict:
    return Verdict.PASS if question is Question.PROOF else Verdict.FAIL


def _of_tables(
    question: Question,
    subject: str,
    slice_: SliceName,
    *,
    test: Test,
    tables: tuple[Table, ...] | None,
    alpha: float,
    crossing: Verdict,
) -> Finding:
    if tables is None:
        return _finding(question, subject, slice_, verdict=Verdict.INVALID, wealth=0.0, alpha=alpha, sizes=(0, 0))
    return _finding(
        question,
        subject,
        slice_,
        verdict=crossing if crossed(test, tables, alpha) else Verdict.INCONCLUSIVE,
        wealth=log_wealth(test, tables),
        alpha=alpha,
        sizes=(sum(sum(t.candidate) for t in tables), sum(sum(t.incumbent) for t in tables)),
    )


def _of_tally(
    question: Question,
    subject: str,
    slice_: SliceName,
    *,
    test: TallyTest,
    tally: Tally | None,
    alpha: float,
    crossing: Verdict,
) -> Finding:
    if tally is None:
        return _finding(question, subject, slice_, verdict=Verdict.INVALID, wealth=0.0, alpha=alpha, sizes=(0, 0))
    return _finding(
        question,
        subject,
        slice_,
        verdict=crossing if crossed(test, tally, alpha) else Verdict.INCONCLUSIVE,
        wealth=log_wealth(test, tally),
        alpha=alpha,
        sizes=(sum(tally.counts), sum(tally.counts)),
    )


def _finding(
    question: Question,
    subject: str,
    slice_: SliceName,
    *,
    verdict: Verdict,
    wealth: float,
    alpha: float,
    sizes: tuple[int, int],
) -> Finding:
    candidate, incumbent = sizes
    return Finding(
        question=question,
        verdict=verdict,
        subject=subject,
        slice=slice_,
        wealth=round(wealth, 4),
        line=round(-ln(alpha), 4),
        candidate=candidate,
        incumbent=incumbent,
    )


def _swapped(tables: tuple[Table, ...] | None) -> tuple[Table, ...] | None:
    if tables is None:
        return None
    return tuple(
        Table(
            candidate_weight=t.control_weight,
            control_weight=t.candidate_weight,
            candidate=t.incumbent,
            incumbent=t.candidate,
        )
        for t in tables
    )


def _table(
    candidate_weight: int, control_weight: int, candidate: tuple[int, ...], incumbent: tuple[int, ...]
) -> Table | None:
    if not candidate or len(candidate) != len(incumbent) or not (_countable(candidate) and _countable(incumbent)):
        return None
    return Table(
        candidate_weight=candidate_weight,
        control_weight=control_weight,
        candidate=candidate,
        incumbent=incumbent,
    )


def _added(rows: Sequence[tuple[int, ...]], *, bins: int) -> Tally | None:
    """Add histograms, each of which must itself be one: a count below zero may not hide in a sum."""
    if any(len(row) != bins or not _countable(row) for row in rows):
        return None
    return Tally(tuple(map(sum, zip(*rows, strict=True))) or (0,) * bins)


def _countable(counts: Sequence[int]) -> bool:
    return all(type(count) is int and 0 <= count <= LARGEST_INTEGER for count in counts)


def _reference(g: Guardrail) -> tuple[int, ...]:
    # Without history every bin is alike: the test keeps its guarantee and loses some power.
    return g.reference if any(g.reference) else (1,) * g.metric.bins


def _step(plan: Plan, name: str) -> Step | None:
    return next((s for s in plan.steps if s.name == name), None)
