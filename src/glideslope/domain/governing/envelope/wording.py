"""An envelope, what it answered and an edit of it, in sentences; of each edit which way it goes."""

import math
from collections.abc import Iterable, Iterator, Mapping

from msgspec import UnsetType

from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.edits import Changes, Said, Way, needs, number, sets
from glideslope.domain.governing.envelope.classifying import Classification
from glideslope.domain.governing.envelope.document import Band, Bound, Envelope, Proven
from glideslope.domain.governing.envelope.looking import TOPICS, day, margin, span
from glideslope.domain.governing.governed import Answered, Block
from glideslope.domain.governing.policy.rule import known, listed, percent
from glideslope.domain.governing.policy.wording import because, word


def blocks(classification: Classification) -> tuple[Block, ...]:
    """Return the clauses that a change left, each with its reasons."""
    return tuple(
        Block(rule=answer.rule, answer=Answered(word(answer.outcome)), why="; ".join(because(answer.outcome)))
        for answer in classification.left
    )


def explained(envelope: Envelope) -> Iterator[str]:
    """Yield an envelope in sentences: when people need not be asked, and who."""
    whom = (
        f"the models {listed(envelope.models)}" if envelope.models else f"every model of tier {listed(envelope.tiers)}"
    )
    yield f"{envelope.name}, for {whom}, until {day(envelope.until)}{_reviewed(envelope)}."
    yield f"Whose approval counts as given for a candidate inside: {needed(envelope.falls_away)}."
    yield f"Who approves each candidate all the same: {needed(envelope.remains) or 'nobody of these'}, and whom else its tier asks for."
    yield "A candidate is inside when each of these is shown to hold; what is not known is outside."
    for clause, sentence in _clauses(envelope):
        yield f"  {clause}: {sentence}"


def says(envelope: Envelope) -> Iterator[Said]:
    """Yield the same part by part, as beside its text."""
    if envelope.says:
        yield Said("", "says", envelope.says)
    whom = f"the models {listed(envelope.models)}" if envelope.models else f"every model of {listed(envelope.tiers)}"
    yield Said("", "speaks for", f"{whom}, until {day(envelope.until)}{_reviewed(envelope)}")
    yield Said("approvals", "count as given", needed(envelope.falls_away))
    yield Said(
        "approvals", "are asked all the same", f"{needed(envelope.remains) or 'none of these'}, and what its tier asks"
    )
    for clause, sentence in _clauses(envelope):
        yield Said("clauses", clause, sentence)


def needed(needs: Iterable[Need]) -> str:
    """Write whose approvals these are."""
    return ", ".join(need.function if need.count == 1 else f"{need.count} of {need.function}" for need in needs)


def _reviewed(envelope: Envelope) -> str:
    every = known(envelope.review_every)
    return f", and no longer than {span(every)} after a review" if every is not None else ""


def _clauses(envelope: Envelope) -> Iterator[tuple[str, str]]:
    fields, kind, data, ladder = envelope.features, envelope.architecture, envelope.data, envelope.exposure
    moves = [f"{listed(names)} may {what}" for names, what in ((fields.add, "come"), (fields.drop, "go")) if names]
    yield "features", f"the fields of the incumbent{_but(moves)}, by the same pipelines{_but_for(fields.pipelines)}"
    yield "architecture", f"that of the incumbent{''.join(f', or {each}' for each in kind.among)}"
    bounds = [f"{name} {_bound(bound)}" for name, bound in kind.settings.items()]
    yield "settings", f"as they were{_but(bounds)}"
    yield (
        "data",
        (
            f"the datasets of the incumbent{''.join(f', or {each}' for each in data.datasets)}; the newest at most "
            f"{span(data.newest)} old at the proposal, {span(data.shortest)} to {span(data.longest)} of it"
        ),
    )
    for band in envelope.metrics:
        yield "metrics", f"{band.metric} on {band.slice} {_band(band)}, on {band.rows:,} rows or more"
    growth = known(ladder.growth)
    yield (
        "exposure",
        (
            f"{percent(ladder.first)} first, {percent(ladder.most)} at most before everybody, {span(ladder.step)} or more a step"
            f"{f', each at most {growth:.6g} times the one before' if growth is not None else ''}"
            f"{f', through {listed(tuple(s.value for s in ladder.stages))}' if ladder.stages else ''}"
        ),
    )
    proof = envelope.proof
    guards = tuple(f"{name} within {margin(most.kind, most.size)}" for name, most in proof.guardrails.items())
    matured = f", on {proof.maturity:.6g} of the outcomes or more" if proof.maturity else ""
    slices = f", also by {listed(proof.slices)}" if proof.slices else ""
    yield "proof", f"{listed(guards)}, wrong with a chance of {proof.alpha_pass:.6g} at most{matured}{slices}"
    yield "use", "the intended use does not change"
    same = tuple(topic.replace("_", " ") for topic in TOPICS if topic not in envelope.free)
    yield "rest", f"as in the incumbent: {listed(same)}"


def _but(moves: list[str]) -> str:
    return f", but {listed(tuple(moves))}" if moves else ""


def _but_for(names: tuple[str, ...]) -> str:
    return f" but for {listed(names)}" if names else ""


def _bound(bound: Bound) -> str:
    among = known(bound.among)
    return f"is {listed(tuple(map(str, among)), last='or')}" if among is not None else _ends(bound.least, bound.most)


def _ends(least: float | UnsetType, most: float | UnsetType) -> str:
    if isinstance(most, UnsetType):
        return "" if isinstance(least, UnsetType) else f"is {least:.6g} or more"
    return f"is {most:.6g} or less" if isinstance(least, UnsetType) else f"is {least:.6g} to {most:.6g}"


def _band(band: Band) -> str:
    within = known(band.within)
    told = (_ends(band.least, band.most), f"lies within {within:.6g} of the incumbent's" if within is not None else "")
    return listed(tuple(each for each in told if each))


def changes(old: Envelope, new: Envelope) -> Changes:
    """Yield what an edit changes, and which way."""
    yield from sets("speaks for the models", old.models, new.models)
    yield from sets("speaks for the tiers", old.tiers, new.tiers)
    yield from number("ends", old.until, new.until, say=day)
    yield from number("is reviewed every", _far(old.review_every), _far(new.review_every), say=_every)
    yield from needs("gives the approval of", old.falls_away, new.falls_away, looser=True)
    yield from needs("leaves to be approved by", old.remains, new.remains, looser=False)
    yield from sets("lets these fields come:", old.features.add, new.features.add)
    yield from sets("lets these fields go:", old.features.drop, new.features.drop)
    yield from sets("lets these pipelines be others:", old.features.pipelines, new.features.pipelines)
    yield from sets("allows the architectures", old.architecture.among, new.architecture.among)
    yield from _settings(old.architecture.settings, new.architecture.settings)
    yield from sets("allows the datasets", old.data.datasets, new.data.datasets)
    yield from number("allows data as old as", old.data.newest, new.data.newest, say=span)
    yield from number("allows windows as long as", old.data.longest, new.data.longest, say=span)
    yield from number("allows windows as short as", old.data.shortest, new.data.shortest, say=span, up=Way.STRICTER)
    yield from _bands(old.metrics, new.metrics)
    yield from number("allows a first step of", old.exposure.first, new.exposure.first, say=percent)
    yield from number("allows steps of", old.exposure.most, new.exposure.most, say=percent)
    yield from number("asks a step to take", old.exposure.step, new.exposure.step, say=span, up=Way.STRICTER)
    yield from number("allows growth of", _far(old.exposure.growth), _far(new.exposure.growth), say=_times)
    stages = [tuple(stage.value for stage in each.exposure.stages) for each in (old, new)]
    yield from sets("asks for the stages", *stages, more=Way.STRICTER)
    yield from _proofs(old.proof, new.proof)
    yield from sets("leaves free", old.free, new.free)
    if old.says != new.says:
        yield Way.OTHER, f"it said: {old.says or 'nothing'}; it says: {new.says or 'nothing'}"


def _far(value: float | UnsetType) -> float:
    return math.inf if isinstance(value, UnsetType) else value


def _every(milliseconds: float) -> str:
    return "never" if math.isinf(milliseconds) else span(int(milliseconds))


def _times(growth: float) -> str:
    return "any size" if math.isinf(growth) else f"{growth:.6g} times"


def _settings(old: Mapping[str, Bound], new: Mapping[str, Bound]) -> Changes:
    for name in dict.fromkeys((*old, *new)):
        was, now = old.get(name), new.get(name)
        if was == now:
            continue
        if was is None or now is None:
            # Without a bound a setting stays as it was in the incumbent.
            told = (
                f"it lets the setting {name} change: {_bound(now)}"
                if now is not None
                else f"the setting {name} may not change"
            )
            yield Way.LOOSER if was is None else Way.STRICTER, told
        else:
            told = f"the setting {name} {_bound(now)}; it was allowed what {_bound(was)}"
            yield _of_bounds(was, now), told


def _of_bounds(was: Bound, now: Bound) -> Way:
    before, after = known(was.among), known(now.among)
    if before is None and after is None:
        return _of_ends(was, now)
    if before is None or after is None:
        return Way.OTHER
    if all(each in after for each in before):
        return Way.LOOSER
    return Way.STRICTER if all(each in before for each in after) else Way.OTHER


def _of_ends(was: Bound | Band, now: Bound | Band) -> Way:
    def low(each: Bound | Band) -> float:
        return -math.inf if isinstance(each.least, UnsetType) else each.least

    def high(each: Bound | Band) -> float:
        return _far(each.most)

    if low(now) <= low(was) and high(now) >= high(was):
        return Way.LOOSER
    return Way.STRICTER if low(now) >= low(was) and high(now) <= high(was) else Way.OTHER


def _bands(old: Iterable[Band], new: Iterable[Band]) -> Changes:
    was, now = ({(band.metric, band.slice): band for band in bands} for bands in (old, new))
    for key in dict.fromkeys((*was, *now)):
        before, after = was.get(key), now.get(key)
        name = f"{key[0]} on {key[1]}"
        if before is None and after is not None:
            yield Way.STRICTER, f"it asks that {name} {_band(after)}, which it did not"
        elif after is None:
            yield Way.LOOSER, f"it asks nothing of {name} any more"
        elif before is not None and after != before:
            yield from _of_band(name, before, after)


def _of_band(name: str, was: Band, now: Band) -> Changes:
    if (was.least, was.most) != (now.least, now.most):
        ends = [_ends(each.least, each.most) or "is anything" for each in (was, now)]
        yield _of_ends(was, now), f"{name} {ends[1]}; it was allowed what {ends[0]}"
    yield from number(f"lets {name} differ from the incumbent's by", _far(was.within), _far(now.within), say=_anything)
    yield from number(f"asks {name} to rest on rows:", was.rows, now.rows, say="{:,}".format, up=Way.STRICTER)


def _proofs(old: Proven, new: Proven) -> Changes:
    for name in dict.fromkeys((*old.guardrails, *new.guardrails)):
        was, now = old.guardrails.get(name), new.guardrails.get(name)
        if was == now:
            continue
        if was is None or now is None:
            told = f"it asks for no proof of {name} any more" if now is None else f"it asks for a proof of {name}"
            yield Way.LOOSER if now is None else Way.STRICTER, told
        else:
            told = f"the margin of {name} is {margin(now.kind, now.size)} at most; it was {margin(was.kind, was.size)}"
            wider = Way.LOOSER if now.size > was.size else Way.STRICTER
            yield wider if was.kind is now.kind else Way.OTHER, told
    yield from number("allows alpha_pass", old.alpha_pass, new.alpha_pass, say="{:.6g}".format)
    yield from number("asks for outcomes:", old.maturity, new.maturity, say="{:.6g}".format, up=Way.STRICTER)
    yield from sets("asks to look at", old.slices, new.slices, more=Way.STRICTER)


def _anything(distance: float) -> str:
    return "anything" if math.isinf(distance) else f"{distance:.6g}"
