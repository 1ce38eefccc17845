"""Growth is found, whatever grows; what may grow with the ledger, and the noise of a busy machine, is not called growth."""

from collections.abc import Callable, Sequence

import pytest

from glideslope.testing.vitals import MIB, Limits, Process, Sample, growth

LIMITS = Limits()


def sample(
    number: int,
    *,
    rss: int = 80 * MIB,
    threads: int = 10,
    descriptors: int = 30,
    sockets: int = 12,
    cpu: float | None = None,
    pid: int = 7,
    files: int = 18,
    stored: int = 4 * MIB,
    besides: int = 30_000,
    p99: float = 0.03,
    answered: float = 0.003,
    entries: int | None = None,
) -> Sample:
    server = Process(
        pid=pid,
        rss=rss,
        threads=threads,
        descriptors=descriptors,
        sockets=sockets,
        cpu=0.1 * number if cpu is None else cpu,
    )
    return Sample(
        at=float(number),
        processes={"server": server},
        files=files,
        stored=stored,
        besides=besides,
        entries=10 * number if entries is None else entries,
        outcomes=20 * number,
        p99=p99,
        answered=answered,
    )


def run(made: Callable[[int], Sample]) -> Sequence[str]:
    found, _ = growth([made(number) for number in range(300)], LIMITS)
    return found


@pytest.mark.parametrize(
    ("named", "made"),
    [
        ("server.rss", lambda n: sample(n, rss=80 * MIB + n * 500_000)),
        ("server.threads", lambda n: sample(n, threads=10 + n // 10)),
        ("server.descriptors", lambda n: sample(n, descriptors=30 + n // 10)),
        ("server.sockets", lambda n: sample(n, sockets=12 + n // 10)),
        ("server was started again", lambda n: sample(n, pid=7 if n < 200 else 8)),
        ("the server took", lambda n: sample(n, cpu=0.1 * n + max(0, n - 200) * 0.4)),
        ("files", lambda n: sample(n, files=18 + n // 20)),
        ("stored", lambda n: sample(n, stored=4 * MIB + n * 400_000)),
        ("besides", lambda n: sample(n, besides=30_000 + n * 10_000)),
        ("p99", lambda n: sample(n, p99=0.03 + n * 0.002)),
        ("answered", lambda n: sample(n, answered=0.003 + n * 0.002)),
    ],
)
def test_what_grows_is_found_and_nothing_else(named: str, made: Callable[[int], Sample]) -> None:
    (found,) = run(made)
    assert found.startswith(named)


def test_the_record_may_grow_with_the_ledger_and_not_without_it() -> None:
    def at(n: int) -> int:
        return 80 * MIB + n * 10 * LIMITS.per_entry // 2

    assert run(lambda n: sample(n, rss=at(n))) == []
    assert [f.split(" ")[0] for f in run(lambda n: sample(n, rss=at(n), entries=5))] == ["server.rss"]


def test_a_pause_of_the_machine_and_a_slow_beginning_are_no_growth() -> None:
    assert run(lambda n: sample(n, p99=5.0 if n > 295 else 0.03, rss=(40 + min(n, 90)) * MIB)) == []


def test_too_few_samples_are_no_proof() -> None:
    with pytest.raises(ValueError, match="8 samples"):
        growth([sample(n) for n in range(8)], LIMITS)
