"""Gathers outcomes into blocks, within which both arms' orders are compared; who is in one is decided without looking at arms."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import xxhash

from glideslope.domain.ids import MetricName, RolloutId, SliceName, StepName
from glideslope.domain.metric import Kind, Metric, gap_bin
from glideslope.domain.traffic import Arm
from glideslope.stats.ranking import auc_gap, precision_gap

MOST: Final = 128
"""Outcomes of one kind that wait for enough of the other; the oldest give way, in both arms alike."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One prediction with its outcome. `who` is what counts once."""

    arm: Arm
    score: float
    happened: bool
    who: str


@dataclass(slots=True)
class _Waiting:
    happened: deque[Scored] = field(default_factory=lambda: deque(maxlen=MOST))
    others: deque[Scored] = field(default_factory=lambda: deque(maxlen=MOST))


Place = tuple[RolloutId, StepName, SliceName]


class Blocks:
    """Blocks that are not full yet. They are lost at a restart: fewer blocks, no bias."""

    def __init__(self) -> None:
        self._waiting: dict[Place, _Waiting] = {}

    def add(self, place: Place, scored: Scored, *, size: int) -> Sequence[Scored] | None:
        """Take an outcome; return the block that it fills, in an order that chance made. A full one has `size` of each kind."""
        waiting = self._waiting.setdefault(place, _Waiting())
        (waiting.happened if scored.happened else waiting.others).append(scored)
        if min(len(waiting.happened), len(waiting.others)) < size:
            return None
        block = [*waiting.happened, *waiting.others]
        del self._waiting[place]
        return sorted(block, key=lambda one: _number(place[0], one.who))

    def forget(self, rollout: RolloutId) -> None:
        """Drop what waits for a rollout that has ended."""
        for place in [place for place in self._waiting if place[0] == rollout]:
            del self._waiting[place]


def gaps(block: Sequence[Scored], metrics: Sequence[Metric], *, rollout: RolloutId) -> Mapping[MetricName, int]:
    """Return for each ranking the bin of how much worse the candidate orders its part of a block; none where it cannot."""
    parts = [[(one.score, one.happened) for one in block if one.arm is arm] for arm in (Arm.CANDIDATE, Arm.INCUMBENT)]
    found: dict[MetricName, int] = {}
    for metric in metrics:
        gap = (auc_gap if metric.kind is Kind.AUC else precision_gap)(parts[0], parts[1])
        if gap is not None:
            found[metric.name] = gap_bin(gap, chance=toss(block, metric.name, rollout=rollout))
    return found


def toss(block: Sequence[Scored], metric: MetricName, *, rollout: RolloutId) -> float:
    """Return what puts a block's difference on one of two points, 0 up to 1: it knows who is in the block, and nothing else."""
    return _number(rollout, f"{metric}/{name_of(block)}") / 2.0**64


def name_of(block: Sequence[Scored]) -> str:
    """Return what tells a block from any other: a hash of who is in it."""
    return f"{xxhash.xxh64_intdigest('/'.join(one.who for one in block).encode()):x}"


def _number(rollout: RolloutId, what: str) -> int:
    return xxhash.xxh64_intdigest(f"{rollout}/{what}".encode())
