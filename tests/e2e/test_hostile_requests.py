"""Requests that two readers would read differently, tokens that are not, acts that are sent again: at the API and at the gateway."""

import asyncio
import base64
import contextlib
import gzip
import json
import re
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from glideslope.adapters.secret_file import read_secret
from glideslope.domain.ids import ModelName
from glideslope.domain.receipt import Receipt, ReceiptKey, mint, model_hash, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.testing.http import ModelServer, exchange
from glideslope.testing.tree import Tree

pytestmark = [pytest.mark.envoy, pytest.mark.usefixtures("unharmed")]

BODY = b"{}"


async def answers(port: int, content: bytes, *, seconds: float = 3.0) -> bytes:
    """Return all that comes back to these bytes before the server hangs up, or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        writer.write(content)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(seconds):
                while piece := await reader.read(65536):
                    found += piece
    finally:
        writer.transport.abort()
    return found


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", answer)]


HIDDEN = b"POST /storm/hidden HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
"""What is smuggled: in the eyes of one reader a body, in those of another a request."""

SMUGGLED = {
    "length and chunks": b"content-length: %d\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n%b" % (5 + len(HIDDEN), HIDDEN),
    "chunks and length": b"transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(HIDDEN), HIDDEN),
    "two lengths": b"content-length: 0\r\ncontent-length: %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN),
    "a list of lengths": b"content-length: 0, %d\r\n\r\n%b" % (len(HIDDEN), HIDDEN),
    "a signed length": b"content-length: +0\r\n\r\n%b" % HIDDEN,
    "a length in hex": b"content-length: 0x0\r\n\r\n%b" % HIDDEN,
    "a length with a space": b"content-length : 0\r\n\r\n%b" % HIDDEN,
    "a coding of two words": b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n%b" % HIDDEN,
    "chunked twice": b"transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0\r\n\r\n%b" % HIDDEN,
    "a coding behind a tab": b"transfer-encoding:\tchunked, identity\r\n\r\n0\r\n\r\n%b" % HIDDEN,
    "a folded header": b"transfer-encoding:\r\n chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n%b" % HIDDEN,
    "a chunk with a sign": b"transfer-encoding: chunked\r\n\r\n-1\r\n%b" % HIDDEN,
    "a chunk in hex": b"transfer-encoding: chunked\r\n\r\n0x2\r\nab\r\n0\r\n\r\n%b" % HIDDEN,
    "a chunk of 2**64": b"transfer-encoding: chunked\r\n\r\n10000000000000000\r\nab\r\n0\r\n\r\n%b" % HIDDEN,
    "a chunk that is longer": b"transfer-encoding: chunked\r\n\r\n2\r\nabcdef\r\n0\r\n\r\n%b" % HIDDEN,
    "a zero in a header": b"x-a: b\x00c\r\ncontent-length: 0\r\n\r\n%b" % HIDDEN,
    "a bare carriage return": b"x-a: b\rcontent-length: 0\r\n\r\n%b" % HIDDEN,
}  # fmt: skip


@pytest.mark.parametrize("shape", SMUGGLED)
async def test_the_api_reads_one_request_where_there_is_one(standing: Tree, shape: str) -> None:
    """It refuses, or reads by the stricter rule and never answers what was hidden."""
    head = b"POST /v1/plan HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n" % standing.token.encode()

    answer = await answers(standing.port, head + SMUGGLED[shape], seconds=1.0)

    assert statuses(answer) or shape == "a chunk of 2**64", answer  # which is waited for, and not for long
    assert all(400 <= status < 500 for status in statuses(answer)), answer
    assert b"hidden" not in answer


@pytest.fixture
async def behind(standing: Tree) -> AsyncIterator[ModelServer]:
    """A model server behind the gateway."""
    async with ModelServer("v1") as v1:
        body = {
            "version": "v1",
            "digest": f"sha256:{'1' * 64}",
            "url": v1.url,
            "why": "it is trained",
            "incumbent": True,
        }
        assert (await standing.call("POST", "/v1/models/storm/versions", body))[0] == 200
        async with asyncio.timeout(20):
            while (await standing.ask("storm", "u")).status != 200:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.02)
        v1.seen.clear()
        yield v1


LENIENT = {"a chunk that is longer", "a bare carriage return"}
"""Envoy passes over what stands between a chunk's end and the line's, and takes a bare carriage return for a line's end.

Then there are two requests: for Envoy, and for the model server, to whom it writes each anew.
"""


async def test_the_gateway_passes_on_what_it_read_and_nothing_else(standing: Tree, behind: ModelServer) -> None:
    """Whatever it made of the bytes, the model server has seen exactly the requests that it answered."""
    head = b"POST /storm/predict HTTP/1.1\r\nhost: x\r\n"

    for shape, content in SMUGGLED.items():
        behind.seen.clear()
        answer = await answers(standing.gateway_port, head + content, seconds=0.5)
        assert len(behind.seen) == statuses(answer).count(200), (shape, answer)
        assert shape in LENIENT or "/hidden" not in [each.path for each in behind.seen], (shape, answer)
    huge = b"".join(b"x-%d: %b\r\n" % (n, b"a" * 4000) for n in range(100))
    assert statuses(await answers(standing.gateway_port, head + huge + b"\r\n")) == [431]
    assert (await standing.ask("storm", "u")).status == 200


async def test_nothing_is_ever_unpacked(standing: Tree) -> None:
    """A kilobyte that unpacks to a megabyte is a kilobyte that is no JSON: there is no bomb where nobody opens it."""
    packed: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}
    content = json.dumps({"text": "model: x\n", "file": " " * (1 << 19)}).encode()
    for coding, pack in packed.items():
        for path in ("/v1/plan", "/v1/outcomes", "/v1/observations"):
            headers = {"authorization": f"Bearer {standing.token}", "content-encoding": coding}
            answer = await exchange(standing.port, "POST", path, headers=headers, body=pack(content))
            assert (answer.status, json.loads(answer.body)["code"]) == (422, "request-invalid")


async def test_packed_files_are_not_unpacked_by_the_command_line(standing: Tree) -> None:
    folder = standing.state.parent
    bomb = gzip.compress(b"glideslope-ledger/1\nentries\n" + bytes(1 << 24))
    for name in ("ledger.bundle", "truth.jsonl", "truth.csv", "plan.yaml"):
        (folder / f"{name}.gz").write_bytes(bomb)
    (folder / "packed.csv").write_bytes(bomb)
    key = (await standing.call("GET", "/v1/ledger/key"))[1]["vkey"]
    for arguments, status in (
        (("verify", "ledger.bundle.gz", "--key", key), 9),
        (("outcomes", "truth.jsonl.gz"), 2),
        (("outcomes", "packed.csv"), 2),
        (("plan", "plan.yaml.gz"), 2),
    ):
        ended = await standing.cli(*arguments)
        assert (ended.status, "mistake in Glideslope" in ended.err) == (status, False), ended


async def test_a_revoked_token_opens_nothing_at_the_next_request(standing: Tree) -> None:
    made = json.loads((await standing.cli("token", "create", "eve", "--role", "admin", "--json")).out)
    assert (await standing.call("GET", "/v1/fleet", token=made["token"]))[0] == 200
    listed = json.loads((await standing.cli("token", "ls", "--json")).out)
    id_ = next(each["id"] for each in listed if each["actor"] == "eve")

    assert (await standing.cli("token", "revoke", id_)).status == 0

    for method, path in (("GET", "/v1/fleet"), ("POST", "/v1/plan"), ("GET", "/v1/ledger")):
        status, problem = await standing.call(method, path, token=made["token"])
        assert (status, problem["code"]) == (401, "token-unknown")


async def test_a_token_with_anything_changed_is_unknown(standing: Tree) -> None:
    token = standing.token
    forged = [
        token[:-1],
        token + "A",
        token.upper(),
        token.swapcase(),
        token[::-1],
        "gs_" + "A" * 43,
        token.replace("gs_", ""),
    ]
    forged += [token[:n] + ("A" if token[n] != "A" else "B") + token[n + 1 :] for n in range(3, len(token), 5)]
    for each in forged:
        assert (await standing.call("GET", "/v1/fleet", token=each))[0] == 401, each


@contextlib.asynccontextmanager
async def rollout(standing: Tree, model: str) -> AsyncIterator[dict[str, Any]]:
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        for server in (v1, v2):
            body = {
                "version": server.name,
                "digest": f"sha256:{server.name[1] * 64}",
                "url": server.url,
                "why": "it is trained",
                "incumbent": server.name == "v1",
            }
            assert (await standing.call("POST", f"/v1/models/{model}/versions", body))[0] == 200
        plan = (
            f"model: {model}\ncandidate: v2\nowner: me@example.com\nwhy: Receipts.\nstages:\n"
            "  - canary: {shares: [30%], for: 600s, at_most: 900s}\nguardrails:\n  - {metric: wrong, margin: 20pp}\n"
        )
        status, view = await standing.call("POST", "/v1/rollouts", {"text": plan})
        assert status == 201, view
        yield view
        assert (await standing.call("POST", f"/v1/rollouts/{view['id']}/rollback", {"why": "over"}))[0] == 200


async def test_a_receipt_counts_once_and_a_forged_one_never(standing: Tree) -> None:
    secret = read_secret(standing.state / "receipt.key")
    assert secret is not None
    key = ReceiptKey(id=1, secret=secret)
    async with rollout(standing, "receipts") as view:
        honest = Receipt(
            model=model_hash(ModelName("receipts")),
            rollout=int(view["id"].removeprefix("r-")),
            step=1,
            arm=Arm.CANDIDATE,
            at=1_700_000_000,
            slices=(255, 255, 255),
            score=60_000,
            request=request_hash("r"),
            subject=subject_hash("anna"),
        )
        token = mint(honest, key=key)

        async def sent(*predictions: str) -> tuple[int, int, list[str]]:
            content = {"outcomes": [{"prediction": each, "happened": True} for each in predictions]}
            status, taken = await standing.call("POST", "/v1/outcomes", content)
            assert status == 200, taken
            return taken["counted"], taken["repeated"], [each["code"] for each in taken["refused"]]

        assert await sent(token, token) == (1, 1, [])
        assert await sent(token) == (0, 1, [])
        flipped = bytearray(base64.urlsafe_b64decode(token))
        flipped[7] ^= 1  # the arm
        foreign = mint(honest, key=ReceiptKey(id=1, secret=b"\x00" * 32))
        unknown = mint(honest, key=ReceiptKey(id=2, secret=secret))
        forged = [base64.urlsafe_b64encode(bytes(flipped)).decode(), foreign, unknown, token[:-1], token + "="]
        assert await sent(*forged) == (0, 0, ["receipt-invalid"] * 5)
        # The other happened, sent for the same prediction, changes nothing that was counted.
        content = {"outcomes": [{"prediction": token, "happened": False}]}
        assert (await standing.call("POST", "/v1/outcomes", content))[1]["repeated"] == 1


async def test_an_answer_is_never_to_somebody_elses_key(standing: Tree) -> None:
    """One key, another act: refused, and nothing of it is done; however it is spelled."""
    body = {"version": "v1", "digest": f"sha256:{'1' * 64}", "url": "http://127.0.0.1:9", "why": "x", "incumbent": True}
    assert (await standing.call("POST", "/v1/models/keys/versions", body, key="once"))[0] == 200

    for other in ({"why": "y"}, {"url": "http://127.0.0.1:8"}, {"version": "v2"}, {"digest": f"sha256:{'2' * 64}"}):
        status, problem = await standing.call("POST", "/v1/models/keys/versions", body | other, key="once")
        assert (status, problem["code"]) == (409, "key-reused"), other
    found = (await standing.call("GET", "/v1/models/keys"))[1]["versions"]
    assert [(each["version"], each["url"]) for each in found] == [("v1", "http://127.0.0.1:9")]


async def test_an_endless_head_is_cut_off(standing: Tree) -> None:
    for content in (b"GET /" + b"a" * 200_000, b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 50_000):
        answer = await answers(standing.port, content)
        assert statuses(answer) in ([], [400], [431]), answer[:200]
