"""The gateway outlives its server, its supervisor and its own death; it lets go of nobody's request."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.process import find, ready, running
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.domain.errors import DriverUnavailable, PortInUse
from glideslope.domain.stamps import ARM, SERVED
from glideslope.testing.contracts.driver import FRAUD, exposing, leased, route
from glideslope.testing.http import Caller

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

EVERYBODY = exposing("s1", candidate=10_000, control=0)


@asynccontextmanager
async def supervisor(folder: Path, *, port: int = 0) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Run the supervisor as a process of its own; its Envoy is ready when this yields."""
    command = [sys.executable, "-m", "glideslope.adapters.drivers.envoy.supervisor", str(folder), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ | {"PYTHONPATH": "src"}) as process:  # noqa: ASYNC220 - it starts in a moment, and a context ends it
        try:
            await ready(folder, timeout=10)
            yield process
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


async def test_a_killed_envoy_is_started_again_and_a_living_lease_is_back(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=EVERYBODY)
    before = running(envoy_bench.folder)
    assert before is not None

    os.kill(before.pid, signal.SIGKILL)
    envoy_bench.caller.close()
    await envoy_bench.until(lambda: running(envoy_bench.folder) is None, what="the Envoy is gone")
    after = await ready(envoy_bench.folder, timeout=10)
    await envoy_bench.connected()

    assert before.pid != after.pid
    assert before.port == after.port
    answer = await envoy_bench.ask(FRAUD, "somebody")
    assert (answer.headers[SERVED], answer.headers[ARM]) == ("v8", "candidate")


async def test_a_killed_supervisor_leaves_a_serving_envoy_that_the_next_one_adopts(bare_bench: "EnvoyBench") -> None:
    folder = bare_bench.folder
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(supervisor(folder))
        before = running(folder)
        assert before is not None
        caller = await stack.enter_async_context(Caller(before.port))
        assert (await caller.ask("/-/ready")).status == 200

        first.kill()
        await asyncio.to_thread(first.wait)
        assert (await caller.ask("/-/ready")).status == 200

        async with supervisor(folder) as second:
            assert second.stderr is not None
            assert b"adopted" in await asyncio.to_thread(second.stderr.readline)
            assert before == running(folder)
            assert (await caller.ask("/-/ready")).status == 200
        assert running(folder) is None


async def test_an_envoy_of_which_nobody_wrote_down_who_it_is_is_found_and_adopted(bare_bench: "EnvoyBench") -> None:
    """Its supervisor was killed between starting it and saying so; it must not keep its port from its successors for ever."""
    folder = bare_bench.folder
    async with supervisor(folder) as first:
        before = running(folder)
        assert before is not None
        first.kill()
        await asyncio.to_thread(first.wait)
        Folder.at(folder).pid.unlink()
        async with supervisor(folder) as second:
            assert second.stderr is not None
            assert b"adopted" in await asyncio.to_thread(second.stderr.readline)
            assert running(folder) == before


async def test_other_settings_need_another_envoy(bare_bench: "EnvoyBench") -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(supervisor(bare_bench.folder))
        before = running(bare_bench.folder)
        assert before is not None
        first.kill()
        await asyncio.to_thread(first.wait)
        stopping = asyncio.Event()
        gateway = Gateway(port=before.port, concurrency=2)
        task = asyncio.create_task(run_gateway(bare_bench.folder, gateway, stopping=stopping, drain=0.1))

        await bare_bench.until(
            lambda: (now := running(bare_bench.folder)) is not None and now.pid != before.pid, what="another Envoy"
        )

        stopping.set()
        await task


async def test_a_request_under_way_is_answered_before_the_gateway_ends(bare_bench: "EnvoyBench") -> None:
    await bare_bench.start_driver()
    bare_bench.servers["v7"].delay = 0.15
    async with contextlib.AsyncExitStack() as stack:
        process = await stack.enter_async_context(supervisor(bare_bench.folder))
        now = running(bare_bench.folder)
        assert now is not None
        await bare_bench.driver.shape([route(bare_bench)])
        caller = await stack.enter_async_context(Caller(now.port))
        asking = asyncio.create_task(caller.ask("/fraud/predict"))
        await bare_bench.until(lambda: bool(bare_bench.servers["v7"].seen), what="the request is under way")

        process.terminate()

        assert (await asking).status == 200
    assert running(bare_bench.folder) is None


async def test_a_gateway_without_models_says_so(bare_bench: "EnvoyBench") -> None:
    await bare_bench.start_gateway()

    answer = await bare_bench.ask("fraud", "x")

    assert (answer.status, answer.body) == (503, b"No model is served here yet.\n")
    assert (await bare_bench.caller.ask("/-/ready")).status == 200


async def test_one_folder_has_one_supervisor(bare_bench: "EnvoyBench") -> None:
    await bare_bench.start_gateway()

    with pytest.raises(DriverUnavailable, match="another supervisor"):
        await run_gateway(bare_bench.folder, Gateway(port=0), stopping=asyncio.Event())


async def test_a_taken_port_is_refused_before_anything_starts(bare_bench: "EnvoyBench") -> None:
    with pytest.raises(PortInUse):
        await run_gateway(bare_bench.folder, Gateway(port=bare_bench.servers["v7"].port), stopping=asyncio.Event())

    assert find(Folder.at(bare_bench.folder)) is None


async def test_the_gateways_sockets_and_folder_are_private(envoy_bench: "EnvoyBench") -> None:
    folder = Folder.at(envoy_bench.folder)

    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.admin.stat().st_mode & 0o777 == 0o600
    assert folder.server.stat().st_mode & 0o777 == 0o600
