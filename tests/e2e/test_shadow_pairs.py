"""Both arms answer behind a real gateway, which mirrors: their answers meet, are limited by the plan, and nobody was exposed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
import pytest

from glideslope.engine.views import DisagreementView
from glideslope.sdk import Service
from glideslope.sdk.stamps import from_headers
from glideslope.testing.tree import Tree, tree

pytestmark = pytest.mark.envoy

PLAN = """\
model: answers
candidate: v2
owner: answers@example.com
why: It was retrained.
stages:
  - shadow: {for: 1s, at_most: 60s}
  - canary: {shares: [50%], for: 2s, at_most: 60s}
guardrails:
  - {metric: errors, margin: 5pp}
slices: {language: [de, en]}
pairs: {disagreement: 30%, skew: 30%}
lease: 1s
"""
TAGS = {"topic": "open", "name": "personal", "token": "secret"}


def probability(subject: str, *, bad: bool) -> float:
    """Return what a version answers: the candidate says the opposite where the language is German."""
    chance = int.from_bytes(blake2b(subject.encode(), digest_size=2).digest()) / 65_535
    return 1 - chance if bad and int(subject[1:]) % 2 else chance


@contextmanager
def serving(service: Service, *, bad: bool) -> Iterator[str]:
    """Answer as one version of the model, with the sdk inside."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            began = time.perf_counter()
            self.rfile.read(int(self.headers.get("content-length", 0)))
            stamps = from_headers([(k.lower().encode(), v.encode()) for k, v in self.headers.items()])
            subject = stamps.subject or "u0"
            service.predicted(
                stamps,
                score=probability(subject, bad=bad),
                slices={"language": "de" if int(subject[1:]) % 2 else "en"},
                seconds=time.perf_counter() - began,
                features={"subject": subject, "version": "v2" if bad else "v1"},
                attributes={"topic": f"t{subject}", "name": "Ann", "token": "hidden", "else": 1},
            )
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


async def register(running: Tree, version: str, *, url: str) -> None:
    body = {"version": version, "digest": f"sha256:{version[-1] * 64}", "url": url, "why": "trained"}
    status, told = await running.call("POST", "/v1/models/answers/versions", body | {"incumbent": version == "v1"})
    assert status == 200, told


async def ended(running: Tree, rollout: str, *, within: float) -> Any:
    """Send requests until the rollout has ended; return how it did."""
    deadline, number = time.monotonic() + within, 0
    while True:
        _, view = await running.call("GET", f"/v1/rollouts/{rollout}")
        if view["ended"]:
            return view
        assert time.monotonic() < deadline, view
        for _ in range(20):
            number += 1
            await running.ask("answers", f"u{number}")


async def test_a_candidate_that_disagrees_too_much_ends_in_the_shadow_and_its_worst_answers_can_be_seen(
    tmp_path: Path,
) -> None:
    async with tree(tmp_path / ".glideslope") as running:
        services = [
            Service("answers", version=v, server=f"http://127.0.0.1:{running.port}", token=running.token, tags=TAGS)
            for v in ("v1", "v2")
        ]
        with serving(services[0], bad=False) as incumbent, serving(services[1], bad=True) as candidate:
            await register(running, "v1", url=incumbent)
            await register(running, "v2", url=candidate)
            status, proposed = await running.call("POST", "/v1/rollouts", {"text": PLAN})
            assert status == 201, proposed

            view = await ended(running, proposed["id"], within=40)

            _, told = await running.call("GET", f"/v1/rollouts/{proposed['id']}/disagreements?slice=language%3Dde")
            shown = await running.cli("disagreements", "answers", "--slice", "language=de")
    found = msgspec.convert(told, type=tuple[DisagreementView, ...])

    assert (view["phase"], view["candidate_subjects"]) == ("rolled-back", 0)
    assert {f["subject"] for f in view["last"]["findings"]} <= {"disagreement", "skew"}
    assert {p["kind"] for p in view["pairs"]} == {"disagreement", "shift", "slower", "skew"}
    assert found
    assert list(found) == sorted(found, key=lambda each: (-each.difference, each.request))
    assert {each.slices for each in found} == {("language=de",)}
    assert all(
        each.attributes.keys() == {"topic", "name"} and each.attributes["name"] == "[personal]" for each in found
    )
    # Of a pair whose mirrored half came from a busy machine too late to be timed, the rest is shown all the same.
    assert any(each.other_features and each.candidate_ms is not None for each in found)
    assert shown.status == 0
    assert found[0].request in shown.out


CONFIRMED = PLAN.replace("pairs: {disagreement: 30%, skew: 30%}", "pairs: {disagreement: 30%}\nrecompute: required")


async def test_a_shadow_is_left_when_its_log_confirms_what_was_compared(tmp_path: Path) -> None:
    """Both halves of each pair stand in files, and SQL over them finds every bin that the server counted."""
    pytest.importorskip("duckdb", reason="the prediction log is the extra `log`")
    async with tree(tmp_path / ".glideslope", "--prediction-log") as running:
        services = [
            Service("answers", version=v, server=f"http://127.0.0.1:{running.port}", token=running.token)
            for v in ("v1", "v2")
        ]
        with serving(services[0], bad=False) as incumbent, serving(services[1], bad=False) as candidate:
            await register(running, "v1", url=incumbent)
            await register(running, "v2", url=candidate)
            status, proposed = await running.call("POST", "/v1/rollouts", {"text": CONFIRMED})
            assert status == 201, proposed
            deadline, number, view = time.monotonic() + 60, 0, proposed
            while view["step"] != "s2":
                assert time.monotonic() < deadline, view
                assert not view["ended"], view
                for _ in range(20):
                    number += 1
                    await running.ask("answers", f"u{number}")
                _, view = await running.call("GET", f"/v1/rollouts/{proposed['id']}")
            _, counted = await running.call("GET", f"/v1/rollouts/{proposed['id']}/recomputation")

    kinds = {p["kind"]: p for p in view["pairs"] if p["slice"] == "all"}
    assert kinds["disagreement"]["count"] > 5
    assert (counted["uncovered"], counted["unconfirmed"]) == ([], [])
    assert not [d for d in counted["differences"] if d["metric"].startswith("answers.")]
    assert counted["cells"] > 5
