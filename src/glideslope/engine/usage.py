"""What model servers say they use, per version: signals for people, which no decision reads."""

import math
from collections import deque
from collections.abc import Mapping
from typing import Final

from glideslope.domain.ids import ModelName, VersionName

SECONDS: Final = 60.0
"""Over which rates are taken, and after which a silent source is forgotten."""
MOST_SOURCES: Final = 1_000
"""Of one model's version; more are not heard."""

_KEYS: Final = frozenset(
    {"seconds", "cpu_seconds", "predictions", "memory_bytes", "gpu_memory_bytes", "price_per_hour"}
)

_Reading = tuple[float, Mapping[str, float]]


class Usage:
    """The last minute of each source. Rates come from the source's own clock; a source that began anew begins anew here."""

    def __init__(self) -> None:
        self._heard: dict[tuple[ModelName, VersionName], dict[str, deque[_Reading]]] = {}

    def hear(
        self, model: ModelName, version: VersionName, source: str, told: Mapping[str, float], *, now: float
    ) -> None:
        """Take a reading. One that is no number, or goes back, is the first of a new beginning."""
        told = {key: value for key, value in told.items() if key in _KEYS and 0.0 <= value < math.inf}
        sources = self._heard.setdefault((model, version), {})
        if source not in sources and len(sources) >= MOST_SOURCES:
            return
        readings = sources.setdefault(source, deque(maxlen=120))
        if readings and any(told.get(key, 0.0) < readings[-1][1].get(key, 0.0) for key in ("seconds", "cpu_seconds")):
            readings.clear()
        readings.append((now, told))

    def signals(self, model: ModelName, version: VersionName, *, now: float) -> dict[str, float]:
        """Return what all sources of a version use together; empty when none of them said so lately.

        `cpu_cores` (CPU seconds a second), `memory_bytes`, `gpu_memory_bytes`, `cpu_ms_per_prediction` and
        `cost_per_thousand` (predictions).
        """
        spent = wall = predictions = cost = 0.0
        found: dict[str, float] = {}
        for readings in self._heard.get((model, version), {}).values():
            while readings and now - readings[0][0] > SECONDS:
                readings.popleft()
            if not readings:
                continue
            first, last = readings[0][1], readings[-1][1]
            for key in ("memory_bytes", "gpu_memory_bytes"):
                if key in last:
                    found[key] = found.get(key, 0.0) + last[key]
            seconds = last.get("seconds", 0.0) - first.get("seconds", 0.0)
            if seconds <= 0:
                continue
            used = last.get("cpu_seconds", 0.0) - first.get("cpu_seconds", 0.0)
            spent, wall = spent + used, max(wall, seconds)
            found["cpu_cores"] = round(found.get("cpu_cores", 0.0) + used / seconds, 3)
            predictions += last.get("predictions", 0.0) - first.get("predictions", 0.0)
            cost += last.get("price_per_hour", 0.0) * seconds / 3600
        if predictions > 0:
            found["cpu_ms_per_prediction"] = round(1000 * spent / predictions, 4)
            if cost > 0:
                found["cost_per_thousand"] = round(1000 * cost / predictions, 6)
        return found
