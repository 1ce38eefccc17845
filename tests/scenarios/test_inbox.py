"""What waits for people over the life of a governed change: each thing comes, says of whom it is asked, and goes with the answer."""

from msgspec.structs import replace
from tests.scenarios.test_governed import ADA, HIGH, ORGANISATION, PIA, SAM, approve, change, given

from glideslope.domain.commands import Halt, Resume
from glideslope.domain.governing.organisation import DAY, Escalation
from glideslope.domain.ids import Actor
from glideslope.testing.world import World


async def waits(world: World, who: Actor | None) -> list[str]:
    return [each.asks for each in (await world.app.inbox(who)).items]


async def test_an_approval_waits_is_escalated_and_goes_when_it_is_given() -> None:
    told = (Escalation(after=20_000, to=("owners",)), Escalation(after=90_000, to=("cat",)))
    world = await given(324, replace(ORGANISATION, escalations=told))
    rollout = await world.propose(change())
    (asked,) = (await world.app.inbox(PIA)).items
    assert (asked.asks, asked.of, asked.until[:4]) == ("approval", rollout, asked.since[:4])
    assert asked.then == "Then owners will be told. Nothing happens by itself: silence is never consent."

    await approve(world, rollout, SAM)
    assert await waits(world, SAM) == []
    await world.run(25)
    assert await waits(world, PIA) == ["approval", "escalation"], "a team is told through its people"
    assert await waits(world, ADA) == []
    (mine,) = (await world.app.inbox(ADA)).others[:1]
    assert mine.why_not == "You proposed it, so your yes does not count."

    await approve(world, rollout, PIA)
    assert await waits(world, None) == []


async def test_a_halt_waits_for_whoever_may_operate_and_since_it_was_halted() -> None:
    tier = replace(HIGH, valid_for=DAY)
    world = await given(331, replace(ORGANISATION, tiers=(ORGANISATION.tiers[0], tier)))
    rollout = await world.propose(change())
    for who in (SAM, PIA):
        await approve(world, rollout, who)
    await world.until(rollout, phase="running", within=30)
    at = world.clock.now()
    await world.app.halt(Halt(rollout=rollout, by=SAM, why="complaints"), key=world.key())
    await world.run(3)
    (item,) = (await world.app.inbox(ADA)).items
    assert (item.asks, item.allowed) == ("halt", ("resume", "rollback"))
    assert item.since[:19] == at.strftime("%Y-%m-%dT%H:%M:%S")
    assert await waits(world, SAM) == []

    await world.app.resume(Resume(rollout=rollout, by=ADA, why="looked"), key=world.key())
    assert "halt" not in await waits(world, ADA)
