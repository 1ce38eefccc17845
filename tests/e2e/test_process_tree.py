"""The life of `glideslope up`: nothing it does, and nothing done to it, takes the incumbent away or leaves a process behind."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from glideslope.adapters.drivers.envoy.supervisor import relieve, sweep
from glideslope.settings import Settings
from glideslope.testing.http import ModelServer, exchange
from glideslope.testing.tree import Tree, cli, end, living, ready, start, tree, until
from glideslope.wiring.tree import up

pytestmark = pytest.mark.envoy

PLAN = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [30%], for: 600s, at_most: 900s}
guardrails:
  - {metric: errors, margin: 20pp}
lease: 1s
stale_after: 30s
"""


@asynccontextmanager
async def versions() -> AsyncIterator[tuple[ModelServer, ModelServer]]:
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        yield v1, v2


async def canary(running: Tree, servers: tuple[ModelServer, ModelServer]) -> str:
    """Register both versions, begin a canary, and wait until its candidate is served."""
    for number, server in enumerate(servers, start=1):
        await register(running, server, digest=f"{number}")
    status, rollout = await running.call("POST", "/v1/rollouts", {"text": PLAN})
    assert status == 201, rollout
    await served(running, by="v2")
    return str(rollout["id"])


async def register(running: Tree, server: ModelServer, *, digest: str, model: str = "fraud") -> None:
    body = {"version": server.name, "digest": f"sha256:{digest * 64}", "url": server.url, "why": "it is trained"}
    status, told = await running.call("POST", f"/v1/models/{model}/versions", body | {"incumbent": server.name == "v1"})
    assert status == 200, told


async def served(running: Tree, *, by: str, seconds: float = 20.0) -> None:
    """Wait until the gateway serves some subject by a version."""
    async with asyncio.timeout(seconds):
        n = 0
        while True:
            n += 1
            with contextlib.suppress(OSError):
                answer = await running.ask("fraud", f"u{n}")
                if answer.status == 200 and answer.body.startswith(by.encode()):
                    return
            await asyncio.sleep(0.02)


async def serves_the_incumbent(running: Tree, *, requests: int = 20) -> None:
    for n in range(requests):
        answer = await running.ask("fraud", f"someone {n}")
        assert (answer.status, answer.body[:2]) == (200, b"v1")


def free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return True
    return False


async def ended(running: Tree) -> int:
    return await asyncio.to_thread(running.process.wait, 30)


async def test_ctrl_c_ends_every_process_and_the_next_start_goes_on(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers:
        async with tree(state) as running:
            rollout = await canary(running, servers)
            ports = (running.port, running.gateway_port)

            assert await running.stop(signal.SIGINT) == 0
            assert (living(state), [free(port) for port in ports]) == ({}, [True, True])

        async with tree(state) as again:
            assert again.gateway_port == ports[1], "callers find the gateway where it was"
            await served(again, by="v2")
            _, story = await again.call("GET", f"/v1/rollouts/{rollout}/story")
            kinds = [each["kind"] for each in story]
            assert "lease-lapsed" in kinds[: -1 - kinds[::-1].index("decided")], "what was exposed is decided afresh"


async def test_a_killed_root_leaves_the_incumbent_served_and_the_next_one_takes_over(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await canary(running, servers)
        before = running.pids()

        os.kill(before["up"], signal.SIGKILL)
        await ended(running)
        await until(lambda: "server" not in living(state), what="the server ends with its root", seconds=10)
        await asyncio.sleep(1.0)  # the lease
        await serves_the_incumbent(running)
        assert living(state) == {"gateway": before["gateway"], "envoy": before["envoy"]}

        failures: list[object] = []
        stopping = asyncio.Event()
        port = running.gateway_port
        asking = asyncio.create_task(_ask_until(stopping, port=port, failures=failures))
        async with tree(state) as again:
            await served(again, by="v2")
            after = again.pids()
            stopping.set()
            await asking
        assert failures == []
        assert (after["envoy"], again.process.returncode, living(state)) == (before["envoy"], 0, {})
        assert after["gateway"] != before["gateway"], "its own supervisor, which ends with it"


@pytest.mark.parametrize("killed", ["gateway", "server"])
async def test_what_is_killed_while_the_tree_starts_is_started_again_and_takes_no_traffic_along(
    tmp_path: Path, killed: str
) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await canary(running, servers)
        before = running.pids()
        failures: list[object] = []
        stopping = asyncio.Event()
        asking = asyncio.create_task(_ask_until(stopping, port=running.gateway_port, failures=failures))
        os.kill(before["up"], signal.SIGKILL)
        await ended(running)
        again = start(state)
        try:
            await until(lambda: living(state).get(killed, before[killed]) != before[killed], what="it is started anew")
            os.kill(living(state)[killed], signal.SIGKILL)
            await ready(again)
            await served(again, by="v2")
            stopping.set()
            await asking
            assert (failures, living(state)["envoy"]) == ([], before["envoy"])
            assert f"the {killed} ended with status -9; starting it again" in again.said
        finally:
            end(again)


async def test_a_gateway_that_a_killed_tree_started_too_late_to_be_seen_is_relieved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `up` forked as it was killed may take the folder after its successor has looked. Its Envoy serves on."""
    state = tmp_path / ".glideslope"
    looked: list[bool] = []
    said: list[str] = []
    stopping = asyncio.Event()

    async def blind_once(folder: Path) -> bool:
        looked.append(True)
        return len(looked) > 1 and await relieve(folder)

    monkeypatch.setattr("glideslope.wiring.tree.relieve", blind_once)
    async with versions() as servers, tree(state) as running:
        await register(running, servers[0], digest="1")
        await served(running, by="v1")
        before = running.pids()
        os.kill(before["up"], signal.SIGKILL)
        await ended(running)
        settings = Settings(state=state, port=0, gateway_port=0)
        again = asyncio.create_task(up(settings, say=said.append, stopping=stopping))
        try:
            await until(lambda: again.done() or any(w.startswith("gateway") for w in said), what=lambda: f"up: {said}")
            assert not again.done(), said
            assert living(state)["envoy"] == before["envoy"], "nobody's requests are lost"
            assert living(state)["gateway"] != before["gateway"]
        finally:
            stopping.set()
            await again


async def test_a_tree_that_gives_up_leaves_anothers_envoy_alone(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await register(running, servers[0], digest="1")
        await served(running, by="v1")
        before = running.pids()
        await sweep(state / "gateway", drain=0.1)
        assert running.pids() == before
        await serves_the_incumbent(running)


async def test_a_tree_started_at_once_after_its_predecessor_was_killed_waits_for_the_old_server(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await canary(running, servers)
        os.kill(running.process.pid, signal.SIGKILL)

        async with tree(state) as again:
            await served(again, by="v2")
            assert "error[" not in again.said


async def test_a_frozen_server_exposes_nobody_and_renews_nothing_when_it_thaws(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        rollout = await canary(running, servers)
        server = running.pids()["server"]
        os.kill(server, signal.SIGSTOP)
        try:
            await asyncio.sleep(1.25)  # the lease, and a little
            await serves_the_incumbent(running, requests=40)
            await asyncio.sleep(3.0)  # the governor's own lease
        finally:
            os.kill(server, signal.SIGCONT)
        await served(running, by="v2")
        _, story = await running.call("GET", f"/v1/rollouts/{rollout}/story")
        kinds = [each["kind"] for each in story]
        assert kinds.index("lease-lapsed") < len(kinds) - 1 - kinds[::-1].index("decided"), kinds


async def _ask_until(stopping: asyncio.Event, *, port: int, failures: list[object]) -> None:
    n = 0
    while not stopping.is_set():
        n += 1
        try:
            answer = await exchange(port, "POST", "/fraud/predict", headers={"x-glideslope-subject": f"u{n}"})
            if answer.status != 200:
                failures.append(answer)
        except OSError as error:
            failures.append(error)
        await asyncio.sleep(0.01)


async def test_an_envoy_whose_supervisor_just_died_is_not_left_behind(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with tree(state) as running:
        os.kill(running.pids()["gateway"], signal.SIGKILL)

        assert await running.stop() == 0
        assert living(state) == {}


@pytest.mark.parametrize("after", [0.4, 1.2])
async def test_a_tree_told_to_stop_while_it_starts_stops(tmp_path: Path, after: float) -> None:
    state = tmp_path / ".glideslope"
    running = start(state)
    try:
        await asyncio.sleep(after)
        running.process.terminate()
        async with asyncio.timeout(8):
            status = await ended(running)
        # Before it could say that it listens to the signal, the signal ends it.
        assert status in {0, -signal.SIGTERM}
        assert living(state) == {}
    finally:
        end(running)


async def test_a_second_tree_in_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await canary(running, servers)
        before = running.pids()

        second = start(state)
        assert await ended(second) == 1
        assert "error[store-in-use]" in second.said
        assert "Traffic is unchanged." in second.said
        assert running.pids() == before
        await served(running, by="v2")

        # One server beside it, as a person might start it by hand, fares no better.
        by_hand = await cli("serve", "--state", str(state), "--port", "0", folder=tmp_path)
        assert (by_hand.status, "error[store-in-use]" in by_hand.err) == (1, True)
        assert running.port, "its address is still the first's"
        await served(running, by="v2")


async def test_a_port_that_is_taken_is_named_and_nothing_stays(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        trees = [
            (start(tmp_path / "a" / ".glideslope", "--port", port), "--port"),
            (start(tmp_path / "b" / ".glideslope", "--gateway-port", port), "--gateway-port"),
        ]
        try:
            for running, setting in trees:
                assert await ended(running) == 1
                assert "error[port-in-use]" in running.said
                assert f"Next: glideslope up {setting} 0" in running.said
                assert "Traffic is unchanged." in running.said
                assert "Traceback" not in running.said
                assert living(running.state) == {}
        finally:
            for running, _ in trees:
                end(running)


async def test_a_port_that_was_free_last_time_is_left_to_whoever_took_it(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with tree(state) as running:
        port = running.gateway_port
    with socket.create_server(("127.0.0.1", port)):
        async with tree(state) as again:
            assert again.gateway_port != port


@pytest.mark.parametrize(
    ("name", "code"),
    [("glideslope.sqlite", "store-corrupt"), ("gateway/lanes.json", "driver-unavailable"), ("receipt.key", "store-unavailable")],
    ids=["the database", "the shape", "a key"],
)  # fmt: skip
async def test_damaged_state_leaves_the_incumbent_served_and_a_repair_is_noticed(
    tmp_path: Path, name: str, code: str
) -> None:
    state = tmp_path / ".glideslope"
    file = state / name
    async with versions() as servers:
        async with tree(state) as running:
            await canary(running, servers)
        whole = file.read_bytes()
        damaged = (
            whole[:100] + bytes(b ^ 0xFF for b in whole[100:9000]) + whole[9000:] if len(whole) > 9000 else b"\xff"
        )
        file.write_bytes(damaged)

        again = start(state)
        try:
            await until(lambda: "serves the incumbents" in again.said, what=lambda: again.said)
            assert f"error[{code}]" in again.said
            assert "incumbent" in again.said.split(f"error[{code}]")[1].splitlines()[1], "it says what traffic does"
            assert "Traceback" not in again.said
            assert file.read_bytes() == damaged, "nothing was repaired"
            await serves_the_incumbent(again)
            asked = await again.cli("status")
            assert (asked.status, "error[no-server]" in asked.err) == (2, True)

            file.write_bytes(whole)
            await ready(again)
            await served(again, by="v2")
            assert await again.stop() == 0
        finally:
            end(again)


async def test_a_tree_that_never_got_whole_says_so_when_it_ends(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with tree(state):
        pass
    (state / "glideslope.sqlite").write_bytes(b"not a database" * 1000)
    # Nothing is registered, so there is nothing to serve, and nothing to wait for.
    again = start(state)
    try:
        assert await ended(again) == 1
        assert "error[store-corrupt]" in again.said
        assert "error[child-failed]" in again.said
        assert living(state) == {}
    finally:
        end(again)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk that is soon full."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if not mounted(disk, options="size=8m"):
        pytest.skip("a small disk cannot be mounted here")
    try:
        yield disk
    finally:
        unmount(disk)


def mounted(folder: Path, *, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_returns_traffic_loses_nothing_and_is_got_over(small_disk: Path) -> None:
    state = small_disk / ".glideslope"
    async with versions() as servers, tree(state) as running:
        rollout = await canary(running, servers)
        ballast = small_disk / "ballast"
        with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

        status, problem = await _refused(running, servers[1])
        assert (status, problem["code"]) == (503, "store-unavailable")
        assert "returns to the incumbent" in problem["traffic"]
        told = await running.cli("halt", rollout, "-m", "look at this")
        assert (told.status, "error[store-unavailable]" in told.err) == (1, True)
        await until_incumbent(running)
        await serves_the_incumbent(running)
        checks = (await running.call("GET", "/v1/doctor"))[1]
        assert {c["name"] for c in checks if not c["ok"]} >= {"disk"}

        # Even a gateway that dies now comes back: what it serves from is written already.
        for what in ("envoy", "gateway"):
            await killed(running, what)
            await served(running, by="v1")
            await serves_the_incumbent(running)

        ballast.unlink()
        await served(running, by="v2")
        checked = await running.cli("verify", "--json")
        assert checked.status == 0, checked.out


async def _refused(running: Tree, server: ModelServer) -> tuple[int, Any]:
    """Register ever more until one is refused; everything acknowledged before must be there."""
    for n in range(2000):
        body = {"version": f"w{n}", "digest": f"sha256:{n:064x}", "url": server.url, "why": "x" * 1000}
        status, told = await running.call("POST", "/v1/models/fraud/versions", body)
        if status != 200:
            _, model = await running.call("GET", "/v1/models/fraud")
            assert len(model["versions"]) == n + 2
            return status, told
    raise AssertionError("the disk never got full")


async def killed(running: Tree, what: str) -> None:
    """Kill a process and wait until another stands in its place."""
    before = running.pids()[what]
    os.kill(before, signal.SIGKILL)
    await until(lambda: running.pids().get(what, before) != before, what=f"another {what} is started")


async def until_incumbent(running: Tree) -> None:
    """Wait until forty subjects in a row are served by the incumbent."""
    async with asyncio.timeout(15):
        streak = 0
        while streak < 40:
            answer = await running.ask("fraud", f"w{streak}")
            streak = streak + 1 if answer.body.startswith(b"v1") else 0


@pytest.mark.parametrize("kind", ["file in the way", "read-only disk", "path too long"])
async def test_a_folder_that_cannot_hold_state_is_named(tmp_path: Path, kind: str) -> None:
    state = tmp_path / "state"
    match kind:
        case "file in the way":
            state.write_text("a file")
        case "read-only disk":
            state.mkdir()
            if not mounted(state, options="ro"):
                pytest.skip("a read-only disk cannot be mounted here")
        case _:
            state = tmp_path / ("x" * 100)
    try:
        ended = await cli("up", "--state", str(state), "--port", "0", "--gateway-port", "0", folder=tmp_path)

        assert ended.status == 1
        assert ended.err.startswith("error[state-unusable]: ")
        assert "Nothing was started." in ended.err
    finally:
        if kind == "read-only disk":
            unmount(state)


async def test_addresses_of_a_dead_tree_are_told_apart_from_answers(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with tree(state) as running:
        os.kill(running.pids()["up"], signal.SIGKILL)
        await ended(running)
        await until(lambda: "server" not in living(state), what="the server ends with its root", seconds=10)

        asked = await cli("status", folder=tmp_path)
        assert (asked.status, asked.err.split(":")[0]) == (1, "error[server-unreachable]")


async def test_event_streams_do_not_hold_up_the_end(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        rollout = await canary(running, servers)
        streams = []
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(
                f"GET /v1/rollouts/{rollout}/events HTTP/1.1\r\nhost: x\r\n"
                f"authorization: Bearer {running.token}\r\n\r\n".encode()
            )
            await reader.readuntil(b"event: rollout")
            streams.append(writer)
        loop = asyncio.get_running_loop()

        began = loop.time()
        assert await running.stop() == 0
        assert loop.time() - began < 8
        assert "Traceback" not in running.said
        assert "exceeded" not in running.said, "the streams ended by themselves"
        for writer in streams:
            writer.close()


async def test_a_server_told_to_end_saves_what_was_counted_and_gives_its_lease_back(tmp_path: Path) -> None:
    """Else the next one would wait for the lease's end, and a second of observations would be lost."""
    state = tmp_path / ".glideslope"
    async with versions() as servers, tree(state) as running:
        await canary(running, servers)
        before = running.pids()["server"]
        os.kill(before, signal.SIGTERM)
        await until(lambda: running.pids().get("server", before) != before, what="it is started again")
        loop = asyncio.get_running_loop()
        began = loop.time()
        await served(running, by="v2")
        assert "ended with status 0" in running.said
        assert loop.time() - began < 20
