"""What the HTTP API answers how quickly: reads of the fleet and of a rollout, and observations, against a real `glideslope up`.

Run with ``python benchmarks/api.py [--quick] [--json]``. The server is a process of its own with its state on disk and no gateway
(services assign in process), 20 models, 200 rollouts that have ended and one under way. Callers keep their connections: one at a
time for latency, 16 at once for throughput, all on this machine, so they compete with the server for its cores. `cpu ms` is the CPU
time of the server's processes per answer, which a busy machine changes least.
"""

import argparse
import asyncio
import contextlib
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

from glideslope.sdk import Client, calls

MODELS: Final = 20
ENDED: Final = 200
CALLERS: Final = 16
SERIES: Final = 80
"""Counts of one message: what 20 metrics of a request in three slices come to, and more."""
_TICK: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: one request's bytes, without the head that all have."""

    what: str
    method: str
    path: str
    body: bytes = b""
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """How one question was answered."""

    what: str
    bytes: int
    p50_ms: float
    p99_ms: float
    per_second: float
    p99_of_many_ms: float
    cpu_ms: float


@contextlib.contextmanager
def answering() -> Iterator[str]:
    """Stand for the model servers, which are asked whether they answer before a rollout is proposed."""

    class Yes(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Yes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@contextlib.contextmanager
def up(folder: Path) -> Iterator[tuple[str, str, int]]:
    """Start a server; yield its address, a token and its process."""
    state = folder / ".glideslope"
    command = [sys.executable, "-m", "glideslope", "up", "--state", str(state), "--no-gateway", "--port", "0"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 60
            while not ((state / "address").exists() and (state / "token").exists()):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError((folder / "log").read_text())
                time.sleep(0.05)
            address = (state / "address").read_text().strip()
            token = (state / "token").read_text().strip()
            with Client(address, tries=10) as client:
                client.send(calls.health())
            yield address, token, process.pid
        finally:
            process.terminate()


def plan(model: str, candidate: str, *, approvals: int) -> str:
    return (
        f"model: {model}\ncandidate: {candidate}\nowner: me\nwhy: better\napprovals: {approvals}\n"
        "stages: [canary: {shares: [10%, 50%], for: 1h}, full: 1h]\nslices: {origin: [EWR, JFK, LGA]}\n"
    )


def fill(client: Client, url: str, *, ended: int) -> str:
    """Register models and let rollouts end; return the one that is left under way."""
    for number in range(MODELS):
        for version in ("v1", "v2"):
            digest = f"sha256:{number:02x}{version[1:]}".ljust(71, "0")
            client.send(
                calls.register(f"m{number:02}", version, digest=digest, url=url, why="bench", incumbent=version == "v1")
            )
    for number in range(ended):
        rollout = client.send(calls.propose(plan(f"m{number % MODELS:02}", "v2", approvals=1)))
        client.send(calls.roll_back(rollout.id, why="bench"))
        for view in client.follow(calls.rollout_events(rollout.id)):
            if view.ended:
                break
    return client.send(calls.propose(plan("m00", "v2", approvals=0))).id


def questions(client: Client, rollout: str) -> Sequence[Question]:
    slices = ("all", "origin=EWR", "origin=JFK", "origin=LGA")
    counts = {f"{rollout}/s1/candidate/latency/{slices[k % 4]}/{k // 4}": k + 1 for k in range(SERIES)}
    totals = {"source": "bench", "epoch": 1, "model": "m00", "counts": counts}
    at = f"/v1/rollouts/{rollout}/plan"
    known = client.news(calls.proposal(rollout), known="")
    return (
        Question("GET /v1/healthz", "GET", "/v1/healthz"),
        Question("GET /v1/fleet, 100 of 200 ended", "GET", "/v1/fleet"),
        Question("GET /v1/fleet?ended=0", "GET", "/v1/fleet?ended=0"),
        Question("GET /v1/rollouts/{id}", "GET", f"/v1/rollouts/{rollout}"),
        Question("GET /v1/rollouts/{id}/plan", "GET", at),
        Question("the same, known (304)", "GET", at, tag=known.tag if known else ""),
        Question("GET /v1/rollouts, a page of 100", "GET", "/v1/rollouts?limit=100"),
        Question(f"POST /v1/observations, {SERIES} counts", "POST", "/v1/observations", json.dumps(totals).encode()),
    )


class Caller:
    """One kept connection."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._head = f"Host: bench\r\nAuthorization: Bearer {token}\r\n"

    async def __aenter__(self) -> Self:
        self._reading, self._writing = await asyncio.open_connection(self._host, self._port, limit=1 << 24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writing.close()

    async def ask(self, question: Question) -> int:
        """Return how many bytes the answer had. Raises RuntimeError for a refusal."""
        known = f"If-None-Match: {question.tag}\r\n" if question.tag else ""
        sent = f"Content-Length: {len(question.body)}\r\n" if question.body else ""
        head = f"{question.method} {question.path} HTTP/1.1\r\n{self._head}{known}{sent}\r\n"
        self._writing.write(head.encode() + question.body)
        told = await self._reading.readuntil(b"\r\n\r\n")
        lines = told.lower().split(b"\r\n")
        if int(lines[0].split()[1]) >= 400:
            raise RuntimeError(told.decode())
        length = next((int(each.split(b":")[1]) for each in lines if each.startswith(b"content-length")), 0)
        await self._reading.readexactly(length)
        return len(told) + length


async def asked(
    question: Question, address: str, token: str, *, callers: int, seconds: float
) -> tuple[list[float], int, float]:
    """Return the milliseconds of each answer, its size, and answers per second."""
    times: list[float] = []
    size = 0
    end = time.perf_counter() + seconds

    async def call() -> None:
        nonlocal size
        async with Caller(address, token) as caller:
            while (began := time.perf_counter()) < end:
                size = await caller.ask(question)
                times.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    return times, size, len(times) / (time.perf_counter() - began)


def family(pid: int) -> Sequence[int]:
    """Return a process and those that it started."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            found += [int(child) for child in Path(f"/proc/{each}/task/{each}/children").read_text().split()]
    return found


def cpu_ms(pids: Sequence[int]) -> float:
    """Return the CPU time that processes have used."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return 1000 * total / _TICK


def figures_of(question: Question, address: str, token: str, pids: Sequence[int], *, seconds: float) -> Figures:
    asyncio.run(asked(question, address, token, callers=1, seconds=0.3))  # warm
    one, size, _ = asyncio.run(asked(question, address, token, callers=1, seconds=seconds))
    before = cpu_ms(pids)
    many, _, per_second = asyncio.run(asked(question, address, token, callers=CALLERS, seconds=seconds))
    used = cpu_ms(pids) - before
    return Figures(
        what=question.what,
        bytes=size,
        p50_ms=round(statistics.median(one), 2),
        p99_ms=round(statistics.quantiles(one, n=100)[98], 2),
        per_second=round(per_second),
        p99_of_many_ms=round(statistics.quantiles(many, n=100)[98], 1),
        cpu_ms=round(used / len(many), 2),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Latency and throughput of the HTTP API.")
    parser.add_argument("--quick", action="store_true", help="a few seconds, rough figures")
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    arguments = parser.parse_args()
    seconds, ended = (0.5, 40) if arguments.quick else (5.0, ENDED)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, answering() as url, up(Path(folder)) as (address, token, pid):
        with Client(address, token, tries=5) as client:
            rollout = fill(client, url, ended=ended)
            asking = questions(client, rollout)
        pids = family(pid)
        found = [figures_of(each, address, token, pids, seconds=seconds) for each in asking]
    if arguments.json:
        print(
            json.dumps({"load": load, "cores": os.cpu_count(), "figures": [asdict(each) for each in found]}, indent=2)
        )
        return
    print(f"load before {load:.1f} on {os.cpu_count()} cores")
    print(f"{'':40}{'bytes':>9}{'p50 ms':>9}{'p99 ms':>9}{'per s':>8}{'p99 of 16':>11}{'cpu ms':>8}")
    for f in found:
        print(
            f"{f.what:40}{f.bytes:>9,}{f.p50_ms:>9.2f}{f.p99_ms:>9.2f}{f.per_second:>8,.0f}{f.p99_of_many_ms:>11.1f}{f.cpu_ms:>8.2f}"
        )


if __name__ == "__main__":
    main()
