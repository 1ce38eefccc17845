"""What every PersonalData promises: what is put is there, what is erased is not."""

import pytest

from glideslope.domain.ids import Actor
from glideslope.engine.people import PersonalData

ANA, BEN = Actor("a-17"), Actor("b 4 \u00fc")


@pytest.mark.asyncio
class PeopleContract:
    """Subclass and provide the fixture `people`: empty, and for this test alone."""

    @pytest.fixture
    def people(self) -> PersonalData:
        raise NotImplementedError("provide the fixture `people`")

    async def test_nothing_is_kept_at_first(self, people: PersonalData) -> None:
        assert await people.of(ANA) is None
        assert list(await people.actors()) == []

    async def test_what_is_put_comes_back_byte_for_byte(self, people: PersonalData) -> None:
        await people.put(ANA, bytes(range(256)))
        await people.put(BEN, b"ben")
        await people.put(BEN, b"")

        assert await people.of(ANA) == bytes(range(256))
        assert await people.of(BEN) == b""
        assert list(await people.actors()) == [ANA, BEN]

    async def test_what_is_erased_is_gone_and_nobody_else(self, people: PersonalData) -> None:
        await people.put(ANA, b"ana")
        await people.put(BEN, b"ben")
        await people.erase(ANA)
        await people.erase(ANA)

        assert await people.of(ANA) is None
        assert list(await people.actors()) == [BEN]
        await people.put(ANA, b"again")
        assert await people.of(ANA) == b"again"
