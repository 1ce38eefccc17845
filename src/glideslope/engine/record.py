"""What happened, in memory as the store has it: streams folded into rollouts and models, appended in one transaction."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from glideslope.domain.contract import Contract
from glideslope.domain.errors import Invalid, NotFound, VersionConflict
from glideslope.domain.events import (
    AdvisoriesRecorded,
    Closed,
    ContractAgreed,
    Event,
    FactsRecorded,
    Installed,
    Proposed,
    Registered,
    body_of,
    event_of,
    instant,
    kind_of,
    rfc3339,
)
from glideslope.domain.governing.agreement import Agreement, AgreementEvent, fold
from glideslope.domain.governing.dossier import Advisories
from glideslope.domain.governing.drill import DrillEvent, Drills, OpenDrill, practise
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.glass import GlassReviewed
from glideslope.domain.governing.incident import Incident, IncidentEvent, tell
from glideslope.domain.ids import ModelName, RolloutId, VersionName
from glideslope.domain.rollout import ENDED, Rollout, apply, begin
from glideslope.engine.ports import Clock, Draft, Fence, Store
from glideslope.engine.tracing import NO_TRACER, Tracer, Value
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger import manifest, merkle
from glideslope.ledger.errors import CanonicalError

MODEL_PREFIX: Final = "model."
ROLLOUT_PREFIX: Final = "r-"
AGREEMENT_PREFIX: Final = "agreement."
INCIDENT_PREFIX: Final = "incident."
EXAMINATION_PREFIX: Final = "examination."
DRILL_PREFIX: Final = "drill."
ADVISORIES: Final = "advisories"
"""The stream of known weaknesses of packages."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event in its place. `at` in milliseconds since the epoch, `entry` the position in the ledger."""

    stream: str
    version: int
    entry: int
    at: int
    event: Event


@dataclass(frozen=True, slots=True)
class Model:
    """A model, folded: its versions and which one serves."""

    name: ModelName
    versions: Mapping[VersionName, Registered]
    registered_at: Mapping[VersionName, int]
    incumbent: VersionName | None
    installed: tuple[VersionName, ...]
    """Every incumbent so far, oldest first."""
    contract: Contract | None = None
    """What its live input must look like; None before any was registered."""
    glass_reviewed: Mapping[RolloutId, int] = field(default_factory=dict)
    """Rollouts whose broken glass somebody has looked at, and when last (milliseconds since the epoch, UTC)."""
    facts: Mapping[VersionName, Facts] = field(default_factory=dict)
    """What is known about how each version was made, as it was stated last."""

    def version(self, name: VersionName) -> Registered:
        """Return a registered version. Raises NotFound."""
        found = self.versions.get(name)
        if found is None:
            raise NotFound(what=f"version of {self.name}", name=name, next_command=f"glideslope show {self.name}")
        return found


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one stream, after the version that the writer has seen."""

    stream: str
    expected: int
    events: Sequence[Event]
    key: str


@dataclass(slots=True)
class _Stream:
    history: list[Recorded] = field(default_factory=list)
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)


class Record:
    """All streams, kept as events; the only way in and out of the ledger."""

    def __init__(self, *, store: Store, clock: Clock, tracer: Tracer = NO_TRACER) -> None:
        self._tracer = tracer
        self.traces: dict[int, tuple[str, str]] = {}
        """By position the trace and span in which an entry was committed, for whoever writes the log; they take it from here."""
        self._store = store
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._rollouts: dict[RolloutId, Rollout] = {}
        self._open: dict[ModelName, RolloutId] = {}
        self._newest: dict[ModelName, RolloutId] = {}
        self._models: dict[ModelName, Model] = {}
        self._agreements: dict[str, Agreement] = {}
        self._incidents: dict[RolloutId, Incident] = {}
        self._drills: dict[ModelName, Drills] = {}
        self._drilling: set[ModelName] = set()
        self._glass: dict[RolloutId, None] = {}
        """Rollouts whose glass was ever broken, oldest first."""
        self.advisories: Advisories | None = None
        """What is known of weaknesses of packages; None before anybody recorded any."""
        self._places: dict[int, Recorded] = {}
        self._read = 0
        """Every position below has its place."""
        self._growth: asyncio.Event | None = None
        """There while somebody waits for the next entry."""

    async def load(self) -> None:
        """Read everything there is; once, before anything else."""
        await self.refresh()

    async def refresh(self) -> None:
        """Read what was written since: by others, or by us when the acknowledgement was lost. Raises StoreUnavailable."""
        start = self._read
        for position, data in enumerate(await self._store.entries(start), start=start):
            if position not in self._places:
                self._take(data, entry=ledger_entry.decode(data), position=position)

    async def known(self, key: str) -> Recorded | None:
        """Return the first event that was recorded under a key; None when the act was never done. Raises StoreUnavailable."""
        # No stream's next version is 0, so the store can only find the key or refuse.
        probe = Draft(stream="-", version=0, data=b"", key=f"{key}/0")
        try:
            (position,) = await self._store.append((probe,))
        except VersionConflict:
            return None
        if position not in self._places:
            await self.refresh()
        return self._places[position]

    def now(self, *streams: str) -> int:
        """Return the time for the next entry: the clock's, but never before what the streams already say."""
        now = int(self._clock.now().timestamp() * 1000)
        return max([now, *(self._streams[s].history[-1].at for s in streams if s in self._streams)])

    async def append(
        self, appends: Sequence[Append], *, fence: Fence | None = None, at: int | None = None
    ) -> Sequence[Recorded]:
        """Record events of one or more streams, all or nothing, durably, and return them in their places.

        Events whose key is there already are not recorded again: what was recorded then is returned. Raises
        VersionConflict, LeaseLost, StoreUnavailable, and Invalid for what the ledger's bytes cannot say.
        """
        when = self.now(*(a.stream for a in appends)) if at is None else at
        drafts: list[Draft] = []
        for a in appends:
            for k, event in enumerate(a.events):
                entry = ledger_entry.Entry(
                    stream=a.stream,
                    version=a.expected + 1 + k,
                    at=rfc3339(when),
                    kind=kind_of(event),
                    body=body_of(event),
                )
                drafts.append(Draft(stream=a.stream, version=entry.version, data=_encoded(entry), key=f"{a.key}/{k}"))
        about: dict[str, Value] = {
            "glideslope.stream": drafts[0].stream if drafts else "",
            "glideslope.entries": len(drafts),
        }
        try:
            with self._tracer.span("glideslope.commit", about):
                positions = await self._store.append(drafts, fence=fence)
                if (ids := self._tracer.ids())[0]:
                    self.traces |= dict.fromkeys(positions, ids)
        except VersionConflict:
            await self.refresh()
            raise
        if any(position not in self._places for position in positions):
            # What the store holds counts: after a lost acknowledgement it is the first try's entry, not this one's.
            await self.refresh()
        return [self._places[position] for position in positions]

    def closing(self, stream: str, after: Iterable[Event], *, at: int) -> Closed:
        """Return the manifest that closes a stream once `after` has been appended at `at`."""
        known = self._streams[stream]
        frontier = known.frontier.copy()
        for k, event in enumerate(after):
            entry = ledger_entry.Entry(
                stream=stream,
                version=len(known.history) + 1 + k,
                at=rfc3339(at),
                kind=kind_of(event),
                body=body_of(event),
            )
            frontier.append(merkle.leaf_hash(ledger_entry.encode(entry)))
        body = manifest.body(manifest.of(frontier))
        event = event_of("stream-closed", body)
        if not isinstance(event, Closed):
            raise Invalid("A manifest is not a closing event.")
        return event

    def at(self, position: int) -> Recorded:
        """Return the event at a ledger position. Raises NotFound."""
        found = self._places.get(position)
        if found is None:
            raise NotFound(what="ledger entry", name=str(position))
        return found

    def streams(self) -> Sequence[str]:
        """Return the names of all streams, in the order of their first entries."""
        return tuple(self._streams)

    def until(self, entry: int, streams: Iterable[str]) -> "Record":
        """Return these streams as they were right after the entry at this position, to be read and not written."""
        then = Record(store=self._store, clock=self._clock)
        for recorded in sorted((r for name in streams for r in self.history(name)), key=lambda r: r.entry):
            if recorded.entry <= entry:
                then._streams.setdefault(recorded.stream, _Stream()).history.append(recorded)
                then._places[recorded.entry] = recorded
                then._fold(recorded)
        return then

    def version(self, stream: str) -> int:
        """Return a stream's last version; 0 when there is none."""
        known = self._streams.get(stream)
        return len(known.history) if known else 0

    def history(self, stream: str) -> Sequence[Recorded]:
        """Return a stream's events in order."""
        known = self._streams.get(stream)
        return tuple(known.history) if known else ()

    @property
    def read(self) -> int:
        """Return up to which position every entry is known."""
        return self._read

    def size(self) -> int:
        """Return how many entries are known; it grows with every change."""
        return len(self._places)

    def unbroken(self) -> int:
        """Return how many entries are known from the first on: what others recorded in between may have to be read yet."""
        return self._read

    async def grown(self, size: int) -> None:
        """Return as soon as more than `size` entries are known."""
        while self.size() <= size:
            if self._growth is None:
                self._growth = asyncio.Event()
            await self._growth.wait()

    def rollout(self, id_: RolloutId) -> Rollout:
        """Return a rollout as it is. Raises NotFound."""
        found = self._rollouts.get(id_)
        if found is None:
            raise NotFound(what="rollout", name=id_)
        return found

    def rollouts(self) -> Sequence[Rollout]:
        """Return all rollouts, oldest first."""
        return tuple(self._rollouts.values())

    def glass_owed(self, model: ModelName) -> Rollout | None:
        """Return a rollout of a model whose glass was broken and not looked at since; None when there is none."""
        for rollout in (self._rollouts[id_] for id_ in self._glass):
            if rollout.plan.model == model and rollout.glass is not None:
                looked_at = self._models[model].glass_reviewed.get(rollout.id)
                if looked_at is None or looked_at < rollout.glass.broken_at:
                    return rollout
        return None

    def open_rollouts(self) -> Sequence[Rollout]:
        """Return those that have not ended."""
        return tuple(self._rollouts[id_] for id_ in sorted(self._open.values()))

    def open_rollout_of(self, model: ModelName) -> Rollout | None:
        """Return the model's rollout in progress."""
        found = self._open.get(model)
        return None if found is None else self._rollouts[found]

    def last_rollout_of(self, model: ModelName) -> Rollout | None:
        """Return the model's newest rollout, also one that has ended."""
        found = self._newest.get(model)
        return None if found is None else self._rollouts[found]

    def next_rollout(self) -> RolloutId:
        """Return the first free name; the store's unique key is the guard."""
        return rollout_id(len(self._rollouts) + 1)

    def model(self, name: ModelName) -> Model:
        """Return a model. Raises NotFound."""
        found = self._models.get(name)
        if found is None:
            raise NotFound(what="model", name=name, next_command="glideslope register")
        return found

    def find_model(self, name: ModelName) -> Model | None:
        """Return a model, or None before its first version."""
        return self._models.get(name)

    def models(self) -> Sequence[Model]:
        """Return all models, oldest first."""
        return tuple(self._models.values())

    def agreement(self, of: str, name: str) -> Agreement | None:
        """Return all editions of an agreement; None before any was tabled."""
        return self._agreements.get(agreement_stream(of, name))

    def agreements(self) -> Sequence[Agreement]:
        """Return all agreements, oldest first."""
        return tuple(self._agreements.values())

    def incident(self, rollout: RolloutId) -> Incident | None:
        """Return the incident that a rollout's breach opened; None where there is none."""
        return self._incidents.get(rollout)

    def incidents(self) -> Sequence[Incident]:
        """Return all incidents, oldest first."""
        return tuple(self._incidents.values())

    def drills(self, model: ModelName) -> Drills:
        """Return all drills of a model."""
        return self._drills.get(model) or Drills(model=model)

    def open_drills(self) -> Sequence[OpenDrill]:
        """Return the drills under way."""
        found = (self._drills[model].open for model in sorted(self._drilling))
        return tuple(drill for drill in found if drill is not None)

    def _take(self, data: bytes, *, entry: ledger_entry.Entry, position: int) -> None:
        at = instant(entry.at)
        event = event_of(entry.kind, dict(entry.body))
        recorded = Recorded(stream=entry.stream, version=entry.version, entry=position, at=at, event=event)
        stream = self._streams.setdefault(entry.stream, _Stream())
        stream.history.append(recorded)
        self._places[position] = recorded
        if self._growth is not None:
            self._growth.set()
            self._growth = None
        while self._read in self._places:
            self._read += 1
        stream.frontier.append(merkle.leaf_hash(data))
        self._fold(recorded)

    def _fold(self, recorded: Recorded) -> None:
        event, at, stream = recorded.event, recorded.at, recorded.stream
        if stream.startswith(ROLLOUT_PREFIX):
            self._fold_rollout(RolloutId(stream), event, at=at)
        elif stream.startswith(MODEL_PREFIX):
            name = ModelName(stream.removeprefix(MODEL_PREFIX))
            self._models[name] = _model(self._models.get(name), event, name=name, at=at)
        else:
            self._fold_governing(recorded)

    def _fold_governing(self, recorded: Recorded) -> None:
        event, at, stream = recorded.event, recorded.at, recorded.stream
        if stream.startswith(AGREEMENT_PREFIX) and isinstance(event, AgreementEvent):
            self._agreements[stream] = fold(self._agreements.get(stream), event, at=at)
        elif stream.startswith(INCIDENT_PREFIX) and isinstance(event, IncidentEvent):
            about = RolloutId(stream.removeprefix(INCIDENT_PREFIX))
            self._incidents[about] = tell(self._incidents.get(about), event, at=at)
        elif stream.startswith(DRILL_PREFIX) and isinstance(event, DrillEvent):
            name = ModelName(stream.removeprefix(DRILL_PREFIX))
            self._drills[name] = after = practise(self.drills(name), event, at=at, entry=recorded.entry)
            (self._drilling.discard if after.open is None else self._drilling.add)(name)
        elif stream == ADVISORIES and isinstance(event, AdvisoriesRecorded):
            self.advisories = event.advisories
        elif stream.startswith((AGREEMENT_PREFIX, INCIDENT_PREFIX, DRILL_PREFIX, ADVISORIES)):
            raise Invalid(f"{type(event).__name__} does not belong to the stream {stream}.")

    def _fold_rollout(self, id_: RolloutId, event: Event, *, at: int) -> None:
        before = self._rollouts.get(id_)
        rollout = begin(id_, event, at=at) if before is None else apply(before, event, at=at)
        self._rollouts[id_] = rollout
        if before is None:
            self._newest[rollout.plan.model] = id_
        if rollout.glass is not None and rollout.glass.broken:
            self._glass[id_] = None
        if rollout.phase not in ENDED:
            self._open[rollout.plan.model] = id_
        elif self._open.get(rollout.plan.model) == id_:
            del self._open[rollout.plan.model]


def rollout_id(number: int) -> RolloutId:
    """Return the name of the n-th rollout: `r-0001`."""
    return RolloutId(f"{ROLLOUT_PREFIX}{number:04d}")


def rollout_number(id_: RolloutId) -> int:
    """Return a rollout's number. Raises Invalid."""
    digits = id_.removeprefix(ROLLOUT_PREFIX)
    if not digits.isdecimal():
        raise Invalid(f"{id_!r} is not a rollout; they are named like r-0001.")
    return int(digits)


def model_stream(name: ModelName) -> str:
    """Return the name of a model's stream."""
    return f"{MODEL_PREFIX}{name}"


def examination_stream(rollout: RolloutId) -> str:
    """Return the name of the stream of what policies answered about a rollout."""
    return f"{EXAMINATION_PREFIX}{rollout}"


def incident_stream(rollout: RolloutId) -> str:
    """Return the name of the stream of a rollout's incident."""
    return f"{INCIDENT_PREFIX}{rollout}"


def drill_stream(model: ModelName) -> str:
    """Return the name of the stream of a model's drills."""
    return f"{DRILL_PREFIX}{model}"


def agreement_stream(of: str, name: str) -> str:
    """Return the name of an agreement's stream."""
    return f"{AGREEMENT_PREFIX}{of}.{name}"


def _model(model: Model | None, event: Event, *, name: ModelName, at: int) -> Model:
    before = model or Model(name=name, versions={}, registered_at={}, incumbent=None, installed=())
    match event:
        case Registered(version=version):
            return replace(
                before,
                versions={**before.versions, version: event},
                registered_at={**before.registered_at, version: before.registered_at.get(version, at)},
            )
        case Installed(version=version):
            return replace(before, incumbent=version, installed=(*before.installed, version))
        case ContractAgreed(contract=contract):
            return replace(before, contract=contract)
        case GlassReviewed(rollout=rollout):
            return replace(before, glass_reviewed={**before.glass_reviewed, rollout: at})
        case FactsRecorded(facts=facts):
            return replace(before, facts={**before.facts, facts.version: facts})
        case _:
            raise Invalid(f"{type(event).__name__} does not belong to a model.")


def proposal(history: Sequence[Recorded]) -> Proposed:
    """Return the proposal with which a rollout's history begins. Raises Invalid."""
    if history and isinstance(history[0].event, Proposed):
        return history[0].event
    raise Invalid("A rollout's history does not begin with a proposal.")


def _encoded(entry: ledger_entry.Entry) -> bytes:
    try:
        return ledger_entry.encode(entry)
    except CanonicalError as error:
        raise Invalid(f"The ledger cannot hold this: {error}. Nothing was recorded.") from error
