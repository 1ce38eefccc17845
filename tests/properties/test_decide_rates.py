"""What `decide` does to many simulated rollouts: the rate of wrong rollbacks is kept, harm is caught, and the sound arrive."""

import math
from collections import Counter
from random import Random

import msgspec
import pytest

from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER, Promote, RollBack
from glideslope.domain.events import Decided
from glideslope.domain.evidence import NOTHING, Counts, Evidence, Exposed, Freshness, Maturity
from glideslope.domain.gate import SPLIT_ALPHA, check_tests
from glideslope.domain.ids import MACHINE, WHOLE, SliceName
from glideslope.domain.metric import ERRORS, WRONG, Dimension, Metric, Origin
from glideslope.domain.plan import Guardrail, HarmNull, Margin, MarginKind, Plan, StageKind, Step, check_plan
from glideslope.domain.rollout import Phase, apply
from glideslope.domain.traffic import Arm
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE, SECOND

ALPHA = 0.05
SLICES = ("EWR", "JFK", "LGA")
LOOK = 30 * SECOND
PER_LOOK = 150
"""Subjects of both arms that come between two looks."""


def ladder() -> Plan:
    """Two guardrails, three slices, three canary steps; the last margin is the tightest."""
    steps = [
        step
        for step in examples.steps()
        if step.stage in (StageKind.CANARY, StageKind.FULL) and (step.candidate or step.control)
    ]
    plan = msgspec.structs.replace(
        examples.plan(approvals=0),
        alpha=ALPHA,
        guardrails=(
            Guardrail(metric=ERRORS, margin=Margin(MarginKind.RELATIVE, 1.0), harm=HarmNull.WORSE, base_rate=0.05),
            Guardrail(metric=WRONG, margin=Margin(MarginKind.ABSOLUTE, 0.15), harm=HarmNull.WORSE, base_rate=0.2),
        ),
        dimensions=(Dimension("origin", SLICES),),
        criteria=(),
        steps=tuple(_renamed(step, k) for k, step in enumerate(steps, start=1)),
    )
    check_plan(plan)
    check_tests(plan)
    return plan


def _renamed(step: Step, number: int) -> Step:
    return msgspec.structs.replace(step, name=f"s{number}", minimum=MINUTE, maximum=999 * MINUTE, loosen=1.0)


PLAN = ladder()


class Traffic:
    """Subjects of one rollout: each tosses the step's coin, errs at a rate that drifts for both arms alike, and tells the truth later."""

    def __init__(self, rng: Random, *, errors: float, wrong: float) -> None:
        self.rng = rng
        self.errors = errors
        self.wrong = wrong
        self.cells: Counter[tuple[str, Arm, str, str, int]] = Counter()
        self.exposed: Counter[tuple[str, Arm]] = Counter()
        self.looks = 0

    def come(self, step: Step) -> None:
        """Let the subjects of one look come: `errors` and `wrong` multiply the candidate's rates."""
        self.looks += 1
        drift = 1 + 0.8 * math.sin(self.looks / 3)
        share = step.candidate / (step.candidate + step.control)
        for _ in range(PER_LOOK):
            arm = Arm.CANDIDATE if self.rng.random() < share else Arm.INCUMBENT
            self.exposed[step.name, arm] += 1
            worse = arm is Arm.CANDIDATE
            bad = self.rng.random() < 0.05 * drift * (self.errors if worse else 1.0)
            self.cells[step.name, arm, "errors", WHOLE, int(bad)] += 1
            late = self.rng.random() < 0.2 * (self.wrong if worse else 1.0)
            for part in (WHOLE, f"origin={self.rng.choice(SLICES)}"):
                self.cells[step.name, arm, "wrong", part, int(late)] += 1

    def evidence(self) -> Evidence:
        exposed = [
            (s, self.exposed[s.name, Arm.CANDIDATE], self.exposed[s.name, Arm.INCUMBENT])
            for s in PLAN.steps
            if self.exposed[s.name, Arm.CANDIDATE]
        ]
        return Evidence(
            counts=tuple(
                self._row(step, metric, part)
                for step, _, _ in exposed
                if step.has_coin
                for metric, parts in ((ERRORS, ()), (WRONG, SLICES))
                for part in (WHOLE, *(SliceName(f"origin={p}") for p in parts))
            ),
            exposed=tuple(Exposed(step=s.name, candidate=c, incumbent=i) for s, c, i in exposed),
            maturity=tuple(Maturity(step=s.name, candidate=c, incumbent=i) for s, c, i in exposed),
            freshness=tuple(Freshness(origin=origin.value, age=0) for origin in Origin),
            in_force=True,
        )

    def _row(self, step: Step, metric: Metric, part: SliceName) -> Counts:
        candidate, incumbent = (
            (self.cells[step.name, arm, metric.name, part, 0], self.cells[step.name, arm, metric.name, part, 1])
            for arm in (Arm.CANDIDATE, Arm.INCUMBENT)
        )
        return Counts(step=step.name, metric=metric.name, slice=part, candidate=candidate, incumbent=incumbent)


def walk(seed: int, *, errors: float = 1.0, wrong: float = 1.0, looks: int = 60) -> tuple[Phase, int]:
    """Run one rollout, looking after each batch; return how it ended and how many subjects met the candidate until then."""
    traffic = Traffic(Random(seed), errors=errors, wrong=wrong)
    rollout = examples.proposed(PLAN)
    now = 0
    for _ in range(looks):
        now += LOOK
        step = rollout.step
        if step is not None:
            traffic.come(step)
        evidence = traffic.evidence() if step is not None else NOTHING
        decision = decide(rollout, evidence, now=now)
        rollout = apply(rollout, Decided(decision=decision, evidence=NOTHING, decider=DECIDER, by=MACHINE), at=now)
        if rollout.phase is not Phase.RUNNING:
            break
    exposed = sum(count for (_, arm), count in traffic.exposed.items() if arm is Arm.CANDIDATE)
    assert isinstance(rollout.last, RollBack) == (rollout.phase is Phase.ROLLING_BACK)
    assert isinstance(rollout.last, Promote) == (rollout.phase is Phase.PROMOTING)
    return rollout.phase, exposed


def most(rate: float, runs: int) -> float:
    """Three standard errors above the rate: one chance in a thousand to fail by luck, if the seeds were new."""
    return runs * rate + 3 * math.sqrt(runs * rate * (1 - rate))


def endings(runs: int, *, errors: float = 1.0, wrong: float = 1.0, first: int = 0) -> Counter[Phase]:
    return Counter(walk(seed, errors=errors, wrong=wrong)[0] for seed in range(first, first + runs))


def test_a_candidate_that_is_not_worse_is_seldom_rolled_back_and_mostly_promoted() -> None:
    """Two guardrails, three slices, a base rate that swings fivefold and is not what the plan thought; a look each 30 s."""
    found = endings(200)

    assert found[Phase.ROLLING_BACK] <= most(ALPHA, 200)
    assert found[Phase.PROMOTING] >= 180


def test_a_candidate_with_twice_the_errors_is_rolled_back() -> None:
    found = endings(40, errors=2.0, first=10_000)

    assert found[Phase.PROMOTING] == 0
    assert found[Phase.ROLLING_BACK] >= 38


def test_a_candidate_that_is_wrong_half_again_as_often_is_rolled_back() -> None:
    found = endings(20, wrong=1.6, first=20_000)

    assert found[Phase.PROMOTING] == 0
    assert found[Phase.ROLLING_BACK] >= 19


def test_the_worse_it_is_the_fewer_meet_it() -> None:
    met = [sorted(walk(30_000 + seed, errors=errors)[1] for seed in range(15))[7] for errors in (2.0, 4.0, 8.0)]

    assert met == sorted(met, reverse=True)
    assert met[-1] < 100


@pytest.mark.slow
@pytest.mark.parametrize("first", [100_000, 200_000, 300_000, 400_000])
def test_the_rate_of_wrong_rollbacks_over_thousands_of_rollouts(first: int) -> None:
    """A fair split is doubted seldom too: at most once in a thousand steps."""
    found = endings(1_000, first=first)

    assert found[Phase.ROLLING_BACK] <= most(ALPHA, 1_000)
    assert found[Phase.HALTED] <= most(SPLIT_ALPHA * 3, 1_000)
    assert found[Phase.PROMOTING] >= 900


@pytest.mark.slow
def test_a_better_candidate_is_rolled_back_even_less() -> None:
    found = endings(1_000, errors=0.7, wrong=0.9, first=500_000)

    assert found[Phase.ROLLING_BACK] <= 0.5 * ALPHA * 1_000
