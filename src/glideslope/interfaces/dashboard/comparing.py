"""Two versions beside each other: what is recorded of each, topic by topic, with what differs marked. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UnsetType

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.facts import Measured
from glideslope.engine.version_record import AttemptView, VersionRecordView

UNSAID: Final = ""
"""What stands for a statement that is absent: not the same as an empty one."""
LONGEST: Final = 160
"""Characters of a statement that are shown; whether it differs is asked of all of it."""

_TOPICS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("Data", ("datasets",)),
    ("Features", ("pipelines", "contract")),
    ("Code and environment", ("code", "environment", "seed")),
    ("How it was made", ("configuration", "task", "architecture", "base", "makers")),
    ("Packages", ("dependencies",)),
    ("Licences", ("licences",)),
    ("What the card says", ("intended_use", "out_of_scope", "limitations", "fairness", "failure_modes", "validations")),
    ("Signature", ("signature",)),
)
"""The facts of each topic; a test holds that none is left out."""
_NAMES: Final = ("name", "use", "metric", "attribute", "group", "field")
"""What tells the things of a list apart, as far as they have it."""
_TIMES: Final = (" at", "since")
"""How the names of instants end, once their underscores are spaces."""


@dataclass(frozen=True, slots=True)
class Row:
    """One statement, as each version has it."""

    name: str
    a: str
    b: str

    @property
    def differs(self) -> bool:
        return self.a != self.b


@dataclass(frozen=True, slots=True)
class Topic:
    """What is recorded about one topic."""

    title: str
    rows: tuple[Row, ...]

    @property
    def differing(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.differs)

    @property
    def same(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if not row.differs)


@dataclass(frozen=True, slots=True)
class Figure:
    """One offline metric on one part of one dataset; None where it was not measured."""

    metric: str
    dataset: str
    slice: str
    a: Measured | None
    b: Measured | None


def topics(a: VersionRecordView, b: VersionRecordView) -> tuple[Topic, ...]:
    """Return what is recorded of both, topic by topic; a topic about which nothing is said of either is left out."""
    identity = (
        Row("content", a.digest, b.digest),
        Row("registered by", a.registered.by, b.registered.by),
        Row("registered because", a.registered.what, b.registered.what),
    )
    facts = [{} if each.facts is None else msgspec.to_builtins(each.facts.facts) for each in (a, b)]
    found = [Topic("Identity", identity)]
    for title, names in _TOPICS:
        one, other = (dict(_leaves({name: each[name] for name in names if name in each})) for each in facts)
        rows = tuple(Row(name, one.get(name, UNSAID), other.get(name, UNSAID)) for name in {**one, **other})
        if rows:
            found.append(Topic(title, rows))
    return tuple(found)


def figures(a: VersionRecordView, b: VersionRecordView) -> tuple[Figure, ...]:
    """Return the offline metrics of both as their facts state them, by metric, data and part of it."""
    one, other = ({_place(each): each for each in _measured(view)} for view in (a, b))
    return tuple(Figure(*place, one.get(place), other.get(place)) for place in {**one, **other})


def meetings(a: VersionRecordView, b: VersionRecordView) -> tuple[AttemptView, ...]:
    """Return the rollouts in which one of them asked to replace the other, the newest first."""
    met = [each for each in b.attempts if each.plan.incumbent == a.version]
    met += [each for each in a.attempts if each.plan.incumbent == b.version]
    return tuple(sorted(met, key=lambda each: -each.proposed.entry))


def _measured(view: VersionRecordView) -> Sequence[Measured]:
    stated = None if view.facts is None else view.facts.facts.evaluations
    return () if stated is None or isinstance(stated, UnsetType) else stated


def _place(each: Measured) -> tuple[str, str, str]:
    return each.metric, "" if isinstance(each.dataset, UnsetType) else each.dataset, each.slice


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """Yield each statement with the path to it; things of a list go by their names, so that order is no difference."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name} · {_said(key)}" if name else _said(key))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(each, Mapping) for each in value):
        for number, each in enumerate(value, start=1):
            told = " ".join(str(each[key]) for key in _NAMES if key in each) or str(number)
            rest = {key: inner for key, inner in each.items() if key not in _NAMES}
            yield from _leaves(rest, f"{name} · {told}") if rest else iter([(f"{name} · {told}", "named")])
    elif isinstance(value, (list, tuple)):
        yield name, ", ".join(map(str, value)) or "none"
    elif isinstance(value, int) and name.endswith(_TIMES):
        yield name, rfc3339(value)
    else:
        yield name, str(value)


def _said(key: str) -> str:
    return key.replace("_", " ")
