"""What the simulator puts in place of the world keeps the promises of the ports, as long as nothing goes wrong."""

import asyncio
from random import Random

import pytest

from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Assignment, Endpoint
from glideslope.engine.ports import Checkpoints, Counters, Driver, Leases
from glideslope.testing.contracts.checkpoints import CheckpointsContract
from glideslope.testing.contracts.counters import CountersContract
from glideslope.testing.contracts.driver import DriverBench, DriverContract, unserved
from glideslope.testing.contracts.leases import LeasesContract
from glideslope.testing.contracts.store import FencedStore, StoreContract
from glideslope.testing.memory import MemoryStore
from glideslope.testing.simulator.checks.exposures import Exposures
from glideslope.testing.simulator.checks.leasing import Leasing
from glideslope.testing.simulator.faults import Faults
from glideslope.testing.simulator.gateways import Gateway
from glideslope.testing.simulator.hosts import Host, HostClock
from glideslope.testing.simulator.network import Network
from glideslope.testing.simulator.ports import FleetLine, StoreLine
from glideslope.testing.simulator.watch import Watch


async def nothing() -> None:
    """Watch nobody: the contracts ask for themselves."""


class Steady(Random):
    """Lets every message arrive at once: that neighbours keep their order is a store's promise, not a network's."""

    def random(self) -> float:
        return 0.9


def network() -> Network:
    return Network(Faults(seed=1, kinds=()), dice=Steady(), stepped=nothing, spun=lambda _host: None)


def watch() -> Watch:
    return Watch(exposures=Exposures(lag=1.0, prompt=None), leasing=Leasing(lag=1.0, candid=True))


def line() -> StoreLine:
    return StoreLine(Host("s"), MemoryStore(), network(), watch())


class TestStoreLine(StoreContract):
    @pytest.fixture
    def store(self) -> FencedStore:
        return line()


class TestLeasesLine(LeasesContract):
    @pytest.fixture
    def leases(self) -> Leases:
        return line()


class TestCountersLine(CountersContract):
    @pytest.fixture
    def counters(self) -> Counters:
        return line()


class TestCheckpointsLine(CheckpointsContract):
    @pytest.fixture
    def checkpoints(self) -> Checkpoints:
        return line()


class Fleet:
    """Some gateways, on clocks that agree, and one server that talks to them."""

    def __init__(self, gateways: int) -> None:
        self.gateways = [
            Gateway(
                f"g{k}", clock=HostClock(Host(f"g{k}"), dice=Random(k)), faults=Faults(seed=1, kinds=()), dice=Random(k)
            )
            for k in range(gateways)
        ]
        self._line = FleetLine(Host("s"), self.gateways, network(), watch())
        self._turn = 0

    @property
    def driver(self) -> Driver:
        return self._line

    def endpoint(self, version: str) -> Endpoint:
        return unserved(version)

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        self._turn += 1
        return self.gateways[self._turn % len(self.gateways)].serve(model, subject)[0]

    async def advance(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class TestOneGateway(DriverContract):
    @pytest.fixture
    def bench(self) -> DriverBench:
        return Fleet(1)


class TestThreeGateways(DriverContract):
    """Each is told, and nothing is in force before all say the same."""

    @pytest.fixture
    def bench(self) -> DriverBench:
        return Fleet(3)
