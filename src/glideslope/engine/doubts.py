"""Remembers what sources say that cannot be true, until a decision has it in its evidence. The rules are in `domain.doubt`.

Here is what the rules cannot know: in which order messages were made, since when something is said, and whether what was
seen to be served is the whole of it. Where a server was restarted, a lease lapsed or another server counted too, it is not,
and nothing is held against it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import msgspec

from glideslope.domain.doubt import FASTEST, HEADSTART, Aside, Claim, Doubt, allowed, is_settled, stands
from glideslope.domain.ids import WHOLE, MetricName, RolloutId, StepName
from glideslope.domain.metric import EXPOSURE, RESCUED, Cell, Kind, Metric, Origin
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.scopes import OUTCOMES, Scope
from glideslope.engine.sources import parted

MOST_DOUBTS: Final = 20
"""Per decision; one is enough to stop a rollout."""


@dataclass(frozen=True, slots=True)
class _Source:
    """One source in one epoch, as far as it speaks of one rollout."""

    rollout: RolloutId
    source: str
    epoch: int


@dataclass(frozen=True, slots=True)
class _Place:
    """What is compared with what was served."""

    step: StepName
    arm: Arm
    metric: MetricName


@dataclass(frozen=True, slots=True)
class _Shrunk:
    cell: Cell
    first: tuple[int, int]
    """Message number and total."""
    second: tuple[int, int]


@dataclass(slots=True)
class _Peak:
    second: int
    count: int = 0
    most: int = 0


class Doubts:
    """One observer's. With `in_process` services are the gateway: each is held against the exposure that it reports itself."""

    def __init__(self, *, in_process: bool) -> None:
        self._in_process = in_process
        self._latest: dict[_Source, dict[str, tuple[int, int]]] = {}
        """Per cell the highest message number, and its total."""
        self._shrunk: dict[_Source, _Shrunk] = {}
        self._beyond: dict[tuple[_Source, _Place], tuple[int, float]] = {}
        """What was counted when it was first more than was served, and when that was."""
        self._fast: dict[_Source, tuple[_Place, int, int]] = {}
        self._watched: dict[RolloutId, int] = {}
        """The last step of which something may be missing in what was seen to be served."""
        self._peaks: dict[tuple[RolloutId, StepName, Arm], _Peak] = {}

    def watch(self, rollout: Rollout) -> None:
        """Take note that whatever is served in later steps will be seen, all of it."""
        known = self._watched.setdefault(rollout.id, rollout.position)
        if rollout.phase is Phase.LAPSED:
            self._watched[rollout.id] = max(known, rollout.position)

    def unwatch(self) -> None:
        """Take note that something may have been missed, in all that was entered so far."""
        self._watched.clear()

    def served(self, rollout: RolloutId, step: StepName, arm: Arm, *, now: float, subjects: int = 1) -> None:
        """Take note of subjects that the gateway counted."""
        peak = self._peaks.setdefault((rollout, step, arm), _Peak(int(now)))
        if peak.second != int(now):
            peak.second, peak.count = int(now), 0
        peak.count += subjects
        peak.most = max(peak.most, peak.count)

    def numbered(
        self, rollout: RolloutId, source: str, counts: Mapping[str, int], *, epoch: int, sequence: int
    ) -> None:
        """Hold a numbered message against those before it.

        Per cell it is enough to know the highest number: while nothing contradicts it, its total is the greatest.
        """
        whose = _Source(rollout, source, epoch)
        latest = self._latest.setdefault(whose, {})
        for key, total in counts.items():
            number, known = latest.get(key, (0, 0))
            low, high = sorted([(number, known), (sequence, total)])
            if low[1] > high[1] or (low[0] == high[0] and low[1] != high[1]):
                self._shrunk.setdefault(whose, _Shrunk(Cell.parse(key), low, high))
            latest[key] = high

    def weigh(
        self,
        rollout: Rollout,
        scope: Scope,
        source: str,
        cells: Iterable[Cell],
        *,
        epoch: int,
        now: float,
        elapsed: int,
    ) -> None:
        """Hold what a source counts in some cells against what was served, and against the seconds since the proposal."""
        whose = _Source(rollout.id, source, epoch)
        metrics = {metric.name: metric for metric in rollout.plan.counted}
        for place in {_Place(c.step, c.arm, c.metric) for c in cells if c.slice == WHOLE}:
            metric = metrics.get(place.metric)
            counted = _counted(scope, whose, place, metric)
            if counted > FASTEST * (elapsed + HEADSTART):
                self._fast.setdefault(whose, (place, counted, elapsed))
            seen = self._seen(rollout, scope, whose, place, metric)
            most = counted if seen is None else allowed(seen=seen[0], peak=seen[1], lease=rollout.plan.lease)
            if counted <= most:
                self._beyond.pop((whose, place), None)
                continue
            said, _ = self._beyond.get((whose, place), (0, now))
            if said <= most:
                self._beyond[whose, place] = (counted, now)

    def of(self, rollout: Rollout, scope: Scope, *, now: float) -> tuple[Doubt, ...]:
        """Return what stands against sources of a rollout, in a fixed order; not what has been set aside."""
        found = [*self._contradictions(rollout, scope), *self._excesses(rollout, scope, now=now)]
        standing = [doubt for doubt in found if stands(doubt, lease=rollout.plan.lease)]
        # Told first is what time cannot resolve, lest it be among those left out.
        standing.sort(key=lambda d: (not is_settled(d), d.actor, d.source, d.epoch, d.claim, d.step, d.arm, d.metric))
        return tuple(standing[:MOST_DOUBTS])

    def forget(self, rollout: RolloutId) -> None:
        """Drop all about a rollout that has ended."""
        for kept in (self._latest, self._shrunk, self._fast):
            for whose in [whose for whose in kept if whose.rollout == rollout]:
                del kept[whose]
        for key in [key for key in self._beyond if key[0].rollout == rollout]:
            del self._beyond[key]
        for peak in [peak for peak in self._peaks if peak[0] == rollout]:
            del self._peaks[peak]
        self._watched.pop(rollout, None)

    def _contradictions(self, rollout: Rollout, scope: Scope) -> Iterable[Doubt]:
        for whose, shrunk in self._shrunk.items():
            if whose.rollout != rollout.id or scope.is_aside(whose.source, epoch=whose.epoch):
                continue
            (first, said), (second, against) = shrunk.first, shrunk.second
            doubt = _doubt(Claim.SHRANK, whose, shrunk.cell, scope, said=said, against=against)
            cell = shrunk.cell
            yield msgspec.structs.replace(doubt, slice=cell.slice, bin=cell.bin, first=first, second=second)

    def _excesses(self, rollout: Rollout, scope: Scope, *, now: float) -> Iterable[Doubt]:
        metrics = {metric.name: metric for metric in rollout.plan.counted}
        for whose, (place, said, elapsed) in self._fast.items():
            if whose.rollout == rollout.id and not scope.is_aside(whose.source, epoch=whose.epoch):
                yield _doubt(Claim.TOO_FAST, whose, place, scope, said=said, against=elapsed)
        for (whose, place), (said, since) in self._beyond.items():
            if whose.rollout != rollout.id or scope.is_aside(whose.source, epoch=whose.epoch):
                continue
            seen = self._seen(rollout, scope, whose, place, metrics.get(place.metric))
            if seen is not None:
                doubt = _doubt(Claim.BEYOND_TRAFFIC, whose, place, scope, said=said, against=seen[0])
                yield msgspec.structs.replace(doubt, peak=seen[1], age=round(1000 * (now - since)))

    def _seen(
        self, rollout: Rollout, scope: Scope, whose: _Source, place: _Place, metric: Metric | None
    ) -> tuple[int, int] | None:
        """Return how many were seen to be served, and the peak of a second; None where that may not be the whole."""
        if self._in_process:
            # What is counted together is sent together, so nothing is under way. Other metrics may be counted elsewhere.
            own = metric is not None and metric.origin is Origin.GATEWAY
            return (_counted(scope, whose, _Place(place.step, place.arm, EXPOSURE), None), 0) if own else None
        index = next((k for k, step in enumerate(rollout.plan.steps) if step.name == place.step), -1)
        if index <= self._watched.get(rollout.id, index) or scope.dropped or place.step in scope.shared:
            return None
        # A rescued request is tried twice, and may be counted twice when nobody is named.
        seen = sum(scope.bins(place.step, name, WHOLE, place.arm, size=1)[0] for name in (EXPOSURE, RESCUED))
        peak = self._peaks.get((rollout.id, place.step, place.arm))
        return seen, 0 if peak is None else peak.most


def _counted(scope: Scope, whose: _Source, place: _Place, metric: Metric | None) -> int:
    """Return how many subjects a source says it counted.

    An event counts a subject once as good and once as bad at most, so the greater bin bounds the subjects from below.
    """
    said = scope.said(whose.source, epoch=whose.epoch)
    size = 1 if metric is None else metric.bins
    first = Cell(whose.rollout, place.step, place.arm, place.metric, WHOLE, 0).key()
    stem = first[:-1]
    bins = [said.get(f"{stem}{k}", 0) for k in range(size)]
    return max(bins) if metric is not None and metric.kind is Kind.EVENT else sum(bins)


def _doubt(claim: Claim, whose: _Source, place: _Place | Cell, scope: Scope, *, said: int, against: int) -> Doubt:
    actor, name = parted(whose.source)
    metrics = {Cell.parse(key).metric for key in scope.said(whose.source, epoch=whose.epoch)}
    return Doubt(
        claim=claim,
        actor=actor,
        source=name,
        epoch=whose.epoch,
        step=place.step,
        arm=place.arm,
        metric=place.metric,
        slice=WHOLE,
        bin=-1,
        said=said,
        against=against,
        metrics=tuple(sorted(metrics)),
    )


def aside(doubt: Doubt) -> Aside | None:
    """Return what setting the doubted source aside would be; None for outcomes, which are nobody's alone."""
    if doubt.source == OUTCOMES:
        return None
    return Aside(actor=doubt.actor, source=doubt.source, epoch=doubt.epoch)
