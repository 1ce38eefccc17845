"""Rounds become figures: what fails counts, what is not known is open, and throughput is what was carried."""

import numpy as np
import pytest

from glideslope.domain.decision import Verdict
from glideslope.evaluate.declared import Cost, Load, Target
from glideslope.evaluate.loading import Round
from glideslope.evaluate.performing import arm_of, compare_errors, compare_service, level_of
from glideslope.evaluate.results import Comparison, Level

LOAD = Load(levels=(10, 100), rounds=2, within="100ms")


def drawn(
    seed: int, *, rate: float = 100.0, scale: float = 1.0, failing: float = 0.0, cpu: float = 0.002
) -> list[Round]:
    """Two rounds of ten seconds: latencies about 10 ms times the scale, and a share of failures that come at once."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(2):
        n = int(rate * 10)
        ok = rng.random(n) >= failing
        latency = np.where(ok, rng.lognormal(0, 0.3, n) * 10_000 * scale, 10)
        due = np.sort(rng.uniform(0, 10e6, n))
        found.append(
            Round(
                rate=rate,
                seconds=10.0,
                due=[int(each) for each in due],
                latency=[int(each) for each in latency],
                ok=[bool(each) for each in ok],
                lag=[0] * n,
                cpu=list(np.cumsum([0.0] + [cpu * n / 10] * 10)),
            )
        )
    return found


def compared(
    candidate: list[list[Round]], incumbent: list[list[Round]], *, price: Cost | None = None, **targets: Target
) -> dict[str, Comparison]:
    levels: list[Level] = []
    arms = {}
    for rate, c, i in zip(LOAD.levels, candidate, incumbent, strict=True):
        pair = [arm_of(rounds, timeout=5000, within=LOAD.within) for rounds in (c, i)]
        levels.append(level_of(f"{rate:g}/s", rate, *pair, load=LOAD, confidence=0.95, replicates=300, seed=[1]))
        arms[rate] = (pair[0], pair[1])
    found = compare_service(targets, arms, levels, load=LOAD, cost=price, confidence=0.95, replicates=300, seed=[1])
    return {each.metric: each for each in found}


def both(**changes: float) -> tuple[list[list[Round]], list[list[Round]]]:
    return [drawn(1, rate=10), drawn(2, **changes)], [drawn(3, rate=10), drawn(4)]


def verdict(found: dict[str, Comparison], metric: str) -> Verdict:
    return found[metric].bounds[0].verdict


def test_latencies_are_judged_absolutely_and_against_the_incumbent() -> None:
    limit, margin = Target(limit="50ms"), Target(margin="25%")

    even = compared(*both(), latency_p95=limit, latency_p50=margin)
    slow = compared(*both(scale=2.0), latency_p95=Target(limit="12ms"), latency_p50=margin)

    assert even["latency_p50"].candidate.value == pytest.approx(10, rel=0.1)
    assert (verdict(even, "latency_p95"), verdict(even, "latency_p50")) == (Verdict.PASS, Verdict.PASS)
    assert (verdict(slow, "latency_p95"), verdict(slow, "latency_p50")) == (Verdict.FAIL, Verdict.FAIL)


def test_a_quick_failure_counts_as_the_whole_timeout() -> None:
    """A server that fails one request in ten at once would look quicker than one that answers."""
    found = compared(*both(failing=0.1), latency_p95=Target(limit="50ms"))

    assert found["latency_p95"].candidate.value == 5000
    assert verdict(found, "latency_p95") is Verdict.FAIL


def test_a_p99_of_few_requests_has_no_upper_end_and_is_no_pass() -> None:
    few = [drawn(1, rate=10), drawn(2, rate=15)], [drawn(3, rate=10), drawn(4, rate=15)]

    found = compared(*few, latency_p99=Target(limit="50ms"))

    assert found["latency_p99"].candidate.high is None
    assert verdict(found, "latency_p99") is Verdict.INCONCLUSIVE


def test_throughput_is_the_highest_load_that_is_carried_and_no_more_than_was_asked() -> None:
    asked = {"throughput": Target(limit=100)}
    carried = compared([drawn(1, rate=10, scale=0.1), drawn(2)], [drawn(3, rate=10), drawn(4)], **asked)
    broken = compared([drawn(1, rate=10), drawn(2, failing=0.2)], [drawn(3, rate=10), drawn(4)], **asked)

    # Ten per second for twenty seconds are too few to prove a share of 99 %, so the ladder is in doubt from its first rung.
    assert verdict(carried, "throughput") is Verdict.INCONCLUSIVE
    assert carried["throughput"].candidate.high == 100
    assert verdict(broken, "throughput") is Verdict.INCONCLUSIVE
    many = compared([drawn(1, rate=60), drawn(2)], [drawn(3, rate=60), drawn(4)], **asked)
    failing = compared([drawn(1, rate=60, failing=0.2), drawn(2)], [drawn(3, rate=60), drawn(4)], **asked)
    assert (verdict(many, "throughput"), many["throughput"].candidate.value) == (Verdict.PASS, 100)
    assert (verdict(failing, "throughput"), failing["throughput"].candidate.value) == (Verdict.FAIL, 0)


def test_cost_is_the_cpu_time_of_an_answer_times_its_price() -> None:
    found = compared(*both(cpu=0.004), price=Cost(per_cpu_hour=3600.0), cost=Target(margin="50%"))

    assert found["cost"].candidate.value == pytest.approx(4.0)
    assert found["cost"].incumbent.value == pytest.approx(2.0)
    assert verdict(found, "cost") is Verdict.FAIL


def test_the_cost_of_an_hour_is_shared_by_what_is_carried() -> None:
    rounds = [drawn(1, rate=60), drawn(2)], [drawn(3, rate=60), drawn(4)]
    found = compared(*rounds, price=Cost(per_hour=3.6), cost=Target(limit=0.02))

    assert found["cost"].candidate.value == pytest.approx(0.01)
    assert verdict(found, "cost") is Verdict.PASS


@pytest.mark.parametrize(
    ("unanswered", "target", "verdict"),
    [
        ((0, 0), None, Verdict.PASS),
        ((1, 1), None, Verdict.FAIL),
        ((0, 0), Target(limit=0.01), Verdict.PASS),
        ((9, 0), Target(limit=0.01), Verdict.INCONCLUSIVE),
        ((60, 0), Target(limit=0.01), Verdict.FAIL),
        ((0, 0), Target(margin=0.02), Verdict.PASS),
        ((0, 0), Target(margin=0.001), Verdict.INCONCLUSIVE),
    ],
)
def test_rows_without_an_answer_are_counted_exactly(
    unanswered: tuple[int, int], target: Target | None, verdict: Verdict
) -> None:
    found = compare_errors(target, unanswered, count=1000, confidence=0.95)

    assert found.bounds[0].verdict is verdict
