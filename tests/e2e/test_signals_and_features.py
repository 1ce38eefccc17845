"""Real model servers with the sdk inside, behind a real gateway: what is not as agreed, or not alike, reaches people, and moves nothing."""

import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from glideslope.sdk import Service
from glideslope.sdk.stamps import from_headers
from glideslope.testing.tree import Tree, tree, until

pytestmark = pytest.mark.envoy

PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: It was retrained.
stages:
  - canary: {shares: [50%], for: 20m, at_most: 30m}
guardrails:
  - {metric: errors, margin: 5pp}
lease: 1s
"""


def row_of(subject: str) -> dict[str, object]:
    """Return a subject's row: a length of 0 to 400 and one of two languages, as if by chance."""
    chance = int.from_bytes(blake2b(subject.encode(), digest_size=2).digest())
    return {"length": 400 * chance / 65_536, "language": ("de", "en")[chance % 2]}


def sample(path: Path, *, rows: int, length: float = 1.0) -> None:
    chance = random.Random(1)
    lines = ["length,language,answered"]
    for _ in range(rows):
        row = row_of(f"u{chance.randrange(10**9)}")
        lines.append(f"{float(str(row['length'])) * length:.1f},{row['language']},1")
    path.write_text("\n".join(lines) + "\n")


@contextmanager
def serving(service: Service, *, other: bool) -> Iterator[str]:
    """Answer as one version with the sdk inside; an `other` one is fed lengths in another unit and scores higher."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            stamps = from_headers([(k.lower().encode(), v.encode()) for k, v in self.headers.items()])
            row = row_of(stamps.subject or "u0")
            length = float(str(row["length"]))
            score = 0.1 + length / 1000 + 0.4 * other
            service.predicted(stamps, score=score, features=row | {"length": length / 3 if other else length})
            self._answer()

        def _answer(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        service.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        service.stop()
        server.shutdown()
        thread.join()


@asynccontextmanager
async def rolling(folder: Path) -> AsyncIterator[tuple[Tree, str]]:
    """Agree on a contract by the command line, as the page says, and begin a rollout of a version that is not alike."""
    async with tree(folder / ".glideslope") as running:
        sample(folder / "rows.csv", rows=3_000)
        told = await running.cli(
            "contract", "infer", "rows.csv", "--model", "answers", "--but", "answered", "-o", "contract.yaml"
        )
        assert told.status == 0, told.err
        services = [
            Service("answers", version=v, server=f"http://127.0.0.1:{running.port}", token=running.token)
            for v in ("v1", "v2")
        ]
        with ExitStack() as stack:
            for service in services:
                url = stack.enter_context(serving(service, other=service.version == "v2"))
                body = {"digest": f"sha256:{service.version[-1] * 64}", "url": url, "why": "trained"}
                body |= {"version": service.version, "incumbent": service.version == "v1"}
                status, answer = await running.call("POST", "/v1/models/answers/versions", body)
                assert status == 200, answer
            told = await running.cli("contract", "register", "contract.yaml", "-m", "agreed")
            assert told.status == 0, told.err
            await until(lambda: all(s.features.contract for s in services), what="both servers know the contract")
            status, view = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, view
            yield running, view["id"]


async def asking(running: Tree, seen: Callable[[], Awaitable[bool]], *, within: float) -> None:
    """Send requests until something is seen."""
    deadline, number = time.monotonic() + within, 0
    while not await seen():
        assert time.monotonic() < deadline, "it was not seen in time"
        for _ in range(100):
            number += 1
            await running.ask("answers", f"u{number}")


def unmoved(view: Any) -> None:
    """Check that a rollout is where its plan's first step leaves it: it waits for its time and for nothing else."""
    assert not view["ended"], view
    assert view["reasons"] == ["minimum-time-not-reached"]


async def shown(running: Tree, verb: str) -> Any:
    told = await running.cli(verb, "answers", "--json")
    assert told.status == 0, told.err
    return json.loads(told.out)


async def test_a_contract_is_agreed_on_and_what_breaks_from_it_is_shown_with_its_evidence(tmp_path: Path) -> None:
    async with rolling(tmp_path) as (running, rollout):
        sample(tmp_path / "tomorrow.csv", rows=60, length=9.0)
        broken = await running.cli("contract", "check", "tomorrow.csv", "-f", "contract.yaml")
        same = await running.cli("contract", "show", "answers")

        async def differs() -> bool:
            view = await shown(running, "features")
            return any(each["differs"] for each in view["arms"])

        await asking(running, differs, within=90)
        view, told = await shown(running, "features"), await running.cli("features", "answers", "--all")
        _, after = await running.call("GET", f"/v1/rollouts/{rollout}")

    assert broken.status == 3
    assert "rows break it" in broken.out
    assert same.out == (tmp_path / "contract.yaml").read_text()
    assert [each["name"] for each in view["arms"] if each["differs"]] == ["length"]
    assert view["advisory"] is True
    assert "length differs between the arms" in told.out
    assert "advisory, moves no traffic" in told.out
    unmoved(after)


@pytest.mark.slow
async def test_a_difference_that_no_guardrail_names_is_flagged_to_people_and_the_rollout_goes_on(
    tmp_path: Path,
) -> None:
    """The server looks once a minute; the second look is the first that can see a difference."""
    async with rolling(tmp_path) as (running, rollout):

        async def flagged() -> bool:
            view = await shown(running, "signals")
            return {"score", "feature length"} <= {flag["series"] for flag in view["flags"]}

        await asking(running, flagged, within=300)
        view, told = await shown(running, "signals"), await running.cli("signals", "answers")
        _, after = await running.call("GET", f"/v1/rollouts/{rollout}")
        _, decisions = await running.call("GET", f"/v1/rollouts/{rollout}/decisions")

    score = next(flag for flag in view["flags"] if flag["series"] == "score")
    assert (score["arm"], score["rollout"], score["baseline"]) == ("difference", rollout, "the other arm")
    assert score["evidence"] >= score["line"] > 1
    assert f"score differs between the arms of {rollout}" in told.out
    assert "advisory, moves no traffic" in told.out
    unmoved(after)
    assert "score" not in json.dumps(decisions)
