"""Drills: going back is practised on the real path with the incumbent in a candidate's place, measured, and recorded."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import CAT, HIGH, ORGANISATION, PIA, SAM, approve, change, given

from glideslope.domain.commands import BeginDrill, TellDrill
from glideslope.domain.errors import Conflict, DriverUnavailable, FeatureMissing, Invalid, NotEntitled, NotFound
from glideslope.domain.governing.drill import DrillKind, HeldDrill
from glideslope.domain.governing.organisation import DAY, Tier
from glideslope.domain.ids import Actor, ModelName
from glideslope.engine.drill_player import LEASE
from glideslope.engine.ports import Feature
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World

DELAYS = ModelName("delays")


async def begin(world: World, kind: DrillKind = DrillKind.ROLLBACK, *, by: Actor = ADA) -> None:
    command = BeginDrill(model=DELAYS, kind=kind, by=by, why="the quarter's drill")
    await world.app.begin_drill(command, key=world.key())


async def drilled(world: World, *, model: ModelName = DELAYS, within: float = 20.0) -> HeldDrill:
    """Let time pass until the drill under way is over."""
    before = world.app.record.drills(model).held
    for _ in range(round(within * 4)):
        await world.pass_time(0.25)
        held = world.app.record.drills(model).held
        if held != before:
            await world.run(0.25)
            return held[-1]
    raise AssertionError(f"the drill is not over within {within} s")


async def serving(seed: int) -> World:
    world = World(seed=seed)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(2)
    return world


async def test_requests_that_are_lost_under_a_drill_are_told_with_it() -> None:
    world = World(seed=813)
    await world.serves("delays", v1=Behaviour(errors=1.0), per_second=1_000.0)
    await world.run(2)
    await begin(world)
    held = await drilled(world)

    assert held.passed, "all traffic went back, whatever the incumbent answers"
    assert held.served
    assert held.failed == held.served


@pytest.mark.parametrize("kind", list(DrillKind))
async def test_a_drill_is_played_on_the_data_plane_and_what_was_measured_is_recorded(kind: DrillKind) -> None:
    world = await serving(801)
    await begin(world, kind)
    await world.run(0.5)
    assert world.exposed("delays") == 100, "it moves a hundredth, from the incumbent to the incumbent"
    held = await drilled(world)
    assert (held.kind, held.passed, held.told, held.by) == (kind.value, True, False, ADA)
    assert held.restored_in is not None
    usual = 0.0 if kind is DrillKind.ROLLBACK else LEASE * 1000
    assert usual <= held.restored_in <= usual + 500
    assert held.granted_in is not None
    assert held.served is not None, "it counts the requests that it moved, were there any"
    assert held.failed is not None
    assert world.exposed("delays") == 0
    await world.run(2)
    assert world.app.record.open_drills() == ()
    assert world.driver.exposure(DELAYS) is None


async def test_nobody_is_counted_in_a_drill_and_the_rollout_after_it_is_as_any_other() -> None:
    world = await serving(802)
    rollout = await world.propose(replace(change(), owner="somebody", approvals=1))
    await begin(world)
    assert (await drilled(world)).passed
    await begin(world, DrillKind.LAPSE)
    assert (await drilled(world)).passed, "one after the other, before anything else is ordered"
    assert world.traffic[DELAYS].truth.by_candidate == 0
    await approve(world, rollout, PIA)
    await world.until(rollout, phase="promoted", within=120)


async def test_a_drill_and_a_rollout_do_not_move_the_same_traffic() -> None:
    world = await serving(803)
    rollout = await world.propose(replace(change(), owner="somebody", approvals=1))
    await begin(world)
    with pytest.raises(Conflict, match="d-0001"):
        await begin(world)
    await world.run(0.5)
    await approve(world, rollout, PIA)
    held = await drilled(world)
    assert (held.passed, held.why) == (False, f"{rollout} began")
    with pytest.raises(Conflict, match=rollout):
        await begin(world)
    await world.until(rollout, step="s1", within=5)


async def test_a_server_that_dies_in_a_drill_exposes_nobody_and_the_next_one_plays_it_anew() -> None:
    world = await serving(804)
    await begin(world)
    await world.run(0.5)
    assert world.exposed("delays") == 100
    world.kill(world.app)
    await world.pass_time(LEASE + 1)
    assert world.driver.exposure(DELAYS) is None, "its lease ended by itself"
    await world.start()
    assert (await drilled(world)).passed


async def test_a_drill_that_the_data_plane_does_not_obey_has_failed_and_says_why() -> None:
    world = await serving(805)
    await begin(world)
    await world.run(0.5)

    def cut(verb: str) -> None:
        if verb == "lease":
            raise DriverUnavailable(driver="memory", why="the line is cut")

    world.driver.fault = cut
    world.healthy = False
    held = await drilled(world)
    assert not held.passed
    assert "the line is cut" in held.why
    assert held.restored_in is None
    await world.pass_time(LEASE)
    assert world.driver.exposure(DELAYS) is None, "what could not be withdrawn ran out"


async def test_what_a_person_tells_of_says_that_a_person_tells_of_it() -> None:
    world = await given(806)
    now = world.app.record.now()

    async def tell(held_at: int, *, by: Actor = ADA, kind: str = "rollback") -> None:
        command = TellDrill(
            model=DELAYS, kind=kind, held_at=held_at, passed=True, by=by, why="in the rehearsal", restored_in=4_000
        )
        await world.app.tell_drill(command, key=world.key())

    with pytest.raises(Invalid, match="not before"):
        await tell(now + DAY)
    with pytest.raises(NotEntitled):
        await tell(now, by=CAT)
    with pytest.raises(Invalid, match="kind"):
        await tell(now, kind=" ")
    await tell(now - DAY)
    (view,) = await world.app.drills(DELAYS)
    assert (view.told, view.by, view.state, view.restored_in) == (True, "ada", "passed", 4_000.0)


async def test_who_may_ask_for_one_and_of_what() -> None:
    world = await given(807)
    with pytest.raises(NotEntitled, match="operate"):
        await begin(world, by=SAM)
    with pytest.raises(NotFound):
        await world.app.begin_drill(
            BeginDrill(model=ModelName("nothing"), kind=DrillKind.ROLLBACK, by=ADA, why="x"), key="k"
        )
    world.driver.features = frozenset(Feature) - {Feature.DRILL}
    with pytest.raises(FeatureMissing):
        await begin(world)


async def test_a_tier_that_asks_for_drills_lets_nothing_begin_without_one() -> None:
    high = replace(HIGH, valid_for=100 * DAY, drill_within=30 * DAY)
    world = await given(808, replace(ORGANISATION, tiers=(Tier(name="low"), high)))
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.run(2)
    view = await world.app.rollout(rollout)
    assert view.phase == "proposed"
    assert view.governed is not None
    assert [b.partition(":")[0] for b in view.governed.blocks] == ["drill/overdue"]
    (due,) = await world.app.dues()
    assert (due.what, due.name, due.overdue, due.last) == ("drill", "delays", True, "")
    await begin(world)
    assert (await drilled(world)).passed
    await world.until(rollout, step="s1", within=5)
    (due,) = await world.app.dues()
    assert (due.overdue, due.by) == (False, "ada")

    await world.clock.advance(timedelta(days=31).total_seconds())
    (due,) = await world.app.dues()
    assert due.overdue
    assert (await world.app.fleet()).overdue == 1
