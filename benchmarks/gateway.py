"""What governing costs per request: our gateway beside a bare Envoy, in turns, in one run, on equal cores.

Run with ``python benchmarks/gateway.py [--quick] [--json]``; needs ``wrk`` (Debian: apt-get install wrk). The bare Envoy has one
route to one cluster and writes no log. Ours splits by a salted hash in three, stamps, is ready to rescue, reports every
request to a living server, and then mirrors some or all as well. The proxy under test has a core to itself, everybody else
shares the others. Compare CPU per request first, rates second; latencies on a shared machine are upper bounds. Goal: with
a split and observation, half the requests of a bare Envoy or more.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from glideslope.adapters.drivers.envoy.binary import find_binary
from glideslope.adapters.drivers.envoy.bootstrap import Gateway, bootstrap
from glideslope.adapters.drivers.envoy.driver import EnvoyDriver
from glideslope.adapters.drivers.envoy.process import ready
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName, VersionName
from glideslope.domain.traffic import Endpoint, Exposure, Route, Split, Token
from glideslope.engine.ports import Served

MODEL = ModelName("fraud")
LEASE = timedelta(seconds=30)
MIRRORS = {"split and observation": 0, "and a mirror of 10 %": 1_000, "and a mirror of everything": 10_000}

# A subject per request, cheaply: the loader must not be what is measured.
SUBJECTS = """
local n = 0
local id = tostring({}):sub(8)
request = function()
  n = n + 1
  return wrk.format("POST", nil, {["x-glideslope-subject"] = id .. n, ["content-type"] = "application/json"}, BODY)
end
BODY = string.rep("x", 1024)
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One turn of one contestant."""

    per_second: float
    cpu_us: float
    p50_us: float
    p99_us: float
    errors: int


@dataclass(frozen=True, slots=True)
class Figure:
    """Medians over all turns; the ratios are to the bare Envoy in the same turn."""

    what: str
    per_second: int
    ratio: float
    cpu_us: float
    cpu_ratio: float
    p50_us: float
    p99_us: float
    errors: int


def static(port: int, *, cluster_port: int | None) -> dict[str, Any]:
    """Return a bare Envoy: a proxy to `cluster_port`, or, without one, an upstream that answers by itself."""
    document = bootstrap(Gateway(port=port))
    manager = document["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["rds"], manager["access_log"], document["dynamic_resources"], document["layered_runtime"]
    del document["admin"]
    action: dict[str, Any] = {"direct_response": {"status": 200, "body": {"inline_string": '{"score": 0.25}' * 6}}}
    clusters: list[dict[str, Any]] = []
    if cluster_port is not None:
        action = {"route": {"cluster": "model"}}
        address = {"socket_address": {"address": "127.0.0.1", "port_value": cluster_port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
        clusters = [
            {"name": "model", "type": "STATIC", "load_assignment": {"cluster_name": "model", "endpoints": endpoints}}
        ]
    routes = [{"match": {"prefix": "/"}} | action]
    manager["route_config"] = {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "routes": routes}]}
    document["static_resources"]["clusters"] = clusters
    return document


@contextlib.contextmanager
def envoy(folder: Path, document: dict[str, Any], *, cores: set[int]) -> Iterator[int]:
    """Run an Envoy without our supervisor; yield its process id."""
    folder.mkdir()
    (folder / "bootstrap.json").write_text(json.dumps(document))
    command = [str(find_binary()), "-c", "bootstrap.json", "--disable-hot-restart", "--concurrency", "1", "-l", "error"]
    with subprocess.Popen(command, cwd=folder) as process:
        port = document["static_resources"]["listeners"][0]["address"]["socket_address"]["port_value"]
        while not listening(port):
            time.sleep(0.02)
        pin(process.pid, cores)
        try:
            yield process.pid
        finally:
            process.terminate()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def pin(pid: int, cores: set[int]) -> None:
    """Confine all threads of a process."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process, proc(5) fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def load(port: int, path: str, *, pid: int, seconds: float, connections: int, script: Path) -> Run:
    """Run wrk for a while and read its report."""
    before = cpu_seconds(pid)
    process = await asyncio.create_subprocess_exec(
        "wrk",
        *("-t", "1", "-c", str(connections), "-d", f"{seconds:g}s", "--latency", "-s", str(script)),
        f"http://127.0.0.1:{port}{path}",
        stdout=subprocess.PIPE,
    )
    report = (await process.communicate())[0].decode()
    spent = cpu_seconds(pid) - before
    requests = int(found(r"(\d+) requests in", report))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", report)
    return Run(
        per_second=float(found(r"Requests/sec:\s+([\d.]+)", report)),
        cpu_us=spent * 1e6 / requests,
        p50_us=microseconds(found(r"\n\s+50%\s+(\S+)", report)),
        p99_us=microseconds(found(r"\n\s+99%\s+(\S+)", report)),
        errors=int(bad[1]) if bad else 0,
    )


def found(pattern: str, report: str) -> str:
    match = re.search(pattern, report)
    if match is None:
        sys.exit(f"wrk said something else:\n{report}")
    return match[1]


def microseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr] # wrk writes no other units
    return float(number) * {"us": 1, "ms": 1_000, "s": 1_000_000}[unit]


@asynccontextmanager
async def gateway(folder: Path, *, cores: set[int]) -> AsyncIterator[tuple[int, int]]:
    """Run our gateway under its supervisor; yield port and process id."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run_gateway(folder, Gateway(port=0), stopping=stopping, drain=0.1))
    try:
        running = await ready(folder, timeout=20)
        pin(running.pid, cores)
        yield running.port, running.pid
    finally:
        stopping.set()
        await task


@dataclass(slots=True)
class Observer:
    """A server's side: how many requests were reported, and what that cost it."""

    served: int = 0

    def __call__(self, batch: Sequence[Served]) -> None:
        self.served += len(batch)


async def measure(*, rounds: int, seconds: float, connections: int) -> tuple[list[Figure], float, float]:
    """Return the figures, the server's CPU in us per reported request, and the share of requests that were reported."""
    mine, others = {max(os.sched_getaffinity(0))}, os.sched_getaffinity(0)
    others = others - mine or others
    os.sched_setaffinity(0, others)
    observer = Observer()
    with tempfile.TemporaryDirectory() as temporary, contextlib.ExitStack() as stack:
        home = Path(temporary)
        script = home / "subjects.lua"
        script.write_text(SUBJECTS)
        upstream, bare = free_ports(2)
        stack.enter_context(envoy(home / "upstream", static(upstream, cluster_port=None), cores=others))
        bare_pid = stack.enter_context(envoy(home / "bare", static(bare, cluster_port=upstream), cores=mine))
        async with (
            EnvoyDriver(home / "gateway", sink=observer) as driver,
            gateway(home / "gateway", cores=mine) as (port, pid),
        ):
            while not driver.gateways():  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.01)
            route = Route(MODEL, incumbent=endpoint("v7", upstream), candidate=endpoint("v8", upstream), salt="b")
            await driver.shape([route])
            runs: dict[str, list[Run]] = {what: [] for what in ("bare Envoy", *MIRRORS)}
            requests, spent = 0.0, 0.0
            for turn in range(rounds):
                runs["bare Envoy"].append(
                    await load(bare, "/x", pid=bare_pid, seconds=seconds, connections=connections, script=script)
                )
                for n, (what, mirror) in enumerate(MIRRORS.items()):
                    split = Split(candidate=3_000, control=7_000)
                    exposure = Exposure(RolloutId("fraud-1"), StepName("s1"), split, mirror=mirror)
                    await driver.lease(MODEL, exposure, token=Token(turn, n), ttl=LEASE + timedelta(seconds=seconds))
                    began = time.process_time()
                    run = await load(
                        port, f"/{MODEL}/x", pid=pid, seconds=seconds, connections=connections, script=script
                    )
                    await asyncio.sleep(0.3)
                    spent += time.process_time() - began
                    requests += run.per_second * seconds
                    runs[what].append(run)
    figures = [summary(what, of, beside=runs["bare Envoy"]) for what, of in runs.items()]
    return figures, spent * 1e6 / observer.served, observer.served / requests


def summary(what: str, runs: list[Run], *, beside: list[Run]) -> Figure:
    return Figure(
        what=what,
        per_second=round(median(run.per_second for run in runs)),
        ratio=round(median(run.per_second / bare.per_second for run, bare in zip(runs, beside, strict=True)), 3),
        cpu_us=round(median(run.cpu_us for run in runs), 1),
        cpu_ratio=round(median(run.cpu_us / bare.cpu_us for run, bare in zip(runs, beside, strict=True)), 3),
        p50_us=round(median(run.p50_us for run in runs), 1),
        p99_us=round(median(run.p99_us for run in runs), 1),
        errors=sum(run.errors for run in runs),
    )


def endpoint(version: str, port: int) -> Endpoint:
    return Endpoint(VersionName(version), Digest("sha256:" + "0" * 64), f"http://127.0.0.1:{port}")


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="some seconds, rough figures")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (Debian: apt-get install wrk)")
    rounds, seconds = (2, 1.0) if arguments.quick else (7, 4.0)
    full, server_us, reported = asyncio.run(measure(rounds=rounds, seconds=seconds, connections=16))
    alone, _, _ = asyncio.run(measure(rounds=rounds, seconds=seconds, connections=1))
    if arguments.json:
        document = {
            "benchmark": "gateway",
            "saturated": [asdict(one) for one in full],
            "one connection": [asdict(one) for one in alone],
            "server_us_per_request": round(server_us, 2),
            "reported": round(reported, 4),
        }
        print(json.dumps(document, indent=1))
        return
    for title, figures in (("16 connections, saturated", full), ("one connection", alone)):
        print(f"{title:<28} {'per s':>7} {'ratio':>6} {'CPU us':>7} {'ratio':>6} {'p50 us':>8} {'p99 us':>8} errors")
        for one in figures:
            print(
                f"  {one.what:<26} {one.per_second:>7} {one.ratio:>6.3f} {one.cpu_us:>7.1f} {one.cpu_ratio:>6.3f} "
                f"{one.p50_us:>8.1f} {one.p99_us:>8.1f} {one.errors:>6}"
            )
    print(
        f"the server spent {server_us:.1f} us of CPU per reported request; {reported:.1%} of the requests were reported"
    )


if __name__ == "__main__":
    main()
