"""No secret leaves the file that is meant to hold it: not into logs, the record, answers, command lines, environments or other files."""

import asyncio
import base64
import json
import re
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from glideslope.domain.ids import ModelName
from glideslope.domain.receipt import ReceiptKey
from glideslope.testing.http import ModelServer
from glideslope.testing.tree import Tree, living, tree

pytestmark = pytest.mark.envoy

PLAN = """\
model: fraud
candidate: v2
owner: fraud@example.com
why: Fewer false alarms.
stages:
  - canary: {shares: [30%], for: 600s, at_most: 900s}
guardrails:
  - {metric: errors, margin: 20pp}
lease: 1s
"""


@dataclass(frozen=True)
class Hidden:
    """Bytes that must lie in no other place than `homes`, in whatever spelling."""

    name: str
    content: bytes
    homes: frozenset[str] = frozenset()

    def spellings(self) -> Iterator[bytes]:
        """Yield each form in which it could have been written down."""
        yield self.content
        yield self.content.hex().encode()
        yield self.content.hex().upper().encode()
        yield repr(self.content)[2:-1].encode()
        yield json.dumps(self.content.decode("latin-1"))[1:-1].encode()
        for shift in range(3):
            # In the midst of other bytes base64 has three forms; what depends on the neighbours is left out.
            whole = base64.b64encode(b"\0" * shift + self.content + b"\0" * (-(shift + len(self.content)) % 3))
            inner = whole[(shift * 8 + 5) // 6 : (shift + len(self.content)) * 8 // 6]
            yield inner
            yield inner.translate(bytes.maketrans(b"+/", b"-_"))

    def found_in(self, text: bytes) -> bool:
        # Long lines are broken, in PEM and in PEM within JSON.
        whole = re.sub(rb"\\n|\s", b"", text)
        return any(form in text or form in whole for form in self.spellings())


def of_token(name: str, token: str, *homes: str) -> list[Hidden]:
    """Return a token's beginning, so that a mistyped one counts too, and the bytes that it was made from."""
    chance = base64.urlsafe_b64decode(token.removeprefix("gs_") + "=")
    return [
        Hidden(name, token[:24].encode(), frozenset(homes)),
        Hidden(f"the chance in {name}", chance, frozenset(homes)),
    ]


def of_pem(name: str, content: bytes, *homes: str) -> list[Hidden]:
    """Return a private key, as the number that it is and as it is written in its file."""
    key = serialization.load_pem_private_key(content, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value.to_bytes(32)
    return [Hidden(name, number, frozenset(homes)), Hidden(f"the file of {name}", content.strip(), frozenset(homes))]


async def secrets_of(running: Tree) -> tuple[list[Hidden], dict[str, str]]:
    """Return every secret of a state folder, and tokens by what they are for."""
    state, tokens = running.state, {"admin": running.token}
    for role, more in (("member", ()), ("source", ("--model", "fraud")), ("reader", ("--expires", "1ms"))):
        made = await running.cli("token", "create", f"a-{role}", "--role", role, *more, "--json")
        assert made.status == 0, made.err
        tokens[role] = json.loads(made.out)["token"]
    found = [each for role, token in tokens.items() for each in of_token(f"the {role}'s token", token, *_TOKEN[role])]
    receipt = (state / "receipt.key").read_bytes()
    seed = base64.b64decode((state / "checkpoint.key").read_bytes().split(b"+", 4)[-1])[1:]
    tls = state / "tls"
    found += [
        Hidden("the receipt key", receipt, frozenset({"receipt.key"})),
        Hidden("the checkpoint key", seed, frozenset({"checkpoint.key"})),
        *of_pem("the CA's key", (tls / "ca.key").read_bytes(), "tls/ca.key"),
        *of_pem("the TLS key", (tls / "key.pem").read_bytes(), "tls/key.pem", "gateway/xds/certificate.json"),
    ]
    of_fraud = ReceiptKey(id=2, secret=receipt, per_model=True).of(ModelName("fraud"))
    return [*found, Hidden("the receipt key of a model", of_fraud.secret)], tokens


_TOKEN = {"admin": ("token",), "member": (), "source": (), "reader": ()}


async def test_no_secret_is_anywhere_but_where_it_belongs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIDESLOPE_LOG_FORMAT", "json")
    monkeypatch.setenv("GLIDESLOPE_LOG_LEVEL", "debug")
    state, told = tmp_path / ".glideslope", []
    async with ModelServer("v1") as v1, ModelServer("v2") as v2, tree(state, "--tls") as running:
        hidden, tokens = await secrets_of(running)
        briefing = await work(running, v1, v2, tokens, told)
        seen = {
            **{f"/proc of {name}: {what}": _proc(pid, what) for name, pid in running.pids().items() for what in _PROC},
            "Envoy's administration": await asyncio.to_thread(_administration, state / "gateway" / "admin.sock"),
            "the bundle": (tmp_path / "ledger.bundle").read_bytes(),
        }
        assert set(living(state)) == {"up", "server", "gateway", "envoy"}
        _check_rights(state)
    seen |= {f"answer {n}": answer for n, answer in enumerate(told)} | {"what the tree said": running.said.encode()}
    seen |= {str(path.relative_to(state)): path.read_bytes() for path in state.rglob("*") if path.is_file()}

    assert [
        f"{each.name} in {place}"
        for each in hidden
        for place, text in seen.items()
        if place not in each.homes and each.found_in(text)
    ] == []
    # The search can see: each lies where it belongs, and a briefing carries its own model's key and no more.
    assert [each.name for each in hidden for home in each.homes if not each.found_in(seen[home])] == []
    assert {each.name for each in hidden if each.found_in(briefing)} == {"the receipt key of a model"}


async def work(running: Tree, v1: ModelServer, v2: ModelServer, tokens: dict[str, str], told: list[bytes]) -> bytes:
    """Run a rollout and its rollback, get many things wrong, keep all that was answered, and return a source's briefing."""

    async def call(method: str, path: str, body: object = None, *, token: str = "") -> int:
        status, answer = await running.call(method, path, body, token=token or tokens["admin"])
        told.append(json.dumps(answer).encode())
        return status

    for server in (v1, v2):
        body = {"version": server.name, "digest": f"sha256:{server.name[1] * 64}", "url": server.url, "why": "trained"}
        path = "/v1/models/fraud/versions"
        assert await call("POST", path, body | {"incumbent": server is v1}, token=tokens["member"]) == 200
    assert await call("POST", "/v1/rollouts", {"text": PLAN}, token=tokens["member"]) == 201
    async with asyncio.timeout(20):
        n = 0
        while (await running.ask("fraud", f"u{n}")).body[:2] != b"v2":
            n += 1
            await asyncio.sleep(0.02)

    mistyped = [f"{token[:-3]}xyz" for token in tokens.values()]
    for token in (*mistyped, "gs_nobody", tokens["reader"]):
        assert await call("GET", "/v1/fleet", token=token) == 401
    assert json.loads(told[-1])["code"] == "token-expired", "the reader's lasted a millisecond"
    assert await call("GET", "/v1/fleet", token=tokens["source"]) == 401
    for path in ("/v1/models/other/briefing", "/v1/ledger/nothing", "/v1/rollouts/fraud-9"):
        assert await call("GET", path, token=tokens["source"]) in {401, 404}
    for body in ({"text": "model: ["}, {"text": PLAN, "more": 1}, []):
        assert await call("POST", "/v1/plan", body) in {413, 422}
    with suppress(ConnectionError):  # it may be refused, and the line closed, before all of it is sent
        assert await call("POST", "/v1/plan", "x" * 2_000_000) in {413, 422}
    outcomes = {"outcomes": [{"prediction": "A" * 48, "happened": True}, {"prediction": "?", "happened": False}]}
    assert await call("POST", "/v1/outcomes", outcomes, token=tokens["source"]) == 200
    for path in ("/v1/rollouts", "/v1/doctor", "/v1/models/fraud", "/v1/openapi.json", "/v1/ledger/key"):
        assert await call("GET", path) == 200
    for line in (
        ("rollback", "fraud", "-m", "enough"),
        ("verify", "--out", "ledger.bundle"),
        ("token", "ls"),
        ("doctor",),
    ):
        said = await running.cli(*line)
        told.append((said.out + said.err).encode())
        assert said.status == 0, said
    wrong = await running.cli("ls", "--token", mistyped[0])
    told.append((wrong.out + wrong.err).encode())
    assert wrong.status == 4
    _, briefing = await running.call("GET", "/v1/models/fraud/briefing", token=tokens["source"])
    return json.dumps(briefing).encode()


_PROC = ("cmdline", "environ")


def _proc(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def _administration(path: Path) -> bytes:
    """Return what whoever owns the folder can ask Envoy for."""
    answers = []
    for question in ("/config_dump?include_eds", "/certs", "/runtime", "/server_info", "/clusters", "/stats"):
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(10)
            asking.connect(str(path))
            asking.sendall(f"GET {question} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
            answers.append(b"".join(iter(lambda: asking.recv(65_536), b"")))
    assert re.search(rb"DownstreamTlsContext", answers[0]), "the dump is one"
    return b"".join(answers)


def _check_rights(state: Path) -> None:
    """Others have no right on anything in a state folder, nor on the folder."""
    open_ = {
        str(path): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in (state, *state.rglob("*"))
        if stat.S_IMODE(path.lstat().st_mode) not in ({0o700} if path.is_dir() else {0o600})
    }
    assert open_ == {}
