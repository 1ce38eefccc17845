"""Exposure ends by itself when the server that leases it dies, freezes or never lived; a gateway needs no server to serve."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.domain.errors import DriverUnavailable, TokenStale
from glideslope.domain.stamps import ARM, SERVED, STEP
from glideslope.domain.traffic import Arm, Assignment, Route, Token
from glideslope.testing.contracts.driver import (
    FIRST,
    FRAUD,
    LONG,
    SECOND,
    UNEXPOSED,
    exposing,
    in_force,
    leased,
    reaches,
    route,
)
from glideslope.testing.http import Caller, Message

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

EVERYBODY = exposing("s1", candidate=10_000, control=0)
EXPOSED = Assignment(Arm.CANDIDATE, measured=True)
TTL = 0.5

# A server in a process of its own: renews a lease every 50 ms until it is killed.
SERVER = """
import asyncio, sys
from datetime import timedelta
from pathlib import Path
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.domain.traffic import Exposure, Split, Token

async def main(folder, ttl):
    async with EnvoyDriver(Path(folder), sink=lambda served: None) as driver:
        while not driver.gateways():
            await asyncio.sleep(0.01)
        exposure = Exposure("fraud-1", "s1", Split(candidate=10_000, control=0))
        while True:
            await driver.lease("fraud", exposure, token=Token(2, 1), ttl=timedelta(seconds=float(ttl)))
            print("leased", flush=True)
            await asyncio.sleep(0.05)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def shaped_bench(bare_bench: "EnvoyBench") -> "EnvoyBench":
    """A gateway that carries a route with a candidate, and no server any more."""
    async with EnvoyDriver(bare_bench.folder, sink=bare_bench.served.extend, limits=bare_bench.limits) as driver:
        await bare_bench.start_gateway()
        await driver.shape([route(bare_bench)])
    return bare_bench


@asynccontextmanager
async def server_process(folder: Path) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run a leasing server; it has leased when this yields."""
    with subprocess.Popen(  # noqa: ASYNC220 - it starts in a moment, and a context ends it
        [sys.executable, "-c", SERVER, str(folder), str(TTL)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "src"},
    ) as server:
        assert server.stdout is not None
        try:
            assert await asyncio.to_thread(server.stdout.readline) == b"leased\n"
            yield server
        finally:
            server.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_exposure_ends_with_the_server(shaped_bench: "EnvoyBench", number: signal.Signals) -> None:
    """At the latest one lease after its last word: nobody has to notice, least of all the server."""
    async with server_process(shaped_bench.folder) as server:
        while await shaped_bench.serve(FRAUD, "somebody") != EXPOSED:  # noqa: ASYNC110 - another process sets no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(TTL)
        assert await shaped_bench.serve(FRAUD, "somebody") == EXPOSED

        server.send_signal(number)
        silent = time.monotonic()
        last = silent
        while (seen := await shaped_bench.serve(FRAUD, "somebody")) == EXPOSED:
            last = time.monotonic()
            await asyncio.sleep(0.001)

    assert seen == UNEXPOSED
    # How exactly is a figure for benchmarks/rollback.py; that it ends without anybody's word is the promise.
    assert last - silent < TTL + 2


async def test_a_gateway_that_starts_without_a_server_serves_the_incumbent(shaped_bench: "EnvoyBench") -> None:
    answer = await shaped_bench.ask(FRAUD, "somebody")

    assert (answer.headers[SERVED], answer.headers.get(ARM), answer.headers.get(STEP)) == ("v7", None, None)


async def test_a_restarted_gateway_serves_what_it_last_carried(bare_bench: "EnvoyBench") -> None:
    async with contextlib.AsyncExitStack() as first_life:
        outer, bare_bench.stack = bare_bench.stack, first_life
        await bare_bench.start_driver()
        await bare_bench.start_gateway()
        await bare_bench.connected()
        await leased(bare_bench, exposure=EVERYBODY)
        assert await bare_bench.serve(FRAUD, "somebody") == EXPOSED
        bare_bench.stack = outer

    await bare_bench.start_gateway()

    assert await bare_bench.serve(FRAUD, "somebody") == UNEXPOSED


async def test_a_server_that_restarts_within_the_lease_finds_it_in_force(bare_bench: "EnvoyBench") -> None:
    """An upgrade of the server is no reason to move anybody; the lease goes on running out meanwhile."""
    await bare_bench.start_driver()
    await bare_bench.start_gateway()
    await bare_bench.connected()
    await leased(bare_bench, exposure=EVERYBODY)
    await bare_bench.driver.__aexit__(None, None, None)

    await bare_bench.start_driver()
    await bare_bench.connected()
    await asyncio.sleep(0.1)

    assert (await bare_bench.driver.observe(FRAUD)).exposure == EVERYBODY
    with pytest.raises(TokenStale):
        await bare_bench.driver.lease(FRAUD, EVERYBODY, token=Token(0, 1), ttl=LONG)
    await bare_bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)
    await reaches(bare_bench, lambda: in_force(bare_bench, None))


async def test_a_step_that_envoy_does_not_take_exposes_nobody(bare_bench: "EnvoyBench") -> None:
    await bare_bench.start_driver()
    await bare_bench.start_gateway()
    await bare_bench.connected()
    await leased(bare_bench, exposure=EVERYBODY)
    bare_bench.folder.joinpath("xds").rename(bare_bench.folder / "gone")

    with pytest.raises(DriverUnavailable):
        await bare_bench.driver.lease(FRAUD, exposing("s2", candidate=10_000, control=0), token=SECOND, ttl=LONG)

    await reaches(bare_bench, lambda: in_force(bare_bench, None))
    assert await bare_bench.serve(FRAUD, "somebody") == UNEXPOSED


async def test_a_lease_without_a_gateway_is_refused(bare_bench: "EnvoyBench") -> None:
    async with contextlib.AsyncExitStack() as gateway_life:
        await bare_bench.start_driver()
        outer, bare_bench.stack = bare_bench.stack, gateway_life
        await bare_bench.start_gateway()
        await bare_bench.connected()
        await bare_bench.driver.shape([route(bare_bench)])
        bare_bench.stack = outer

    with pytest.raises(DriverUnavailable):
        await bare_bench.driver.lease(FRAUD, EVERYBODY, token=FIRST, ttl=LONG)
    with pytest.raises(DriverUnavailable):
        await bare_bench.driver.shape([route(bare_bench)])
    with pytest.raises(DriverUnavailable):
        await bare_bench.driver.observe(FRAUD)


async def test_a_shape_that_envoy_refuses_is_reported_and_the_last_good_one_stays(bare_bench: "EnvoyBench") -> None:
    await bare_bench.start_driver()
    await bare_bench.start_gateway()
    await bare_bench.connected()
    await leased(bare_bench, exposure=EVERYBODY)
    await bare_bench.driver.__aexit__(None, None, None)
    bare_bench.limits = Limits(health_path="")  # Envoy wants at least one character.
    await bare_bench.start_driver()
    await bare_bench.connected()

    with pytest.raises(DriverUnavailable, match="refused"):
        await bare_bench.driver.shape([route(bare_bench)])

    assert (await bare_bench.driver.observe(FRAUD)).exposure == EVERYBODY
    assert await bare_bench.serve(FRAUD, "somebody") == EXPOSED


async def test_withdrawing_during_the_beginning_of_a_step_wins(envoy_bench: "EnvoyBench") -> None:
    await envoy_bench.driver.shape([route(envoy_bench)])

    beginning = asyncio.create_task(envoy_bench.driver.lease(FRAUD, EVERYBODY, token=FIRST, ttl=LONG))
    await asyncio.sleep(0)
    await envoy_bench.driver.lease(FRAUD, None, token=SECOND, ttl=LONG)
    await beginning

    assert await envoy_bench.serve(FRAUD, "somebody") == UNEXPOSED
    await reaches(envoy_bench, lambda: in_force(envoy_bench, None))


async def test_a_server_that_misjudges_time_cannot_renew_what_envoy_let_lapse(bare_bench: "EnvoyBench") -> None:
    """The life of a lease is counted by Envoy; this server's clock stands still."""
    async with EnvoyDriver(bare_bench.folder, sink=bare_bench.served.extend, monotonic=lambda: 0.0) as driver:
        await bare_bench.start_gateway()
        await bare_bench.until(lambda: bool(driver.gateways()), what="Envoy asks for leases")
        await driver.shape([route(bare_bench)])
        await driver.lease(FRAUD, EVERYBODY, token=FIRST, ttl=timedelta(seconds=0.2))
        assert await bare_bench.serve(FRAUD, "somebody") == EXPOSED
        await asyncio.sleep(0.25)

        for _ in range(3):
            await driver.lease(FRAUD, EVERYBODY, token=FIRST, ttl=LONG)
            await asyncio.sleep(0.02)

            assert await bare_bench.serve(FRAUD, "somebody") == UNEXPOSED


async def test_a_model_server_may_be_known_by_name(envoy_bench: "EnvoyBench") -> None:
    """Envoy resolves it before the route leads there."""
    by_name = replace(
        route(envoy_bench),
        incumbent=replace(envoy_bench.endpoint("v7"), url=f"http://localhost:{envoy_bench.servers['v7'].port}"),
    )

    await envoy_bench.driver.shape([by_name])

    assert (await envoy_bench.ask(FRAUD, "somebody")).headers[SERVED] == "v7"


async def test_promoting_costs_no_request(envoy_bench: "EnvoyBench") -> None:
    """The new incumbent is ready before the first request is led to it."""
    await leased(envoy_bench, exposure=EVERYBODY)
    answers: list[Message] = []
    done = asyncio.Event()

    async def keep_asking() -> None:
        async with Caller(envoy_bench.port) as caller:
            while not done.is_set():
                answers.append(await caller.ask("/fraud/predict"))

    asking = asyncio.create_task(keep_asking())
    for version in ("v8", "v9", "v1", "v7"):
        await envoy_bench.driver.shape([Route(FRAUD, incumbent=envoy_bench.endpoint(version))])
        answered = len(answers)
        await envoy_bench.until(lambda answered=answered: len(answers) > answered + 2, what="callers go on")  # type: ignore[misc] # a default is not in the type
    done.set()
    await asking

    assert {200} == {answer.status for answer in answers}
    assert answers[-1].headers[SERVED] == "v7"


async def test_a_step_does_not_begin_on_a_shape_that_changed_while_it_waited(envoy_bench: "EnvoyBench") -> None:
    driver = envoy_bench.driver
    await driver.shape([route(envoy_bench)])
    async with driver._publishing:
        shaping = asyncio.create_task(driver.shape([replace(route(envoy_bench), candidate=envoy_bench.endpoint("v9"))]))
        await asyncio.sleep(0)
        leasing = asyncio.create_task(driver.lease(FRAUD, EVERYBODY, token=FIRST, ttl=LONG))
        await asyncio.sleep(0)
    await shaping

    with pytest.raises(DriverUnavailable, match="changed"):
        await leasing

    observed = await driver.observe(FRAUD)
    assert (observed.candidate, observed.exposure) == ("v9", None)
