"""`glideslope waiting`: what waits for people, or for one of them."""

import json
from urllib.parse import urlencode

import click
import msgspec

from glideslope.domain.errors import NotFound
from glideslope.engine.access import AccessView
from glideslope.engine.governing_views import AgreementView, IncidentView
from glideslope.engine.views import FleetView
from glideslope.interfaces.cli.awaited import Awaited, awaited
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.interfaces.cli.words import table


@click.command("waiting")
@click.argument("who", default="")
@talks
def command(session: Session, *, who: str) -> None:
    """List approvals, answers, sign-offs and reviews that people owe; with WHO those that this person can give today."""
    person = _person(session, who) if who else None
    found = awaited(
        read(session.get("/v1/fleet"), FleetView).rollouts,
        read(session.get(at("agreements")), tuple[AgreementView, ...]),
        read(session.get(at("incidents")), tuple[IncidentView, ...]),
        person,
    )
    if session.as_json:
        say(json.dumps([msgspec.to_builtins(each) for each in found], ensure_ascii=False))
        return
    if not found:
        say(f"Nothing waits for {who or 'anybody'}.")
        return
    say("\n".join(table([["WHAT", "SINCE", "NEEDS", "LOOK AT IT"], *map(_row, found)], indent="")))


def _person(session: Session, who: str) -> AccessView:
    found = read(session.get(f"{at('access')}?{urlencode({'who': who})}"), tuple[AccessView, ...])
    if not found:
        raise NotFound(what="person of the organisation", name=who, next_command="glideslope access")
    return found[0]


def _row(each: Awaited) -> list[str]:
    return [each.what, each.since[:16], each.needs, each.look]
