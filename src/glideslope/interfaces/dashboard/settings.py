"""Settings: one index of what a server is told and what it says of itself; tokens, witnesses, health and versions."""

import asyncio
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope import __version__
from glideslope.domain.errors import NotFound
from glideslope.domain.governing.envelope import ENGINE as ENVELOPE_ENGINE
from glideslope.domain.governing.policy import ENGINE as POLICY_ENGINE
from glideslope.domain.identity import Role
from glideslope.engine.views import CheckpointView
from glideslope.interfaces.dashboard.door import PageDoor
from glideslope.interfaces.dashboard.rendering import Pages


@dataclass(frozen=True, slots=True)
class Section:
    """One page of the settings, as the index leads to it."""

    page: str
    name: str
    says: str


SECTIONS: Final = (
    Section(
        "/dues", "Dues and reviews", "what comes round: reviews of what is in force, drills of models; overdue first"
    ),
    Section("/settings/channels", "Channels", "where people and programs are told, how each stands, what was tried"),
    Section("/people", "People and access", "who may do what and why; what nobody owns"),
    Section("/settings/tokens", "Tokens", "who calls this server, and how a token is made or revoked"),
    Section("/settings/witnesses", "Witnesses and checkpoint", "the signed state of the ledger, and who saw it"),
    Section("/settings/health", "Health and versions", "what the doctor finds, and what runs here"),
)
"""In the order in which they are read; a new page of settings is one line here."""


ROLES: Final[Mapping[Role, str]] = {
    Role.ADMIN: "people and their rights, besides all that members may",
    Role.MEMBER: "proposes, approves, stops; what the organisation lets them",
    Role.SOURCE: "a service: reports about the models that its token names, and nothing else",
    Role.READER: "looks at everything and changes nothing: what an auditor needs",
}
"""What a token of each role is trusted with."""


def routes(door: PageDoor, pages: Pages) -> list[Route]:
    """Return the routes of settings."""
    service = door.service

    async def index(request: Request) -> Response:
        visitor = door.visitor(request)
        return pages.page(request, "settings.html", visitor=visitor, sections=SECTIONS)

    async def tokens(request: Request) -> Response:
        visitor = door.visitor(request)
        identity = visitor.identity
        return pages.page(
            request,
            "tokens.html",
            visitor=visitor,
            models=None if identity.models is None else sorted(identity.models),
            ends="" if identity.expires_at is None else identity.expires_at.astimezone(UTC).isoformat(),
            roles=ROLES,
        )

    async def witnesses(request: Request) -> Response:
        visitor = door.visitor(request)
        checkpoint, key = await asyncio.gather(service.checkpoint(), service.verifier())
        try:
            # No witness has seen the newest, which is a few seconds old.
            seen: CheckpointView | None = await service.checkpoint(cosigned=1)
        except NotFound:
            seen = None
        return pages.page(request, "witnesses.html", visitor=visitor, checkpoint=checkpoint, seen=seen, key=key)

    async def health(request: Request) -> Response:
        visitor = door.visitor(request)
        checks, fleet = await asyncio.gather(service.doctor(), service.fleet())
        return pages.page(
            request,
            "health.html",
            visitor=visitor,
            checks=sorted(checks, key=lambda each: each.ok),
            fleet=fleet,
            versions=versions(),
        )

    return [
        Route("/settings", index, methods=["GET"]),
        Route("/settings/health", health, methods=["GET"]),
        Route("/settings/tokens", tokens, methods=["GET"]),
        Route("/settings/witnesses", witnesses, methods=["GET"]),
    ]


def versions() -> Sequence[tuple[str, str]]:
    """Return what runs here, each with its version."""
    return (
        ("Glideslope", __version__),
        ("Python", platform.python_version()),
        ("Answers of policies", POLICY_ENGINE),
        ("Classifications by envelopes", ENVELOPE_ENGINE),
    )
