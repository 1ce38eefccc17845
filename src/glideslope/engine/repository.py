"""The record as a place to look things up in: search over every entry, and pages as they were at an entry.

The index follows the ledger and is never waited for by a commit; before a question is answered it has caught up.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final, NamedTuple
from urllib.parse import quote

from msgspec import UnsetType

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.events import Decided, kind_of, rfc3339
from glideslope.domain.evidence import NOTHING, Evidence
from glideslope.domain.governing import query
from glideslope.domain.governing.governed import Permit
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.rollout import Phase, Rollout
from glideslope.engine.agreed import Agreed
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Alike, Clock, Store, Total
from glideslope.engine.queries import Queries
from glideslope.engine.record import (
    AGREEMENT_PREFIX,
    DRILL_PREFIX,
    EXAMINATION_PREFIX,
    INCIDENT_PREFIX,
    MODEL_PREFIX,
    ROLLOUT_PREFIX,
    Record,
    Recorded,
    model_stream,
)
from glideslope.engine.search_index import SearchIndex
from glideslope.engine.searching import Searching
from glideslope.engine.stories import actor_of, sentence
from glideslope.engine.views import (
    BudgetView,
    FoundView,
    PairView,
    SearchView,
)
from glideslope.engine.worth import budget_views
from glideslope.ledger import entry as ledger_entry

BATCH: Final = 50
"""Entries indexed in one transaction: some milliseconds, in which a decision waits for the writer."""
MOST_FOUND: Final = 200


class Told(NamedTuple):
    """How far the ledger has been read, and the entry there if it is one that was asked for."""

    position: int
    entry: FoundView | None


class Repository:
    """Looks things up in the record."""

    def __init__(self, *, record: Record, store: Store, index: SearchIndex | None, clock: Clock) -> None:
        self._record = record
        self._store = store
        self._index = index
        self._clock = clock
        self._following = asyncio.Lock()

    async def follow(self) -> None:
        """Index what was recorded since. Raises StoreUnavailable."""
        if self._index is None:
            return
        async with self._following:
            start = await self._index.indexed()
            while page := await self._store.entries(start, start + BATCH):
                documents = [
                    query.document(ledger_entry.decode(data), position) for position, data in enumerate(page, start)
                ]
                await self._index.index(documents)
                start += len(page)
                await asyncio.sleep(0)

    async def rebuild(self) -> int:
        """Make the index again from the entries; return of how many. Raises StoreUnavailable."""
        if self._index is not None:
            await self._index.clear()
        await self.follow()
        return 0 if self._index is None else await self._index.indexed()

    async def search(self, text: str, *, limit: int = 50, below: int | None = None, whole: bool = False) -> SearchView:
        """Return the newest entries that answer, with what each says. Raises Invalid, StoreUnavailable."""
        question = query.read(text)
        if self._index is None:
            raise Invalid("This server keeps no index of its record.")
        if not 1 <= limit <= MOST_FOUND:
            raise Invalid(f"A page has 1 to {MOST_FOUND} entries.")
        await self.follow()
        positions = await self._index.find(question, below=below, limit=limit + 1)
        await self._record.refresh()
        found = [await self._found(position, whole=whole) for position in positions[:limit]]
        return SearchView(
            question=text,
            entries=await self._index.indexed(),
            found=tuple(found),
            next=positions[limit - 1] if len(positions) > limit else None,
        )

    async def entries(
        self, *, start: int | None, model: ModelName | None = None, kinds: Collection[str] = ()
    ) -> AsyncIterator[Told]:
        """Yield each entry of the ledger from a position on, in order and once, and then the next ones as they are recorded.

        Without `start` those to come. Of a model: its own stream, its rollouts, their incidents and examinations, its drills.
        Also told is how far it has read, where nothing fitted: whoever asks again need not begin there.
        """
        await self._record.refresh()
        position = self._record.unbroken() if start is None else start
        yield Told(position - 1, None)
        while True:
            await self._record.grown(position)
            if self._record.unbroken() < self._record.size():
                await self._record.refresh()
            for k in range(position, self._record.unbroken()):
                recorded = self._record.at(k)
                wanted = not kinds or kind_of(recorded.event) in kinds
                if wanted and (model is None or self._model_of(recorded.stream) == model):
                    yield Told(k, await self._found(k, whole=False))
                elif (k + 1) % BATCH == 0:
                    yield Told(k, None)
                if (k + 1) % BATCH == 0:
                    await asyncio.sleep(0)
            position = max(position, self._record.unbroken())

    def _model_of(self, stream: str) -> ModelName | None:
        """Return the model that a stream is about, if it is about one."""
        for prefix in (MODEL_PREFIX, DRILL_PREFIX):
            if stream.startswith(prefix):
                return ModelName(stream.removeprefix(prefix))
        name = RolloutId(stream.removeprefix(INCIDENT_PREFIX).removeprefix(EXAMINATION_PREFIX))
        return self._record.rollout(name).plan.model if name.startswith(ROLLOUT_PREFIX) else None

    async def _found(self, position: int, *, whole: bool) -> FoundView:
        recorded = self._record.at(position)
        said = ""
        if whole:
            (data,) = await self._store.entries(position, position + 1)
            said = data.decode()
        return FoundView(
            entry=position,
            stream=recorded.stream,
            version=recorded.version,
            at=rfc3339(recorded.at),
            kind=str(recorded.event.__struct_config__.tag),
            by=actor_of(recorded.event),
            sentence=self._sentence(recorded),
            link=_link(recorded),
            whole=said,
        )

    def _sentence(self, recorded: Recorded) -> str:
        in_rollout = recorded.stream.startswith(ROLLOUT_PREFIX)
        return sentence(
            recorded.event, plan=self._record.rollout(RolloutId(recorded.stream)).plan if in_rollout else None
        )

    def as_of(self, entry: int, *, rollout: RolloutId | None = None, model: ModelName | None = None) -> "AsRecorded":
        """Return how a rollout or a model stood right after the entry at this position. Raises NotFound."""
        if not 0 <= entry < self._record.size():
            raise NotFound(what="ledger entry", name=str(entry))
        streams: list[str] = [] if rollout is None else [rollout]
        name = model
        if rollout is not None:
            name = self._record.rollout(rollout).plan.model
        if name is not None:
            streams.append(model_stream(name))
            # What state a version is in depends on what became of it.
            streams += [each.id for each in self._record.rollouts() if each.plan.model == name and each.id != rollout]
        streams += [name for name in self._record.streams() if name.startswith((AGREEMENT_PREFIX, INCIDENT_PREFIX))]
        return AsRecorded(self._record.until(entry, streams), self._clock)


def _link(recorded: Recorded) -> str:
    """Return a path that will show the same as long as the ledger is kept."""
    if recorded.stream.startswith(ROLLOUT_PREFIX):
        return f"/v1/rollouts/{recorded.stream}?as_of={recorded.entry}"
    if recorded.stream.startswith(MODEL_PREFIX):
        return f"/v1/models/{recorded.stream.removeprefix(MODEL_PREFIX)}?as_of={recorded.entry}"
    if recorded.stream.startswith(AGREEMENT_PREFIX):
        of, _, name = recorded.stream.removeprefix(AGREEMENT_PREFIX).partition(".")
        return f"/v1/agreements/{quote(of)}/{quote(name, safe='')}/record?as_of={recorded.entry}"
    if recorded.stream.startswith(INCIDENT_PREFIX):
        return f"/v1/incidents/{recorded.stream.removeprefix(INCIDENT_PREFIX)}/record?as_of={recorded.entry}"
    return f"/v1/search?q=stream:{recorded.stream}"


class _NoCounters:
    """Keeps the port Counters, empty: a page of the past rests on the record alone."""

    async def save(self, totals: Sequence[Total]) -> None:
        """Forget them."""

    async def load(self, prefix: str) -> Sequence[Total]:  # noqa: ARG002 - the port's
        return ()

    async def once(self, keys: Sequence[str], totals: Sequence[Total]) -> Sequence[bool]:  # noqa: ARG002 - the port's
        return [False] * len(keys)

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
    ) -> Sequence[bytes | None]:
        return [groups[place].note for _, place in zip(keys, places, strict=True)]

    async def has_noted(self, prefix: str) -> bool:  # noqa: ARG002 - the port's
        return False


class _InForceAsRecorded:
    """What the data plane had in force, as far as its confirmation was recorded."""

    trouble = "not asked: this is a page of the past"

    def in_force(self, rollout: Rollout) -> bool:
        return rollout.confirmed


class AsRecorded(Queries):
    """Read models of the record up to an entry. Figures are those of the last decision, since nothing else was recorded."""

    def __init__(self, record: Record, clock: Clock) -> None:
        observer = Observer(record=record, counters=_NoCounters(), clock=clock, epoch=0)
        agreed = Agreed(record)
        super().__init__(
            record=record,
            observer=observer,
            searching=Searching(record=record, observer=observer),
            reconciler=_InForceAsRecorded(),
            permit=lambda rollout: self._judged(rollout).permit,
            policies=lambda: agreed.policies,
            organisation=lambda: agreed.organisation,
            clock=clock,
        )

    def _evidence(self, rollout: Rollout, history: Sequence[Recorded]) -> Evidence:  # noqa: ARG002 - the history is the record's
        return self._judged(rollout)

    def _judged_at(self, rollout: Rollout, history: Sequence[Recorded]) -> int:
        return next((r.at for r in reversed(history) if isinstance(r.event, Decided)), rollout.changed_at)

    def _judged(self, rollout: Rollout) -> Evidence:
        history = self._record.history(rollout.id)
        recorded = [r.event.evidence for r in history if isinstance(r.event, Decided)]
        return recorded[-1] if recorded else NOTHING

    def _subjects(self, rollout: Rollout) -> dict[str, tuple[int, int]]:
        return {str(each.step): (each.candidate, each.incumbent) for each in self._judged(rollout).exposed}

    def _outcomes(self, rollout: Rollout) -> dict[str, tuple[int, int]]:
        return {str(each.step): (each.candidate, each.incumbent) for each in self._judged(rollout).maturity}

    def _budgets(self, rollout: Rollout) -> tuple[BudgetView, ...]:
        return budget_views(rollout.plan, self._judged(rollout)) if rollout.plan.budgets else ()

    def _pairs(self, rollout: Rollout, history: Sequence[Recorded]) -> tuple[PairView, ...]:  # noqa: ARG002 - as above
        return ()

    def _next(self, rollout: Rollout, permit: Permit | UnsetType) -> str:
        if rollout.phase in (Phase.ROLLED_BACK, Phase.PROMOTED):
            return super()._next(rollout, permit)
        return "This page shows the past; what came next is in the record."
