"""Open-loop load: each request is due at a moment fixed beforehand, and its latency counts from then.

A generator that waits for an answer before it sends the next asks a slow server less often, and so hides its slowness (coordinated
omission, Tene 2015). Here a request that finds no free connection waits, and its waiting is its latency.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from glideslope.evaluate.asking import Asker, Kind

Floats = npt.NDArray[np.float64]

BLOCKS: Final = 10
"""Parts of a round that are resampled as wholes: latencies of neighbours depend on each other."""


class Round(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One round of one arm. Microseconds from the moment at which each request was due; `ok` tells who got a probability."""

    rate: float
    seconds: float
    due: list[int]
    latency: list[int]
    ok: list[bool]
    lag: list[int]
    """By how much our own sending was late, waiting for a connection not counted."""
    cpu: list[float] | None
    """CPU seconds of the server at the beginning and at the end of each block."""


def arrivals(rate: float, seconds: float, *, rng: np.random.Generator) -> Floats:
    """Return when requests are due (seconds from the start): a Poisson process, as of many callers who know nothing of each other."""
    count = int(rng.poisson(rate * seconds))
    return np.sort(rng.uniform(0.0, seconds, count))


def replayed(
    times: Floats, *, peak: float, seconds: float, rng: np.random.Generator
) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return when requests are due, and of which row each is, when the rows' hours of the week follow each other within `seconds`.

    The busiest hour comes at the peak; the others in proportion. Rows of an hour come in its part of the time.
    """
    hours = (times // 3600).astype(np.int64) % (24 * 7)
    distinct, counts = np.unique(hours, return_counts=True)
    width = seconds / len(distinct)
    due: list[Floats] = []
    rows: list[npt.NDArray[np.int64]] = []
    for k, (hour, count) in enumerate(zip(distinct, counts, strict=True)):
        number = int(rng.poisson(peak * count / counts.max() * width))
        due.append(np.sort(rng.uniform(k * width, (k + 1) * width, number)))
        rows.append(rng.choice(np.flatnonzero(hours == hour), number))
    return np.concatenate(due), np.concatenate(rows)


async def load(
    asker: Asker,
    bodies: Sequence[bytes],
    due: Floats,
    *,
    rate: float,
    seconds: float,
    cpu_seconds: Callable[[], float | None],
) -> Round:
    """Send each body when it is due, and return how that went."""
    latency, lag, ok = [0] * len(due), [0] * len(due), [False] * len(due)
    began = time.perf_counter()

    async def one(k: int) -> None:
        patience = asker.request.timeout / 1000
        with suppress(TimeoutError):
            # Whoever asked has given up by then, also where no connection was free all the time.
            async with asyncio.timeout(max(0.0, due[k] + patience - (time.perf_counter() - began))):
                ok[k] = (await asker.ask(bodies[k])).kind is Kind.ANSWERED
        latency[k] = round((time.perf_counter() - began - due[k]) * 1e6)

    async def watch_cpu() -> list[float] | None:
        read = []
        for block in range(BLOCKS + 1):
            await asyncio.sleep(max(0.0, block * seconds / BLOCKS - (time.perf_counter() - began)))
            read.append(cpu_seconds())
        return None if any(each is None for each in read) else [each for each in read if each is not None]

    async with asyncio.TaskGroup() as tasks:
        watched = tasks.create_task(watch_cpu())
        for k, moment in enumerate(due):
            ahead = moment - (time.perf_counter() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)
            lag[k] = max(0, round((time.perf_counter() - began - moment) * 1e6))
            tasks.create_task(one(k))
            if k % 32 == 31:
                await asyncio.sleep(0)
    return Round(
        rate=rate,
        seconds=seconds,
        due=[round(each * 1e6) for each in due],
        latency=latency,
        ok=ok,
        lag=lag,
        cpu=watched.result(),
    )
