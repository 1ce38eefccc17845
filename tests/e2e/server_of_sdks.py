"""A real HTTP server that speaks the part of the API that services use, as well or as badly as a test asks."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from glideslope.domain.ids import MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import Kind, Metric, Origin
from glideslope.domain.observation import Briefing, Grant, Outcomes, OutcomesTaken, ShadowAnswers, Totals
from glideslope.domain.pairs import Halves
from glideslope.domain.receipt import ReceiptKey
from glideslope.domain.traffic import TOTAL

MODEL = ModelName("fraud")
TOKEN = "token-1"  # noqa: S105 - it opens nothing
KEY = ReceiptKey(id=3, secret=b"s" * 32)
CLICKED = Metric(name=MetricName("clicked"), kind=Kind.EVENT, origin=Origin.SERVICE)
GRANT = Grant(
    rollout=RolloutId("fraud-1"),
    step=StepName("s1"),
    salt="x",
    candidate=TOTAL,
    control=0,
    lease_ms=2_000,
    epoch=1,
    version=1,
)


class FakeServer:
    """Speaks the part of the API that services use, as well or as badly as `mood` says."""

    def __init__(self) -> None:
        self.mood = "well"
        self.grant: Grant | None = None
        self.model = MODEL
        self.tag = "a"
        self.changed = threading.Condition()
        self.totals: list[Totals] = []
        self.shadow: list[ShadowAnswers] = []
        self.mirrors = RolloutId("")
        """The rollout whose shadow stage briefings speak of; empty as from a server that knows no halves."""
        self.hears_usage = True
        """Whether it is of a release that knows the word; an older one refuses whatever it does not know."""
        self.halves: list[Halves] = []
        self.outcomes: list[Outcomes] = []
        self.tokens: set[str] = set()
        self.connections = 0
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def brief(self, *, grant: Grant | None, tag: str) -> None:
        with self.changed:
            self.grant, self.tag = grant, tag
            self.changed.notify_all()

    def briefing(self) -> Briefing:
        return Briefing(
            model=self.model,
            grant=self.grant,
            rollouts={RolloutId("fraud-1"): 17},
            metrics=(CLICKED,),
            dimensions=(),
            key_id=KEY.id,
            key=KEY.secret,
            tag=self.tag,
            shadow=self.mirrors,
            usage=self.hears_usage,
        )

    def answer(self, path: str, body: bytes) -> bytes:
        match path:
            case "/v1/observations":
                if not self.hears_usage and "usage" in msgspec.json.decode(body):
                    return b'{"taken":"refused"}'  # no answer that can be read: the message was not counted
                self.totals.append(msgspec.json.decode(body, type=Totals))
                return b""
            case "/v1/shadow":
                self.shadow.append(msgspec.json.decode(body, type=ShadowAnswers))
                return b""
            case "/v1/pairs":
                self.halves.append(msgspec.json.decode(body, type=Halves))
                return b""
            case "/v1/outcomes":
                self.outcomes.append(msgspec.json.decode(body, type=Outcomes))
                return msgspec.json.encode(
                    OutcomesTaken(counted=len(self.outcomes[-1].outcomes), repeated=0, unmeasured=0)
                )
            case _:
                return b'{"echo":true}'

    def close(self) -> None:
        self.mood = "gone"
        with self.changed:
            self.changed.notify_all()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def handler(server: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        moods: ClassVar[dict[str, tuple[int, bytes]]] = {
            "failing": (500, b"oops"),
            "babbling": (200, b"<html>hello</html>"),
            "refusing": (
                403,
                b'{"type":"https://x/errors#token-unknown","detail":"Who are you?","next_command":"glideslope doctor"}',
            ),
        }

        def setup(self) -> None:
            super().setup()
            server.connections += 1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/events":
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"event: decided\r\ndata: 1\n\n")
                self.close_connection = True
            elif parts.path.endswith("/briefing"):
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                deadline = time.monotonic() + float(query.get("wait", "0"))
                with server.changed:
                    while server.mood == "well" and server.tag == query.get("seen"):
                        if not server.changed.wait(deadline - time.monotonic()):
                            break
                self._reply(msgspec.json.encode(server.briefing()))
            else:
                self._reply(server.answer(parts.path, b""))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._reply(server.answer(self.path, body) if server.mood == "well" else b"")

        def _reply(self, body: bytes) -> None:
            server.tokens.add(self.headers.get("Authorization", ""))
            status, body = self.moods.get(server.mood, (200, body))
            if server.mood in {"hanging up", "gone"}:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.mood == "slow":
                body = body[:1]  # and never the rest
            self.wfile.write(body)
            while server.mood == "slow":
                with server.changed:
                    server.changed.wait()
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name for it
            pass

    return Handler
