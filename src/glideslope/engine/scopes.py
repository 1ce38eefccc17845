"""Counters in memory: one scope per rollout, and one per model for the incumbent's ordinary traffic."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from glideslope.domain.ids import MetricName, RolloutId, SliceName, StepName
from glideslope.domain.metric import LATENCY, Cell
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Total
from glideslope.stats import counts

GATEWAY: Final = "gateway"
"""The source under which a server counts what the data plane saw."""
OUTCOMES: Final = "outcomes"
"""The source under which all servers together count outcomes."""

MOST_SUBJECTS: Final = 2_000_000
"""Subjects remembered per scope; beyond that observations are dropped, and counted as dropped."""


class Scope:
    """Merged totals of one rollout or baseline. Integers only; sources merge by maximum, then add up."""

    def __init__(self, name: RolloutId) -> None:
        self.name = name
        self.dropped = 0
        self._totals: counts.Totals[str] = counts.Totals()
        self._sum: dict[tuple[StepName, MetricName, SliceName, Arm], list[int]] = {}
        self._seen: set[tuple[StepName, str, str]] = set()
        self._outcomes: dict[str, int] = {}

    def absorb(self, source: str, *, epoch: int, totals: Mapping[str, int]) -> Mapping[Cell, int]:
        """Take a source's totals by cell key, and return by how much each cell grew.

        Raises ValueError for a count that is none, Invalid for a key that is none.
        """
        grown: dict[Cell, int] = {}
        cells = {key: Cell.parse(key) for key in totals}
        counted = dict(totals)
        for key, growth in self._totals.absorb(source, epoch=str(epoch), counts=counted).items():
            cell = cells[str(key)]
            grown[cell] = growth
            self._add(cell, growth)
            if source == OUTCOMES:
                self._outcomes[key] = counted[key]
        return grown

    def add(self, cell: Cell, growth: int) -> None:
        """Count what was already made durable elsewhere."""
        self._add(cell, growth)

    def add_outcome(self, cell: Cell) -> None:
        """Count one outcome that was made durable as one more of OUTCOMES' total, so that reading it back adds nothing."""
        key = cell.key()
        self._outcomes[key] = count = self._outcomes.get(key, 0) + 1
        for growth in self._totals.absorb(OUTCOMES, epoch="0", counts={key: count}).values():
            self._add(cell, growth)

    def first(self, step: StepName, what: str, subject: str) -> bool | None:
        """Tell whether a subject is new for `what` in a step; None when nobody more can be remembered."""
        key = (step, what, subject)
        if key in self._seen:
            return False
        if len(self._seen) >= MOST_SUBJECTS:
            self.dropped += 1
            return None
        self._seen.add(key)
        return True

    def forget_subjects(self) -> None:
        """Free what was only needed to count each subject once."""
        self._seen.clear()

    def bins(self, step: StepName, metric: MetricName, slice_: SliceName, arm: Arm, *, size: int) -> tuple[int, ...]:
        """Return the counts per bin."""
        found = self._sum.get((step, metric, slice_, arm))
        if found is None:
            return (0,) * size
        return (*found[:size], *(0,) * (size - len(found)))

    def keys(self) -> Iterable[tuple[StepName, MetricName, SliceName, Arm]]:
        """Return every counted combination."""
        return self._sum.keys()

    def _add(self, cell: Cell, growth: int) -> None:
        bins = self._sum.setdefault((cell.step, cell.metric, cell.slice, cell.arm), [])
        if len(bins) <= cell.bin:
            bins.extend([0] * (cell.bin + 1 - len(bins)))
        bins[cell.bin] += growth


@dataclass(slots=True)
class Own:
    """What this process counts itself: grow-only totals of one source, with what changed since they were saved."""

    source: str
    epoch: int
    totals: dict[str, int] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)

    def count(self, key: str) -> None:
        """Count one."""
        self.totals[key] = self.totals.get(key, 0) + 1
        self.changed.add(key)

    def take(self) -> Sequence[Total]:
        """Return the totals that changed, and forget that they did."""
        changed = [
            Total(source=self.source, epoch=self.epoch, cell=key, count=self.totals[key]) for key in self.changed
        ]
        self.changed.clear()
        return changed

    def give_back(self, totals: Iterable[Total]) -> None:
        """Remember them as changed again: they could not be saved."""
        self.changed.update(total.cell for total in totals)


@dataclass(slots=True)
class _Second:
    at: int
    requests: int = 0
    bad: int = 0
    rescued: int = 0
    latencies: dict[int, int] = field(default_factory=dict)


class Window:
    """The last minute of one arm's traffic, second by second, for people to look at; no decision rests on it."""

    SECONDS: Final = 60

    def __init__(self) -> None:
        self._seconds: deque[_Second] = deque(maxlen=self.SECONDS)

    def note(self, *, at: int, bad: bool, rescued: bool, latency_bin: int) -> None:
        """Count one request that ended in second `at`."""
        second = self._second(at)
        second.requests += 1
        second.bad += bad
        second.rescued += rescued
        second.latencies[latency_bin] = second.latencies.get(latency_bin, 0) + 1

    def note_counts(self, *, at: int, requests: int, bad: int) -> None:
        """Count requests that a service reported in second `at`; how long they took is not known here."""
        second = self._second(at)
        second.requests += requests
        second.bad += bad

    def _second(self, at: int) -> _Second:
        if not self._seconds or self._seconds[-1].at < at:
            self._seconds.append(_Second(at))
        return self._seconds[-1]

    def signals(self, *, now: int) -> dict[str, float]:
        """Return throughput (1/s), error rate and latency quantiles (ms) of the seconds that are complete or under way."""
        live = [s for s in self._seconds if now - s.at < self.SECONDS]
        requests = sum(s.requests for s in live)
        if not requests:
            return {"requests_per_second": 0.0}
        span = max(1, now - live[0].at + 1)
        latencies: dict[int, int] = {}
        for second in live:
            for bin_, count in second.latencies.items():
                latencies[bin_] = latencies.get(bin_, 0) + count
        found = {
            "requests_per_second": round(requests / span, 2),
            "error_rate": round(sum(s.bad for s in live) / requests, 6),
            "rescued": float(sum(s.rescued for s in live)),
        }
        if latencies:
            found |= {f"latency_p{q}": _quantile(latencies, q / 100) for q in (50, 95, 99)}
        return found


def _quantile(bins: Mapping[int, int], q: float) -> float:
    """Return the upper edge of the bin that holds the quantile, in milliseconds."""
    left = q * sum(bins.values())
    for bin_ in sorted(bins):
        left -= bins[bin_]
        if left <= 0:
            return LATENCY.edges[min(bin_, len(LATENCY.edges) - 1)]
    return LATENCY.edges[-1]
