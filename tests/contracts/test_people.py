"""Personal data is kept as promised, and what is erased is in no file any more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from glideslope.adapters.stores.sqlite.people import SqlitePeople
from glideslope.domain.ids import Actor
from glideslope.engine.people import PersonalData
from glideslope.testing.contracts.people import PeopleContract
from glideslope.testing.people import MemoryPeople

ANA = Actor("a-17")


class TestMemoryPeople(PeopleContract):
    @pytest.fixture
    def people(self) -> PersonalData:
        return MemoryPeople()


class TestSqlitePeople(PeopleContract):
    @pytest.fixture
    async def people(self, tmp_path: Path) -> AsyncIterator[PersonalData]:
        async with SqlitePeople(tmp_path / "people.sqlite") as people:
            yield people


def modes(folder: Path) -> set[int]:
    return {path.stat().st_mode & 0o077 for path in folder.iterdir()}


def everything(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def test_what_is_erased_or_replaced_is_in_no_file(tmp_path: Path) -> None:
    """Long and short, on pages of its own and among others, with the database open and after it was closed."""
    secrets = {Actor(f"p{k}"): f"Secret Person {k} of Nowhere".encode() * (1 + 300 * (k % 3)) for k in range(40)}
    async with SqlitePeople(tmp_path / "people.sqlite") as people:
        for actor, data in secrets.items():
            await people.put(actor, data)
        assert b"Secret Person 7 of" in everything(tmp_path)
        await people.put(Actor("p8"), b"replaced")
        assert b"Secret Person 8 of" not in everything(tmp_path)
        for actor in list(secrets)[:20]:
            await people.erase(actor)
            assert secrets[actor][:20] + b"o" not in everything(tmp_path)
        held = everything(tmp_path)
        assert [k for k in range(20) if f"Secret Person {k} of".encode() in held] == []
        assert b"Secret Person 21 of" in held
    assert b"Secret Person 7 of" not in everything(tmp_path)
    async with SqlitePeople(tmp_path / "people.sqlite") as people:
        assert len(await people.actors()) == 20


async def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    async with SqlitePeople(tmp_path / "people.sqlite") as people:
        await people.put(ANA, b"x")
        assert modes(tmp_path) == {0}
