"""What every Checkpoints promises: one note per size, byte for byte, oldest first."""

import pytest

from glideslope.domain.errors import Conflict, NotFound
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

    async def test_lines_of_witnesses_are_added_once_and_stay(self, checkpoints: Checkpoints) -> None:
        note, first, second = b"of 3\n\nours\n", b"a witness\n", b"another\n"
        await checkpoints.keep(3, note)
        for line in (first, second, first):
            await checkpoints.cosign(3, line)
        await checkpoints.keep(3, note)

        assert list(await checkpoints.checkpoints()) == [note + first + second]

    async def test_another_story_is_refused_though_it_was_cosigned(self, checkpoints: Checkpoints) -> None:
        await checkpoints.keep(3, b"of 3\n\nours\n")
        await checkpoints.cosign(3, b"a witness\n")

        for other in (b"of 3\n\nothers\n", b"of 3", b"of 3\n\nours\nanother\n"):
            with pytest.raises(Conflict):
                await checkpoints.keep(3, other)

    async def test_nothing_is_added_to_what_is_not_there(self, checkpoints: Checkpoints) -> None:
        with pytest.raises(NotFound):
            await checkpoints.cosign(3, b"a witness\n")

        assert list(await checkpoints.checkpoints()) == []
