"""Evidence in, findings out: which tests a guardrail is put to, and what each answers. Malformed evidence is INVALID.

It is long because all kinds of metrics have their tests here, so that they can be compared.
"""

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.alphas import alphas_of, harm_alphas, is_paired, is_shadowed, pair_alphas
from glideslope.domain.asked import Asked, told
from glideslope.domain.awaited import Waiting, against, answered, begun, under_way
from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import Evidence, Pairs
from glideslope.domain.ids import WHOLE, MetricName, SliceName
from glideslope.domain.metric import RANKED, Kind, Origin
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.plan import Criterion, Evaluation, Guardrail, HarmNull, MarginKind, Plan, StageKind, Step
from glideslope.domain.stakes import staked_harm
from glideslope.domain.tables import (
    Tables,
    coins_of,
    limited,
    paired_tally,
    sizes,
    sorted_tables,
    table_under,
    tally_of,
)
from glideslope.domain.tallied import calibration_test, pair_proofs, paired_harm, paired_proof
from glideslope.stats.counted import CountHarm
from glideslope.stats.counts import Table, Tally
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.quantile import QuantileHarm, QuantilePass
from glideslope.stats.reals import written
from glideslope.stats.scaled import ScaledHarm, ScaledPass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass, StrataMean
from glideslope.stats.split import ALPHA as SPLIT_ALPHA
from glideslope.stats.split import SplitTest
from glideslope.stats.strata import OddsHarm, Stratified
from glideslope.stats.wealth import TallyTest, Test, crossed

_SPLIT: Final = SplitTest()


def harm_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail, on the whole and on each slice: is the candidate worse? FAIL is yes, for good."""
    return tuple(asked.finding() for asked in _harm(plan, evidence, answered(plan, sorted_tables(plan, evidence))))


def harm_found(plan: Plan, evidence: Evidence, tables: Tables | None = None) -> tuple[Finding, ...]:
    """Return of the same findings only those that say something: FAIL, or INVALID for malformed evidence.

    `tables` are the evidence's, for a caller that has sorted and `answered` them already.
    """
    return told(_harm(plan, evidence, answered(plan, sorted_tables(plan, evidence)) if tables is None else tables))


def proof_findings(
    plan: Plan, evidence: Evidence, step: Step, tables: Tables | None = None, *, awaiting: bool = True
) -> tuple[Finding, ...]:
    """Ask of every required guardrail: is the candidate proven to be within the margin? Only PASS is yes.

    With `awaiting`, requests that are still under way are taken to end as badly for the proof as they can.
    """
    found = sorted_tables(plan, evidence) if tables is None else tables
    asked = _proofs(plan, evidence, step, found, awaiting=awaiting)
    return tuple(one.finding() for one in asked)


def split_found(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every step with a coin: is the traffic the split that was asked for? Return where it is not: INVALID."""
    return told(_splits(plan, evidence))


def lopsided(plan: Plan, tables: Tables) -> frozenset[MetricName]:
    """Return the metrics whose outcomes came from the arms in another proportion than the coin's.

    Then a part of one arm's is missing, and not by chance: it may be the bad part. The gateway counts its outcomes and the
    exposure in one, so of its metrics `split_found` asks the same.
    """
    return frozenset(
        g.metric.name
        for g in plan.guardrails
        if g.metric.origin is not Origin.GATEWAY
        and any(
            not all(sizes((table,))) or crossed(_SPLIT, (table.sizes(),), SPLIT_ALPHA)
            for table in tables[g.metric.name, WHOLE] or ()
        )
    )


def is_lopsided(plan: Plan, tables: Tables) -> bool:
    """Tell whether the outcomes behind a required proof are lopsided."""
    found = lopsided(plan, tables)
    return any(g.required and g.metric.name in found for g in plan.guardrails)


def offline_findings(plan: Plan) -> tuple[Finding, ...]:
    """Hold each criterion against the evaluation of its holdout. A missing or non-finite value is never a pass."""
    found = []
    for criterion in plan.criteria:
        measured = [
            e
            for e in plan.evaluations
            if (e.metric, e.holdout) == (criterion.metric, criterion.holdout) and e.count > 0
        ]
        told = {_offline_verdict(criterion, e) for e in measured}
        # The pass must be earned by every one, and a failure of one is a failure.
        verdict = told.pop() if len(told) == 1 else Verdict.FAIL if Verdict.FAIL in told else Verdict.INCONCLUSIVE
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


def _offline_verdict(criterion: Criterion, e: Evaluation) -> Verdict:
    """Hold a criterion against one evaluation: by its interval where it has one, and never better than its own verdict."""
    worse = e.candidate - e.incumbent if criterion.lower_is_better else e.incumbent - e.candidate
    if not math.isfinite(worse):
        # A NaN is in no comparison and an infinity no measurement.
        return Verdict.FAIL
    if e.low is UNSET and e.high is UNSET:
        found = Verdict.PASS if worse <= criterion.margin else Verdict.FAIL
    else:
        least, most = (e.low, e.high) if criterion.lower_is_better else (_mirrored(e.high), _mirrored(e.low))
        found = Verdict.INCONCLUSIVE
        if isinstance(most, float) and most <= criterion.margin:
            found = Verdict.PASS
        elif isinstance(least, float) and least > criterion.margin:
            found = Verdict.FAIL
    if e.verdict is UNSET or e.verdict is Verdict.PASS:
        return found
    return Verdict.FAIL if Verdict.FAIL in (found, e.verdict) else Verdict.INCONCLUSIVE


def _mirrored(end: float | UnsetType | None) -> float | UnsetType | None:
    return -end if isinstance(end, float) else end


def needs_outcomes(g: Guardrail) -> bool:
    """Tell whether a guardrail waits for the truth about predictions."""
    return g.metric.origin is Origin.OUTCOME


def check_tests(plan: Plan) -> None:
    """Build every test that the plan will need. Raises PlanInvalid for a margin or rate that no test can use."""
    for g in plan.guardrails:
        for step in plan.steps:
            try:
                if g.metric.kind is Kind.CALIBRATION:
                    calibration_test(g)
                if not g.spends_alpha:
                    continue
                if g.metric.kind not in RANKED:
                    harm_test(g)
                    proof_test(g, step.loosen)
                    for alpha in harm_alphas(plan, g):
                        harm_asked(g, WHOLE, alpha=alpha, over=())
                    proof_asked(g, step.loosen)
                if is_paired(g.metric) or g.metric.kind in RANKED:
                    paired_harm(g)
                    paired_proof(g, step.loosen)
            except ValueError as error:
                raise PlanInvalid(f"{g.metric.name} in {step.name}: {error}.", where="guardrails") from error
    for limit in plan.rules.limits:
        try:
            harm_tests(limit)
            proof_tests(limit)
        except ValueError as error:
            raise PlanInvalid(f"{limit.kind.value}: {error}.", where="pairs") from error


def harm_asked(g: Guardrail, slice_: SliceName, *, alpha: float, over: Sequence[Table] | None) -> Test:
    """Return the test of harm that a slice's outcomes are put to, None for malformed ones."""
    if g.strata is not msgspec.UNSET and slice_ == WHOLE:
        return _stratified_harm(g)
    if g.stakes is not msgspec.UNSET:
        return staked_harm(g.stakes, base_rate=g.base_rate, alpha=alpha, tables=over)
    return harm_test(g)


@lru_cache(maxsize=4096)
def _stratified_harm(g: Guardrail) -> Test:
    if (
        mean := _mean_by_strata(g, g.margin.size if g.harm is HarmNull.BEYOND_MARGIN else 0.0, proof=False)
    ) is not None:
        return mean
    return Stratified(
        tuple(
            harm_test(each)
            if each.stakes is msgspec.UNSET
            else OddsHarm(each.base_rate, ratios=each.stakes.ratios, prior=each.stakes.stakes)
            for each in _strata_of(g)
        )
    )


@lru_cache(maxsize=4096)
def proof_asked(g: Guardrail, loosen: float) -> Test:
    """Return the test of proof that the whole's outcomes are put to."""
    if g.strata is msgspec.UNSET:
        return proof_test(g, loosen)
    if (mean := _mean_by_strata(g, g.margin.size * loosen, proof=True)) is not None:
        return mean
    return Stratified(tuple(proof_test(each, loosen) for each in _strata_of(g)))


def _mean_by_strata(g: Guardrail, margin: float, *, proof: bool) -> Test | None:
    """Return the test of the whole's mean by strata; None where it is by ratios, which are staked alike in all strata."""
    if g.strata is msgspec.UNSET or not g.strata.whole:
        return None
    if g.metric.kind is Kind.EVENT and (g.margin.kind is MarginKind.RELATIVE or not (proof or margin)):
        return None
    return StrataMean(values=g.metric.values, centres=(*g.strata.usual, g.base_rate), margin=margin, proof=proof)


def _strata_of(g: Guardrail) -> Sequence[Guardrail]:
    """Return the guardrail as it is in each stratum, and last for the subjects in none."""
    usual = () if g.strata is msgspec.UNSET else g.strata.usual
    return [msgspec.structs.replace(g, base_rate=rate) for rate in (*usual, g.base_rate)]


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
        case Kind.COUNT if not beyond:
            return CountHarm(reference=_reference(g), values=g.metric.values, prior=g.prior or ())
        case Kind.MEAN | Kind.COUNT if beyond and g.margin.kind is MarginKind.RELATIVE:
            return ScaledHarm(values=g.metric.values, centre=_centre(g), factor=_factor(g, 1.0))
        case Kind.MEAN | Kind.COUNT:
            return ScoreHarm(values=g.metric.values, centre=_centre(g), margin=g.margin.size if beyond else 0.0)
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            return QuantileHarm(level=g.quantile, cut=_cut(g), size=g.metric.bins)
        case Kind.LATENCY:
            # The candidate's latencies were divided by 1 + margin when they were binned, so harm is beyond the margin.
            return BinsHarm(reference=_reference(g), edges=g.metric.edges)
        case Kind.UNBOUNDED | Kind.CALIBRATION | Kind.AUC | Kind.AVERAGE_PRECISION:
            raise ValueError(f"a {g.metric.kind.value} is not judged by comparing outcomes under a coin")
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
            # Plans of before have no trust, and no reference of a score was ever asked.
            reference = g.reference if g.trust else ()
            margin = g.margin.size * loosen
            return ScorePass(
                values=g.metric.values, centre=g.base_rate, margin=margin, reference=reference, trust=g.trust or None
            )
        case Kind.MEAN | Kind.COUNT if g.margin.kind is MarginKind.RELATIVE:
            return ScaledPass(
                values=g.metric.values,
                centre=_centre(g),
                factor=_factor(g, loosen),
                reference=g.reference,
                trust=g.trust or None,
            )
        case Kind.MEAN | Kind.COUNT:
            margin = g.margin.size * loosen
            return ScorePass(
                values=g.metric.values,
                centre=_centre(g),
                margin=margin,
                reference=g.reference,
                trust=g.trust or None,
            )
        case Kind.LATENCY if g.quantile is not msgspec.UNSET:
            # With the arms swapped, as below.
            return QuantilePass(level=g.quantile, tolerated=tolerated(g), cut=_cut(g), size=g.metric.bins)
        case Kind.LATENCY:
            # With the arms swapped: is the incumbent slower than the candidate's latency divided by its tolerance?
            return BinsHarm(reference=_reference(g), edges=g.metric.edges)
        case Kind.UNBOUNDED | Kind.CALIBRATION | Kind.AUC | Kind.AVERAGE_PRECISION:
            raise ValueError(f"a {g.metric.kind.value} is not proven by comparing outcomes under a coin")
        case _:
            assert_never(g.metric.kind)


def _centre(g: Guardrail) -> float:
    return g.metric.sign * g.base_rate


def _factor(g: Guardrail, loosen: float) -> float:
    """Return how many times the incumbent's mean loss is tolerable; of what should be high, how much of it must be left."""
    return float(1 + g.metric.sign * written(loosened(g, loosen)))


def loosened(g: Guardrail, loosen: float) -> float:
    """Return the size of a margin in a step that loosens it. Raises ValueError for one that tolerates everything.

    Of what should be high no more can be lost than there is: it goes at most half of the way to nothing.
    """
    size = g.margin.size
    if g.metric.sign > 0 or g.margin.kind is not MarginKind.RELATIVE:
        return size * loosen
    if size >= 1:
        raise ValueError(f"a loss of {size:.0%} lets every candidate pass")
    return min(size * loosen, (1 + size) / 2)


def _cut(g: Guardrail) -> int:
    """Return the first bin beyond the threshold."""
    return g.metric.edges.index(g.threshold) + 1  # type: ignore[arg-type,unused-ignore]  # set with the quantile


def tolerated(g: Guardrail) -> float:
    """Return how often an equal candidate exceeds the threshold once it is divided by its tolerance."""
    beyond = g.threshold * (1 + g.margin.size)  # type: ignore[operator]  # as above
    total, slow, low = sum(g.reference), 0.0, 0.0
    if not total:
        return g.base_rate / 2
    for count, high in zip(g.reference, (*g.metric.edges, math.inf), strict=True):
        if low >= beyond:
            slow += count
        elif high > beyond:
            slow += count * (high - beyond) / (high - low) if high < math.inf else count
        low = high
    # Rounded, and kept below what is not tolerated: it chooses bets and proves nothing.
    return round(min(slow / total, g.base_rate), 6)


def _harm(plan: Plan, evidence: Evidence, tables: Tables) -> Iterable[Asked]:
    pairs: dict[tuple[MetricName, SliceName], list[Pairs]] = {}
    for p in evidence.pairs:
        pairs.setdefault((p.metric, p.slice), []).append(p)
    for g in plan.guardrails:
        if not g.spends_alpha:
            continue
        ranked = g.metric.kind in RANKED
        paired = is_shadowed(plan, g)
        for (slice_, _), share in zip(alphas_of(plan, g), harm_alphas(plan, g), strict=True):
            if not ranked:
                yield Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=g.metric.name,
                    slice=slice_,
                    test=harm_asked(g, slice_, alpha=share, over=tables[g.metric.name, slice_]),
                    alpha=share,
                    over=tables[g.metric.name, slice_],
                )
            if ranked or paired:
                yield Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=g.metric.name,
                    slice=slice_,
                    test=paired_harm(g),
                    alpha=share,
                    over=paired_tally(pairs.get((g.metric.name, slice_), []), metric=g.metric),
                )
    for limit in plan.rules.limits:
        for slice_, alpha in pair_alphas(plan, limit):
            tests = harm_tests(limit)
            for test in tests:
                yield Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=limit.kind.value,
                    slice=slice_,
                    test=test,
                    alpha=alpha / len(tests),
                    over=limited(pairs.get((MetricName(limit.kind.value), slice_), []), limit),
                )


def _proofs(plan: Plan, evidence: Evidence, step: Step, tables: Tables, *, awaiting: bool) -> Iterable[Asked]:
    shadow = step.stage is StageKind.SHADOW
    seen = begun(plan, evidence) if awaiting else None
    for g in plan.guardrails:
        if not g.required or (shadow and not is_paired(g.metric)):
            continue
        if shadow or g.metric.kind in RANKED:
            yield _proof(plan, g, paired_proof(g, step.loosen), tally_of(evidence, g, WHOLE))
            continue
        test, over = proof_asked(g, step.loosen), tables[g.metric.name, WHOLE]
        if awaiting and over is not None and g.metric.origin is Origin.GATEWAY:
            if seen is None:
                yield _proof(plan, g, test, None)
                continue
            if known := under_way(plan, evidence, g, over, seen=seen):
                filled, put = against(test, [(_turned(g, table), _facing(g, *waiting)) for table, waiting in known])
                yield _proof(plan, g, test, filled, awaited=put)
                continue
        yield _proof(plan, g, test, None if over is None else tuple(_turned(g, table) for table in over))
    if shadow:
        yield from pair_proofs(plan, evidence)


def _proof(
    plan: Plan,
    g: Guardrail,
    test: Test | TallyTest,
    over: tuple[Table, ...] | Tally | None,
    *,
    awaited: Waiting = (0, 0),
) -> Asked:
    return Asked(
        question=Question.PROOF,
        crossing=Verdict.PASS,
        subject=g.metric.name,
        slice=WHOLE,
        test=test,
        alpha=plan.alpha_pass,
        over=over,
        awaited=awaited,
    )


def _turned(g: Guardrail, table: Table) -> Table:
    """Swap the arms for a latency, whose proof asks whether the incumbent is slower."""
    return _swapped(table) if g.metric.kind is Kind.LATENCY else table


def _facing(g: Guardrail, candidate: int, incumbent: int) -> Waiting:
    return (incumbent, candidate) if g.metric.kind is Kind.LATENCY else (candidate, incumbent)


@lru_cache(maxsize=4096)
def _swapped(table: Table) -> Table:
    return Table(
        candidate_weight=table.control_weight,
        control_weight=table.candidate_weight,
        candidate=table.incumbent,
        incumbent=table.candidate,
    )


def _splits(plan: Plan, evidence: Evidence) -> Iterable[Asked]:
    coins = coins_of(plan)
    for exposed in evidence.exposed:
        coin = coins.get(exposed.step)
        if coin is None:
            continue
        table = table_under(coin, (exposed.candidate,), (exposed.incumbent,))
        yield Asked(
            question=Question.SPLIT,
            crossing=Verdict.INVALID,
            subject=exposed.step,
            slice=WHOLE,
            test=_SPLIT,
            alpha=SPLIT_ALPHA,
            over=None if table is None else (table,),
        )


def _reference(g: Guardrail) -> tuple[int, ...]:
    # Without history every bin is alike: the test keeps its guarantee and loses some power.
    return g.reference if any(g.reference) else (1,) * g.metric.bins
