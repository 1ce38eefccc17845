"""What the dashboard costs whoever looks: bytes, first paint, time to a chart, findings of axe; MLflow UI and Evidently UI beside it.

Run: `python benchmarks/pages.py [--quick] [--json] [--peers PYTHON]`. PYTHON is the interpreter of an environment of its own that
holds them (`python -m venv peers; peers/bin/pip install mlflow evidently "pandas<3"`); without it the peers are left out.

Our pages are those of a fleet of 500 rollouts under way, one of which has 200 slices (`--quick`: 20 and 20). Each page is opened
several times in a browser that has cached nothing; medians are given, milliseconds from the start of the navigation. A chart is there
when an element that a chart is drawn on has a size. Peers hold what is usual for them: MLflow 20 runs with four metrics of 200 steps,
Evidently a report on data drift.

The fan-out opens 200 event streams to one server whose rollout moves, and gives the server's CPU as a share of one core, less that of
the same server without anybody who looks.
"""

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.async_api import Browser, StorageState

ROOT: Final = Path(__file__).resolve().parent.parent
AXE: Final = ROOT / "tests" / "browser" / "vendor" / "axe.min.js"
TOKEN: Final = "gs_bench"  # noqa: S105 - of a server that lives for this run
GOALS: Final = {"kB": 150.0, "first paint ms": 500.0, "axe": 0}
CHART: Final = "canvas, svg.main-svg, svg[role=img], figure svg"
FIND_CHART: Final = """(chart) => new Promise(resolve => { const look = () => {
  const boxes = [...document.querySelectorAll(chart)].map(e => e.getBoundingClientRect());
  const found = boxes.some(box => box.width > 60 && box.height > 8);
  if (found) requestAnimationFrame(() => resolve(performance.now())); else requestAnimationFrame(look); }; look(); })"""
FIRST_PAINT: Final = """() => new Promise(resolve => {
  const told = e => e.find(x => x.name === "first-contentful-paint")?.startTime;
  const now = told(performance.getEntriesByType("paint")); if (now) return resolve(now);
  new PerformanceObserver(l => { const t = told(l.getEntries()); if (t) resolve(t); }).observe({type: "paint", buffered: true}); })"""
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
FINDINGS: Final = "async (rules) => (await axe.run(document, {runOnly: rules})).violations.length"

MLFLOW: Final = """
import random, sys, mlflow
from mlflow.entities import Metric
from mlflow.tracking import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
client, chance = MlflowClient(), random.Random(1)
experiment = client.create_experiment("flights")
for number in range(20):
    run = client.create_run(experiment, run_name=f"v{number}")
    metrics = [Metric(name, chance.random(), 1_700_000_000_000 + step, step)
               for name in ("log_loss", "auc", "errors", "latency") for step in range(200)]
    client.log_batch(run.info.run_id, metrics=metrics)
    client.set_terminated(run.info.run_id)
print(experiment, run.info.run_id)
"""
EVIDENTLY: Final = """
import random, sys, pandas
from evidently import Dataset, DataDefinition, Report
from evidently.presets import DataDriftPreset
from evidently.ui.workspace import Workspace
chance = random.Random(1)
frame = lambda shift: pandas.DataFrame({f"f{k}": [chance.gauss(shift, 1) for _ in range(2_000)] for k in range(8)})
report = Report([DataDriftPreset()])
made = report.run(Dataset.from_pandas(frame(0.2), DataDefinition()), Dataset.from_pandas(frame(0.0), DataDefinition()))
workspace = Workspace.create(sys.argv[1])
project = workspace.create_project("flights")
added = workspace.add_run(project.id, made, include_data=False)
print(project.id, getattr(added, "id", added))
"""


async def serve(*, rollouts: int, slices: int, moving: bool) -> None:
    """Serve the pages of a world of that size, and print where and whom they show."""
    import uvicorn
    from msgspec.structs import replace

    from glideslope.domain.draft import HOUR, StageDraft
    from glideslope.domain.identity import Identity, Role
    from glideslope.domain.ids import Actor, ModelName
    from glideslope.domain.metric import Dimension
    from glideslope.domain.plan import StageKind
    from glideslope.interfaces.api.app import create_app
    from glideslope.interfaces.dashboard.site import beside, create_site
    from glideslope.testing.traffic import SOUND, Behaviour
    from glideslope.testing.world import STAGES, World, draft

    looks = Identity(actor=Actor("bench"), role=Role.MEMBER)
    world = World(seed=1, identify=lambda token: looks if token == TOKEN else None)
    canary = StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=HOUR, maximum=100 * HOUR)
    many = (Dimension("airport", tuple(f"A{k:03}" for k in range(slices))),)
    await world.serves("flights", v1=SOUND, v2=Behaviour(noise=0.06), per_second=400, dimensions=many)
    first = await world.propose(draft("flights", "v2", stages=(canary, *STAGES[1:]), slices=many))
    for k in range(rollouts - 1):
        await world.serves(f"model-{k:03}", v1=SOUND, v2=SOUND, per_second=0)
        await world.propose(replace(draft(f"model-{k:03}", "v2"), stages=(canary, *STAGES[1:])))
    await world.pass_time(20)
    if not moving:
        world.traffic[ModelName("flights")].demand.per_second = 0
        await world.pass_time(1)
    secrets = (f"bench-{number}" for number in count(1))
    site = create_site(world.app, monotonic=time.monotonic, chance=lambda: next(secrets))
    api = create_app(world.app, new_key=lambda: next(secrets))
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(beside(api, site), log_level="warning", lifespan="off"))
    print(f"http://127.0.0.1:{listening.getsockname()[1]} {first}", flush=True)

    async def move() -> None:
        while moving:
            await world.pass_time(0.5)
            await asyncio.sleep(0.5)

    moves = asyncio.create_task(move())
    await server.serve(sockets=[listening])
    moves.cancel()


@contextmanager
def served(*, rollouts: int, slices: int, moving: bool = False) -> Iterator[tuple[str, str, int]]:
    """Run such a server in a process of its own; yield its address, the rollout to look at, and its process id."""
    asked = [f"--serve={rollouts},{slices},{int(moving)}"]
    with subprocess.Popen([sys.executable, __file__, *asked], stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or not (said := process.stdout.readline().split()):
                sys.exit("the server of the pages did not start")
            yield said[0], said[1], process.pid
        finally:
            process.terminate()


@contextmanager
def peer(command: list[str], address: str, *, folder: Path) -> Iterator[None]:
    """Run a peer's server until it answers."""
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(address, timeout=2).close()  # noqa: S310 - an address of ours
                    break
                except (urllib.error.URLError, OSError):
                    if process.poll() is not None:
                        sys.exit(f"{command[0]} ended: {(folder / 'log').read_text()[-500:]}")
                    time.sleep(0.2)
            yield
        finally:
            process.terminate()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def told(python: str, program: str, *arguments: str, folder: Path) -> list[str]:
    """Have a peer fill its store; return what it prints last."""
    done = subprocess.run(
        [python, "-c", program, *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        sys.exit(f"a peer could not be filled: {done.stderr[-800:]}")
    return done.stdout.strip().splitlines()[-1].split()


@asynccontextmanager
async def browser() -> AsyncIterator["Browser"]:
    """Start the Chromium of the machine."""
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium; Debian has it")
    async with async_playwright() as driver:
        opened = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        await opened.close()


async def looked_at(
    opened: "Browser", address: str, path: str, *, times: int, state: "StorageState | None" = None, chart: bool
) -> Mapping[str, float]:
    """Open a page several times with nothing cached; return medians, and what axe finds."""
    paints, charts, weights, findings = [], [], [], 0
    for number in range(times):
        context = await opened.new_context(
            base_url=address, storage_state=state, viewport={"width": 1280, "height": 900}
        )
        page = await context.new_page()
        tools = await context.new_cdp_session(page)
        await tools.send("Network.enable")
        sent: list[int] = []
        tools.on("Network.loadingFinished", lambda event, sent=sent: sent.append(event["encodedDataLength"]))
        await page.goto(path, wait_until="load")
        paints.append(await page.evaluate(FIRST_PAINT))
        if chart:
            charts.append(await asyncio.wait_for(page.evaluate(FIND_CHART, CHART), 60))
        weights.append(sum(sent) / 1000)
        if number == times - 1:
            await tools.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
            findings = await page.evaluate(FINDINGS, RULES)
        await context.close()
    found = {"kB": statistics.median(weights), "first paint ms": statistics.median(paints), "axe": findings}
    return {**found, "chart ms": statistics.median(charts)} if chart else found


async def signed_in(opened: "Browser", address: str) -> "StorageState":
    """Return the cookies of somebody signed in."""
    context = await opened.new_context(base_url=address)
    page = await context.new_page()
    await page.goto("/sign-in")
    await page.fill("input[name=token]", TOKEN)
    await page.click("main button:has-text('Sign in')")
    await page.wait_for_url("**/")
    state = await context.storage_state()
    await context.close()
    return state


async def pages(*, times: int, rollouts: int, slices: int, peers: str) -> dict[str, Mapping[str, float]]:
    """Measure ours and theirs in one browser."""
    rows: dict[str, Mapping[str, float]] = {}
    with ExitStack() as stack:
        address, rollout, _ = stack.enter_context(served(rollouts=rollouts, slices=slices))
        asked: list[tuple[str, str, str, bool]] = []
        if peers:
            asked = [*theirs(peers, stack)]
        async with browser() as opened:
            state = await signed_in(opened, address)
            for path in ("/", "/approvals", f"/rollouts/{rollout}", "/models", "/models/flights", "/ledger"):
                drawn = path.startswith("/rollouts")
                rows[f"glideslope {path}"] = await looked_at(
                    opened, address, path, times=times, state=state, chart=drawn
                )
            for name, at, path, drawn in asked:
                rows[f"{name} {path.split('?')[0]}"] = await looked_at(opened, at, path, times=times, chart=drawn)
    return rows


def theirs(python: str, stack: ExitStack) -> Iterator[tuple[str, str, str, bool]]:
    """Start the peers with something to show; yield name, address, path, and whether a chart is to come."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    beside = Path(python).parent
    store = f"sqlite:///{folder}/mlflow.db"
    experiment, run = told(python, MLFLOW, store, folder=folder)
    at = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(beside / "mlflow"), "ui", "--backend-store-uri", store, "--port", str(port)]
    stack.enter_context(peer(command, at, folder=folder))
    yield "mlflow", at, f"/#/experiments/{experiment}/runs", False
    yield "mlflow", at, f"/#/experiments/{experiment}/runs/{run}/model-metrics", True
    space = folder / "evidently"
    space.mkdir()
    project, snapshot = told(python, EVIDENTLY, str(space), folder=space)
    at = f"http://127.0.0.1:{(port := free_port())}"
    stack.enter_context(
        peer([str(beside / "evidently"), "ui", "--workspace", str(space), "--port", str(port)], at, folder=space)
    )
    yield "evidently", at, f"/projects/{project}/reports", False
    yield "evidently", at, f"/projects/{project}/reports/{snapshot}", True


def cpu(pid: int) -> float:
    """Return the CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def fan_out(*, viewers: int, seconds: float) -> dict[str, float]:
    """Let so many browsers follow one server; return its CPU with and without them, and the events that came."""
    with served(rollouts=1, slices=3, moving=True) as (address, _, pid):
        async with browser() as opened:
            state = await signed_in(opened, address)
        cookie = "; ".join(f"{each['name']}={each['value']}" for each in state["cookies"])
        port = int(address.rsplit(":", 1)[1])
        before = cpu(pid)
        await asyncio.sleep(seconds)
        alone = cpu(pid) - before
        arrived = [0]
        everybody = asyncio.Event()

        async def view() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
            try:
                while line := await reader.readline():
                    arrived[0] += line.startswith(b"event:")
                    if arrived[0] >= viewers:
                        everybody.set()
            finally:
                writer.close()

        views = [asyncio.create_task(view()) for _ in range(viewers)]
        await everybody.wait()
        before, came = cpu(pid), arrived[0]
        await asyncio.sleep(seconds)
        watched = cpu(pid) - before
        for each in views:
            each.cancel()
        await asyncio.gather(*views, return_exceptions=True)
    return {
        "viewers": viewers,
        "events a second": (arrived[0] - came) / seconds,
        "core alone": alone / seconds,
        "core for viewers": (watched - alone) / seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", default="", help="the interpreter of an environment with mlflow and evidently")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        rollouts, slices, moving = (int(part) for part in chosen.serve.split(","))
        asyncio.run(serve(rollouts=rollouts, slices=slices, moving=bool(moving)))
        return
    size = {"rollouts": 20, "slices": 20, "times": 3} if chosen.quick else {"rollouts": 500, "slices": 200, "times": 7}
    rows = asyncio.run(pages(**size, peers=chosen.peers))
    fanned = asyncio.run(fan_out(viewers=50 if chosen.quick else 200, seconds=4 if chosen.quick else 15))
    if chosen.json:
        print(json.dumps({"pages": rows, "fan-out": fanned, "goals": GOALS}, indent=2))
        return
    for name, row in rows.items():
        print(f"{name[:60]:60} " + "  ".join(f"{key} {value:8.1f}" for key, value in row.items()))
    print("  ".join(f"{key} {value:.2f}" for key, value in fanned.items()))
    print("goals of ours: " + ", ".join(f"{key} <= {value}" for key, value in GOALS.items()))


if __name__ == "__main__":
    main()
