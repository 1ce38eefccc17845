"""What is counted while it happens: grow-only, in memory, begun anew with the process. Counting costs about a microsecond."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.metric import LATENCY
from glideslope.domain.traffic import Arm

REQUEST_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""
TICK_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
ROLLBACK_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY_BUCKETS: Final = (1.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
"""From a second to thirty days."""
LEFT_BUCKETS: Final = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Shares of a lease."""


class Histogram:
    """How many of what was seen were at most so large. `counts` has one more than `edges`: what is beyond the last."""

    __slots__ = ("counts", "edges", "total")

    def __init__(self, edges: tuple[float, ...]) -> None:
        self.edges = edges
        self.counts = [0] * (len(edges) + 1)
        self.total = 0.0

    def see(self, value: float, *, times: int = 1) -> None:
        """Count a value."""
        self.counts[bisect_left(self.edges, value)] += times
        self.total += value * times

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """Yield each upper edge with how many were at most that; what is beyond the last edge is not among them."""
        seen = 0
        for edge, count in zip(self.edges, self.counts, strict=False):
            seen += count
            yield edge, seen

    @property
    def count(self) -> int:
        """Return how many were seen."""
        return sum(self.counts)


@dataclass(slots=True)
class Flow:
    """Requests of one arm."""

    requests: int = 0
    bad: int = 0
    rescued: int = 0
    latency: Histogram = field(default_factory=lambda: Histogram(REQUEST_BUCKETS))
    bins: list[int] = field(default_factory=lambda: [0] * LATENCY.bins)
    """The same in the bins of the metric `latency`, which are finer."""


FlowKey = tuple[ModelName, RolloutId, Arm]
"""The rollout is empty for the incumbent's requests outside any step."""


@dataclass(slots=True)
class Meters:
    """Everything that the engine counts of itself."""

    flows: dict[FlowKey, Flow] = field(default_factory=dict)
    ticks: Histogram = field(default_factory=lambda: Histogram(TICK_BUCKETS))
    ticked_at: float | None = None
    """When the last tick ended, in seconds since 1970."""
    signed_at: float | None = None
    """When the last checkpoint was signed."""
    renewals: dict[ModelName, Histogram] = field(default_factory=dict)
    """What was left of an exposure's lease when it was renewed, as a share of it."""
    delays: dict[ModelName, Histogram] = field(default_factory=dict)

    def flow(self, model: ModelName, rollout: RolloutId, arm: Arm) -> Flow:
        """Return the requests of one arm, to be counted."""
        key = (model, rollout, arm)
        found = self.flows.get(key)
        if found is None:
            found = self.flows[key] = Flow()
        return found

    def renewed(self, model: ModelName, *, left: float) -> None:
        """Count a renewal that came with this share of the lease left; below 0 it was over."""
        self.renewals.setdefault(model, Histogram(LEFT_BUCKETS)).see(max(0.0, left))

    def delayed(self, model: ModelName, seconds: float, *, times: int) -> None:
        """Count outcomes that came so late after their prediction."""
        self.delays.setdefault(model, Histogram(DELAY_BUCKETS)).see(max(0.0, seconds), times=times)

    def forget(self, rollouts: Mapping[RolloutId, object]) -> None:
        """Drop the requests of rollouts that are told of no more, so that the number of series stays bounded."""
        for key in [key for key in self.flows if key[1] and key[1] not in rollouts]:
            del self.flows[key]
