"""What every Leases promises: at most one holder at a time, and an epoch that tells successors apart."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from glideslope.domain.errors import Invalid
from glideslope.engine.ports import Leases

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=10)
INSTANT = timedelta(microseconds=1)


@pytest.mark.asyncio
class LeasesContract:
    """Subclass and provide the fixture `leases`: none held, and for this test alone."""

    @pytest.fixture
    def leases(self) -> Leases:
        raise NotImplementedError("provide the fixture `leases`")

    async def test_a_free_lease_is_taken(self, leases: Leases) -> None:
        lease = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)

        assert lease is not None
        assert (lease.name, lease.holder, lease.epoch, lease.until) == ("r", "a", 1, NOON + TTL)

    async def test_a_held_lease_is_not_for_another(self, leases: Leases) -> None:
        await leases.acquire("r", holder="a", ttl=TTL, now=NOON)

        assert await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL - INSTANT) is None

    async def test_renewing_in_time_keeps_the_epoch(self, leases: Leases) -> None:
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        second = await leases.acquire("r", holder="a", ttl=TTL, now=NOON + TTL / 2)

        assert first is not None
        assert second is not None
        assert (second.epoch, second.until) == (first.epoch, NOON + TTL * 1.5)

    async def test_after_the_end_another_takes_it_in_a_higher_epoch(self, leases: Leases) -> None:
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        second = await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL)

        assert first is not None
        assert second is not None
        assert second.holder == "b"
        assert second.epoch > first.epoch

    async def test_a_lapsed_holder_comes_back_in_a_higher_epoch(self, leases: Leases) -> None:
        """Between the lapse and now anything may have happened, so nothing of before may pass."""
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        second = await leases.acquire("r", holder="a", ttl=TTL, now=NOON + TTL)

        assert first is not None
        assert second is not None
        assert second.epoch > first.epoch

    async def test_a_frozen_holder_finds_its_lease_gone(self, leases: Leases) -> None:
        await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL)

        assert await leases.acquire("r", holder="a", ttl=TTL, now=NOON + TTL + INSTANT) is None

    async def test_a_lease_given_back_is_free_at_once_in_a_higher_epoch(self, leases: Leases) -> None:
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        assert first is not None
        await leases.release(first)

        second = await leases.acquire("r", holder="b", ttl=TTL, now=NOON)

        assert second is not None
        assert second.epoch > first.epoch

    async def test_giving_back_what_is_no_longer_ours_is_harmless(self, leases: Leases) -> None:
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        assert first is not None
        second = await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL)

        await leases.release(first)

        assert await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL) == second

    async def test_giving_back_an_old_epoch_of_our_own_is_harmless(self, leases: Leases) -> None:
        first = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        assert first is not None
        await leases.acquire("r", holder="a", ttl=TTL, now=NOON + TTL)

        await leases.release(first)

        assert await leases.acquire("r", holder="b", ttl=TTL, now=NOON + TTL) is None

    async def test_giving_back_twice_is_harmless(self, leases: Leases) -> None:
        lease = await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        assert lease is not None
        await leases.release(lease)
        await leases.release(lease)

        assert await leases.acquire("r", holder="a", ttl=TTL, now=NOON) is not None

    async def test_names_do_not_touch_each_other(self, leases: Leases) -> None:
        await leases.acquire("r1", holder="a", ttl=TTL, now=NOON)
        lease = await leases.acquire("r2", holder="b", ttl=TTL, now=NOON)

        assert lease is not None
        assert lease.epoch == 1

    async def test_of_many_who_ask_at_once_one_gets_it(self, leases: Leases) -> None:
        asked = await asyncio.gather(*(leases.acquire("r", holder=f"h{i}", ttl=TTL, now=NOON) for i in range(20)))

        assert sum(lease is not None for lease in asked) == 1

    async def test_the_zone_of_the_time_does_not_matter(self, leases: Leases) -> None:
        await leases.acquire("r", holder="a", ttl=TTL, now=NOON)
        elsewhere = datetime.fromisoformat("2026-01-01T14:00:10+02:00")

        lease = await leases.acquire("r", holder="b", ttl=TTL, now=elsewhere)

        assert lease is not None
        assert lease.until == NOON + 2 * TTL

    async def test_a_time_without_zone_is_refused(self, leases: Leases) -> None:
        with pytest.raises(Invalid):
            await leases.acquire("r", holder="a", ttl=TTL, now=NOON.replace(tzinfo=None))

    async def test_a_holder_without_name_is_refused(self, leases: Leases) -> None:
        with pytest.raises(Invalid):
            await leases.acquire("r", holder="", ttl=TTL, now=NOON)
