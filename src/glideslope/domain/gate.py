"""Evidence in, findings out: which tests a guardrail is put to, and what each answers. Malformed evidence is INVALID.

It is long because all kinds of metrics have their tests here, so that they can be compared.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain
from typing import Annotated, Final, assert_never

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import Counts, Evidence, Pairs
from glideslope.domain.ids import WHOLE, MetricName, SliceName, StepName
from glideslope.domain.metric import RANKED, Kind, Metric, Origin, differences
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.pairs import PairLimit, pair_values
from glideslope.domain.plan import Criterion, Evaluation, Guardrail, HarmNull, MarginKind, Plan, StageKind, Step
from glideslope.domain.stakes import by_strata, staked_harm
from glideslope.domain.traffic import Weights
from glideslope.ledger.canonical import LARGEST_INTEGER
from glideslope.stats import family
from glideslope.stats.calibration import CalibrationGuard
from glideslope.stats.counted import CountHarm
from glideslope.stats.counts import Table, Tally
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm, PairedPass, PairedScoreHarm, PairedScorePass
from glideslope.stats.quantile import QuantileHarm, QuantilePass
from glideslope.stats.reals import ln, written
from glideslope.stats.scaled import ScaledHarm, ScaledPass
from glideslope.stats.score import DifferenceHarm, DifferencePass, ScoreHarm, ScorePass, StrataMean
from glideslope.stats.split import ALPHA as SPLIT_ALPHA
from glideslope.stats.split import SplitTest
from glideslope.stats.strata import OddsHarm, Stratified
from glideslope.stats.wealth import TallyTest, Test, crossed, weighed

LIMIT_ALPHA: Final = 0.01
"""Chance of ever pausing for an absolute limit that is kept, per guardrail."""

_SPLIT: Final = SplitTest()

_PLACES: Final = 4
"""Digits after the point of a finding's logarithms."""

_Count = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INTEGER)]

_ROW: Final = msgspec.msgpack.Decoder(tuple[tuple[_Count, ...], tuple[_Count, ...]])
"""The only form in which both arms' counts are believed."""

Tables = Mapping[tuple[MetricName, SliceName], tuple[Table, ...] | None]
"""Per guardrail's metric and slice its outcomes, one table per step with a coin; None when they are malformed."""


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question: a test, what it is asked over (None is malformed), and what crossing its line means."""

    question: Question
    crossing: Verdict
    subject: str
    slice: SliceName
    test: Test | TallyTest
    alpha: float
    over: tuple[Table, ...] | Tally | None

    def is_told(self) -> bool:
        """Tell whether the answer is more than INCONCLUSIVE, without the finding."""
        return self.over is None or crossed(self.test, self.over, self.alpha)  # type: ignore[arg-type]  # asked over what it reads

    def finding(self) -> Finding:
        verdict, wealth = Verdict.INVALID, 0.0
        candidate, incumbent = _sizes(self.over)
        if self.over is not None:
            reached, wealth = weighed(self.test, self.over, self.alpha, places=_PLACES)  # type: ignore[arg-type]  # as above
            # Silence of one arm can carry a bet over its line; it proves nothing.
            heard = self.crossing is not Verdict.PASS or (candidate > 0 and incumbent > 0)
            verdict = self.crossing if reached and heard else Verdict.INCONCLUSIVE
        return Finding(
            question=self.question,
            verdict=verdict,
            subject=self.subject,
            slice=self.slice,
            wealth=wealth,
            line=_line(self.alpha),
            candidate=candidate,
            incumbent=incumbent,
        )


@lru_cache(maxsize=4096)
def _line(alpha: float) -> float:
    return round(-ln(alpha), _PLACES)


def harm_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail, on the whole and on each slice: is the candidate worse? FAIL is yes, for good."""
    return tuple(asked.finding() for asked in _harm(plan, evidence, answered(plan, sorted_tables(plan, evidence))))


def answered(plan: Plan, tables: Tables) -> Tables:
    """Return the tables to ask of harm: an answer of the candidate's that is still to come, by the coin, counts as a good one.

    A request is counted when it ends. Those of a slower candidate end later, and until then the incumbent's good answers alone
    would speak against it, although nothing failed. A good answer of the candidate's can only speak for it, so what is added
    never makes an alarm of harm; a candidate that answers nobody fails at its time-out, and is counted as that.
    """
    filled = {
        (g.metric.name, slice_): tuple(map(_answered, rows))
        for g in plan.guardrails
        if g.metric.origin is Origin.GATEWAY and g.metric.kind is Kind.EVENT
        for slice_ in _slices(plan, g)
        if (rows := tables[g.metric.name, slice_]) is not None
    }
    return {**tables, **filled}


def _answered(table: Table) -> Table:
    expected = -(-sum(table.incumbent) * table.candidate_weight // table.control_weight)
    missing = expected - sum(table.candidate)
    if missing <= 0:
        return table
    good, *bad = table.candidate
    return Table(table.candidate_weight, table.control_weight, (good + missing, *bad), table.incumbent)


def harm_found(plan: Plan, evidence: Evidence, tables: Tables | None = None) -> tuple[Finding, ...]:
    """Return of the same findings only those that say something: FAIL, or INVALID for malformed evidence.

    `tables` are the evidence's, for a caller that has sorted and `answered` them already.
    """
    return _told(_harm(plan, evidence, answered(plan, sorted_tables(plan, evidence)) if tables is None else tables))


def proof_findings(plan: Plan, evidence: Evidence, step: Step, tables: Tables | None = None) -> tuple[Finding, ...]:
    """Ask of every required guardrail: is the candidate proven to be within the margin? Only PASS is yes."""
    asked = _proofs(plan, evidence, step, sorted_tables(plan, evidence) if tables is None else tables)
    return tuple(one.finding() for one in asked)


def pair_proof_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every required limit on pairs: is it proven to be kept? Both sides of a shift must be."""
    return tuple(one.finding() for one in _pair_proofs(plan, evidence))


def split_found(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every step with a coin: is the traffic the split that was asked for? Return where it is not: INVALID."""
    return _told(_splits(plan, evidence))


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
            not all(_sizes((table,))) or crossed(_SPLIT, (table.sizes(),), SPLIT_ALPHA)
            for table in tables[g.metric.name, WHOLE] or ()
        )
    )


def is_lopsided(plan: Plan, tables: Tables) -> bool:
    """Tell whether the outcomes behind a required proof are lopsided."""
    found = lopsided(plan, tables)
    return any(g.required and g.metric.name in found for g in plan.guardrails)


def limit_findings(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask the same, and return every answer."""
    return tuple(asked.finding() for asked in _limits(plan, evidence))


def limit_found(plan: Plan, evidence: Evidence) -> tuple[Finding, ...]:
    """Ask of every guardrail with an absolute limit, on both arms together: is it broken? Return FAIL, and INVALID."""
    return _told(_limits(plan, evidence))


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
        least, most = (e.low, e.high) if criterion.lower_is_better else (_turned(e.high), _turned(e.low))
        found = Verdict.INCONCLUSIVE
        if isinstance(most, float) and most <= criterion.margin:
            found = Verdict.PASS
        elif isinstance(least, float) and least > criterion.margin:
            found = Verdict.FAIL
    if e.verdict is UNSET or e.verdict is Verdict.PASS:
        return found
    return Verdict.FAIL if Verdict.FAIL in (found, e.verdict) else Verdict.INCONCLUSIVE


def _turned(end: float | UnsetType | None) -> float | UnsetType | None:
    return -end if isinstance(end, float) else end


def needs_outcomes(g: Guardrail) -> bool:
    """Tell whether a guardrail waits for the truth about predictions."""
    return g.metric.origin is Origin.OUTCOME


def alpha_of(plan: Plan, g: Guardrail) -> float:
    """Return what one test of harm on the whole of the data may spend."""
    alpha = next(alpha for slice_, alpha in _alphas(plan, g) if slice_ == WHOLE)
    shadowed = any(s.stage is StageKind.SHADOW for s in plan.steps)
    return alpha / 2 if shadowed and is_paired(g.metric) else alpha


def is_paired(metric: Metric) -> bool:
    """Tell whether the shadow's answers can be judged by this metric: it needs an outcome of the same request."""
    return metric.origin is Origin.OUTCOME and metric.loss is not None


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
            return CountHarm(reference=_reference(g), values=g.metric.values)
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


def sorted_tables(plan: Plan, evidence: Evidence) -> Tables:
    """Sort the evidence's outcomes, once for all the questions that are asked over them."""
    coins = _coins(plan)
    rows: dict[tuple[MetricName, SliceName], list[Counts]] = {}
    for counts in evidence.counts:
        if counts.step in coins:
            rows.setdefault((counts.metric, counts.slice), []).append(counts)
    found = {
        (g.metric.name, slice_): _tables(rows.get((g.metric.name, slice_), ()), coins=coins, bins=g.metric.bins)
        for g in plan.guardrails
        for slice_ in _slices(plan, g)
    }
    for g in plan.guardrails:
        if g.strata is not msgspec.UNSET:
            field = g.strata.field
            parts = (WHOLE, *(name for d in plan.dimensions if d.field == field for name in d.slices()))
            found[g.metric.name, WHOLE] = by_strata(
                [(rows.get((g.metric.name, part), ()), found[g.metric.name, part]) for part in parts]
            )
    return found


def tables_of(plan: Plan, evidence: Evidence, g: Guardrail, slice_: SliceName) -> tuple[Table, ...] | None:
    """Return a guardrail's outcomes, one table per step with a coin; None when the evidence is malformed."""
    return metric_tables(plan, evidence, g.metric, slice_)


def metric_tables(plan: Plan, evidence: Evidence, metric: Metric, slice_: SliceName) -> tuple[Table, ...] | None:
    """Return the same of any metric that is counted."""
    coins = _coins(plan)
    rows = [c for c in evidence.counts if c.step in coins and c.metric == metric.name and c.slice == slice_]
    return _tables(rows, coins=coins, bins=metric.bins)


def _tables(rows: Sequence[Counts], *, coins: Mapping[StepName, Weights], bins: int) -> tuple[Table, ...] | None:
    tables = []
    for counts in rows:
        table = _table(coins[counts.step], counts.candidate, counts.incumbent)
        if table is None or len(counts.candidate) != bins:
            return None
        tables.append(table)
    return tuple(tables) if len({counts.step for counts in rows}) == len(rows) else None


def tally_of(evidence: Evidence, g: Guardrail, slice_: SliceName) -> Tally | None:
    """Return a guardrail's pairs; None when the evidence is malformed."""
    return _tally([p for p in evidence.pairs if p.metric == g.metric.name and p.slice == slice_], metric=g.metric)


def limited_tally(evidence: Evidence, limit: PairLimit, slice_: SliceName) -> Tally | None:
    """Return what was compared of pairs under a limit; None when the evidence is malformed."""
    return _limited([p for p in evidence.pairs if (p.metric, p.slice) == (limit.kind.value, slice_)], limit)


def _limited(found: Sequence[Pairs], limit: PairLimit) -> Tally | None:
    return _added([p.differences for p in found], bins=len(pair_values(limit.kind))) if len(found) <= 1 else None


def _tally(found: Sequence[Pairs], *, metric: Metric) -> Tally | None:
    return _added([p.differences for p in found], bins=_pair_bins(metric)) if len(found) <= 1 else None


@lru_cache(maxsize=1024)
def _pair_bins(metric: Metric) -> int:
    return len(differences(metric))


def _slices(plan: Plan, g: Guardrail) -> tuple[SliceName, ...]:
    """Return what a guardrail is looked at by: the whole, then its slices."""
    return (WHOLE, *plan.slices) if g.metric.origin is not Origin.GATEWAY else (WHOLE,)


@lru_cache(maxsize=1024)
def _alphas(plan: Plan, g: Guardrail) -> tuple[tuple[SliceName, float], ...]:
    _, *slices = _slices(plan, g)
    return _allotted(plan, g.metric.name, slices)


@lru_cache(maxsize=1024)
def pair_alphas(plan: Plan, limit: PairLimit) -> tuple[tuple[SliceName, float], ...]:
    """Return what a limit on pairs may spend of alpha, on the whole and on each slice."""
    return _allotted(plan, limit.kind.value, plan.slices)


def _allotted(plan: Plan, name: str, slices: Sequence[SliceName]) -> tuple[tuple[SliceName, float], ...]:
    shares = {other.metric.name: other.weight for other in plan.guardrails if other.spends_alpha}
    shares |= {MetricName(limit.kind.value): limit.weight for limit in plan.rules.limits}
    allotted = family.allot(
        plan.alpha,
        weights={other: Fraction(share, sum(shares.values())) for other, share in shares.items()},
        slices={name: slices} if slices else None,
    )
    return tuple(
        (WHOLE if part.slice is None else SliceName(part.slice), part.alpha)
        for part in allotted
        if part.guardrail == name
    )


def _is_shadowed(plan: Plan, g: Guardrail) -> bool:
    return is_paired(g.metric) and any(s.stage is StageKind.SHADOW for s in plan.steps)


@lru_cache(maxsize=1024)
def harm_alphas(plan: Plan, g: Guardrail) -> tuple[float, ...]:
    """Return with which alpha harm is asked, of the whole and of each slice."""
    # Two chances to be wrong about one guardrail share its alpha.
    return tuple(alpha / 2 if _is_shadowed(plan, g) else alpha for _, alpha in _alphas(plan, g))


def _told(questions: Iterable[_Asked]) -> tuple[Finding, ...]:
    return tuple(asked.finding() for asked in questions if asked.is_told())


def _harm(plan: Plan, evidence: Evidence, tables: Tables) -> Iterable[_Asked]:
    pairs: dict[tuple[MetricName, SliceName], list[Pairs]] = {}
    for p in evidence.pairs:
        pairs.setdefault((p.metric, p.slice), []).append(p)
    for g in plan.guardrails:
        if not g.spends_alpha:
            continue
        ranked = g.metric.kind in RANKED
        paired = _is_shadowed(plan, g)
        for (slice_, _), share in zip(_alphas(plan, g), harm_alphas(plan, g), strict=True):
            if not ranked:
                yield _Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=g.metric.name,
                    slice=slice_,
                    test=harm_asked(g, slice_, alpha=share, over=tables[g.metric.name, slice_]),
                    alpha=share,
                    over=tables[g.metric.name, slice_],
                )
            if ranked or paired:
                yield _Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=g.metric.name,
                    slice=slice_,
                    test=paired_harm(g),
                    alpha=share,
                    over=_tally(pairs.get((g.metric.name, slice_), []), metric=g.metric),
                )
    for limit in plan.rules.limits:
        for slice_, alpha in pair_alphas(plan, limit):
            tests = harm_tests(limit)
            for test in tests:
                yield _Asked(
                    question=Question.HARM,
                    crossing=Verdict.FAIL,
                    subject=limit.kind.value,
                    slice=slice_,
                    test=test,
                    alpha=alpha / len(tests),
                    over=_limited(pairs.get((MetricName(limit.kind.value), slice_), []), limit),
                )


def _proofs(plan: Plan, evidence: Evidence, step: Step, tables: Tables) -> Iterable[_Asked]:
    shadow = step.stage is StageKind.SHADOW
    for g in plan.guardrails:
        if not g.required or (shadow and not is_paired(g.metric)):
            continue
        over_pairs = shadow or g.metric.kind in RANKED
        yield _Asked(
            question=Question.PROOF,
            crossing=Verdict.PASS,
            subject=g.metric.name,
            slice=WHOLE,
            test=paired_proof(g, step.loosen) if over_pairs else proof_asked(g, step.loosen),
            alpha=plan.alpha_pass,
            over=tally_of(evidence, g, WHOLE) if over_pairs else _for_proof(g, tables[g.metric.name, WHOLE]),
        )
    if shadow:
        yield from _pair_proofs(plan, evidence)


def _pair_proofs(plan: Plan, evidence: Evidence) -> Iterable[_Asked]:
    for limit in plan.rules.limits:
        for test in proof_tests(limit) if limit.required else ():
            yield _Asked(
                question=Question.PROOF,
                crossing=Verdict.PASS,
                subject=limit.kind.value,
                slice=WHOLE,
                test=test,
                alpha=plan.alpha_pass,
                over=limited_tally(evidence, limit, WHOLE),
            )


def _for_proof(g: Guardrail, tables: tuple[Table, ...] | None) -> tuple[Table, ...] | None:
    """Swap the arms for a latency, whose proof asks whether the incumbent is slower."""
    return tables if tables is None or g.metric.kind is not Kind.LATENCY else tuple(map(_swapped, tables))


@lru_cache(maxsize=4096)
def _swapped(table: Table) -> Table:
    return Table(
        candidate_weight=table.control_weight,
        control_weight=table.candidate_weight,
        candidate=table.incumbent,
        incumbent=table.candidate,
    )


def _splits(plan: Plan, evidence: Evidence) -> Iterable[_Asked]:
    coins = _coins(plan)
    for exposed in evidence.exposed:
        coin = coins.get(exposed.step)
        if coin is None:
            continue
        table = _table(coin, (exposed.candidate,), (exposed.incumbent,))
        yield _Asked(
            question=Question.SPLIT,
            crossing=Verdict.INVALID,
            subject=exposed.step,
            slice=WHOLE,
            test=_SPLIT,
            alpha=SPLIT_ALPHA,
            over=None if table is None else (table,),
        )


def _limits(plan: Plan, evidence: Evidence) -> Iterable[_Asked]:
    for g in plan.guardrails:
        if g.metric.kind is Kind.CALIBRATION:
            mine = [c.candidate for c in evidence.counts if (c.metric, c.slice) == (g.metric.name, WHOLE)]
            yield _Asked(
                question=Question.LIMIT,
                crossing=Verdict.FAIL,
                subject=g.metric.name,
                slice=WHOLE,
                test=calibration_test(g),
                alpha=LIMIT_ALPHA,
                over=_added(mine, bins=g.metric.bins),
            )
        if g.limit is None:
            continue
        arms = [
            arm
            for c in evidence.counts
            if c.metric == g.metric.name and c.slice == WHOLE
            for arm in (c.candidate, c.incumbent)
        ]
        yield _Asked(
            question=Question.LIMIT,
            crossing=Verdict.FAIL,
            subject=g.metric.name,
            slice=WHOLE,
            test=limit_test(g.limit),
            alpha=LIMIT_ALPHA,
            over=_added(arms, bins=g.metric.bins),
        )


def _sizes(over: tuple[Table, ...] | Tally | None) -> tuple[int, int]:
    if over is None:
        return (0, 0)
    if isinstance(over, Tally):
        return (sum(over.counts), sum(over.counts))
    return (sum(sum(t.candidate) for t in over), sum(sum(t.incumbent) for t in over))


def _table(coin: Weights, candidate: tuple[int, ...], incumbent: tuple[int, ...]) -> Table | None:
    try:
        row = msgspec.msgpack.encode((candidate, incumbent))
    except (OverflowError, TypeError):  # an integer beyond 64 bits, or nothing that was ever a count
        return None
    return _counted(coin.candidate, coin.control, row)


# Between two looks most rows stay as they are. The key is bytes, since to a cache 1, 1.0 and True are the same; to us not.
@lru_cache(maxsize=16_384)
def _counted(candidate_weight: int, control_weight: int, row: bytes, /) -> Table | None:
    try:
        return Table(candidate_weight, control_weight, *_ROW.decode(row))
    except ValueError:  # msgspec's, or the table's own
        return None


def _added(rows: Sequence[tuple[int, ...]], *, bins: int) -> Tally | None:
    """Add histograms, each of which must itself be one: a count below zero may not hide in a sum."""
    if any(len(row) != bins for row in rows) or not _countable(tuple(chain.from_iterable(rows))):
        return None
    return Tally(tuple(map(sum, zip(*rows, strict=True))) or (0,) * bins)


def _countable(counts: Sequence[int]) -> bool:
    return not counts or (set(map(type, counts)) == {int} and min(counts) >= 0 and max(counts) <= LARGEST_INTEGER)


def _reference(g: Guardrail) -> tuple[int, ...]:
    # Without history every bin is alike: the test keeps its guarantee and loses some power.
    return g.reference if any(g.reference) else (1,) * g.metric.bins


@lru_cache(maxsize=1024)
def _coins(plan: Plan) -> Mapping[StepName, Weights]:
    """Return the coin of each step that has one; of two steps of one name the first is meant."""
    return {
        name: step.split.weights() for name, step in {s.name: s for s in reversed(plan.steps)}.items() if step.has_coin
    }
