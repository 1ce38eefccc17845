"""Time moves only when told, and wakes each sleeper at its own moment."""

import asyncio
from datetime import timedelta

import pytest

from glideslope.adapters.clock import SystemClock
from glideslope.engine.ports import Clock
from glideslope.testing.clock import START, ManualClock


async def test_time_stands_still_until_told() -> None:
    clock = ManualClock()
    await asyncio.sleep(0)

    assert (clock.now(), clock.monotonic()) == (START, 0.0)


async def test_both_clocks_advance_together() -> None:
    clock = ManualClock()
    await clock.advance(90)

    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=90), 90.0)


async def test_sleepers_wake_in_order_each_at_its_moment() -> None:
    clock = ManualClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(sleeper(*each)) for each in (("c", 3), ("a", 1), ("b", 1), ("d", 9))]
    await clock.advance(5)

    assert woken == [("a", 1.0), ("b", 1.0), ("c", 3.0)]
    assert clock.sleepers == 1
    await clock.advance(4)
    await asyncio.gather(*tasks)
    assert woken[-1] == ("d", 9.0)


async def test_a_loop_that_sleeps_again_gets_all_of_its_turns() -> None:
    clock = ManualClock()
    ticks: list[float] = []

    async def loop() -> None:
        while True:
            await clock.sleep(1)
            ticks.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.advance(4.5)
    task.cancel()

    assert ticks == [1.0, 2.0, 3.0, 4.0]


async def test_a_cancelled_sleeper_holds_nobody_up() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(2)

    assert task.cancelled()
    assert clock.sleepers == 0


async def test_the_wall_clock_may_jump_and_sleepers_do_not_notice() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(10))
    await clock.advance(1)
    clock.set_wall(START - timedelta(hours=2))
    await clock.advance(8.5)

    assert not task.done()
    assert clock.now() == START - timedelta(hours=2) + timedelta(seconds=8.5)
    await clock.advance(0.5)
    assert task.done()


async def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="set_wall"):
        await ManualClock().advance(-1)


async def test_no_sleep_lets_others_run() -> None:
    await ManualClock().sleep(0)


async def test_the_system_clock_is_in_utc_and_never_runs_backwards() -> None:
    clock: Clock = SystemClock()
    before = clock.monotonic()
    await clock.sleep(0)

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= before
