"""A server killed at any moment has lost nothing that it acknowledged, and the next one finds whole acts only."""

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from glideslope.adapters.stores.sqlite import SqliteStore

CALLERS = 16

CHILD = f"""
import asyncio, os, pathlib, sys
from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.engine.ports import Draft, Total

async def main(path, run):
    async with SqliteStore(pathlib.Path(path)) as store:
        async def caller(mine):
            version = 0
            while True:
                stream = f"{{run}}-{{mine}}"
                await store.append([
                    Draft(stream=stream, version=version + step, data=b"%d" % (version + step), key=f"{{stream}}-{{version + step}}")
                    for step in (1, 2)
                ])
                version += 2
                await store.once([f"{{stream}}-{{version}}"], [Total(source="s", epoch=1, cell=stream, count=1)])
                os.write(1, f"{{stream}} {{version}}\\n".encode())
        await asyncio.gather(*(caller(mine) for mine in range({CALLERS})))

asyncio.run(main(*sys.argv[1:]))
"""


def killed_while_working(path: Path, *, run: int, after: int) -> dict[str, int]:
    """Kill a working child after so many acknowledgements; return the last version acknowledged for each stream."""
    acknowledged: dict[str, int] = {}
    with subprocess.Popen([sys.executable, "-c", CHILD, str(path), str(run)], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        for number, line in enumerate(child.stdout):
            # What was written before the kill still arrives here after it, and counts.
            stream, version = line.split()
            acknowledged[stream.decode()] = int(version)
            if number == after:
                child.kill()
    return acknowledged


async def found(path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return each stream's last version, having looked at its entries, and its count."""
    async with SqliteStore(path) as store:
        streams = dict(await store.streams())
        for name, version in streams.items():
            assert await store.stream(name) == [b"%d" % number for number in range(1, version + 1)]
        assert len(await store.entries()) == sum(streams.values())
        return streams, {total.cell: total.count for total in await store.load("")}


def check(path: Path, *, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    acknowledged: dict[str, int] = {}
    for run in range(kills):
        acknowledged |= killed_while_working(path, run=run, after=dice.randrange(1, 400))
        streams, counts = asyncio.run(found(path))

        assert all(version % 2 == 0 for version in streams.values()), "half an act is there"
        lost = {name for name, version in acknowledged.items() if streams.get(name, 0) < version}
        uncounted = {name for name, version in acknowledged.items() if counts.get(name, 0) < version // 2}
        assert (lost, uncounted) == (set(), set())


def test_no_kill_loses_what_was_acknowledged(tmp_path: Path) -> None:
    check(tmp_path / "state.db", kills=4, seed=1)


@pytest.mark.slow
def test_a_hundred_kills_in_a_row_lose_nothing(tmp_path: Path) -> None:
    check(tmp_path / "state.db", kills=100, seed=2)
