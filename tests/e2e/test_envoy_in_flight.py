"""A request that has not ended is reported with its age, and told of again when it ends."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from glideslope.adapters.drivers.envoy.accesslog import REPORTED_US
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.domain.traffic import Arm
from glideslope.testing.contracts.driver import FRAUD, exposing, leased
from glideslope.testing.http import Behaviour

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy


async def test_a_hanging_request_is_reported_while_it_hangs(bare_bench: "EnvoyBench") -> None:
    envoy_bench = bare_bench
    envoy_bench.limits = Limits(attempt=timedelta(seconds=1.5), timeout=timedelta(seconds=4))
    await envoy_bench.start_driver()
    await envoy_bench.start_gateway()
    await envoy_bench.connected()
    await leased(envoy_bench, exposure=exposing("s1", candidate=10_000, control=0))
    envoy_bench.servers["v8"].behaviour = Behaviour.HANG

    asking = asyncio.create_task(envoy_bench.ask(FRAUD, "ann"))
    await envoy_bench.until(lambda: bool(envoy_bench.flying), what="a request on its way is reported")
    flying = envoy_bench.flying[0]
    assert not asking.done()
    await asking
    (ended,) = await envoy_bench.reported(1)

    assert (flying.arm, flying.subject, flying.step, flying.status) == (Arm.CANDIDATE, "ann", "s1", 0)
    ages = [one.latency_us for one in envoy_bench.flying]
    assert ages == [REPORTED_US * (k + 1) for k in range(len(ages))]
    assert ages[-1] <= ended.latency_us, (ages, ended.latency_us)
    assert flying.stream == ended.stream != ""
    assert (ended.in_flight, ended.status) == (False, 200)


async def test_what_ends_soon_is_reported_once(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=10_000, control=0))
    for n in range(20):
        await envoy_bench.ask(FRAUD, f"s{n}")
    await envoy_bench.reported(20)

    assert envoy_bench.flying == []
