"""Load is open: a stalled server is not asked less often, and whoever waits is counted from when the request was due."""

import asyncio

import numpy as np
import pytest

from glideslope.evaluate.asking import Asker
from glideslope.evaluate.declared import Request
from glideslope.evaluate.loading import BLOCKS, Round, arrivals, load, replayed

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"probability": 0.5}'
STALL = 0.4


async def loaded(*, stalls: bool, due: list[float], timeout: str = "5s", connections: int = 1) -> tuple[Round, int]:  # noqa: ASYNC109 - the server's
    """Load a server that answers at once, or not before STALL seconds have passed since it was first asked."""
    asked = 0
    opened = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]))
                asked += 1
                if stalls:
                    if asked == 1:
                        asyncio.get_running_loop().call_later(STALL, opened.set)
                    await opened.wait()
                writer.write(OK)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    asker = Asker(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", Request(timeout=timeout), connections)
    try:
        bodies = [b"{}"] * len(due)
        found = await load(asker, bodies, np.array(due), rate=20.0, seconds=0.5, cpu_seconds=lambda: None)
    finally:
        await asker.close()
        server.close()
    return found, asked


async def test_requests_that_wait_behind_a_stalled_one_count_from_when_they_were_due() -> None:
    """One connection: a closed loop would have seen one slow answer and twenty quick ones."""
    due = [k * 0.01 for k in range(21)]

    found, asked = await loaded(stalls=True, due=due)

    assert asked == 21
    assert all(found.ok)
    # A lower bound holds however busy the machine is: nobody was answered before the stall was over.
    assert all(latency >= (STALL - moment - 0.02) * 1e6 for latency, moment in zip(found.latency, due, strict=True))
    assert sum(latency > 0.15e6 for latency in found.latency) >= 20


async def test_who_waits_longer_than_the_timeout_is_not_answered_also_without_a_free_connection() -> None:
    found, _ = await loaded(stalls=True, due=[0.0, 0.01, 0.02], timeout="100ms")

    assert found.ok == [False, False, False]


async def test_every_request_is_sent_and_answered_when_nothing_stalls() -> None:
    found, asked = await loaded(stalls=False, due=[0.0, 0.1, 0.2], connections=8)

    assert asked == 3
    assert found.ok == [True] * 3
    assert found.cpu is None


def test_arrivals_are_as_many_and_as_irregular_as_those_of_strangers() -> None:
    rng = np.random.default_rng(3)
    due = arrivals(200.0, 50.0, rng=rng)
    gaps = np.diff(due)

    assert len(due) == pytest.approx(10_000, abs=400)
    assert (gaps >= 0).all()
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert (arrivals(200.0, 50.0, rng=np.random.default_rng(3)) == due).all()


def test_a_replay_follows_the_hours_of_the_data() -> None:
    """Hour 8 has three times the rows of hour 3: it comes at the peak and hour 3 at a third of it, each with its own rows."""
    times = np.array([3 * 3600.0] * 100 + [8 * 3600.0] * 300)

    due, rows = replayed(times, peak=300.0, seconds=20.0, rng=np.random.default_rng(1))

    early = due < 10
    assert (early.sum(), (~early).sum()) == pytest.approx((1000, 3000), rel=0.1)
    assert (rows[early] < 100).all()
    assert (rows[~early] >= 100).all()
    assert BLOCKS >= 10
