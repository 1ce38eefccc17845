"""What every Checkpoints promises: one note per size, byte for byte, oldest first."""

import pytest

from glideslope.domain.errors import Conflict
from glideslope.engine.ports import Checkpoints


@pytest.mark.asyncio
class CheckpointsContract:
    """Subclass and provide the fixture `checkpoints`: none kept, and for this test alone."""

    @pytest.fixture
    def checkpoints(self) -> Checkpoints:
        raise NotImplementedError("provide the fixture `checkpoints`")

    async def test_notes_come_back_byte_for_byte_oldest_first(self, checkpoints: Checkpoints) -> None:
        await checkpoints.keep(20, "of 20\n\n— ledger AAAA\n".encode())
        await checkpoints.keep(3, b"of 3\x00\xff")

        assert list(await checkpoints.checkpoints()) == [b"of 3\x00\xff", "of 20\n\n— ledger AAAA\n".encode()]

    async def test_keeping_the_same_again_is_harmless(self, checkpoints: Checkpoints) -> None:
        await checkpoints.keep(3, b"of 3")
        await checkpoints.keep(3, b"of 3")

        assert list(await checkpoints.checkpoints()) == [b"of 3"]

    async def test_a_second_story_about_one_size_is_refused(self, checkpoints: Checkpoints) -> None:
        await checkpoints.keep(3, b"of 3")

        with pytest.raises(Conflict):
            await checkpoints.keep(3, b"of 3, differently")

        assert list(await checkpoints.checkpoints()) == [b"of 3"]
