"""`glideslope up --tls`: both doors speak TLS and nothing older, to whoever trusts our CA; certificates change under running requests."""

import asyncio
import contextlib
import hashlib
import itertools
import os
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from glideslope.sdk import Client
from glideslope.sdk.errors import CertificateRefused
from glideslope.sdk.requests import json_call
from glideslope.testing import tree as trees
from glideslope.testing.http import Caller, ModelServer
from glideslope.testing.tree import Tree, cli, until

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
stale_after: 30s
"""
STRANGER = "fraud-servers.example"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tree]:
    running = trees.start(tmp_path_factory.mktemp("tls") / ".glideslope", "--tls")
    try:
        asyncio.run(trees.ready(running))
        yield running
    finally:
        trees.end(running)


def doors(running: Tree) -> dict[str, int]:
    return {"server": running.port, "gateway": running.gateway_port}


def shaken(port: int, context: ssl.SSLContext, *, name: str = "127.0.0.1") -> ssl.SSLSocket:
    """Connect as a stranger would, with nothing of ours. Raises ssl.SSLError."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    try:
        return context.wrap_socket(connection, server_hostname=name)
    except BaseException:
        connection.close()
        raise


def fingerprint(port: int, ca: Path) -> str:
    with shaken(port, ssl.create_default_context(cafile=ca)) as connection:
        shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return hashlib.sha256(shown).hexdigest()


def test_a_stranger_who_trusts_our_ca_is_served_by_both_doors(encrypted: Tree) -> None:
    ca = encrypted.state / "ca.pem"
    for door, port in doors(encrypted).items():
        with shaken(port, ssl.create_default_context(cafile=ca)) as connection:
            assert connection.version() == "TLSv1.3", door
            connection.sendall(b"GET /v1/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            # The gateway knows no such model, or none at all.
            assert (
                connection.recv(12)
                in {"server": {b"HTTP/1.1 200"}, "gateway": {b"HTTP/1.1 404", b"HTTP/1.1 503"}}[door]
            )
    for written in ("address", "gateway-address"):
        assert (encrypted.state / written).read_text().startswith("https://127.0.0.1:")


@pytest.mark.parametrize("door", ["server", "gateway"])
def test_nothing_older_than_tls_1_2_and_no_weak_cipher(encrypted: Tree, door: str) -> None:
    port, ca = doors(encrypted)[door], encrypted.state / "ca.pem"

    def offering(least: ssl.TLSVersion, most: ssl.TLSVersion, ciphers: str) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=ca)
        context.set_ciphers(ciphers)
        context.minimum_version, context.maximum_version = least, most
        return context

    with pytest.warns(DeprecationWarning, match=r"TLSv1_1"):
        old = offering(ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1, "ALL:@SECLEVEL=0")
    weak = offering(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, "AES128-SHA:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    for context in (old, weak):
        with pytest.raises(ssl.SSLError, match=r"(?i)alert|protocol|handshake"):
            shaken(port, context)
    with shaken(port, offering(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM")) as connection:
        assert connection.version() == "TLSv1.2"


def test_callers_may_speak_http_2_within_bounds(encrypted: Tree) -> None:
    """RFC 9113: after the preface the first frame is SETTINGS (4), in which 3 is how many streams may be open at once."""
    context = ssl.create_default_context(cafile=encrypted.state / "ca.pem")
    context.set_alpn_protocols(["h2"])
    with shaken(encrypted.gateway_port, context) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
        frames = connection.makefile("rb")
        head = frames.read(9)
        settings = frames.read(int.from_bytes(head[:3]))

    assert head[3] == 4
    said = {
        int.from_bytes(settings[n : n + 2]): int.from_bytes(settings[n + 2 : n + 6]) for n in range(0, len(settings), 6)
    }
    assert said[3] == 100


@pytest.mark.parametrize("door", ["server", "gateway"])
def test_plain_http_is_not_answered(encrypted: Tree, door: str) -> None:
    with socket.create_connection(("127.0.0.1", doors(encrypted)[door]), timeout=10) as connection:
        connection.sendall(b"GET /v1/healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert not connection.recv(1000).startswith(b"HTTP")


async def test_whoever_trusts_another_ca_sends_nothing(encrypted: Tree, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    made = await cli("tls", "create", "--state", str(other), folder=tmp_path)
    assert made.status == 0, made.err

    for door, port in doors(encrypted).items():
        with pytest.raises(ssl.SSLCertVerificationError):
            shaken(port, ssl.create_default_context(cafile=other / "tls" / "ca.pem"))
        with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
            shaken(port, ssl.create_default_context(cafile=encrypted.state / "ca.pem"), name=f"{door}.example")
    address = (encrypted.state / "address").read_text().strip()
    with (
        Client(address, encrypted.token, ca=str(other / "tls" / "ca.pem")) as client,
        pytest.raises(CertificateRefused, match="not trusted here"),
    ):
        client.send(json_call("GET", "/v1/fleet"))
    refused = await cli("ls", "--server", address, "--token", encrypted.token, folder=tmp_path)
    trusted = await cli(
        "ls", "--server", address, "--token", encrypted.token, "--ca", str(encrypted.state / "ca.pem"), folder=tmp_path
    )
    assert (refused.status, "certificate-refused" in refused.err, trusted.status) == (1, True, 0)


def test_the_sdk_trusts_what_it_is_told_to(encrypted: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    address = (encrypted.state / "address").read_text().strip()
    monkeypatch.setenv("GLIDESLOPE_CA", str(encrypted.state / "ca.pem"))
    with Client(address, encrypted.token) as client:
        assert "models" in client.send(json_call("GET", "/v1/fleet"))


def test_the_sdk_trusts_the_server_of_the_folder_that_it_runs_in(
    encrypted: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = (encrypted.state / "address").read_text().strip()
    below = encrypted.state.parent / "service"
    below.mkdir()
    monkeypatch.chdir(below)
    with Client(address, encrypted.token) as client:
        assert "models" in client.send(json_call("GET", "/v1/fleet"))

    monkeypatch.chdir(tmp_path)
    with Client(address, encrypted.token) as client, pytest.raises(CertificateRefused):
        client.send(json_call("GET", "/v1/fleet"))


@asynccontextmanager
async def exposed(running: Tree) -> AsyncIterator[tuple[ModelServer, ModelServer]]:
    """Register two versions and begin a canary through the command line of this machine, which asks nothing about TLS."""
    async with ModelServer("v1") as v1, ModelServer("v2") as v2:
        for server in (v1, v2):
            first = ("--incumbent",) if server is v1 else ()
            digest = f"sha256:{server.name[1] * 64}"
            told = await running.cli(
                "register", "fraud", server.name, "--url", server.url, "--digest", digest, "-m", "trained", *first
            )
            assert told.status == 0, told.err
        (running.state.parent / "glideslope.yaml").write_text(PLAN)
        told = await running.cli("apply")
        assert told.status == 0, told.err
        yield v1, v2


async def test_a_rollout_runs_in_tls_and_certificates_are_renewed_without_losing_a_request(encrypted: Tree) -> None:
    stopping = asyncio.Event()
    answers: dict[str, list[object]] = {"kept": [], "fresh": [], "api": []}

    async def ask(kind: str) -> None:
        kept = Caller(encrypted.gateway_port, tls=encrypted.trust)
        async with kept:
            for n in itertools.count():
                if stopping.is_set():
                    return
                named = {"x-glideslope-subject": f"u{n}"}
                if kind == "kept":
                    answers[kind].append((await kept.ask("/fraud/predict", headers=named)).status)
                elif kind == "fresh":
                    answers[kind].append((await encrypted.ask("fraud", f"u{n}")).status)
                else:
                    answers[kind].append((await encrypted.call("GET", "/v1/fleet"))[0])
                await asyncio.sleep(0.02)

    async with exposed(encrypted):
        async with asyncio.timeout(20):
            while (await encrypted.ask("fraud", f"s{os.urandom(4).hex()}")).body[:2] != b"v2":  # noqa: ASYNC110 - a real gateway sets no event
                await asyncio.sleep(0.02)
        ca = encrypted.state / "ca.pem"
        before = {door: fingerprint(port, ca) for door, port in doors(encrypted).items()}
        asking = [asyncio.create_task(ask(kind)) for kind in answers]

        made = await encrypted.cli("tls", "create", STRANGER)
        assert made.status == 0, made.err
        await until(
            lambda: all(fingerprint(port, ca) != before[door] for door, port in doors(encrypted).items()),
            what=lambda: f"both doors show the renewed certificate; {encrypted.said}",
            every=0.2,
        )
        for port in doors(encrypted).values():
            shaken(port, ssl.create_default_context(cafile=ca), name=STRANGER).close()
        stopping.set()
        await asyncio.gather(*asking)
        view = (await encrypted.call("GET", "/v1/rollouts"))[1][0]

    assert {kind: set(found) for kind, found in answers.items()} == {kind: {200} for kind in answers}
    assert min(len(found) for found in answers.values()) > 5
    assert (view["phase"], view["share"]) == ("running", 3_000)


async def test_half_a_renewal_is_waited_out(encrypted: Tree) -> None:
    """A certificate whose key has not come yet is not shown, and takes nothing down."""
    ca, tls = encrypted.state / "ca.pem", encrypted.state / "tls"
    before = {door: fingerprint(port, ca) for door, port in doors(encrypted).items()}
    key = (tls / "key.pem").read_bytes()
    other = encrypted.state.parent / "other"
    shutil.copytree(tls, other / "tls", dirs_exist_ok=True)
    assert (await cli("tls", "create", "--state", str(other), folder=other)).status == 0

    shutil.copy(other / "tls" / "cert.pem", tls / "cert.pem")
    await until(lambda: encrypted.said.count("is not its own") >= 2, what=lambda: f"both say so: {encrypted.said}")
    assert {door: fingerprint(port, ca) for door, port in doors(encrypted).items()} == before
    assert (tls / "key.pem").read_bytes() == key

    shutil.copy(other / "tls" / "key.pem", tls / "key.pem")
    await until(
        lambda: all(fingerprint(port, ca) != before[door] for door, port in doors(encrypted).items()),
        what="both doors show what is whole now",
        every=0.2,
    )


async def test_a_gateway_that_starts_without_its_certificate_shows_the_one_from_before(encrypted: Tree) -> None:
    ca, cert = encrypted.state / "ca.pem", encrypted.state / "tls" / "cert.pem"
    shown, before = fingerprint(encrypted.gateway_port, ca), encrypted.pids()
    away = cert.rename(cert.with_suffix(".away"))
    try:
        for process in ("gateway", "envoy"):
            os.kill(before[process], signal.SIGKILL)

        def restarted() -> bool:
            now = encrypted.pids()
            return all(now.get(process, before[process]) != before[process] for process in ("gateway", "envoy"))

        await until(restarted, what=lambda: f"both are started again; {encrypted.said}")
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(OSError):
                    assert fingerprint(encrypted.gateway_port, ca) == shown
                    break
                await asyncio.sleep(0.05)
    finally:
        away.rename(cert)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--host", "0.0.0.0"), "tls-required"),  # noqa: S104 - what must be refused
        (("--gateway-host", "::"), "tls-required"),
        (("--host", "models.example", "--tls"), "name-invalid"),
        (("--gateway-host", "192.0.2.1", "--tls"), "name-invalid"),
        (("--tls-cert", "cert.pem"), "certificate-unusable"),
        (("--tls-cert", "none.pem", "--tls-key", "none.key"), "certificate-unusable"),
    ],
)
async def test_a_door_that_others_could_listen_at_is_not_opened(
    tmp_path: Path, options: tuple[str, ...], code: str
) -> None:
    told = await cli("up", "--port", "0", "--gateway-port", "0", *options, folder=tmp_path)

    assert (told.status, f"[{code}]" in told.err, trees.living(tmp_path / ".glideslope")) == (2, True, {}), told.err


async def test_beyond_loopback_with_tls_the_addresses_are_reached_from_here(tmp_path: Path) -> None:
    async with trees.tree(tmp_path / ".glideslope", "--host", "0.0.0.0", "--gateway-host", "::", "--tls") as running:  # noqa: S104 - with TLS
        assert (await running.cli("status")).status == 0
        assert (tmp_path / ".glideslope" / "gateway-address").read_text().startswith("https://[::1]:")
        with socket.create_connection(("::1", running.gateway_port), timeout=10) as plain:
            context = ssl.create_default_context(cafile=running.state / "ca.pem")
            with context.wrap_socket(plain, server_hostname="::1") as connection:
                assert connection.version() == "TLSv1.3"


@pytest.mark.slow
async def test_a_killed_tree_in_tls_serves_on_and_is_taken_over(tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    async with trees.tree(state, "--tls") as running:
        envoy = running.pids()["envoy"]
        os.kill(running.pids()["up"], signal.SIGKILL)
        await asyncio.to_thread(running.process.wait)
        assert fingerprint(running.gateway_port, state / "ca.pem")

        async with trees.tree(state, "--tls") as again:
            assert again.pids()["envoy"] == envoy
