"""What a model card must say to be complete, and what of it is missing: asked by the card itself, and by a policy if one wants to."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET, UnsetType

from glideslope.domain.governing.facts import Ending, Facts, FailureMode, Makers, Use

_NEEDED: Final = (
    "intended_use",
    "out_of_scope",
    "limitations",
    "task",
    "architecture",
    "licences",
    "makers",
    "code",
    "environment",
    "datasets",
    "evaluations",
    "fairness",
    "failure_modes",
)
_SPEAKING: Final = frozenset({"licences", "datasets", "evaluations", "failure_modes"})
"""Of which an empty list says nothing that a reader could use."""


def missing(facts: Facts) -> tuple[str, ...]:
    """Name what a complete card lacks, as paths into the facts with a reason; empty for a complete one."""
    return tuple(_missing(facts))


def untested(mode: FailureMode) -> str:
    """Tell why a failure mode is not covered by a test that passed; empty when it is."""
    if isinstance(mode.test, UnsetType):
        return "no test"
    if isinstance(mode.result, UnsetType):
        return "its test has no result"
    if mode.result is not Ending.PASSED:
        return f"its test {'failed' if mode.result is Ending.FAILED else 'was skipped'}"
    return "nobody says when its test passed" if isinstance(mode.tested_at, UnsetType) else ""


def _missing(facts: Facts) -> Iterator[str]:
    for topic in _NEEDED:
        said: Any = getattr(facts, topic)
        if said is UNSET:
            yield f"{topic}: nothing is said"
        elif topic in _SPEAKING and not said:
            yield f"{topic}: there are none"
    if isinstance(facts.makers, Makers):
        for name in Makers.__struct_fields__:
            if getattr(facts.makers, name) is UNSET:
                yield f"makers.{name}: nothing is said"
    yield from _data(facts)
    yield from _figures(facts)
    for mode in () if isinstance(facts.failure_modes, UnsetType) else facts.failure_modes:
        if why := untested(mode):
            yield f"failure_modes.{mode.name}: {why}"


def _data(facts: Facts) -> Iterator[str]:
    datasets = () if isinstance(facts.datasets, UnsetType) else facts.datasets
    if datasets and not any(each.use is Use.TRAINING for each in datasets):
        yield "datasets: none is said to be for training"
    for dataset in datasets:
        for name in ("owner", "licence", "fresh_at"):
            if getattr(dataset, name) is UNSET:
                yield f"datasets.{dataset.name}.{name}: nothing is said"
        if dataset.version is UNSET and dataset.digest is UNSET:
            yield f"datasets.{dataset.name}: neither version nor digest says which data"


def _figures(facts: Facts) -> Iterator[str]:
    for measured in () if isinstance(facts.evaluations, UnsetType) else facts.evaluations:
        if measured.rows is UNSET:
            yield f"evaluations.{measured.metric} on {measured.slice}: on how many rows is not said"
        if measured.low is UNSET and measured.high is UNSET:
            yield f"evaluations.{measured.metric} on {measured.slice}: no interval"
