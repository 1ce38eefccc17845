"""Callers at the gateways, the services that count behind them, and whoever reports outcomes: evidence, on its way to a server."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import msgspec

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import WHOLE, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.metric import Cell
from glideslope.domain.observation import Outcome, Outcomes, ShadowAnswers, Totals
from glideslope.domain.receipt import NO_SLICE, SCORE_LEVELS, Receipt, mint, model_hash, request_hash, subject_hash
from glideslope.domain.traffic import FULL, Arm, Exposure
from glideslope.engine.ports import Served
from glideslope.engine.record import rollout_number
from glideslope.testing.simulator.checks.counting import Place
from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.gateways import Gateway
from glideslope.testing.simulator.hosts import HostDied
from glideslope.testing.simulator.scenario import SLOW_PATH, Scenario
from glideslope.testing.simulator.servers import Server
from glideslope.testing.simulator.watch import Watch
from glideslope.testing.traffic import KEY

Choose = Callable[[], Server | None]
"""Names the server that is talked to now."""

INCUMBENT_ERRORS = 0.05
HARMFUL_ERRORS = 0.7


@dataclass(slots=True)
class Service:
    """The model servers of one model, counting their own metric: grow-only totals per epoch."""

    model: ModelName
    epoch: int = 1
    totals: dict[str, int] = field(default_factory=dict)
    unsent: set[str] = field(default_factory=set)
    seen: set[tuple[str, str, str]] = field(default_factory=set)
    silent_until: float = 0.0
    number: int = 0
    """Of the last message of this epoch."""

    def count(self, rollout: RolloutId, step: StepName, arm: Arm, subject: str, *, slow: bool) -> bool:
        """Count a subject once per step; tell whether it was new."""
        if (rollout, step, subject) in self.seen and subject:
            return False
        self.seen.add((rollout, step, subject))
        key = Cell(rollout, step, arm, SLOW_PATH.name, WHOLE, int(slow)).key()
        self.totals[key] = self.totals.get(key, 0) + 1
        self.unsent.add(key)
        return True

    def restart(self) -> None:
        """Begin a new epoch, remembering nothing."""
        self.epoch += 1
        self.number = 0
        self.totals.clear()
        self.unsent.clear()
        self.seen.clear()

    def message(self, *, everything: bool) -> Totals:
        """Return what changed, or everything."""
        keys = self.totals.keys() if everything else self.unsent
        self.number += 1
        return Totals(
            source="service",
            epoch=self.epoch,
            model=self.model,
            counts={key: self.totals[key] for key in sorted(keys)},
            sequence=self.number,
        )


@dataclass(slots=True)
class Callers:
    """Everybody who asks at one gateway, and what is told of it. Everything random comes from `dice`."""

    scenario: Scenario
    gateway: Gateway
    services: dict[ModelName, Service]
    errors: dict[tuple[ModelName, VersionName], float]
    faults: Faults
    watch: Watch
    choose: Choose
    dice: Random
    number: int = 0
    due: list[tuple[float, Outcome, Place | None, str]] = field(default_factory=list)
    held: list[Served] = field(default_factory=list)
    """A report that is overtaken by the next."""
    tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    async def ask(self) -> None:
        """Let callers come, for ever."""
        while True:
            pause = 0.5 + self.dice.random()
            await asyncio.sleep(pause)
            for model in self.scenario.models:
                self._moment(model, pause)

    async def report(self) -> None:
        """Send outcomes until each is acknowledged, for ever."""
        while True:
            await asyncio.sleep(0.7 + self.dice.random())
            now = asyncio.get_running_loop().time()
            ready = [each for each in self.due if each[0] <= now]
            if ready:
                self.due = [each for each in self.due if each[0] > now]
                if not await self._send(ready):
                    self.due += ready

    def _moment(self, model: ModelName, seconds: float) -> None:
        served: list[Served] = []
        answers: list[tuple[int, int]] = []
        exposure: Exposure | None = None
        for _ in range(round(seconds * self.scenario.per_second)):
            exposure = self._request(model, served, answers)
        self._deliver(served)
        if exposure is not None and answers:
            self._start(self._answer(ShadowAnswers(model=model, rollout=exposure.rollout, answers=tuple(answers))))

    def _request(self, model: ModelName, served: list[Served], answers: list[tuple[int, int]]) -> Exposure | None:
        chance = self.dice.random
        self.number += 1
        request = f"{self.gateway.name}-{self.number}"
        who = f"u{self.dice.randrange(self.scenario.subjects)}" if self.scenario.subjects else f"u{request}"
        subject = "" if chance() < self.scenario.anonymous else who
        assignment, exposure = self.gateway.serve(model, subject or request)
        arm = assignment.arm
        measured = exposure is not None and assignment.measured
        rollout = exposure.rollout if exposure is not None and measured else RolloutId("")
        step = exposure.step if exposure is not None and measured else StepName("")
        rate = self.errors.get((model, self.gateway.version(model, arm)), INCUMBENT_ERRORS)
        failed = chance() < rate
        served.append(
            Served(
                model=model,
                rollout=rollout,
                step=step,
                arm=arm,
                subject=subject,
                status=500 if failed else 200,
                latency_us=20_000,
                rescued=False,
            )
        )
        place = (rollout, step, arm.value)
        if measured and self.scenario.with_services:
            counted = self.services[model].count(rollout, step, arm, subject, slow=chance() < rate)
            self.watch.counting.serviced(place, int(counted))
        mirrored = exposure is not None and chance() * FULL < exposure.mirror
        if self.scenario.with_outcomes and subject and (measured or mirrored):
            self._outcome(model, request, subject, place if measured else None, arm, wrong=failed, step=step)
            if mirrored:
                answers.append((request_hash(request), round(SCORE_LEVELS * (0.2 if failed else 0.8))))
        return exposure

    def _outcome(
        self,
        model: ModelName,
        request: str,
        subject: str,
        place: Place | None,
        arm: Arm,
        *,
        wrong: bool,
        step: StepName,
    ) -> None:
        receipt = Receipt(
            model=model_hash(model),
            rollout=rollout_number(RolloutId(place[0])) if place else 0,
            step=int(step[1:]) if place else 0,
            arm=arm,
            at=1_770_000_000,
            slices=(NO_SLICE,),
            score=round(SCORE_LEVELS * (0.2 if wrong else 0.8)),
            request=request_hash(request),
            subject=subject_hash(subject),
        )
        outcome = Outcome(prediction=mint(receipt, key=KEY), happened=True)
        due = asyncio.get_running_loop().time() + self.dice.expovariate(1.0)
        self.due.append((due, outcome, place, subject))

    def _deliver(self, served: list[Served]) -> None:
        """Send a report of what was served down a stream: what arrives does so once, but it may be cut off, late or overtaken."""
        if self.faults.strikes(Kind.LOST, self.gateway.name):
            return
        if torn := self.faults.strikes(Kind.TORN, self.gateway.name):
            served = served[: torn.randrange(len(served) + 1)]
        if order := self.faults.strikes(Kind.REORDERED, self.gateway.name):
            order.shuffle(served)
            self.held, served = served, self.held
        elif self.held:
            served, self.held = served + self.held, []
        late = self.faults.strikes(Kind.LATE, self.gateway.name)
        delay = late.random() * 2 if late else 0.0
        if not delay and (server := self.choose()) is not None and server.up and not server.host.frozen:
            self._arrive(server, served)
        else:
            self._start(self._arrive_later(served, delay))

    async def _arrive_later(self, served: Sequence[Served], delay: float) -> None:
        await asyncio.sleep(delay)
        server = self.choose()
        if server is not None:
            await server.host.gate()
            self._arrive(server, served)

    def _arrive(self, server: Server, served: Sequence[Served]) -> None:
        if server.app is None:
            return
        server.app.observer.served(served)
        counting = self.watch.counting
        now = asyncio.get_running_loop().time()
        for model in {each.model for each in served}:
            counting.heard(server.host.name, model, at=now)
        for each in served:
            if each.rollout:
                counting.delivered(server.host.name, (each.rollout, each.step, each.arm.value), each.subject)

    async def _answer(self, answers: ShadowAnswers) -> None:
        server = self.choose()
        if server is None or server.app is None or self.faults.strikes(Kind.LOST, self.gateway.name):
            return
        await server.host.gate()
        if server.app is not None:
            await server.app.shadow(answers)

    async def _send(self, ready: Sequence[tuple[float, Outcome, Place | None, str]]) -> bool:
        """Send outcomes; tell whether they were acknowledged."""
        for _due, _outcome, place, subject in ready:
            if place is not None:
                self.watch.counting.sent(place, subject)
        server = self.choose()
        if server is None or self.faults.strikes(Kind.LOST, self.gateway.name):
            return False
        message = Outcomes(outcomes=tuple(outcome for _, outcome, _, _ in ready))
        if self.faults.strikes(Kind.DUPLICATED, self.gateway.name):
            self._start(self._again(message))
        try:
            await server.host.gate()
            if server.app is None:
                return False
            taken = await server.app.outcomes(message)
        except (GlideslopeError, HostDied):
            return False
        if self.faults.strikes(Kind.UNACKNOWLEDGED, self.gateway.name):
            return False
        refused = {refusal.prediction for refusal in taken.refused}
        for _due, outcome, place, subject in ready:
            if place is not None and outcome.prediction not in refused:
                self.watch.counting.acknowledged(place, subject)
        return not refused

    async def _again(self, message: Outcomes) -> None:
        await asyncio.sleep(self.dice.random())
        server = self.choose()
        if server is not None and server.app is not None:
            await server.host.gate()
            if server.app is not None:
                await server.app.outcomes(message)

    def _start(self, what: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(_quietly(what))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


@dataclass(slots=True)
class Reports:
    """Sends one service's totals, over a network that does to them what it can."""

    service: Service
    faults: Faults
    choose: Choose
    dice: Random
    held: bytes = b""

    async def send(self) -> None:
        """Report about once a second, for ever."""
        while True:
            await asyncio.sleep(0.6 + self.dice.random())
            now = asyncio.get_running_loop().time()
            if stall := self.faults.strikes(Kind.SOURCE_STALL, self.service.model):
                self.service.silent_until = now + 3 + 6 * stall.random()
            if self.faults.strikes(Kind.SOURCE_RESTART, self.service.model):
                self.service.restart()
            if now >= self.service.silent_until:
                await self._report()

    async def _report(self) -> None:
        message = self.service.message(everything=bool(self.faults.strikes(Kind.SOURCE_RESEND, self.service.model)))
        raw = msgspec.json.encode(message)
        if self.faults.strikes(Kind.LOST, self.service.model):
            return
        if self.faults.strikes(Kind.REORDERED, self.service.model):
            raw, self.held = self.held or raw, raw
        if torn := self.faults.strikes(Kind.TORN, self.service.model):
            raw = raw[: torn.randrange(len(raw))]
        if self.faults.strikes(Kind.DUPLICATED, self.service.model):
            await self._post(raw)
        if await self._post(raw) and msgspec.json.encode(message) == raw:
            self.service.unsent -= message.counts.keys()

    async def _post(self, raw: bytes) -> bool:
        server = self.choose()
        if server is None:
            return False
        try:
            await server.host.gate()
            if server.app is None:
                return False
            taken = await server.app.observe(msgspec.json.decode(raw, type=Totals))
        except (GlideslopeError, HostDied, msgspec.MsgspecError):
            return False
        return not taken.refused


async def _quietly(what: Coroutine[Any, Any, None]) -> None:
    try:
        await what
    except (GlideslopeError, HostDied):
        return
