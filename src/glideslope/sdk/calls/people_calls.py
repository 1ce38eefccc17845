"""The people behind actors."""

from glideslope.domain.governing.person import Person
from glideslope.engine.views import PersonView
from glideslope.sdk.calls.making import ask, at, order
from glideslope.sdk.requests import Call


def people(*, limit: int | None = None) -> Call[tuple[PersonView, ...]]:
    """Ask for everybody of whom something is kept."""
    return ask(tuple[PersonView, ...], at("people"), {"limit": limit})


def person(actor: str) -> Call[PersonView]:
    """Ask who an actor is."""
    return ask(PersonView, at("people", actor))


def describe_person(actor: str, person: Person, *, key: str = "") -> Call[PersonView]:
    """Say who an actor is."""
    body = {"name": person.name, "email": person.email, "chat": person.chat}
    return order(PersonView, at("people", actor), body, key=key)


def erase_person(actor: str, *, why: str, key: str = "") -> Call[PersonView]:
    """Erase who an actor is, data and salt."""
    return order(PersonView, at("people", actor, "erase"), {"why": why}, key=key)
