"""What a server tells machines that watch is what its record and its counters say, and its number of series is bounded."""

from dataclasses import replace
from typing import Any

import pytest

from glideslope.domain.commands import OrderRollback
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.metric import Dimension
from glideslope.domain.traffic import Arm
from glideslope.engine.telemetry import collecting, names
from glideslope.engine.telemetry.collecting import FIGURES, KEEP
from glideslope.engine.telemetry.families import MOST_SLICES, Definition, Kind
from glideslope.engine.telemetry.meters import Histogram
from glideslope.engine.telemetry.of_rollouts import LINGER
from glideslope.interfaces.api.exposition import OPENMETRICS, TEXT, write
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, World, draft

DELAYS = ModelName("delays")
Told = dict[tuple[str, ...], Any]


async def told(world: World, definition: Definition) -> Told:
    """Return a family's numbers by the values of its labels, as a scrape would find them now."""
    family = next(each for each in await world.app.telemetry() if each.definition is definition)
    assert all(len(labels) == len(definition.labels) for labels, _ in family.samples)
    assert len({labels for labels, _ in family.samples}) == len(family.samples), "one number under each set of labels"
    return dict(family.samples)


def cut(_verb: str) -> None:
    """Stand for a data plane that does not answer."""
    raise DriverUnavailable(driver="memory", why="the line is cut")


async def measuring(world: World, **more: Any) -> RolloutId:
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.pass_time(5)
    rollout = await world.propose(draft("delays", "v2", **more))
    await world.until(rollout, step="s1", within=20)
    await world.pass_time(4)
    return rollout


async def test_requests_are_counted_per_arm_and_the_sum_is_all_that_was_sent() -> None:
    world = World(seed=3)
    rollout = await measuring(world)

    requests, durations = await told(world, names.REQUESTS), await told(world, names.DURATION)

    assert {labels for labels in requests if labels[1]} == {("delays", rollout, arm.value) for arm in Arm}
    assert {labels: seen.count for labels, seen in durations.items()} == requests
    view = await world.app.rollout(rollout)
    subjects = sum(step.candidate_subjects + step.incumbent_subjects for step in view.steps)
    assert sum(n for labels, n in requests.items() if labels[1]) >= subjects > 0
    assert (await told(world, names.EXPOSED))["delays", rollout, "candidate"] > 0


async def test_exposure_is_told_as_it_is_wanted_and_as_the_data_plane_says_and_a_silent_one_says_nothing() -> None:
    world = World(seed=3)
    rollout = await measuring(world)
    assert await told(world, names.DESIRED) == {("delays", rollout): 0.1}
    assert await told(world, names.CONFIRMED) == {("delays", rollout): 0.1}
    assert 0 < (await told(world, names.LEASE_LEFT))["delays", rollout] <= 2.0

    world.driver.fault, world.healthy = cut, False
    await world.pass_time(6)

    assert await told(world, names.CONFIRMED) == {}, "what nobody reports is not told as what was reported last"
    assert (await told(world, names.TROUBLE))["gateway",] == 1


async def test_guardrails_are_told_with_margin_interval_and_both_arms_on_the_whole_and_on_slices() -> None:
    world = World(seed=3)
    rollout = await measuring(world)
    view = await world.app.rollout(rollout)

    differences, margins = await told(world, names.DIFFERENCE), await told(world, names.MARGIN)
    values = await told(world, names.VALUE)

    assert set(margins) == {("delays", rollout, g.metric, g.slice, g.kind) for g in view.guardrails}
    assert {labels[3] for labels in differences} == {"all", "origin=EWR", "origin=JFK", "origin=LGA"}
    latency = next(g for g in view.guardrails if g.metric == "latency")
    assert latency.incumbent is not None
    seconds = values["delays", rollout, "latency", "all", "incumbent"]
    assert seconds == pytest.approx(latency.incumbent / 1000, rel=0.2), "seconds, and not milliseconds"
    assert ("delays", rollout, "log_loss", "origin=JFK", "candidate") in values
    assert all(labels[4] in ("harm", "proof") for labels in await told(world, names.EVIDENCE))


async def test_decisions_and_how_long_a_rollback_took_come_from_the_ledger_and_outlive_a_restart() -> None:
    world = World(seed=4)
    await world.serves("delays", v1=SOUND, v2=Behaviour(errors=0.5))
    await world.pass_time(5)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, phase="rolled-back", within=60)

    decisions, lasted = await told(world, names.DECISIONS), await told(world, names.ROLLBACK)
    rolled_back = {labels: n for labels, n in decisions.items() if labels[1] == "roll-back"}
    assert rolled_back == {("delays", "roll-back", "guardrail-breached"): 1}
    assert lasted["delays",].count == 1
    assert await told(world, names.ROLLOUT) == {}, "only what is under way"
    assert (await told(world, names.ROLLOUTS))["rolled-back",] == 1

    world.kill(world.app)
    await world.start()

    assert await told(world, names.DECISIONS) == decisions
    assert (await told(world, names.ROLLBACK))["delays",].counts == lasted["delays",].counts


async def test_a_rollout_is_told_for_a_while_after_its_end_and_then_no_more() -> None:
    world = World(seed=3)
    rollout = await measuring(world)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=ADA, why="enough"), key="k")
    await world.until(rollout, phase="rolled-back", within=10)
    assert any(labels[1] == rollout for labels in await told(world, names.REQUESTS))
    world.traffic[DELAYS].demand.per_second = 0.0

    await world.clock.advance(LINGER / 1000 + 1)

    assert all(labels[1] == "" for labels in await told(world, names.REQUESTS))


async def test_of_many_slices_the_worst_are_told_and_how_many_are_not() -> None:
    world = World(seed=3)
    many = (Dimension("origin", ("EWR", "JFK", "LGA")), Dimension("gate", tuple(f"g{n}" for n in range(60))))
    rollout = await measuring(world, slices=many)
    view = await world.app.rollout(rollout)
    shown = {labels[3] for labels in await told(world, names.MARGIN) if labels[2] == "log_loss"}

    assert len(shown) <= MOST_SLICES + 1
    left_out = (await told(world, names.LEFT_OUT))["delays", rollout]
    assert left_out == len(view.guardrails) - len(await told(world, names.MARGIN))


async def test_several_scrapes_cost_one_and_figures_are_kept_until_something_is_decided() -> None:
    world = World(seed=3)
    await measuring(world)
    first = await world.app.telemetry()
    assert await world.app.telemetry() is first
    at = await told(world, names.FIGURED_AT)

    await world.clock.advance(KEEP)
    assert await world.app.telemetry() is not first
    assert (await told(world, names.FIGURED_AT)) == at

    await world.clock.advance(FIGURES)
    assert await told(world, names.FIGURED_AT) != at


async def test_an_entry_that_was_changed_on_the_disk_is_told() -> None:
    world = World(seed=3)
    await measuring(world)
    await world.app.notary.sign()
    assert await told(world, names.CHAIN) == {}, "not told before it was looked at"
    await world.app.watching.chain.look()
    await world.clock.advance(KEEP)
    assert await told(world, names.CHAIN) == {(): 1}

    world.store._entries[3] = replace(world.store._entries[3], data=world.store._entries[3].data.replace(b"2", b"3"))
    await world.app.watching.chain.look()
    await world.clock.advance(KEEP)

    assert await told(world, names.CHAIN) == {(): 0}


async def test_no_name_of_a_person_or_subject_is_in_any_label_and_all_of_it_can_be_written() -> None:
    world = World(seed=3)
    rollout = await measuring(world)
    telling = await world.app.telemetry()

    assert {family.definition for family in telling} == set(names.DEFINITIONS)
    said: dict[str, set[str]] = {}
    for family in telling:
        for labels, _ in family.samples:
            for key, value in zip(family.definition.labels, labels, strict=True):
                said.setdefault(key, set()).add(value)
    assert said["model"] == {"delays"}
    assert said["rollout"] == {"", rollout}
    assert said["arm"] == {"incumbent", "candidate"}
    assert said["slice"] == {"all", "origin=EWR", "origin=JFK", "origin=LGA"}
    assert said["metric"] == {"errors", "latency", "log_loss", "brier", "wrong"}
    assert {"subject", "actor", "prediction", "url"} & set(said) == set()
    assert all(b"delays" in write(telling, media=media) for media in (TEXT, OPENMETRICS))
    for family in telling:
        for _, number in family.samples:
            assert isinstance(number, Histogram) is (family.definition.kind is Kind.HISTOGRAM)


async def test_whose_approval_is_missing_is_told_at_once_however_many_rollouts_measure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "BUDGET", -1.0)
    world = World(seed=3)
    await measuring(world)
    await world.serves("mail", v1=SOUND, v2=SOUND)
    await world.pass_time(5)
    rollout = await world.propose(draft("mail", "v2", approvals=2))

    assert await told(world, names.APPROVALS) == {("mail", rollout, ""): 2}
    assert {labels[1] for labels in await told(world, names.FIGURED_AT)} == {rollout}, "nothing else was computed"
