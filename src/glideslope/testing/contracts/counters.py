"""What every Counters promises: re-sent totals change nothing, and an outcome counts exactly once."""

import asyncio

import pytest

from glideslope.domain.errors import Invalid
from glideslope.engine.ports import Alike, Counters, Total


def total(cell: str, count: int, *, source: str = "gateway-1", epoch: int = 1) -> Total:
    """Make a total of the usual source."""
    return Total(source=source, epoch=epoch, cell=cell, count=count)


@pytest.mark.asyncio
class CountersContract:
    """Subclass and provide the fixture `counters`: empty, and for this test alone."""

    @pytest.fixture
    def counters(self) -> Counters:
        raise NotImplementedError("provide the fixture `counters`")

    async def test_what_was_saved_is_loaded(self, counters: Counters) -> None:
        saved = [total("f-1/s1/b", 2), total("f-1/s1/a", 1), total("f-1/s1/a", 3, source="gateway-0")]
        await counters.save(saved)

        loaded = await counters.load("f-1/")

        assert sorted(loaded, key=repr) == sorted(saved, key=repr)

    async def test_totals_are_merged_by_maximum(self, counters: Counters) -> None:
        for count in (5, 9, 7, 9):
            await counters.save([total("f-1/a", count)])

        assert list(await counters.load("f-1/")) == [total("f-1/a", 9)]

    async def test_totals_repeated_within_one_message_are_merged_too(self, counters: Counters) -> None:
        await counters.save([total("f-1/a", 5), total("f-1/a", 3)])

        assert list(await counters.load("f-1/")) == [total("f-1/a", 5)]

    async def test_sources_and_epochs_are_kept_apart(self, counters: Counters) -> None:
        """A source that restarts counts from zero in a new epoch; both epochs count."""
        apart = [total("c", 5), total("c", 2, epoch=2), total("c", 7, source="gateway-2")]
        await counters.save(apart)

        assert sorted(await counters.load("c"), key=repr) == sorted(apart, key=repr)

    async def test_any_order_of_arrival_gives_the_same_totals(self, counters: Counters) -> None:
        sent = [total(f"c{i % 3}", i, epoch=i % 2) for i in range(30)]
        await asyncio.gather(*(counters.save([one]) for one in reversed(sent)), *(counters.save([one]) for one in sent))

        loaded = {(one.cell, one.epoch): one.count for one in await counters.load("c")}
        assert loaded == {(f"c{i % 3}", i % 2): i for i in range(24, 30)}

    async def test_a_refused_total_refuses_its_message(self, counters: Counters) -> None:
        with pytest.raises(Invalid):
            await counters.save([total("c1", 1), total("c2", -1)])

        assert list(await counters.load("")) == []

    @pytest.mark.parametrize("count", [-1, 2**53, 2**63, 2**70])
    async def test_a_count_that_not_every_reader_keeps_exactly_is_refused(self, counters: Counters, count: int) -> None:
        with pytest.raises(Invalid):
            await counters.save([total("c", count)])
        with pytest.raises(Invalid):
            await counters.once(["k"], [total("c", count)])

    async def test_a_prefix_is_taken_literally(self, counters: Counters) -> None:
        for cell in ("f-1/a", "f-10/a", "f_1/a", "f%/a", "F-1/a", "f-1", "f-1/\U0010ffff", "f-1/ä"):
            await counters.save([total(cell, 1)])

        assert {one.cell for one in await counters.load("f-1/")} == {"f-1/a", "f-1/\U0010ffff", "f-1/ä"}
        assert {one.cell for one in await counters.load("f%")} == {"f%/a"}
        assert len(await counters.load("")) == 8
        assert list(await counters.load("g")) == []

    async def test_a_new_key_counts_and_a_seen_one_does_not(self, counters: Counters) -> None:
        assert list(await counters.once(["p1", "p2"], [total("c", 1), total("c", 2)])) == [True, True]
        assert list(await counters.once(["p2", "p3"], [total("c", 2), total("c", 4)])) == [False, True]

        assert list(await counters.load("c")) == [total("c", 7)]

    async def test_a_key_repeated_within_one_message_counts_once(self, counters: Counters) -> None:
        assert list(await counters.once(["p1", "p1"], [total("c", 1), total("c", 1)])) == [True, False]

        assert list(await counters.load("c")) == [total("c", 1)]

    async def test_an_outcome_counts_exactly_once_under_concurrency_and_resending(self, counters: Counters) -> None:
        keys = [f"p{i}" for i in range(40)]
        answers = await asyncio.gather(
            *(counters.once([key], [total("c", 1)]) for key in keys * 3),
            *(counters.once(keys, [total("c", 1)] * len(keys)) for _ in range(5)),
        )

        assert sum(new for answer in answers for new in answer) == 40
        assert list(await counters.load("c")) == [total("c", 40)]

    async def test_a_key_without_its_total_refuses_all(self, counters: Counters) -> None:
        with pytest.raises(Invalid):
            await counters.once(["p1", "p2"], [total("c", 1)])

        assert list(await counters.once(["p1"], [total("c", 1)])) == [True]

    async def test_a_refused_count_notes_no_key(self, counters: Counters) -> None:
        """Otherwise the outcome, sent again correctly, would be taken for seen and be lost."""
        with pytest.raises(Invalid):
            await counters.once(["p1", "p2"], [total("c", 1), total("c", -1)])

        assert list(await counters.once(["p1", "p2"], [total("c", 1), total("c", 1)])) == [True, True]

    async def test_a_sum_too_large_to_be_exact_is_refused(self, counters: Counters) -> None:
        await counters.save([total("c", 2**53 - 1)])

        with pytest.raises(Invalid):
            await counters.once(["p1"], [total("c", 1)])

        assert list(await counters.load("c")) == [total("c", 2**53 - 1)]

    async def test_keys_that_add_the_same_count_once_each_in_every_total_of_their_group(
        self, counters: Counters
    ) -> None:
        groups = [Alike(b"a", (total("c", 1), total("d", 2))), Alike(b"b", (total("c", 1),))]

        assert list(await counters.once_alike([b"p", b"q", b"p", b"r"], [0, 1, 1, 0], groups)) == [
            None,
            None,
            b"a",
            None,
        ]
        assert list(await counters.once_alike([b"q", b"s"], [0, 1], groups)) == [b"b", None]

        assert sorted(await counters.load(""), key=repr) == sorted([total("c", 4), total("d", 4)], key=repr)

    async def test_keys_of_groups_are_apart_from_others(self, counters: Counters) -> None:
        await counters.once(["p/1"], [total("c", 1)])

        assert list(await counters.once_alike([b"p/1"], [0], [Alike(b"", (total("c", 1),))])) == [None]
        assert list(await counters.once_alike([b"p/1"], [0], [Alike(b"x", (total("c", 1),))])) == [b""]
        assert [await counters.has_noted(prefix) for prefix in ("p/", "p/1", "p%", "P", "q", "")] == [
            True, True, False, False, False, True,
        ]  # fmt: skip

    async def test_groups_count_exactly_once_under_concurrency_and_resending(self, counters: Counters) -> None:
        keys = [f"p{i}".encode() for i in range(40)]
        groups = [Alike(b"", (total("c", 1),))]
        answers = await asyncio.gather(
            *(counters.once_alike([key], [0], groups) for key in keys * 3),
            *(counters.once_alike(keys, [0] * len(keys), groups) for _ in range(5)),
        )

        assert sum(note is None for answer in answers for note in answer) == 40
        assert list(await counters.load("c")) == [total("c", 40)]

    async def test_a_refused_group_notes_no_key(self, counters: Counters) -> None:
        await counters.save([total("full", 2**53 - 1)])
        for refused in (Alike(b"", (total("c", -1),)), Alike(b"", (total("full", 1),))):
            with pytest.raises(Invalid):
                await counters.once_alike([b"p", b"q"], [0, 1], [Alike(b"", (total("c", 1),)), refused])
        with pytest.raises(Invalid):
            await counters.once_alike([b"p"], [], [])

        assert list(await counters.once_alike([b"p", b"q"], [0, 0], [Alike(b"", (total("c", 1),))])) == [None, None]
        assert list(await counters.load("c")) == [total("c", 2)]
