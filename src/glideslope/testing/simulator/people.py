"""People who propose, approve and meddle, who send a command again until they know what became of it, and who clear up in the end."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Final

from glideslope.domain.commands import Approve, Halt, OrderRollback, Propose, Register, Resume, Retry
from glideslope.domain.decision import Hold
from glideslope.domain.errors import GlideslopeError, StoreUnavailable
from glideslope.domain.ids import Actor, ModelName, VersionName
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.app import App
from glideslope.testing.simulator.checks.commands import Answer
from glideslope.testing.simulator.checks.violation import Violation
from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.hosts import HostDied
from glideslope.testing.simulator.scenario import Scenario, draft
from glideslope.testing.simulator.servers import Server
from glideslope.testing.simulator.watch import Watch
from glideslope.testing.world import content

MAKER: Final = Actor("ada")
REVIEWER: Final = Actor("grace")

PATIENCE: Final = 3.0
"""Seconds for which a person waits for an answer."""
TRIES: Final = 5

STUCK: Final = frozenset({Reason.DEADLINE_HOLD, Reason.DEADLINE_EXTENDED})

Command = Callable[[App, str], Awaitable[object]]
"""Gives a command to a server, under an idempotency key."""


@dataclass(slots=True)
class People:
    """Everybody who gives commands."""

    scenario: Scenario
    servers: Sequence[Server]
    faults: Faults
    watch: Watch
    dice: Random
    healed: bool = False
    marks: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    versions: dict[ModelName, int] = field(default_factory=dict)
    tasks: set["asyncio.Task[object]"] = field(default_factory=set)

    async def register(self, model: ModelName, version: str, *, incumbent: bool, app: App) -> None:
        """Make a version known, before anything goes wrong."""
        await app.register(
            Register(
                model=model,
                version=VersionName(version),
                digest=content(model, version),
                url=f"http://{model}-{version}",
                by=MAKER,
                why="trained",
                incumbent=incumbent,
            ),
            key=f"{model}-{version}",
        )

    async def propose(self) -> None:
        """Keep a change under way for each model, until everything heals."""
        while not self.healed:
            app = self._anybody()
            for model in self.scenario.models if app else ():
                if app is not None and app.record.open_rollout_of(model) is None:
                    number = self.versions[model] = self.versions.get(model, 1) % 3 + 1
                    candidate = VersionName(f"v{number}")
                    known = app.record.find_model(model)
                    if known is not None and known.incumbent != candidate:
                        await self.command(partial(self._proposal, model, candidate))
            await asyncio.sleep(0.5 + self.dice.random())

    async def review(self) -> None:
        """Approve what waits for it; meddle; and once everything has healed, end what waits for a person."""
        while True:
            await asyncio.sleep(0.7 + self.dice.random() * 0.6)
            app = self._anybody()
            if app is None:
                continue
            for rollout in app.record.open_rollouts():
                if self.healed and _waits(rollout):
                    await self.command(_order(rollout))
                elif rollout.phase is Phase.PROPOSED and rollout.plan.approvals and not rollout.granted:
                    await self.command(_approval(rollout, granted=True))
            if meddling := self.faults.strikes(Kind.MEDDLING, "people"):
                rollouts = app.record.rollouts()
                if rollouts:
                    rollout = rollouts[-1] if meddling.random() < 0.8 else meddling.choice(rollouts)
                    await self.command(self._whim(rollout, meddling))

    def _whim(self, rollout: Rollout, dice: Random) -> Command:
        model, candidate = rollout.plan.model, rollout.plan.candidate
        return dice.choice(
            (
                lambda app, key: app.halt(Halt(rollout=rollout.id, by=REVIEWER, why=key), key=key),
                lambda app, key: app.resume(Resume(rollout=rollout.id, by=REVIEWER, why=key), key=key),
                lambda app, key: app.resume(Resume(rollout=rollout.id, by=REVIEWER, why=key), key=key),
                _order(rollout),
                _approval(rollout, granted=False),
                lambda app, key: app.retry(
                    Retry(rollout=rollout.id, by=MAKER, why=key, draft=draft(self.scenario, model, candidate, why=key)),
                    key=key,
                ),
            )
        )

    async def command(self, give: Command) -> None:
        """Give a command until its fate is known, or patience ends; note what was answered."""
        mark = f"act-{next(self.marks)}"
        now = asyncio.get_running_loop().time
        doubtful = False
        for _ in range(TRIES):
            asked = now()
            answer, once = await self._try(give, mark)
            doubtful |= not once
            if answer is not Answer.UNKNOWN:
                self.watch.answered(mark, answer, asked=asked, at=now(), doubtful=doubtful)
                return
            doubtful = True
            await asyncio.sleep(self.dice.random() * 2)
        self.watch.answered(mark, Answer.UNKNOWN, asked=now(), at=now(), doubtful=True)

    async def _try(self, give: Command, mark: str) -> tuple[Answer, bool]:
        """Give a command once; return the answer, and whether it was really sent but once."""
        up = [server for server in self.servers if server.up]
        if not up or self.faults.strikes(Kind.LOST, mark):
            await asyncio.sleep(0.2)
            return Answer.UNKNOWN, True
        server = self.dice.choice(up)
        task = self._give(server, give, mark)
        twice = self.faults.strikes(Kind.DUPLICATED, mark)
        if twice:
            self._give(twice.choice(up), give, mark)
        await asyncio.wait({task}, timeout=PATIENCE)
        if not task.done() or self.faults.strikes(Kind.UNACKNOWLEDGED, mark):
            return Answer.UNKNOWN, not twice
        return self._answer(task.exception(), mark, server), not twice

    def _answer(self, failed: BaseException | None, mark: str, server: Server) -> Answer:
        match failed:
            case None:
                return Answer.ACCEPTED
            case HostDied() | StoreUnavailable():
                return Answer.UNKNOWN
            case GlideslopeError():
                self.watch.note(asyncio.get_running_loop().time(), f"{mark} {failed.code} at {server.host.name}")
                return Answer.REFUSED
            case _:
                self.watch.fail(Violation("no error goes unexpected", f"{mark} at {server.host.name}: {failed!r}"))
                return Answer.UNKNOWN

    def _give(self, server: Server, give: Command, mark: str) -> "asyncio.Task[object]":
        async def given() -> object:
            await server.host.gate()
            if server.app is None:
                raise HostDied
            return await give(server.app, mark)

        task = asyncio.ensure_future(given())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _proposal(self, model: ModelName, candidate: VersionName, app: App, key: str) -> Awaitable[object]:
        return app.propose(Propose(draft=draft(self.scenario, model, candidate, why=key), by=MAKER), key=key)

    def _anybody(self) -> App | None:
        apps = [
            server.app for server in self.servers if server.up and not server.host.frozen and server.app is not None
        ]
        governing = [app for app in apps if app.governor.acting]
        return next(iter(governing or apps), None)


def _order(rollout: Rollout) -> Command:
    return lambda app, key: app.roll_back(OrderRollback(rollout=rollout.id, by=REVIEWER, why=key), key=key)


def _approval(rollout: Rollout, *, granted: bool) -> Command:
    return lambda app, key: app.approve(
        Approve(rollout=rollout.id, plan_digest=rollout.plan_digest, granted=granted, by=REVIEWER, why=key), key=key
    )


def _waits(rollout: Rollout) -> bool:
    """Tell whether a rollout goes on only when a person says so."""
    if rollout.phase in (Phase.HALTED, Phase.PROPOSED):
        return True
    last = rollout.last
    return isinstance(last, Hold) and bool(STUCK & set(last.reasons))
