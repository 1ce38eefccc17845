"""The doors, each over a service that remembers: over HTTP, and from the command line."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from fastapi import FastAPI
from tests.interfaces.fake_channels import FakeChannels
from tests.interfaces.fake_council import FakeCouncil
from tests.interfaces.fake_evidence import FakeEvidence
from tests.interfaces.fake_rollouts import AT, digest_of

from glideslope.domain.commands import (
    Register,
)
from glideslope.domain.errors import (
    NotFound,
)
from glideslope.domain.ids import Actor, ModelName, VersionName
from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.exits import ApiRefused
from glideslope.interfaces.cli.main import glideslope
from glideslope.sdk.digest import walk_folder
from glideslope.wiring import accounts, rules
from glideslope.wiring.rebuilding import rebuild

YAML = "model: late-arrival\ncandidate: v2\nowner: flights@example.com\nwhy: Fewer misses in the evening.\n"


class FakeService(FakeEvidence, FakeCouncil, FakeChannels):
    """A service that remembers, without engine, state or traffic."""


def with_two_versions() -> FakeService:
    found = FakeService()
    found.models["late-arrival"] = {
        name: Register(
            model=ModelName("late-arrival"),
            version=VersionName(name),
            digest=digest_of(letter),
            url=f"http://127.0.0.1:900{number}",
            by=Actor("ada"),
            why="first",
            incumbent=name == "v1",
        )
        for number, (name, letter) in enumerate((("v1", "1"), ("v2", "2")))
    }
    return found


@pytest.fixture
def service() -> FakeService:
    return with_two_versions()


class Http:
    """Calls an application as HTTP does, one request after the other; an answer is complete when its stream has ended."""

    def __init__(self, app: FastAPI, runner: asyncio.Runner) -> None:
        self.headers = {"Authorization": "Bearer gs_admin"}
        self._app = app
        self._runner = runner

    def request(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        return self._runner.run(self._send(method, path, headers={**self.headers, **(headers or {})}, **more))

    async def _send(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)


@pytest.fixture
def http(service: FakeService) -> Iterator[Http]:
    """The API, called as the admin."""
    keys = (f"key-{number}" for number in count(1))
    app = create_app(service, new_key=lambda: next(keys))
    with asyncio.Runner() as runner:
        yield Http(app, runner)


@pytest.fixture
def written() -> str:
    """The shortest plan."""
    return YAML


class FakeApi:
    """The API as the command line sees it, over the same application. `then` are what happens while somebody follows."""

    def __init__(self, http: Http, service: FakeService, then: list[Callable[[], object]]) -> None:
        self._http = http
        self._service = service
        self._then = then
        self.calls: list[tuple[str, str, bytes | None, Mapping[str, str]]] = []

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        self.calls.append((method, path, body, headers or {}))
        response = self._http.request(method, path, content=body, headers=dict(headers or {}))
        if response.status_code >= 400:
            raise ApiRefused(status=response.status_code, fields=response.json())
        return response.content

    def stream(self, path: str) -> Iterator[bytes]:
        if not path.endswith("/events"):
            yield from self.call("GET", path).splitlines()
            return
        id_ = path.split("/")[3]
        while True:
            view = self._service.rollouts[id_]
            yield from (b"event: rollout", b"id: 1", b"data: " + msgspec.json.encode(view), b"", b": a comment")
            if view.ended:
                return
            self._then.pop(0)()


class Desk:
    """A person at the command line, in an empty folder whose server is the fake one."""

    def __init__(self, http: Http, service: FakeService) -> None:
        self.http = http
        self.then: list[Callable[[], object]] = []
        self.api = FakeApi(http, service, self.then)
        self.started: list[tuple[str, dict[str, object]]] = []
        self.secrets: list[tuple[str, str]] = []
        self.scopes: list[object] = []
        self.kept: list[tuple[Path, Path]] = []
        self.connected: list[tuple[str, str]] = []
        self.trusted: list[str] = []
        self.certified: list[tuple[Path, tuple[str, ...]]] = []
        self.evaluated: list[tuple[Path, dict[str, Any]]] = []
        self.opened: list[str] = []
        self.time = 0.0
        self._keys = count(1)

    def connect(self, address: str, token: str, ca: str) -> FakeApi:
        self.connected.append((address, token))
        self.trusted.append(ca)
        return self.api

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.then:
            self.then.pop(0)()

    def start(self) -> Any:
        started = self.started

        class Recorder:
            def __getattr__(self, name: str) -> Callable[..., int]:
                def record(**arguments: object) -> int:
                    started.append((name, arguments))
                    return 0

                return record

        return Recorder()

    def demo(self, *, as_json: bool, keep: Path | None, browse: Callable[[str, str], None] | None) -> int:
        self.started.append(("demo", {"as_json": as_json, "keep": keep}))
        if browse is not None:
            browse("http://127.0.0.1:1/sign-in/x", "later")
        return 9

    def tokens(self) -> Any:
        secrets, scopes = self.secrets, self.scopes

        class Line(msgspec.Struct):
            id: str
            actor: str
            role: str
            created_at: str
            models: tuple[str, ...] | None = None
            expires_at: str = ""
            expired: bool = False
            acts: tuple[str, ...] | None = None
            used_at: str = ""

        class Tokens:
            def create(self, _: Path, *, actor: str, role: str, **limits: object) -> str:
                secrets.append((actor, role))
                scopes.append(limits)
                return "gs_new"

            def listed(self, _: Path) -> list[Line]:
                return [
                    Line(id=str(k), actor=actor, role=role, created_at=AT) for k, (actor, role) in enumerate(secrets)
                ]

            def revoke(self, _: Path, *, token_id: str) -> None:
                if not token_id.isdigit():
                    raise NotFound(what="token", name=token_id)
                del secrets[int(token_id)]

        return Tokens()

    def credentials(self) -> Any:
        started = self.started

        class Line(msgspec.Struct):
            name: str
            folder: str
            ends: str

        class Credentials:
            def create(self, state: Path, *, name: str, out: Path, days: int) -> Line:
                started.append(("credentials", {"state": state, "name": name, "out": out, "days": days}))
                return Line(name, str(out), AT)

        return Credentials()

    def create_certificate(self, state: Path, names: Sequence[str]) -> Any:
        self.certified.append((state, tuple(names)))
        return SimpleNamespace(names=tuple(names), ca=state / "tls" / "ca.pem", until=AT)

    def evaluate(self, file: Path, **options: Any) -> int:
        self.evaluated.append((file, options))
        return 1

    def _browse(self, address: str) -> bool:
        self.opened.append(address)
        return True

    def _keep(self, state: Path, folder: Path) -> str:
        self.kept.append((state, folder))
        return digest_of(str(len(list(folder.iterdir()))))

    def run(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        outside = Outside(
            connect=self.connect,
            folder_digest=lambda folder: digest_of(str(len(list(folder.iterdir())))),
            files=walk_folder,
            keep=self._keep,
            start=self.start,
            demo=self.demo,
            evaluate=self.evaluate,
            told=rules.told,
            rebuild=rebuild,
            tokens=self.tokens,
            accounts=lambda: accounts,
            credentials=self.credentials,
            create_certificate=self.create_certificate,
            browse=self._browse,
            new_key=lambda: f"cli-{next(self._keys)}",
            monotonic=lambda: self.time,
            sleep=self.sleep,
        )
        return CliRunner().invoke(glideslope, list(arguments), obj=outside, input=stdin)


@pytest.fixture
def desk(http: Http, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    for name in ("GLIDESLOPE_SERVER", "GLIDESLOPE_TOKEN", "GLIDESLOPE_CA", "GLIDESLOPE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    state = tmp_path / ".glideslope"
    state.mkdir()
    (state / "address").write_text("http://127.0.0.1:8787\n")
    (state / "token").write_text("gs_admin\n")
    (tmp_path / "glideslope.yaml").write_text(YAML)
    return Desk(http, service)
