"""One run: a seed's world from its first registration until everything has healed and every rollout has ended."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.ids import VersionName
from glideslope.domain.traffic import Arm
from glideslope.ledger.verify import verify
from glideslope.testing.memory import MemorySigner, MemoryStore
from glideslope.testing.simulator import loop
from glideslope.testing.simulator.callers import HARMFUL_ERRORS, INCUMBENT_ERRORS, Callers, Reports, Service
from glideslope.testing.simulator.chaos import Chaos
from glideslope.testing.simulator.checks.exposures import Exposures
from glideslope.testing.simulator.checks.leasing import Leasing
from glideslope.testing.simulator.checks.violation import Violation
from glideslope.testing.simulator.faults import Faults, Kind
from glideslope.testing.simulator.gateways import LATEST, Gateway
from glideslope.testing.simulator.hosts import Host, HostClock
from glideslope.testing.simulator.network import OLDEST, TIMEOUT, Network
from glideslope.testing.simulator.people import People
from glideslope.testing.simulator.scenario import Scenario
from glideslope.testing.simulator.servers import Estate, Server
from glideslope.testing.simulator.watch import Watch

HARMLESS: Final = frozenset({Kind.SKEW, Kind.MEDDLING, Kind.SOURCE_STALL, Kind.SOURCE_RESTART, Kind.SOURCE_RESEND})
"""With no other kind, an order is obeyed promptly."""

FALSIFYING: Final = frozenset(
    {Kind.LATE, Kind.DUPLICATED, Kind.GATEWAY_LATE, Kind.GATEWAY_LIES, Kind.FREEZE, Kind.UNACKNOWLEDGED}
)
"""What makes an answer out of date when it comes."""

UNANSWERED: Final = frozenset(
    {Kind.LOST, Kind.UNACKNOWLEDGED, Kind.STORE_DOWN, Kind.STORE_CUT, Kind.GATEWAY_CUT, Kind.LATE}
)
"""What makes a server wait for an answer that never comes."""

A_TICK: Final = 1.5
"""Seconds from one act of a governor to the next, at most, and from one look of ours to the next."""

PROMPT: Final = 3.0
"""Seconds from a command at any server until no gateway exposes what it forbids: a look and a tick of the governor, and the way."""

BEGINNING: Final = 10.0
LOOK_EVERY: Final = 0.4

FARTHEST_SKEW: Final = 20.0
FASTEST_DRIFT: Final = 0.003


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What became of a seed."""

    seed: int
    broken: Violation | None
    seconds: float
    """Of virtual time."""
    steps: int
    decisions: Mapping[str, int]
    faults: Mapping[str, int]
    struck: tuple[str, ...]
    trace: tuple[tuple[float, str], ...]


def simulate(scenario: Scenario, *, only: frozenset[str] | None = None) -> Run:
    """Run a scenario; `only` lets through just the strikes that it names."""
    return loop.run(Simulation(scenario, only=only).run())


def _lag(scenario: Scenario) -> float:
    """Return how many seconds may pass between what a server meant and what a gateway does, as far as these faults go."""
    kinds = scenario.kinds
    late = OLDEST + TIMEOUT if Kind.LATE in kinds else 0.0
    again = OLDEST if Kind.DUPLICATED in kinds else 0.0
    slow = LATEST if Kind.GATEWAY_LATE in kinds else 0.0
    waiting = 2 * TIMEOUT if kinds & UNANSWERED else 0.0
    return A_TICK + late + again + slow + waiting


class Simulation:
    """A world that is assembled and run once, inside a virtual loop."""

    def __init__(self, scenario: Scenario, *, only: frozenset[str] | None) -> None:
        self._scenario = scenario
        self.faults = Faults(seed=scenario.seed, kinds=scenario.kinds, only=only)
        self.faults.told = self._told
        calm = scenario.kinds <= HARMLESS
        lag = _lag(scenario)
        self.watch = Watch(
            exposures=Exposures(lag=lag, prompt=PROMPT if calm else None),
            leasing=Leasing(lag=lag, candid=not scenario.kinds & FALSIFYING),
        )
        self._store = MemoryStore(before_commit=self._during, after_commit=self._after)
        self._signer = MemorySigner()
        self._network = Network(self.faults, dice=self._dice("network"), stepped=self._stepped, spun=self._spun)
        self._gateways = [self._gateway(k) for k in range(scenario.gateways)]
        estate = Estate(self._store, self._signer, self._gateways, self._network, self.watch)
        self._servers = [self._server(k, estate) for k in range(scenario.servers)]
        self._people = People(scenario, self._servers, self.faults, self.watch, self._dice("people"))
        self._chaos = Chaos(self._servers, self._gateways, self.faults, self.watch)

    async def run(self) -> Run:
        """Live through it."""
        scenario = self._scenario
        try:
            await self._live()
        except Exception as error:  # noqa: BLE001 - whatever a part of the world ends with is what we are looking for
            self.watch.fail(Violation("no error goes unexpected", repr(error)))
        return Run(
            seed=scenario.seed,
            broken=self.watch.broken,
            seconds=asyncio.get_running_loop().time(),
            steps=self._network.steps,
            decisions=dict(self.watch.judging.reached),
            faults=self.faults.by_kind(),
            struck=tuple(self.faults.struck),
            trace=tuple(self.watch.trace),
        )

    async def _live(self) -> None:
        scenario = self._scenario
        living = [asyncio.create_task(server.live()) for server in self._servers]
        await self._begin()
        living += [asyncio.create_task(each) for each in self._inhabitants()]
        self.faults.active = True
        await self._until(lambda: False, within=scenario.trouble, living=living)
        self.watch.note(asyncio.get_running_loop().time(), "everything heals")
        self._chaos.heal()
        self._people.healed = True
        await self._until(self._all_ended, within=scenario.settling, living=living)
        with self.watch.asking():
            await self._settle()

    def _inhabitants(self) -> list[Coroutine[Any, Any, None]]:
        scenario = self._scenario
        services = {model: Service(model) for model in scenario.models}
        dice = self._dice("candidates")
        errors = {
            (model, VersionName(f"v{k}")): HARMFUL_ERRORS
            if k > 1 and dice.random() < scenario.harmful
            else INCUMBENT_ERRORS
            for model in scenario.models
            for k in (1, 2, 3)
        }
        callers = [
            Callers(scenario, g, services, errors, self.faults, self.watch, self._talked_to, self._dice(g.name))
            for g in self._gateways
        ]
        found = [self._people.propose(), self._people.review(), self._chaos.reign(), self._look_around()]
        found += [each.ask() for each in callers]
        if scenario.with_outcomes:
            found += [each.report() for each in callers]
        if scenario.with_services:
            found += [
                Reports(service, self.faults, self._talked_to, self._dice(f"service {model}")).send()
                for model, service in services.items()
            ]
        return found

    async def _begin(self) -> None:
        """Wait for a server, and register what there is."""
        await self._until(lambda: any(server.up for server in self._servers), within=BEGINNING)
        app = next(server.app for server in self._servers if server.app is not None)
        for model in self._scenario.models:
            for k in (1, 2, 3):
                await self._people.register(model, f"v{k}", incumbent=k == 1, app=app)
        await self._until(
            lambda: all(model in g.models for g in self._gateways for model in self._scenario.models), within=BEGINNING
        )

    async def _until(
        self, done: Callable[[], bool], *, within: float, living: Sequence[asyncio.Task[None]] = ()
    ) -> None:
        """Let time pass until a condition holds, or a promise is broken, or a part of the world fails. Raises what it failed with."""
        deadline = asyncio.get_running_loop().time() + within
        while not done() and not self.watch.failed.is_set():
            if asyncio.get_running_loop().time() >= deadline:
                return
            await asyncio.sleep(LOOK_EVERY)
            for task in living:
                if task.done() and (failed := task.exception()) is not None:
                    raise failed

    async def _look_around(self) -> None:
        """Look at what nobody's act brings to attention: leases that should have ended, and engines in trouble."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            with self.watch.asking():
                now = asyncio.get_running_loop().time()
                self._look(self._exposures(now), now)
                for server in self._servers:
                    server.require_sound()

    def _told(self, strike: str) -> None:
        self.watch.note(asyncio.get_running_loop().time(), strike)

    def _spun(self, host: Host) -> None:
        self.watch.fail(Violation("everybody lets time pass", f"{host.name} asks again and again without waiting"))

    async def _stepped(self) -> None:
        with self.watch.asking():
            now = asyncio.get_running_loop().time()
            exposed = self._exposures(now)
            entries = await self._store.entries(len(self.watch.chain.entries))
            if entries:
                self.watch.recorded(entries, at=now, gateways=exposed)
            self._look(exposed, now)

    def _exposures(self, now: float) -> Mapping[str, Mapping[str, str]]:
        """Return what each gateway really exposes: rollout to step."""
        found: dict[str, dict[str, str]] = {}
        for gateway in self._gateways:
            mine = found[gateway.name] = {}
            if gateway.lies:
                self.watch.leasing.lied(gateway.name, at=now)
            for model in self._scenario.models:
                exposure = gateway.now_exposed(model)
                if exposure is not None:
                    mine[exposure.rollout] = exposure.step
        return found

    def _look(self, exposed: Mapping[str, Mapping[str, str]], now: float) -> None:
        """Hold what the gateways really expose against the ledger. Raises Violation."""
        for gateway in self._gateways:
            self.watch.leasing.seen(gateway.name, exposed[gateway.name], at=now)
            for model in self._scenario.models:
                found = gateway.now_exposed(model)
                if found is not None:
                    self.watch.exposures.look(
                        model,
                        rollout=found.rollout,
                        step=found.step,
                        candidate=found.split.candidate,
                        mirror=found.mirror,
                        at=now,
                        where=gateway.name,
                    )

    def _all_ended(self) -> bool:
        return self.watch.chain.open_rollouts() == 0 and not self._misled()

    def _misled(self) -> list[str]:
        """Return which gateways serve somebody else than the incumbent that the ledger names."""
        return [
            f"{gateway.name} serves {model} from {gateway.version(model, Arm.INCUMBENT)}"
            for gateway in self._gateways
            for model in self._scenario.models
            if gateway.version(model, Arm.INCUMBENT) != self.watch.exposures.installed(model)
        ]

    async def _settle(self) -> None:
        """Ask what can only be asked at the end. Raises Violation."""
        if self.watch.broken is not None:
            return
        if left := self.watch.chain.open_rollouts():
            raise Violation(
                "once faults stop, every rollout ends", f"{left} did not within {self._scenario.settling:g} s"
            )
        if misled := self._misled():
            raise Violation("once faults stop, the incumbent serves", ", ".join(misled))
        # Commands that are under way have their answers, and outcomes theirs, before they are counted up.
        self.watch.chain.unchanged(await self._store.entries())
        public_key = self._signer.verifier.public_key
        for note in await self._store.checkpoints():
            self.watch.chain.signed(note, public_key=public_key)
        self.watch.commands.settle()
        up = [server for server in self._servers if server.up]
        for server in up:
            await server.flush()
        totals = {(t.source, t.epoch, t.cell): t.count for t in await self._store.load("")}
        self.watch.counting.settle(totals)
        if len(self._servers) == 1:
            # Of several, one with an old view of the record cannot know the newest rollouts, and counts nothing for them.
            for server in up:
                self.watch.counting.whole(server.host.name, totals, epoch=server.epoch)
        app = next((server.app for server in up), None)
        if app is not None:
            report = verify([line async for line in app.notary.bundle()], trusted=[self._signer.verifier])
            if not report.ok:
                raise Violation("a stranger can check it", "; ".join(f.sentence for f in report.findings))

    def _talked_to(self) -> Server | None:
        """Return the server that gateways and services talk to: the governing one, or any that is up."""
        up = [server for server in self._servers if server.up]
        return next((server for server in up if server.governs), up[0] if up else None)

    def _gateway(self, number: int) -> Gateway:
        dice = self._dice(f"gateway {number}")
        clock = HostClock(Host(f"g{number}"), dice=dice, speed=self._speed(dice))
        return Gateway(f"g{number}", clock=clock, faults=self.faults, dice=dice)

    def _server(self, number: int, estate: Estate) -> Server:
        dice = self._dice(f"server {number}")
        skewed = Kind.SKEW in self._scenario.kinds
        skew = (2 * dice.random() - 1) * FARTHEST_SKEW if skewed else 0.0
        return Server(f"s{number}", estate, dice, skew=skew, speed=self._speed(dice))

    def _speed(self, dice: Random) -> float:
        drift = (2 * dice.random() - 1) * FASTEST_DRIFT
        return 1.0 + drift if Kind.DRIFT in self._scenario.kinds else 1.0

    def _dice(self, name: str) -> Random:
        return Random(f"{name} {self._scenario.seed}")  # noqa: S311 - a seed, not a secret

    def _during(self, _verb: str) -> None:
        if self.faults.strikes(Kind.STORE_DURING, "the store"):
            raise StoreUnavailable("the disk said no")

    def _after(self, _verb: str) -> None:
        if self.faults.strikes(Kind.STORE_AFTER, "the store"):
            raise StoreUnavailable("the disk said nothing")
