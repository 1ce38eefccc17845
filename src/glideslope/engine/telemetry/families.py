"""The shape of what is told: families of numbers with a name, a kind, labels and a sentence each. Values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeVar

from glideslope.engine.telemetry.meters import Histogram

T = TypeVar("T")

MOST_SLICES: Final = 20
"""Slices of one guardrail that are told, those with the most evidence of harm; how many were left out is told too."""


class Kind(StrEnum):
    """How a family's numbers behave, in the words of OpenMetrics."""

    COUNTER = "counter"  # only grows, and begins anew with the process
    GAUGE = "gauge"  # goes up and down
    HISTOGRAM = "histogram"  # how many were at most so large, and their sum
    INFO = "info"  # always 1: its labels are what it says


@dataclass(frozen=True, slots=True)
class Definition:
    """A family without its numbers. `name` is whole, `_total` and `_info` included; base units; ratios from 0 to 1."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """Return the unit that the name ends in; empty where it ends in none."""
        stem = self.name.removesuffix("_total")
        return next((unit for unit in UNITS if stem.endswith(f"_{unit}")), "")


UNITS: Final = ("seconds", "bytes", "ratio")


@dataclass(slots=True)
class Family:
    """A family with its numbers, each under the values of its labels, in their order."""

    definition: Definition
    samples: list[tuple[tuple[str, ...], float | Histogram]] = field(default_factory=list)

    def add(self, value: float | Histogram | None, *labels: str) -> None:
        """Add a number. None is what could not be measured: it is left out, and never told as 0."""
        if value is not None:
            self.samples.append((labels, value))


Telling = Sequence[Family]
"""All that is told at one moment."""
