"""What is known about how a version was made: what a model card, a bill of materials and a policy rest on.

Each field that may be unknown is absent when it is, and absence is never a yes: whoever reads it must say what it lacks. An
empty list is a statement ("there are none"), an absent one is not. Facts are recorded whole; later ones supersede earlier
ones, and all are kept.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Verdict
from glideslope.domain.errors import FactsInvalid, NameInvalid
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName, digest
from glideslope.ledger import canonical

FORMAT: Final = 1
MOST: Final = 5_000
"""Entries of a list."""
LONGEST: Final = 4_000
"""Characters of a text."""
FURTHEST: Final = 16
"""Hops upstream."""
LAST: Final = 253_402_300_799_999
"""The last millisecond that RFC 3339 can write."""

Value = str | int | float | bool
"""A setting."""


class Use(StrEnum):
    """What a dataset was to a version."""

    TRAINING = "training"
    VALIDATION = "validation"  # chose among candidates with it
    EVALUATION = "evaluation"  # measured the result with it


class Ending(StrEnum):
    """How a test or a validation ended."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


class SignatureState(StrEnum):
    """What checking a version's signature showed."""

    VERIFIED = "verified"
    INVALID = "invalid"
    ABSENT = "absent"


class _Fact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A statement; strict."""


class Makers(_Fact, frozen=True, kw_only=True):
    """Who made it. Whoever is named here may not approve it."""

    trained_by: tuple[Actor, ...] | UnsetType = UNSET
    data_by: tuple[Actor, ...] | UnsetType = UNSET
    evaluated_by: tuple[Actor, ...] | UnsetType = UNSET
    code_by: tuple[Actor, ...] | UnsetType = UNSET

    def everybody(self) -> frozenset[Actor]:
        """Return all that are named."""
        named = (self.trained_by, self.data_by, self.evaluated_by, self.code_by)
        return frozenset(actor for actors in named if not isinstance(actors, UnsetType) for actor in actors)


class Code(_Fact, frozen=True, kw_only=True):
    """The code that made it."""

    revision: str
    """A commit of the repository, 40 or 64 hexadecimal digits."""
    repository: str | UnsetType = UNSET
    clean: bool | UnsetType = UNSET
    """Nothing but that revision was in the working tree."""


class Environment(_Fact, frozen=True, kw_only=True):
    """Where it was made."""

    lock: Digest | UnsetType = UNSET
    """Of the file that pins every package by hash."""
    python: str | UnsetType = UNSET
    platform: str | UnsetType = UNSET


class Upstream(_Fact, frozen=True, kw_only=True):
    """A field upstream from which another was derived."""

    dataset: str
    field: str
    hops: int
    """How far upstream; 1 is where it was read from."""
    tags: tuple[str, ...] | UnsetType = UNSET


class DataField(_Fact, frozen=True, kw_only=True):
    """A field of a dataset, with what is known of where it came from."""

    name: str
    type: str | UnsetType = UNSET
    tags: tuple[str, ...] | UnsetType = UNSET
    """`pii`, `special-category`, ...; empty says that somebody looked and there are none."""
    upstream: tuple[Upstream, ...] | UnsetType = UNSET
    traced: int | UnsetType = UNSET
    """How many hops its upstream was followed; `upstream` is complete up to there."""


class Dataset(_Fact, frozen=True, kw_only=True):
    """Data that it was made from or measured with."""

    name: str
    use: Use
    version: str | UnsetType = UNSET
    digest: Digest | UnsetType = UNSET
    owner: str | UnsetType = UNSET
    licence: str | UnsetType = UNSET
    """An SPDX expression, or `LicenseRef-...`."""
    residency: tuple[str, ...] | UnsetType = UNSET
    """Where it lies: country or region codes."""
    access: tuple[str, ...] | UnsetType = UNSET
    """Tags that say who may use it for what."""
    fresh_at: int | UnsetType = UNSET
    """Up to when it describes the world; milliseconds since the epoch, UTC."""
    since: int | UnsetType = UNSET
    """From when."""
    rows: int | UnsetType = UNSET
    fields: tuple[DataField, ...] | UnsetType = UNSET


class FailureMode(_Fact, frozen=True, kw_only=True):
    """A way in which it may fail, and the test that would show it."""

    name: str
    effect: str | UnsetType = UNSET
    mitigation: str | UnsetType = UNSET
    test: str | UnsetType = UNSET
    """The test's id, as its runner names it."""
    result: Ending | UnsetType = UNSET
    tested_at: int | UnsetType = UNSET


class Measured(_Fact, frozen=True, kw_only=True):
    """A figure of the version measured offline, on a part of the data."""

    metric: str
    value: float
    slice: str = "all"
    rows: int | UnsetType = UNSET
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    """The ends of its interval."""
    dataset: str | UnsetType = UNSET
    of: Digest | UnsetType = UNSET
    """The bytes that were measured."""
    against: Digest | UnsetType = UNSET
    """Those that they were compared with."""
    measured_at: int | UnsetType = UNSET
    report: Digest | UnsetType = UNSET
    """The report that it stands in."""
    verdict: Verdict | UnsetType = UNSET
    """What the report found of its own target for it."""


class FairnessGap(_Fact, frozen=True, kw_only=True):
    """How far a metric of one group lies from that of another: group minus reference."""

    metric: str
    attribute: str
    group: str
    reference: str
    gap: float
    low: float | UnsetType = UNSET
    high: float | UnsetType = UNSET
    rows: int | UnsetType = UNSET
    """Of the group."""


class Signature(_Fact, frozen=True, kw_only=True):
    """What checking the signature of its files showed."""

    state: SignatureState
    digest: Digest | UnsetType = UNSET
    """The root digest that was signed."""
    signer: str | UnsetType = UNSET
    """The certificate's subject, or the key's SHA-256."""
    checked_at: int | UnsetType = UNSET


class Dependency(_Fact, frozen=True, kw_only=True):
    """A package that it was made or is served with."""

    name: str
    version: str
    licence: str | UnsetType = UNSET
    digest: Digest | UnsetType = UNSET


class Pipeline(_Fact, frozen=True, kw_only=True):
    """What computes its features."""

    name: str
    owner: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    revision: str | UnsetType = UNSET


class Validation(_Fact, frozen=True, kw_only=True):
    """A check that somebody else ran, and how it ended."""

    name: str
    outcome: Ending
    by: Actor | UnsetType = UNSET
    validated_at: int | UnsetType = UNSET
    findings: str | UnsetType = UNSET


class Facts(_Fact, frozen=True, kw_only=True):
    """All that is known about how one version was made."""

    format: int = FORMAT
    model: ModelName
    version: VersionName
    digest: Digest | UnsetType = UNSET
    """The version's content, when whoever states the facts names it; it must be the registered one."""
    makers: Makers | UnsetType = UNSET
    code: Code | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    configuration: dict[str, Value] | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    task: str | UnsetType = UNSET
    """`tabular-classification`, ...: a task as Hugging Face names it."""
    architecture: str | UnsetType = UNSET
    base: str | UnsetType = UNSET
    """The version or model that it was trained on from."""
    contract: str | UnsetType = UNSET
    """The short digest of the data contract that it was made for."""
    datasets: tuple[Dataset, ...] | UnsetType = UNSET
    pipelines: tuple[Pipeline, ...] | UnsetType = UNSET
    dependencies: tuple[Dependency, ...] | UnsetType = UNSET
    licences: tuple[str, ...] | UnsetType = UNSET
    """Under which the version itself may be used: SPDX expressions."""
    intended_use: str | UnsetType = UNSET
    out_of_scope: tuple[str, ...] | UnsetType = UNSET
    limitations: tuple[str, ...] | UnsetType = UNSET
    evaluations: tuple[Measured, ...] | UnsetType = UNSET
    fairness: tuple[FairnessGap, ...] | UnsetType = UNSET
    failure_modes: tuple[FailureMode, ...] | UnsetType = UNSET
    validations: tuple[Validation, ...] | UnsetType = UNSET
    signature: Signature | UnsetType = UNSET

    @property
    def short(self) -> str:
        """Return twelve digits that name exactly these facts."""
        return hashlib.sha256(canonical.encode(msgspec.to_builtins(self))).hexdigest()[:12]

    @property
    def makers_known(self) -> bool:
        """Tell whether every kind of maker is named; only then can nobody who made it be overlooked."""
        if isinstance(self.makers, UnsetType):
            return False
        return all(getattr(self.makers, name) is not UNSET for name in Makers.__struct_fields__)


TOPICS: Final = tuple(name for name in Facts.__struct_fields__ if name not in {"format", "model", "version", "digest"})
"""What facts may say something about, in the order in which people read it."""


def unknown(facts: Facts) -> tuple[str, ...]:
    """Return the topics about which nothing is said."""
    return tuple(topic for topic in TOPICS if getattr(facts, topic) is UNSET)


_REVISION: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_TAG: Final = re.compile(r"[a-z0-9]([a-z0-9_.:/-]{0,62}[a-z0-9])?")
_SHORT: Final = re.compile(r"[0-9a-f]{12}")
_ONCE: Final = {
    "datasets": ("name", "use"),
    "dependencies": ("name",),
    "pipelines": ("name",),
    "failure_modes": ("name",),
}


def check_facts(facts: Facts) -> None:
    """Refuse what cannot be. Raises FactsInvalid with `where` naming the part: `datasets.0.fields.2.tags`."""
    if facts.format != FORMAT:
        raise FactsInvalid(f"this reads facts of format {FORMAT}", where="facts")
    for path, sentence in _wrong(facts):
        raise FactsInvalid(sentence, where=".".join(map(str, path)))


_Path = tuple[str | int, ...]


def _wrong(facts: Facts) -> Iterator[tuple[_Path, str]]:
    for topic in ("digest", *TOPICS):
        yield from _value((topic,), getattr(facts, topic))
    for topic, keys in _ONCE.items():
        yield from _twice(topic, keys, getattr(facts, topic))


def _value(path: _Path, value: Any) -> Iterator[tuple[_Path, str]]:  # noqa: ANN401 - any field's
    match value:
        case msgspec.Struct():
            yield from _struct(path, value)
        case tuple():
            if len(value) > MOST:
                yield path, f"a list has at most {MOST:,} entries"
            for number, each in enumerate(value):
                yield from _value((*path, number), each)
        case dict():
            if len(value) > MOST:
                yield path, f"at most {MOST:,} settings"
            for key, each in value.items():
                yield from _text((*path, key), key)
                yield from _value((*path, key), each)
        case str():
            yield from _text(path, value)
        case bool():
            return
        case int() if abs(value) > canonical.LARGEST_INTEGER:
            yield path, "an integer has at most 15 digits, or it is quoted as text"
        case float() if not math.isfinite(value):
            yield path, "a number is finite"


def _text(path: _Path, text: str) -> Iterator[tuple[_Path, str]]:
    name = path[-1] if isinstance(path[-1], str) else path[-2]
    if not 0 < len(text) <= LONGEST or not text.strip():
        yield path, f"a text has 1 to {LONGEST:,} characters"
    elif not all(c.isprintable() or c == "\n" for c in text):
        yield path, "a text has characters that can be printed"
    elif path[0] == "configuration":
        return
    elif name in {"digest", "lock", "of", "against", "report"} and not _is_digest(text):
        yield path, "a digest is sha256: and 64 hexadecimal digits"
    elif name == "revision" and not _REVISION.fullmatch(text):
        yield path, "a revision is a whole commit: 40 or 64 hexadecimal digits"
    elif name in {"tags", "access"} and not _TAG.fullmatch(text):
        yield path, "a tag is lower-case letters, digits and -_.:/ between them"
    elif path == ("contract",) and not _SHORT.fullmatch(text):
        yield path, "a contract is named by its 12 digits, as `glideslope contract show` says them"


def _struct(path: _Path, value: msgspec.Struct) -> Iterator[tuple[_Path, str]]:
    for name in value.__struct_fields__:
        yield from _value((*path, name), getattr(value, name))
        if name in {"rows", "traced"} or name == "since" or name.endswith("_at"):
            yield from _natural((*path, name), getattr(value, name))
    match value:
        case Upstream(hops=hops) if not 1 <= hops <= FURTHEST:
            yield (*path, "hops"), f"hops are 1 to {FURTHEST}"
        case DataField(upstream=tuple(), traced=UnsetType()):
            yield (*path, "upstream"), "an upstream says how far it was followed: `traced`"
        case DataField(upstream=tuple(upstream), traced=int(traced)) if any(o.hops > traced for o in upstream):
            yield (*path, "upstream"), "an origin lies further upstream than it was followed"
        case FailureMode(test=UnsetType(), result=result, tested_at=when) if not (result is UNSET and when is UNSET):
            yield (*path, "test"), "a result names the test that gave it"
        case Dataset(since=int(since), fresh_at=int(fresh)) if since > fresh:
            yield (*path, "since"), "a window begins before it ends"
        case Measured(value=value_, low=low, high=high) | FairnessGap(gap=value_, low=low, high=high):
            if not _within(low, value_, high):
                yield (*path, "low"), "an interval holds the figure"
        case _:
            return


def _within(low: float | UnsetType, value: float, high: float | UnsetType) -> bool:
    return (isinstance(low, UnsetType) or low <= value) and (isinstance(high, UnsetType) or value <= high)


def _natural(path: _Path, value: int | UnsetType) -> Iterator[tuple[_Path, str]]:
    if not isinstance(value, UnsetType) and not 0 <= value <= LAST:
        yield path, "this is no number of rows or hops, and no time since 1970"


def _twice(topic: str, keys: tuple[str, ...], listed: Iterable[Any] | UnsetType) -> Iterator[tuple[_Path, str]]:
    seen = set()
    for number, each in enumerate(() if isinstance(listed, UnsetType) else listed):
        named = tuple(getattr(each, key) for key in keys)
        if named in seen:
            yield (topic, number), f"{' '.join(map(str, named))} is listed twice"
        seen.add(named)


def _is_digest(text: str) -> bool:
    try:
        digest(text)
    except NameInvalid:
        return False
    return True
