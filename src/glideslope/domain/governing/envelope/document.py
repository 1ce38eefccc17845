"""An envelope as it is agreed on: what may change about a model without asking everybody again, and who need not be asked then.

What it does not let change must stay as it is in the version that serves. Shares are basis points, spans milliseconds, instants
milliseconds since the epoch, UTC.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.errors import AgreementInvalid
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.facts import LAST, Value
from glideslope.domain.ids import ModelName
from glideslope.domain.plan import Margin, Milliseconds, StageKind
from glideslope.domain.traffic import FULL

DAY: Final = 86_400_000
LONGEST: Final = 731 * DAY
"""For so long at most people agree on what they will not see."""

Topic = Literal[
    "code", "environment", "dependencies", "task", "base", "contract", "licences", "intended_use", "out_of_scope"
]
"""What else facts say of how a version was made."""


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of an envelope; strict."""


class Features(_Part, frozen=True, kw_only=True):
    """Which fields it may be trained on besides, or no longer, and which pipelines that compute them may be others."""

    add: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    pipelines: tuple[str, ...] = ()


class Bound(_Part, frozen=True, kw_only=True):
    """Between which ends a setting lies, both included, or which values it may have."""

    least: float | UnsetType = UNSET
    most: float | UnsetType = UNSET
    among: tuple[Value, ...] | UnsetType = UNSET


class Architecture(_Part, frozen=True, kw_only=True):
    """Which architectures it may have besides that of the incumbent, and which settings may be others."""

    among: tuple[str, ...] = ()
    settings: dict[str, Bound] = {}


class Window(_Part, frozen=True, kw_only=True):
    """What it is trained on, and of when. Spans in milliseconds."""

    newest: Milliseconds
    """How old the newest of it is at most when the change is proposed."""
    longest: Milliseconds
    """From the oldest of it to the newest, at most."""
    shortest: Milliseconds = 0
    datasets: tuple[str, ...] = ()
    """By name, besides those that the incumbent was trained on."""


class Band(_Part, frozen=True, kw_only=True):
    """Between which ends an offline figure of the candidate lies, both included, and how far from the incumbent's."""

    metric: str
    slice: str = "all"
    least: float | UnsetType = UNSET
    most: float | UnsetType = UNSET
    within: float | UnsetType = UNSET
    """How far from the incumbent's at most, to either side: what is suddenly much better has often seen the answers."""
    rows: int = 1
    """Of how many rows at least."""


class Ladder(_Part, frozen=True, kw_only=True):
    """How fast and how far it may be exposed before everybody meets it."""

    first: int
    """The most that the first canary step exposes."""
    most: int
    """The most that any canary step exposes."""
    step: Milliseconds
    """How long each canary step takes at least."""
    growth: float | UnsetType = UNSET
    """By how much each step may be wider than the one before it, the step to everybody included."""
    stages: tuple[StageKind, ...] = ()
    """Stages that it must go through."""


class Proven(_Part, frozen=True, kw_only=True):
    """What the plan must prove: nobody looks at it again."""

    guardrails: dict[str, Margin]
    """Metrics whose proof it needs, each with the widest margin."""
    alpha_pass: float
    """The largest chance of a proof for a candidate at or beyond a margin."""
    maturity: float = 0.0
    """The least share of outcomes that it must wait for."""
    slices: tuple[str, ...] = ()
    """Fields by whose values it must look at the data separately."""


class Envelope(_Part, frozen=True, kw_only=True):
    """What the functions agreed on once, so that each candidate inside it need not be brought to them again."""

    name: str
    says: str = ""
    models: tuple[ModelName, ...] = ()
    tiers: tuple[str, ...] = ()
    """Instead of models: every model of these tiers."""
    until: int
    """The end: from then on it is none."""
    review_every: Milliseconds | UnsetType = UNSET
    """It is none, too, when nobody has stood by it for so long."""
    falls_away: tuple[Need, ...]
    """Whose approval counts as given with the envelope, for each candidate inside. These must agree to it themselves."""
    remains: tuple[Need, ...] = ()
    """Who must approve each candidate all the same."""
    features: Features
    architecture: Architecture
    data: Window
    metrics: tuple[Band, ...]
    exposure: Ladder
    proof: Proven
    free: tuple[Topic, ...] = ()
    """Of what else is known of how a version was made, what need not stay as it was."""

    def speaks_for(self, model: ModelName, tier: str) -> bool:
        """Tell whether it is about a model, named itself or by its tier."""
        return model in self.models or tier in self.tiers


_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_MOST: Final = 1_000
"""Entries of a list."""
_LONGEST_TEXT: Final = 500


def check_envelope(envelope: Envelope) -> None:
    """Refuse what says nothing or cannot be. Raises AgreementInvalid with the path of what is wrong."""
    for where, sentence in _wrong(envelope):
        raise AgreementInvalid(sentence, where=where)


_Wrong = Iterator[tuple[str, str]]


def _wrong(envelope: Envelope) -> _Wrong:
    if not _NAME.fullmatch(envelope.name):
        yield "name", "a name is lower-case letters, digits and dashes"
    if bool(envelope.models) == bool(envelope.tiers):
        yield "models", "say for which `models`, or for which `tiers`; not both"
    if len(envelope.says) > _LONGEST_TEXT or not envelope.says.isprintable():
        yield "says", f"what it says is one line of at most {_LONGEST_TEXT} characters"
    if not 0 <= envelope.until <= LAST:
        yield "until", "this is no time since 1970"
    if isinstance(envelope.review_every, int) and envelope.review_every < DAY:
        yield "review_every", "it is reviewed every day at most"
    yield from _wrong_names(envelope)
    yield from _wrong_needs(envelope)
    yield from _wrong_settings(envelope.architecture)
    yield from _wrong_window(envelope.data)
    yield from _wrong_bands(envelope.metrics)
    yield from _wrong_ladder(envelope.exposure)
    yield from _wrong_proof(envelope.proof)


def _wrong_names(envelope: Envelope) -> _Wrong:
    listed: tuple[tuple[str, Iterable[str]], ...] = (
        ("models", envelope.models),
        ("tiers", envelope.tiers),
        ("features.add", envelope.features.add),
        ("features.drop", envelope.features.drop),
        ("features.pipelines", envelope.features.pipelines),
        ("architecture.among", envelope.architecture.among),
        ("architecture.settings", envelope.architecture.settings),
        ("data.datasets", envelope.data.datasets),
        ("exposure.stages", envelope.exposure.stages),
        ("proof.guardrails", envelope.proof.guardrails),
        ("proof.slices", envelope.proof.slices),
        ("free", envelope.free),
    )
    for where, names in listed:
        seen: set[str] = set()
        for number, name in enumerate(names):
            if not name.strip() or len(name) > _LONGEST_TEXT or not name.isprintable():
                yield f"{where}.{number}", "a name is missing, too long, or cannot be printed"
            if name in seen:
                yield f"{where}.{number}", f"{name!r} is there twice"
            seen.add(name)
        if len(seen) > _MOST:
            yield where, f"a list has at most {_MOST:,} entries"


def _wrong_needs(envelope: Envelope) -> _Wrong:
    if not envelope.falls_away:
        yield "falls_away", "nobody's approval would fall away, so it would change nothing"
    seen: set[str] = set()
    for where, needs in (("falls_away", envelope.falls_away), ("remains", envelope.remains)):
        for number, need in enumerate(needs):
            if need.count < 1:
                yield f"{where}.{number}", "a need is of one approval at least"
            if not need.function.strip() or not need.function.isprintable():
                yield f"{where}.{number}", "a function is missing"
            if need.function in seen:
                yield f"{where}.{number}", f"{need.function!r} is there twice: its approval falls away, or it remains"
            seen.add(need.function)


def _wrong_settings(architecture: Architecture) -> _Wrong:
    for name, bound in architecture.settings.items():
        where = f"architecture.settings.{name}"
        ends = _wrong_ends(where, bound.least, bound.most)
        if isinstance(bound.among, tuple):
            if not (isinstance(bound.least, UnsetType) and isinstance(bound.most, UnsetType)):
                yield where, "say `least` and `most`, or `among`; not both"
            if not bound.among or len(bound.among) > _MOST:
                yield f"{where}.among", f"it has 1 to {_MOST:,} values"
            if any(isinstance(each, float) and not math.isfinite(each) for each in bound.among):
                yield f"{where}.among", "a number is finite"
        elif isinstance(bound.least, UnsetType) and isinstance(bound.most, UnsetType):
            yield where, "it would allow anything: say `least`, `most` or `among`"
        yield from ends


def _wrong_ends(where: str, least: float | UnsetType, most: float | UnsetType) -> _Wrong:
    for key, end in (("least", least), ("most", most)):
        if not isinstance(end, UnsetType) and not math.isfinite(end):
            yield f"{where}.{key}", "a number is finite"
    if not isinstance(least, UnsetType) and not isinstance(most, UnsetType) and least > most:
        yield f"{where}.most", "nothing could lie between these"


def _wrong_window(data: Window) -> _Wrong:
    if data.newest <= 0:
        yield "data.newest", "no data would be new enough"
    if not 0 <= data.shortest <= data.longest or data.longest <= 0:
        yield "data.longest", "no window could lie between these"


def _wrong_bands(bands: tuple[Band, ...]) -> _Wrong:
    if not 1 <= len(bands) <= _MOST:
        yield "metrics", f"say between which ends 1 to {_MOST:,} metrics must lie"
    seen: set[tuple[str, str]] = set()
    for number, band in enumerate(bands):
        where = f"metrics.{number}"
        for key, name in (("metric", band.metric), ("slice", band.slice)):
            if not name.strip() or len(name) > _LONGEST_TEXT or not name.isprintable():
                yield f"{where}.{key}", "a name is missing, too long, or cannot be printed"
        if (band.metric, band.slice) in seen:
            yield where, f"{band.metric} on {band.slice} is there twice"
        seen.add((band.metric, band.slice))
        yield from _wrong_ends(where, band.least, band.most)
        if not isinstance(band.within, UnsetType) and not (math.isfinite(band.within) and band.within >= 0):
            yield f"{where}.within", "a distance is a finite number from 0 up"
        if all(isinstance(each, UnsetType) for each in (band.least, band.most, band.within)):
            yield where, "it would allow anything: say `least`, `most` or `within`"
        if not 1 <= band.rows <= LAST:
            yield f"{where}.rows", "a number of rows is 1 at least"


def _wrong_ladder(exposure: Ladder) -> _Wrong:
    if not 1 <= exposure.first <= exposure.most < FULL:
        yield "exposure.first", "shares go from 0.01% up: the first is at most `most`, and that is less than everybody"
    if exposure.step < 0:
        yield "exposure.step", "a step takes no less than no time"
    growth = exposure.growth
    if not isinstance(growth, UnsetType) and not (math.isfinite(growth) and 1.0 < growth <= FULL):
        yield "exposure.growth", "each step is more than 1 and at most 10,000 times the one before it"


def _wrong_proof(proof: Proven) -> _Wrong:
    if not proof.guardrails:
        yield "proof.guardrails", "nothing would be proven: say which guardrails, with the widest margin of each"
    for name, margin in proof.guardrails.items():
        if not (math.isfinite(margin.size) and margin.size >= 0):
            yield f"proof.guardrails.{name}", "a margin is a finite number from 0 up"
    if not 0 < proof.alpha_pass < 1:
        yield "proof.alpha_pass", "a chance of error lies between 0 and 1"
    if not 0 <= proof.maturity <= 1:
        yield "proof.maturity", "a share of outcomes lies between 0 and 1"
