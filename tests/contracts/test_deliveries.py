"""How far channels have come is kept as promised, in memory and on the disk, over a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from glideslope.adapters.stores.sqlite.deliveries import SqliteDeliveries
from glideslope.domain.errors import StoreUnavailable
from glideslope.engine.telling.ports import Deliveries
from glideslope.testing.contracts.deliveries import DeliveriesContract, example
from glideslope.testing.telling import MemoryDeliveries


class TestMemoryDeliveries(DeliveriesContract):
    @pytest.fixture
    def deliveries(self) -> Deliveries:
        return MemoryDeliveries()


class TestSqliteDeliveries(DeliveriesContract):
    @pytest.fixture
    async def deliveries(self, tmp_path: Path) -> AsyncIterator[Deliveries]:
        async with SqliteDeliveries(tmp_path / "deliveries.sqlite") as deliveries:
            yield deliveries


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o077 for path in folder.iterdir()}


async def test_what_was_kept_is_there_after_a_restart_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deliveries.sqlite"
    async with SqliteDeliveries(path) as deliveries:
        await deliveries.keep("ops", b"7", (example(1),))
        assert modes(tmp_path) == {0}
    with pytest.raises(StoreUnavailable):
        await deliveries.standing("ops")
    async with SqliteDeliveries(path) as again:
        assert await again.standing("ops") == b"7"
        assert [each for _, each in await again.attempts(limit=9)] == [example(1)]


async def test_numbers_are_never_given_twice_so_that_paging_never_repeats(tmp_path: Path) -> None:
    async with SqliteDeliveries(tmp_path / "deliveries.sqlite") as deliveries:
        await deliveries.keep("ops", b"", (example(1), example(2)))
        await deliveries.prune(before=10**15, most=100)
        await deliveries.keep("ops", b"", (example(3),))
        assert [number for number, _ in await deliveries.attempts(limit=9)] == [3]
