"""Commands are judged by what is recorded now, whichever server takes them and however often they are sent."""

import asyncio

import pytest

from glideslope.domain.commands import Approve, Halt, Propose
from glideslope.domain.errors import NotInPhase, RolloutInProgress
from glideslope.engine.app import App
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, GRACE, World, draft


async def two_servers() -> tuple[World, App, App]:
    """Return two servers on one record, neither of which hears of the other by itself."""
    world = World(seed=1)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    first, second = world.app, await world.start()
    return world, first, second


async def test_a_server_knows_what_another_recorded_a_moment_ago() -> None:
    _, first, second = await two_servers()
    proposed = await first.propose(Propose(draft=draft("delays", "v2", approvals=1), by=ADA), key="p")
    rollout = second.record.rollouts()

    approved = Approve(rollout=proposed.id, plan_digest=proposed.plan_digest, granted=True, by=GRACE, why="fine")
    view = await second.approve(approved, key="a")

    assert rollout == ()
    assert view.id == proposed.id


async def test_a_server_refuses_by_what_is_true_now() -> None:
    """Its own view says that a change is under way; another server has seen it end."""
    _, first, second = await two_servers()
    proposed = await first.propose(Propose(draft=draft("delays", "v2"), by=ADA), key="p")

    with pytest.raises(RolloutInProgress):
        await second.propose(Propose(draft=draft("delays", "v2"), by=GRACE), key="q")
    with pytest.raises(NotInPhase):
        await second.halt(Halt(rollout=proposed.id, by=GRACE, why="odd"), key="h")


async def test_a_command_that_is_sent_to_two_servers_at_once_is_carried_out_once_and_answered_twice() -> None:
    _, first, second = await two_servers()
    command = Propose(draft=draft("delays", "v2"), by=ADA)

    views = await asyncio.gather(*(app.propose(command, key="p") for app in (first, second, first)))

    assert len({view.id for view in views}) == 1


async def test_a_command_that_worked_by_another_way_meanwhile_is_not_refused() -> None:
    """Between asking whether it was done and doing it, the same command is carried out elsewhere."""
    world, first, second = await two_servers()
    command = Propose(draft=draft("delays", "v2"), by=ADA)
    other = await second.propose(command, key="p")
    known = first.record.known
    asked = []

    async def unknown_at_first(key: str) -> object:
        asked.append(key)
        return None if len(asked) == 1 else await known(key)

    first.record.known = unknown_at_first  # type: ignore[method-assign,assignment]  # the moment before the other was done
    view = await first.propose(command, key="p")

    assert view.id == other.id
    assert world.app.record.next_rollout() == "r-0002"
