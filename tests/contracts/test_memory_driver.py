"""The fake data plane keeps the promises of a real one."""

import pytest

from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Assignment, Endpoint
from glideslope.testing.clock import ManualClock
from glideslope.testing.contracts.driver import FRAUD, SHORT, STEP, DriverBench, DriverContract, leased, unserved
from glideslope.testing.drivers import MemoryDriver


class MemoryBench:
    """A fake data plane on a clock of its own."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.driver = MemoryDriver(self.clock)

    def endpoint(self, version: str) -> Endpoint:
        return unserved(version)

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        return self.driver.serve(model, subject)

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)


class TestMemoryDriver(DriverContract):
    @pytest.fixture
    def bench(self) -> DriverBench:
        return MemoryBench()


async def test_a_cut_line_lets_the_lease_run_out() -> None:
    bench = MemoryBench()
    await leased(bench, ttl=SHORT)

    def cut(_verb: str) -> None:
        raise DriverUnavailable(driver="memory", why="the line is cut")

    bench.driver.fault = cut
    with pytest.raises(DriverUnavailable):
        await bench.driver.observe(FRAUD)
    assert bench.driver.exposure(FRAUD) == STEP

    await bench.advance(SHORT.total_seconds())

    assert bench.driver.exposure(FRAUD) is None
