"""What people and sources get wrong, through the doors they use: a code, what became of traffic, a status; the incumbent serves."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from glideslope.testing.http import Message, ModelServer
from glideslope.testing.tree import Ended, Tree

pytestmark = pytest.mark.envoy

_NUMBERS = itertools.count(1)


@dataclass(slots=True)
class Bench:
    """A model of its own behind the tree that all tests of this module share."""

    running: Tree
    model: str
    v1: ModelServer
    v2: ModelServer

    def plan(self, *, stages: str = "", guardrails: str = "", more: str = "") -> str:
        return (
            f"model: {self.model}\ncandidate: v2\nowner: me@example.com\nwhy: Fewer false alarms.\n"
            f"stages:\n  - {stages or 'canary: {shares: [30%], for: 600s, at_most: 900s}'}\n"
            f"guardrails:\n  - {guardrails or '{metric: errors, margin: 20pp}'}\nlease: 1s\n{more}"
        )

    async def apply(self, text: str, *, verb: str = "apply") -> Ended:
        path = self.running.state.parent / f"{self.model}.yaml"
        path.write_text(text)
        return await self.running.cli(verb, str(path))

    async def serves_the_incumbent(self) -> None:
        for n in range(10):
            answer = await self.running.ask(self.model, f"u{n}")
            assert (answer.status, answer.body[:2]) == (200, b"v1")

    async def rollout(self) -> dict[str, Any]:
        found: list[dict[str, Any]] = (await self.running.call("GET", "/v1/rollouts"))[1]
        return next(each for each in found if each["model"] == self.model)


@pytest.fixture
async def bench(standing: Tree) -> AsyncIterator[Bench]:
    number = next(_NUMBERS)
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        made = Bench(standing, f"model-{number}", v1, v2)
        for server in (v1, v2):
            status, told = await standing.call(
                "POST",
                f"/v1/models/{made.model}/versions",
                {
                    "version": server.name,
                    "digest": f"sha256:{server.name[1] * 64}",
                    "url": server.url,
                    "why": "it is trained",
                    "incumbent": server.name == "v1",
                },
            )
            assert status == 200, told
        for _ in range(250):
            if (await standing.ask(made.model, "u")).status == 200:
                break
            await asyncio.sleep(0.02)
        yield made
        for each in (await standing.call("GET", "/v1/rollouts"))[1]:
            if not each["ended"]:
                await standing.call("POST", f"/v1/rollouts/{each['id']}/rollback", {"why": "the test is over"})


@pytest.mark.parametrize("verb", ["plan", "apply"])
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("model: [x\ncandidate: v2\n", "plan-invalid"),
        ("\x00\x01\x02", "plan-invalid"),
        ("", "plan-invalid"),
        ("- a\n- b\n", "plan-invalid"),
    ],
    ids=["unclosed", "binary", "empty", "a list"],
)
async def test_a_broken_document_is_refused_at_its_place(bench: Bench, verb: str, broken: str, said: str) -> None:
    ended = await bench.apply(broken, verb=verb)

    assert (ended.status, f"error[{said}]" in ended.err) == (2, True), ended
    assert "Nothing was started; traffic is unchanged." in ended.err
    assert "Traceback" not in ended.err
    await bench.serves_the_incumbent()


async def test_an_unknown_metric_is_named(bench: Bench) -> None:
    ended = await bench.apply(bench.plan(guardrails="{metric: latencyy, margin: 25%}"))

    assert (ended.status, "error[plan-invalid]" in ended.err) == (2, True)
    assert "latencyy" in ended.err
    assert "traffic is unchanged" in ended.err
    await bench.serves_the_incumbent()


async def test_a_plan_whose_margin_it_cannot_detect_is_refused(bench: Bench) -> None:
    for n in range(60):
        await bench.running.ask(bench.model, f"u{n}")

    async def known() -> bool:
        _, view = await bench.running.call("POST", "/v1/plan", {"text": bench.plan()})
        return view["traffic_per_second"] is not None

    for _ in range(200):
        if await known():
            break
        await asyncio.sleep(0.05)
    ended = await bench.apply(
        bench.plan(stages="canary: {shares: [1%], for: 1s, at_most: 2s}", guardrails="{metric: errors, margin: 0.1pp}")
    )

    assert (ended.status, "error[plan-cannot-detect]" in ended.err) == (2, True), ended
    assert "Traffic is unchanged." in ended.err
    await bench.serves_the_incumbent()


async def test_a_candidate_that_does_not_start_is_not_exposed(bench: Bench) -> None:
    await bench.v2.kill()
    ended = await bench.apply(bench.plan())

    assert (ended.status, "error[endpoint-unreachable]" in ended.err) == (1, True), ended
    assert "Traffic is unchanged." in ended.err
    await bench.serves_the_incumbent()


async def test_a_source_that_goes_silent_holds_the_rollout(bench: Bench) -> None:
    plan = bench.plan(stages="canary: {shares: [30%], for: 1s, at_most: 600s}", more="stale_after: 1s\n")
    assert (await bench.apply(plan)).status == 0
    asked = 0
    while not (await bench.rollout())["candidate_subjects"]:
        asked += 1
        assert (await bench.running.ask(bench.model, f"u{asked}")).status == 200

    async def silent() -> dict[str, Any] | None:
        view = await bench.rollout()
        return view if "evidence-stale" in view["reasons"] else None

    for _ in range(300):
        if found := await silent():
            break
        await asyncio.sleep(0.05)
    else:
        pytest.fail(f"silence was not noticed: {await bench.rollout()}")
    assert (found["phase"], found["step"]) == ("running", "s1"), found
    assert (await bench.running.cli("status", found["id"])).status == 0


async def test_an_outcome_of_an_unknown_prediction_is_refused_by_itself(bench: Bench) -> None:
    path = bench.running.state.parent / "outcomes.jsonl"
    path.write_text('{"prediction": "no-such-prediction", "happened": true}\n' * 2)
    ended = await bench.running.cli("outcomes", str(path))

    assert ended.status == 3
    assert "2 refused" in ended.out
    assert "[receipt-invalid]" in ended.err


async def test_forged_receipts_count_for_nobody(bench: Bench) -> None:
    """Whatever is written into a receipt, without the key it is no receipt."""
    import base64
    import os as _os

    forged = [base64.urlsafe_b64encode(_os.urandom(size)).decode().rstrip("=") for size in (1, 20, 30, 40, 300)]
    forged += ["", "\u0000", "é" * 30, "../../etc/passwd", "A" * 100_000]
    status, taken = await bench.running.call(
        "POST", "/v1/outcomes", {"outcomes": [{"prediction": each, "happened": True} for each in forged]}
    )

    assert status == 200, taken
    assert (taken["counted"], len(taken["refused"])) == (0, len(forged))
    assert {each["code"] for each in taken["refused"]} == {"receipt-invalid"}


async def test_forged_stamps_are_taken_off_at_the_gateway(bench: Bench) -> None:
    """Callers can neither choose their arm nor have the model server believe that they did."""
    forged = {
        "x-glideslope-arm": "candidate",
        "x-glideslope-rollout": "r-0001",
        "x-glideslope-step": "s1",
        "x-glideslope-version": "v2",
        "x-glideslope-served": "v2",
    }
    bench.v1.headers = {"x-glideslope-arm": "candidate", "x-glideslope-served": "v2"}
    answer = await bench.running.ask(bench.model, "u", headers=forged)

    assert (answer.status, answer.body[:2]) == (200, b"v1")
    assert answer.headers.get("x-glideslope-arm") is None
    assert answer.headers.get("x-glideslope-served") in {None, "v1"}
    arrived = bench.v1.seen[-1].headers
    assert {name for name in arrived if name in forged} <= {"x-glideslope-version"}
    assert arrived.get("x-glideslope-version") in {None, "v1"}


@pytest.mark.parametrize("manner", ["garbage", "huge headers", "hangs", "endless body", "early close"])
async def test_a_candidate_that_answers_nonsense_fails_nobody(bench: Bench, manner: str) -> None:
    """Whoever is assigned to it is answered by the incumbent, and the failure is the candidate's."""
    await bench.v2.kill()

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.startswith(b"GET /healthz"):
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nwell")
            elif manner == "garbage":
                writer.write(b"\x16\x03\x01 this is not HTTP \x00\xff" * 100)
            elif manner == "huge headers":
                writer.write(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (n, b"y" * 8000) for n in range(200)))
                writer.write(b"content-length: 2\r\n\r\nv2")
            elif manner == "hangs":
                await asyncio.sleep(60)
            elif manner == "endless body":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: zwei\r\n\r\nv2")
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", bench.v2.port)
    try:
        assert (await bench.apply(bench.plan())).status == 0
        statuses: list[int] = []
        rescued = False
        deadline = asyncio.get_running_loop().time() + 25
        n = 0
        while not rescued:
            assert asyncio.get_running_loop().time() < deadline, statuses[-20:]
            answers = await asyncio.gather(*(bench.running.ask(bench.model, f"u{n + k}") for k in range(10)))
            n += 10
            statuses += [answer.status for answer in answers]
            rescued = any(a.headers.get("x-glideslope-arm") == "candidate" for a in answers)
            assert {(a.status, a.body[:2]) for a in answers} == {(200, b"v1")}
    finally:
        server.close()


async def test_a_candidate_that_is_only_slow_is_not_said_to_fail(bench: Bench) -> None:
    """Its answers come two seconds after the incumbent's: until then those alone must neither blame it nor the coin."""
    bench.v2.delay = 2.0
    assert (await bench.apply(bench.plan())).status == 0
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 6
    asked: list[asyncio.Task[Message]] = []
    while loop.time() < deadline:
        asked.append(asyncio.create_task(bench.running.ask(bench.model, f"u{len(asked)}")))
        await asyncio.sleep(0.02)
    answers = await asyncio.gather(*asked)

    assert {answer.status for answer in answers} == {200}
    assert {answer.body[:2] for answer in answers} == {b"v1", b"v2"}
    told = await bench.rollout()
    assert (told["phase"], told["ended"]) == ("running", False), told


async def test_one_idempotency_key_is_one_act(bench: Bench) -> None:
    """Answering yes to what was not done would lose it."""
    call = bench.running.call
    path = f"/v1/models/{bench.model}/versions"
    body = {"version": "v3", "digest": f"sha256:{'3' * 64}", "url": bench.v2.url, "why": "nightly"}

    assert (await call("POST", path, body, key="k"))[0] == 200
    assert (await call("POST", path, body, key="k"))[0] == 200
    status, problem = await call("POST", path, body | {"version": "v4"}, key="k")
    assert (status, problem["code"]) == (409, "key-reused")
    assert "v4" not in {v["version"] for v in (await call("GET", f"/v1/models/{bench.model}"))[1]["versions"]}

    status, proposed = await call("POST", "/v1/rollouts", {"text": bench.plan()}, key=f"{bench.model}-p")
    assert status == 201, proposed
    again, same = await call("POST", "/v1/rollouts", {"text": bench.plan()}, key=f"{bench.model}-p")
    assert (again, same["id"]) == (201, proposed["id"])
    other = bench.plan().replace("candidate: v2", "candidate: v3")
    status, problem = await call("POST", "/v1/rollouts", {"text": other}, key=f"{bench.model}-p")
    assert (status, problem["code"]) == (409, "key-reused")


async def test_the_same_key_from_two_people_is_two_acts_and_only_one_is_done(bench: Bench) -> None:
    made = await bench.running.cli("token", "create", "grace", "--role", "member", "--json")
    assert made.status == 0, made
    grace = json.loads(made.out)["token"]
    plan = bench.plan(more="approvals: 1\n")
    _, view = await bench.running.call("POST", "/v1/rollouts", {"text": plan})
    path = f"/v1/rollouts/{view['id']}/halt"
    approve = {"plan_digest": view["plan_digest"], "why": "looks right"}

    status, told = await bench.running.call("POST", f"/v1/rollouts/{view['id']}/approvals", approve, token=grace)
    assert status == 200, told
    # Both may halt; one key stands for one of them.
    for _ in range(200):
        status, told = await bench.running.call("POST", path, {"why": "one"}, key="same")
        if status == 200:
            break
        await asyncio.sleep(0.02)
    status, problem = await bench.running.call("POST", path, {"why": "one"}, token=grace, key="same")
    assert (status, problem["code"]) == (409, "key-reused")


async def test_a_storm_of_orders_from_twenty_people_ends_in_one_rollback(bench: Bench) -> None:
    _, view = await bench.running.call("POST", "/v1/rollouts", {"text": bench.plan()})
    id_ = view["id"]
    digest = view["plan_digest"]

    async def person(n: int) -> list[tuple[int, str]]:
        told = []
        for k in range(5):
            act = ("halt", "resume", "rollback", "approvals")[(n + k) % 4 if k < 4 else 2]
            body = {"why": f"person {n}"} | ({"plan_digest": digest} if act == "approvals" else {})
            status, answer = await bench.running.call("POST", f"/v1/rollouts/{id_}/{act}", body)
            told.append((status, answer.get("code", "")))
        return told

    told = list(itertools.chain(*await asyncio.gather(*(person(n) for n in range(20)))))
    assert {status for status, _ in told} <= {200, 403, 409}, told
    assert {code for _, code in told} <= {"", "conflict", "not-in-phase", "rollout-ended", "self-approval"}, told

    async def over() -> bool:
        return bool((await bench.rollout())["ended"])

    for _ in range(200):
        if await over():
            break
        await asyncio.sleep(0.05)
    final = await bench.rollout()
    assert (final["phase"], final["share"]) == ("rolled-back", 0)
    _, story = await bench.running.call("GET", f"/v1/rollouts/{id_}/story")
    assert [each["kind"] for each in story].count("stream-closed") == 1
    checked = await bench.running.cli("verify", "--json")
    assert json.loads(checked.out)["ok"], checked.out
    await bench.serves_the_incumbent()


async def test_an_entry_as_long_as_a_request_may_be_is_fetched_whole(bench: Bench) -> None:
    """Cut in two on its way, an honest ledger would look as if somebody had tampered with it."""
    body = {"version": "v9", "digest": f"sha256:{'9' * 64}", "url": bench.v2.url, "why": "x" * ((1 << 20) - 180)}
    status, told = await bench.running.call("POST", f"/v1/models/{bench.model}/versions", body)
    assert status == 200, told

    checked = await bench.running.cli("verify", "--json")

    assert (checked.status, json.loads(checked.out)["ok"]) == (0, True), checked.out
