"""A moment of the record: an entry, and how its rollout and the organisation stood before and after. The same whenever it is asked for."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from glideslope.domain.governing.agreement import ORGANISATION, Agreement, AgreementEvent, fold
from glideslope.domain.governing.glass import GlassReviewed
from glideslope.domain.governing.incident import IncidentEvent
from glideslope.domain.governing.organisation import ArtifactKind, Organisation
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.rollout import Rollout, apply, begin
from glideslope.engine.agreed import Agreed
from glideslope.engine.record import (
    DRILL_PREFIX,
    INCIDENT_PREFIX,
    MODEL_PREFIX,
    ROLLOUT_PREFIX,
    Record,
    Recorded,
    agreement_stream,
    incident_stream,
)

MOST_FOLDED: Final = 256
"""Streams whose last fold is kept, so that one that is read entry by entry is folded once."""


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry in its place."""

    recorded: Recorded
    before: Rollout | None
    """Its rollout before it; None for a proposal, and for what is no rollout's."""
    after: Rollout | None
    organisation: Organisation | None
    """That was in force after it."""
    tabled: Agreement | None
    """Of an agreement's event: the agreement after it."""
    model: str
    rollout: str
    owners: tuple[str, ...]


class Moments:
    """Reads moments from a record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._agreed = Agreed(record)
        self._folded: OrderedDict[str, tuple[int, Rollout]] = OrderedDict()

    def at(self, position: int) -> Moment:
        """Return the moment of a ledger position. Raises NotFound."""
        recorded = self._record.at(position)
        stream, event = recorded.stream, recorded.event
        before = after = None
        rollout = model = ""
        owner = ""
        if stream.startswith(ROLLOUT_PREFIX):
            before, after = self._rollout(recorded)
            rollout, model, owner = stream, after.plan.model, after.plan.owner
        elif isinstance(event, IncidentEvent):
            rollout = stream.removeprefix(INCIDENT_PREFIX)
            plan = self._record.rollout(RolloutId(rollout)).plan
            model, owner = plan.model, plan.owner
        elif stream.startswith((MODEL_PREFIX, DRILL_PREFIX)):
            model = stream.partition(".")[2]
            rollout = event.rollout if isinstance(event, GlassReviewed) else ""
        organisation = self.organisation(position)
        tabled = self._agreement(recorded) if isinstance(event, AgreementEvent) else None
        return Moment(
            recorded=recorded,
            before=before,
            after=after,
            organisation=organisation,
            tabled=tabled,
            model=model,
            rollout=rollout,
            owners=owners(organisation, model, owner),
        )

    def organisation(self, position: int) -> Organisation | None:
        """Return the organisation that was in force right after an entry."""
        stream = agreement_stream(ORGANISATION, ORGANISATION)
        history = [r for r in self._record.history(stream) if r.entry <= position]
        found = _fold(history)
        return None if found is None or found.in_force is None else self._agreed.organisation_of(found.in_force)

    def _agreement(self, recorded: Recorded) -> Agreement | None:
        return _fold([r for r in self._record.history(recorded.stream) if r.entry <= recorded.entry])

    def _rollout(self, recorded: Recorded) -> tuple[Rollout | None, Rollout]:
        """Fold a rollout up to an entry, from where it was folded to before."""
        id_ = RolloutId(recorded.stream)
        version, rollout = self._folded.get(id_, (0, None))
        if version >= recorded.version or rollout is None:
            version, rollout = 0, None
        before = rollout
        for each in self._record.history(id_)[version : recorded.version]:
            before = rollout
            rollout = begin(id_, each.event, at=each.at) if rollout is None else apply(rollout, each.event, at=each.at)
        assert rollout is not None  # noqa: S101 - the entry itself was folded
        self._folded[id_] = (recorded.version, rollout)
        self._folded.move_to_end(id_)
        while len(self._folded) > MOST_FOLDED:
            self._folded.popitem(last=False)
        return before, rollout


def thread_of(recorded: Recorded) -> str:
    """Return what an entry belongs to: what is told in order. A rollout and its incident are one."""
    stream = recorded.stream
    return stream.removeprefix(INCIDENT_PREFIX) if stream.startswith(INCIDENT_PREFIX) else stream


def in_thread(record: Record, thread: str, *, after: int, below: int) -> list[int]:
    """Return the entries of a thread between two positions, both not included."""
    streams = [thread, *([incident_stream(RolloutId(thread))] if thread.startswith(ROLLOUT_PREFIX) else [])]
    return sorted(r.entry for stream in streams for r in record.history(stream) if after < r.entry < below)


def owners(organisation: Organisation | None, model: str, plan_owner: str = "") -> tuple[str, ...]:
    """Return who owns a model: by the organisation, and by the plan."""
    by_organisation = "" if organisation is None else organisation.owner_of(ArtifactKind.MODEL, ModelName(model)) or ""
    return tuple(dict.fromkeys(each for each in (by_organisation, plan_owner) if each))


def _fold(history: list[Recorded]) -> Agreement | None:
    found: Agreement | None = None
    for each in history:
        if isinstance(each.event, AgreementEvent):
            found = fold(found, each.event, at=each.at)
    return found
