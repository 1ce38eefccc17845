"""What every Deliveries promises: the last standing stays, attempts are listed newest first, and pruning forgets the oldest alone."""

import pytest

from glideslope.engine.telling.ports import Attempt, Deliveries, Ended


def example(number: int, *, channel: str = "ops") -> Attempt:
    """Return an attempt like those of couriers."""
    return Attempt(
        channel=channel,
        at=1_000 * number,
        message=f"msg_{number}",
        entry=number if number % 3 else None,
        thread=f"r-{number:04d}",
        happening="advanced",
        severity="notice",
        title="dela\u0301y \u2192 v2",
        ended=list(Ended)[number % 3],
        detail="204",
        tries=number,
        took=12,
    )


@pytest.mark.asyncio
class DeliveriesContract:
    """Subclass and provide the fixture `deliveries`: empty, and for this test alone."""

    @pytest.fixture
    def deliveries(self) -> Deliveries:
        raise NotImplementedError("provide the fixture `deliveries`")

    async def test_nothing_is_kept_at_first(self, deliveries: Deliveries) -> None:
        assert await deliveries.standing("ops") is None
        assert list(await deliveries.attempts(limit=10)) == []

    async def test_the_last_standing_of_each_channel_stays(self, deliveries: Deliveries) -> None:
        await deliveries.keep("ops", b"1")
        await deliveries.keep("risk", b"2")
        await deliveries.keep("ops", b"\x00\xff")

        assert await deliveries.standing("ops") == b"\x00\xff"
        assert await deliveries.standing("risk") == b"2"

    async def test_attempts_are_listed_newest_first_and_page_by_page(self, deliveries: Deliveries) -> None:
        for number in range(1, 8):
            await deliveries.keep("ops", b"", (example(number, channel="ops" if number % 2 else "risk"),))

        every = await deliveries.attempts(limit=100)
        assert [each.tries for _, each in every] == [7, 6, 5, 4, 3, 2, 1]
        assert [each for _, each in every] == [example(n, channel="ops" if n % 2 else "risk") for n in range(7, 0, -1)]
        (first, _), (second, _) = await deliveries.attempts("ops", limit=2)
        assert [each.tries for _, each in await deliveries.attempts("ops", limit=9, below=second)] == [3, 1]
        assert first > second

    async def test_pruning_forgets_the_old_and_the_many(self, deliveries: Deliveries) -> None:
        await deliveries.keep("ops", b"here", tuple(example(number) for number in range(1, 11)))

        assert await deliveries.prune(before=3_000, most=100) == 2
        assert await deliveries.prune(before=0, most=5) == 3
        assert [each.tries for _, each in await deliveries.attempts(limit=100)] == [10, 9, 8, 7, 6]
        assert await deliveries.standing("ops") == b"here"
