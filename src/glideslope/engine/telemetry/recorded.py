"""What the ledger says, counted as it grows: so these counts outlive a restart, and agree with the record whoever counts."""

import asyncio
from collections import Counter
from typing import Final

from glideslope.domain.decision import RollBack
from glideslope.domain.events import Confirmed, Decided, Lapsed
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.engine.record import ROLLOUT_PREFIX, Record, Recorded
from glideslope.engine.telemetry.meters import ROLLBACK_BUCKETS, Histogram

PORTION: Final = 2_000
"""Entries that are counted at once."""


class Tally:
    """Follows a record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._next = 0
        self._going_back: set[RolloutId] = set()
        self.decisions: Counter[tuple[ModelName, str, str]] = Counter()
        self.lapses: Counter[ModelName] = Counter()
        self.rollbacks: dict[ModelName, Histogram] = {}

    async def follow(self) -> None:
        """Count what was recorded since; others have their turn in between."""
        while self._next < (size := self._record.read):
            for position in range(self._next, min(size, self._next + PORTION)):
                self._take(self._record.at(position))
                self._next = position + 1
            await asyncio.sleep(0)

    def _take(self, recorded: Recorded) -> None:
        if not recorded.stream.startswith(ROLLOUT_PREFIX):
            return
        id_ = RolloutId(recorded.stream)
        match recorded.event:
            case Decided(decision=decision):
                kind = str(decision.__struct_config__.tag)
                first = decision.reasons[0].value if decision.reasons else ""
                self.decisions[self._model(id_), kind, first] += 1
                if isinstance(decision, RollBack):
                    self._going_back.add(id_)
            case Lapsed():
                self.lapses[self._model(id_)] += 1
            case Confirmed(milliseconds=milliseconds) if id_ in self._going_back:
                self._going_back.discard(id_)
                seen = self.rollbacks.setdefault(self._model(id_), Histogram(ROLLBACK_BUCKETS))
                seen.see(milliseconds / 1000)
            case _:
                return

    def _model(self, id_: RolloutId) -> ModelName:
        return self._record.rollout(id_).plan.model
