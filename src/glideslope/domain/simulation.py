"""A rollout that never happened: traffic drawn at random, judged by `decide` itself, from the first step to the end.

Chance is an argument. Time passes from look to look: the next look is where one of the tests could at the earliest speak,
so that few looks are needed and hardly any crossing is passed over. Between the looks nothing is approximated but the hour
at which a subject came.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from math import inf
from operator import mul
from typing import Final, assert_never

import msgspec

from glideslope.domain.alphas import alpha_of
from glideslope.domain.decide import EXTENSIONS, decide
from glideslope.domain.decision import DECIDER, Advance, Decision, Hold, Promote, Question, RollBack, Verdict
from glideslope.domain.events import Approved, Decided, Proposed
from glideslope.domain.evidence import FORMAT, NOTHING, Counts, Evidence, Exposed, Freshness, Maturity, Pairs
from glideslope.domain.flow import Flow
from glideslope.domain.freeze import plan_digest
from glideslope.domain.gate import harm_asked, proof_asked
from glideslope.domain.ids import MACHINE, WHOLE, Actor, MetricName, RolloutId, StepName
from glideslope.domain.metric import DIFFERENCE_BINS, RANKED, Kind, Metric, Origin
from glideslope.domain.orders import Orders, orders_of
from glideslope.domain.plan import AtMaximum, Guardrail, Plan, Step
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Rollout, apply, begin
from glideslope.domain.supposed import Supposed
from glideslope.domain.tallied import LIMIT_ALPHA, calibration_test, paired_harm, paired_proof
from glideslope.domain.traffic import FULL
from glideslope.stats.counts import Table
from glideslope.stats.passage import Pace
from glideslope.stats.reals import ln
from glideslope.stats.sampling import Chance, Dice, binomial, poisson
from glideslope.stats.wealth import Bets, TallyTest, Test, held, held_pairs

SURE: Final = 2.5
"""Standard deviations by which a bet would have to outrun its mean to cross its line between two looks."""

LEAST_GROWTH: Final = 1.02
"""Each look comes at least this much later in its step than the one before: close to a line there would be no end of them."""

MOST_GROWTH: Final = 1.5
"""And at most this much later, so that unlikely crossings are seen too."""

FIRST_LOOK: Final = 10
"""Candidate subjects of a step before which nobody looks."""

MOST_LOOKS: Final = 2_000
"""Of one run. Who needs more is in a plan that hardly ends."""


class End(StrEnum):
    """How a simulated rollout ends."""

    PROMOTED = "promoted"
    CAUGHT = "caught"  # a guardrail broke: rolled back
    INCONCLUSIVE = "inconclusive"  # a step's maximum time passed without a proof, whatever the plan does then
    SPENT = "spent"  # a harm budget was: rolled back without any verdict
    PAUSED = "paused"  # the exposure was withdrawn for a person to look
    REFUSED = "refused"  # the offline stage said no


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of one."""

    end: End
    step: StepName
    guardrail: str
    """What broke, or for want of which proof it is inconclusive; empty when it was promoted."""
    seconds: float
    exposed: int
    """Subjects that met the candidate."""
    stays: tuple[float, ...]
    """Seconds in each step that was entered."""
    looks: int


@dataclass(frozen=True, slots=True)
class Course:
    """What all runs of one supposition share: distributions made ready, and the bets on them."""

    plan: Plan
    supposed: Supposed
    flow: Flow
    dice: dict[tuple[MetricName, bool], Dice] = field(default_factory=dict)
    pairs: dict[MetricName, Dice] = field(default_factory=dict)
    start: list[Rollout] = field(default_factory=list)
    paces: dict[tuple[Test | TallyTest, MetricName, StepName], Pace] = field(default_factory=dict)
    orders: dict[tuple[MetricName, StepName], Orders] = field(default_factory=dict)
    gaps: dict[tuple[MetricName, StepName], Dice] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Plan, supposed: Supposed, flow: Flow) -> "Course":
        """Prepare."""
        found = cls(plan, supposed, flow)
        for name in supposed.arms:
            arms = supposed.judged(name)
            found.dice[name, True] = Dice.of(arms.candidate)
            found.dice[name, False] = Dice.of(arms.incumbent)
        for name, weights in supposed.pairs.items():
            found.pairs[name] = Dice.of(weights)
        for g in plan.guardrails:
            for step in plan.steps if g.metric.kind in RANKED else ():
                if step.has_coin:
                    orders = found.orders[g.metric.name, step.name] = step_orders(supposed, g.metric, step)
                    found.gaps[g.metric.name, step.name] = Dice.of(orders.gaps)
        found.start.append(_approved(plan))
        return found

    def run(self, chance: Chance) -> Fate:
        """Carry one rollout through."""
        return _Run(self, chance).to_its_end()


def _approved(plan: Plan) -> Rollout:
    digest = plan_digest(plan)
    rollout = begin(RolloutId("r-0"), Proposed(plan=plan, plan_digest=digest, by=Actor("proposer")), at=0)
    for k in range(plan.approvals):
        yes = Approved(by=Actor(f"approver-{k}"), granted=True, plan_digest=digest, why="simulated")
        rollout = apply(rollout, yes, at=0)
    return rollout


@dataclass(slots=True)
class _Tally:
    """What was counted in one step."""

    counts: dict[MetricName, tuple[list[int], list[int]]]
    exposed: list[int] = field(default_factory=lambda: [0, 0])
    arrived: list[int] = field(default_factory=lambda: [0, 0])


class _Run:
    """One rollout under way. Times in seconds since it began."""

    def __init__(self, course: Course, chance: Chance) -> None:
        self._course = course
        self._plan = course.plan
        self._chance = chance
        self._now = 0.0
        self._entered = 0.0
        self._rollout = course.start[0]
        self._tallies: list[_Tally] = []
        self._pairs = {name: [0] * len(dice.probabilities) for name, dice in course.pairs.items()}
        self._blocks = {name: [0] * DIFFERENCE_BINS for name, _ in course.orders}
        self._formed: dict[tuple[MetricName, StepName], int] = {}
        self._due: list[tuple[float, int, int, int]] = []
        """When, in which step, by which arm (2 is a pair), how many outcomes come."""
        self._exposed = 0
        self._stays: list[float] = []
        self._heard = 0.0
        """When the last outcome came."""
        self._looks = 0

    def to_its_end(self) -> Fate:
        decision = decide(self._rollout, NOTHING, now=0)
        while True:
            fate = self._obey(decision)
            if fate is not None:
                return fate
            self._looks += 1
            step = self._step
            then = self._next_look(step)
            if self._looks > MOST_LOOKS or then == inf:
                return self._fate(End.INCONCLUSIVE, decision)
            self._flow_until(then)
            decision = decide(self._rollout, self._evidence(), now=round(self._now * 1000))

    @property
    def _step(self) -> Step:
        step = self._rollout.step
        assert step is not None, "a step was entered"  # noqa: S101 - an approved rollout starts with its first decision
        return step

    def _obey(self, decision: Decision) -> Fate | None:
        match decision:
            case Advance():
                if self._tallies:
                    self._stays.append(self._now - self._entered)
                self._entered = self._now
                made = Decided(decision=decision, evidence=NOTHING, decider=DECIDER, by=MACHINE)
                self._rollout = apply(self._rollout, made, at=round(self._now * 1000))
                widths = {name: len(dice.probabilities) for (name, _), dice in self._course.dice.items()}
                self._tallies.append(_Tally({name: ([0] * size, [0] * size) for name, size in widths.items()}))
                return None
            case Promote():
                return self._fate(End.PROMOTED, decision)
            case RollBack(reasons=reasons):
                if Reason.BREACHED in reasons:
                    return self._fate(End.CAUGHT, decision)
                if Reason.BUDGET_SPENT in reasons:
                    return self._fate(End.SPENT, decision)
                return self._fate(End.INCONCLUSIVE if Reason.DEADLINE_ROLLBACK in reasons else End.REFUSED, decision)
            case Hold(exposed=False):
                return self._fate(End.PAUSED, decision)
            case Hold(reasons=reasons):
                return self._fate(End.INCONCLUSIVE, decision) if Reason.DEADLINE_HOLD in reasons else None
            case _:
                assert_never(decision)

    def _fate(self, end: End, decision: Decision) -> Fate:
        lacking = [
            f
            for f in decision.findings
            if (f.question in (Question.HARM, Question.LIMIT) and f.verdict is Verdict.FAIL)
            or (f.question is Question.PROOF and f.verdict is not Verdict.PASS)
        ]
        found = "" if end is End.PROMOTED or not lacking else min(lacking, key=lambda f: f.wealth - f.line).subject
        return Fate(
            end=end,
            step=self._step.name,
            guardrail=found or ("outcomes" if Reason.IMMATURE in decision.reasons else ""),
            seconds=self._now,
            exposed=self._exposed,
            stays=(*self._stays, self._now - self._entered),
            looks=self._looks,
        )

    def _next_look(self, step: Step) -> float:
        """Return when to look next: at a boundary of the step, or where a test could speak at the earliest."""
        elapsed = self._now - self._entered
        least, most = step.minimum / 1000, step.maximum / 1000
        ends = [least, most, EXTENSIONS * most] if step.at_maximum is AtMaximum.EXTEND else [least, most]
        boundary = min((self._entered + end for end in ends if end > elapsed + 1e-6), default=inf)
        if elapsed >= ends[-1]:
            return inf
        soon = self._soonest(step, elapsed, least)
        return min(boundary, max(soon, self._entered + LEAST_GROWTH * elapsed, self._now + 0.001))

    def _soonest(self, step: Step, elapsed: float, least: float) -> float:
        flow = self._course.flow
        watched = (step.candidate + step.control + step.mirror) / FULL
        if not (step.has_coin or step.mirror) and not self._due:
            return inf
        soon = inf
        for outcome, room in self._rooms(step, may_pass=elapsed >= least):
            if room == inf:
                continue
            if not step.has_coin and not step.mirror:
                soon = min(soon, self._due[0][0] if self._due else inf)
                continue
            # Outcomes come as fast as subjects do, only later: those that are due may come any time.
            then = flow.when(self._now, room / max(watched, 1e-9))
            soon = min(soon, max(then, self._due[0][0]) if outcome and self._due else then)
        first = flow.when(self._entered, FIRST_LOOK / max(watched, 1e-9))
        return min(soon, max(self._entered + elapsed * MOST_GROWTH, first))

    def _rooms(self, step: Step, *, may_pass: bool) -> Iterator[tuple[bool, float]]:
        """Yield per test whether it waits for outcomes, and how many counted subjects more it can at the least need to speak."""
        for g in self._plan.guardrails:
            if g.metric.name not in self._course.supposed.arms or not harms(g):
                continue
            late = g.metric.origin is Origin.OUTCOME
            alpha = harm_alpha(self._plan, g)
            proves = may_pass and g.required
            if g.metric.is_joint:
                yield late, self._joint_room(tally_harm(g), g, step, alpha=alpha)
                if proves and step.has_coin:
                    proof = paired_proof(g, step.loosen)
                    yield late, self._joint_room(proof, g, step, alpha=self._plan.alpha_pass)
                continue
            asked = harm_asked(g, WHOLE, alpha=alpha, over=self._tables(g))
            yield late, self._room(asked, g, step, alpha=alpha, swapped=False)
            if proves and step.has_coin:
                swapped = g.metric.kind is Kind.LATENCY
                yield (
                    late,
                    self._room(proof_asked(g, step.loosen), g, step, alpha=self._plan.alpha_pass, swapped=swapped),
                )
            if step.mirror and g.metric.name in self._pairs:
                yield late, self._paired_room(paired_harm(g), g, step, alpha=alpha)
                if proves:
                    yield late, self._paired_room(paired_proof(g, step.loosen), g, step, alpha=self._plan.alpha_pass)

    def _tables(self, g: Guardrail) -> list[Table]:
        found = []
        for past, tally in zip(self._plan.steps, self._tallies, strict=False):
            if past.has_coin:
                weights = past.split.weights()
                candidate, incumbent = map(tuple, tally.counts[g.metric.name])
                found.append(Table(weights.candidate, weights.control, candidate, incumbent))
        return found

    def _room(self, test: Test, g: Guardrail, step: Step, *, alpha: float, swapped: bool) -> float:
        """Return it for a test over all steps with a coin; infinite for one that has spoken."""
        logs: list[float] = []
        for past, tally in zip(self._plan.steps, self._tallies, strict=False):
            if past.has_coin:
                candidate, incumbent = tally.counts[g.metric.name]
                cells = incumbent + candidate if swapped else candidate + incumbent
                bets = stakes(test, past, swapped=swapped)
                moved = [sum(map(mul, weights, cells)) for weights in bets.weights]
                logs = [a + b for a, b in zip(logs, moved, strict=True)] if logs else moved
        here = step if step.has_coin else next(s for s in self._plan.steps if s.has_coin)
        key = (test, g.metric.name, here.name)
        pace = self._course.paces.get(key)
        if pace is None:
            cells_ = cells_of(self._course.supposed, g.metric.name, here, swapped=swapped)
            pace = self._course.paces[key] = Pace.of(stakes(test, here, swapped=swapped), cells=cells_)
        return pace.room(logs, line=-ln(alpha), sure=SURE)

    def _paired_room(self, test: TallyTest, g: Guardrail, step: Step, *, alpha: float) -> float:
        key = (test, g.metric.name, step.name)
        bets = held_pairs(test)
        pace = self._course.paces.get(key)
        if pace is None:
            pace = self._course.paces[key] = Pace.of(bets, cells=self._course.pairs[g.metric.name].probabilities)
        cells = self._pairs[g.metric.name]
        return pace.room([sum(map(mul, weights, cells)) for weights in bets.weights], line=-ln(alpha), sure=SURE)

    def _joint_room(self, test: TallyTest, g: Guardrail, step: Step, *, alpha: float) -> float:
        """Return it in measured subjects for a test of blocks, or of the candidate's own outcomes."""
        name, here = g.metric.name, step if step.has_coin else next(s for s in self._plan.steps if s.has_coin)
        if g.metric.kind is Kind.CALIBRATION:
            counts = [t.counts[name][0] for t in self._tallies]
            tally = list(map(sum, zip(*counts, strict=True)))
            cells = self._course.supposed.arms[name].candidate
            per = (here.candidate + here.control) / here.candidate
        else:
            orders = self._course.orders[name, here.name]
            tally, cells, per = self._blocks[name], orders.gaps, orders.outcomes / orders.comparable
        key, bets = (test, name, here.name), held_pairs(test)
        pace = self._course.paces.get(key)
        if pace is None:
            pace = self._course.paces[key] = Pace.of(bets, cells=cells)
        room = pace.room([sum(map(mul, weights, tally)) for weights in bets.weights], line=-ln(alpha), sure=SURE)
        return room * per

    def _flow_until(self, then: float) -> None:
        """Let traffic come until then, and the outcomes that are due by then."""
        step, k = self._step, len(self._tallies) - 1
        tally, flow, chance = self._tallies[k], self._course.flow, self._chance
        coming = flow.subjects(self._now, then)
        middle = (self._now + then) / 2
        candidates = poisson(coming * step.candidate / FULL, chance=chance)
        self._exposed += candidates
        if step.has_coin:
            controls = poisson(coming * step.control / FULL, chance=chance)
            for arm, n in ((0, candidates), (1, controls)):
                tally.exposed[arm] += n
                self._throw(tally, arm, n, origins=(Origin.GATEWAY, Origin.SERVICE))
                self._await(middle, then, k, arm, n)
        elif step.candidate:
            tally.exposed[0] += candidates
        if step.mirror and self._pairs:
            self._await(middle, then, k, 2, poisson(coming * step.mirror / FULL, chance=chance))
        while self._due and self._due[0][0] <= then:
            at, where, arm, n = heapq.heappop(self._due)
            self._heard = max(self._heard, at)
            if arm == 2:
                for name, dice in self._course.pairs.items():
                    dice.throw(n, into=self._pairs[name], chance=chance)
            else:
                self._tallies[where].arrived[arm] += n
                self._throw(self._tallies[where], arm, n, origins=(Origin.OUTCOME,))
        self._now = then

    def _throw(self, tally: _Tally, arm: int, n: int, *, origins: tuple[Origin, ...]) -> None:
        if n:
            for g in self._plan.guardrails:
                if g.metric.origin in origins and g.metric.name in tally.counts:
                    dice = self._course.dice[g.metric.name, arm == 0]
                    dice.throw(n, into=tally.counts[g.metric.name][arm], chance=self._chance)
                    if g.metric.kind in RANKED:
                        self._fill(g.metric.name, self._plan.steps[self._tallies.index(tally)], tally)

    def _fill(self, name: MetricName, step: Step, tally: _Tally) -> None:
        """Compare the blocks that are full by now and were not before."""
        orders = self._course.orders[name, step.name]
        happened, others = (sum(sum(arm[k::2]) for arm in tally.counts[name]) for k in (1, 0))
        full = min(happened, others) // orders.size
        new = full - self._formed.get((name, step.name), 0)
        self._formed[name, step.name] = full
        compared = binomial(new, p=min(1.0, orders.comparable), chance=self._chance)
        self._course.gaps[name, step.name].throw(compared, into=self._blocks[name], chance=self._chance)

    def _await(self, middle: float, then: float, step: int, arm: int, n: int) -> None:
        """Let the outcomes of n subjects, who came around a time, come as late as outcomes do."""
        flow = self._course.flow
        if not n or not any(g.metric.origin is Origin.OUTCOME for g in self._plan.guardrails):
            return
        weights = [share * flow.covered for _, share in flow.delays]
        bins = [0] * (len(weights) + 1)
        _dice((*weights, max(0.0, 1.0 - flow.covered))).throw(n, into=bins, chance=self._chance)
        for (delay, _), count in zip(flow.delays, bins, strict=False):
            if count:
                heapq.heappush(self._due, (middle + delay if delay else then, step, arm, count))

    def _evidence(self) -> Evidence:
        reached = list(zip(self._plan.steps, self._tallies, strict=False))
        counting = [(s, t) for s, t in reached if s.candidate]
        return Evidence(
            format=FORMAT,
            counts=tuple(
                row for s, t in counting if s.has_coin for g in self._plan.guardrails for row in self._rows(s, t, g)
            ),
            pairs=tuple(
                Pairs(metric=name, slice=WHOLE, differences=tuple(cells))
                for name, cells in (*self._pairs.items(), *self._blocks.items())
                if any(cells)
            ),
            exposed=tuple(Exposed(step=s.name, candidate=t.exposed[0], incumbent=t.exposed[1]) for s, t in counting),
            maturity=tuple(Maturity(step=s.name, candidate=t.arrived[0], incumbent=t.arrived[1]) for s, t in counting),
            freshness=tuple(Freshness(origin=origin.value, age=self._age(origin)) for origin in Origin),
            in_force=True,
            doubts=(),
        )

    def _rows(self, step: Step, tally: _Tally, g: Guardrail) -> Iterator[Counts]:
        """Yield what was counted of the whole, then of each stratum."""
        name = g.metric.name
        candidate, incumbent = tally.counts.get(name, ([], []))
        if not (any(candidate) or any(incumbent)):
            return
        size = g.metric.bins
        whole = [[sum(arm[k::size]) for k in range(size)] for arm in (candidate, incumbent)]
        yield Counts(step=step.name, metric=name, slice=WHOLE, candidate=tuple(whole[0]), incumbent=tuple(whole[1]))
        if g.strata is msgspec.UNSET:
            return
        field_ = g.strata.field
        slices = [name for d in self._plan.dimensions if d.field == field_ for name in d.slices()]
        for k, slice_ in enumerate(slices):
            mine = slice(k * size, (k + 1) * size)
            yield Counts(
                step=step.name,
                metric=name,
                slice=slice_,
                candidate=tuple(candidate[mine]),
                incumbent=tuple(incumbent[mine]),
            )

    def _age(self, origin: Origin) -> int:
        if origin is not Origin.OUTCOME:
            return 0
        return round(1000 * (self._now - self._heard)) if self._heard else -1


def harms(g: Guardrail) -> bool:
    """Tell whether a guardrail ends an exposure: by a share of alpha, or as a calibration does, for a person to look."""
    return g.spends_alpha or g.metric.kind is Kind.CALIBRATION


def harm_alpha(plan: Plan, g: Guardrail) -> float:
    """Return what its test of harm may spend on the whole."""
    return LIMIT_ALPHA if g.metric.kind is Kind.CALIBRATION else alpha_of(plan, g)


def tally_harm(g: Guardrail) -> TallyTest:
    """Return the test of harm of what is counted jointly."""
    return calibration_test(g) if g.metric.kind is Kind.CALIBRATION else paired_harm(g)


def step_orders(supposed: Supposed, metric: Metric, step: Step) -> Orders:
    """Return what a ranking's blocks are like in a step with a coin. Raises ValueError where there is no order."""
    arms, weights = supposed.arms[metric.name], step.split.weights()
    return orders_of(
        metric.kind,
        candidate=arms.candidate,
        incumbent=arms.incumbent,
        weights=(weights.candidate, weights.control),
    )


def cells_of(supposed: Supposed, metric: MetricName, step: Step, *, swapped: bool) -> tuple[float, ...]:
    """Return how likely a counted subject of a step falls into each cell of a test: an arm and a bin."""
    arms, weights = supposed.judged(metric), step.split.weights()
    pi = weights.candidate / (weights.candidate + weights.control)
    candidate, incumbent = tuple(pi * p for p in arms.candidate), tuple((1 - pi) * p for p in arms.incumbent)
    return incumbent + candidate if swapped else candidate + incumbent


def stakes(test: Test, step: Step, *, swapped: bool) -> Bets:
    """Return what a test stakes in a step; with the arms swapped, on the control."""
    weights = step.split.weights()
    candidate, control = (weights.control, weights.candidate) if swapped else (weights.candidate, weights.control)
    return held(test, candidate=candidate, control=control)


_dice = lru_cache(maxsize=256)(Dice.of)
