"""A rollout as it changes: the server's events read one by one, across its restarts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from glideslope.domain.errors import Unavailable
from glideslope.engine.inbox_views import InboxView, ItemView
from glideslope.engine.views import FleetView, HappeningView, RolloutView
from glideslope.interfaces.cli.exits import ApiRefused, is_passing
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read

PATIENCE: Final = 120.0
"""Seconds without an answer after which watching ends. Watching is all that ends."""

PAUSE: Final = 1.0


@dataclass(frozen=True, slots=True)
class Change:
    """A view, and the JSON it came as."""

    raw: bytes
    view: RolloutView


def changes(session: Session, rollout: str) -> Iterator[Change]:
    """Yield the rollout now and after each change, until it has ended.

    A server that goes away is waited for. Raises what the server refuses, and Unavailable after PATIENCE.
    """
    silent_since: float | None = None
    while True:
        try:
            for raw in _events(session.api.stream(at("rollouts", rollout, "events"))):
                silent_since = None
                view = read(raw, RolloutView)
                yield Change(raw=raw, view=view)
                if view.ended:
                    return
        except (Unavailable, ApiRefused) as error:
            silent_since = _patient(session, error, silent_since)
        session.outside.sleep(PAUSE)


def happenings(session: Session, rollout: str, *, after: int) -> tuple[HappeningView, ...]:
    """Return what was recorded after a version."""
    return read(session.get(at("rollouts", rollout, "story") + f"?after={after}"), tuple[HappeningView, ...])


@dataclass(frozen=True, slots=True)
class Fleet:
    """The fleet and what waits for people, and the JSON that the first came as."""

    raw: bytes
    fleet: FleetView
    inbox: InboxView


def fleets(session: Session) -> Iterator[Fleet]:
    """Yield the fleet now and whenever anything about it but the hour is otherwise. A server that goes away is waited for."""
    silent_since: float | None = None
    shown: tuple[FleetView, tuple[ItemView, ...]] | None = None
    while True:
        try:
            raw = session.get(at("fleet"))
            found = Fleet(
                raw=raw, fleet=read(raw, FleetView), inbox=read(session.get(f"{at('inbox')}?everybody=true"), InboxView)
            )
            silent_since = None
            now = replace(found.fleet, time=""), found.inbox.items
            if now != shown:
                shown = now
                yield found
        except (Unavailable, ApiRefused) as error:
            silent_since = _patient(session, error, silent_since)
        session.outside.sleep(PAUSE)


def waits(session: Session, rollout: str) -> tuple[ItemView, ...]:
    """Return what is asked of people about a rollout."""
    everything = read(session.get(f"{at('inbox')}?everybody=true"), InboxView).items
    return tuple(each for each in everything if each.of == rollout)


def _patient(session: Session, error: Unavailable | ApiRefused, since: float | None) -> float:
    """Say once that the server does not answer, and give up after PATIENCE."""
    if not is_passing(error):
        raise error
    now = session.outside.monotonic()
    if since is None:
        say(f"{error.sentence} {error.traffic} Trying again.", err=True)
        return now
    if now - since > PATIENCE:
        raise error
    return since


def _events(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Read server-sent events and yield the data of each; an event `problem` is raised (WHATWG HTML, 9.2)."""
    name, data = b"", b""
    for line in lines:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"data":
            data += value
        elif not line and data:
            if name == b"problem":
                fields: dict[str, Any] = read(data, dict)
                status = fields.get("status")
                raise ApiRefused(status=status if isinstance(status, int) else 500, fields=fields)
            yield data
            name, data = b"", b""
