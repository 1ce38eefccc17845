"""Seeded traffic: subjects that a data plane in memory assigns, arms that serve them well or badly, outcomes that come late."""

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from glideslope.domain.governing.drill import STEP
from glideslope.domain.ids import ModelName, RolloutId, StepName, VersionName
from glideslope.domain.metric import Dimension
from glideslope.domain.observation import Outcome, Outcomes, ShadowAnswers
from glideslope.domain.pairs import Half, Halves
from glideslope.domain.receipt import (
    NO_SLICE,
    SCORE_LEVELS,
    Receipt,
    ReceiptKey,
    mint,
    model_hash,
    request_hash,
    subject_hash,
)
from glideslope.domain.traffic import FULL, Arm, Exposure
from glideslope.engine.ports import Served
from glideslope.engine.record import rollout_number
from glideslope.testing.drivers import MemoryDriver

KEY: Final = ReceiptKey(id=1, secret=b"a secret that everybody knows...")
KEYS: Final = {KEY.id: KEY, 2: ReceiptKey(id=2, secret=KEY.secret, per_model=True)}
"""As a server has them: those of before a key was derived per model, and those of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """How a version serves: `latency` is the median in milliseconds, `noise` the error of its probabilities."""

    errors: float = 0.01
    latency: float = 20.0
    spread: float = 0.3
    """Standard deviation of the latency's logarithm."""
    noise: float = 0.05
    """Standard deviation by which its probability misses the truth's."""
    noise_in: Mapping[str, float] = field(default_factory=dict)
    """Value of the sliced field to the noise there, instead of `noise`."""
    dead: bool = False
    """It never answers: the gateway has the incumbent answer, and counts a rescue."""


SOUND: Final = Behaviour()


@dataclass(slots=True, kw_only=True)
class Demand:
    """Who asks for one model, how often, and what becomes known of it. Change it while time passes."""

    per_second: float = 100.0
    subjects: int = 0
    """How many there are, drawn evenly; 0 for a new one with each request."""
    anonymous: float = 0.0
    """Share of the requests that name no subject."""
    delay: float = 2.0
    """Mean seconds until an outcome comes, exponential."""
    arriving: float = 1.0
    """Share of the predictions whose outcome ever comes."""
    repeated: float = 0.0
    """Share of the outcomes that come twice."""
    lying: float = 0.0
    """Share of the candidate's subjects that the data plane serves from the incumbent: a split other than it says."""
    halves: bool = False
    """Both arms' services send their halves of pairs, as the sdk does to a server that asks for them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened in a while: requests as the data plane saw them, outcomes that came, answers of the shadow."""

    served: Sequence[Served]
    outcomes: Outcomes
    answers: Sequence[ShadowAnswers]
    halves: Sequence[Halves] = ()


@dataclass(slots=True)
class Truth:
    """What really happened, kept to hold the counters against."""

    subjects: dict[tuple[RolloutId, StepName, Arm], set[str]] = field(default_factory=dict)
    """Whom each arm of each step really served."""
    anonymous: Counter[tuple[RolloutId, StepName, Arm]] = field(default_factory=Counter)
    by_candidate: int = 0
    """Requests that a candidate was assigned in all."""


class Traffic:
    """One model's callers. Everything random comes from the seed, so a world happens again as it happened."""

    def __init__(
        self,
        model: ModelName,
        *,
        driver: MemoryDriver,
        versions: Mapping[VersionName, Behaviour],
        dimensions: Sequence[Dimension],
        seed: int,
    ) -> None:
        self.model = model
        self.demand = Demand()
        self.versions = dict(versions)
        self.truth = Truth()
        self.brings: Callable[[Outcome, Random], Outcome] = lambda outcome, _: outcome
        """What else becomes known with an outcome; told with the chance of this traffic."""
        self.incumbent = self.candidate = next(iter(self.versions))
        self._driver = driver
        self._dimensions = dimensions
        self._random = Random(f"{model} {seed}")  # noqa: S311 - a seed, not a secret
        self._owed = 0.0
        self._count = 0
        self._order = itertools.count()
        self._halves: dict[Arm, list[Half]] = {}
        self._due: list[tuple[float, int, Outcome]] = []

    @property
    def count(self) -> int:
        """Return how many requests there were."""
        return self._count

    def moment(self, seconds: float, *, now: float, wall: int) -> Moment:
        """Let requests come for a while that ends `now` (monotonic seconds); `wall` in seconds since the epoch, UTC."""
        self._owed += seconds * self.demand.per_second
        requests = int(self._owed)
        self._owed -= requests
        exposure = self._driver.exposure(self.model)
        served: list[Served] = []
        answers: list[tuple[int, int]] = []
        self._halves = {arm: [] for arm in Arm}
        for _ in range(requests):
            self._request(served, answers, exposure, now=now, wall=wall)
        return Moment(
            served=served,
            outcomes=Outcomes(outcomes=tuple(self._arrived(now))),
            answers=(ShadowAnswers(model=self.model, rollout=exposure.rollout, answers=tuple(answers)),)
            if exposure and answers
            else (),
            halves=[
                Halves(model=self.model, rollout=exposure.rollout, arm=arm, halves=tuple(halves))
                for arm, halves in self._halves.items()
                if exposure and halves
            ],
        )

    def unacknowledged(self, outcomes: Outcomes, *, now: float) -> None:
        """Keep outcomes that could not be delivered, to send them again in half a second."""
        for outcome in outcomes.outcomes:
            heapq.heappush(self._due, (now + 0.5, next(self._order), outcome))

    def _request(
        self,
        served: list[Served],
        answers: list[tuple[int, int]],
        exposure: Exposure | None,
        *,
        now: float,
        wall: int,
    ) -> None:
        chance = self._random.random
        self._count += 1
        subject = "" if chance() < self.demand.anonymous else f"u{self._who()}"
        assignment = self._driver.serve(self.model, subject or f"nobody {self._count}")
        arm = assignment.arm
        measured = exposure is not None and assignment.measured
        if measured and arm is Arm.CANDIDATE and chance() < self.demand.lying:
            arm = Arm.INCUMBENT
        drilled = measured and exposure is not None and exposure.step == STEP
        # A drill leads its share to the incumbent, too.
        behaviour = self.versions[self.candidate if arm is Arm.CANDIDATE and not drilled else self.incumbent]
        rollout = exposure.rollout if exposure is not None and measured else RolloutId("")
        step = exposure.step if exposure is not None and measured else StepName("")
        failed = chance() < behaviour.errors
        served.append(
            Served(
                model=self.model,
                rollout=rollout,
                step=step,
                arm=arm,
                subject=subject,
                status=500 if failed and not behaviour.dead else 200,
                latency_us=self._microseconds(behaviour),
                rescued=behaviour.dead,
            ),
        )
        if not drilled:
            self._remember(rollout, step, arm, subject)
        truth = 0.02 + 0.96 * chance()
        happened = chance() < truth
        field_value, indices = self._slice()
        request = request_hash(f"{self.model} {self._count}")
        own = -1 if failed else self._score(behaviour, truth, field_value)
        if not failed and not drilled:  # of a drill services know no number, so they make no receipt
            receipt = Receipt(
                model=model_hash(self.model),
                rollout=rollout_number(rollout) if rollout else 0,
                step=int(step[1:]) if step else 0,
                arm=arm,
                at=wall,
                slices=indices,
                score=own,
                request=request,
                subject=subject_hash(subject),
            )
            told = Outcome(prediction=mint(receipt, key=KEYS[2].of(self.model)), happened=happened)
            self._schedule(self.brings(told, self._random), now=now)
        if exposure is not None and exposure.mirror and chance() * FULL < exposure.mirror:
            theirs = self._score(self.versions[self.candidate], truth, field_value)
            if not self.demand.halves:
                answers.append((request, theirs))
                return
            for by, score, version in (
                (Arm.CANDIDATE, theirs, self.versions[self.candidate]),
                (Arm.INCUMBENT, own, behaviour),
            ):
                if score < 0:
                    continue  # the incumbent failed: there is nothing to compare with
                self._halves[by].append(
                    Half(
                        request,
                        score,
                        microseconds=self._microseconds(version),
                        subject=subject_hash(subject),
                        slices=indices,
                        id=f"{self.model} {self._count}",
                        attributes={"day": f"{wall // 86_400}"} if by is Arm.INCUMBENT else {},
                    )
                )

    def _microseconds(self, behaviour: Behaviour) -> int:
        return round(1000 * behaviour.latency * math.exp(self._random.gauss(0.0, behaviour.spread)))

    def _who(self) -> int:
        return self._random.randrange(self.demand.subjects) if self.demand.subjects else self._count

    def _slice(self) -> tuple[str, tuple[int, ...]]:
        if not self._dimensions:
            return "", (NO_SLICE,)
        index = self._random.randrange(len(self._dimensions[0].values))
        return self._dimensions[0].values[index], (index,)

    def _score(self, behaviour: Behaviour, truth: float, value: str) -> int:
        noise = behaviour.noise_in.get(value, behaviour.noise)
        return round(SCORE_LEVELS * min(0.99, max(0.01, truth + self._random.gauss(0.0, noise))))

    def _remember(self, rollout: RolloutId, step: StepName, arm: Arm, subject: str) -> None:
        if not rollout:
            return
        self.truth.by_candidate += arm is Arm.CANDIDATE
        key = (rollout, step, arm)
        if subject:
            self.truth.subjects.setdefault(key, set()).add(subject)
        else:
            self.truth.anonymous[key] += 1

    def _schedule(self, outcome: Outcome, *, now: float) -> None:
        demand = self.demand
        if self._random.random() >= demand.arriving:
            return
        for _ in range(2 if self._random.random() < demand.repeated else 1):
            due = now + (self._random.expovariate(1 / demand.delay) if demand.delay else 0.0)
            heapq.heappush(self._due, (due, next(self._order), outcome))

    def _arrived(self, now: float) -> Sequence[Outcome]:
        found = []
        while self._due and self._due[0][0] <= now:
            found.append(heapq.heappop(self._due)[2])
        return found
