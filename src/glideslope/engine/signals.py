"""Signals outside the criteria: looks each minute at every series that is collected, and flags to people what is not as usual.

Advisory, and made so that it cannot be otherwise: nothing here is evidence, no decision reads it, and it calls nobody. A flag is kept
outside the ledger, with what was expected and what was seen.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import exp, log1p
from typing import Final

import msgspec

from glideslope.domain.contract import LEVELS, MISSING, Contract
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.events import instant, rfc3339
from glideslope.domain.ids import WHOLE, MetricName, ModelName, RolloutId
from glideslope.domain.metric import BUILT_IN, EXPOSURE, OUTCOME_SEEN, RESCUED, Kind, Metric, baseline_scope
from glideslope.domain.plan import Plan
from glideslope.domain.rollout import Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.baselines import UsualView, usual_view
from glideslope.engine.features import Features, slices_of
from glideslope.engine.observer import Observer
from glideslope.engine.ports import Clock, Summaries
from glideslope.engine.record import Record
from glideslope.engine.views import SignalsView, SignalView
from glideslope.stats.anomaly import FEWEST, Detector, History, Look, Shape, is_enough, line_of, quantile, score, usual
from glideslope.stats.counts import Table
from glideslope.stats.restarted import Difference

EVERY: Final = 60.0
"""Seconds between looks."""
LOOKS_PER_WEEK: Final = 7 * 86_400 / EVERY
BUDGET: Final = 1.0
"""False flags a week per model, over all its series together, on average."""
WEEKS: Final = 6
"""Weeks of history that say what is usual."""
SAME: Final = 6 * 3_600_000
"""Milliseconds within which a series flagged again is the same flag, still seen."""
MOST_FLAGS: Final = 200
_NAME: Final = "signals/"
_WEEK: Final = 7 * 86_400

_FEWEST_MINUTES: Final = 5


@dataclass(frozen=True, slots=True)
class Series:
    """What is looked at. `profile` is the series whose history says what is usual: the candidate has none of its own."""

    name: str
    arm: str
    shape: Shape
    unit: str
    scale: float = 1.0

    @property
    def key(self) -> str:
        return f"{self.arm} {self.name}"

    @property
    def profile(self) -> str:
        return f"{Arm.INCUMBENT.value} {self.name}" if self.arm == Arm.CANDIDATE else self.key


@dataclass(slots=True)
class _Model:
    """Everything remembered of one model."""

    weeks: dict[int, dict[str, History]] = field(default_factory=dict)
    detectors: dict[str, Detector] = field(default_factory=dict)
    differences: dict[str, Difference] = field(default_factory=dict)
    pending: dict[str, tuple[Look, int]] = field(default_factory=dict)
    """Of series with little traffic: what is not enough for a look yet, and how often it grew."""
    flags: list[SignalView] = field(default_factory=list)
    before: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)
    """Totals at the last look; empty after a start, whose first look only remembers."""
    learning: set[str] = field(default_factory=set)
    series: dict[str, Series] = field(default_factory=dict)
    """What was looked at, by its key, since the start."""
    looked: float = 0.0
    """When last, in seconds since 1970; 0 after a start."""
    rollout: str = ""
    widest: int = 0
    """The most series that were ever watched: the line never falls."""
    changed: bool = False


class _Saved(msgspec.Struct):
    detectors: dict[str, Detector]
    flags: list[SignalView]
    widest: int


class Signals:
    """Looks, remembers and flags. `look` is called once a minute by the server that governs."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        features: Features,
        clock: Clock,
        summaries: Summaries | None,
        budget: float = BUDGET,
    ) -> None:
        self._record = record
        self._observer = observer
        self._features = features
        self._clock = clock
        self._summaries = summaries
        self._budget = budget
        self._models: dict[ModelName, _Model] = {}

    async def load(self) -> None:
        """Read back history, detectors and flags. Raises StoreUnavailable."""
        if self._summaries is None:
            return
        for name, data in (await self._summaries.summaries(_NAME)).items():
            model, what = name.removeprefix(_NAME).split("/", 1)
            known = self._models.setdefault(ModelName(model), _Model())
            try:
                if what == "now":
                    saved = msgspec.msgpack.decode(data, type=_Saved)
                    known.detectors = {key: each for key, each in saved.detectors.items() if each.fits}
                    known.flags, known.widest = saved.flags, saved.widest
                else:
                    known.weeks[int(what)] = msgspec.msgpack.decode(data, type=dict[str, History])
            except (msgspec.MsgspecError, ValueError):
                continue  # of another release: it is learned anew

    async def flush(self) -> None:
        """Save what changed, and forget weeks long past. Raises StoreUnavailable, keeping it for the next time."""
        if self._summaries is None:
            return
        week = int(self._seconds() // _WEEK)
        for name, model in self._models.items():
            if not model.changed:
                continue
            gone = [w for w in model.weeks if w < week - WEEKS]
            saved = _Saved(detectors=model.detectors, flags=model.flags, widest=model.widest)
            summaries = {f"{_NAME}{name}/now": msgspec.msgpack.encode(saved)}
            if week in model.weeks:
                summaries[f"{_NAME}{name}/{week}"] = msgspec.msgpack.encode(model.weeks[week])
            if week - 1 in model.weeks:  # whose last minutes may have come after its last save
                summaries[f"{_NAME}{name}/{week - 1}"] = msgspec.msgpack.encode(model.weeks[week - 1])
            model.changed = False
            try:
                await self._summaries.summarise(summaries, drop=[f"{_NAME}{name}/{w}" for w in gone])
            except StoreUnavailable:
                model.changed = True
                raise
            for w in gone:
                del model.weeks[w]

    def look(self) -> Sequence[SignalView]:
        """Look once at every series of every model, and return what was flagged anew."""
        found: list[SignalView] = []
        for model in self._record.models():
            found += self._look_at(model.name, model.contract)
        return found

    def view(self, name: ModelName) -> SignalsView:
        """Return a model's flags. Raises NotFound."""
        self._record.model(name)
        model = self._models.get(name, _Model())
        return SignalsView(
            model=name,
            advisory=True,
            budget_per_week=self._budget,
            series=len(model.detectors) + len(model.differences) + len(model.learning - set(model.detectors)),
            learning=len(model.learning),
            flags=tuple(reversed(model.flags)),
        )

    def usual(self, name: ModelName) -> tuple[UsualView, ...]:
        """Return a model's series over the last day against the same hours of earlier weeks. Raises NotFound."""
        self._record.model(name)
        model = self._models.get(name, _Model())
        return tuple(
            usual_view(
                series.name,
                series.arm,
                series.shape,
                {week: held[key] for week, held in model.weeks.items() if key in held},
                flagged=[
                    (instant(flag.first) / 1000, instant(flag.last) / 1000)
                    for flag in model.flags
                    if (flag.series, flag.arm) == (series.name, series.arm)
                ],
                seconds=self._seconds(),
            )
            for key, series in model.series.items()
            if series.arm != Arm.CANDIDATE
        )

    def _look_at(self, name: ModelName, contract: Contract | None) -> list[SignalView]:
        model = self._models.setdefault(name, _Model())
        open_ = self._record.open_rollout_of(name)
        first, seconds = not model.before, self._seconds()
        minutes, model.looked = max(1, round((seconds - model.looked) / EVERY)), seconds
        if model.rollout != (rollout := open_.id if open_ else RolloutId("")):
            # A candidate's past says nothing of the next one's.
            model.detectors = {k: d for k, d in model.detectors.items() if not k.startswith(Arm.CANDIDATE.value)}
            model.differences.clear()
            model.rollout = rollout
        looks = list(self._levels(name, model, contract, open_, minutes=minutes))
        tables = dict(self._tables(name, model, contract, open_))
        model.changed = True
        if first:
            return []
        watched = len({series.key for series, _ in looks} | set(model.detectors)) + len(tables)
        model.widest = max(model.widest, watched, 1)
        line = line_of(series=model.widest, looks_per_week=LOOKS_PER_WEEK, budget=self._budget)
        found = [
            self._judge(name, model, series, look, line=line, rollout=rollout, minutes=minutes)
            for series, look in looks
        ]
        for what, grown in tables.items():
            found.append(self._compare(name, model, what, grown, line=line, rollout=rollout))
        return [flag for flag in found if flag is not None]

    def _judge(
        self,
        name: ModelName,
        model: _Model,
        series: Series,
        look: Look,
        *,
        line: float,
        rollout: RolloutId,
        minutes: int,
    ) -> SignalView | None:
        """Score one look against earlier weeks, then remember it in this one's."""
        seconds = self._seconds()
        model.series[series.key] = series
        # Weeks begin on Thursday, as 1970 did; it only matters that they all do.
        week, into = int(seconds // _WEEK), seconds % _WEEK / 3600
        earlier = [h[series.profile] for w, h in model.weeks.items() if w < week and series.profile in h]
        fewest = _FEWEST_MINUTES if series.shape is Shape.RATE else 5 * FEWEST
        expected = usual(earlier, into, fewest=fewest)
        if series.arm != Arm.CANDIDATE and look.count:
            model.weeks.setdefault(week, {}).setdefault(series.key, History()).add(look, hour=int(into))
        if expected is None:
            model.learning.add(series.key)
            return None
        held, grown = model.pending.pop(series.key, (Look(0.0, 0.0), 0))
        look = Look(held.total + look.total, held.count + look.count)
        if not is_enough(series.shape, look, expected, held=grown):
            model.pending[series.key] = (look, grown + 1)
            return None
        detector = model.detectors.get(series.key)
        if detector is None:
            known = model.detectors.get(series.profile)
            detector = model.detectors[series.key] = Detector() if known is None else known.for_another()
        before, own = detector.evidence, detector.limit(line)
        if detector.silent:
            model.learning.add(series.key)
        else:
            model.learning.discard(series.key)
        far = score(series.shape, look, expected, scale=series.scale)
        if not detector.see(far, chance=_chance(name, series.key, seconds), line=line, looks=minutes * (grown + 1)):
            return None
        seen = look.value
        direction = "above" if seen > expected else "below"
        sentence = (
            f"{series.name} of the {series.arm or 'model'} is {direction} what is usual at this hour of the week: "
            f"{_shown(seen, series)} instead of {_shown(expected, series)}."
        )
        return self._flag(
            name, model, series.name, series.arm, rollout=rollout, sentence=sentence, line=exp(own),
            evidence=max(before, exp(own)), expected=expected, seen=seen, unit=series.unit, baseline="hour of week",
        )  # fmt: skip

    def _compare(
        self, name: ModelName, model: _Model, what: str, tables: Sequence[Table], *, line: float, rollout: RolloutId
    ) -> SignalView | None:
        detector = model.differences.setdefault(f"{rollout} {what}", Difference())
        before = detector.evidence
        if not detector.see(tables, line=line):
            return None
        sentence = f"{what} differs between the arms of {rollout}, beyond what the coin explains."
        return self._flag(
            name, model, what, "difference", rollout=rollout, sentence=sentence, line=line,
            evidence=max(before, line), expected=None, seen=None, unit="", baseline="the other arm",
        )  # fmt: skip

    def _flag(
        self, name: ModelName, model: _Model, series: str, arm: str, *, rollout: RolloutId, sentence: str,
        evidence: float, line: float, expected: float | None, seen: float | None, unit: str, baseline: str,
    ) -> SignalView | None:  # fmt: skip
        """Keep a flag; None when it is one that stands already and is only seen again."""
        at = int(self._seconds() * 1000)
        now = rfc3339(at)
        for k, flag in enumerate(model.flags):
            same = (flag.series, flag.arm, flag.rollout) == (series, arm, rollout)
            if same and (arm == "difference" or flag.last >= rfc3339(at - SAME)):
                model.flags[k] = msgspec.structs.replace(
                    flag, last=now, seen=seen, evidence=max(evidence, flag.evidence)
                )
                return None
        id_ = hashlib.sha256(f"{name} {series} {arm} {rollout} {at}".encode()).hexdigest()[:10]
        flag = SignalView(
            id=id_, model=name, series=series, arm=arm, rollout=rollout, first=now, last=now, expected=_rounded(expected),
            seen=_rounded(seen), unit=unit, baseline=baseline, evidence=float(f"{evidence:.4g}"), line=round(line), sentence=sentence,
        )  # fmt: skip
        model.flags.append(flag)
        del model.flags[:-MOST_FLAGS]
        return flag

    # What is collected, as looks.

    def _levels(
        self, name: ModelName, model: _Model, contract: Contract | None, open_: Rollout | None, *, minutes: int
    ) -> Iterator[tuple[Series, Look]]:
        arms = [self._observer.signals(name, arm).get("requests_per_second", 0.0) for arm in Arm]
        yield Series("requests", "", Shape.RATE, "per minute"), Look(sum(arms) * EVERY * minutes, minutes)
        places: list[tuple[RolloutId, Arm, Plan | None]] = [(baseline_scope(name), Arm.INCUMBENT, None)]
        if open_ is not None:
            places.append((open_.id, Arm.CANDIDATE, open_.plan))
        for scope, arm, plan in places:
            for metric in _metrics(plan):
                grown = self._grown(model, scope, metric, arm)
                if metric.name == RESCUED:
                    continue
                yield from _of_metric(metric, grown, arm, plan)
        if contract is not None:
            yield from self._of_features(name, model, contract)

    def _of_features(self, name: ModelName, model: _Model, contract: Contract) -> Iterator[tuple[Series, Look]]:
        today = str(self._features.today)
        model.before = {k: v for k, v in model.before.items() if k[0] != "features" or k[2] == today}
        day = self._features.at(name, f"d{today}", contract)
        for arm, held in day.items():
            key = ("features", contract.short, today, arm.value)
            grown = _growth(model, key, (*held.rows, *held.levels, *held.counts))
            rows, levels, counts = grown[:3], grown[3 : 3 + LEVELS], grown[3 + LEVELS :]
            seen = rows[0] + rows[1]
            yield Series("rows that break the contract", arm.value, Shape.SHARE, "share"), Look(rows[1], seen)
            if scored := sum(levels):
                added = sum((k + 0.5) / LEVELS * n for k, n in enumerate(levels))
                yield Series("score", arm.value, Shape.MEAN, "mean"), Look(added, scored)
            for rule, where in zip(contract.features, slices_of(contract), strict=True):
                missing = counts[where][MISSING] if counts else 0
                yield Series(f"feature {rule.name} missing", arm.value, Shape.SHARE, "share"), Look(missing, seen)

    def _tables(
        self, name: ModelName, model: _Model, contract: Contract | None, open_: Rollout | None
    ) -> Iterator[tuple[str, Sequence[Table]]]:
        if open_ is None:
            return
        scope = self._observer.scope(open_.id)
        steps = [step for step in open_.plan.steps if step.has_coin]
        for metric in _metrics(open_.plan):
            if metric.name in open_.plan.tolerances:
                continue  # the candidate's are divided by their tolerance before they are binned: the arms are not meant to be equal
            rows = []
            for step in steps:
                sides = [
                    _growth(
                        model,
                        ("difference", open_.id, step.name, metric.name, arm.value),
                        scope.bins(step.name, metric.name, WHOLE, arm, size=max(2, metric.bins)),
                    )
                    for arm in (Arm.CANDIDATE, Arm.INCUMBENT)
                ]
                weights = step.split.weights()
                rows.append(Table(weights.candidate, weights.control, *sides))
            yield metric.name, rows
        if contract is not None:
            yield from self._compared(name, model, contract, open_)

    def _compared(
        self, name: ModelName, model: _Model, contract: Contract, open_: Rollout
    ) -> Iterator[tuple[str, Sequence[Table]]]:
        found: dict[str, list[Table]] = {}
        for step in open_.plan.steps:
            held = self._features.compared(open_.id, step.name, name, contract) if step.has_coin else {}
            if len(held) < 2:
                continue
            weights = step.split.weights()
            sides = []
            for arm in (Arm.CANDIDATE, Arm.INCUMBENT):
                key = ("compared", open_.id, step.name, contract.short, arm.value)
                sides.append(_growth(model, key, (*held[arm].levels, *held[arm].counts)))
            cuts = [("score", slice(0, LEVELS))]
            for rule, where in zip(contract.features, slices_of(contract), strict=True):
                cuts.append((f"feature {rule.name}", slice(where.start + LEVELS, where.stop + LEVELS)))
            for what, cut in cuts:
                table = Table(weights.candidate, weights.control, sides[0][cut], sides[1][cut])
                found.setdefault(what, []).append(table)
        yield from found.items()

    def _grown(self, model: _Model, scope: RolloutId, metric: Metric, arm: Arm) -> tuple[int, ...]:
        counts = self._observer.scope(scope)
        steps = {step for step, *rest in list(counts.keys()) if rest == [metric.name, WHOLE, arm]}
        rows = [counts.bins(step, metric.name, WHOLE, arm, size=max(2, metric.bins)) for step in sorted(steps)]
        total = tuple(map(sum, zip(*rows, strict=True))) if rows else (0,) * max(2, metric.bins)
        return _growth(model, ("level", scope, metric.name, arm.value), total)

    def _seconds(self) -> float:
        return self._clock.now().timestamp()


def _metrics(plan: Plan | None) -> Sequence[Metric]:
    """Return all metrics that are counted: the built-in ones, and those of a plan."""
    known: dict[MetricName, Metric] = dict(BUILT_IN)
    if plan is not None:
        known |= {g.metric.name: g.metric for g in plan.guardrails}
    return [metric for name, metric in known.items() if name not in {EXPOSURE, OUTCOME_SEEN}]


def _of_metric(metric: Metric, grown: Sequence[int], arm: Arm, plan: Plan | None) -> Iterator[tuple[Series, Look]]:
    count = sum(grown)
    match metric.kind:
        case Kind.EVENT:
            yield Series(metric.name, arm.value, Shape.SHARE, "share"), Look(grown[1], count)
        case Kind.SCORE | Kind.COUNT | Kind.MEAN | Kind.UNBOUNDED:
            values = [metric.sign * value for value in metric.values]
            added = sum(value * n for value, n in zip(values, grown, strict=False))
            scale = max(values) - min(values) or 1.0
            yield Series(metric.name, arm.value, Shape.MEAN, "mean", scale=scale), Look(added, count)
        case Kind.CALIBRATION | Kind.AUC | Kind.AVERAGE_PRECISION:
            return  # counted by score and outcome together: no one figure a minute says how well; the difference is looked at
        case Kind.LATENCY:
            # As it was before it was divided by its tolerance.
            shift = plan.tolerances.get(metric.name, 0.0) if plan is not None and arm is Arm.CANDIDATE else 0.0
            for q in (50, 95):
                at = quantile(grown, metric.edges, q / 100)
                if at is not None and count >= FEWEST:
                    series = Series(f"{metric.name} p{q}", arm.value, Shape.LEVEL, "log ms", scale=4.0)
                    yield series, Look((at + log1p(shift)) * count, count)


def _growth(model: _Model, key: tuple[str, ...], now: Sequence[int]) -> tuple[int, ...]:
    """Return what came since the last look. What was there at the first is no growth; what shrank was set aside, and is none either."""
    before = model.before.get(key)
    model.before[key] = tuple(now)
    if before is None:
        return (0,) * len(now)
    return tuple(max(0, a - b) for a, b in zip(now, before, strict=False))


def _chance(model: str, series: str, seconds: float) -> float:
    """Return what breaks ties: as good as chance, and the same for whoever looks again."""
    digest = hashlib.blake2b(f"{model} {series} {int(seconds)}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2**64


def _rounded(number: float | None) -> float | None:
    return None if number is None else float(f"{number:.6g}")


def _shown(number: float, series: Series) -> str:
    match series.shape:
        case Shape.LEVEL:
            return f"{exp(number):.4g} ms"
        case Shape.SHARE:
            return f"{number:.3%}"
        case Shape.RATE:
            return f"{number:,.0f} per minute"
        case Shape.MEAN:
            return f"{number:.4g}"
