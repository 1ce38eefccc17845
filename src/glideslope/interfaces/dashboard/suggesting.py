"""What the search suggests while somebody types: pages, models, versions, rollouts, people, entries, and fields to ask by."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode

from glideslope.engine.views import FleetView
from glideslope.interfaces.dashboard.fields import TOLD

MOST: Final = 10
MOST_OF_A_KIND: Final = 4


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Where it leads, what kind of thing that is, its name, and what tells it from others."""

    href: str
    kind: str
    name: str
    about: str = ""


def suggestions(fleet: FleetView, typed: str, *, entries: int) -> tuple[Suggestion, ...]:
    """Return what somebody who typed this may mean, the nearest first, at most MOST."""
    text = typed.strip()
    if not text:
        return ()
    families = (
        _entries(text, entries),
        _rollouts(fleet, text),
        _models(fleet, text),
        _people(fleet, text),
        _fields(text),
    )
    return tuple(each for family in families for each in _few(family))[:MOST]


def people_called(fleet: FleetView, text: str) -> list[str]:
    """Return the ids of people whom rollouts and versions name and whose id holds the text."""
    named = {
        who for view in fleet.rollouts for who in (view.proposed_by, view.owner, *view.approved_by, *view.denied_by)
    } | {version.by for model in fleet.models for version in model.versions}
    wanted = text.casefold()
    found = [who for who in named if who and wanted in who.casefold()]
    return sorted(found, key=lambda who: (not who.casefold().startswith(wanted), who))


def _few(found: Iterator[Suggestion]) -> Sequence[Suggestion]:
    return [each for each, _ in zip(found, range(MOST_OF_A_KIND), strict=False)]


def _entries(text: str, entries: int) -> Iterator[Suggestion]:
    digits = text.removeprefix("#")
    if digits.isascii() and digits.isdecimal() and len(digits) <= 15 and int(digits) < entries:
        yield Suggestion(f"/ledger/{int(digits)}", "entry", f"#{int(digits)}", "of the ledger")


def _rollouts(fleet: FleetView, text: str) -> Iterator[Suggestion]:
    for view in fleet.rollouts:
        if _holds(text, view.id, view.model, view.incumbent, view.candidate, view.why):
            change = f"{view.model} {view.incumbent} → {view.candidate}, {view.phase.replace('-', ' ')}"
            yield Suggestion(f"/rollouts/{view.id}", "rollout", view.id, change)


def _models(fleet: FleetView, text: str) -> Iterator[Suggestion]:
    for model in fleet.models:
        page = f"/models/{quote(model.name)}"
        if _holds(text, model.name):
            yield Suggestion(page, "model", model.name, f"{model.incumbent or 'nothing'} serves")
        for version in reversed(model.versions):
            if _holds(text, model.name, version.version, version.digest) and not _holds(text, model.name):
                named = f"{model.name} {version.version}"
                yield Suggestion(f"{page}/versions/{quote(version.version)}", "version", named, version.state)


def _people(fleet: FleetView, text: str) -> Iterator[Suggestion]:
    for who in people_called(fleet, text):
        yield Suggestion(f"/ledger?{urlencode({'q': f'author:{who}'})}", "person", who, "what they did")


def _fields(text: str) -> Iterator[Suggestion]:
    *before, last = text.split()
    for name, told in TOLD.items():
        if name.startswith(last.casefold()) and ":" not in last:
            asked = " ".join((*before, f"{name}:"))
            yield Suggestion(f"/search?{urlencode({'q': asked})}", "field", f"{name}:", told)


def _holds(text: str, *names: str) -> bool:
    words = text.casefold().split()
    return all(any(word in name.casefold() for name in names) for word in words)
