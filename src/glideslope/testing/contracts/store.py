"""What every Store promises: an append-only record that is atomic, dense, fenced and safe to ask twice."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from glideslope.domain.errors import LeaseLost, VersionConflict
from glideslope.engine.ports import Draft, Fence, Lease, Leases, Store

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TTL = timedelta(seconds=10)


class FencedStore(Store, Leases, Protocol):
    """A store keeps its own leases: only one transaction can compare a fence and append under it."""


def draft(stream: str, version: int, *, key: str = "", data: bytes = b"") -> Draft:
    """Make a draft whose key and content, unless given, follow from its place."""
    place = f"{stream}@{version}"
    return Draft(stream=stream, version=version, data=data or place.encode(), key=key or place)


async def held(store: Leases, *, name: str = "rollout/fraud-1", holder: str = "a", now: datetime = NOON) -> Lease:
    """Take a lease that must be free."""
    lease = await store.acquire(name, holder=holder, ttl=TTL, now=now)
    assert lease is not None
    return lease


@pytest.mark.asyncio
class StoreContract:
    """Subclass and provide the fixture `store`: empty, and for this test alone."""

    @pytest.fixture
    def store(self) -> FencedStore:
        raise NotImplementedError("provide the fixture `store`")

    async def test_an_empty_store_holds_nothing(self, store: FencedStore) -> None:
        assert list(await store.entries()) == []
        assert dict(await store.streams()) == {}
        assert list(await store.stream("fraud-1")) == []

    async def test_positions_are_dense_from_zero_over_all_streams(self, store: FencedStore) -> None:
        first = await store.append([draft("fraud-1", 1), draft("credit-1", 1)])
        second = await store.append([draft("fraud-1", 2)])

        assert [*first, *second] == [0, 1, 2]

    async def test_entries_come_back_byte_for_byte_in_the_order_of_their_commit(self, store: FencedStore) -> None:
        hostile = bytes(range(256)) * 40
        await store.append([draft("b", 1, data=hostile), draft("a", 1)])
        await store.append([draft("b", 2)])

        assert list(await store.entries()) == [hostile, b"a@1", b"b@2"]

    async def test_entries_are_paged_half_open(self, store: FencedStore) -> None:
        await store.append([draft("a", version) for version in range(1, 6)])

        assert list(await store.entries(1, 3)) == [b"a@2", b"a@3"]
        assert list(await store.entries(3)) == [b"a@4", b"a@5"]
        assert list(await store.entries(5)) == []
        assert list(await store.entries(2, 2)) == []
        assert list(await store.entries(4, 99)) == [b"a@5"]

    async def test_a_stream_comes_back_in_order_of_version(self, store: FencedStore) -> None:
        await store.append([draft("a", 1), draft("b", 1), draft("a", 2), draft("b", 2), draft("a", 3)])

        assert list(await store.stream("a")) == [b"a@1", b"a@2", b"a@3"]

    async def test_streams_tell_their_last_versions(self, store: FencedStore) -> None:
        await store.append([draft("a", 1), draft("b", 1), draft("a", 2), draft("a%", 1), draft("ä", 1)])

        assert dict(await store.streams()) == {"a": 2, "a%": 1, "b": 1, "ä": 1}

    async def test_nothing_to_append_is_nothing_appended(self, store: FencedStore) -> None:
        assert list(await store.append([])) == []
        assert list(await store.entries()) == []

    @pytest.mark.parametrize("version", [-1, 0, 1, 3])
    async def test_a_version_that_is_not_the_next_is_refused(self, store: FencedStore, version: int) -> None:
        await store.append([draft("a", 1)])

        with pytest.raises(VersionConflict):
            await store.append([draft("a", version, key="another")])

        assert list(await store.entries()) == [b"a@1"]

    @pytest.mark.parametrize("version", [-1, 0, 2])
    async def test_a_stream_begins_with_version_one(self, store: FencedStore, version: int) -> None:
        with pytest.raises(VersionConflict):
            await store.append([draft("a", version)])

    async def test_one_refused_draft_refuses_all(self, store: FencedStore) -> None:
        with pytest.raises(VersionConflict):
            await store.append([draft("a", 1), draft("b", 2), draft("c", 1)])

        assert list(await store.entries()) == []
        assert list(await store.append([draft("a", 1)])) == [0]

    async def test_the_same_act_sent_twice_is_recorded_once(self, store: FencedStore) -> None:
        act = [draft("a", 1), draft("b", 1)]
        once = await store.append(act)
        await store.append([draft("a", 2)])

        again = await store.append(act)

        assert list(again) == list(once)
        assert len(await store.entries()) == 3

    async def test_a_key_is_known_whatever_it_comes_with_again(self, store: FencedStore) -> None:
        """The key is the act; a retry may have been put together anew, at another time and version."""
        await store.append([draft("a", 1, key="act")])

        again = await store.append([draft("a", 2, key="act", data=b"later")])

        assert list(again) == [0]
        assert list(await store.entries()) == [b"a@1"]

    async def test_a_retry_may_bring_something_new_along(self, store: FencedStore) -> None:
        await store.append([draft("a", 1)])

        assert list(await store.append([draft("a", 1), draft("a", 2)])) == [0, 1]

    async def test_a_key_repeated_within_one_append_is_one_entry(self, store: FencedStore) -> None:
        assert list(await store.append([draft("a", 1, key="act"), draft("a", 2, key="act")])) == [0, 0]
        assert dict(await store.streams()) == {"a": 1}

    async def test_a_held_fence_lets_pass(self, store: FencedStore) -> None:
        lease = await held(store)

        assert list(await store.append([draft("a", 1)], fence=Fence(name=lease.name, epoch=lease.epoch))) == [0]

    async def test_a_frozen_holder_can_record_nothing_after_another_took_over(self, store: FencedStore) -> None:
        frozen = await held(store, holder="a")
        successor = await held(store, holder="b", now=NOON + TTL)

        with pytest.raises(LeaseLost):
            await store.append([draft("a", 1)], fence=Fence(name=frozen.name, epoch=frozen.epoch))

        assert list(await store.entries()) == []
        assert list(await store.append([draft("a", 1)], fence=Fence(name=successor.name, epoch=successor.epoch))) == [0]

    async def test_a_frozen_holder_is_refused_even_what_is_recorded(self, store: FencedStore) -> None:
        """Whoever lost the lease must stop; learning that an old act was recorded would let it go on."""
        frozen = await held(store, holder="a")
        fence = Fence(name=frozen.name, epoch=frozen.epoch)
        await store.append([draft("a", 1)], fence=fence)
        await held(store, holder="b", now=NOON + TTL)

        with pytest.raises(LeaseLost):
            await store.append([draft("a", 1)], fence=fence)

    async def test_a_fence_given_back_no_longer_holds(self, store: FencedStore) -> None:
        lease = await held(store)
        await store.release(lease)

        with pytest.raises(LeaseLost):
            await store.append([draft("a", 1)], fence=Fence(name=lease.name, epoch=lease.epoch))

    async def test_a_fence_nobody_ever_held_does_not_hold(self, store: FencedStore) -> None:
        with pytest.raises(LeaseLost):
            await store.append([draft("a", 1)], fence=Fence(name="nobody", epoch=1))

    async def test_concurrent_appenders_to_many_streams_all_succeed(self, store: FencedStore) -> None:
        appended = await asyncio.gather(*(store.append([draft(f"s{i}", 1), draft(f"s{i}", 2)]) for i in range(50)))

        positions = [position for pair in appended for position in pair]
        assert sorted(positions) == list(range(100))
        assert all(second == first + 1 for first, second in appended)

    async def test_of_concurrent_appenders_to_one_version_exactly_one_succeeds(self, store: FencedStore) -> None:
        answers = await asyncio.gather(
            *(store.append([draft("a", 1, key=f"k{i}")]) for i in range(20)), return_exceptions=True
        )

        assert sum(isinstance(answer, VersionConflict) for answer in answers) == 19
        assert len(await store.entries()) == 1

    async def test_a_refused_appender_harms_no_neighbour(self, store: FencedStore) -> None:
        """However appends are grouped on their way to the disk, each stands for itself."""
        answers = await asyncio.gather(
            *(store.append([draft(f"s{i}", 1 + i % 2)]) for i in range(20)), return_exceptions=True
        )

        assert [isinstance(answer, VersionConflict) for answer in answers] == [bool(i % 2) for i in range(20)]
        assert list(await store.entries()) == [f"s{i}@1".encode() for i in range(0, 20, 2)]
