"""The API under attack by whoever reaches its port: refused in few words, nothing logged as a crash, governing goes on."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from glideslope.testing.http import ModelServer, exchange
from glideslope.testing.tree import Tree

pytestmark = [pytest.mark.envoy, pytest.mark.usefixtures("unharmed")]

READS = ["/v1/fleet", "/v1/rollouts", "/v1/doctor", "/v1/ledger", "/v1/ledger/key", "/v1/rollouts/r-0001/story"]
WRITES = ["/v1/rollouts", "/v1/plan", "/v1/outcomes", "/v1/observations", "/v1/shadow", "/v1/models/m/versions"]


async def raw(standing: Tree, content: bytes, *, seconds: float = 8.0) -> bytes:
    """Send bytes and return what comes back until the server closes or has said enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", standing.port)
    try:
        writer.write(content)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(seconds):
                return await reader.read(65536)
        return b""
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize("token", ["", "wrong", "x" * 600, "\N{LATIN SMALL LETTER E WITH ACUTE}", "gs_admin_0"])
async def test_nothing_is_told_and_nothing_done_without_a_token(standing: Tree, token: str) -> None:
    for method, paths in (("GET", READS), ("POST", WRITES)):
        for path in paths:
            authorization = f"Bearer {token}" if token else ""
            headers = {"authorization": authorization.encode().decode("latin-1")} if token else {}
            answer = await exchange(
                standing.port, method, path, headers=headers, body=b"{}" if method == "POST" else b""
            )
            assert answer.status == 401, (method, path, answer)
            assert json.loads(answer.body)["code"] == "token-unknown"


async def test_each_role_may_do_its_own_and_no_more(standing: Tree) -> None:
    tokens = {}
    for role, more in (("reader", ()), ("source", ("--all-models",))):
        made = await standing.cli("token", "create", f"a-{role}", "--role", role, *more, "--json")
        tokens[role] = json.loads(made.out)["token"]

    for path in WRITES:
        told, problem = await standing.call("POST", path, {}, token=tokens["reader"])
        assert (told in {401, 422}, path) == (True, path)
        if path != "/v1/plan":
            assert problem["code"] == "not-allowed", (path, problem)
    for path in READS:
        told, problem = await standing.call("GET", path, token=tokens["source"])
        assert (told, problem["code"]) == (401, "not-allowed"), path


@pytest.mark.parametrize(
    "path",
    [
        "/v1/../../etc/passwd",
        "/v1/%2e%2e/%2e%2e/etc/passwd",
        "//v1/fleet",
        "/v1/models/..%2f..%2fstate",
        "/v1/models/%00",
        "/v1/models/%ff%fe",
        "/v1/rollouts/" + "r" * 5000,
        "/v1/rollouts/r-0001'%20OR%201=1--/story",
        "/v1/rollouts/r-0001/decisions/99999999999999999999999/replay",
        "/v1/rollouts/r-0001/decisions/-1/replay",
        "/v1/rollouts/r-0001/story?after=nan",
        "/v1/models/m/briefing?wait=inf&seen=" + "s" * 5000,
        "http://elsewhere.example/v1/fleet",
        "*",
    ],
)
async def test_a_strange_address_is_refused(standing: Tree, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {standing.token}\r\nconnection: close\r\n\r\n"
    answer = await raw(standing, request.encode())

    assert 400 <= status(answer) < 500 or (status(answer) == 200 and b'"entries"' in answer), answer[:300]
    assert b"root:" not in answer


@pytest.mark.parametrize(
    "content",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /v1/fleet HTTP/9.9\r\n\r\n",
        b"GET /v1/fleet HTTP/1.1\r\n" + b"x-a: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /v1/fleet HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\nab",
        b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"TRACE /v1/fleet HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        b"GET /v1/fleet HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
    ],
    ids=["tls", "http 9.9", "huge header", "two hosts", "two lengths", "negative", "bad chunk", "trace", "websocket"],
)
async def test_what_is_not_http_is_refused(standing: Tree, content: bytes) -> None:
    answer = await raw(standing, content, seconds=3)

    assert status(answer) in {0, 400, 401, 405, 431}, answer[:300]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "request-invalid"),
        (b"\xff\xfe", "request-invalid"),
        (b"[" * 200_000, "request-invalid"),
        (b'{"text": ' * 100_000, "request-invalid"),
        (b"null", "request-invalid"),
        (b'{"text": 5}', "request-invalid"),
        (b'{"text": "a", "text": "b", "x": 1}', "request-invalid"),
        (b'{"text": "\\ud800"}', "request-invalid"),
        (b'{"text": "&a [*a,*a,*a,*a,*a,*a,*a]"}', "plan-invalid"),
        (b'{"text": "' + b"[" * 50_000 + b'"}', "plan-invalid"),
        (b'{"text": "' + b"a: " * 50_000 + b'"}', "plan-invalid"),
        (b"x" * (1 << 21), "body-too-large"),
    ],
    ids=["half", "not utf-8", "deep", "deep objects", "null", "number", "twice", "surrogate", "aliases", "deep yaml", "wide yaml", "big"],
)  # fmt: skip
async def test_a_body_of_garbage_is_refused(standing: Tree, body: bytes, code: str) -> None:
    for path in ("/v1/plan", "/v1/rollouts"):
        async with asyncio.timeout(10):
            answer = await exchange(
                standing.port, "POST", path, headers={"authorization": f"Bearer {standing.token}"}, body=body
            )
        assert (json.loads(answer.body)["code"], 400 <= answer.status < 500) == (code, True), answer


async def test_a_caller_that_leaves_in_the_middle_is_no_crash(standing: Tree) -> None:
    head = f"POST /v1/plan HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {standing.token}\r\ncontent-length: 900\r\n\r\n"
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", standing.port)
        writer.write(head.encode() + b"{")
        await writer.drain()
        await asyncio.sleep(0.01)
        writer.transport.abort()


async def test_a_gigabyte_without_a_token_is_not_taken_in(standing: Tree) -> None:
    """The answer comes at once, and memory stays as it is."""
    pid = standing.pids()["server"]
    before = memory(pid)
    reader, writer = await asyncio.open_connection("127.0.0.1", standing.port)
    writer.write(b"POST /v1/outcomes HTTP/1.1\r\nhost: x\r\ncontent-length: 1073741824\r\n\r\n")
    piece = bytes(1 << 20)
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5):
            for _ in range(200):
                writer.write(piece)
                await writer.drain()
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(1):
            assert status(await reader.read(100)) in {0, 401}
    writer.transport.abort()

    assert memory(pid) - before < 40


async def test_idle_connections_and_streams_do_not_keep_the_governor_from_its_work(standing: Tree) -> None:
    """A candidate stays exposed without a lapse while a thousand callers send half a request and as many want streams."""
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        for server in (v1, v2):
            body = {
                "version": server.name,
                "digest": f"sha256:{server.name[1] * 64}",
                "url": server.url,
                "why": "it is trained",
                "incumbent": server.name == "v1",
            }
            assert (await standing.call("POST", "/v1/models/storm/versions", body))[0] == 200
        plan = (
            "model: storm\ncandidate: v2\nowner: me@example.com\nwhy: Storm.\nstages:\n"
            "  - canary: {shares: [30%], for: 600s, at_most: 900s}\nguardrails:\n  - {metric: errors, margin: 20pp}\nlease: 1s\n"
        )
        _, view = await standing.call("POST", "/v1/rollouts", {"text": plan})
        for _ in range(500):
            if (await standing.call("GET", f"/v1/rollouts/{view['id']}"))[1]["confirmed"]:
                break
            await asyncio.sleep(0.02)

        opened = []
        try:
            for n in range(1000):
                _, writer = await asyncio.open_connection("127.0.0.1", standing.port)
                writer.write(b"POST /v1/plan HTTP/1.1\r\nhost: x\r\ncontent-le")
                opened.append(writer)
                reader, writer = await asyncio.open_connection("127.0.0.1", standing.port)
                token = f"authorization: Bearer {standing.token}"
                writer.write(f"GET /v1/rollouts/{view['id']}/events HTTP/1.1\r\nhost: x\r\n{token}\r\n\r\n".encode())
                opened.append(writer)
                if n == 999:
                    assert status(await reader.readuntil(b"\r\n\r\n")) == 503
                    assert b"too-many-streams" in await reader.read(1000)
            await asyncio.sleep(2.0)
            async with asyncio.timeout(2):
                _, story = await standing.call("GET", f"/v1/rollouts/{view['id']}/story")
            assert "lease-lapsed" not in [each["kind"] for each in story]
        finally:
            for writer in opened:
                writer.transport.abort()
        # Those who follow go, and others may.
        head = f"GET /v1/rollouts/{view['id']}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {standing.token}\r\n\r\n"
        told = [status(await raw(standing, head.encode(), seconds=2))]
        while told[-1] != 200:
            assert (len(told) < 500, told[-1]) == (True, 503)
            await asyncio.sleep(0.02)
            told.append(status(await raw(standing, head.encode(), seconds=2)))
        assert (await standing.call("POST", f"/v1/rollouts/{view['id']}/rollback", {"why": "the test is over"}))[
            0
        ] == 200


def memory(pid: int) -> int:
    """Return a process's resident megabytes, proc(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024
