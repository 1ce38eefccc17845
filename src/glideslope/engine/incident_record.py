"""An incident with the course of its rollout: whom it met, when it was seen, decided and over, and what people noted since."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UnsetType

from glideslope.domain.decision import RollBack
from glideslope.domain.errors import NotFound
from glideslope.domain.events import Confirmed, Decided, instant, rfc3339
from glideslope.domain.governing.incident import IncidentClosed, IncidentNoted, IncidentOpened
from glideslope.domain.ids import WHOLE, RolloutId
from glideslope.domain.traffic import FULL
from glideslope.engine.courses import ExposedView, exposed
from glideslope.engine.governing_views import IncidentView, incident_view
from glideslope.engine.record import Record, Recorded, incident_stream
from glideslope.engine.stories import actor_of, sentence


class MomentView(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of an incident, by the entry that says so."""

    entry: int
    at: str
    by: str
    what: str
    """`first exposed`, `detected`, `zero exposure`, `opened`, `noted` or `closed`."""
    sentence: str


class IncidentRecordView(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as the ledger knows it."""

    incident: IncidentView
    moments: tuple[MomentView, ...]
    """Oldest first."""
    slices: tuple[str, ...]
    """Parts of the data on which a guardrail broke, apart from the whole."""
    largest_share: int
    """The most that was exposed at once, in basis points."""
    detected_in: float | None
    """Milliseconds from the first exposure to the decision; None where nobody was exposed."""
    withdrawn_in: float | None
    """Milliseconds from the decision until the data plane confirmed that nobody was exposed; None before it did."""
    exposed_for: float | None
    """Milliseconds from the first exposure until then."""
    exposure: float
    """Exposure over time, in milliseconds of everybody: a tenth of the subjects for ten seconds is one second."""


def incident_record(record: Record, rollout: RolloutId) -> IncidentRecordView:
    """Return all that a record says about a rollout's incident. Raises NotFound."""
    found = record.incident(rollout)
    if found is None:
        raise NotFound(what="incident of", name=rollout, next_command="glideslope incident ls")
    history = record.history(rollout)
    decided = next(
        (r for r in history if isinstance(r.event, Decided) and isinstance(r.event.decision, RollBack)), None
    )
    over = _over(history, decided)
    steps = tuple(exposed(rollout, history))
    begun = next((each for each in steps if each.share), None)
    ends = [*(_withdrawn(each, decided, over) for each in steps[1:]), found.opened_at]
    area = sum(each.share * max(0, end - instant(each.at)) for each, end in zip(steps, ends, strict=True) if each.share)
    first = next((r for r in history if begun is not None and r.entry == begun.entry), None)
    plan = record.rollout(rollout).plan
    moments = [
        _moment(r, what, sentence(r.event, plan=plan))
        for what, r in (("first exposed", first), ("detected", decided), ("zero exposure", over))
        if r is not None
    ]
    moments += _since(record.history(incident_stream(rollout)))
    return IncidentRecordView(
        incident=incident_view(found),
        moments=tuple(sorted(moments, key=lambda moment: moment.entry)),
        slices=tuple(dict.fromkeys(b.slice for b in found.opened.breaches if b.slice != WHOLE)),
        largest_share=max((each.share for each in steps), default=0),
        detected_in=None if begun is None or decided is None else float(decided.at - instant(begun.at)),
        withdrawn_in=None if over is None or not isinstance(over.event, Confirmed) else over.event.milliseconds,
        exposed_for=None if begun is None or over is None else float(over.at - instant(begun.at)),
        exposure=area / FULL,
    )


def _over(history: Sequence[Recorded], decided: Recorded | None) -> Recorded | None:
    """Return the entry that confirms that nobody is exposed any more."""
    after = (r for r in history if decided is not None and r.entry > decided.entry)
    return next((r for r in after if isinstance(r.event, Confirmed) and not r.event.exposed), None)


def _withdrawn(following: ExposedView, decided: Recorded | None, over: Recorded | None) -> int:
    """Return until when the step before this one was in force: what a rollback ends, until the data plane confirms that."""
    if decided is not None and over is not None and following.entry == decided.entry:
        return over.at
    return instant(following.at)


def _since(history: Sequence[Recorded]) -> Iterator[MomentView]:
    for r in history:
        match r.event:
            case IncidentOpened():
                yield _moment(r, "opened", "The rollback opened the incident.")
            case IncidentNoted():
                yield _moment(r, "noted", " · ".join(_noted(r.event)))
            case IncidentClosed(why=why):
                yield _moment(r, "closed", f"Closed: {why}")
            case _:
                continue


def _noted(event: IncidentNoted) -> Iterator[str]:
    yield event.why
    if not isinstance(event.gap, UnsetType):
        yield f"the gap: {event.gap}"
    if not isinstance(event.hypotheses, UnsetType):
        yield f"hypotheses: {', '.join(event.hypotheses)}"
    if not isinstance(event.remedies, UnsetType):
        yield f"remedies: {', '.join(r.what + (' (done)' if r.done else '') for r in event.remedies)}"


def _moment(r: Recorded, what: str, said: str) -> MomentView:
    return MomentView(entry=r.entry, at=rfc3339(r.at), by=actor_of(r.event), what=what, sentence=said)
