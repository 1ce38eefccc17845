"""The record is what the store has, whatever was acknowledged and whoever wrote it."""

import msgspec
import pytest

from glideslope.domain.errors import Invalid, StoreUnavailable, VersionConflict
from glideslope.domain.events import Registered
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.domain.plan import Evaluation
from glideslope.engine.record import Append, Record, model_stream
from glideslope.testing.clock import ManualClock
from glideslope.testing.memory import MemoryStore, no_fault

STREAM = model_stream(ModelName("delays"))


def registered(version: str) -> Registered:
    digest = Digest("sha256:" + version[-1] * 64)
    name, model = VersionName(version), ModelName("delays")
    return Registered(model=model, version=name, digest=digest, url="http://x", by=Actor("ada"), why="trained")


def append(version: str, *, expected: int, key: str) -> Append:
    return Append(stream=STREAM, expected=expected, events=(registered(version),), key=key)


def broken(_verb: str) -> None:
    raise StoreUnavailable("no answer")


async def test_after_a_lost_acknowledgement_the_first_try_is_what_happened() -> None:
    """The second try, later and with other content under the same key, is answered with the first one's entry."""
    store, clock = MemoryStore(), ManualClock()
    record = Record(store=store, clock=clock)
    store.after_commit = broken
    with pytest.raises(StoreUnavailable):
        await record.append((append("v1", expected=0, key="k"),))
    store.after_commit = no_fault
    await clock.advance(60)

    (found,) = await record.append((append("v2", expected=0, key="k"),))

    assert found.event == registered("v1")
    fresh = Record(store=store, clock=clock)
    await fresh.load()
    assert record.history(STREAM) == fresh.history(STREAM)


async def test_a_key_tells_whether_an_act_was_done() -> None:
    """Also one whose acknowledgement was lost, and without writing anything."""
    store, clock = MemoryStore(), ManualClock()
    record = Record(store=store, clock=clock)
    assert await record.known("k") is None
    store.after_commit = broken
    with pytest.raises(StoreUnavailable):
        await record.append((append("v1", expected=0, key="k"),))
    store.after_commit = no_fault

    found = await record.known("k")

    assert found is not None
    assert found.event == registered("v1")
    assert await record.known("other") is None
    assert len(await store.entries()) == record.size() == 1


async def test_whoever_wrote_second_learns_what_was_written_first() -> None:
    """A conflict leaves the loser up to date, so that the next try can succeed."""
    store, clock = MemoryStore(), ManualClock()
    one, two = Record(store=store, clock=clock), Record(store=store, clock=clock)
    await one.append((append("v1", expected=0, key="a"),))

    with pytest.raises(VersionConflict):
        await two.append((append("v2", expected=0, key="b"),))

    assert two.version(STREAM) == 1
    await two.append((append("v2", expected=1, key="b"),))
    await one.refresh()
    assert one.history(STREAM) == two.history(STREAM)


async def test_time_in_the_record_never_runs_back() -> None:
    """A wall clock set back does not date an entry before the one that it follows."""
    store, clock = MemoryStore(), ManualClock()
    record = Record(store=store, clock=clock)
    await record.append((append("v1", expected=0, key="a"),))
    clock.set_wall(clock.now().replace(year=2020))

    await record.append((append("v2", expected=1, key="b"),))

    first, second = record.history(STREAM)
    assert second.at == first.at


async def test_what_the_ledger_cannot_hold_is_refused_before_anything_is_recorded() -> None:
    store = MemoryStore()
    record = Record(store=store, clock=ManualClock())
    await record.load()
    evaluation = Evaluation(metric="auc", holdout="days", incumbent=0.6, candidate=0.7, count=2**60)
    event = msgspec.structs.replace(registered("v2"), evaluations=(evaluation,))

    with pytest.raises(Invalid, match="cannot hold"):
        await record.append(
            (append("v1", expected=0, key="a"), Append(stream="model.other", expected=0, events=(event,), key="b"))
        )

    assert (await store.entries(), record.size()) == ([], 0)
