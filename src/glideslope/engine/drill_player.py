"""Plays drills on the real data plane and records what it measured there. The governor calls it at each tick.

Level-triggered like everything that moves traffic: a governor that takes over begins a drill under way anew.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

from msgspec import UNSET

from glideslope.domain.errors import Conflict, GlideslopeError, LeaseLost, StoreUnavailable
from glideslope.domain.governing.drill import DrillEnded, DrillKind, OpenDrill
from glideslope.domain.ids import ModelName
from glideslope.domain.rollout import Phase
from glideslope.engine.ports import Clock, Driver, Fence
from glideslope.engine.reconciler import token_of
from glideslope.engine.record import Append, Record, drill_stream

LEASE: Final = 5.0
"""Seconds for which a drill's exposure is leased, once."""
HELD: Final = 1.0
"""Seconds for which it is in force before it is withdrawn, so that requests meet it."""
HEARD: Final = 0.5
"""Seconds after zero exposure in which the data plane still tells of the last requests."""
PATIENCE: Final = 10.0
"""Seconds beyond the lease after which exposure that is still seen fails the drill."""


@dataclass(slots=True)
class _Playing:
    """What this process did and saw of one drill; lost at a restart. Monotonic seconds."""

    asked: float
    granted: float | None = None
    """When the data plane was seen to have it in force."""
    withdrawn: float | None = None
    gone: float | None = None
    """When nobody was seen to be exposed any more."""

    def over(self, kind: DrillKind) -> float | None:
        """Return since when the exposure was to be gone; None before."""
        match kind:
            case DrillKind.ROLLBACK:
                return self.withdrawn
            case DrillKind.LAPSE:
                return self.asked
            case _:
                assert_never(kind)


class DrillPlayer:
    """Plays the drills of the record, tick by tick, on one data plane."""

    def __init__(
        self, *, record: Record, driver: Driver, clock: Clock, drilled: Callable[[OpenDrill], tuple[int, int]]
    ) -> None:
        """Play them on `driver`. `drilled` tells how many requests a drill moved and how many of them failed."""
        self._drilled = drilled
        self._record = record
        self._driver = driver
        self._clock = clock
        self._playing: dict[ModelName, _Playing] = {}

    def forget(self) -> None:
        """Forget what this process did: another governor may have acted since."""
        self._playing.clear()

    async def go_on(self, drills: Sequence[OpenDrill], fence: Fence) -> None:
        """Take drills, whose shape was asked for, a step further. Raises StoreUnavailable, LeaseLost."""
        for drill in drills:
            try:
                await self._play(drill, fence)
            except (StoreUnavailable, LeaseLost):
                raise
            except Conflict:
                continue  # Somebody told of a drill just now; the next tick ends this one.
            except GlideslopeError as error:
                await self._end(drill, fence, why=str(error))

    async def _play(self, drill: OpenDrill, fence: Fence) -> None:
        rollout = self._record.open_rollout_of(drill.model)
        playing = self._playing.get(drill.model)
        if playing is not None and playing.gone is not None:
            await self._tell(drill, playing, fence)
            return
        if rollout is not None and rollout.phase is not Phase.PROPOSED:
            # Its shape has ended the drill's exposure already.
            await self._end(drill, fence, why=f"{rollout.id} began")
            return
        if playing is None:
            playing = self._playing[drill.model] = _Playing(asked=self._clock.monotonic())
            await self._lease(drill, fence, exposed=True)
        if playing.granted is None:
            await self._await_granted(drill, playing, fence)
            return
        if drill.kind is DrillKind.ROLLBACK and playing.withdrawn is None:
            if self._clock.monotonic() - playing.granted < HELD:
                return
            playing.withdrawn = self._clock.monotonic()
            await self._lease(drill, fence, exposed=False)
        await self._await_gone(drill, playing, fence)

    async def _await_granted(self, drill: OpenDrill, playing: _Playing, fence: Fence) -> None:
        observed = await self._driver.observe(drill.model)
        now = self._clock.monotonic()
        if observed.exposure == drill.exposure:
            playing.granted = now
        elif now - playing.asked > LEASE:
            await self._lease(drill, fence, exposed=False)
            await self._end(drill, fence, why=f"the exposure was not in force within {LEASE:g} s")

    async def _await_gone(self, drill: OpenDrill, playing: _Playing, fence: Fence) -> None:
        since = playing.over(drill.kind)
        if since is None:
            return
        observed = await self._driver.observe(drill.model)
        now = self._clock.monotonic()
        if observed.exposure is None:
            playing.gone = now
        elif now - since > LEASE + PATIENCE:
            await self._end(
                drill, fence, playing=playing, why=f"somebody was exposed after {LEASE + PATIENCE:g} s still"
            )

    async def _tell(self, drill: OpenDrill, playing: _Playing, fence: Fence) -> None:
        """Record what was measured, once the last requests have been told of."""
        since, gone = playing.over(drill.kind), playing.gone
        if since is not None and gone is not None and self._clock.monotonic() - gone >= HEARD:
            await self._end(drill, fence, playing=playing, restored_in=(gone - since) * 1000)

    async def _lease(self, drill: OpenDrill, fence: Fence, *, exposed: bool) -> None:
        await self._driver.lease(
            drill.model,
            drill.exposure if exposed else None,
            token=token_of(self._record, drill.model, fence),
            ttl=timedelta(seconds=LEASE),
        )

    async def _end(
        self,
        drill: OpenDrill,
        fence: Fence,
        *,
        playing: _Playing | None = None,
        restored_in: float | None = None,
        why: str = "",
    ) -> None:
        served, failed = self._drilled(drill)
        granted = None if playing is None or playing.granted is None else playing.granted - playing.asked
        event = DrillEnded(
            passed=restored_in is not None,
            granted_in=UNSET if granted is None else _figure(granted * 1000),
            restored_in=UNSET if restored_in is None else _figure(restored_in),
            served=served,
            failed=failed,
            why=why,
        )
        stream = drill_stream(drill.model)
        key = f"{stream}/{drill.id}/ended"
        append = Append(stream=stream, expected=self._record.version(stream), events=(event,), key=key)
        await self._record.append((append,), fence=fence)
        self._playing.pop(drill.model, None)


def _figure(milliseconds: float) -> float:
    return math.ceil(milliseconds * 1000) / 1000
