"""What servers say they use becomes rates per version; what makes no sense becomes nothing."""

import math

import pytest

from glideslope.domain.ids import ModelName, VersionName
from glideslope.engine import usage as module
from glideslope.engine.usage import Usage

DELAYS, V1, V2 = ModelName("delays"), VersionName("v1"), VersionName("v2")


def told(seconds: float, *, cpu: float = 0.0, predictions: float = 0.0, **more: float) -> dict[str, float]:
    return {"seconds": seconds, "cpu_seconds": cpu, "predictions": predictions, **more}


def test_two_processes_of_a_version_are_added_and_the_other_version_is_not() -> None:
    usage = Usage()
    for second in (0.0, 10.0):
        for source in ("a", "b"):
            reading = told(second, cpu=second / 2, predictions=100 * second, memory_bytes=1e6, price_per_hour=3.6)
            usage.hear(DELAYS, V1, source, reading, now=second)
        usage.hear(DELAYS, V2, "c", told(second, cpu=second), now=second)

    assert usage.signals(DELAYS, V1, now=10.0) == {
        "memory_bytes": 2e6,
        "cpu_cores": 1.0,
        "cpu_ms_per_prediction": 5.0,
        "cost_per_thousand": 0.01,
    }
    assert usage.signals(DELAYS, V2, now=10.0) == {"cpu_cores": 1.0}


def test_a_silent_source_is_forgotten_and_one_that_began_anew_begins_anew() -> None:
    usage = Usage()
    usage.hear(DELAYS, V1, "a", told(100.0, cpu=50.0), now=0.0)
    usage.hear(DELAYS, V1, "a", told(5.0, cpu=1.0, memory_bytes=7.0), now=1.0)
    assert usage.signals(DELAYS, V1, now=1.0) == {"memory_bytes": 7.0}
    assert usage.signals(DELAYS, V1, now=100.0) == {}
    assert usage.signals(DELAYS, V2, now=1.0) == {}


def test_what_is_no_number_or_unknown_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SOURCES", 1)
    usage = Usage()
    usage.hear(DELAYS, V1, "a", {"memory_bytes": math.nan, "cpu_seconds": -1.0, "secret": 4.0}, now=0.0)
    usage.hear(DELAYS, V1, "b", {"memory_bytes": 9.0}, now=0.0)

    assert usage.signals(DELAYS, V1, now=0.0) == {}
