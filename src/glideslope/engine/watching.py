"""What is watched of an engine, by people and by machines: its last minutes, its numbers, and whether its ledger is whole."""

from collections.abc import Callable, Coroutine, Mapping, Sequence

from glideslope.domain.ids import ModelName
from glideslope.engine.dues import DueView
from glideslope.engine.governor import Governor
from glideslope.engine.live import Live, LiveView, live_view
from glideslope.engine.notary import Notary
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Checkpoints, Clock, Store
from glideslope.engine.queries import Queries
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Record
from glideslope.engine.signals import Signals
from glideslope.engine.telemetry.chain import Chain
from glideslope.engine.telemetry.collecting import Collector
from glideslope.engine.telemetry.families import Telling
from glideslope.engine.telemetry.meters import Meters


class Watching:
    """Looks at the parts of one engine, and changes none."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        queries: Queries,
        governor: Governor,
        reconciler: Reconciler,
        notary: Notary,
        signals: Signals,
        meters: Meters,
        clock: Clock,
        store: Store,
        checkpoints: Checkpoints,
        dues: Callable[[], Coroutine[object, object, Sequence[DueView]]],
        troubles: Callable[[], Mapping[str, str]],
        pairs_waiting: Callable[[], int],
    ) -> None:
        self._record = record
        self._observer = observer
        self._queries = queries
        self._signals = signals
        self.chain = Chain(store=store, checkpoints=checkpoints, clock=clock)
        self.recent = Live(record=record, observer=observer, meters=meters, clock=clock)
        self._collector = Collector(
            record=record,
            observer=observer,
            queries=queries,
            governor=governor,
            reconciler=reconciler,
            notary=notary,
            chain=self.chain,
            signals=signals,
            meters=meters,
            clock=clock,
            dues=dues,
            troubles=troubles,
            pairs_waiting=pairs_waiting,
        )

    async def telemetry(self) -> Telling:
        """Return what is told to machines."""
        return await self._collector.telling()

    def live(self, model: ModelName) -> LiveView:
        """Return a model's last minutes. Raises NotFound."""
        shown, open_ = self._queries.model(model), self._record.open_rollout_of(model)
        return live_view(
            shown,
            self.recent.samples(model),
            usual=self._signals.usual(model),
            flags=self._signals.view(model).flags,
            rollout=None if open_ is None else self._queries.rollout(open_.id),
            heard=self._observer.heard(model),
            now=self._record.now(),
        )
