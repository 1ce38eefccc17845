"""The last minutes of each model, for people to look at: sampled from totals that are counted anyway, so it costs no request anything.

Each sample holds what was counted so far; a point is what came between two samples. Nothing decides by it.
"""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import msgspec

from glideslope.domain.events import instant, rfc3339
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId, SliceName
from glideslope.domain.metric import BASELINE, BUILT_IN, LATENCY, Kind, Metric, baseline_scope
from glideslope.domain.traffic import Arm
from glideslope.engine.baselines import HourView, UsualView
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock
from glideslope.engine.record import Model, Record
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.views import ModelView, RolloutView, SignalView, SourceView

EVERY: Final = 15.0
"""Seconds from one sample to the next."""
POINTS: Final = 40
"""Ten minutes."""
MOST_SLICES: Final = 60
"""Slices that are shown of a metric, those with the most outcomes."""
LATELY: Final = 24 * 3_600_000
"""Milliseconds for which a flag is shown after it was last seen."""
GATEWAY_SIGNALS: Final = frozenset(
    {"requests_per_second", "error_rate", "rescued", "latency_p50", "latency_p95", "latency_p99"}
)
"""Of the signals of an arm those that are series here; the others are what its servers say that they use."""
_MEANS: Final = frozenset({Kind.EVENT, Kind.SCORE, Kind.COUNT, Kind.MEAN, Kind.UNBOUNDED})
_QUANTILES: Final = (0.5, 0.95)

Place = tuple[RolloutId, MetricName, SliceName, Arm]
"""Where values of a metric add up: in a rollout, or in what stands for the traffic outside of any."""


class LiveArm(msgspec.Struct, frozen=True, kw_only=True):
    """One arm of a series. None where nothing came."""

    arm: str
    points: tuple[float | None, ...]
    """One for each of the view's instants."""
    value: float | None
    """Over all of them."""
    count: int
    """Requests or subjects behind it."""


class LiveSeries(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity of both arms, and what is usual at this hour of the week."""

    name: str
    unit: str
    """`a second`, `share`, `ms` or `mean`."""
    arms: tuple[LiveArm, ...]
    usual: float | None
    """Of the incumbent in earlier weeks the median, with the least and the greatest; None while it is learned."""
    low: float | None
    high: float | None
    weeks: int
    standing: str
    """Of the incumbent this hour: `usual`, `above` or `below` all earlier weeks, `unknown`."""
    flagged: tuple[str, ...]
    """What was flagged of it lately, as sentences."""


class LiveSlice(msgspec.Struct, frozen=True, kw_only=True):
    """A metric on a slice, over all instants of the view."""

    metric: str
    slice: str
    arms: tuple[LiveArm, ...]
    """Without points."""


class LiveView(msgspec.Struct, frozen=True, kw_only=True):
    """A model's last ten minutes."""

    model: str
    incumbent: str
    candidate: str
    """Empty while nothing asks to replace it; with `rollout`."""
    rollout: str
    now: str
    at: tuple[str, ...]
    """When each point ended; the last is now, so the newest point is shorter than the others."""
    since: str
    """Since when samples are there: after a start there are none before."""
    heard: float | None
    """Seconds since the last request; None where there was none since the start."""
    series: tuple[LiveSeries, ...]
    slices: tuple[LiveSlice, ...]
    left_out: int
    """Slices that are not shown, of all metrics."""
    sources: tuple[SourceView, ...]
    usage: Mapping[str, Mapping[str, float]]
    """Per arm what its servers use, as they say."""
    flags: tuple[SignalView, ...]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Requests of one arm up to a moment."""

    requests: int = 0
    bad: int = 0
    bins: tuple[int, ...] = (0,) * LATENCY.bins

    def less(self, before: "_Counted") -> "_Counted":
        """Return what came since; what shrank was forgotten meanwhile, and nothing came of it."""
        return _Counted(
            requests=max(0, self.requests - before.requests),
            bad=max(0, self.bad - before.bad),
            bins=tuple(max(0, a - b) for a, b in zip(self.bins, before.bins, strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Sample:
    """All totals of a model at a moment, in monotonic seconds."""

    at: float
    arms: Mapping[Arm, _Counted]
    sums: Mapping[Place, tuple[float, int]]


@dataclass(slots=True)
class _Kept:
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=POINTS + 1))


class Live:
    """Samples the totals of every model."""

    def __init__(self, *, record: Record, observer: Observer, meters: Meters, clock: Clock) -> None:
        self._record = record
        self._observer = observer
        self._meters = meters
        self._clock = clock
        self._kept: dict[ModelName, _Kept] = {}
        self._looked: float | None = None
        """When everything was sampled last; what is not known from then came later, and had counted nothing."""

    async def look(self) -> None:
        """Take a sample of every model; others have their turn in between."""
        for model in self._record.models():
            self._of(model.name).append(self._sample(model))
            await asyncio.sleep(0)
        self._looked = self._clock.monotonic()

    def samples(self, name: ModelName) -> Sequence[Sample]:
        """Return a model's samples, the last one taken now. Raises NotFound."""
        model = self._record.model(name)
        kept = self._of(name)
        now = self._sample(model)
        if not kept:
            kept.append(now)
        return [*kept, now][-POINTS - 1 :]

    def _of(self, name: ModelName) -> deque[Sample]:
        kept = self._kept.get(name)
        if kept is None:
            kept = self._kept[name] = _Kept()
            if self._looked is not None:
                kept.samples.append(Sample(at=self._looked, arms={}, sums={}))
        return kept.samples

    def _sample(self, model: Model) -> Sample:
        arms: dict[Arm, _Counted] = {}
        for (name, _, arm), flow in self._meters.flows.items():
            if name == model.name:
                before = arms.get(arm, _Counted())
                arms[arm] = _Counted(
                    requests=before.requests + flow.requests,
                    bad=before.bad + flow.bad,
                    bins=tuple(a + b for a, b in zip(before.bins, flow.bins, strict=True)),
                )
        return Sample(at=self._clock.monotonic(), arms=arms, sums=dict(self._sums(model)))

    def _sums(self, model: Model) -> Iterator[tuple[Place, tuple[float, int]]]:
        last = self._record.last_rollout_of(model.name)  # one that has just ended still shows what came before
        metrics = {m.name: m for m in (*BUILT_IN.values(), *(last.plan.counted if last else ()))}
        for scope_name in (baseline_scope(model.name), *([last.id] if last else [])):
            scope = self._observer.scope(scope_name)
            found: dict[Place, tuple[float, int]] = {}
            for step, name, slice_, arm in scope.keys():  # noqa: SIM118 - a scope is no mapping
                metric = metrics.get(name)
                if metric is None or metric.kind not in _MEANS or name in BASELINE:
                    continue
                counts = scope.bins(step, name, slice_, arm, size=metric.bins)
                added, count = found.get((scope_name, name, slice_, arm), (0.0, 0))
                found[scope_name, name, slice_, arm] = (added + _sum(metric, counts), count + sum(counts))
            yield from found.items()


def _sum(metric: Metric, counts: Sequence[int]) -> float:
    return metric.sign * sum(value * count for value, count in zip(metric.values, counts, strict=False))


def series_of(samples: Sequence[Sample], usual: Sequence[UsualView], flags: Sequence[SignalView]) -> list[LiveSeries]:
    """Return every series of a model over its samples, quality after what the gateway saw."""
    grown = [_grown(before, after) for before, after in pairwise(samples)]
    spans = [after.at - before.at for before, after in pairwise(samples)]
    known = {each.series: each for each in usual if each.arm != Arm.CANDIDATE}
    found = [
        _series("requests", "a second", _requests(grown, spans), known, flags),
        _series("errors", "share", _errors(grown), known, flags),
        *(_series(f"latency p{q * 100:.0f}", "ms", _latency(grown, q), known, flags) for q in _QUANTILES),
    ]
    for metric in sorted({place[1] for _, sums in grown for place in sums}):
        arms = [_mean(grown, metric, WHOLE, arm) for arm in Arm]
        unit = known[metric].unit if metric in known else "mean"
        found.append(_series(metric, "share" if unit == "share" else "mean", arms, known, flags))
    return [each for each in found if any(arm.count for arm in each.arms)]


def slices_of(samples: Sequence[Sample]) -> list[LiveSlice]:
    """Return every slice of every metric over all samples, those with the most outcomes first."""
    if len(samples) < 2:
        return []
    grown = [_grown(samples[0], samples[-1])]
    places = {(place[1], place[2]) for place in grown[0][1] if place[2] != WHOLE}
    found = [
        LiveSlice(
            metric=metric,
            slice=slice_,
            arms=tuple(
                msgspec.structs.replace(each, points=())
                for arm in Arm
                if (each := _mean(grown, metric, slice_, arm)).count
            ),
        )
        for metric, slice_ in places
    ]
    return sorted(
        (each for each in found if each.arms),
        key=lambda each: (each.metric, -sum(arm.count for arm in each.arms), each.slice),
    )


def live_view(
    model: ModelView,
    samples: Sequence[Sample],
    *,
    usual: Sequence[UsualView],
    flags: Sequence[SignalView],
    rollout: RolloutView | None,
    heard: float | None,
    now: int,
) -> LiveView:
    """Put together a model's last minutes; `now` in milliseconds since the epoch, UTC."""
    lately = [flag for flag in flags if instant(flag.last) >= now - LATELY]
    slices = slices_of(samples)
    shown = [each for k, each in enumerate(slices) if k < MOST_SLICES or each.metric != slices[k - MOST_SLICES].metric]
    return LiveView(
        model=model.name,
        incumbent=model.incumbent,
        candidate=rollout.candidate if rollout else "",
        rollout=model.rollout,
        now=rfc3339(now),
        at=instants(samples, now=now),
        since=rfc3339(now - round(1000 * (samples[-1].at - samples[0].at))),
        heard=heard,
        series=tuple(series_of(samples, usual, lately)),
        slices=tuple(shown),
        left_out=len(slices) - len(shown),
        sources=rollout.sources if rollout else (),
        usage={
            arm: {key: value for key, value in found.items() if key not in GATEWAY_SIGNALS}
            for arm, found in model.signals.items()
        },
        flags=tuple(lately),
    )


def instants(samples: Sequence[Sample], *, now: int) -> tuple[str, ...]:
    """Return when each point ended; `now`, in milliseconds since the epoch, is when the last sample was taken."""
    return tuple(rfc3339(now - round(1000 * (samples[-1].at - each.at))) for each in samples[1:])


_Grown = tuple[Mapping[Arm, _Counted], Mapping[Place, tuple[float, int]]]


def _grown(before: Sample, after: Sample) -> _Grown:
    arms = {arm: counted.less(before.arms.get(arm, _Counted())) for arm, counted in after.arms.items()}
    sums = {}
    for place, (added, count) in after.sums.items():
        was_added, was_count = before.sums.get(place, (0.0, 0))
        if count > was_count:
            sums[place] = (added - was_added, count - was_count)
    return arms, sums


def _requests(grown: Sequence[_Grown], spans: Sequence[float]) -> list[LiveArm]:
    found = []
    for arm in Arm:
        counts = [arms.get(arm, _Counted()).requests for arms, _ in grown]
        points = tuple(n / span if span > 0 else None for n, span in zip(counts, spans, strict=True))
        whole = sum(spans)
        value = sum(counts) / whole if whole > 0 else None
        found.append(LiveArm(arm=arm.value, points=points, value=value, count=sum(counts)))
    return found


def _errors(grown: Sequence[_Grown]) -> list[LiveArm]:
    found = []
    for arm in Arm:
        each = [arms.get(arm, _Counted()) for arms, _ in grown]
        bad, requests = sum(c.bad for c in each), sum(c.requests for c in each)
        points = tuple(c.bad / c.requests if c.requests else None for c in each)
        found.append(LiveArm(arm=arm.value, points=points, value=bad / requests if requests else None, count=requests))
    return found


def _latency(grown: Sequence[_Grown], q: float) -> list[LiveArm]:
    found = []
    for arm in Arm:
        each = [arms.get(arm, _Counted()).bins for arms, _ in grown]
        whole = [sum(column) for column in zip(*each, strict=True)]
        points = tuple(_quantile(bins, q) for bins in each)
        found.append(LiveArm(arm=arm.value, points=points, value=_quantile(whole, q), count=sum(whole)))
    return found


def _mean(grown: Sequence[_Grown], metric: MetricName, slice_: SliceName, arm: Arm) -> LiveArm:
    points, total, counted = [], 0.0, 0
    for _, sums in grown:
        mine = [both for (_, name, where, whose), both in sums.items() if (name, where, whose) == (metric, slice_, arm)]
        added, count = sum(a for a, _ in mine), sum(n for _, n in mine)
        points.append(added / count if count else None)
        total, counted = total + added, counted + count
    return LiveArm(arm=arm.value, points=tuple(points), value=total / counted if counted else None, count=counted)


def _quantile(bins: Sequence[int], q: float) -> float | None:
    """Return the upper edge of the bin that holds a quantile, in milliseconds; None of nothing."""
    left = q * sum(bins)
    if not left:
        return None
    for bin_, count in enumerate(bins):
        left -= count
        if left <= 0:
            return LATENCY.edges[min(bin_, len(LATENCY.edges) - 1)]
    return LATENCY.edges[-1]


def _series(
    name: str,
    unit: str,
    arms: Sequence[LiveArm],
    known: Mapping[str, UsualView],
    flags: Sequence[SignalView],
) -> LiveSeries:
    usual = known.get(name)
    hour = usual.hours[-1] if usual else None
    per = 1 / 60 if unit == "a second" else 1.0  # what is usual is told a minute
    low, middle, high = (None if each is None else each * per for each in _band(hour))
    return LiveSeries(
        name=name,
        unit=unit,
        arms=tuple(each for each in arms if each.count),
        usual=middle,
        low=low,
        high=high,
        weeks=usual.weeks if usual else 0,
        standing=_standing(hour),
        flagged=tuple(flag.sentence for flag in flags if flag.series == name),
    )


def _band(hour: HourView | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if hour is None else (hour.low, hour.usual, hour.high)


def _standing(hour: HourView | None) -> str:
    if hour is None or hour.seen is None or hour.low is None or hour.high is None:
        return "unknown"
    return "above" if hour.seen > hour.high else "below" if hour.seen < hour.low else "usual"
