"""What people may do, and what is refused: halts, resumptions, orders, approvals."""

import pytest

from glideslope.domain.commands import Approve, Halt, OrderRollback, Resume
from glideslope.domain.errors import DigestChanged, Invalid, NotInPhase, RolloutEnded, RolloutInProgress, SelfApproval
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, GRACE, SHADOW, STAGES, World, draft

LIN = Actor("lin")
DELAYS = ModelName("delays")


async def given(seed: int, *, approvals: int = 0, shadow: bool = False) -> tuple[World, RolloutId]:
    world = World(seed=seed)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    stages = (SHADOW, *STAGES) if shadow else STAGES
    return world, await world.propose(draft("delays", "v2", approvals=approvals, stages=stages))


async def approve(world: World, rollout: RolloutId, by: Actor, *, granted: bool = True) -> None:
    digest = world.app.record.rollout(rollout).plan_digest
    command = Approve(rollout=rollout, plan_digest=digest, granted=granted, by=by, why="read it")
    await world.app.approve(command, key=world.key())


async def test_a_halt_withdraws_and_a_resumption_exposes_the_same_subjects() -> None:
    """The coin is not tossed again: who met the candidate before meets it after."""
    world, rollout = await given(21)
    await world.until(rollout, step="s1", within=5)
    subjects = [f"u{k}" for k in range(2_000)]
    before = {s for s in subjects if world.driver.serve(DELAYS, s).arm == "candidate"}

    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="looks odd"), key=world.key())
    await world.run(0.25)
    assert world.exposed("delays") == 0
    await world.run(30)
    assert (await world.app.rollout(rollout)).phase == "halted"
    await world.app.resume(Resume(rollout=rollout, by=GRACE, why="it was the sensor"), key=world.key())
    await world.run(0.25)

    assert {s for s in subjects if world.driver.serve(DELAYS, s).arm == "candidate"} == before
    assert len(before) > 100
    await world.until(rollout, phase="promoted", within=300)


@pytest.mark.parametrize("phase", ["proposed", "shadow", "canary", "full", "bake", "halted", "lapsed"])
async def test_a_person_may_roll_back_from_every_phase(phase: str) -> None:
    """It is obeyed at once, confirmed, and nothing follows."""
    world, rollout = await given(27, approvals=1 if phase == "proposed" else 0, shadow=phase == "shadow")
    steps = {"canary": "s1", "shadow": "s1", "full": "s3", "bake": "s4"}
    if phase in steps:
        await world.until(rollout, step=steps[phase], within=200)
    if phase in ("halted", "lapsed"):
        await world.run(2)
        await world.app.halt(Halt(rollout=rollout, by=GRACE, why="odd"), key=world.key())
    if phase == "lapsed":
        await world.app.resume(Resume(rollout=rollout, by=GRACE, why="or not"), key=world.key())

    order = OrderRollback(rollout=rollout, by=GRACE, why="the customer called")
    await world.app.roll_back(order, key=world.key())
    await world.run(0.25)

    view = await world.app.rollout(rollout)
    assert (view.phase, view.confirmed, world.exposed("delays")) == ("rolled-back", True, 0)
    assert view.last is not None
    assert (view.last.by, view.last.why, view.last.reasons) == (GRACE, "the customer called", ("ordered-by-a-person",))
    for refused in (
        world.app.roll_back(order, key=world.key()),
        world.app.halt(Halt(rollout=rollout, by=GRACE, why="odd"), key=world.key()),
        world.app.resume(Resume(rollout=rollout, by=GRACE, why="odd"), key=world.key()),
    ):
        with pytest.raises(RolloutEnded):
            await refused


async def test_nothing_moves_before_enough_others_approved_exactly_this_plan() -> None:
    """The proposer's yes is refused, a wrong digest is refused, the same person twice counts once."""
    world, rollout = await given(23, approvals=2)
    await world.run(5)
    with pytest.raises(SelfApproval):
        await approve(world, rollout, ADA)
    other = Digest("sha256:" + "0" * 64)
    with pytest.raises(DigestChanged):
        await world.app.approve(
            Approve(rollout=rollout, plan_digest=other, granted=True, by=GRACE, why="read"), key=world.key()
        )
    digest = world.app.record.rollout(rollout).plan_digest
    wordless = Approve(rollout=rollout, plan_digest=digest, granted=True, by=GRACE, why=" ")
    with pytest.raises(Invalid):
        await world.app.approve(wordless, key=world.key())
    await approve(world, rollout, GRACE)
    await approve(world, rollout, GRACE)
    await world.run(5)
    assert (await world.app.rollout(rollout)).phase == "proposed"
    assert world.exposed("delays") == 0

    await approve(world, rollout, LIN)
    await world.run(0.25)

    assert world.exposed("delays") == 1_000
    with pytest.raises(NotInPhase):
        await approve(world, rollout, LIN)


async def test_a_denial_ends_it() -> None:
    """One no among the approvers is enough, and nobody was exposed."""
    world, rollout = await given(24, approvals=2)
    await approve(world, rollout, GRACE)
    await approve(world, rollout, LIN, granted=False)

    view = await world.until(rollout, phase="rolled-back", within=3)

    assert view.reasons == ("approval-denied",)
    assert view.candidate_subjects == 0


async def test_one_rollout_at_a_time_even_while_a_candidate_is_probed() -> None:
    """Two proposals at once: one is there, the other is refused and says which is in progress."""
    world, rollout = await given(25)

    with pytest.raises(RolloutInProgress, match=rollout):
        await world.propose(draft("delays", "v2"))


async def test_every_view_is_whole_in_every_phase() -> None:
    """Fleet, model, rollout, decisions, story, plan and replay answer wherever a rollout is, and never raise."""
    world = World(seed=26)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout: RolloutId | None = None
    seen = set()

    async def look() -> None:
        fleet = await world.app.fleet()
        assert fleet.models[0].name == DELAYS
        assert fleet.gateway == "ready"
        assert (await world.app.model(DELAYS)).versions
        known = len(seen)
        if rollout is not None:
            view = await world.app.rollout(rollout)
            seen.add((view.phase, view.stage))
        if len(seen) > known or rollout is None:  # foreseeing takes a tenth of a second
            await world.app.plan(draft("delays", "v2" if fleet.models[0].incumbent == "v1" else "v1"))
        if rollout is None:
            return
        assert view.next
        assert len(view.steps) == 5
        assert view.ended or not view.step or view.guardrails
        decisions = await world.app.decisions(rollout)
        story = await world.app.story(rollout)
        assert all(h.sentence and h.by for h in story)
        assert [h.version for h in story] == list(range(1, view.version + 1))
        assert await world.app.story(rollout, after=1) == story[1:]
        for d in decisions[-2:]:
            assert (await world.app.replay(rollout, d.version)).same

    await look()
    await world.run(5)
    rollout = await world.propose(draft("delays", "v2", approvals=1, stages=(SHADOW, *STAGES)))
    await look()
    await approve(world, rollout, GRACE)
    while not (await world.app.rollout(rollout)).ended:
        await world.run(1)
        await look()
        if len(seen) == 3:
            await world.app.halt(Halt(rollout=rollout, by=GRACE, why="look"), key=world.key())
            await look()
            await world.run(0.5)
            await look()
            await world.app.resume(Resume(rollout=rollout, by=GRACE, why="seen"), key=world.key())
            await look()

    stages = {stage for _, stage in seen}
    assert stages >= {"shadow", "canary", "full", "bake"}
    assert {phase for phase, _ in seen} >= {"proposed", "running", "halted", "lapsed", "promoted"}
