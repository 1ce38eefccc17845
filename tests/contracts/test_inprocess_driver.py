"""Services that assign in process keep the promises of a gateway, with the driver that tells them what is granted."""

import asyncio
from datetime import timedelta

import pytest

from glideslope.adapters.drivers.inprocess import NO_GRANT, InProcessDriver
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import Assignment, Endpoint
from glideslope.sdk.assign import Assigner
from glideslope.testing.clock import ManualClock
from glideslope.testing.contracts.driver import (
    FIRST,
    FRAUD,
    LONG,
    SECOND,
    SPAM,
    STEP,
    DriverBench,
    DriverContract,
    leased,
    route,
    unserved,
)


class InProcessBench:
    """The driver, and one service that asks it whenever time passes or a request comes."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.driver = InProcessDriver(clock=self.clock)
        self.assigners: dict[ModelName, Assigner] = {}

    def endpoint(self, version: str) -> Endpoint:
        return unserved(version)

    async def serve(self, model: ModelName, subject: str) -> Assignment:
        return self.poll(model).assign(subject).assignment

    async def advance(self, seconds: float) -> None:
        await self.clock.advance(seconds)
        for model in self.assigners:
            self.poll(model)

    def poll(self, model: ModelName) -> Assigner:
        """Ask for a grant, obey it and say so."""
        assigner = self.assigners.setdefault(model, Assigner(clock=self.clock.monotonic))
        assigner.obey(self.driver.grant(model, source="here"), asked=self.clock.monotonic())
        self.driver.acknowledge(model, seen=self.driver.tag(model), source="here")
        return assigner


class TestInProcessDriver(DriverContract):
    @pytest.fixture
    def bench(self) -> DriverBench:
        return InProcessBench()


async def test_a_service_that_hears_nothing_more_returns_to_the_incumbent_with_its_lease() -> None:
    """The server may renew as it likes: what counts is what has reached the service."""
    bench = InProcessBench()
    await leased(bench, ttl=timedelta(seconds=3))
    assigner = bench.poll(FRAUD)

    await bench.clock.advance(2.9)
    await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
    exposed = assigner.remaining
    await bench.clock.advance(0.2)

    assert exposed > 0
    assert assigner.remaining == 0


async def test_a_withdrawal_is_in_force_when_every_service_has_heard_of_it() -> None:
    """Until then the old exposure is what is observed, since somebody may still obey it."""
    bench = InProcessBench()
    await leased(bench)
    for source in ("a", "b"):
        assert bench.driver.grant(FRAUD, source=source) is not None

    await bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)
    seen = []
    for source in ("a", "b"):
        seen.append((await bench.driver.observe(FRAUD)).exposure)
        bench.driver.acknowledge(FRAUD, seen=NO_GRANT, source=source)

    assert seen == [STEP, STEP]
    assert (await bench.driver.observe(FRAUD)).exposure is None


async def test_a_service_that_died_holds_up_a_withdrawal_no_longer_than_its_lease() -> None:
    bench = InProcessBench()
    await leased(bench, ttl=timedelta(seconds=3))
    bench.driver.grant(FRAUD, source="dead")
    await bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)

    await bench.clock.advance(3.0)

    assert (await bench.driver.observe(FRAUD)).exposure is None


async def test_a_change_wakes_whoever_waits_for_it() -> None:
    bench = InProcessBench()
    await bench.driver.shape([route(bench)])
    waiting = asyncio.create_task(bench.driver.changed(FRAUD, seen=NO_GRANT))
    await asyncio.sleep(0)

    await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)

    await asyncio.wait_for(waiting, timeout=5)
    assert bench.driver.tag(FRAUD) != NO_GRANT


async def test_a_renewal_wakes_nobody() -> None:
    """Services renew by asking; a wake-up for each renewal would be a message per lease and service for nothing."""
    bench = InProcessBench()
    await leased(bench)
    seen = bench.driver.tag(FRAUD)
    waiting = asyncio.create_task(bench.driver.changed(FRAUD, seen=seen))
    await asyncio.sleep(0)

    await bench.driver.lease(FRAUD, STEP, token=FIRST, ttl=LONG)
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


async def test_whoever_waits_is_told_when_a_granted_model_goes_away() -> None:
    bench = InProcessBench()
    await leased(bench)
    waiting = asyncio.create_task(bench.driver.changed(FRAUD, seen=bench.driver.tag(FRAUD)))
    await asyncio.sleep(0)

    await bench.driver.shape([])

    await asyncio.wait_for(waiting, timeout=5)
    assert bench.driver.grant(FRAUD, source="here") is None


async def test_whoever_waits_for_a_model_before_it_has_a_route_is_told_of_its_first_grant() -> None:
    bench = InProcessBench()
    waiting = asyncio.create_task(bench.driver.changed(FRAUD, seen=NO_GRANT))
    await asyncio.sleep(0)

    await leased(bench)

    await asyncio.wait_for(waiting, timeout=5)
    assert bench.driver.grant(FRAUD, source="here") is not None


async def test_nothing_is_granted_of_a_model_without_a_route() -> None:
    bench = InProcessBench()

    assert bench.driver.grant(SPAM) is None
    assert bench.driver.tag(SPAM) == NO_GRANT


async def test_after_a_restart_nobody_is_said_to_be_unexposed_before_the_earlier_leases_have_ended() -> None:
    """A service that cannot reach us may go on with what the server before us granted, until its lease ends."""
    bench = InProcessBench()
    bench.driver = InProcessDriver(clock=bench.clock, first=False)
    await bench.driver.shape([route(bench)])
    await bench.driver.lease(FRAUD, None, token=FIRST, ttl=timedelta(seconds=3))

    await bench.clock.advance(2.9)
    with pytest.raises(DriverUnavailable, match="earlier server"):
        await bench.driver.observe(FRAUD)
    await bench.clock.advance(0.1)

    assert (await bench.driver.observe(FRAUD)).exposure is None
