"""A real Prometheus scrapes a real server under traffic: every query of the dashboards and alerts that we ship has something to say."""

import asyncio
import json
import random
import re
import shutil
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml

from glideslope.interfaces.cli.verbs.monitoring import FILES
from glideslope.sdk import Glideslope, record
from glideslope.testing.http import exchange
from glideslope.testing.tree import Tree, tree

pytestmark = [pytest.mark.slow, pytest.mark.envoy]

HERE = Path(__file__).parent
PLAN = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [30%], for: 600s, at_most: 900s}
value: {currency: EUR, threshold: 50%, hit: 20, miss: -200, false_alarm: -5}
guardrails:
  - {metric: errors, margin: 20pp}
  - {metric: latency, margin: 400%}  # an answer takes a millisecond where nothing else runs
  - {metric: log_loss, margin: 0.5}
slices: {channel: [web, phone]}
lease: 2s
"""
ASKS = """\
model: mail
candidate: v2
owner: mail@example.com
why: Fewer false alarms.
approvals: 1
"""
SELECTOR = re.compile(r"glideslope_\w+(?:\{[^}]*\})?")
CHANCE = random.Random(5)


async def predicts(scope: Any, receive: Any, send: Any) -> None:
    """Answer as a model would, and say with what probability, on which channel."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    record(score=CHANCE.uniform(0.05, 0.95), slices={"channel": CHANCE.choice(["web", "phone"])})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


@asynccontextmanager
async def served(running: Tree, model: str, token: str) -> AsyncIterator[None]:
    """Serve two versions of a model by real HTTP servers with the sdk in them, and register them."""
    address = (running.state / "address").read_text().strip()
    with serving() as serve:
        for version in ("v1", "v2"):
            app = Glideslope(predicts, model=model, version=version, server=address, token=token, price=1.0)
            body = {
                "version": version,
                "digest": f"sha256:{version[1] * 64}",
                "url": serve(app),
                "why": "trained",
                "incumbent": version == "v1",
            }
            status, answer = await running.call("POST", f"/v1/models/{model}/versions", body)
            assert status == 200, answer
        yield


class serving:  # noqa: N801 - reads as the context that it is
    """Runs servers in threads until left."""

    def __enter__(self) -> Any:
        self._running: list[tuple[uvicorn.Server, threading.Thread]] = []
        return self._serve

    def _serve(self, app: Any) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        self._running.append((server, thread))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        for server, _thread in self._running:
            server.should_exit = True
        for _server, thread in self._running:
            thread.join(10)


async def traffic(running: Tree) -> None:
    """Ask the gateway, and say half a second later what really happened."""
    waiting: list[str] = []
    number = 0
    while True:
        number += 1
        with suppress(ConnectionError):
            answer = await running.ask("fraud", f"u{number}")
            if prediction := answer.headers.get("x-glideslope-prediction"):
                waiting.append(prediction)
        if len(waiting) >= 50:
            outcomes = [{"prediction": each, "happened": CHANCE.random() < 0.5} for each in waiting]
            with suppress(ConnectionError):
                await running.call("POST", "/v1/outcomes", {"outcomes": outcomes})
            waiting.clear()
        await asyncio.sleep(0.01)


@asynccontextmanager
async def prometheus(folder: Path, running: Tree) -> AsyncIterator[str]:
    """Start a Prometheus with the files as they are written, but for the address and how often it scrapes."""
    program = shutil.which("prometheus")
    assert program is not None
    config = yaml.safe_load((folder / "prometheus.yaml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{running.port}"]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        *(program, "--config.file=prometheus.yaml", "--storage.tsdb.path=data"),
        f"--web.listen-address=127.0.0.1:{port}",
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


def asked(address: str, query: str) -> list[Any]:
    """Return the series of an instant query. Raises AssertionError for one that Prometheus refuses."""
    url = f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own process
        found = json.load(answer)
    assert found["status"] == "success", found
    series: list[Any] = found["data"]["result"]
    return series


def queries(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield every query of the dashboards as Grafana would send it, and every series that an alert looks at."""
    for name in (name for name in FILES if name.endswith(".json")):
        found = json.loads((folder / name).read_text())
        for panel in found["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", _chosen(target["expr"])
        for each in found["annotations"]["list"]:
            yield f"{name}: {each['name']}", _chosen(each["expr"])
    for group in yaml.safe_load((folder / "rules.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            for selector in SELECTOR.findall(rule["expr"]):
                yield rule["alert"], selector


def _chosen(expression: str) -> str:
    for name, value in (("model", "fraud"), ("rollout", "r-0001"), ("metric", "log_loss"), ("__rate_interval", "10s")):
        expression = expression.replace(f"${name}", value)
    return expression


async def test_every_query_that_we_ship_returns_series_from_a_real_server_under_traffic(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus; `make test-all` installs Debian's")
    folder = tmp_path / "watching"
    async with tree(tmp_path / ".glideslope") as running:
        assert (await running.cli("monitoring", "write", str(folder))).status == 0
        for name, role, more in (("servers", "source", ("--all-models",)), ("prometheus", "reader", ())):
            made = await running.cli("token", "create", name, "--role", role, *more)
            assert made.status == 0, made.err
            (folder / f"{name}.token").write_text(made.out.strip())
        (folder / "prometheus.token").rename(folder / "glideslope.token")
        token = (folder / "servers.token").read_text()
        async with (
            served(running, "fraud", token),
            served(running, "mail", token),
            prometheus(folder, running) as address,
        ):
            # A drill and an approval that wait, and a rollout under traffic.
            status, answer = await running.call(
                "POST", "/v1/models/fraud/drills", {"drill": "rollback", "why": "practice"}
            )
            assert status == 200, answer
            calling = asyncio.create_task(traffic(running))
            silent = set(queries(folder))
            try:
                await _drilled(running)
                for text in (PLAN, ASKS):
                    await _proposed(running, text)
                optional = {
                    "glideslope_drill_due_timestamp_seconds"
                }  # asked for by a tier, and there is no organisation here
                async with asyncio.timeout(240):
                    while silent:
                        for each in sorted(silent):
                            found = [each] if each[1] in optional else await asyncio.to_thread(asked, address, each[1])
                            silent -= {each} if found else set()
                        await asyncio.sleep(1)
            except TimeoutError:
                stand = [
                    (each["id"], each["phase"], each["next"]) for each in (await running.call("GET", "/v1/rollouts"))[1]
                ]
                pytest.fail(f"rollouts {stand}; no series for {sorted(silent)}")
            finally:
                calling.cancel()
            firing = {series["metric"]["alertname"] for series in asked(address, 'ALERTS{alertstate="firing"}')}
            assert not firing & {"GlideslopeDown", "GlideslopeNobodyGoverns", "GlideslopeLedgerInvalid"}
            scrape = await exchange(
                running.port,
                "GET",
                "/metrics",
                headers={"authorization": f"Bearer {(folder / 'glideslope.token').read_text()}"},
            )
    checked = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=scrape.body, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


async def _proposed(running: Tree, text: str) -> None:
    """Propose a plan as soon as traffic enough was seen for it to tell anything."""
    async with asyncio.timeout(120):
        while True:
            status, answer = await running.call("POST", "/v1/rollouts", {"text": text})
            if status == 201:
                return
            assert answer["code"] == "plan-cannot-detect", answer
            await asyncio.sleep(0.5)


async def _drilled(running: Tree) -> None:
    """Wait until going back was practised."""
    async with asyncio.timeout(240):
        while (await running.call("GET", "/v1/models/fraud/drills"))[1][0]["state"] != "passed":  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)


def test_the_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("there is no promtool; `make test-all` installs Debian's prometheus")
    shipped = HERE.parents[1] / "src/glideslope/interfaces/cli/files/monitoring/rules.yaml"
    for source in (shipped, HERE / "prometheus_rules_test.yaml"):
        shutil.copy(source, tmp_path / source.name)

    for command in (["check", "rules", "rules.yaml"], ["test", "rules", "prometheus_rules_test.yaml"]):
        run = subprocess.run(["promtool", *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stdout + run.stderr
