"""What the sdk costs a request: assigning, observing, minting; beside feature-flag SDKs that toss a coin for the same subjects.

Run with ``python benchmarks/sdk.py [--quick] [--json]``. Peers are measured in the same run, round by round beside ours, when
they are installed: growthbook, openfeature-sdk with openfeature-provider-flagd, UnleashClient; for the batch, polars-hash.
Times are CPU time, the best of the rounds; those of `observe` are medians of single calls, less the median of an empty one.
"""

import argparse
import gc
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glideslope.domain.ids import MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import Dimension, Kind, Metric, Origin
from glideslope.domain.observation import Briefing, Grant
from glideslope.domain.receipt import ReceiptKey, read
from glideslope.domain.traffic import FULL, Arm, Split, assign
from glideslope.sdk.assign import Assigner
from glideslope.sdk.briefed import briefed
from glideslope.sdk.columns import assign_column
from glideslope.sdk.observe import Observer
from glideslope.sdk.receipts import mint_prediction
from glideslope.sdk.stamps import Stamps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MODEL = ModelName("flights")
SALT = "flights-1-ab12cd34"
SPLIT = Split(candidate=500, control=500)
CLICKED = Metric(name=MetricName("clicked"), kind=Kind.EVENT, origin=Origin.SERVICE)
KEY = ReceiptKey(id=1, secret=b"k" * 32)
GOALS_NS = {"assign": 500.0, "assign, batch": 10.0, "observe": 1_200.0}

Toss = Callable[[str], bool]
"""Tells whether a subject is exposed to the candidate."""


def granted() -> Assigner:
    weights = SPLIT.weights()
    assigner = Assigner()
    grant = Grant(
        rollout=RolloutId("flights-1"),
        step=StepName("s1"),
        salt=SALT,
        candidate=weights.candidate,
        control=weights.control,
        lease_ms=3_600_000,
        epoch=1,
        version=1,
    )
    assert assigner.obey(grant, asked=time.clock_gettime(time.CLOCK_BOOTTIME))
    return assigner


BRIEFED = briefed(
    Briefing(
        model=MODEL,
        grant=None,
        rollouts={RolloutId("flights-1"): 1},
        metrics=(CLICKED,),
        dimensions=(Dimension("origin", ("LGA", "JFK", "EWR")),),
        key_id=KEY.id,
        key=KEY.secret,
        tag="t",
    )
)


def growthbook() -> Toss:
    from growthbook import GrowthBook  # type: ignore[import-not-found]  # a peer, not a dependency

    rule = {"key": "flights", "variations": [True, False], "weights": [0.05, 0.95]}
    gb = GrowthBook(features={"flights": {"defaultValue": False, "rules": [rule]}})

    def toss(subject: str) -> bool:
        gb.set_attributes({"id": subject})
        return bool(gb.is_on("flights"))

    return toss


def flagd() -> Toss:
    from openfeature import api  # type: ignore[import-not-found]  # a peer, not a dependency
    from openfeature.contrib.provider.flagd import FlagdProvider  # type: ignore[import-not-found]  # as above
    from openfeature.contrib.provider.flagd.config import ResolverType  # type: ignore[import-not-found]  # as above
    from openfeature.evaluation_context import EvaluationContext  # type: ignore[import-not-found]  # as above

    flag = {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"fractional": [["on", 5], ["off", 95]]},
    }
    folder = Path(tempfile.mkdtemp())
    file = folder / "flags.json"
    file.write_text(json.dumps({"flags": {"flights": flag}}))
    provider = FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(file))
    api.set_provider(provider)
    client = api.get_client()
    return lambda subject: bool(client.get_boolean_value("flights", False, EvaluationContext(targeting_key=subject)))


def unleash() -> Toss:
    from UnleashClient import UnleashClient  # type: ignore[import-not-found]  # a peer, not a dependency
    from UnleashClient.cache import FileCache  # type: ignore[import-not-found]  # as above

    strategy = {
        "name": "flexibleRollout",
        "parameters": {"rollout": "5", "stickiness": "userId", "groupId": "flights"},
        "constraints": [],
    }
    toggle = {"name": "flights", "type": "release", "enabled": True, "strategies": [strategy]}
    cache = FileCache("benchmark", directory=tempfile.mkdtemp())
    cache.bootstrap_from_dict({"version": 2, "features": [toggle]})
    client = UnleashClient(
        "http://127.0.0.1:9/api", "benchmark", disable_metrics=True, disable_registration=True, cache=cache
    )
    client.initialize_client(fetch_toggles=False)
    return lambda subject: bool(client.is_enabled("flights", {"userId": subject}))


PEERS: dict[str, Callable[[], Toss]] = {"GrowthBook": growthbook, "OpenFeature + flagd": flagd, "Unleash": unleash}


def peers(subjects: Sequence[str]) -> dict[str, Toss]:
    """Return those peers that are installed and really expose about the share that they were told."""
    found = {}
    for name, make in PEERS.items():
        try:
            toss = make()
        except ImportError:
            continue
        share = sum(map(toss, subjects)) / len(subjects)
        assert 0.03 < share < 0.07, f"{name} exposes {share:.1%} instead of 5 %: this would not be a comparison"
        found[name] = toss
    return found


def each_ns(work: Callable[[str], object], subjects: Sequence[str]) -> float:
    began = time.thread_time_ns()
    for subject in subjects:
        work(subject)
    return (time.thread_time_ns() - began) / len(subjects)


def whole_ns(work: Callable[[], object], count: int) -> float:
    began = time.process_time_ns()
    work()
    return (time.process_time_ns() - began) / count


def in_columns(subjects: Sequence[str]) -> Callable[[], Any] | None:
    """Return a batch assignment by polars-hash, checked against the rules; None when it is not installed."""
    try:
        import polars as pl  # type: ignore[import-not-found]  # a peer, not a dependency
        import polars_hash  # type: ignore[import-not-found]  # noqa: F401  # as above; registers `nchash`
    except ImportError:
        return None
    size = 16_384  # so that what is written is still in the cache when it is read
    column = pl.Series("subject", subjects)
    frames = [column.slice(start, size).to_frame() for start in range(0, len(subjects), size)]
    salted = pl.concat_str([pl.lit(f"{SALT}:"), pl.col("subject")])
    numbers = (salted.nchash.xxhash64() & 0xFFFF).cast(pl.UInt16)

    def work() -> list[Any]:
        return [frame.select(numbers).to_series() for frame in frames]

    weights = SPLIT.weights()
    exposed = [number < weights.candidate for part in work() for number in part]
    expected = [assign(subject, salt=SALT, weights=weights).arm is Arm.CANDIDATE for subject in subjects]
    assert exposed == expected
    return work


def in_an_array(count: int) -> "NDArray[np.bytes_] | None":
    """Return subjects of one length as numpy's bytes; None when it is not installed."""
    try:
        import numpy as np
    except ImportError:
        return None
    return np.array([f"flight-{number:08d}".encode() for number in range(count)])


def assigning(*, count: int, rounds: int) -> dict[str, float]:
    """Return nanoseconds per decision, ours and the peers', interleaved."""
    subjects = [f"flight-{number}" for number in range(count)]
    assigner = granted()
    share = sum(assigner.assign(subject).arm is Arm.CANDIDATE for subject in subjects) / count
    assert abs(share - SPLIT.candidate / FULL) < 0.02
    others = peers(subjects[:2_000])
    columns = in_columns(subjects)
    array = in_an_array(count)
    best: dict[str, float] = {}

    def note(name: str, nanoseconds: float) -> None:
        best[name] = min(nanoseconds, best.get(name, nanoseconds))

    for _ in range(rounds):
        note("assign", each_ns(assigner.assign, subjects))
        note("assign, list", whole_ns(lambda: assigner.assign_many(subjects), count))
        if array is not None:
            note("assign, batch", whole_ns(lambda: assign_column(assigner, array), count))
        if columns is not None:
            note("assign, columns by polars-hash", whole_ns(columns, count))
        for name, toss in others.items():
            note(name, each_ns(toss, subjects[: max(count // 20, 500)]))
    return best


def observing(*, count: int) -> dict[str, float]:
    """Return the median nanoseconds of one call, with and without a subject."""
    nothing = []
    for _ in range(count):
        began = time.perf_counter_ns()
        nothing.append(time.perf_counter_ns() - began)
    found = {}
    for name, subject in (("observe", "s"), ("observe, no subject", "")):
        observer = Observer(MODEL, source="benchmark", epoch=1, send=lambda _: None)
        observer.follow(BRIEFED)
        stamped = [
            Stamps(
                rollout=RolloutId("flights-1"),
                step=StepName("s1"),
                arm=Arm.CANDIDATE if number % 2 else Arm.INCUMBENT,
                subject=f"{subject}{number}" if subject else "",
            )
            for number in range(count)
        ]
        times = []
        for stamps in stamped:
            began = time.perf_counter_ns()
            observer.observe(stamps, clicked=0.0)
            times.append(time.perf_counter_ns() - began)
        assert observer.dropped == 0
        found[name] = statistics.median(times) - statistics.median(nothing)
    return found | {"observe, 20 metrics in 30 slices": observing_much(count=count // 5)}


def observing_much(*, count: int) -> float:
    """Return the median nanoseconds of one call that tells twenty metrics of a request in one of ten values of three fields each.

    Half of the metrics are events, half scores; each counts on the whole and in the three slices, 80 counts a call.
    """
    metrics = tuple(
        Metric(name=MetricName(f"m{k}"), kind=Kind.EVENT, origin=Origin.SERVICE)
        if k % 2
        else Metric(name=MetricName(f"m{k}"), kind=Kind.SCORE, origin=Origin.SERVICE, edges=(0.1, 0.25, 0.5, 1.0))
        for k in range(20)
    )
    fields = [Dimension(name, tuple(f"{name}{k}" for k in range(10))) for name in ("origin", "carrier", "class")]
    observer = Observer(MODEL, source="benchmark", epoch=1, send=lambda _: None)
    observer.follow(
        briefed(
            Briefing(
                model=MODEL,
                grant=None,
                rollouts={RolloutId("flights-1"): 1},
                metrics=metrics,
                dimensions=tuple(fields),
                key_id=KEY.id,
                key=KEY.secret,
                tag="t",
            )
        )
    )
    asked = [
        (
            Stamps(
                rollout=RolloutId("flights-1"),
                step=StepName("s1"),
                arm=Arm.CANDIDATE if number % 2 else Arm.INCUMBENT,
                subject=f"s{number}",
            ),
            {field.field: field.values[number * prime % 10] for field, prime in zip(fields, (1, 3, 7), strict=True)},
            {str(metric.name): float((number + k) % 10 < 2) for k, metric in enumerate(metrics)},
        )
        for number in range(count)
    ]
    times = []
    for stamps, slices, values in asked:
        began = time.perf_counter_ns()
        observer.observe(stamps, slices, **values)
        times.append(time.perf_counter_ns() - began)
    assert observer.dropped == 0
    return statistics.median(times)


def receipts(*, count: int, rounds: int) -> dict[str, float]:
    """Return nanoseconds per receipt minted and read."""
    stamps = Stamps(rollout=RolloutId("flights-1"), step=StepName("s1"), arm=Arm.CANDIDATE, request="r", subject="s")
    keys = {KEY.id: KEY}
    slices = {"origin": "LGA"}

    def minted(_: str) -> str | None:
        return mint_prediction(stamps, model=MODEL, score=0.25, at=1_800_000_000, briefed=BRIEFED, slices=slices)

    made = minted("")
    assert made is not None
    best = {"mint": float("inf"), "read": float("inf")}
    for _ in range(rounds):
        best["mint"] = min(best["mint"], each_ns(minted, ["x"] * count))
        best["read"] = min(best["read"], each_ns(lambda text: read(text, keys=keys), [made] * count))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", action="store_true", help="figures for machines")
    options = parser.parse_args()
    count, rounds = (20_000, 3) if options.quick else (100_000, 15)
    gc.disable()
    figures = (
        assigning(count=count, rounds=rounds) | observing(count=count) | receipts(count=count // 10, rounds=rounds)
    )
    gc.enable()
    if options.json:
        print(json.dumps({"python": platform.python_version(), "ns": figures, "goals_ns": GOALS_NS}, indent=1))
        return
    for name, nanoseconds in figures.items():
        goal = GOALS_NS.get(name)
        ratio = f"{nanoseconds / figures['assign']:8.1f} x assign" if name in PEERS else ""
        print(f"{name:32} {nanoseconds:10,.0f} ns{ratio}{f'   (goal {goal:,.0f})' if goal else ''}")


if __name__ == "__main__":
    main()
