"""Couriers are those that the channels' file asks for now; who runs the server sees which of them fail."""

import asyncio

import pytest
from tests.scenarios.test_told import chat

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import Actor
from glideslope.domain.telling.channel import Channel, Channels
from glideslope.domain.telling.standing import Delivered, Failed
from glideslope.engine.telling.herald import READ_EVERY, Herald
from glideslope.engine.telling.ports import ChannelsRead, Outlets
from glideslope.testing.telling import MemoryDeliveries, MemoryNotifier
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft


class Desk:
    """A herald at work over a world, and the file that it follows."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.read = ChannelsRead()
        self.notifier = MemoryNotifier()
        outlets = Outlets(
            deliveries=MemoryDeliveries(),
            notifier=self.notifier,
            channels=lambda: self.read,
            address=lambda: "http://127.0.0.1:8787",
            chance=lambda: 0.5,
        )
        app = world.app
        self.herald = Herald(record=app.record, outlets=outlets, clock=world.clock, dues=app.comes_round)

    def write(self, trouble: str = "", **channels: Channel) -> None:
        self.read = ChannelsRead(Channels(to=channels), trouble)

    async def pass_time(self, seconds: float = READ_EVERY) -> None:
        await self.world.clock.advance(seconds)


async def test_channels_come_and_go_with_the_file_and_each_is_told_what_happens_while_it_is_there() -> None:
    world = World(seed=931)
    for model in ("delays", "spam", "fraud"):
        await world.serves(model, v1=SOUND, v2=SOUND)
    desk = Desk(world)
    running = asyncio.create_task(desk.herald.run())
    try:
        desk.write(ops=chat())
        await desk.pass_time()
        await world.propose(draft("delays", "v2"))
        await desk.pass_time()
        assert {p.messages[0].thread for p in desk.notifier.taken} == {"r-0001"}
        assert [each.name for each in desk.herald.channels().channels] == ["ops"]
        assert desk.herald.channels().links == "http://127.0.0.1:8787"

        desk.write(risk=chat())
        await desk.pass_time()
        await world.propose(draft("spam", "v2"))
        await desk.pass_time()
        assert {(p.channel, p.messages[0].thread) for p in desk.notifier.taken} == {
            ("ops", "r-0001"),
            ("risk", "r-0002"),
        }

        desk.write(ops=chat(), risk=chat(), trouble="channels.yaml:3:1: no.")
        await desk.pass_time()
        assert ("ops", "r-0002") in {(p.channel, p.messages[0].thread) for p in desk.notifier.taken}, (
            "it goes on where it was"
        )
        assert [check.ok for check in desk.herald.checks()] == [False]
        with pytest.raises(NotFound):
            await desk.herald.test("nobody", by=Actor("ada"))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_channel_that_fails_is_seen_to_and_again_when_it_works() -> None:
    world = World(seed=932)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    desk = Desk(world)
    desk.write(ops=chat(), risk=chat())
    desk.notifier.answer = lambda _, parcel: (
        Failed(why="HTTP 500") if parcel.channel == "ops" else Delivered(how="HTTP 204")
    )
    running = asyncio.create_task(desk.herald.run())
    try:
        await desk.pass_time()
        await world.propose(draft("delays", "v2"))
        await desk.pass_time(60)
        states = {each.name: each.state for each in desk.herald.channels().channels}
        assert states == {"ops": "failing", "risk": "works"}
        (check,) = desk.herald.checks()
        assert (check.name, check.ok) == ("channel ops", False)
        assert "HTTP 500" in check.sentence
        assert (await desk.herald.test("ops", by=Actor("ada"))).delivered is False

        desk.notifier.answer = lambda _, __: Delivered(how="HTTP 204")
        assert (await desk.herald.test("ops", by=Actor("ada"))).delivered is True
        await desk.pass_time(60)
        assert {each.name: each.state for each in desk.herald.channels().channels} == {"ops": "works", "risk": "works"}
        assert [check.ok for check in desk.herald.checks()] == [True]
        shown = await desk.herald.deliveries("ops", limit=100)
        assert {each.ended for each in shown} == {"delivered", "failed"}
        replayed = await desk.herald.replay("ops", start=0)
        assert replayed.entries == world.app.record.size()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
