"""Counting what happened to subjects, locally and cheaply; a thread sends the totals, and repeats them until they arrive."""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Final

import msgspec
import xxhash

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.ids import WHOLE, Digest, MetricName, ModelName, RolloutId, SliceName, StepName, VersionName
from glideslope.domain.metric import BASELINE, NO_STEP, Cell, Kind, Metric, baseline_scope, logged_cell
from glideslope.domain.observation import CellRefusal, Totals, TotalsTaken
from glideslope.domain.traffic import Arm
from glideslope.sdk.background import Background, after_fork
from glideslope.sdk.briefed import NOT_BRIEFED, Briefed
from glideslope.sdk.notes import PredictionNotes
from glideslope.sdk.stamps import Stamps, step_number

MOST_SUBJECTS: Final = 200_000
"""Subjects remembered at once, about 25 MB; further ones are dropped and counted as dropped."""
MOST_STEPS: Final = 64
EVERY: Final = 1.0
"""Seconds between messages."""
WHOLE_EVERY: Final = 30
"""Messages after which all totals are sent and not only those that changed, should the server have lost some."""

_NO_DIGEST: Final = Digest("")
_NO_VERSION: Final = VersionName("")
_CANDIDATE: Final = Arm.CANDIDATE  # reading a member off its class costs a tenth of the budget
_LARGEST: Final = sys.float_info.max
_LOWEST: Final = -_LARGEST
_NONE: Final[Mapping[MetricName, float]] = {}
_SEEN: Final = 1
_BAD: Final = 2


@dataclass(slots=True)
class _Tally:
    """One arm's counts of one metric: per slice one integer a bin."""

    metric: Metric
    event: bool
    shift: int
    """Where in a subject's state this metric's two bits lie."""
    dithered: bool
    """A value falls on one of two points by chance."""
    divisor: float
    """Values are divided by this before they are binned."""
    whole: list[int]
    slices: dict[SliceName, list[int]] = field(default_factory=dict)


_Tallies = dict[str, tuple[_Tally, ...]]
"""By the name of a value those that count it: a latency and its quantiles count the same."""


@dataclass(slots=True)
class _Step:
    """What is counted in one step; `seen` maps a subject's hash to two bits a metric: counted, counted as bad."""

    candidate: _Tallies
    incumbent: _Tallies
    seen: dict[int, int] = field(default_factory=dict)


class Observer:
    """Counts observations of one model and sends the totals under one source name. Thread-safe; never raises.

    A subject counts once per step and metric, when it is first seen; if that was good and the metric is an event, then
    once more at its first bad one. A request without a subject always counts. What cannot be counted, for want of
    memory, of a briefing or of a finite number, is in `dropped`, which is sent along.

    `send` delivers a message, returns what became of it if it was told, or raises GlideslopeError. `source` must be
    this process's own; a forked child gets another.
    """

    dropped: int
    ignored: int
    """Values of metrics that the plan does not name."""
    unsent: int
    """Messages in a row that did not arrive; their counts are in the next one."""
    refusals: tuple[CellRefusal, ...]
    """What the server would not take of the last message, and why; the rest of it was counted."""

    def __init__(
        self,
        model: ModelName,
        *,
        source: str,
        epoch: int,
        send: Callable[[Totals], TotalsTaken | None],
        version: VersionName = _NO_VERSION,
        most_subjects: int = MOST_SUBJECTS,
        every: float = EVERY,
    ) -> None:
        self._model = model
        self._origin = source
        self._send = send
        self._most_subjects = most_subjects
        self._every = every
        self.source = source
        self.epoch = epoch
        self.version = version
        self.digest = _NO_DIGEST
        self.usage: Callable[[], Mapping[str, float]] | None = None
        """What the process uses, to be sent along."""
        self._briefed = NOT_BRIEFED
        self._ordinary = (baseline_scope(model), NO_STEP)
        """Where the incumbent's ordinary traffic is counted."""
        self.notes: PredictionNotes | None = None
        """What was noted for the prediction log beside these counts, if anything is."""
        self._background = Background(self.send_totals, name=f"glideslope-observe-{model}")
        self._forget()
        after_fork(self)

    def start(self) -> None:
        """Send from now on, each second. Harmless when repeated; `forked` children start again by observing."""
        self._wanted = True
        self._asleep = False
        self._background.start()

    def stop(self, *, timeout: float = 1.0) -> bool:
        """Send once more and end; tell whether that was done within `timeout` seconds."""
        return self._background.stop(timeout=timeout)

    def follow(self, briefed: Briefed) -> None:
        """Count by this briefing from now on; of rollouts that it no longer names, the subjects are forgotten."""
        with self._lock:
            self._briefed = briefed
            known = {*briefed.rollouts, self._ordinary[0]}
            for name in [name for name in self._steps if name[0] not in known]:
                step = self._steps.pop(name)
                self._subjects -= len(step.seen)
                step.seen.clear()
                # Should it be named again, by a server that is ahead of another, its totals must go on and not shrink.
                self._closed[name] = step
                if len(self._closed) > MOST_STEPS:
                    del self._closed[next(iter(self._closed))]

    # One function although it branches much: each call it were split into would cost a twentieth of its microsecond.
    def observe(  # noqa: C901, PLR0915 - see above
        self, stamps: Stamps, /, slices: Mapping[str, str] | None = None, **values: float
    ) -> dict[str, float] | None:
        """Count a value for each named metric under the request's stamps; return the tosses of means that were made for it.

        Mirrored copies are not counted, nor are metrics that the plan does not name. Requests outside any step are the
        incumbent's ordinary traffic: where services assign, their errors and latency are counted for the next plan.
        """
        rollout = stamps.rollout
        if not rollout:
            if self._briefed.in_process and not stamps.shadow:
                self._observe_ordinary(values)
            return None
        if stamps.shadow:
            return None
        tosses: dict[str, float] | None = None
        try:
            with self._lock:
                step = self._steps.get((rollout, stamps.step)) or self._open(rollout, stamps.step)
                if step is None:
                    if not any(closed == rollout for closed, _ in self._closed):
                        self.dropped += len(values)
                    return None
                tallies = step.candidate if stamps.arm is _CANDIDATE else step.incumbent
                seen = step.seen
                key = state = was = 0
                if subject := stamps.subject:
                    key = hash(subject)
                    state = was = seen.get(key, 0)
                    if not was and self._subjects >= self._most_subjects:
                        self.dropped += len(values)
                        return None
                try:
                    for name, value in values.items():
                        counting = tallies.get(name)
                        if counting is None:
                            self.ignored += 1
                            continue
                        if not _LOWEST <= value <= _LARGEST:  # NaN is neither
                            self.dropped += 1
                            continue
                        for tally in counting:
                            if tally.event:
                                bin_ = bad = 1 if value > 0 else 0
                            elif tally.dithered:
                                chance = self._chance(name, stamps)
                                tosses = {**(tosses or {}), name: chance}
                                bin_, bad = tally.metric.bin(value, chance=chance), 0
                            else:
                                bin_, bad = tally.metric.bin(value / tally.divisor), 0
                            if subject:
                                bits = state >> tally.shift & 3
                                if bits & _BAD or bits > bad:
                                    continue
                                state |= (_SEEN | bad << 1) << tally.shift
                            tally.whole[bin_] += 1
                            if slices:
                                for slice_ in self._briefed.slice_names(slices):
                                    tally.slices.setdefault(slice_, [0] * tally.metric.bins)[bin_] += 1
                finally:
                    if state != was:
                        if not was:
                            self._subjects += 1
                        seen[key] = state
        except Exception:  # noqa: BLE001 - the boundary to the host: what cannot be counted is counted as dropped
            self.dropped += 1
        return tosses

    def _observe_ordinary(self, values: Mapping[str, float]) -> None:
        try:
            with self._lock:
                step = self._steps.get(self._ordinary)
                if step is None:
                    if self._asleep:
                        self.start()
                    step = self._steps[self._ordinary] = _Step(candidate={}, incumbent=_tallies(BASELINE))
                for name, value in values.items():
                    for tally in step.incumbent.get(name, ()):
                        if _LOWEST <= value <= _LARGEST:
                            tally.whole[tally.metric.bin(value)] += 1
                        else:
                            self.dropped += 1
        except Exception:  # noqa: BLE001 - the boundary to the host, as in `observe`
            self.dropped += 1

    def observe_late(self, stamps: Stamps, name: str, age: float, *, but: frozenset[str]) -> frozenset[str]:
        """Count a request that has not ended by each metric of `name` that its age decides already; return which.

        Not those in `but`, nor a subject that was counted before. When it ends, `observe` finds its subject counted. Never raises.
        """
        subject = stamps.subject
        late: set[str] = set()
        try:
            with self._lock:
                step = self._steps.get((stamps.rollout, stamps.step)) or self._open(stamps.rollout, stamps.step)
                if step is None or not subject:
                    return frozenset()
                tallies = step.candidate if stamps.arm is _CANDIDATE else step.incumbent
                for tally in tallies.get(name, ()):
                    metric = tally.metric
                    if metric.kind is not Kind.LATENCY or metric.name in but:
                        continue
                    if age / tally.divisor > self._briefed.thresholds.get(metric.name, metric.edges[-1]):
                        late.add(metric.name)
                        self._count_late(step, tally, subject, metric.bin(age / tally.divisor))
        except Exception:  # noqa: BLE001 - the boundary to the host, as in `observe`
            self.dropped += 1
        return frozenset(late)

    def _count_late(self, step: _Step, tally: _Tally, subject: str, bin_: int) -> None:
        key = hash(subject)
        state = step.seen.get(key, 0)
        if state >> tally.shift & _SEEN:
            return
        if not state:
            if self._subjects >= self._most_subjects:
                self.dropped += 1
                return
            self._subjects += 1
        step.seen[key] = state | _SEEN << tally.shift
        tally.whole[bin_] += 1

    def _chance(self, name: str, stamps: Stamps) -> float:
        """Return a number from 0 up to 1 that knows nothing of arms; the same whenever the subject's value is counted."""
        who = stamps.subject or stamps.request
        if not who:
            self._anonymous += 1
            who = f"{self.source}/{self.epoch}/{self._anonymous}"
        return xxhash.xxh64_intdigest(f"{stamps.rollout}/{name}/{who}".encode()) / 2.0**64

    def drop(self, count: int = 1) -> None:
        """Note that something else which belongs to the evidence was lost before it could be counted."""
        with self._lock:
            self.dropped += count

    def name_unlisted(self, fields: Mapping[str, str]) -> None:
        """Tell the server which values stand behind the numbers of unlisted ones, the first of each; all of it may be seen."""
        with self._lock:
            for field, number, value in self._briefed.unlisted(fields):
                self._unlisted.setdefault(field, {}).setdefault(number, value)

    def send_totals(self) -> float:
        """Send what changed since it last arrived; return the seconds until the next time. Never raises."""
        message, sent = self._message()
        try:
            taken = self._send(message)
        except GlideslopeError:
            self.unsent += 1
        else:
            self.unsent = 0
            self.refusals = () if taken is None else taken.refusals
            self._messages += 1
            self._acknowledged.update(sent)
        return self._every

    def forked(self) -> None:
        """Count from zero under another name: totals that two processes send under one name would swallow each other."""
        self.source = f"{self._origin}.{threading.get_native_id()}"
        self.epoch = time.time_ns() // 1_000_000
        self._forget(wanted=self._wanted)

    def _forget(self, *, wanted: bool = False) -> None:
        self._lock = threading.Lock()
        self._steps: dict[tuple[str, str], _Step] = {}
        self._closed: dict[tuple[str, str], _Step] = {}
        self._subjects = 0
        self._acknowledged: dict[Cell, int] = {}
        self._messages = self._sequence = self._anonymous = 0
        self._unlisted: dict[str, dict[str, str]] = {}
        self._wanted = wanted
        self._asleep = wanted
        self.dropped = self.ignored = self.unsent = 0
        self.refusals = ()

    def _open(self, rollout: RolloutId, step: StepName) -> _Step | None:
        """Begin a step's counts; None for a rollout that the briefing does not name, or when there are too many steps."""
        if self._asleep:
            self.start()
        if rollout not in self._briefed.rollouts or step_number(step) is None or len(self._steps) >= MOST_STEPS:
            return None
        metrics = self._briefed.metrics
        found = self._closed.pop((rollout, step), None) or _Step(
            candidate=_tallies(metrics, tolerances=self._briefed.tolerances), incumbent=_tallies(metrics)
        )
        self._steps[rollout, step] = found
        return found

    def _message(self) -> tuple[Totals, dict[Cell, int]]:
        """Return a message of what changed, and all totals. Its number is taken with the counts: what comes later is no less."""
        copies: list[tuple[tuple[str, str], Arm, MetricName, SliceName, list[int]]] = []
        noted: dict[RolloutId, int] = {}
        with nullcontext() if self.notes is None else self.notes.lock, self._lock:
            if self.notes is not None:
                noted = {rollout: number for rollout, number in self.notes.numbers.items() if rollout}
            dropped = self.dropped
            self._sequence += 1
            sequence = self._sequence
            named = {field: dict(values) for field, values in self._unlisted.items()}
            unlisted = named if named and self._briefed.numbered else msgspec.UNSET
            for name, step in self._steps.items():
                for arm, tallies in ((Arm.CANDIDATE, step.candidate), (Arm.INCUMBENT, step.incumbent)):
                    for tally in (one for counting in tallies.values() for one in counting):
                        copies.append((name, arm, tally.metric.name, WHOLE, tally.whole.copy()))
                        copies += [
                            (name, arm, tally.metric.name, s, counts.copy()) for s, counts in tally.slices.items()
                        ]
        now = {
            Cell(RolloutId(name[0]), StepName(name[1]), arm, metric, slice_, bin_): count
            for name, arm, metric, slice_, counts in copies
            for bin_, count in enumerate(counts)
            if count
        }
        now |= {logged_cell(rollout): number for rollout, number in noted.items()}
        known = self._acknowledged = {cell: n for cell, n in self._acknowledged.items() if cell in now}
        everything = self._messages % WHOLE_EVERY == 0
        message = Totals(
            source=self.source,
            epoch=self.epoch,
            model=self._model,
            counts={cell.key(): count for cell, count in now.items() if everything or known.get(cell) != count},
            dropped=dropped,
            version=self.version,
            digest=self.digest,
            sequence=sequence,
            unlisted=unlisted,
            usage=self.usage() if self.usage is not None and self._briefed.usage else msgspec.UNSET,
        )
        return message, now


def _tallies(metrics: Mapping[MetricName, Metric], *, tolerances: Mapping[MetricName, float] = _NONE) -> _Tallies:
    found: _Tallies = {}
    for place, (name, metric) in enumerate(metrics.items()):
        tally = _Tally(
            metric=metric,
            event=metric.kind is Kind.EVENT,
            shift=2 * place,
            dithered=metric.is_dithered,
            divisor=1 + tolerances.get(name, 0.0),
            whole=[0] * metric.bins,
        )
        found[metric.measured] = (*found.get(metric.measured, ()), tally)
    return found
