"""Rules that others answer: CEL for real, and OPA's REST data API spoken by a small server over a real socket.

A real OPA is not at hand where these run (it is a binary of its own, in no package registry): what is tried is the protocol as its
documentation states it, and every way in which a server may fail to answer.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest

from glideslope.adapters.rules.cel import CelSource
from glideslope.adapters.rules.opa import LARGEST, OpaSource
from glideslope.domain.errors import Invalid
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, Fail, NoEvidence, Opa, Outcome, Pass, Policy, examine
from glideslope.engine.rule_sources import told
from glideslope.interfaces.cli.shipped import DOSSIER_FILE, shipped
from glideslope.interfaces.document import policies
from glideslope.wiring import rules

Answer = Callable[[BaseHTTPRequestHandler, dict[str, Any]], None]


@pytest.fixture(scope="module")
def dossier() -> Dossier:
    return policies.read_dossier(shipped(f"policies/{DOSSIER_FILE}"), file=DOSSIER_FILE)


def cel(findings: str, *needs: str) -> Cel:
    return Cel(id="C", says="s", findings=findings, needs=needs or ("plan",))


@pytest.mark.parametrize(
    ("expression", "answer", "words"),
    [
        ("evaluations[0].results.filter(r, r.rows < 5000).map(r, r.slice)", Fail, "new_customer=yes"),
        ("evaluations[0].results.filter(r, r.rows < 50).map(r, r.slice)", Pass, "found nothing wrong"),
        ("plan.steps.filter(s, s.share > 1000 && s.stage == 'canary').map(s, string(s.share))", Fail, "2000"),
        ("plan.nothing.filter(s, true)", NoEvidence, "NOT_FOUND"),
        ("drills[7].kind == 'x' ? ['y'] : []", NoEvidence, "list of texts"),
        ("plan.steps", NoEvidence, "list of texts"),
        ("plan.alpha < 1.0", NoEvidence, "list of texts"),
        ("'a text'", NoEvidence, "a text"),
        ("nobody.x", NoEvidence, "compiled"),
        ("[", NoEvidence, "compiled"),
    ],
)
def test_cel_finds_what_is_wrong_or_has_no_evidence(
    expression: str, answer: type[Outcome], words: str, dossier: Dossier
) -> None:
    found = CelSource().answer(cel(expression), dossier)

    assert type(found) is answer, found
    assert words in str(found)


def test_a_block_that_is_not_there_is_no_evidence_in_cel(dossier: Dossier) -> None:
    rule = cel("evaluations.filter(e, false).map(e, e.holdout)", "evaluations.results")
    policy = Policy(name="p", tiers=("high",), rules=(rule,))
    for gone in (msgspec.UNSET, ()):
        without = msgspec.structs.replace(dossier, evaluations=gone)
        (answer,) = examine(policy, without, told(policy, without, {"cel": CelSource()}))
        assert answer.outcome == NoEvidence(("`evaluations.results`",))
    (answer,) = examine(policy, dossier, told(policy, dossier, {"cel": CelSource()}))
    assert isinstance(answer.outcome, Pass)


class Server:
    """Answers as it is told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = respond({"result": {"passes": True, "findings": []}})
        self.asked: list[tuple[str, dict[str, str], dict[str, Any]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append((self.path, dict(self.headers), body))
                try:
                    outer.answer(self, body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None: ...

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


def respond(document: Any, *, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler, _: dict[str, Any]) -> None:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    return answer


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.http.shutdown()
    found.http.server_close()


def opa(within: str = "20s") -> Opa:
    return Opa(id="O", says="s", path="glideslope/credit", within=within)


def test_the_dossier_is_the_input_and_the_answer_names_the_offenders(server: Server, dossier: Dossier) -> None:
    """The rule is evaluated by the server, on what it was sent: findings are made from the input."""

    def judge(handler: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        small = [r["slice"] for e in body["input"]["evaluations"] for r in e["results"] if r["rows"] < 5_000]
        respond({"result": {"passes": not small, "findings": small}, "decision_id": "7"})(handler, body)

    server.answer = judge
    source = OpaSource(f"{server.url}/opa/", token="sesame")  # noqa: S106 - no secret

    assert source.answer(opa(), dossier) == Fail(("new_customer=yes",))
    path, headers, body = server.asked[0]
    assert (path, headers["Authorization"]) == ("/opa/v1/data/glideslope/credit", "Bearer sesame")
    assert msgspec.convert(body["input"], Dossier) == dossier


@pytest.mark.parametrize(
    ("document", "status", "answer", "words"),
    [
        ({"result": {"passes": True, "findings": []}}, 200, Pass, "glideslope/credit passes"),
        ({"result": {"passes": False, "findings": ["a", "b"]}}, 200, Fail, "a"),
        ({"result": {"passes": True, "findings": ["a"]}}, 200, Fail, "a"),
        ({"result": {"passes": False, "findings": []}}, 200, Fail, "names nobody"),
        ({}, 200, NoEvidence, "undefined"),
        ({"result": []}, 200, NoEvidence, "passes"),
        ({"result": True}, 200, NoEvidence, "passes"),
        ({"result": {"passes": "true", "findings": []}}, 200, NoEvidence, "bool"),
        ({"result": {"passes": True}}, 200, NoEvidence, "findings"),
        ({"result": {"passes": True, "findings": [], "deny": ["x"]}}, 200, NoEvidence, "deny"),
        ({"result": {"passes": True, "findings": []}}, 500, NoEvidence, "500"),
        ({"code": "unauthorized"}, 401, NoEvidence, "401"),
        ({}, 302, NoEvidence, "302"),
        (b"<html>", 200, NoEvidence, "passes"),
        (b"", 200, NoEvidence, "passes"),
        (b" " * (LARGEST + 2), 200, NoEvidence, "longer than"),
    ],
)  # fmt: skip
def test_only_an_answer_in_so_many_words_is_believed(  # noqa: PLR0917 - a table's columns
    document: Any, status: int, answer: type[Outcome], words: str, server: Server, dossier: Dossier
) -> None:
    server.answer = respond(document, status=status)

    found = OpaSource(server.url).answer(opa(), dossier)

    assert type(found) is answer, found
    assert words in str(found)


def test_silence_and_a_trickle_end_with_the_rules_time(server: Server, dossier: Dossier) -> None:
    """Neither a server that says nothing nor one that sends a byte now and then holds a decision up for longer than was allowed."""
    released = threading.Event()

    def silent(_handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        released.wait(60)

    def trickle(handler: BaseHTTPRequestHandler, _body: dict[str, Any]) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not released.wait(0.05):
            handler.wfile.write(b" ")

    for answer in (silent, trickle):
        server.answer = answer
        began = time.monotonic()
        assert OpaSource(server.url).answer(opa("1s"), dossier) == NoEvidence(
            ("an answer of the OPA server: nothing came within 1s",)
        )
        assert time.monotonic() - began < 50, "it gave up by itself"
    released.set()


def test_a_server_that_is_not_there_is_no_evidence(server: Server, dossier: Dossier) -> None:
    server.http.server_close()

    found = OpaSource(server.url).answer(opa("5s"), dossier)

    assert isinstance(found, NoEvidence)
    assert "an answer of the OPA server" in found.what[0]


@pytest.mark.parametrize("url", ["opa:8181", "ftp://opa", "http://", "http://opa?x=1", "http://me:pw@opa", ""])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="no address of an OPA server"):
        OpaSource(url)


def test_nobody_to_ask_is_no_evidence(dossier: Dossier) -> None:
    policy = Policy(name="p", tiers=("low", "high"), rules=(opa(), cel("[]")))

    found = rules.told(policy, dossier, "", "")

    assert isinstance(found["O"], NoEvidence)
    assert isinstance(found["C"], Pass)
    assert isinstance(CelSource().answer(opa(), dossier), NoEvidence)
    assert rules.told(policy, msgspec.structs.replace(dossier, tier="other"), "", "") == {}
