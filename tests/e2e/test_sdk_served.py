"""The middleware in a real server and in forked workers: receipts reach callers, and each worker speaks for itself."""

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
import uvicorn

from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import Kind, Metric, Origin
from glideslope.domain.observation import Briefing, Totals
from glideslope.domain.receipt import ReceiptKey, read
from glideslope.sdk import Glideslope, record

KEY = ReceiptKey(id=3, secret=b"s" * 32)
BRIEFING = Briefing(
    model=ModelName("fraud"),
    grant=None,
    rollouts={RolloutId("fraud-1"): 17},
    metrics=(Metric(name=MetricName("clicked"), kind=Kind.EVENT, origin=Origin.SERVICE),),
    dimensions=(),
    key_id=KEY.id,
    key=KEY.secret,
    tag="a",
)


class Taken:
    """What the server was told."""

    def __init__(self) -> None:
        self.totals: list[Totals] = []
        self.url = ""

    def counts(self) -> dict[str, dict[str, int]]:
        """Return the merged counts of each source that counted anything."""
        merged: dict[str, dict[str, int]] = {}
        for message in list(self.totals):
            for cell, count in message.counts.items():
                source = merged.setdefault(message.source, {})
                source[cell] = max(count, source.get(cell, 0))
        return merged


@pytest.fixture
def taken() -> Iterator[Taken]:
    told = Taken()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(msgspec.json.encode(BRIEFING))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.totals.append(msgspec.json.decode(body, type=Totals))
            self._answer(b"")

        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name for it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def asked(port: int) -> str:
    """Send a request as the gateway would; return the prediction's id."""
    headers = {
        "x-glideslope-rollout": "fraud-1",
        "x-glideslope-step": "s1",
        "x-glideslope-arm": "candidate",
        "x-request-id": "r-1",
    }
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().headers["x-glideslope-prediction"]


async def host(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind == "lifespan.shutdown":
                return
    record(score=0.75, clicked=1.0)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def test_callers_of_a_real_server_get_receipts_and_what_was_counted_is_sent_before_it_ends(taken: Taken) -> None:
    app = Glideslope(host, model="fraud", version="v2", server=taken.url, source="worker")
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not (server.started and app.service.briefed.key):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]

    prediction = asked(port)
    server.should_exit = True
    thread.join(20)

    assert read(prediction, keys={KEY.id: KEY}).rollout == 17
    assert taken.counts() == {"worker": {"fraud-1/s1/candidate/clicked/all/1": 1}}


def test_workers_forked_from_a_running_parent_count_under_names_of_their_own(taken: Taken) -> None:
    """As with servers that load the application once and fork: nothing is counted twice, nothing gets lost."""
    script = textwrap.dedent(
        """
        import os, sys, time
        from glideslope.domain.traffic import Arm
        from glideslope.sdk import Service, Stamps

        service = Service("fraud", server=sys.argv[1], source="app")
        service.start()
        while not service.briefed.key:
            time.sleep(0.01)
        stamps = Stamps(rollout="fraud-1", step="s1", arm=Arm.CANDIDATE)
        service.predicted(stamps, metrics={"clicked": 1.0})
        children = []
        for _ in range(2):
            child = os.fork()
            if child == 0:
                for _ in range(5):
                    service.predicted(stamps, metrics={"clicked": 1.0})
                service.stop(timeout=10)
                os._exit(0)
            children.append(child)
        codes = [os.waitpid(child, 0)[1] for child in children]
        service.stop(timeout=10)
        print(codes)
        """
    )
    run = subprocess.run(
        [sys.executable, "-c", script, taken.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": "src"},
    )

    assert (run.returncode, json.loads(run.stdout)) == (0, [0, 0]), run.stderr
    counts = taken.counts()
    assert sorted(next(iter(cells.values())) for cells in counts.values()) == [1, 5, 5]
    assert {source.partition(".")[0] for source in counts} == {"app"}
