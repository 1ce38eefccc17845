"""Rules about the data that it was made from: what is in it, whose it is, where it lies, how old it is, and what may be done with it."""

import re
from collections.abc import Iterator
from typing import Annotated, Final, Literal

import msgspec

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.facts import DataField, Dataset, Use
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.forms import of_form
from glideslope.domain.governing.policy.rule import (
    FACTS,
    ByTier,
    Duration,
    Rule,
    Words,
    known,
    listed,
    of_tier,
    per_tier,
    spoken,
    too_old,
)

Hops = Annotated[int, msgspec.Meta(ge=0, le=16)]
Tag = Annotated[
    str,
    of_form(r"[a-z0-9]([a-z0-9_.:/-]{0,62}[a-z0-9])?", "a tag of lower-case letters, digits and -_.:/ between them"),
]
Tags = Annotated[tuple[Tag, ...], msgspec.Meta(min_length=1)]
DATASETS: Final = Missing("the datasets that the candidate was made from")


def _datasets(dossier: Dossier, *uses: Use) -> tuple[Dataset, ...]:
    facts = known(dossier.candidate)
    found = (None if facts is None else known(facts.datasets)) or ()
    return tuple(dataset for dataset in found if not uses or dataset.use in uses)


class NoTrainingFieldTagged(Rule, frozen=True, kw_only=True, tag="no_training_field_tagged"):
    """No field that it was trained on, and none from which one was derived, carries a forbidden tag."""

    tags: Tags
    look_upstream: Hops = 0
    """So many hops; each field must have been followed at least so far."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        datasets = _datasets(dossier, Use.TRAINING)
        if not datasets:
            yield DATASETS
        for dataset in datasets:
            fields = known(dataset.fields)
            if not fields:
                yield Missing(f"the fields of {dataset.name}")
                continue
            sights = [sight for field in fields for sight in self._field(dataset, field)]
            yield from sights or [Shown(f"{len(fields)} fields of {dataset.name}")]

    def _field(self, dataset: Dataset, field: DataField) -> Iterator[Sight]:
        name, tags = f"{dataset.name}.{field.name}", known(field.tags)
        if tags is None:
            yield Missing(f"the tags of {name}")
        else:
            yield from (Wrong(f"{name} is tagged {tag}") for tag in tags if tag in self.tags)
        if not self.look_upstream:
            return
        upstream, traced = known(field.upstream), known(field.traced)
        if upstream is None or traced is None or traced < self.look_upstream:
            yield Missing(f"where {name} comes from, {self.look_upstream} hops upstream")
        for origin in upstream or ():
            source = f"{origin.dataset}.{origin.field}, {origin.hops} upstream of {name},"
            if origin.hops > self.look_upstream:
                continue
            if known(origin.tags) is None:
                yield Missing(f"the tags of {source.removesuffix(',')}")
            else:
                yield from (Wrong(f"{source} is tagged {tag}") for tag in known(origin.tags) or () if tag in self.tags)

    def asks(self) -> str:
        far = f", nor anything up to {self.look_upstream} hops upstream of it," if self.look_upstream else ""
        return f"No field that it was trained on{far} is tagged {listed(self.tags, last='or')}."

    def mend(self) -> str:
        return "Train without the field, or correct its tags where the data is described."


class LicencesAllowed(Rule, frozen=True, kw_only=True, tag="licences_allowed"):
    """The version, its datasets and its dependencies may be used under licences from a list."""

    allowed: Words
    """SPDX identifiers. Of `A OR B` one must be allowed, of `A AND B` both."""
    of: Annotated[tuple[Literal["version", "datasets", "dependencies"], ...], msgspec.Meta(min_length=1)] = (
        "version",
        "datasets",
        "dependencies",
    )

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        if facts is None:
            yield FACTS
            return
        if "version" in self.of:
            own = known(facts.licences)
            yield from self._each("the version", own or (None,))
        if "datasets" in self.of:
            if not known(facts.datasets):
                yield DATASETS
            for dataset in known(facts.datasets) or ():
                yield from self._each(f"the dataset {dataset.name}", (known(dataset.licence),))
        if "dependencies" in self.of:
            if not known(facts.dependencies):
                yield Missing("the dependencies of the candidate")
            for dependency in known(facts.dependencies) or ():
                yield from self._each(f"{dependency.name} {dependency.version}", (known(dependency.licence),))

    def _each(self, name: str, licences: tuple[str | None, ...]) -> Iterator[Sight]:
        for licence in licences:
            if licence is None:
                yield Missing(f"the licence of {name}")
            elif allows(licence, frozenset(self.allowed)):
                yield Shown(f"{name}: {licence}")
            else:
                yield Wrong(f"{name} is under {licence}")

    def asks(self) -> str:
        return f"The licences of its {listed(self.of)} are among {listed(self.allowed)}."

    def mend(self) -> str:
        return "Replace what is under another licence, or let the list be changed by those who answer for it."


_WORDS: Final = re.compile(r"\(|\)|[^\s()]+")


def allows(expression: str, allowed: frozenset[str]) -> bool:
    """Tell whether an SPDX expression (2.3, annex D: OR, AND, WITH, brackets) is met by allowed licences; no expression is not."""
    words = _WORDS.findall(expression)

    def either(at: int) -> tuple[bool, int]:
        met, at = both(at)
        while at < len(words) and words[at].upper() == "OR":
            other, at = both(at + 1)
            met = met or other
        return met, at

    def both(at: int) -> tuple[bool, int]:
        met, at = one(at)
        while at < len(words) and words[at].upper() == "AND":
            other, at = one(at + 1)
            met = met and other
        return met, at

    def one(at: int) -> tuple[bool, int]:
        if at >= len(words) or words[at] == ")":
            raise ValueError(expression)
        if words[at] == "(":
            met, at = either(at + 1)
            if at >= len(words) or words[at] != ")":
                raise ValueError(expression)
            return met, at + 1
        if at + 2 < len(words) and words[at + 1].upper() == "WITH":
            return " ".join((words[at], "WITH", words[at + 2])) in allowed, at + 3
        return words[at] in allowed, at + 1

    try:
        met, end = either(0)
    except (ValueError, RecursionError):
        return False
    return met and end == len(words)


class DataResidesIn(Rule, frozen=True, kw_only=True, tag="data_resides_in"):
    """Every dataset lies where it may lie."""

    regions: Words
    """Codes of countries or regions, as the facts use them."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        datasets = _datasets(dossier)
        if not datasets:
            yield DATASETS
        for dataset in datasets:
            places = known(dataset.residency)
            if not places:
                yield Missing(f"where {dataset.name} lies")
                continue
            beyond = [place for place in places if place not in self.regions]
            yield from (Wrong(f"{dataset.name} lies in {place}") for place in beyond)
            if not beyond:
                yield Shown(f"{dataset.name} lies in {listed(places)}")

    def asks(self) -> str:
        return f"All data that it was made from or measured with lies in {listed(self.regions, last='or')}."

    def mend(self) -> str:
        return "Use data that lies where it may, or move it and record where it lies now."


class DataAccessGranted(Rule, frozen=True, kw_only=True, tag="data_access_granted"):
    """Every dataset carries the access tags that this use needs, and none that forbids it."""

    needs: Tags | msgspec.UnsetType = msgspec.UNSET
    """All of these must be there."""
    forbids: Tags | msgspec.UnsetType = msgspec.UNSET
    """None of these may be there."""

    def __post_init__(self) -> None:
        """Refuse a rule that asks for nothing."""
        if known(self.needs) is None and known(self.forbids) is None:
            raise ValueError("`needs` or `forbids` is expected")

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        datasets = _datasets(dossier)
        if not datasets:
            yield DATASETS
        for dataset in datasets:
            tags = known(dataset.access)
            if tags is None:
                yield Missing(f"the access tags of {dataset.name}")
                continue
            lacking = [tag for tag in known(self.needs) or () if tag not in tags]
            against = [tag for tag in known(self.forbids) or () if tag in tags]
            yield from (Wrong(f"{dataset.name} is not tagged {tag}") for tag in lacking)
            yield from (Wrong(f"{dataset.name} is tagged {tag}") for tag in against)
            if not lacking and not against:
                yield Shown(f"{dataset.name} may be used")

    def asks(self) -> str:
        needs, forbids = known(self.needs), known(self.forbids)
        asked = [f"is tagged {listed(needs)}"] if needs else []
        asked += [f"is not tagged {listed(forbids, last='or')}"] if forbids else []
        return f"Every dataset {listed(tuple(asked))}."

    def mend(self) -> str:
        return "Ask the owner of the data for this use of it, and record what was granted."


class DataFreshWithin(Rule, frozen=True, kw_only=True, tag="data_fresh_within"):
    """The data describes a world that is not too long ago."""

    within: ByTier[Duration]
    uses: Annotated[tuple[Use, ...], msgspec.Meta(min_length=1)] = (Use.TRAINING,)

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        within = of_tier(self.within, dossier)
        if within is None:
            yield Missing("what the policy asks of this tier")
            return
        datasets = _datasets(dossier, *self.uses)
        if not datasets:
            yield DATASETS
        for dataset in datasets:
            fresh = known(dataset.fresh_at)
            if fresh is None:
                yield Missing(f"up to when {dataset.name} describes the world")
            else:
                yield too_old(dataset.name, fresh, within, dossier)

    def asks(self) -> str:
        uses = listed(tuple(use.value for use in self.uses))
        return f"The data for {uses} describes the world up to at most {per_tier(self.within, spoken)} ago."

    def mend(self) -> str:
        return "Train and measure on newer data."
