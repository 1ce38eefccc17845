"""Who speaks: a source of counts is the actor of its token together with the name that the service gives itself.

So nobody can speak in another's name, whatever name it sends. Before this, totals were kept under the name alone; they are
still read, and what a source says of the same epoch continues them (`engine.scopes`).
"""

from typing import Final

from glideslope.domain.errors import Invalid
from glideslope.domain.ids import Actor

_BETWEEN: Final = "\x1f"
"""Stands between actor and name; neither can hold it, since both are printable."""

NOBODY: Final = Actor("")
"""The actor of what is kept under a name alone: a server's own counts, and services' from before names were bound."""


def bound(actor: Actor, name: str) -> str:
    """Return the source as which `actor` speaks under `name`. Raises Invalid for a name that cannot be printed."""
    if not name.isprintable() or not actor.isprintable() or not actor:
        raise Invalid(f"{name!r} cannot be the name of a source of observations: it must be printable.")
    return f"{actor}{_BETWEEN}{name}"


def parted(source: str) -> tuple[Actor, str]:
    """Return actor and name; the actor is NOBODY where only a name was kept."""
    actor, between, name = source.partition(_BETWEEN)
    return (Actor(actor), name) if between else (NOBODY, source)
