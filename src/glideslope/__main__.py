"""Picks the verb. Each function here loads what it hands in only when it is called, so that `verify` pays for nothing else."""

from __future__ import annotations  # `--help` must not pay for pathlib

from typing import TYPE_CHECKING

from glideslope.interfaces.cli.main import glideslope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from glideslope.domain.governing.dossier import Dossier
    from glideslope.domain.governing.policy import Outcome, Policy
    from glideslope.domain.governing.rebuild import Recipe, Remade
    from glideslope.interfaces.cli.context import (
        AccountsOf,
        Api,
        Certificate,
        Credentials,
        Outside,
        Place,
        Start,
        Tokens,
    )
    from glideslope.settings import Doors


TIMEOUT = 30.0
"""Seconds for one answer: proposing asks the candidate whether it is there."""


def main() -> None:
    """Run the command line and exit with its status."""
    glideslope(obj=_outside, prog_name="glideslope")


def _outside() -> Outside:
    import time

    from glideslope.interfaces.cli.context import Outside

    return Outside(
        connect=_connect,
        folder_digest=_folder_digest,
        files=_files,
        keep=_keep,
        start=_start,
        demo=_demo,
        evaluate=_evaluate,
        told=_told,
        rebuild=_rebuild,
        tokens=_tokens,
        accounts=_accounts,
        credentials=_credentials,
        create_certificate=_create_certificate,
        browse=_browse,
        new_key=_new_key,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def _new_key() -> str:
    import secrets

    return secrets.token_hex(16)


def _browse(address: str) -> bool:
    import os
    import webbrowser

    # Without a screen it would start a browser for terminals, in the middle of somebody's.
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")) and webbrowser.open(address)


def _files(folder: Path) -> Iterable[tuple[str, Path]]:
    from glideslope.sdk.digest import walk_folder

    return walk_folder(folder)


def _rebuild(recipe: Recipe, **more: Any) -> Remade:  # noqa: ANN401 - passed on as they come
    from glideslope.wiring.rebuilding import rebuild

    return rebuild(recipe, **more)


def _folder_digest(folder: Path) -> str:
    from glideslope.sdk.digest import folder_digest

    return folder_digest(folder)


def _keep(state: Path, folder: Path) -> str:
    from glideslope.settings import Settings
    from glideslope.wiring import artifacts

    return artifacts.keep(Settings(state=state).artifacts, folder)


def _start() -> Start:
    from glideslope.settings import Settings

    class Processes:
        """Each process loads what it is: the server's second of imports is no other's."""

        def up(
            self,
            *,
            state: Path,
            port: int,
            gateway_port: int,
            gateway: bool,
            gateway_listen: Place | None,
            keep_log: float | None,
            doors: Doors,
        ) -> int:
            from glideslope.wiring import start

            return start.up(
                Settings(
                    state,
                    port,
                    gateway_port,
                    with_gateway=gateway,
                    gateway_listen=gateway_listen,
                    keep_log=keep_log,
                    doors=doors,
                )
            )

        def serve(
            self,
            *,
            state: Path,
            port: int,
            gateway_port: int,
            gateway: bool,
            gateway_listen: Place | None,
            keep_log: float | None,
            doors: Doors,
        ) -> int:
            from glideslope.wiring import server

            server.run(
                Settings(
                    state,
                    port,
                    gateway_port,
                    with_gateway=gateway,
                    gateway_listen=gateway_listen,
                    keep_log=keep_log,
                    doors=doors,
                )
            )
            return 0

        def gateway(
            self,
            *,
            state: Path,
            gateway_port: int,
            line: Place | None,
            credentials: Path | None,
            silence: float,
            doors: Doors,
        ) -> int:
            from glideslope.wiring import gateway

            gateway.run(
                Settings(
                    state=state,
                    gateway_port=gateway_port,
                    line=line,
                    credentials=credentials,
                    silence=silence,
                    doors=doors,
                )
            )
            return 0

        def browse(self, *, lines: Sequence[bytes], key: str, port: int, ready: Callable[[str, str], None]) -> int:
            from glideslope.wiring import browsing

            browsing.browse(lines, key=key, port=port, ready=ready)
            return 0

    return Processes()


def _tokens() -> Tokens:
    from glideslope.wiring import tokens

    return tokens


def _accounts() -> AccountsOf:
    from glideslope.wiring import accounts

    return accounts


def _credentials() -> Credentials:
    from glideslope.wiring import credentials

    return credentials


def _create_certificate(state: Path, names: Sequence[str]) -> Certificate:
    from glideslope.wiring import tls

    return tls.create(state, names=names)


def _demo(*, as_json: bool, keep: Path | None, browse: Callable[[str, str], None] | None) -> int:
    import importlib

    # By name, since the demo comes with its own extra.
    return int(importlib.import_module("glideslope.demo.story").run(as_json=as_json, keep=keep, browse=browse))


def _evaluate(file: Path, *, work: Path | None, again: bool, write_split: Path | None, as_json: bool) -> int:
    from glideslope.evaluate.conducting import conduct

    return conduct(file, work=work, again=again, write_split=write_split, as_json=as_json)


def _told(policy: Policy, dossier: Dossier, opa: str, token: str) -> Mapping[str, Outcome]:
    from glideslope.wiring import rules

    return rules.told(policy, dossier, opa, token)


def _joined(pages: Sequence[bytes]) -> bytes:
    """Return a list that came in pages as one: who is at a terminal asked for all of it."""
    if len(pages) == 1:
        return pages[0]
    return b"[" + b",".join(page[1:-1] for page in pages) + b"]"


def _connect(address: str, token: str, ca: str = "") -> Api:
    from glideslope.interfaces.cli.exits import ApiRefused
    from glideslope.sdk.client import Client
    from glideslope.sdk.errors import ServerRefused
    from glideslope.sdk.requests import JSON, Call

    def refused(error: ServerRefused) -> ApiRefused:
        return ApiRefused(status=error.status, fields=error.problem.fields)

    class ClientApi:
        """The sdk's client as the command line sees it; a connection per call, since a command makes few."""

        def call(
            self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
        ) -> bytes:
            keyed = headers or {}
            call = Call(
                method=method,
                path=path,
                body=body,
                content_type="" if body is None else JSON,
                decode=bytes,
                repeatable=method == "GET" or "Idempotency-Key" in keyed,
                headers=keyed,
            )
            with Client(address, token, timeout=TIMEOUT, ca=ca) as client:
                try:
                    return _joined([answer.value for answer in client.answers(call)])
                except ServerRefused as error:
                    raise refused(error) from error

        def stream(self, path: str) -> Iterator[bytes]:
            call: Call[object] = Call(method="GET", path=path, body=None, content_type="", decode=bytes)
            with Client(address, token, timeout=TIMEOUT, ca=ca) as client:
                try:
                    yield from client.stream(call)
                except ServerRefused as error:
                    raise refused(error) from error

    return ClientApi()


if __name__ == "__main__":
    main()
