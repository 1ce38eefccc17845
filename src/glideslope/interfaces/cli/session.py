"""One command's talk with the server, and the options that all such commands share."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click
import msgspec

from glideslope.interfaces.cli.boundary import AS_JSON
from glideslope.interfaces.cli.context import Api, Outside, server_of
from glideslope.interfaces.cli.exits import ApiRefused, NotGlideslope
from glideslope.interfaces.cli.saying import say, shown

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Session:
    """A server, found when it is first needed."""

    outside: Outside
    server: str | None
    token: str | None
    as_json: bool
    ca: str | None = None
    _api: Api | None = None

    @property
    def api(self) -> Api:
        """Return the server to talk to. Raises NoServer."""
        if self._api is None:
            found = server_of(Path.cwd(), server=self.server, token=self.token, ca=self.ca)
            self._api = self.outside.connect(*found)
        return self._api

    def get(self, path: str) -> bytes:
        """Ask."""
        return self.api.call("GET", path)

    def post(self, path: str, content: Mapping[str, Any]) -> bytes:
        """Ask with a body; changes nothing."""
        return self.api.call("POST", path, json.dumps(content).encode())

    def order(self, path: str, content: Mapping[str, Any], *, dry_run: bool) -> bytes | None:
        """Order something, once however often it is sent; with `dry_run` only say what would be sent, and return None."""
        if dry_run:
            self.say_json({"method": "POST", "path": path, "body": dict(content), "sent": False})
            if not self.as_json:
                say("Nothing was sent.")
            return None
        return self.api.call("POST", path, json.dumps(content).encode(), {"Idempotency-Key": self.outside.new_key()})

    def say_json(self, content: object) -> None:
        """Print one JSON document: on one line for programs, indented for people."""
        say(json.dumps(content, indent=None if self.as_json else 2, ensure_ascii=False))


def say_bytes(answer: bytes) -> None:
    """Print the server's JSON as it came."""
    say(answer.decode(errors="replace"))


def read(answer: bytes, kind: type[T], *, exact: bool = False) -> T:
    """Decode an answer; what a newer server adds is passed over. Raises NotGlideslope.

    Each text is made fit for people to read, unless it is wanted exactly.
    """
    try:
        value = msgspec.json.decode(answer)
        return msgspec.convert(value if exact else shown(value), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotGlideslope(why=str(error)) from error


def at(*parts: str) -> str:
    """Return a path under /v1 with each part escaped."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def json_option(function: F) -> F:
    """Add `--json`."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta[AS_JSON] = value
        return value

    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=remember, help="Write JSON, also of errors."
    )(function)


def talks(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a Session as its first argument, and the options that make one."""

    @click.option(
        "--server", envvar="GLIDESLOPE_SERVER", metavar="URL", help="The server, if not the one of this folder."
    )
    @click.option(
        "--token", envvar="GLIDESLOPE_TOKEN", metavar="TOKEN", help="Who you are; else from the state folder."
    )
    @click.option("--ca", envvar="GLIDESLOPE_CA", metavar="FILE", help="Whom to trust at an https address, PEM.")
    @json_option
    @click.pass_context
    @wraps(function)
    def with_session(
        ctx: click.Context,
        /,
        *,
        server: str | None,
        token: str | None,
        ca: str | None,
        as_json: bool,
        **arguments: Any,  # noqa: ANN401 - the command's own options
    ) -> Any:  # noqa: ANN401 - click passes on what a command returns
        outside = ctx.find_object(Outside)
        assert outside is not None, "the command line runs inside an Outside"  # noqa: S101 - a mistake of ours
        session = Session(outside=outside, server=server, token=token, ca=ca, as_json=as_json)
        return function(session, **arguments)

    return with_session


message_option = click.option("-m", "--message", required=True, metavar="WHY", help="Why; it stands in the ledger.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would be sent.")


def rollout_of(session: Session, name: str) -> str:
    """Return a rollout's id; of a model, that of its newest. Raises what the server refuses."""
    try:
        session.get(at("rollouts", name))
    except ApiRefused as error:
        if error.status != 404:
            raise
        refusal = error
    else:
        return name
    listed: list[dict[str, Any]] = read(session.get(at("rollouts")), list)
    found = next((str(each["id"]) for each in listed if each.get("model") == name), None)
    if found is None:
        raise refusal
    return found
