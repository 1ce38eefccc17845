"""From the commit of what happened to the message at its receiver, and what channels cost whoever commits.

Run with ``python benchmarks/telling.py [--quick] [--json]``. Rollouts with decisions and evidence, as an engine recorded them, are
committed one entry after the other into the embedded store; real couriers send to real HTTP receivers on loopback, signed. Measured
with no channel, with one, with twenty, and with twenty of which nineteen lead to receivers that never answer: wall clock from the
commit's acknowledgement until the receiver has the whole body, the time of a commit, and CPU of the process per entry (committing,
composing, signing, sending, and receiving, which would be somebody else's).
"""

import argparse
import asyncio
import base64
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter, process_time

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.notifiers.built_in import Notifiers
from glideslope.adapters.stores.sqlite.deliveries import SqliteDeliveries
from glideslope.adapters.stores.sqlite.store import SqliteStore
from glideslope.domain.events import Event
from glideslope.domain.telling.channel import Channels, Reference, Webhook
from glideslope.engine.record import Append, Record, rollout_id
from glideslope.engine.telling.herald import Herald
from glideslope.engine.telling.ports import ChannelsRead, Outlets
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft

SECRET = "whsec_" + base64.b64encode(bytes(32)).decode()
PAUSE = 0.1
"""Seconds between two commits: ten a second, more than a fleet decides."""


async def history() -> tuple[Sequence[Event], Sequence[Event]]:
    """Return a model's events and those of a rollout of it, as an engine recorded them."""
    world = World(seed=1)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.pass_time(5)
    rollout = await world.propose(draft("delays", "v2"))
    for _ in range(1_200):
        await world.pass_time(0.25)
        if world.app.record.rollout(rollout).phase == "promoted":
            break
    record = world.app.record
    # (Of the model's events those that were there before: one model is promoted once.)
    return [r.event for r in record.history("model.delays")][:3], [r.event for r in record.history(rollout)]


class Receivers:
    """An HTTP server that notes when each message came whole, by channel; and one that never answers."""

    def __init__(self) -> None:
        self.came: dict[tuple[str, int], float] = {}

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one message."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
        body = await reader.readexactly(length)
        self.came.setdefault((head.split(" ")[1], json.loads(body)["data"]["entry"]), perf_counter())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async def keep(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Never answer."""
        await reader.read()
        writer.close()


@asynccontextmanager
async def telling(folder: Path, receivers: Receivers, good: int, silent: int) -> AsyncIterator[Record]:
    """Run couriers for so many channels over a record of their own."""
    takes = await asyncio.start_server(receivers.take, "127.0.0.1", 0)
    keeps = await asyncio.start_server(receivers.keep, "127.0.0.1", 0)
    ports = [takes.sockets[0].getsockname()[1]] * good + [keeps.sockets[0].getsockname()[1]] * silent
    to = {
        f"c{k}": Webhook(url=f"http://127.0.0.1:{port}/c{k}", secret=Reference(env="S"), private=True)
        for k, port in enumerate(ports)
    }
    clock = SystemClock()
    async with SqliteStore(folder / "store.sqlite") as store, SqliteDeliveries(folder / "deliveries.sqlite") as kept:
        record = Record(store=store, clock=clock)
        await record.load()
        outlets = Outlets(
            deliveries=kept,
            notifier=Notifiers(folder, environment={"S": SECRET}),
            channels=lambda: ChannelsRead(Channels(to=to)),
            chance=lambda: 0.5,
        )
        herald = Herald(record=record, outlets=outlets, clock=clock, dues=lambda: (None, ()))
        running = asyncio.create_task(herald.run())
        await asyncio.sleep(0.2)  # until each channel has begun
        try:
            yield record
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            takes.close()
            keeps.close()


async def measured(
    rollouts: int, good: int, silent: int, told: tuple[Sequence[Event], Sequence[Event]]
) -> dict[str, float]:
    """Commit so many rollouts, entry by entry, and return what that took."""
    model, events = told
    receivers = Receivers()
    committed: dict[int, float] = {}
    commits: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        async with telling(Path(name), receivers, good, silent) as record:
            await record.append((Append(stream="model.delays", expected=0, events=model, key="model"),))
            began = process_time()
            for number in range(1, rollouts + 1):
                for version, event in enumerate(events):
                    stream = rollout_id(number)
                    at = perf_counter()
                    append = Append(stream=stream, expected=version, events=(event,), key=f"{stream}/{version}")
                    (done,) = await record.append((append,))
                    committed[done.entry] = perf_counter()
                    commits.append(committed[done.entry] - at)
                    await asyncio.sleep(PAUSE)
            await asyncio.sleep(0.5)
            cpu = process_time() - began
    late = sorted(came - committed[entry] for (_, entry), came in receivers.came.items() if entry in committed)
    return {
        "entries": len(committed),
        "messages": len(late),
        "late_p50_ms": _quantile(late, 0.5),
        "late_p99_ms": _quantile(late, 0.99),
        "commit_p50_ms": _quantile(commits, 0.5),
        "commit_p99_ms": _quantile(commits, 0.99),
        "cpu_ms_per_entry": 1_000 * cpu / len(committed),
    }


def _quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    return 1_000 * ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    say: Callable[[str], None] = print
    rollouts = 4 if options.quick else 20
    told = asyncio.run(history())
    found = {
        name: asyncio.run(measured(rollouts, good, silent, told))
        for name, good, silent in (("none", 0, 0), ("one", 1, 0), ("twenty", 20, 0), ("one and 19 silent", 1, 19))
    }
    if options.json:
        say(json.dumps(found))
        return
    say(f"{'channels':18} {'late p50':>9} {'p99':>8} {'commit p50':>11} {'p99':>8} {'CPU/entry':>10} {'messages':>9}")
    for name, row in found.items():
        say(
            f"{name:18} {row['late_p50_ms']:7.1f}ms {row['late_p99_ms']:6.1f}ms {row['commit_p50_ms']:9.2f}ms"
            f" {row['commit_p99_ms']:6.1f}ms {row['cpu_ms_per_entry']:8.2f}ms {row['messages']:9.0f}"
        )


if __name__ == "__main__":
    main()
