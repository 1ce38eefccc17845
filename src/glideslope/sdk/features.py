"""Checking each row of features against the data contract and counting it, in place, cheaply; a thread sends the totals.

What is kept is a few hundred integers per feature, whatever the traffic; no value of any feature is kept or sent.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glideslope.domain.contract import (
    BROKEN,
    FIRST,
    KEPT,
    LEVELS,
    MIRRORED,
    MISSING,
    SURPLUS,
    Contract,
    counted_step,
    day,
    is_broken,
)
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import ModelName
from glideslope.domain.observation import FeaturesTaken, FeatureTally, FeatureTotals
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.sdk.background import Background, after_fork
from glideslope.sdk.stamps import Stamps, step_number

EVERY: Final = 10.0
"""Seconds between messages. Nothing is decided by them, so they may be fewer than those of metrics."""
MOST_SUBJECTS: Final = 100_000
"""Subjects remembered at once, so that each is compared once; further ones are in the day's counts alone."""
MOST_PLACES: Final = 32
"""Days and steps kept at once; the oldest is forgotten, having been sent many times."""

_CANDIDATE: Final = Arm.CANDIDATE


@dataclass(slots=True)
class _Tally:
    """Integers of one arm in one place."""

    counts: list[int]
    sums: list[int]
    rows: list[int] = field(default_factory=lambda: [0, 0, 0])
    levels: list[int] = field(default_factory=lambda: [0] * LEVELS)
    scored: bool = False
    changed: bool = True


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A contract as the loop over a row wants it."""

    contract: Contract
    short: str
    rules: tuple[tuple[str, Callable[[object], int], int], ...]
    """Per feature its name, the function from value to place, and its offset among all places."""
    bad: frozenset[int]
    """Among all places those that break the contract."""
    size: int


def compiled(contract: Contract) -> _Compiled:
    """Make a contract ready for use in a request path."""
    rules, bad, offset = [], set[int](), 0
    for rule in contract.features:
        rules.append((rule.name, rule.placer(), offset))
        bad |= {offset + place for place in range(FIRST) if is_broken(place, rule)}
        offset += rule.places
    return _Compiled(contract=contract, short=contract.short, rules=tuple(rules), bad=frozenset(bad), size=offset)


class FeatureCounter:
    """Counts rows of features for one model. Thread-safe; never raises; without a contract it does nothing.

    `send` delivers a message or raises GlideslopeError. `source` must be this process's own; a forked child gets another.
    """

    dropped: int
    """Rows that could not be counted: they were no mapping."""
    unsent: int
    """Messages in a row that did not arrive; their counts are in the next one."""

    def __init__(
        self,
        model: ModelName,
        *,
        source: str,
        epoch: int,
        send: Callable[[FeatureTotals], FeaturesTaken | None],
        wall: Callable[[], float] = time.time,
        every: float = EVERY,
        most_subjects: int = MOST_SUBJECTS,
    ) -> None:
        self._model = model
        self._origin = source
        self._send = send
        self._wall = wall
        self._every = every
        self._most_subjects = most_subjects
        self.source = source
        self.epoch = epoch
        self._rules: _Compiled | None = None
        self._forget()
        self._background = Background(self.send_totals, name=f"glideslope-features-{model}")
        after_fork(self)

    @property
    def contract(self) -> str:
        """Return the `short` of the contract by which is counted; empty without one."""
        return "" if self._rules is None else self._rules.short

    def follow(self, contract: Contract | None) -> None:
        """Count by this contract from now on, from zero; nothing at all by None."""
        ready = None if contract is None else compiled(contract)
        with self._lock:
            if ready is not None and self.contract == ready.short:
                return
            self._rules = ready
            self._tallies.clear()
            self._seen.clear()

    def stop(self, *, timeout: float = 1.0) -> bool:
        """Send once more and end; tell whether that was done within `timeout` seconds."""
        return self._background.stop(timeout=timeout)

    def check(self, row: Mapping[str, Any], stamps: Stamps, *, score: float | None = None) -> bool | None:
        """Count a row and tell whether it breaks the contract; None when there is none, or the row cannot be read.

        A mirrored copy is counted as the candidate's in its step alone, since the day has it already. Of a subject its first row in a
        step is compared.
        """
        ready = self._rules
        if ready is None:
            return None
        try:
            get = row.get
            at = [offset + place_of(get(name)) for name, place_of, offset in ready.rules]
            broken = not ready.bad.isdisjoint(at)
            surplus = len(row) > len(ready.rules) or self._surplus(row, ready, at)
            level = round(score * SCORE_LEVELS) if score is not None and 0.0 <= score <= 1.0 else -1
            with self._lock:
                if self._rules is not ready:
                    return broken
                if not stamps.shadow:
                    where = day(self._wall())
                    self._count(where, stamps.arm, at, broken=broken, surplus=surplus, level=level)
                if (step := _step(stamps)) and self._first(stamps):
                    where = counted_step(stamps.rollout, step)
                    self._count(where, stamps.arm, at, broken=broken, surplus=surplus, level=level)
        except Exception:  # noqa: BLE001 - the boundary to the host: a row that cannot be read is counted as dropped
            self.dropped += 1
            return None
        if not self._started:
            self._start()
        return broken

    def send_totals(self) -> float:
        """Send what changed since it last arrived; return the seconds until the next time. Never raises."""
        with self._lock:
            ready = self._rules
            changed = [(key, tally) for key, tally in self._tallies.items() if tally.changed]
            if ready is None or not changed:
                return self._every
            message = FeatureTotals(
                source=self.source,
                epoch=self.epoch,
                model=self._model,
                contract=ready.short,
                tallies=tuple(_told(where, arm, tally) for (where, arm), tally in changed),
            )
            for _, tally in changed:
                tally.changed = False
        try:
            self._send(message)
        except GlideslopeError:
            self.unsent += 1
            with self._lock:
                for _, tally in changed:
                    tally.changed = True
        else:
            self.unsent = 0
        return self._every

    def forked(self) -> None:
        """Count from zero under another name."""
        self.source = f"{self._origin}.{threading.get_native_id()}"
        self.epoch = time.time_ns() // 1_000_000
        self._forget()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._tallies: dict[tuple[str, Arm], _Tally] = {}
        self._seen: set[tuple[str, int]] = set()
        self._started = False
        self.dropped = self.unsent = 0

    def _start(self) -> None:
        self._started = True
        self._background.start()

    @staticmethod
    def _surplus(row: Mapping[str, Any], ready: _Compiled, at: list[int]) -> bool:
        """Tell whether a row that is no longer than the contract has fields beside it: some of the contract's are absent then."""
        if all(place != offset + MISSING for place, (_, _, offset) in zip(at, ready.rules, strict=True)):
            return False
        known = sum(name in row for name, _, _ in ready.rules)
        return len(row) > known

    def _first(self, stamps: Stamps) -> bool:
        if not stamps.subject or stamps.shadow:
            return True
        key = (f"{stamps.rollout}/{stamps.step}", hash(stamps.subject))
        if key in self._seen or len(self._seen) >= self._most_subjects:
            return False
        self._seen.add(key)
        return True

    def _count(self, where: str, arm: Arm, at: list[int], *, broken: bool, surplus: bool, level: int) -> None:
        tally = self._tallies.get((where, arm))
        if tally is None:
            tally = self._open(where, arm)
        counts = tally.counts
        for place in at:
            counts[place] += 1
        tally.rows[BROKEN if broken else KEPT] += 1
        if surplus:
            tally.rows[SURPLUS] += 1
        if level >= 0:
            sums = tally.sums
            for place in at:
                sums[place] += level
            tally.levels[min(LEVELS - 1, level * LEVELS // SCORE_LEVELS)] += 1
            tally.scored = True
        tally.changed = True

    def _open(self, where: str, arm: Arm) -> _Tally:
        assert self._rules is not None  # noqa: S101 - looked at under the same lock
        size = self._rules.size
        if len(self._tallies) >= MOST_PLACES:
            oldest = next(iter(self._tallies))
            del self._tallies[oldest]
            self._seen = {key for key in self._seen if key[0] != oldest[0]}
        found = self._tallies[where, arm] = _Tally(counts=[0] * size, sums=[0] * size)
        return found


def _step(stamps: Stamps) -> str:
    """Return the step in which a row is compared, MIRRORED for a copy; empty for ordinary traffic."""
    if not stamps.rollout:
        return ""
    if stamps.shadow:
        return MIRRORED
    return stamps.step if step_number(stamps.step) is not None else ""


def _told(where: str, arm: Arm, tally: _Tally) -> FeatureTally:
    rows = tally.rows
    return FeatureTally(
        where=where,
        arm=arm,
        rows=(rows[KEPT], rows[BROKEN], rows[SURPLUS]),
        counts=tuple(tally.counts),
        sums=tuple(tally.sums) if tally.scored else (),
        levels=tuple(tally.levels) if tally.scored else (),
    )
