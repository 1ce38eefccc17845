"""The address of the page of anything: a rollout, a model, an incident, an agreement, an entry of the ledger, or a page by its name."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from glideslope.domain.errors import NotFound
from glideslope.interfaces.cli.context import server_of
from glideslope.interfaces.cli.exits import ApiRefused
from glideslope.interfaces.cli.session import Session, at, read
from glideslope.interfaces.dashboard.link import SignInLink

PAGES: Final = (
    "approvals",
    "review",
    "models",
    "incidents",
    "drills",
    "policies",
    "agreements",
    "dues",
    "people",
    "ledger",
    "settings",
)
"""Pages without an object."""
_OF: Final = {
    "rollout": "rollouts",
    "model": "models",
    "incident": "incidents",
    "drill": "drills",
    "entry": "ledger",
    "review": "review",
}
_ROLLOUT: Final = re.compile(r"r-\d+")


def path_of(session: Session, thing: Sequence[str]) -> str:
    """Return the path of a thing's page; of nothing, the first page. Raises NotFound."""
    match [quote(word, safe="") for word in thing]:
        case []:
            return "/"
        case [name] if _ROLLOUT.fullmatch(name):
            return f"/rollouts/{name}"
        case [number] if number.isdecimal():
            return f"/ledger/{number}"
        case [name] if name in PAGES:
            return f"/{name}"
        case [name]:
            return (
                f"/models/{name}" if _is_there(session, "models", thing[0]) else _agreement(session, thing[0], thing[0])
            )
        case [kind, name] if kind in _OF:
            return f"/{_OF[kind]}/{name}"
        case ["agreement", of, name]:
            return f"/agreements/{of}/{name}"
        case [_, _]:
            return _agreement(session, thing[0], thing[1])
        case _:
            raise NotFound(what="page of", name=" ".join(thing), next_command="glideslope open")


def address_of(session: Session, path: str) -> tuple[str, float]:
    """Return an address that signs in once and goes on to a page, and for how many seconds it does."""
    server = server_of(Path.cwd(), server=session.server, token=session.token, ca=session.ca)[0]
    link = read(session.api.call("POST", "/sign-in/links", b"{}"), SignInLink, exact=True)
    return f"{server.rstrip('/')}{link.path}{'' if path == '/' else f'?next={path}'}", link.seconds


def _agreement(session: Session, of: str, name: str) -> str:
    if _is_there(session, "agreements", of, name):
        return f"/agreements/{quote(of, safe='')}/{quote(name, safe='')}"
    raise NotFound(what="page of", name=of if of == name else f"{of} {name}", next_command="glideslope ls")


def _is_there(session: Session, *parts: str) -> bool:
    try:
        session.get(at(*parts))
    except ApiRefused as error:
        if error.status not in (404, 422):
            raise
        return False
    return True
