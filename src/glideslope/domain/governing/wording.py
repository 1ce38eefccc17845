"""The organisation, calendars and threat models part by part, and which way an edit of each goes."""

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import UnsetType

from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.calendar import Calendar, FreezeRule
from glideslope.domain.governing.edits import Changes, Said, Way, needs, number, sets
from glideslope.domain.governing.governed import Freeze
from glideslope.domain.governing.organisation import Delegation, Escalation, Organisation, Person, Proving, Tier
from glideslope.domain.governing.policy.rule import known, listed, percent
from glideslope.domain.governing.threats import Threat, ThreatModel

_UNITS: Final = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s"))
_FREEZES: Final[Mapping[Freeze, str]] = {
    Freeze.FINISH: "nothing is begun; what is under way goes on",
    Freeze.HOLD: "nothing is begun or widened",
    Freeze.RETURN: "nothing is begun, and what is under way goes back until a person resumes it",
}


def says_organisation(found: Organisation) -> Iterator[Said]:
    """Yield who decides, on what, by which rules."""
    for person in found.people:
        yield Said("people", person.id, _person(person))
    for team in found.teams:
        yield Said("teams", team.name, f"is told at {team.reach}")
    for tier in found.tiers:
        yield Said("tiers", tier.name, "; ".join(_tier(tier)))
    for model, name in found.models.items():
        yield Said("models", model, f"is of tier {name}")
    if found.usual_tier:
        yield Said("models", "every other", f"is of tier {found.usual_tier}")
    for of, asked in found.agreements.items():
        yield Said("agreements", of, f"a change of it needs {_needed(asked)}")
    for of, within in (known(found.reviews) or {}).items():
        yield Said("reviews", of, f"every {_lasting(within)}")
    for owned in found.owned:
        yield Said("owners", f"{owned.kind.value} {owned.name}", f"belongs to {owned.owner}")
    for each in found.delegations:
        yield Said("delegations", each.who, _delegation(each))
    for step in found.escalations:
        yield Said(
            "escalations", f"after {_lasting(step.after)}", f"{listed(step.to)} are told that a sign-off is missing"
        )


def says_calendar(found: Calendar) -> Iterator[Said]:
    """Yield when nothing is begun, when people look, and how many rollouts are under way at once."""
    yield Said("", "is for", _whom(found))
    yield Said("", "zone", found.zone)
    for rule in found.freezes:
        yield Said("freezes", rule.name, _freeze(rule))
    if not isinstance(found.holidays, UnsetType):
        part = f", {found.holidays.part}" if found.holidays.part else ""
        yield Said("freezes", f"public holidays of {found.holidays.country}{part}", _FREEZES[found.holidays.asks])
    if not isinstance(found.hours, UnsetType):
        hours = found.hours
        days = listed(tuple(day.value for day in hours.days))
        yield Said("hours", days, f"{hours.from_} to {hours.to}; rollouts begin and widen then alone")
    if not isinstance(found.at_once, UnsetType):
        yield Said("turns", "at once", f"{found.at_once:,} of these rollouts at most")
    if found.first:
        yield Said("turns", "first", f"{listed(found.first)}; then whatever was proposed first")


def says_threats(found: ThreatModel) -> Iterator[Said]:
    """Yield what may go wrong on purpose, and what stands against it."""
    yield Said("", "is about", f"the models {listed(found.models)}" if found.models else "every model")
    for threat in found.threats:
        yield Said("threats", threat.id, _threat(threat))


def organisations(old: Organisation, new: Organisation) -> Changes:
    """Yield what an edit of the organisation changes. More who may, or who need not, is looser."""
    for before, after in _pairs(old.people, new.people, by=lambda person: person.id):
        yield from _people(before, after)
    for was, now in _pairs(old.tiers, new.tiers, by=lambda tier: tier.name):
        yield from _tiers(was, now)
    yield from _plain("", old.models, new.models, say=lambda tier: f"is of tier {tier}")
    if old.usual_tier != new.usual_tier:
        yield (
            Way.OTHER,
            f"a model that is not named is of tier {new.usual_tier or 'none'}; it was {old.usual_tier or 'none'}",
        )
    for of in dict.fromkeys((*old.agreements, *new.agreements)):
        asked = f"asks for a change of the {of} the yes of"
        yield from needs(asked, old.agreements.get(of, ()), new.agreements.get(of, ()), looser=False)
    yield from _reviews(known(old.reviews) or {}, known(new.reviews) or {})
    yield from _plain(
        "the team", *({t.name: t.reach for t in o.teams} for o in (old, new)), say=lambda r: f"is told at {r}"
    )
    owners = ({f"{o.kind.value} {o.name}": o.owner for o in each.owned} for each in (old, new))
    yield from _plain("the", *owners, say=lambda owner: f"belongs to {owner}")
    handed = ({f"{d.who} {d.since} {d.to}": d for d in each.delegations} for each in (old, new))
    yield from _listed(*handed, say=_handed)
    told = ({str(e.after): e for e in each.escalations} for each in (old, new))
    yield from _listed(*told, say=_escalation)


def calendars(old: Calendar, new: Calendar) -> Changes:
    """Yield what an edit of a calendar changes. More times in which nothing begins are stricter."""
    if _whom(old) != _whom(new):
        yield Way.OTHER, f"it is for {_whom(new)}; it was for {_whom(old)}"
    if old.zone != new.zone:
        yield Way.OTHER, f"its zone is {new.zone}; it was {old.zone}"
    for was, now in _pairs(old.freezes, new.freezes, by=lambda rule: rule.name):
        if was is None and now is not None:
            yield Way.STRICTER, f"the freeze {now.name} is new: {_freeze(now)}"
        elif was is not None and now is None:
            yield Way.LOOSER, f"the freeze {was.name} is gone: {_freeze(was)}"
        elif was is not None and now is not None and was != now:
            yield Way.OTHER, f"the freeze {now.name}: {_freeze(now)}; it was: {_freeze(was)}"
    for part in ("holidays", "hours"):
        said = [{s.about: s.sentence for s in says_calendar(_only(each, part)) if s.part} for each in (old, new)]
        if said[0] != said[1]:
            way = Way.STRICTER if not said[0] else Way.LOOSER if not said[1] else Way.OTHER
            told = ["; ".join(f"{about}: {sentence}" for about, sentence in each.items()) or "nothing" for each in said]
            yield way, f"of {part} it says {told[1]}; it said {told[0]}"
    most = [math.inf if isinstance(each.at_once, UnsetType) else each.at_once for each in (old, new)]
    yield from number(
        "allows rollouts at once:", *most, say=lambda count: "any number" if math.isinf(count) else f"{count:,}"
    )
    if old.first != new.first:
        yield Way.OTHER, f"first go {listed(new.first)}; it was {listed(old.first)}"


def threat_models(old: ThreatModel, new: ThreatModel) -> Changes:
    """Yield what an edit of a threat model changes; which way that goes nobody can tell by its form."""
    if old.models != new.models:
        yield Way.OTHER, f"it is about {listed(new.models) if new.models else 'every model'}"
    was, now = ({threat.id: threat for threat in each.threats} for each in (old, new))
    yield from _listed(was, now, say=lambda threat: f"{threat.id}: {_threat(threat)}")


def _person(found: Person) -> str:
    may = f"may {listed(tuple(right.value for right in found.rights))}" if found.rights else "may only look"
    functions = f" as {listed(found.functions)}" if found.functions else ""
    return f"{may}{functions}{f', of the team {found.team}' if found.team else ''}"


def _people(old: Person | None, new: Person | None) -> Changes:
    if old is None and new is not None:
        yield (Way.LOOSER if new.rights else Way.OTHER), f"{new.id} is new: {_person(new)}"
    elif new is None and old is not None:
        yield (Way.STRICTER if old.rights else Way.OTHER), f"{old.id} is gone: {_person(old)}"
    elif old is not None and new is not None and old != new:
        for name, before, after in (("rights", old.rights, new.rights), ("functions", old.functions, new.functions)):
            for way, sentence in sets("", map(str, before), map(str, after)):
                yield way, f"{new.id}, {name}: {sentence.removeprefix('it').strip()}"
        if old.team != new.team:
            yield Way.OTHER, f"{new.id} is of the team {new.team or 'of nobody'}; it was {old.team or 'none'}"


def _tier(found: Tier) -> Iterator[str]:
    yield f"needs {_needed(found.approvals)}" if found.approvals else "needs nobody's approval"
    yield f"an approval counts for {_lasting(found.valid_for)}"
    for name, value in (("alpha", found.alpha), ("alpha_pass", found.alpha_pass)):
        if not isinstance(value, UnsetType):
            yield f"{name} is {value:g} at most"
    if found.margin_scale != 1:
        yield f"every margin is multiplied by {found.margin_scale:g}"
    if not isinstance(found.first_share, UnsetType):
        yield f"{percent(found.first_share)} meet it first, at most"
    if not isinstance(found.growth, UnsetType):
        yield f"a step is at most {found.growth:g} times as wide as the one before"
    if found.minimum:
        yield f"each canary step takes {_lasting(found.minimum)} or more"
    if found.stages:
        yield f"goes through {listed(tuple(stage.value for stage in found.stages))}"
    if not isinstance(found.drill_within, UnsetType):
        yield f"going back is drilled every {_lasting(found.drill_within)}"
    if not isinstance(found.proving, UnsetType):
        yield f"whoever approves {_proving(found.proving)}"
    if not isinstance(found.keep, UnsetType):
        yield f"records are kept for {_lasting(found.keep)} at least"


def _tiers(old: Tier | None, new: Tier | None) -> Changes:
    if old is None and new is not None:
        yield Way.OTHER, f"the tier {new.name} is new: {'; '.join(_tier(new))}"
        return
    if old is None or new is None:
        yield Way.OTHER, f"the tier {old.name if old else ''} is gone"
        return
    yield from _of(new, needs("needs the yes of", old.approvals, new.approvals, looser=False))
    for name, say, up, none in (
        ("valid_for", _lasting, Way.LOOSER, 0.0),
        ("alpha", _figure, Way.LOOSER, math.inf),
        ("alpha_pass", _figure, Way.LOOSER, math.inf),
        ("margin_scale", _figure, Way.LOOSER, 1.0),
        ("first_share", _share, Way.LOOSER, math.inf),
        ("growth", _figure, Way.LOOSER, math.inf),
        ("minimum", _lasting, Way.STRICTER, 0.0),
        ("drill_within", _every, Way.LOOSER, math.inf),
        ("keep", _lasting, Way.STRICTER, 0.0),
    ):
        was, now = (none if isinstance(getattr(t, name), UnsetType) else getattr(t, name) for t in (old, new))
        yield from _of(new, number(f"has {name}", was, now, say=say, up=up))
    if old.proving != new.proving:
        yield (
            _proofs(known(old.proving), known(new.proving)),
            f"tier {new.name}: whoever approves {_proving(known(new.proving))}",
        )
    stages = [[stage.value for stage in each.stages] for each in (old, new)]
    yield from _of(new, sets("goes through", *stages, more=Way.STRICTER))


def _proving(found: Proving | None) -> str:
    if found is None:
        return "only has to be signed in"
    return f"has proved who they are within {_lasting(found.within)}, by {listed(tuple(m.value for m in found.by), last='or')}"


def _proofs(old: Proving | None, new: Proving | None) -> Way:
    """Return which way an edit goes of how people must have proved who they are: any of fewer means, or lately, is stricter."""
    if old is None or new is None:
        return Way.LOOSER if new is None else Way.STRICTER
    was, now = set(old.by), set(new.by)
    if now <= was and new.within <= old.within:
        return Way.STRICTER
    return Way.LOOSER if now >= was and new.within >= old.within else Way.OTHER


def _of(tier: Tier, changes: Changes) -> Changes:
    for way, sentence in changes:
        yield way, f"tier {tier.name}: {sentence}"


def _reviews(old: Mapping[str, int], new: Mapping[str, int]) -> Changes:
    for of in dict.fromkeys((*old, *new)):
        was, now = (f"every {_lasting(each[of])}" if of in each else "never" for each in (old, new))
        if was != now:
            way = Way.STRICTER if new.get(of, math.inf) < old.get(of, math.inf) else Way.LOOSER
            asks = f"asks for a review of {of} {now}" if of in new else f"asks for no review of {of}"
            yield way, f"it {asks}; it was {was}"


def _delegation(found: Delegation) -> str:
    when = f"{_moment(found.since)} to {_moment(found.until)}"
    given = ""
    if not isinstance(found.to, UnsetType):
        given = f"hands {listed(known(found.functions) or ('all functions',))} to {found.to}"
    return ", ".join(part for part in ("is away" if found.away else "", given, when) if part)


def _handed(found: Delegation) -> str:
    return f"{found.who} {_delegation(found)}"


def _escalation(found: Escalation) -> str:
    return f"after {_lasting(found.after)} {listed(found.to)} are told that a sign-off is missing"


def _whom(found: Calendar) -> str:
    models = f"the models {listed(found.models)}" if found.models else "every model"
    return f"{models}{f' of tier {listed(found.tiers)}' if found.tiers else ''}"


def _freeze(rule: FreezeRule) -> str:
    since, until = known(rule.since), known(rule.until)
    when = [f"from {_moment(since)}"] if since is not None else []
    when += [f"until {_moment(until)}"] if until is not None else []
    when += [f"on {listed(tuple(day.value for day in rule.days))}"] if not isinstance(rule.days, UnsetType) else []
    when += [f"{rule.from_} to {rule.to}"] if isinstance(rule.from_, str) else []
    return f"{', '.join(when)}: {_FREEZES[rule.asks]}"


def _only(found: Calendar, part: str) -> Calendar:
    """Return a calendar that says nothing but one part, so that it is said by itself."""
    return Calendar(name=found.name, zone=found.zone, **{part: getattr(found, part)})


def _threat(found: Threat) -> str:
    against = f" Against it: {'; '.join(found.against)}" if found.against else ""
    left = known(found.left)
    return f"{found.what}{against}{f' Left, and borne: {left}' if left else ''}"


def _pairs(old: Iterable[Any], new: Iterable[Any], *, by: Any) -> Iterator[tuple[Any, Any]]:  # noqa: ANN401 - things of one kind by their name
    was, now = ({by(each): each for each in some} for some in (old, new))
    for name in dict.fromkeys((*was, *now)):
        yield was.get(name), now.get(name)


def _plain(what: str, old: Mapping[Any, str], new: Mapping[Any, str], *, say: Any) -> Changes:  # noqa: ANN401 - says one value
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            now, was = (say(each[name]) if name in each else "is not named" for each in (new, old))
            yield Way.OTHER, f"{what} {name} {now}; it {was.replace('is ', 'was ', 1)}".strip()


def _listed(old: Mapping[str, Any], new: Mapping[str, Any], *, say: Any) -> Changes:  # noqa: ANN401 - says one value
    for name in dict.fromkeys((*old, *new)):
        was, now = old.get(name), new.get(name)
        if was != now:
            yield (
                Way.OTHER,
                f"{say(now)}{'' if was is None else f'; it was: {say(was)}'}"
                if now is not None
                else f"no more: {say(was)}",
            )


def _needed(asked: Iterable[Need]) -> str:
    return listed(tuple(need.function if need.count == 1 else f"{need.count} of {need.function}" for need in asked))


def _lasting(milliseconds: float) -> str:
    for size, unit in _UNITS:
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds / size:g} {unit}"
    return f"{milliseconds:g} ms"


def _every(milliseconds: float) -> str:
    return "never" if math.isinf(milliseconds) else _lasting(milliseconds)


def _share(points: float) -> str:
    return "any" if math.isinf(points) else percent(int(points))


def _figure(value: float) -> str:
    return "none" if math.isinf(value) else f"{value:g}"


def _moment(instant: int) -> str:
    moment = datetime.fromtimestamp(instant / 1000, UTC)
    return f"{moment:%Y-%m-%d}" if instant % 86_400_000 == 0 else f"{moment:%Y-%m-%d %H:%M} UTC"
