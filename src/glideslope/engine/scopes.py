"""Counters in memory: one scope per rollout, and one per model for the incumbent's ordinary traffic."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from glideslope.domain.doubt import Aside
from glideslope.domain.experience import DELAY
from glideslope.domain.ids import MetricName, RolloutId, SliceName, StepName
from glideslope.domain.metric import LATENCY, Cell
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Total
from glideslope.engine.sources import NOBODY, bound, parted
from glideslope.stats import counts

GATEWAY: Final = "gateway"
"""The source under which a server counts what the data plane saw."""
OUTCOMES: Final = "outcomes"
"""The source under which all servers together count outcomes."""
JOINED: Final = "joined"
"""The source of outcomes that were joined to their predictions: its totals are what the prediction log says they are."""

MOST_SUBJECTS: Final = 2_000_000
"""Subjects remembered per scope; beyond that observations are dropped, and counted as dropped."""


class Scope:
    """Merged totals of one rollout or baseline. Integers only; sources merge by maximum, then add up.

    What was kept under a name alone is continued by whoever speaks under that name in the same epoch: of the two the
    greater counts, so that a service which goes on while the server learns to bind names is not counted twice. Who sends
    another's name and epoch adds no more than under any other name, and takes nothing away.
    """

    def __init__(self, name: RolloutId) -> None:
        self.name = name
        self.dropped = 0
        self._totals: counts.Totals[str] = counts.Totals()
        self._sum: dict[tuple[StepName, MetricName, SliceName, Arm], list[int]] = {}
        self._seen: set[tuple[StepName, str, str]] = set()
        self._outcomes: dict[str, int] = {}
        self._speakers: dict[tuple[str, int], list[str]] = {}
        """Name and epoch to the sources that speak under it, whoever they are."""
        self._aside: dict[str, int] = {}
        """Sources that are set aside, with the last epoch for which they are."""
        self.shared: set[StepName] = set()
        """Steps in which another server, or an earlier start of this one, counted what the gateway saw."""

    def absorb(self, source: str, *, epoch: int, totals: Mapping[str, int]) -> Mapping[Cell, int]:
        """Take a source's totals by cell key, and return by how much each cell grew.

        Raises ValueError for a count that is none, Invalid for a key that is none.
        """
        grown: dict[Cell, int] = {}
        cells = {key: Cell.parse(key) for key in totals}
        counted = dict(totals)
        name = (parted(source)[1], epoch)
        speakers = self._speakers.setdefault(name, [])
        if source not in speakers:
            speakers.append(source)
        for key, told in self._totals.absorb(source, epoch=str(epoch), counts=counted).items():
            cell, growth = cells[str(key)], told
            if len(speakers) > 1 or self._aside:
                growth = self._held(name, key) - self._held(name, key, but=(source, told))
            if source == GATEWAY and cell.metric != DELAY:  # which this server counts, though no gateway saw it
                self.shared.add(cell.step)
            if source == OUTCOMES:
                self._outcomes[key] = counted[key]
            if growth:
                grown[cell] = growth
                self._add(cell, growth)
        return grown

    def said(self, source: str, *, epoch: int) -> Mapping[str, int]:
        """Return what one source says itself, by cell key."""
        return self._totals.of(source, epoch=str(epoch))

    def sources(self) -> Iterable[tuple[str, int]]:
        """Return every source with each of its epochs."""
        return [(source, epoch) for (_, epoch), speakers in self._speakers.items() for source in speakers]

    def set_aside(self, sources: Collection[Aside]) -> None:
        """Use what these sources count no more, neither what they said nor what they will say of those epochs."""
        for one in sources:
            source = bound(one.actor, one.source) if one.actor else one.source
            if self._aside.get(source, -1) >= one.epoch:
                continue
            names = [(one.source, e) for s, e in self.sources() if s == source and e <= one.epoch]
            before = {(name, key): self._held(name, key) for name in names for key in self.said(source, epoch=name[1])}
            self._aside[source] = one.epoch
            for (name, key), held in before.items():
                self._add(Cell.parse(key), self._held(name, key) - held)

    def is_aside(self, source: str, *, epoch: int) -> bool:
        """Tell whether a source is set aside."""
        return self._aside.get(source, -1) >= epoch

    def _held(self, name: tuple[str, int], key: str, *, but: tuple[str, int] = ("", 0)) -> int:
        """Return what is believed of all who speak under a name; `but` a source without so much of its total."""
        told, kept = 0, 0
        for source in self._speakers[name]:
            if not self.is_aside(source, epoch=name[1]):
                count = self.said(source, epoch=name[1]).get(key, 0) - (but[1] if source == but[0] else 0)
                if parted(source)[0] == NOBODY:
                    kept += count
                else:
                    told += count
        return max(told, kept)

    def add(self, cell: Cell, growth: int) -> None:
        """Count what was already made durable elsewhere."""
        self._add(cell, growth)

    def add_outcome(self, cell: Cell, *, count: int = 1) -> None:
        """Count outcomes that were made durable as so many more of OUTCOMES' total, so that reading it back adds nothing."""
        key = cell.key()
        self._outcomes[key] = total = self._outcomes.get(key, 0) + count
        for growth in self._totals.absorb(OUTCOMES, epoch="0", counts={key: total}).values():
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

    def met(self, step: StepName, what: str, subject: str) -> bool:
        """Tell whether `first` was told of a subject."""
        return (step, what, subject) in self._seen

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

    def count(self, key: str, *, growth: int = 1) -> None:
        """Count one, or so many."""
        self.totals[key] = self.totals.get(key, 0) + growth
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

    @property
    def last(self) -> int | None:
        """Return the last second in which anything was counted."""
        return self._seconds[-1].at if self._seconds else None

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
