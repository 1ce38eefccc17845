"""The tick: gather evidence, decide, record. What was recorded, the reconciler obeys.

A governor acts only while it holds its lease in the store, and says so in every commit (the fence). When it dies, hangs
or loses the store, nobody renews the exposures, and the data plane returns all traffic to the incumbent by itself.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final

from msgspec.structs import replace

from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER, Decision, Hold
from glideslope.domain.errors import Conflict, GlideslopeError, LeaseLost, StoreUnavailable
from glideslope.domain.events import Decided, Lapsed
from glideslope.domain.ids import MACHINE, RolloutId
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import DECIDED, ENDED, Phase, Rollout, exposure, news
from glideslope.engine.asking import Asking
from glideslope.engine.drill_player import DrillPlayer
from glideslope.engine.governing import Governing
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock, Fence, Lease, Leases
from glideslope.engine.reconciler import Reconciler
from glideslope.engine.record import Append, Record
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.tracing import NO_TRACER, Span, Tracer

LEASE_NAME: Final = "governor"
LEASE: Final = timedelta(seconds=3)
"""How long the store keeps others from governing; after a kill -9 the next governor waits at most this long."""
PERIOD: Final = 0.1
"""Seconds between ticks when nobody wakes it."""

LOOK_EVERY: Final = 1.0
"""Seconds after which a rollout is judged again though no evidence came: time passes too."""

HOLDS_AT_ONCE: Final = 4
LONGEST_PAUSE: Final = 3_600_000
"""Milliseconds."""


class Governor:
    """Governs every rollout, as long as the store says it may."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        governing: Governing,
        asking: Asking,
        reconciler: Reconciler,
        drills: DrillPlayer,
        leases: Leases,
        clock: Clock,
        holder: str,
        ended: Callable[[RolloutId], None],
        meters: Meters | None = None,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._tracer = tracer
        self._meters = Meters() if meters is None else meters
        self._record = record
        self._observer = observer
        self._governing = governing
        self._asking = asking
        self._reconciler = reconciler
        self._drills = drills
        self._leases = leases
        self._clock = clock
        self._holder = holder
        self._ended = ended
        self._lease: Lease | None = None
        self._held_until = 0.0
        self._judged: dict[RolloutId, tuple[float, int]] = {}
        """When each was judged last, and at which version."""
        self._troubled: dict[RolloutId, str] = {}
        """Why a rollout could not be judged in the last tick."""
        self._refreshed = 0.0
        self._wake = asyncio.Event()
        self._greeted = False
        self.trouble = ""
        """Why the last tick did not do its work; empty when it did."""

    @property
    def acting(self) -> bool:
        """Tell whether this governor held its lease at the last tick: of several, one does."""
        return self._lease is not None

    @property
    def lease_left(self) -> float | None:
        """Return for how many seconds no other may govern; None where this one does not."""
        return None if self._lease is None else self._held_until - self._clock.monotonic()

    def wake(self) -> None:
        """Ask for a tick now: something was recorded."""
        self._wake.set()

    async def run(self) -> None:
        """Tick until cancelled. Trouble is kept for people to see; what a failing tick had not come to is not renewed."""
        while True:
            began = self._clock.monotonic()
            try:
                with self._tracer.span("glideslope.tick", quiet=True):
                    await self.tick()
                self.trouble = self.stuck
            except GlideslopeError as error:
                self.trouble = str(error)
            except Exception as error:  # noqa: BLE001 - the boundary of the loop: a governor that ended here would govern nobody, and look well
                self.trouble = f"The last tick failed; what it had not come to is not renewed: {error!r}"
            self._meters.ticks.see(self._clock.monotonic() - began)
            self._meters.ticked_at = self._clock.now().timestamp()
            self._wake.clear()
            waiting = asyncio.create_task(self._wake.wait())
            sleeping = asyncio.create_task(self._clock.sleep(PERIOD))
            try:
                await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                sleeping.cancel()

    async def tick(self) -> None:
        """Judge what is due and make the traffic obey. Raises StoreUnavailable, LeaseLost; then nothing was renewed."""
        fence = await self._fence()
        if fence is None:
            await self._stand_by()
            return
        try:
            if not self._greeted:
                await self._greet(fence)
                self._greeted = True
            # Commands taken by other servers, and our own commits whose acknowledgement was lost.
            await self._record.refresh()
            for rollout in self._record.open_rollouts():
                await self._govern(rollout.id, fence)
            drills = self._record.open_drills()
            await self._reconciler.reconcile(fence, but=self._troubled)
            await self._drills.go_on(drills, fence)
        except LeaseLost:
            self._lease = None
            raise
        for id_ in [i for i in self._judged if self._record.rollout(i).phase in ENDED]:
            self._judged.pop(id_)
            self._troubled.pop(id_, None)
            self._asking.forget(id_)
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
            if self._lease is None or lease is None or lease.epoch != self._lease.epoch:
                self._greeted = False
            self._lease = lease
            self._held_until = before + LEASE.total_seconds()
        return None if self._lease is None else Fence(name=LEASE_NAME, epoch=self._lease.epoch)

    async def _stand_by(self) -> None:
        """Another governs: keep what people are shown here current."""
        now = self._clock.monotonic()
        if now - self._refreshed >= LOOK_EVERY:
            await self._record.refresh()
            self._refreshed = now

    async def _greet(self, fence: Fence) -> None:
        """A new governor knows nothing of earlier leases: what was exposed counts as lapsed until decided afresh."""
        await self._record.refresh()
        await self._observer.load()
        self._reconciler.forget()
        self._drills.forget()
        self._judged.clear()
        for rollout in self._record.open_rollouts():
            if rollout.phase is Phase.RUNNING and exposure(rollout) is not None:
                await self._lapse(rollout, fence, why="a new governor took over; earlier leases are not renewed")

    async def _govern(self, id_: RolloutId, fence: Fence) -> None:
        try:
            if self._reconciler.lapsed(self._record.rollout(id_)):
                await self._lapse(self._record.rollout(id_), fence, why="the lease was not renewed in time")
            await self._escalate(self._record.rollout(id_), fence)
            if self._is_due(self._record.rollout(id_)):
                await self._judge(self._record.rollout(id_), fence)
            self._troubled.pop(id_, None)
        except (StoreUnavailable, LeaseLost):
            raise
        except Conflict as error:
            # Somebody else wrote first: the record was refreshed, and the next tick judges what is there now.
            self._troubled[id_] = str(error)
            self.wake()
        except Exception as error:  # noqa: BLE001 - the boundary between rollouts: one that cannot be judged must not stop the others
            self._troubled[id_] = f"{id_} cannot be judged, so its exposure is not renewed: {error!r}"

    @property
    def stuck(self) -> str:
        """Return why rollouts could not be judged at the last tick; empty when all were."""
        return " ".join(self._troubled.values())

    def _is_due(self, rollout: Rollout) -> bool:
        if rollout.phase in DECIDED:
            return False
        judged = self._judged.get(rollout.id)
        if judged is None or rollout.id in self._observer.changed or rollout.last is None:
            return True
        at, version = judged
        return rollout.version != version or self._clock.monotonic() - at >= LOOK_EVERY

    async def _judge(self, rollout: Rollout, fence: Fence) -> None:
        about = {"glideslope.rollout": rollout.id, "glideslope.model": rollout.plan.model}
        with self._tracer.span("glideslope.decide", about, quiet=True) as span:
            await self._judge_within(span, rollout, fence)

    async def _judge_within(self, span: Span, rollout: Rollout, fence: Fence) -> None:
        while True:
            self._observer.changed.discard(rollout.id)
            self._judged[rollout.id] = (self._clock.monotonic(), rollout.version)
            at = self._record.now(rollout.id)
            counted = self._observer.evidence(rollout, in_force=self._reconciler.in_force(rollout))
            asked = self._asking.ask(rollout, now=at)
            evidence = replace(counted, permit=asked.permit)
            decision = decide(rollout, evidence, now=at)
            kind = str(decision.__struct_config__.tag)
            span.set({"glideslope.decision": kind, "glideslope.reasons": ",".join(r.value for r in decision.reasons)})
            if asked.pending and isinstance(decision, Hold) and decision.reasons == (Reason.POLICY_BLOCKS,):
                # It moves nothing, and what the ledger should say is the answer, not that there is none yet.
                self._judged.pop(rollout.id)
                return
            if not news(rollout, decision) or self._too_soon(rollout, decision, at=at):
                return
            event = Decided(decision=decision, evidence=evidence, decider=DECIDER, by=MACHINE)
            key = f"{rollout.id}/{rollout.version}/decided"
            append = Append(stream=rollout.id, expected=rollout.version, events=(event,), key=key)
            opened = self._governing.incident(rollout, decision, evidence, at=at)
            examined = self._asking.recorded(asked)
            await self._record.append((append, *opened, *examined), fence=fence, at=at)
            if not (isinstance(decision, Hold) and decision.exposed):
                self._reconciler.committed(rollout.id)
            # Act after the commit, at once: a rollback must not wait for its turn.
            await self._reconciler.obey(self._record.rollout(rollout.id), fence)
            rollout = self._record.rollout(rollout.id)
            if rollout.phase is not Phase.RUNNING or exposure(rollout) is not None:
                return

    def _too_soon(self, rollout: Rollout, decision: Decision, *, at: int) -> bool:
        """Tell whether a hold that only changes its reasons should wait, lest evidence that hovers floods the ledger.

        In each step the first HOLDS_AT_ONCE are recorded at once, then the pause from one to the next doubles, up to
        LONGEST_PAUSE: so their number grows with the logarithm of the time, and what counts is never delayed.
        """
        last = rollout.last
        if not (isinstance(decision, Hold) and isinstance(last, Hold) and decision.exposed == last.exposed):
            return False
        held = []
        for recorded in reversed(self._record.history(rollout.id)):
            if isinstance(recorded.event, Decided):
                if not isinstance(recorded.event.decision, Hold):
                    break
                held.append(recorded.at)
        pause = min(LONGEST_PAUSE, 1_000 << max(0, len(held) - HOLDS_AT_ONCE))
        return len(held) >= HOLDS_AT_ONCE and at - held[0] < pause

    async def _escalate(self, rollout: Rollout, fence: Fence) -> None:
        """Tell the next ones when a sign-off is missing for too long; it moves nothing."""
        now = self._record.now(rollout.id)
        event = self._governing.escalation(rollout, lane=partial(self._asking.lane, now=now))
        if event is not None:
            append = Append(
                stream=rollout.id,
                expected=rollout.version,
                events=(event,),
                key=f"{rollout.id}/{event.after}/escalated",
            )
            await self._record.append((append,), fence=fence)

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
