"""A rollout as it changes: the server's events read one by one, across its restarts."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from glideslope.domain.errors import Unavailable
from glideslope.engine.views import HappeningView, RolloutView
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
            if not is_passing(error):
                raise
            now = session.outside.monotonic()
            if silent_since is None:
                silent_since = now
                say(f"{error.sentence} {error.traffic} Trying again.", err=True)
            if now - silent_since > PATIENCE:
                raise
        session.outside.sleep(PAUSE)


def happenings(session: Session, rollout: str, *, after: int) -> tuple[HappeningView, ...]:
    """Return what was recorded after a version."""
    return read(session.get(at("rollouts", rollout, "story") + f"?after={after}"), tuple[HappeningView, ...])


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
