"""The embedded store keeps the promises of the state ports, and keeps them over a restart."""

from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.engine.ports import Fence, Total
from glideslope.testing.contracts.checkpoints import CheckpointsContract
from glideslope.testing.contracts.counters import CountersContract
from glideslope.testing.contracts.leases import LeasesContract
from glideslope.testing.contracts.search import SearchContract, example
from glideslope.testing.contracts.store import StoreContract, draft

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(tmp_path / "state.db") as store:
        yield store


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, sqlite: SqliteStore) -> SqliteStore:
        return sqlite


class TestSqliteLeases(LeasesContract):
    @pytest.fixture
    def leases(self, sqlite: SqliteStore) -> SqliteStore:
        return sqlite


class TestSqliteCounters(CountersContract):
    @pytest.fixture
    def counters(self, sqlite: SqliteStore) -> SqliteStore:
        return sqlite


class TestSqliteCheckpoints(CheckpointsContract):
    @pytest.fixture
    def checkpoints(self, sqlite: SqliteStore) -> SqliteStore:
        return sqlite


class TestSqliteSearch(SearchContract):
    @pytest.fixture
    def search(self, sqlite: SqliteStore) -> SqliteStore:
        return sqlite


async def test_an_index_of_another_layout_is_none(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "state.db") as store:
        await store.index([example(0)])
    with closing(apsw.Connection(str(tmp_path / "state.db"))) as connection:
        connection.execute("UPDATE search_layout SET layout = 0")
    async with SqliteStore(tmp_path / "state.db") as store:
        assert await store.indexed() == 0
        await store.index([example(0)])
        assert await store.indexed() == 1


async def test_everything_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "state.db") as store:
        await store.append([draft("a", 1), draft("a", 2)])
        lease = await store.acquire("r", holder="a", ttl=timedelta(seconds=9), now=NOON)
        await store.once(["p1"], [Total(source="s", epoch=1, cell="c", count=4)])
        await store.keep(2, b"of 2")

    async with SqliteStore(tmp_path / "state.db") as store:
        assert await store.entries() == [b"a@1", b"a@2"]
        assert await store.append([draft("a", 2), draft("a", 3)], fence=Fence(name="r", epoch=1)) == [1, 2]
        assert await store.acquire("r", holder="a", ttl=timedelta(seconds=9), now=NOON) == lease
        assert await store.once(["p1"], [Total(source="s", epoch=1, cell="c", count=4)]) == [False]
        assert await store.load("c") == [Total(source="s", epoch=1, cell="c", count=4)]
        assert await store.checkpoints() == [b"of 2"]
