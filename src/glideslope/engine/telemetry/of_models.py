"""What is told of models and of the server itself. Each function takes values and tells them; none asks a clock or a disk."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from glideslope.domain.events import instant
from glideslope.domain.ids import WHOLE, MetricName, ModelName
from glideslope.domain.metric import BUILT_IN, Kind
from glideslope.domain.traffic import Arm
from glideslope.engine.dues import DueView
from glideslope.engine.record import Model
from glideslope.engine.telemetry import names
from glideslope.engine.telemetry.meters import Meters
from glideslope.engine.telemetry.of_rollouts import Tell
from glideslope.engine.telemetry.recorded import Tally

USAGE = {"cpu_cores": names.CPU, "memory_bytes": names.MEMORY, "gpu_memory_bytes": names.GPU_MEMORY}


def traffic(tell: Tell, meters: Meters) -> None:
    """Tell what was served."""
    for (model, rollout, arm), flow in meters.flows.items():
        labels = (model, rollout, arm.value)
        tell(names.REQUESTS, flow.requests, *labels)
        tell(names.ERRORS, flow.bad, *labels)
        tell(names.RESCUED, flow.rescued, *labels)
        tell(names.DURATION, flow.latency, *labels)
    for model, left in meters.renewals.items():
        tell(names.RENEWED, left, model)
    for model, delay in meters.delays.items():
        tell(names.DELAY, delay, model)


def usage(tell: Tell, model: Model, arm: str, version: str, found: Mapping[str, float]) -> None:
    """Tell what the servers of a version use."""
    for key, definition in USAGE.items():
        tell(definition, found.get(key), model.name, arm, version)


def baseline(tell: Tell, model: Model, histograms: Mapping[MetricName, Sequence[int]]) -> None:
    """Tell what the incumbent shows outside any rollout, of what has a mean; how fast it is, its requests say."""
    for name, counts in histograms.items():
        metric, total = BUILT_IN[name], sum(counts)
        if metric.kind in (Kind.EVENT, Kind.SCORE) and total:
            mean = sum(value * count for value, count in zip(metric.values, counts, strict=False)) / total
            tell(names.VALUE, mean, model.name, "", name, WHOLE, Arm.INCUMBENT.value)
            tell(names.SAMPLES, total, model.name, "", name, WHOLE, Arm.INCUMBENT.value)


def recorded(tell: Tell, tally: Tally, models: Iterable[Model]) -> None:
    """Tell what the ledger says; of a model that nothing happened to, 0."""
    for (of, decision, reason), count in sorted(tally.decisions.items()):
        tell(names.DECISIONS, count, of, decision, reason)
    for model in models:
        tell(names.LAPSES, tally.lapses[model.name], model.name)
    for model_name, lasted in tally.rollbacks.items():
        tell(names.ROLLBACK, lasted, model_name)


def upkeep(tell: Tell, found: Sequence[DueView], drilled: Mapping[ModelName, int]) -> None:
    """Tell which drills worked and which are due. `drilled` has the last that passed, in milliseconds since the epoch, 0 for none."""
    for model, at in drilled.items():
        tell(names.DRILLED_AT, at / 1000, model)
    overdue = Counter({"review": 0, "drill": 0})
    for due in found:
        overdue[due.what] += due.overdue
        if due.what == "drill":
            tell(names.DRILL_DUE_AT, instant(due.due) / 1000 if due.due else 0, due.name)
    for what, count in overdue.items():
        tell(names.OVERDUE, count, what)
