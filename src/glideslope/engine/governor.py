"""The tick: gather evidence, decide, record. What was recorded, the reconciler obeys.

A governor acts only while it holds its lease in the store, and says so in every commit (the fence). When it dies, hangs
or loses the store, nobody renews the exposures, and the data plane returns all traffic to the incumbent by itself.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER
from glideslope.domain.errors import Conflict, GlideslopeError, StoreUnavailable
from glideslope.domain.events import Decided, Lapsed
from glideslope.domain.ids import MACHINE, RolloutId
from glideslope.domain.rollout import DECIDED, ENDED, Phase, Rollout, exposure, news
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock, Fence, Lease, Leases
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Append, Record

LEASE_NAME: Final = "governor"
LEASE: Final = timedelta(seconds=3)
"""How long the store keeps others from governing; after a kill -9 the next governor waits at most this long."""
PERIOD: Final = 0.1
"""Seconds between ticks when nobody wakes it."""

LOOK_EVERY: Final = 1.0
"""Seconds after which a rollout is judged again though no evidence came: time passes too."""


class Governor:
    """Governs every rollout, as long as the store says it may."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        reconciler: Reconciler,
        leases: Leases,
        clock: Clock,
        holder: str,
        ended: Callable[[RolloutId], None],
    ) -> None:
        self._record = record
        self._observer = observer
        self._reconciler = reconciler
        self._leases = leases
        self._clock = clock
        self._holder = holder
        self._ended = ended
        self._lease: Lease | None = None
        self._held_until = 0.0
        self._judged: dict[RolloutId, float] = {}
        self._wake = asyncio.Event()
        self._greeted = False
        self.trouble = ""
        """Why the last tick did not do its work; empty when it did."""

    @property
    def acting(self) -> bool:
        """Tell whether this governor held its lease at the last tick: of several, one does."""
        return self._lease is not None

    def wake(self) -> None:
        """Ask for a tick now: something was recorded."""
        self._wake.set()

    async def run(self) -> None:
        """Tick until cancelled. Trouble is kept for people to see; a tick that fails renews nothing."""
        while True:
            try:
                await self.tick()
                self.trouble = ""
            except GlideslopeError as error:
                self.trouble = str(error)
            self._wake.clear()
            waiting = asyncio.create_task(self._wake.wait())
            sleeping = asyncio.create_task(self._clock.sleep(PERIOD))
            await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            sleeping.cancel()

    async def tick(self) -> None:
        """Judge what is due and make the traffic obey. Raises StoreUnavailable; then nothing was renewed."""
        fence = await self._fence()
        if fence is None:
            return
        if not self._greeted:
            await self._greet(fence)
            self._greeted = True
        for rollout in self._record.open_rollouts():
            await self._govern(rollout, fence)
        await self._reconciler.reconcile(fence)
        for id_ in [i for i in self._judged if self._record.rollout(i).phase in ENDED]:
            self._judged.pop(id_)
            self._ended(id_)

    async def release(self) -> None:
        """Give the lease back, so that another server need not wait for its end."""
        if self._lease is not None:
            await self._leases.release(self._lease)
            self._lease = None

    async def _fence(self) -> Fence | None:
        before = self._clock.monotonic()
        left = self._held_until - before
        if self._lease is None or left < LEASE.total_seconds() * 0.6:
            lease = await self._leases.acquire(LEASE_NAME, holder=self._holder, ttl=LEASE, now=self._clock.now())
            if lease is None or (self._lease is not None and lease.epoch != self._lease.epoch):
                self._greeted = False
            self._lease = lease
            self._held_until = before + LEASE.total_seconds()
        return None if self._lease is None else Fence(name=LEASE_NAME, epoch=self._lease.epoch)

    async def _greet(self, fence: Fence) -> None:
        """A new governor knows nothing of earlier leases: what was exposed counts as lapsed until decided afresh."""
        for rollout in self._record.open_rollouts():
            if rollout.phase is Phase.RUNNING and exposure(rollout) is not None:
                await self._lapse(rollout, fence, why="a new governor took over; earlier leases are not renewed")

    async def _govern(self, rollout: Rollout, fence: Fence) -> None:
        try:
            if self._reconciler.lapsed(rollout):
                await self._lapse(rollout, fence, why="the lease was not renewed in time")
                rollout = self._record.rollout(rollout.id)
            if self._is_due(rollout):
                await self._judge(rollout, fence)
        except StoreUnavailable:
            raise
        except Conflict:
            # Somebody else wrote first: the record was refreshed, and the next tick judges what is there now.
            self.wake()

    def _is_due(self, rollout: Rollout) -> bool:
        if rollout.phase in DECIDED:
            return False
        judged = self._judged.get(rollout.id)
        fresh = rollout.id in self._observer.changed
        return judged is None or fresh or rollout.last is None or self._clock.monotonic() - judged >= LOOK_EVERY

    async def _judge(self, rollout: Rollout, fence: Fence) -> None:
        while True:
            self._observer.changed.discard(rollout.id)
            self._judged[rollout.id] = self._clock.monotonic()
            at = self._record.now(rollout.id)
            evidence = self._observer.evidence(rollout, now=at, in_force=self._reconciler.in_force(rollout))
            decision = decide(rollout, evidence, now=at)
            if not news(rollout, decision):
                return
            event = Decided(decision=decision, evidence=evidence, decider=DECIDER, by=MACHINE)
            key = f"{rollout.id}/{rollout.version}/decided"
            append = Append(stream=rollout.id, expected=rollout.version, events=(event,), key=key)
            await self._record.append((append,), fence=fence, at=at)
            rollout = await self._obey(rollout.id, fence)
            if rollout.phase is not Phase.RUNNING or exposure(rollout) is not None:
                return

    async def _obey(self, id_: RolloutId, fence: Fence) -> Rollout:
        """Act after the commit, at once: a rollback must not wait for its turn."""
        self._reconciler.committed(id_)
        rollout = self._record.rollout(id_)
        await self._reconciler.obey(rollout, fence)
        return self._record.rollout(id_)

    async def _lapse(self, rollout: Rollout, fence: Fence, *, why: str) -> None:
        step = rollout.step
        if step is None:
            return
        append = Append(
            stream=rollout.id,
            expected=rollout.version,
            events=(Lapsed(step=step.name, why=why),),
            key=f"{rollout.id}/{rollout.version}/lapsed",
        )
        await self._record.append((append,), fence=fence)
