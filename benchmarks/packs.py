"""What recording beside the disk costs, and how long an evidence pack takes to be made and to be checked by its own program.

Run with ``python benchmarks/packs.py [--quick] [--json]``. Goals: an append under 50 us beside the sync; a pack of 60 entries
checked under 1 s; a bundle of 1,000,000 entries verified under 10 s. CPU time, the best of several repeats, but for the pack's
program, which is started as an auditor would: wall clock, with the interpreter's start in it.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import apsw

from glideslope.adapters.stores.sqlite import statements
from glideslope.adapters.stores.sqlite.connection import open_writer
from glideslope.domain.commands import Halt, OrderRollback, Resume
from glideslope.engine.packing import Packer
from glideslope.engine.ports import Draft
from glideslope.ledger import bundle, checkpoint, entry, merkle, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry
from glideslope.ledger.verify import verify
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import GRACE, World, draft

KEY = note.Signer("example.com/benchmark", bytes(32))
BODY = {"by": "glideslope", "decision": {"type": "hold", "reasons": ["proof-pending"]}, "counts": [10234, 10321, 99]}
PROGRAM = Path(__file__).parents[1] / "verifier" / "glideslope_verify.py"


def made(number: int) -> Entry:
    return Entry(
        stream=f"r-{number % 100:04d}",
        version=number // 100 + 1,
        at="2026-01-31T09:00:00.000Z",
        kind="decided",
        body={**BODY, "n": number},
    )


def append(folder: Path, *, count: int) -> float:
    """Return microseconds of CPU per entry: made, encoded, hashed into the tree, inserted; the commit is left out."""
    connection: apsw.Connection = open_writer(folder / "append.db")
    frontier = merkle.Frontier()
    best = float("inf")
    for round_ in range(3):
        connection.execute("BEGIN IMMEDIATE")
        start = process_time()
        for number in range(round_ * count, (round_ + 1) * count):
            one = made(number)
            data = entry.encode(one)
            frontier.append(merkle.leaf_hash(data))
            statements.append(
                connection, (Draft(stream=one.stream, version=one.version, data=data, key=f"k/{number}"),), fence=None
            )
        best = min(best, (process_time() - start) / count * 1e6)
        connection.execute("COMMIT")
    connection.close()
    return best


def whole_ledger(*, count: int) -> float:
    """Return seconds of CPU to verify a bundle, with a checkpoint at each tenth, read from a file."""
    with tempfile.TemporaryFile() as file:
        frontier = merkle.Frontier()
        signed = []
        for number in range(count):
            frontier.append(merkle.leaf_hash(entry.encode(made(number))))
            if (number + 1) % (count // 10) == 0:
                text = checkpoint.format(Checkpoint(origin=KEY.name, size=number + 1, root=frontier.root()))
                signed.append(note.sign(text, KEY))
        for line in bundle.format(checkpoints=signed, entries=map(entry.encode, map(made, range(count)))):
            file.write(line)
        file.seek(0)
        start = process_time()
        report = verify(bundle.lines(file.readline), trusted=[KEY.verifier])
        spent = process_time() - start
    assert report.ok, report.findings
    return spent


async def pack_of(entries: int) -> tuple[bytes, str, float]:
    """Return the pack of a rollout with about so many entries, the key, and the seconds it took to make."""
    world = World(seed=7)
    await world.serves("delays", v1=Behaviour(errors=0.01), v2=Behaviour(errors=0.01))
    rollout = await world.propose(draft("delays", "v2"))
    await world.pass_time(2)
    for k in _while_fewer(world, entries - 4):
        await world.app.halt(Halt(rollout=rollout, by=GRACE, why="a look"), key=f"h{k}")
        await world.pass_time(0.5)
        await world.app.resume(Resume(rollout=rollout, by=GRACE, why="looked"), key=f"r{k}")
        await world.pass_time(0.5)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=GRACE, why="enough"), key="o")
    await world.pass_time(1)
    packer = Packer(
        record=world.app.record,
        store=world.store,
        checkpoints=world.store,
        signer=world.signer,
        notary=world.app.notary,
    )
    await packer.pack(rollout)
    start = process_time()
    found = await packer.pack(rollout)
    return found.data, world.signer.verifier.vkey, process_time() - start


def _while_fewer(world: World, entries: int) -> Iterator[int]:
    number = 0
    while world.app.record.size() < entries:
        yield number
        number += 1


def measure(folder: Path, *, quick: bool) -> dict[str, float]:
    found = {"append beside the sync (us)": append(folder, count=2_000 if quick else 20_000)}
    data, key, seconds = asyncio.run(pack_of(60))
    pack = folder / "a.pack.zip"
    pack.write_bytes(data)
    times = []
    told: dict[str, object] = {}
    for _ in range(5):
        start = perf_counter()
        done = subprocess.run(
            [sys.executable, "-I", PROGRAM, pack, "--key", key, "--json"], capture_output=True, text=True, check=False
        )
        times.append(perf_counter() - start)
        told = json.loads(done.stdout)
        assert told["ok"], told
    found |= {
        "entries in the pack": float(str(told["entries"])),
        "bytes of the pack": len(data),
        "make it (s)": seconds,
        "check it, the program started (s)": min(times),
    }
    count = 20_000 if quick else 1_000_000
    return found | {"entries in the bundle": count, "verify the bundle (s)": whole_ledger(count=count)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer entries")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), quick=options.quick)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:<42} {value:>14,.3f}")


if __name__ == "__main__":
    main()
