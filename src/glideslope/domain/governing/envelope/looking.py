"""What each clause of an envelope sees: what lies inside, what does not, with both values, and what was not shown."""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import UnsetType

from glideslope.domain.governing.dossier import Dossier, Figure, Guard, Result
from glideslope.domain.governing.envelope.document import (
    DAY,
    Architecture,
    Band,
    Bound,
    Envelope,
    Features,
    Ladder,
    Proven,
    Window,
)
from glideslope.domain.governing.facts import Code, Dataset, Dependency, Environment, Facts, Pipeline, Use, Value
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import evaluations_of, known, listed, percent
from glideslope.domain.plan import Margin, MarginKind
from glideslope.domain.traffic import FULL

LONGEST: Final = 120
"""Characters of a value in a sentence."""
TRAINED_ON: Final = (Use.TRAINING, Use.VALIDATION)
"""Uses by which data shapes a version: what chose among candidates did so too."""
_UNITS: Final = ((DAY, "day"), (3_600_000, "hour"), (60_000, "minute"), (1_000, "second"))


def said(value: object) -> str:
    """Write a value as part of one line, however it was stated."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def day(instant: int) -> str:
    """Write an instant as a day, UTC."""
    return datetime.fromtimestamp(instant / 1000, UTC).date().isoformat()


def span(milliseconds: int) -> str:
    """Write a span in its largest unit."""
    for size, unit in _UNITS:
        if milliseconds >= size:
            number = milliseconds / size
            return f"{number:.6g} {unit}{'' if number == 1 else 's'}"
    return f"{milliseconds} milliseconds" if milliseconds else "0 days"


def until(envelope: Envelope, dossier: Dossier) -> Iterator[Sight]:
    """See whether it has not ended."""
    inside = dossier.now < envelope.until
    yield (
        Shown(f"it holds until {day(envelope.until)}")
        if inside
        else Wrong(f"it ended {day(envelope.until)}, and now is {day(dossier.now)}")
    )


def review(envelope: Envelope, reviewed_at: int, dossier: Dossier) -> Iterator[Sight]:
    """See whether somebody stood by it lately."""
    every = known(envelope.review_every)
    if every is None:
        yield Shown("it asks for no review before its end")
    elif reviewed_at > dossier.now:
        yield Missing("when it was reviewed: that lies ahead")
    elif dossier.now - reviewed_at >= every:
        yield Wrong(f"it was reviewed {day(reviewed_at)}, and asks for it every {span(every)}")
    else:
        yield Shown(f"it was reviewed {day(reviewed_at)}")


def alone(others: tuple[str, ...]) -> Iterator[Sight]:
    """See whether it alone speaks for the model: of two it cannot be told which was meant."""
    yield (
        Wrong(f"{listed(others)} {'speaks' if len(others) == 1 else 'speak'} for the model too")
        if others
        else Shown("no other envelope speaks for the model")
    )


def made(dossier: Dossier) -> tuple[tuple[Facts, Facts] | None, tuple[Missing, ...]]:
    """Return the facts of both versions, or what is lacking of them."""
    ours, theirs = known(dossier.candidate), known(dossier.incumbent)
    change = dossier.change
    lacking = [
        Missing(f"facts of how the {what} {version} was made")
        for what, version, facts in (("candidate", change.candidate, ours), ("incumbent", change.incumbent, theirs))
        if facts is None
    ]
    return (None if ours is None or theirs is None else (ours, theirs)), tuple(lacking)


def features(clause: Features, ours: Facts, theirs: Facts) -> Iterator[Sight]:
    """See whether it was trained on the same fields, but for those that may come or go, computed by the same pipelines."""
    fields, before = _fields(ours), _fields(theirs)
    if isinstance(fields, Missing) or isinstance(before, Missing):
        yield from (each for each in (fields, before) if isinstance(each, Missing))
    else:
        yield from _compared(clause, fields, before)
    yield from _pipelines(clause.pipelines, known(ours.pipelines), known(theirs.pipelines))


def _datasets(facts: Facts) -> tuple[Dataset, ...]:
    return tuple(dataset for dataset in known(facts.datasets) or () if dataset.use in TRAINED_ON)


def _fields(facts: Facts) -> Mapping[str, frozenset[str | None]] | Missing:
    """Return the types of each field that a version was trained on, or what is not known of them."""
    found: dict[str, frozenset[str | None]] = {}
    datasets = _datasets(facts)
    if not datasets:
        return Missing(f"the datasets that {facts.version} was trained on")
    for dataset in datasets:
        if not known(dataset.fields):
            return Missing(f"the fields of {said(dataset.name)}, on which {facts.version} was trained")
        for field in known(dataset.fields) or ():
            found[field.name] = found.get(field.name, frozenset()) | {known(field.type)}
    return found


_Fields = Mapping[str, frozenset[str | None]]


def _compared(clause: Features, fields: _Fields, before: _Fields) -> Iterator[Sight]:
    for name in sorted(fields.keys() - before.keys()):
        if name not in clause.add:
            yield Wrong(f"the field {said(name)} is new; {_may(clause.add, 'come')}")
    for name in sorted(before.keys() - fields.keys()):
        if name not in clause.drop:
            yield Wrong(f"the field {said(name)} is gone; {_may(clause.drop, 'go')}")
    for name in sorted(fields.keys() & before.keys()):
        was, now = before[name], fields[name]
        if None in was or None in now:
            yield Missing(f"the type of the field {said(name)} in both versions")
        elif was != now:
            yield Wrong(f"the field {said(name)} was {_types(was)} and is {_types(now)}")
    yield Shown(f"{len(fields)} fields")


def _types(types: frozenset[str | None]) -> str:
    return said(listed(tuple(sorted(str(each) for each in types))))


def _may(names: tuple[str, ...], what: str) -> str:
    return f"the envelope lets {said(listed(names))} {what}" if names else f"the envelope lets no field {what}"


def _pipelines(
    free: tuple[str, ...], ours: tuple[Pipeline, ...] | None, theirs: tuple[Pipeline, ...] | None
) -> Iterator[Sight]:
    if ours is None or theirs is None:
        yield Missing("the pipelines that compute the features of both versions")
        return
    now, was = ({each.name: each for each in pipelines} for pipelines in (ours, theirs))
    for name in sorted(now.keys() | was.keys()):
        if name in free:
            continue
        here, before = _edition(now.get(name)), _edition(was.get(name))
        if here is None or before is None:
            yield Missing(f"the version or revision of the pipeline {said(name)} in both versions")
        elif here != before:
            yield Wrong(f"the pipeline {said(name)} was {before} and is {here}")
    yield Shown(f"{len(now)} pipelines")


def _edition(pipeline: Pipeline | None) -> str | None:
    if pipeline is None:
        return "not there"
    stated = [said(each) for each in (known(pipeline.version), known(pipeline.revision)) if each]
    return " ".join(stated) or None


def architecture(clause: Architecture, ours: Facts, theirs: Facts) -> Iterator[Sight]:
    """See whether it is of the same kind as before, or of one that was agreed on."""
    now, was = known(ours.architecture), known(theirs.architecture)
    if now is None:
        yield Missing("the architecture of the candidate")
    elif now in clause.among or now == was:
        yield Shown(said(now))
    elif was is None:
        yield Missing("the architecture of the incumbent")
    else:
        allowed = listed(tuple(dict.fromkeys((was, *clause.among))), last="or")
        yield Wrong(f"it was {said(was)} and is {said(now)}; the envelope allows {said(allowed)}")


def settings(clause: Architecture, ours: Facts, theirs: Facts) -> Iterator[Sight]:
    """See whether its settings are as before, or within what was agreed on."""
    now, was = known(ours.configuration), known(theirs.configuration)
    if now is None or was is None:
        yield Missing("the settings of both versions")
        return
    for name in sorted(now.keys() | was.keys() | clause.settings.keys()):
        bound = clause.settings.get(name)
        if bound is not None:
            yield _bounded(name, now.get(name), bound)
        elif name not in now or name not in was or not _same(now[name], was[name]):
            before, here = (said(each.get(name, "not there")) for each in (was, now))
            yield Wrong(f"{said(name)} was {before} and is {here}; the envelope does not let it change")
    yield Shown(f"{len(now)} settings")


def _same(one: Value, other: Value) -> bool:
    # True equals 1 in Python, and is another setting.
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def _bounded(name: str, value: Value | None, bound: Bound) -> Sight:
    if value is None:
        return Missing(f"the setting {said(name)} of the candidate")
    among = known(bound.among)
    if among is not None:
        inside, allowed = any(_same(value, each) for each in among), listed(tuple(map(str, among)), last="or")
    else:
        inside, allowed = _between(value, bound.least, bound.most), _ends(bound.least, bound.most)
    if inside:
        return Shown(f"{said(name)} is {said(value)}")
    return Wrong(f"{said(name)} is {said(value)}; the envelope allows {said(allowed)}")


def _between(value: Value | float, least: float | UnsetType, most: float | UnsetType) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return (isinstance(least, UnsetType) or least <= value) and (isinstance(most, UnsetType) or value <= most)


def _ends(least: float | UnsetType, most: float | UnsetType) -> str:
    if isinstance(most, UnsetType):
        return f"{least:.6g} and above"
    return f"{most:.6g} and below" if isinstance(least, UnsetType) else f"{least:.6g} to {most:.6g}"


def data(clause: Window, ours: Facts, theirs: Facts, *, proposed_at: int) -> Iterator[Sight]:
    """See whether it was trained on the same datasets, over a window as agreed on; their age is that at the proposal."""
    datasets, before = _datasets(ours), {dataset.name for dataset in _datasets(theirs)}
    if not datasets:
        yield Missing("the datasets that the candidate was trained on")
    if not before:
        yield Missing("the datasets that the incumbent was trained on")
    for dataset in datasets:
        name = said(dataset.name)
        if before and dataset.name not in before and dataset.name not in clause.datasets:
            allowed = listed(tuple(sorted(before | set(clause.datasets))), last="or")
            yield Wrong(f"it was trained on {name}; the envelope allows {said(allowed)}")
        fresh, since = known(dataset.fresh_at), known(dataset.since)
        if fresh is None or since is None:
            yield Missing(f"from when and up to when {name} describes the world")
            continue
        yield _age(name, fresh, clause, proposed_at=proposed_at)
        if clause.shortest <= fresh - since <= clause.longest:
            yield Shown(f"{name} covers {span(fresh - since)}")
        else:
            allowed = f"{span(clause.shortest)} to {span(clause.longest)}"
            yield Wrong(f"{name} covers {span(fresh - since)}; the envelope allows {allowed}")


def _age(name: str, fresh: int, clause: Window, *, proposed_at: int) -> Sight:
    if fresh > proposed_at:
        return Missing(f"up to when {name} describes the world: that lies ahead")
    age = proposed_at - fresh
    if age <= clause.newest:
        return Shown(f"{name} ends {span(age)} before the proposal")
    return Wrong(f"{name} ends {span(age)} before the proposal; the envelope allows {span(clause.newest)}")


def metrics(bands: Iterable[Band], dossier: Dossier) -> Iterator[Sight]:
    """See whether every evaluation of the candidate's bytes against the incumbent's lies in its band."""
    measured = [each for each in evaluations_of(dossier) if each.against == dossier.change.incumbent_digest]
    for band in bands:
        name = f"{said(band.metric)} on {said(band.slice)}"
        found = [
            (evaluated.holdout, result)
            for evaluated in measured
            for result in evaluated.results
            if (result.metric, result.slice) == (band.metric, band.slice)
        ]
        if not found:
            yield Missing(f"{name}, measured on the candidate's bytes against the incumbent's")
        for holdout, result in found:
            yield from _in_band(f"{name} ({said(holdout)})", band, result)


def _in_band(name: str, band: Band, result: Result) -> Iterator[Sight]:
    if result.rows < band.rows:
        yield Wrong(f"{name} rests on {result.rows:,} rows; the envelope asks for {band.rows:,}")
    value = _finite(result.candidate)
    if value is None:
        yield Missing(f"{name} of the candidate, as a finite number")
        return
    if not (isinstance(band.least, UnsetType) and isinstance(band.most, UnsetType)):
        if _between(value, band.least, band.most):
            yield Shown(f"{name} is {value:.6g}")
        else:
            yield Wrong(f"{name} is {value:.6g}; the envelope allows {_ends(band.least, band.most)}")
    if not isinstance(band.within, UnsetType):
        before = _finite(result.incumbent)
        if before is None:
            yield Missing(f"{name} of the incumbent, as a finite number")
        # As people write them: 0.30 lies 0.02 from 0.28, which their binary forms do not.
        elif abs(Decimal(repr(value)) - Decimal(repr(before))) <= Decimal(repr(band.within)):
            yield Shown(f"{name} is {value:.6g} against {before:.6g}")
        else:
            yield Wrong(
                f"{name} is {value:.6g} against {before:.6g}; the envelope allows {band.within:.6g} between them"
            )


def _finite(value: float | UnsetType) -> float | None:
    return None if isinstance(value, UnsetType) or not math.isfinite(value) else float(value)


def exposure(clause: Ladder, dossier: Dossier) -> Iterator[Sight]:
    """See whether the plan exposes it no faster and no further than agreed on, before everybody meets it."""
    plan = known(dossier.plan)
    if plan is None:
        yield Missing("the plan")
        return
    yield from (
        Wrong(f"the plan has no stage {stage.value}; the envelope asks for it")
        for stage in clause.stages
        if stage not in plan.stages
    )
    steps = plan.canary
    if not steps:
        yield Wrong(f"everybody meets it at once; the envelope allows {percent(clause.first)} first")
        return
    if steps[0].share > clause.first:
        yield Wrong(f"the first step exposes {percent(steps[0].share)}; the envelope allows {percent(clause.first)}")
    yield from _climbed(clause, steps)
    yield Shown(f"steps of {listed(tuple(percent(step.share) for step in steps))}")


def _climbed(clause: Ladder, steps: tuple[Figure, ...]) -> Iterator[Sight]:
    for step in steps:
        if step.share > clause.most:
            yield Wrong(f"a step exposes {percent(step.share)}; the envelope allows {percent(clause.most)}")
        if step.minimum < clause.step:
            takes = f"the step of {percent(step.share)} takes {span(step.minimum)}"
            yield Wrong(f"{takes}; the envelope asks for {span(clause.step)}")
    growth = known(clause.growth)
    if growth is None:
        return
    shares = [*(step.share for step in steps), FULL]
    for before, after in itertools.pairwise(shares):
        if after > before * growth:
            grows = f"it goes from {percent(before)} to {percent(after)}"
            yield Wrong(f"{grows}; the envelope allows {growth:.6g} times")


def proof(clause: Proven, dossier: Dossier) -> Iterator[Sight]:
    """See whether the plan proves what was agreed on: whoever wrote it chose its guardrails and margins."""
    plan = known(dossier.plan)
    found = None if plan is None else known(plan.proof)
    if plan is None or found is None:
        yield Missing("what the plan proves")
        return
    guards = {guard.metric: guard for guard in found.guards}
    for name, most in clause.guardrails.items():
        yield _guarded(said(name), guards.get(name), most)
    if plan.alpha_pass > clause.alpha_pass:
        yield Wrong(f"alpha_pass is {plan.alpha_pass:.6g}; the envelope allows {clause.alpha_pass:.6g}")
    if found.maturity < clause.maturity:
        yield Wrong(f"it waits for {found.maturity:.6g} of the outcomes; the envelope asks for {clause.maturity:.6g}")
    yield from (
        Wrong(f"it does not look at {said(field)} separately; the envelope asks for it")
        for field in clause.slices
        if field not in found.slices
    )


def _guarded(name: str, guard: Guard | None, most: Margin) -> Sight:
    allowed = f"the envelope allows {margin(most.kind, most.size)}"
    if guard is None:
        return Wrong(f"the plan has no guardrail {name}; {allowed}")
    if not guard.required:
        return Wrong(f"{name} is only watched; {allowed}")
    told = f"the margin of {name} is {margin(guard.kind, guard.margin)}"
    inside = guard.kind is most.kind and math.isfinite(guard.margin) and guard.margin <= most.size
    return Shown(told) if inside else Wrong(f"{told}; {allowed}")


def margin(kind: MarginKind, size: float) -> str:
    """Write a margin."""
    return f"{size * 100:.6g}%" if kind is MarginKind.RELATIVE else f"{size:.6g}"


def use(dossier: Dossier) -> Iterator[Sight]:
    """See whether it is for what its incumbent is for."""
    changed = known(dossier.change.intended_use_changed)
    if changed is None:
        yield Missing("whether the intended use changes: `proposal.intended_use_changed`")
    else:
        yield Wrong("its intended use changes") if changed else Shown("its intended use does not change")


def rest(free: tuple[str, ...], ours: Facts, theirs: Facts) -> Iterator[Sight]:
    """See whether all else that facts say of how it was made is as before, but for what may be otherwise."""
    for topic in TOPICS:
        if topic in free:
            continue
        now, was, word = getattr(ours, topic), getattr(theirs, topic), topic.replace("_", " ")
        here, before = _meant(now), _meant(was)
        if here is None or before is None:
            yield Missing(f"the {word} of both versions{_asked(topic)}")
        elif here == before:
            yield Shown(f"the same {word}")
        else:
            yield Wrong(f"the {word} was {_told(was, now)} and is {_told(now, was)}")
    yield Shown(f"{len(TOPICS) - len(free)} topics")


TOPICS: Final = (
    "code",
    "environment",
    "dependencies",
    "task",
    "base",
    "contract",
    "licences",
    "intended_use",
    "out_of_scope",
)
"""What stays as it was unless it is free, in the order in which people read it."""


def _meant(value: Any) -> object:  # noqa: ANN401 - any topic's
    """Return what of a topic is compared; None where it is not known well enough to tell that nothing changed."""
    match value:
        case UnsetType():
            return None
        case Code():
            # What was edited after the revision is in no revision, so two of the same may differ.
            return value.revision if value.clean is True else None
        case Environment():
            return known(value.lock)
        case tuple():
            return frozenset((e.name, e.version) if isinstance(e, Dependency) else e for e in value)
        case _:
            return value


def _asked(topic: str) -> str:
    return {"code": ", each made of a clean revision", "environment": ", each by the digest of its lock"}.get(topic, "")


def _told(value: Any, other: Any) -> str:  # noqa: ANN401 - any topic's
    match value:
        case Code(revision=revision):
            return revision[:12]
        case Environment(lock=lock):
            return said(lock)
        case tuple() if any(isinstance(each, Dependency) for each in (*value, *other)):
            theirs = {(each.name, each.version) for each in other}
            names = [f"{each.name} {each.version}" for each in value if (each.name, each.version) not in theirs]
            return said(", ".join(names) or "without")
        case tuple():
            return said(listed(value))
        case _:
            return said(value)
