"""Know before you go, in closed form: what each step will tell, when, and how many meet the candidate until then.

Each test's log wealth is a random walk whose pace follows from the frozen bets and from how the arms would answer; its first
passage is inverse Gaussian (`stats.passage`). Steps follow each other at their mean times, and guardrails are taken to err
independently: `simulation` assumes neither, and says how far off this is.
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import inf, prod
from typing import Final

import msgspec

from glideslope.domain.decide import EXTENSIONS
from glideslope.domain.flow import Flow, flow_of
from glideslope.domain.freeze import Baseline
from glideslope.domain.gate import harm_asked, proof_asked
from glideslope.domain.ids import WHOLE, MetricName, StepName
from glideslope.domain.metric import Kind, Origin
from glideslope.domain.plan import AtMaximum, Guardrail, Plan, StageKind, Step
from glideslope.domain.simulation import cells_of, harm_alpha, harms, stakes, step_orders, tally_harm
from glideslope.domain.stakes import Credit, unstaked
from glideslope.domain.supposed import Supposed, counted_of, foreseen, harm_name, harms_of, suppose
from glideslope.domain.tallied import paired_harm, paired_proof
from glideslope.domain.traffic import FULL
from glideslope.stats.credit import MOST_BAD
from glideslope.stats.passage import Pace, Walk
from glideslope.stats.reals import ln
from glideslope.stats.wealth import TallyTest, Test, held_pairs

COARSE: Final = 2.0
FINE: Final = 1.15
"""Looks at a step in a forecast: each later than the one before by this factor, where anything may happen."""
BEGUN: Final = 0.003
ENDED: Final = 0.997

EVEN: Final = 0.5
LONGEST: Final = 1e10
"""Seconds beyond which no proof is waited for: three centuries."""
HALVINGS: Final = 20


class StepProspect(msgspec.Struct, frozen=True, kw_only=True):
    """One step, supposing something. Probabilities are of all rollouts, not of those that get so far."""

    step: StepName
    caught: float
    """That a guardrail breaks here."""
    caught_by_now: float
    """Here or before."""
    passed: float
    """That the step is left with all proofs given."""
    inconclusive: float
    """That its maximum time passes without."""
    seconds: float
    """Mean stay of those who enter."""
    subjects: float
    """Candidate subjects expected to have met the candidate when it ends, from the beginning on."""
    bottleneck: str
    """The guardrail whose proof comes last; empty where none is asked for, `minimum time` where all come before it."""
    proofs: tuple["ProofProspect", ...]


class ProofProspect(msgspec.Struct, frozen=True, kw_only=True):
    """One proof that a step waits for."""

    guardrail: MetricName
    seconds: float | None
    """By when it is as likely given as not, from the step's beginning; None if not by the deadline."""
    by_deadline: float
    """How likely it is given by the deadline."""


class Prospect(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rollout, supposing something."""

    supposing: str
    steps: tuple[StepProspect, ...]
    caught: float
    promoted: float
    inconclusive: float
    exposed_median: float | None
    """Candidate subjects until it is caught: half of those that are caught; None when hardly any is."""
    exposed_95: float | None
    """The same, 95 of 100."""
    seconds: float
    """Expected duration, however it ends."""
    seconds_to_catch: float | None
    """Median time until it is caught, of those that are."""
    worst_seconds: float
    """The longest that it may take by the plan: each step's maximum, extensions included."""
    bottleneck: str
    """`guardrail in step`: what takes longest of a sound candidate's time."""


@dataclass(frozen=True, slots=True)
class _Stay:
    """A step that was entered, and left when the next one was."""

    step: Step
    entered: float
    left: float


def prospect(plan: Plan, supposed: Supposed, flow: Flow) -> Prospect:
    """Return what to expect. Times in seconds; without traffic nothing is expected, and no probability above 0."""
    stays: list[_Stay] = []
    steps: list[StepProspect] = []
    catches: list[tuple[float, float, float]] = []
    now, alive, exposed, spent, by_now = 0.0, 1.0, 0.0, 0.0, 0.0
    slowest, longest = "", -1.0
    for step in plan.steps:
        found = _step(plan, supposed, flow, step, stays, entered=now, alive=alive, exposed=exposed, catches=catches)
        by_now += found.caught
        steps.append(msgspec.structs.replace(found, caught_by_now=min(1.0, by_now)))
        spent += alive * found.seconds
        if found.bottleneck and found.seconds > longest:
            slowest, longest = f"{found.bottleneck} in {step.name}", found.seconds
        exposed = found.subjects
        stays.append(_Stay(step, now, now + found.seconds))
        now += found.seconds
        alive = found.passed
    caught = min(1.0, sum(s.caught for s in steps))
    return Prospect(
        supposing=supposed.name,
        steps=tuple(steps),
        caught=caught,
        promoted=alive,
        inconclusive=sum(s.inconclusive for s in steps),
        exposed_median=_quantile(((e, m) for _, e, m in catches), EVEN),
        exposed_95=_quantile(((e, m) for _, e, m in catches), 0.95),
        seconds=spent,
        seconds_to_catch=_quantile(((t, m) for t, _, m in catches), EVEN),
        worst_seconds=sum(deadline(s) for s in plan.steps),
        bottleneck=slowest,
    )


def prospects(plan: Plan, baseline: Baseline, *, starts: float) -> Generator[None, None, tuple[Prospect, ...]]:
    """Return what to expect of a sound candidate, then of each harm; nothing where no traffic is known or can be supposed.

    Yields after each, which takes about a tenth of a second, so that others have their turn. `starts` is when the rollout
    does, in seconds after Monday at midnight, UTC.
    """
    flow = flow_of(baseline, starts=starts)
    if not flow.is_known:
        return ()
    found = []
    for harm in (None, *harms_of(plan)):
        with suppress(ValueError):  # where nothing can be supposed, nothing is said: `impossible` says why
            judged = foreseen(plan)
            found.append(prospect(judged, suppose(judged, baseline, harm), flow))
        yield
    return tuple(found)


def impossible(plan: Plan, baseline: Baseline) -> tuple[str, ...]:
    """Say of which guardrails and harms nothing can be foreseen, and why."""
    said = [
        f"The scores of {g.metric.name} were never seen: they are taken to be calibrated, with one case in five."
        for g in plan.guardrails
        if g.metric.is_joint and not counted_of(g.metric, baseline)
    ]
    if plan.pairs:
        said.append(
            "Limits on pairs are foreseen by themselves; elsewhere the shadow is taken to keep them, and to take no longer for it."
        )
    if plan.recompute:
        said.append("Recomputations are taken to agree, and to take no time.")
    for harm in harms_of(plan):
        try:
            suppose(plan, baseline, harm)
        except ValueError as error:
            said.append(f"{harm_name(harm)} cannot be: {error}.")
    return tuple(said)


def is_sighted(plan: Plan, supposed: Supposed, flow: Flow) -> bool:
    """Tell quickly whether each step likely proves a sound candidate in time, if all before take their minimum.

    False says nothing: `prospect` knows.
    """
    stays: list[_Stay] = []
    now = 0.0
    for step in plan.steps:
        then = now + deadline(step)
        for g in _proven(plan, supposed, step):
            if _Racer(plan, supposed, g, step, harm=False).reached(flow, stays, now, then) < EVEN:
                return False
        if not _ripe(plan, flow, step, now, deadline(step)):
            return False
        stays.append(_Stay(step, now, now + step.minimum / 1000))
        now += step.minimum / 1000
    return True


def subjects_to_even(plan: Plan, supposed: Supposed, flow: Flow, *, seen: Prospect, step: Step, g: Guardrail) -> float:
    """Return of how much traffic, all arms together, a step needs until a proof is as likely given as not; infinite if never.

    `seen` tells how long the steps before take.
    """
    stays, now = [], 0.0
    for past, each in zip(plan.steps, seen.steps, strict=True):
        if past.name == step.name:
            break
        stays.append(_Stay(past, now, now + each.seconds))
        now += each.seconds
    racer = _Racer(plan, supposed, g, step, harm=False)
    low, high = 0.0, max(deadline(step), 1.0)
    while racer.reached(flow, stays, now, now + high) < EVEN:
        low, high = high, 2 * high
        if high > LONGEST:
            return inf
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if racer.reached(flow, stays, now, now + middle) >= EVEN else (middle, high)
    return flow.subjects(now, now + high)


def deadline(step: Step) -> float:
    """Return the most time that a step may take before a person must look, in seconds."""
    return step.maximum / 1000 * (EXTENSIONS if step.at_maximum is AtMaximum.EXTEND else 1)


def _step(
    plan: Plan,
    supposed: Supposed,
    flow: Flow,
    step: Step,
    stays: Sequence[_Stay],
    *,
    entered: float,
    alive: float,
    exposed: float,
    catches: list[tuple[float, float, float]],
) -> StepProspect:
    """Let harm and proof race through one step, from instant to instant; append (time, exposed, mass) of what is caught."""
    end = deadline(step)
    least = min(step.minimum / 1000, end)
    share = step.candidate / FULL
    harms = [_Racer(plan, supposed, g, step, harm=True) for g in _harmful(plan, supposed)]
    proofs = [_Racer(plan, supposed, g, step, harm=False) for g in _proven(plan, supposed, step)]
    free = 1.0
    """Nothing found so far in the whole rollout, by the cumulated walks: hazards are differences of this."""
    free = prod(1.0 - r.reached(flow, stays, entered, entered) for r in harms)
    left, gone, caught, passed, spent = alive, 0.0, 0.0, 0.0, 0.0
    medians: dict[MetricName, float] = {}
    told: dict[MetricName, float] = {r.guardrail.metric.name: 0.0 for r in proofs}
    at = 0.0
    met = exposed
    for at, then in pairwise(_instants(step, [*harms, *proofs], flow, stays, entered=entered)):
        still = prod(1.0 - r.reached(flow, stays, entered, entered + then) for r in harms)
        hazard = 1.0 - still / free if free > 1e-12 else 1.0
        free = min(free, still)
        middle = (at + then) / 2
        met = exposed + share * flow.subjects(entered, entered + middle)
        mass = left * max(0.0, hazard)
        if mass > 0.0:
            catches.append((entered + middle, met, mass))
        caught += mass
        spent += mass * middle
        left -= mass
        for racer in proofs:
            name = racer.guardrail.metric.name
            told[name] = max(told[name], racer.reached(flow, stays, entered, entered + then))
            if told[name] >= EVEN:
                medians.setdefault(name, then)
        ready = prod(told.values()) if _judged(step, proofs) and _ripe(plan, flow, step, entered, then) else 0.0
        if not _judged(step, proofs):
            ready = 1.0
        if then >= least - 1e-9:
            # Of those who entered and were not caught, this part has had its proofs.
            mass = left * max(0.0, (ready - gone) / (1.0 - gone)) if gone < 1.0 else 0.0
            gone = max(gone, ready)
            passed += mass
            spent += mass * (then if then <= least + 1e-9 else middle)
            left -= mass
    spent += left * end
    mean = spent / alive if alive > 1e-12 else least
    stay = (spent - left * end) / (alive - left) if alive - left > 1e-9 else end
    late = max(told, key=lambda name: (medians.get(name, inf), -told[name]), default=None)
    return StepProspect(
        step=step.name,
        caught=caught,
        caught_by_now=0.0,
        passed=passed,
        inconclusive=left,
        seconds=mean if left > EVEN * alive else stay,
        subjects=exposed + share * flow.subjects(entered, entered + mean),
        bottleneck="" if late is None else "minimum time" if medians.get(late, inf) <= least else late,
        proofs=tuple(
            ProofProspect(guardrail=name, seconds=medians.get(name), by_deadline=chance)
            for name, chance in told.items()
        ),
    )


def _judged(step: Step, proofs: Sequence["_Racer"]) -> bool:
    return bool(proofs) and step.stage in (StageKind.SHADOW, StageKind.CANARY)


def _instants(
    step: Step, racers: Sequence["_Racer"], flow: Flow, stays: Sequence[_Stay], *, entered: float
) -> list[float]:
    """Return times to look at: the step's minimum and deadline, and between them where its tests begin and end to speak."""
    end = deadline(step)
    least = min(step.minimum / 1000, end)
    watched = (step.candidate + step.control + step.mirror) / FULL
    if not (flow.is_known and watched and racers and end > 0.0):
        return sorted({0.0, least, end})
    if not (step.has_coin or step.mirror):
        # Nothing is tossed here; outcomes of before may still come.
        return sorted({0.0, least, end, *(d for d in _powers(1.0, end, COARSE) if len(flow.delays) > 1)})
    first = min(max(1e-3, flow.when(entered, 1.0 / watched) - entered), end / 2)
    told = [(at, [r.reached(flow, stays, entered, entered + at) for r in racers]) for at in _powers(first, end, COARSE)]
    low = next((at for at, chances in told if max(chances) > BEGUN), end)
    high = next((at for at, chances in told if min(chances) > ENDED), end)
    return sorted({0.0, least, end, *_powers(max(first, low / COARSE), high, FINE)})


def _powers(first: float, last: float, factor: float) -> list[float]:
    found = [first]
    while found[-1] * factor < last:
        found.append(found[-1] * factor)
    return found


def _harmful(plan: Plan, supposed: Supposed) -> Iterator[Guardrail]:
    return (g for g in plan.guardrails if harms(g) and g.metric.name in supposed.arms)


def _proven(plan: Plan, supposed: Supposed, step: Step) -> Iterable[Guardrail]:
    """Return whose proofs a step waits for."""
    match step.stage:
        case StageKind.CANARY:
            return [g for g in plan.guardrails if g.required and g.metric.name in supposed.arms]
        case StageKind.SHADOW:
            return [g for g in plan.guardrails if g.required and g.metric.name in supposed.pairs]
        case StageKind.OFFLINE | StageKind.FULL | StageKind.BAKE:
            return []


def _ripe(plan: Plan, flow: Flow, step: Step, entered: float, elapsed: float) -> bool:
    """Tell whether enough of a step's outcomes are expected to have come."""
    if step.stage is StageKind.SHADOW or not any(
        g.required and g.metric.origin is Origin.OUTCOME for g in plan.guardrails
    ):
        return True
    now = entered + elapsed
    return flow.outcomes(entered, now, now=now) >= plan.maturity * flow.subjects(entered, now) > 0.0


class _Racer:
    """One test of one guardrail on its way to its line, over every step so far."""

    def __init__(self, plan: Plan, supposed: Supposed, guardrail: Guardrail, step: Step, *, harm: bool) -> None:
        self.guardrail = guardrail
        self._plan = plan
        self._supposed = supposed
        self._harm = harm
        self._step = step
        self._alpha = harm_alpha(plan, guardrail) if harm else plan.alpha_pass
        self._line = -ln(self._alpha)
        self._credit = _credit_of(guardrail, self._alpha) if harm else None
        self._paces: dict[tuple[StepName, bool], Pace] = {}

    def reached(self, flow: Flow, stays: Sequence[_Stay], entered: float, now: float) -> float:
        """Return the probability that the test has spoken by now, in a step that was entered then."""
        if self.guardrail.metric.is_joint:
            return self._over_joint(flow, (*stays, _Stay(self._step, entered, now)), now)
        coin = self._over_coins(flow, (*stays, _Stay(self._step, entered, now)), now)
        if self.guardrail.metric.name not in self._supposed.pairs:
            return coin
        pairs = self._over_pairs(flow, (*stays, _Stay(self._step, entered, now)), now)
        if self._harm:
            return 1.0 - (1.0 - coin) * (1.0 - pairs)
        return pairs if self._step.stage is StageKind.SHADOW else coin

    def _over_coins(self, flow: Flow, stays: Sequence[_Stay], now: float) -> float:
        tossed = [
            (stay.step, (stay.step.candidate + stay.step.control) / FULL * self._seen(flow, stay, now))
            for stay in stays
            if stay.step.has_coin
        ]
        found = self._walked(tossed, credited=False)
        if self._credit is None:
            return found
        # What was found while there was credit stays found; afterwards the wealth is what it is without.
        early: list[tuple[Step, float]] = []
        left = float(MOST_BAD)
        for step, outcomes in tossed:
            weights = step.split.weights()
            if weights.candidate * self._credit.control != weights.control * self._credit.candidate:
                break
            candidate, incumbent = _halves(cells_of(self._supposed, self.guardrail.metric.name, step, swapped=False))
            bad = candidate[-1] + incumbent[-1]
            counted = min(outcomes, left / bad) if bad else outcomes
            left -= counted * bad
            early.append((step, counted))
        return max(found, self._walked(early, credited=True))

    def _walked(self, tossed: Iterable[tuple[Step, float]], *, credited: bool) -> float:
        walk: Walk | None = None
        for step, outcomes in tossed:
            pace = self._pace(step, credited=credited)
            walk = (walk or Walk.start(pace)).after(pace, outcomes)
        return walk.reached(self._line) if walk else 0.0

    def _over_pairs(self, flow: Flow, stays: Sequence[_Stay], now: float) -> float:
        g = self.guardrail
        test = paired_harm(g) if self._harm else paired_proof(g, self._step.loosen)
        pace = self._paces.get((StepName("pairs"), False))
        if pace is None:
            pace = Pace.of(held_pairs(test), cells=self._supposed.pairs[g.metric.name])
            self._paces[StepName("pairs"), False] = pace
        walk = Walk.start(pace)
        for stay in stays:
            walk = walk.after(pace, stay.step.mirror / FULL * self._seen(flow, stay, now))
        return walk.reached(self._line)

    def _over_joint(self, flow: Flow, stays: Sequence[_Stay], now: float) -> float:
        """Follow a ranking over the blocks of every step with a coin, or a calibration over the candidate's own outcomes."""
        g, walk = self.guardrail, None
        for stay in stays:
            seen = self._seen(flow, stay, now)
            if g.metric.kind is Kind.CALIBRATION:
                counted, cells = stay.step.candidate / FULL * seen, self._supposed.arms[g.metric.name].candidate
            elif stay.step.has_coin:
                orders = step_orders(self._supposed, g.metric, stay.step)
                blocks = (stay.step.candidate + stay.step.control) / FULL * seen / orders.outcomes
                counted, cells = blocks * orders.comparable, orders.gaps
            else:
                continue
            pace = self._paces.get((stay.step.name, False))
            if pace is None:
                pace = self._paces[stay.step.name, False] = Pace.of(held_pairs(self._tally_test()), cells=cells)
            walk = (walk or Walk.start(pace)).after(pace, counted)
        return walk.reached(self._line) if walk else 0.0

    def _tally_test(self) -> TallyTest:
        return tally_harm(self.guardrail) if self._harm else paired_proof(self.guardrail, self._step.loosen)

    def _seen(self, flow: Flow, stay: _Stay, now: float) -> float:
        """Return how many subjects of all traffic in a stay are counted by now."""
        left = min(stay.left, now)
        if self.guardrail.metric.origin is Origin.OUTCOME:
            return flow.outcomes(stay.entered, left, now=now)
        return flow.subjects(stay.entered, left)

    def _pace(self, step: Step, *, credited: bool) -> Pace:
        found = self._paces.get((step.name, credited))
        if found is None:
            g = self.guardrail
            swapped = not self._harm and g.metric.kind is Kind.LATENCY
            if not self._harm:
                test = proof_asked(g, self._step.loosen)
            elif credited:
                test = harm_asked(g, WHOLE, alpha=self._alpha, over=())
            else:
                test = harm_after(g)
            bets = stakes(test, step, swapped=swapped)
            found = Pace.of(bets, cells=cells_of(self._supposed, g.metric.name, step, swapped=swapped))
            self._paces[step.name, credited] = found
        return found


def harm_after(g: Guardrail) -> Test:
    """Return the test of harm of the whole once no credit holds any more; the same for every alpha."""
    if g.stakes is msgspec.UNSET or g.strata is not msgspec.UNSET:
        return harm_asked(g, WHOLE, alpha=0.0, over=())
    return unstaked(g.stakes, base_rate=g.base_rate)


def _credit_of(g: Guardrail, alpha: float) -> Credit | None:
    if g.stakes is msgspec.UNSET or g.strata is not msgspec.UNSET:
        return None
    return next((each for each in g.stakes.credits if each.alpha == alpha), None)


def _halves(cells: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return cells[: len(cells) // 2], cells[len(cells) // 2 :]


def _quantile(points: Iterable[tuple[float, float]], q: float) -> float | None:
    """Return the value below which this part of the mass lies; None where there is hardly any."""
    found = sorted(points)
    total = sum(mass for _, mass in found)
    if total < 0.005:
        return None
    left = q * total
    for value, mass in found:
        left -= mass
        if left <= 0.0:
            return value
    return found[-1][0]
