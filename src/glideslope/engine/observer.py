"""Observations into counters, counters into evidence. It judges nothing and forgets nothing that it acknowledged.

Long because every kind of observation is counted here, under one lock and in one order.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.evidence import FORMAT, Counts, Evidence, Exposed, Freshness, Maturity, Pairs, Serving
from glideslope.domain.experience import DELAY, TRAFFIC, WATCHED, delay_bin, hour_of_week
from glideslope.domain.freeze import Baseline
from glideslope.domain.governing.drill import STEP, OpenDrill
from glideslope.domain.ids import WHOLE, Digest, MetricName, ModelName, RolloutId, SliceName, StepName, VersionName
from glideslope.domain.metric import (
    BASELINE,
    BUILT_IN,
    ERRORS,
    EXPOSURE,
    LATENCY,
    LOGGED,
    NO_STEP,
    OUTCOME_SEEN,
    RANKED,
    RESCUED,
    Cell,
    Metric,
    Origin,
    answers_cell,
    baseline_scope,
    differences,
    logged_cell,
    pair_metric,
)
from glideslope.domain.observation import Totals, TotalsTaken
from glideslope.domain.pairs import PAIRS, PairKind, answers_metric, pair_values
from glideslope.domain.plan import Plan, StageKind, thresholds
from glideslope.domain.recomputation import Recomputation
from glideslope.domain.rollout import DECIDED, Rollout, exposure
from glideslope.domain.traffic import Arm
from glideslope.engine.admission import Door
from glideslope.engine.doubts import Doubts
from glideslope.engine.ports import Clock, Counters, Served, Total
from glideslope.engine.prediction_log import Whose
from glideslope.engine.record import Record
from glideslope.engine.requests import Met, Requests
from glideslope.engine.scopes import GATEWAY, JOINED, OUTCOMES, Own, Scope, Window
from glideslope.engine.sources import NOBODY, parted
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.usage import Usage

MOST_IDLE: Final = 60 * 24 * 7
"""Minutes without any traffic that still count as watched."""


class Observer:
    """All counters of this process; the gateway's it counts itself, the services' it merges."""

    def __init__(
        self,
        *,
        record: Record,
        counters: Counters,
        clock: Clock,
        epoch: int,
        in_process: bool = False,
        meters: Meters | None = None,
    ) -> None:
        self._meters = Meters() if meters is None else meters
        self._drilled: dict[tuple[ModelName, RolloutId], list[int]] = {}
        """Requests that drills under way moved, and how many of them failed."""
        self._record = record
        self._counters = counters
        self._clock = clock
        self._scopes: dict[RolloutId, Scope] = {}
        self._own = Own(source=GATEWAY, epoch=epoch)
        self._windows: dict[tuple[ModelName, Arm], Window] = {}
        self._heard: dict[tuple[RolloutId, Origin], float] = {}
        """When, in monotonic seconds: a wall clock set back must not make old evidence look fresh."""
        self._serving: dict[tuple[ModelName, VersionName], dict[str, tuple[Digest, float]]] = {}
        """By source what it last said it serves, and when."""
        self._door = Door(record, in_process=in_process)
        self._in_process = in_process
        self._doubts = Doubts(in_process=in_process)
        self._usage = Usage()
        self._lost: dict[tuple[str, int], int] = {}
        """By source and epoch how much it says it could not count."""
        self._lost_of: dict[RolloutId, int] = {}
        self._counting: dict[tuple[RolloutId, Origin], set[str]] = {}
        """Services that count for a rollout: each message of theirs shows that they live, be it empty."""
        self._minutes: dict[ModelName, int] = {}
        """The last minute in which a model's traffic was watched, since the epoch."""
        self._paired: dict[RolloutId, float] = {}
        """When a pair of answers was last made, in monotonic seconds."""
        self._doubtful = False
        self._flushing = asyncio.Lock()
        self.counting = asyncio.Lock()
        """Held from making outcomes durable until they are counted, so that `load` sees both or neither."""
        self.requests: Requests | None = None
        """Where measured requests are noted for the prediction log, if there is one."""
        self.recomputed: Callable[[Rollout], Recomputation | msgspec.UnsetType] = lambda _: msgspec.UNSET
        self.changed: set[RolloutId] = set()
        """Rollouts whose evidence grew since somebody last cleared this."""

    async def load(self) -> None:
        """Read back what was saved, by us or by others; again whenever governing begins. Raises StoreUnavailable."""
        names = [r.id for r in self._record.rollouts()] + [baseline_scope(m.name) for m in self._record.models()]
        # Others may have counted meanwhile, or nobody: what this process saw of the traffic is not the whole of it.
        self._doubts.unwatch()
        async with self.counting:
            for name in names:
                scope = self.scope(name)
                for total in await self._counters.load(f"{name}/"):
                    if (total.source, total.epoch) != (self._own.source, self._own.epoch):
                        scope.absorb(total.source, epoch=total.epoch, totals={total.cell: total.count})
        for rollout in self._record.rollouts():
            self.scope(rollout.id).set_aside(rollout.aside)
        for rollout in self._record.open_rollouts():
            scope = self.scope(rollout.id)
            for source, epoch in scope.sources():
                if parted(source)[0] != NOBODY:
                    self._weigh(rollout, source, map(Cell.parse, scope.said(source, epoch=epoch)), epoch=epoch)

    async def flush(self) -> None:
        """Save what this process counted. Raises StoreUnavailable, keeping it for the next time."""
        # One at a time: whoever asks while another saves must not be told that there is nothing to save.
        async with self._flushing:
            if self._doubtful:
                await self.load()
                self._doubtful = False
            # Taken together: a count of rows must not be durable before its rows.
            rows, totals = None if self.requests is None else self.requests.take(), self._own.take()
            if not totals:
                return
            try:
                if self.requests is not None and rows is not None:
                    await self.requests.write(rows)
                await self._counters.save(totals)
            except BaseException:
                # Cancelled too, as at an orderly stop: what may have been saved is saved again, which changes nothing.
                self._own.give_back(totals)
                raise

    def joined(self, rollout: Rollout, counts: Mapping[str, int]) -> None:
        """Take the totals of outcomes that were joined to their predictions, which were made durable."""
        grown = self.scope(rollout.id).absorb(JOINED, epoch=0, totals=counts)
        if grown:
            self._hear(rollout.id, Origin.OUTCOME, self._now())
            self._weigh(rollout, JOINED, grown, epoch=0)

    def cells(self, rollout: Rollout, metrics: Sequence[Metric]) -> dict[Cell, int]:
        """Return what is counted now of some metrics, and of exposures and outcomes, in all steps that expose somebody.

        And what pairs and blocks say, where the log keeps them.
        """
        scope, found = self.scope(rollout.id), {}
        sizes = {EXPOSURE: 1, OUTCOME_SEEN: 1, **{m.name: m.bins for m in metrics}}
        steps = {s.name for s in rollout.plan.steps if s.candidate}
        compared = _compared(rollout.plan)
        for step, metric, slice_, arm in scope.keys():  # noqa: SIM118 - a scope is no mapping
            if (step in steps and metric in sizes) or metric in compared:
                sizes.setdefault(metric, compared.get(metric, 0))
                for bin_, count in enumerate(scope.bins(step, metric, slice_, arm, size=sizes[metric])):
                    if count:
                        found[Cell(scope.name, step, arm, metric, slice_, bin_)] = count
        return found

    def logged(self, rollout: Rollout) -> tuple[dict[Whose, int], dict[Whose, int], dict[Whose, int]]:
        """Return by source and epoch how many rows were written about a rollout.

        By services, then by servers of its requests, then by servers of answers that they compared.
        """
        told = self._told(rollout, logged_cell(rollout.id))
        services = {whose: count for whose, count in told.items() if whose[0] != GATEWAY}
        gateways = {whose: count for whose, count in told.items() if whose[0] == GATEWAY}
        return services, gateways, self._told(rollout, answers_cell(rollout.id))

    def _told(self, rollout: Rollout, cell: Cell) -> dict[Whose, int]:
        scope, key = self.scope(rollout.id), cell.key()
        told = {
            (source, epoch): scope.said(source, epoch=epoch).get(key, 0)
            for source, epoch in scope.sources()
            if not scope.is_aside(source, epoch=epoch)
        }
        told[self._own.source, self._own.epoch] = self._own.totals.get(key, 0)
        return {whose: count for whose, count in told.items() if count}

    def doubt(self) -> None:
        """Note that outcomes may be durable that nobody counted, for want of an acknowledgement; the next flush reads back."""
        self._doubtful = True

    def scope(self, name: RolloutId) -> Scope:
        """Return a scope's counters, empty at first."""
        found = self._scopes.get(name)
        if found is None:
            found = self._scopes[name] = Scope(name)
        return found

    def served(self, batch: Sequence[Served]) -> None:
        """Take what the data plane saw (a `ServedSink`)."""
        now = self._now()
        for request in batch:
            if request.in_flight:
                self._count_late(request, now=now)
                continue
            self._note(request, now=now)
            if request.step == STEP:
                # Of a drill: the incumbent in a candidate's place, which is in no comparison.
                moved = self._drilled.setdefault((request.model, request.rollout), [0, 0])
                moved[0] += 1
                moved[1] += _is_bad(request)
            elif request.rollout:
                self._count_measured(request, now=now)
            if request.arm is Arm.INCUMBENT:
                self._count_baseline(request)
        self._note_traffic(Counter(request.model for request in batch))
        for model in {request.model for request in batch}:
            rollout = self._record.open_rollout_of(model)
            wanted = exposure(rollout) if rollout is not None else None
            if rollout is not None and wanted is not None and not wanted.split.candidate:
                # A shadow measures no request at the gateway, which is nevertheless seen to work.
                self._hear(rollout.id, Origin.GATEWAY, now)

    def drilled(self, drill: OpenDrill) -> tuple[int, int]:
        """Return how many requests a drill moved and how many of them failed, and forget them."""
        served, failed = self._drilled.get((drill.model, drill.id), (0, 0))
        # What is told of later than that is told of nobody, and goes with the next drill of the model.
        self._drilled = {key: moved for key, moved in self._drilled.items() if key[0] != drill.model}
        return served, failed

    def totals(self, totals: Totals) -> tuple[TotalsTaken, Sequence[Total]]:
        """Take a service's totals; return what became of them, and what is to be made durable.

        A cell that cannot be is refused by itself. Raises Invalid for a source that cannot be.
        """
        now = self._now()
        checked = self._door.check(totals)
        open_ = self._record.open_rollout_of(totals.model)
        for rollout, counts in checked.counts.items():
            grown = self.scope(rollout).absorb(totals.source, epoch=totals.epoch, totals=counts)
            self._note_grown(totals.model, grown, now=now)
            if open_ is not None and rollout == open_.id:
                self._question(open_, totals, counts, grown)
        for key in checked.origins:
            self._counting.setdefault(key, set()).add(totals.source)
        if open_ is not None:
            self._note_lost(open_.id, totals)
        known = [] if open_ is None else [(open_.id, origin) for origin in Origin]
        for rollout, origin in {*checked.origins, *known}:
            aside = self.scope(rollout).is_aside(totals.source, epoch=totals.epoch)
            if not aside and totals.source in self._counting.get((rollout, origin), ()):
                self._hear(rollout, origin, now)
        if totals.usage is not msgspec.UNSET and totals.version in self._record.model(totals.model).versions:
            self._usage.hear(totals.model, totals.version, totals.source, totals.usage, now=now)
        if totals.digest:
            said = self._serving.setdefault((totals.model, totals.version), {})
            said[totals.source] = (totals.digest, now)
            self._touch(totals.model)
        kept = [
            Total(source=totals.source, epoch=totals.epoch, cell=key, count=count)
            for counts in checked.counts.values()
            for key, count in counts.items()
        ]
        return checked.taken, kept

    def counted(self, cells: Mapping[Cell, int]) -> None:
        """Add outcomes that were made durable, so many in each cell."""
        now = self._now()
        for cell, count in cells.items():
            self.scope(cell.rollout).add_outcome(cell, count=count)
            self._hear(cell.rollout, Origin.OUTCOME, now)
        for rollout in self._record.open_rollouts():
            arrived = [c for c in cells if c.rollout == rollout.id and c.metric == OUTCOME_SEEN]
            if arrived:
                self._weigh(rollout, OUTCOMES, arrived, epoch=0)

    def paired(
        self,
        rollout: RolloutId,
        step: StepName,
        slices: Sequence[SliceName],
        bins: Mapping[PairKind, int],
        *,
        who: str,
        met: Met | None = None,
    ) -> None:
        """Count what two answers to one request say about each other; of a subject the first pair in a step.

        `met` is what the prediction log is told of them, where it keeps them.
        """
        scope = self.scope(rollout)
        self._paired[rollout] = self._now()
        self.changed.add(rollout)
        new = scope.first(step, "pair", who)
        if new is None:
            return
        if met is not None and self.requests is not None:
            cell = answers_cell(rollout)
            self.note(cell)
            self.requests.note_answers(
                met, source=self._own.source, epoch=self._own.epoch, number=self._own.totals[cell.key()]
            )
        if not new:
            return
        for slice_ in slices:
            for kind, bin_ in bins.items():
                self._count(scope, step, Arm.CANDIDATE, answers_metric(kind), bin_, slice_=slice_)

    def note(self, cell: Cell, *, growth: int = 1) -> None:
        """Count something in memory, to be saved with what the gateway saw."""
        self.scope(cell.rollout).add(cell, growth)
        self._own.count(cell.key(), growth=growth)

    def answers(self, rollout: Rollout, kind: PairKind, slice_: SliceName) -> tuple[int, ...]:
        """Return how the arms' answers compare, per bin, over all shadow steps."""
        scope, size = self.scope(rollout.id), len(pair_values(kind))
        shadows = (s.name for s in rollout.plan.steps if s.stage is StageKind.SHADOW)
        rows = [scope.bins(s, answers_metric(kind), slice_, Arm.CANDIDATE, size=size) for s in shadows]
        return tuple(map(sum, zip(*rows, strict=True))) or (0,) * size

    def evidence(self, rollout: Rollout, *, in_force: bool) -> Evidence:
        """Freeze what is known about a rollout, in a fixed order."""
        scope, plan = self.scope(rollout.id), rollout.plan
        scope.set_aside(rollout.aside)
        self._doubts.watch(rollout)
        counts, exposed = self.counts(rollout)
        steps = _exposing(rollout)
        return Evidence(
            format=FORMAT,
            counts=counts,
            pairs=(*self._pairs(scope, plan), *self._limited(rollout)),
            exposed=exposed,
            maturity=tuple(Maturity(step=s, **_arms(scope, s, OUTCOME_SEEN)) for s in steps),
            freshness=(
                *(
                    Freshness(
                        origin=origin.value, age=self._age(rollout.id, origin), dropped=self._dropped(scope, origin)
                    )
                    for origin in Origin
                ),
                *((Freshness(origin=PAIRS, age=self._since(self._paired.get(rollout.id))),) if plan.pairs else ()),
            ),
            serving=tuple(
                Serving(arm=arm, version=version, digest=digest)
                for arm, version in ((Arm.CANDIDATE, plan.candidate), (Arm.INCUMBENT, plan.incumbent))
                for digest in self._said(plan, version)
            ),
            in_force=in_force,
            doubts=self._doubts.of(rollout, scope, now=self._now()),
            recomputation=self.recomputed(rollout),
        )

    def counts(self, rollout: Rollout) -> tuple[tuple[Counts, ...], tuple[Exposed, ...]]:
        """Return what is counted of a rollout by now, and who was served; of one that has ended, late outcomes too."""
        scope, steps = self.scope(rollout.id), _exposing(rollout)
        return (
            tuple(self._counts(scope, rollout.plan, steps)),
            tuple(Exposed(step=s, **_arms(scope, s, EXPOSURE)) for s in steps),
        )

    def baseline(self, model: ModelName) -> Baseline:
        """Return the incumbent's recent traffic."""
        scope = self.scope(baseline_scope(model))
        histograms = {
            name: bins
            for name, metric in BUILT_IN.items()
            if any(bins := scope.bins(NO_STEP, name, WHOLE, Arm.INCUMBENT, size=metric.bins))
        }
        second = int(self._now())
        rate = sum(self.signals(model, arm, second=second)["requests_per_second"] for arm in Arm)
        outcomes = sum(scope.bins(NO_STEP, OUTCOME_SEEN, WHOLE, Arm.INCUMBENT, size=1))
        requests = sum(histograms.get(ERRORS.name, ()))
        return Baseline(
            histograms=histograms,
            subjects_per_second=rate,
            outcomes_per_second=rate * min(1.0, outcomes / requests) if requests else 0.0,
            seconds=float(Window.SECONDS),
        )

    def delayed(self, outcomes: Mapping[tuple[RolloutId, StepName, Arm, int], int]) -> None:
        """Count how late outcomes came that were counted just now: no decision rests on it, but the next forecast does.

        They are given by rollout, step, arm and when the answer was given, in seconds since 1970, with how many there are.
        """
        now = self._record.now() / 1000
        for (rollout, step, arm, at), count in outcomes.items():
            self._meters.delayed(self._record.rollout(rollout).plan.model, now - at, times=count)
            self.note(Cell(self.scope(rollout).name, step, arm, DELAY, WHOLE, delay_bin(now - at)), growth=count)

    def signals(self, model: ModelName, arm: Arm, *, second: int | None = None) -> dict[str, float]:
        """Return the last minute of one arm's traffic."""
        window = self._windows.get((model, arm))
        now = int(self._now()) if second is None else second
        return window.signals(now=now) if window else {"requests_per_second": 0.0}

    def usage(self, model: ModelName, version: VersionName) -> dict[str, float]:
        """Return what the servers of a version use, as they say."""
        return self._usage.signals(model, version, now=self._now())

    def heard(self, model: ModelName) -> float | None:
        """Return how many seconds ago the last request of a model was seen; None where none was since the start."""
        last = [at for arm in Arm if (at := self._windows[model, arm].last if (model, arm) in self._windows else None)]
        return max(0.0, self._now() - max(last)) if last else None

    def busy(self, *, within: float) -> bool:
        """Tell whether any request was seen in the last so many seconds."""
        since = self._now() - within
        return any(window.last is not None and window.last >= since for window in self._windows.values())

    def unsaved(self) -> int:
        """Return how many totals wait to be saved."""
        return len(self._own.changed)

    def forget(self, rollout: RolloutId) -> None:
        """Drop the subjects of a rollout that has ended; its counts stay."""
        scope = self._scopes.get(rollout)
        if scope is not None:
            scope.forget_subjects()
        self._doubts.forget(rollout)
        self._lost_of.pop(rollout, None)
        for origin in Origin:
            self._counting.pop((rollout, origin), None)

    def _count_measured(self, request: Served, *, now: float) -> None:
        try:
            rollout = self._record.rollout(request.rollout)
        except GlideslopeError:
            return  # stamped by a ledger that is not ours; it is in the window, and in no comparison
        scope, step = self.scope(rollout.id), request.step
        subject = request.subject
        new = scope.first(step, "request", subject) if subject else True
        if new is None:
            return
        self._log(scope, request)
        bad = _is_bad(request)
        if new:
            if not scope.met(step, "exposed", subject or request.stream):
                self._expose(scope, step, request.arm, now=now)
            for metric, _ in _latencies(rollout.plan):
                if not scope.met(step, f"late {metric.name}", subject or request.stream):
                    self._count(scope, step, request.arm, metric.name, _latency_bin(rollout.plan, metric, request))
            self._count(scope, step, request.arm, ERRORS.name, int(bad))
        if bad and subject:
            # A subject's first bad event counts, not each: one client retrying in a loop must not fail the candidate alone.
            worse = scope.first(step, "bad", subject)
            if worse and not new:
                self._count(scope, step, request.arm, ERRORS.name, 1)
        if request.rescued:
            self._count(scope, step, request.arm, RESCUED, 0)
        self._hear(rollout.id, Origin.GATEWAY, now)

    def _expose(self, scope: Scope, step: StepName, arm: Arm, *, now: float) -> None:
        self._doubts.served(scope.name, step, arm, now=now)
        self._count(scope, step, arm, EXPOSURE, 0)

    def _count_late(self, request: Served, *, now: float) -> None:
        """Count a request that has not ended as exposed, and by each latency that its age decides; its end finds it counted.

        Else a candidate that takes its time would look as if the coin sent it too few.
        """
        who = request.subject or request.stream
        if not (request.rollout and who):
            return
        try:
            rollout = self._record.rollout(request.rollout)
        except GlideslopeError:
            return
        scope, step = self.scope(rollout.id), request.step
        if request.subject and scope.met(step, "request", request.subject):
            return
        noted = False
        if scope.first(step, "exposed", who):
            self._expose(scope, step, request.arm, now=now)
            self._hear(rollout.id, Origin.GATEWAY, now)
            noted = True
        for metric, threshold in _latencies(rollout.plan):
            bin_ = _latency_bin(rollout.plan, metric, request)
            late = bin_ > metric.edges.index(threshold)
            if late and scope.first(step, f"late {metric.name}", who):
                self._count(scope, step, request.arm, metric.name, bin_)
                self._hear(rollout.id, Origin.GATEWAY, now)
                noted = True
        if noted:
            self._log(scope, request)

    def _log(self, scope: Scope, request: Served) -> None:
        """Note for the prediction log what is counted now, if there is one."""
        if self.requests is not None:
            self._count(scope, NO_STEP, Arm.INCUMBENT, LOGGED, 0)
            number = self._own.totals[logged_cell(scope.name).key()]
            self.requests.note(request, source=self._own.source, epoch=self._own.epoch, number=number)

    def _note_traffic(self, requests: Mapping[ModelName, int]) -> None:
        """Count traffic by the hour of the week, and the minutes in which it was watched, idle ones too."""
        now = self._record.now()
        minute = now // 60_000
        for model, growth in requests.items():
            scope = self.scope(baseline_scope(model))
            cell = Cell(scope.name, NO_STEP, Arm.INCUMBENT, TRAFFIC, WHOLE, hour_of_week(now))
            scope.add(cell, growth)
            self._own.count(cell.key(), growth=growth)
            before = self._minutes.get(model, minute - 1)
            for each in range(max(before + 1, minute - MOST_IDLE), minute + 1):
                self._count(scope, NO_STEP, Arm.INCUMBENT, WATCHED, hour_of_week(60_000 * each))
            self._minutes[model] = max(before, minute)

    def _count_baseline(self, request: Served) -> None:
        scope = self.scope(baseline_scope(request.model))
        self._count(scope, NO_STEP, Arm.INCUMBENT, ERRORS.name, int(_is_bad(request)))
        self._count(scope, NO_STEP, Arm.INCUMBENT, LATENCY.name, LATENCY.bin(request.latency_us / 1000))

    def _count(
        self, scope: Scope, step: StepName, arm: Arm, metric: MetricName, bin_: int, *, slice_: SliceName = WHOLE
    ) -> None:
        self.note(Cell(scope.name, step, arm, metric, slice_, bin_))

    def _note(self, request: Served, *, now: float) -> None:
        window = self._windows.setdefault((request.model, request.arm), Window())
        bin_ = LATENCY.bin(request.latency_us / 1000)
        window.note(at=int(now), bad=_is_bad(request), rescued=request.rescued, latency_bin=bin_)
        flow = self._meters.flow(request.model, request.rollout, request.arm)
        flow.requests += 1
        flow.bad += _is_bad(request)
        flow.rescued += request.rescued
        flow.latency.see(request.latency_us / 1e6)
        flow.bins[bin_] += 1

    def _question(self, rollout: Rollout, totals: Totals, counts: Mapping[str, int], grown: Mapping[Cell, int]) -> None:
        """Hold a message against what its source said before, and against the traffic."""
        source, epoch = totals.source, totals.epoch
        if totals.sequence and not self.scope(rollout.id).is_aside(source, epoch=epoch):
            self._doubts.numbered(rollout.id, source, counts, epoch=epoch, sequence=totals.sequence)
        self._weigh(rollout, source, grown, epoch=epoch)

    def _weigh(self, rollout: Rollout, source: str, cells: Iterable[Cell], *, epoch: int) -> None:
        elapsed = (self._record.now(rollout.id) - rollout.proposed_at) // 1000
        self._doubts.weigh(
            rollout, self.scope(rollout.id), source, cells, epoch=epoch, now=self._now(), elapsed=elapsed
        )

    def _note_lost(self, rollout: RolloutId, totals: Totals) -> None:
        """Add what a service lost since it was last heard; how much of it before that was of this rollout is not known."""
        whose = (totals.source, totals.epoch)
        before = self._lost.get(whose, totals.dropped)
        self._lost[whose] = max(before, totals.dropped)
        self._lost_of[rollout] = self._lost_of.get(rollout, 0) + self._lost[whose] - before

    def _dropped(self, scope: Scope, origin: Origin) -> int:
        services = origin is Origin.SERVICE or (origin is Origin.GATEWAY and self._in_process)
        return scope.dropped + (self._lost_of.get(scope.name, 0) if services else 0)

    def _note_grown(self, model: ModelName, grown: Mapping[Cell, int], *, now: float) -> None:
        """Show people what services count where there is no gateway to see it."""
        if requests := sum(n for cell, n in grown.items() if cell.metric == ERRORS.name and cell.slice == WHOLE):
            self._note_traffic({model: requests})
        for cell, growth in grown.items():
            if cell.slice != WHOLE or cell.metric not in BASELINE:
                continue
            flow = self._meters.flow(model, _rollout_of(cell), cell.arm)
            if cell.metric == LATENCY.name:
                seconds = self._seconds(cell)
                flow.latency.see(seconds, times=growth)
                flow.bins[LATENCY.bin(1000 * seconds)] += growth
                continue
            flow.requests += growth
            flow.bad += growth * cell.bin
            window = self._windows.setdefault((model, cell.arm), Window())
            window.note_counts(at=int(now), requests=growth, bad=growth * cell.bin)

    def _seconds(self, cell: Cell) -> float:
        """Return about how long a request took that a service counted: its bin's upper edge, with its tolerance put back."""
        seconds = LATENCY.edges[min(cell.bin, len(LATENCY.edges) - 1)] / 1000
        if cell.arm is Arm.CANDIDATE and _rollout_of(cell):
            seconds *= 1 + self._record.rollout(cell.rollout).plan.tolerances.get(LATENCY.name, 0.0)
        return seconds

    def _counts(self, scope: Scope, plan: Plan, steps: Sequence[StepName]) -> Sequence[Counts]:
        slices = (WHOLE, *plan.slices)
        found = []
        for step in steps:
            for metric in plan.counted:
                for slice_ in slices if metric.origin is not Origin.GATEWAY else (WHOLE,):
                    size = metric.bins
                    candidate = scope.bins(step, metric.name, slice_, Arm.CANDIDATE, size=size)
                    incumbent = scope.bins(step, metric.name, slice_, Arm.INCUMBENT, size=size)
                    if any(candidate) or any(incumbent):
                        found.append(
                            Counts(
                                step=step,
                                metric=metric.name,
                                slice=slice_,
                                candidate=candidate,
                                incumbent=incumbent,
                            ),
                        )
        return found

    def _pairs(self, scope: Scope, plan: Plan) -> Sequence[Pairs]:
        shadows = [s.name for s in plan.steps if s.stage is StageKind.SHADOW]
        tossed = [s.name for s in plan.steps if s.has_coin]
        found = []
        for g in plan.guardrails:
            # A ranking's blocks are compared within themselves, so those of all steps add up.
            steps = tossed if g.metric.kind in RANKED else shadows if is_paired(g.metric) else []
            size = len(differences(g.metric)) if steps else 0
            for slice_ in (WHOLE, *plan.slices) if steps else ():
                rows = [scope.bins(s, pair_metric(g.metric.name), slice_, Arm.CANDIDATE, size=size) for s in steps]
                total = tuple(map(sum, zip(*rows, strict=True)))
                if any(total):
                    found.append(Pairs(metric=g.metric.name, slice=slice_, differences=total))
        return found

    def _limited(self, rollout: Rollout) -> Sequence[Pairs]:
        return [
            Pairs(metric=MetricName(limit.kind.value), slice=slice_, differences=counts)
            for limit in rollout.plan.rules.limits
            for slice_ in (WHOLE, *rollout.plan.slices)
            if any(counts := self.answers(rollout, limit.kind, slice_))
        ]

    def _hear(self, rollout: RolloutId, origin: Origin, now: float) -> None:
        self._heard[(rollout, origin)] = now
        self.changed.add(rollout)

    def _touch(self, model: ModelName) -> None:
        rollout = self._record.open_rollout_of(model)
        if rollout is not None and rollout.phase not in DECIDED:
            self.changed.add(rollout.id)

    def _age(self, rollout: RolloutId, origin: Origin) -> int:
        return self._since(self._heard.get((rollout, origin)))

    def _since(self, heard: float | None) -> int:
        return -1 if heard is None else round(1000 * (self._now() - heard))

    def _said(self, plan: Plan, version: VersionName) -> Sequence[Digest]:
        """Return each digest that some server of a version claims; one that fell silent may have been replaced."""
        claims = self._serving.get((plan.model, version), {})
        patience = plan.stale_after / 1000
        return sorted({digest for digest, at in claims.values() if self._now() - at <= patience})

    def _now(self) -> float:
        return self._clock.monotonic()


def _rollout_of(cell: Cell) -> RolloutId:
    """Return the rollout that a cell is of; empty for a baseline's."""
    return cell.rollout if cell.step != NO_STEP else RolloutId("")


def _is_bad(request: Served) -> bool:
    return request.rescued or request.status == 0 or request.status >= 500


@lru_cache(maxsize=256)
def _compared(plan: Plan) -> Mapping[MetricName, int]:
    """Return under which names it is counted what pairs and blocks say that the log keeps, each with how many bins."""
    if not plan.is_kept:
        return {}
    shadowed = any(s.stage is StageKind.SHADOW for s in plan.steps)
    judged = [g.metric for g in plan.guardrails if g.metric.kind in RANKED or (shadowed and is_paired(g.metric))]
    kinds = PairKind if shadowed else ()
    return {pair_metric(metric.name): len(differences(metric)) for metric in judged} | {
        answers_metric(kind): len(pair_values(kind)) for kind in kinds
    }


@lru_cache(maxsize=256)
def _latencies(plan: Plan) -> tuple[tuple[Metric, float], ...]:
    """Return the latency of the whole, and those of the plan's guardrails on quantiles, which have other bins.

    With each the edge beyond which it is late, however late it becomes.
    """
    known = thresholds(plan)
    quantiles = [g.metric for g in plan.guardrails if g.metric.of == LATENCY.name and g.metric.origin is Origin.GATEWAY]
    return ((LATENCY, LATENCY.edges[-1]), *((metric, known.get(metric.name, metric.edges[-1])) for metric in quantiles))


def _latency_bin(plan: Plan, metric: Metric, request: Served) -> int:
    """Return the bin; the candidate's time is divided by its tolerance first, so that "worse" means beyond the margin."""
    milliseconds = request.latency_us / 1000
    if request.arm is Arm.CANDIDATE:
        milliseconds /= 1 + plan.tolerances.get(metric.name, 0.0)
    return metric.bin(milliseconds)


def _exposing(rollout: Rollout) -> list[StepName]:
    """Return the steps so far in which the candidate serves anybody."""
    return [s.name for s in rollout.plan.steps[: rollout.position + 1] if s.candidate]


def _arms(scope: Scope, step: StepName, metric: MetricName) -> dict[str, int]:
    return {arm.value: scope.bins(step, metric, WHOLE, arm, size=1)[0] for arm in (Arm.CANDIDATE, Arm.INCUMBENT)}
