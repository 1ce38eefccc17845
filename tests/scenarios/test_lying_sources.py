"""A source that lies ends the exposure, is named with its numbers, blames nobody, and can be set aside by a person."""

from collections.abc import Mapping

import msgspec
import pytest
from tests.scenarios.test_in_process import Bench
from tests.scenarios.test_own_metrics import Services, what

from glideslope.domain.commands import OrderRollback, Resume
from glideslope.domain.doubt import PATIENCE, Aside, Claim
from glideslope.domain.events import Resumed
from glideslope.domain.ids import Actor, Digest, ModelName, RolloutId, VersionName
from glideslope.domain.observation import Outcome, Outcomes, Totals
from glideslope.domain.receipt import NO_SLICE, Receipt, mint, model_hash, request_hash, subject_hash
from glideslope.domain.rollout import Phase
from glideslope.domain.traffic import Arm
from glideslope.engine.app import App
from glideslope.engine.record import rollout_number
from glideslope.engine.sources import bound
from glideslope.engine.views import RolloutView
from glideslope.testing.traffic import KEY, SOUND
from glideslope.testing.world import GRACE, World, content, draft

DELAYS = ModelName("delays")
MALLORY = bound(Actor("mallory"), "web-1")


def saying(counts: Mapping[str, int], *, sequence: int = 0, epoch: int = 1, source: str = MALLORY) -> Totals:
    return Totals(source=source, epoch=epoch, model=DELAYS, counts=counts, sequence=sequence)


@pytest.fixture
async def bench() -> Bench:
    made = Bench()
    await made.begin()
    for _ in range(20):
        await made.tick()
    return made


async def stepped(bench: Bench) -> RolloutId:
    rollout = await bench.propose()
    while bench.app.record.rollout(rollout).step is None:
        await bench.tick()
    return rollout


async def shrink(app: App, rollout: RolloutId, *, epoch: int = 1) -> None:
    """Say less than before, in a message that says itself to be later."""
    for sequence, count in ((1, 500), (2, 400)):
        counts = {f"{rollout}/s1/candidate/{metric}/all/0": count for metric in ("errors", "exposure")}
        await app.observe(saying(counts, sequence=sequence, epoch=epoch))


async def resume(app: App, rollout: RolloutId, *, key: str = "resume") -> RolloutView:
    return await app.resume(Resume(rollout=rollout, by=GRACE, why="Its token is revoked."), key=key)


async def test_a_source_that_contradicts_itself_ends_the_exposure_and_is_named(bench: Bench) -> None:
    """In the view, in the story and in the recorded decision: who, which cell, and both numbers."""
    rollout = await stepped(bench)

    await shrink(bench.app, rollout)
    await bench.tick()

    view = await bench.app.rollout(rollout)
    assert (view.phase, view.share, view.reasons) == ("halted", 0, ("source-not-credible",))
    told = " ".join(view.sentences)
    assert "mallory/web-1 (epoch 1) said 500 for errors of the candidate in s1, all, bin 0 in message 1" in told
    assert "400 in message 2" in told
    assert [told in h.sentence for h in await bench.app.story(rollout) for told in ("said 500",)].count(True) == 1
    assert view.last is not None
    (finding,) = view.last.findings
    assert finding.doubt
    assert (finding.doubt.claim, finding.doubt.said, finding.doubt.against) == (Claim.SHRANK, 500, 400)
    for _ in range(12):  # until no service can obey what it was granted before
        await bench.tick()
    bench.served.clear()
    await bench.tick()
    assert {assigned.version for assigned in bench.served} == {"v1"}


async def test_a_resumption_sets_it_aside_and_the_rollout_goes_on_without_it(bench: Bench) -> None:
    """Halted once and not again for what is known; every decision can be made again from the record."""
    rollout = await stepped(bench)
    await shrink(bench.app, rollout)
    await bench.tick()
    before = bench.app.observer.evidence(bench.app.record.rollout(rollout), in_force=True)

    await resume(bench.app, rollout)
    await resume(bench.app, rollout)  # the same key: the same act
    after = bench.app.observer.evidence(bench.app.record.rollout(rollout), in_force=True)
    await shrink(bench.app, rollout)  # it is still there, and says it again
    await bench.until(rollout, Phase.PROMOTED, within=120)

    resumed = [r.event for r in bench.app.record.history(rollout) if isinstance(r.event, Resumed)]
    assert [event.aside for event in resumed] == [(Aside(actor=Actor("mallory"), source="web-1", epoch=1),)]
    assert before.exposed[0].candidate - after.exposed[0].candidate == 500
    assert (before.doubts, after.doubts) != ((), ())
    assert after.doubts == ()
    assert sum("mallory/web-1" in h.sentence for h in await bench.app.story(rollout)) == 2
    for decision in await bench.app.decisions(rollout):
        assert (await bench.app.replay(rollout, decision.version)).same


async def test_a_new_start_of_it_is_heard_again_and_so_are_its_lies(bench: Bench) -> None:
    rollout = await stepped(bench)
    await shrink(bench.app, rollout)
    await bench.tick()
    await resume(bench.app, rollout)
    await bench.tick()
    assert bench.app.record.rollout(rollout).phase is Phase.RUNNING

    await shrink(bench.app, rollout, epoch=2)
    await bench.tick()

    assert bench.app.record.rollout(rollout).phase is Phase.HALTED


async def test_a_server_that_starts_meanwhile_sets_aside_what_the_record_says(bench: Bench) -> None:
    """What one server found, another need not have seen."""
    rollout = await stepped(bench)
    await shrink(bench.app, rollout)
    for _ in range(8):
        await bench.tick()

    another = bench.another_app(2)
    await another.load()
    assert another.observer.evidence(another.record.rollout(rollout), in_force=True).doubts == ()
    before = another.observer.evidence(another.record.rollout(rollout), in_force=True).exposed[0].candidate
    await resume(another, rollout)

    third = bench.another_app(3)
    await third.load()
    for app in (another, third):
        evidence = app.observer.evidence(app.record.rollout(rollout), in_force=True)
        assert before - evidence.exposed[0].candidate == 500


async def test_a_late_or_doubled_message_is_no_lie(bench: Bench) -> None:
    rollout = await stepped(bench)
    cell = f"{rollout}/s1/candidate/errors/all/0"

    for sequence, count in ((3, 9), (1, 3), (2, 5), (3, 9), (1, 3)):
        await bench.app.observe(saying({cell: count}, sequence=sequence))
    for count in (7, 4):
        await bench.app.observe(saying({cell: count}, source=bound(Actor("old"), "sdk")))  # who numbers nothing
    await bench.tick()

    assert bench.app.record.rollout(rollout).phase is Phase.RUNNING


async def test_where_services_assign_none_counts_more_than_it_exposed(bench: Bench) -> None:
    """While it may still be explained nothing advances; then it is no evidence."""
    rollout = await stepped(bench)
    await bench.app.observe(
        saying(
            {
                f"{rollout}/s1/{arm}/{cell}/all/0": count
                for arm in Arm
                for cell, count in (("errors", 60_000), ("exposure", 10))
            }
        )
    )
    for _ in range(PATIENCE // 250 - 4):
        await bench.tick()
        view = await bench.app.rollout(rollout)
        assert (view.step, view.phase) == ("s1", "running")
    assert view.reasons == ("counts-ahead-of-traffic",)
    assert "counted 60,000 for errors of the candidate in s1, where 10 were served" in " ".join(view.sentences)

    for _ in range(8):
        await bench.tick()

    view = await bench.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("halted", ("source-not-credible",))


async def test_nobody_counts_a_thousand_million_in_a_moment(bench: Bench) -> None:
    rollout = await stepped(bench)
    cells = (f"{rollout}/s1/candidate/{metric}/all/0" for metric in ("errors", "exposure", "latency"))

    await bench.app.observe(saying(dict.fromkeys(cells, 1_000_000_000)))
    await bench.tick()

    view = await bench.app.rollout(rollout)
    assert view.last is not None
    assert {f.doubt.claim for f in view.last.findings if f.doubt} == {Claim.TOO_FAST}


async def test_behind_a_gateway_no_service_counts_more_than_it_served() -> None:
    """Beside honest model servers, of which nothing is said."""
    world = World(seed=81)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    services = Services(world)
    rollout = await world.propose(what())
    await services.run(3)

    await world.app.observe(saying({f"{rollout}/s1/candidate/fallback_used/all/0": 9_000}))
    await services.run(20)
    held = await world.app.rollout(rollout)
    await services.run(15)

    assert (held.phase, held.step) == ("running", "s1")
    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("halted", ("source-not-credible",))
    assert view.last is not None
    assert {(f.doubt.actor, f.doubt.source) for f in view.last.findings if f.doubt} == {("mallory", "web-1")}
    assert world.exposed("delays") == 0


async def test_more_outcomes_than_subjects_are_no_evidence() -> None:
    """Whoever holds the key can mint receipts for nobody; then only another attempt is left."""
    world = World(seed=82)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2"))
    await world.run(2)
    forged = tuple(Outcome(prediction=minted(rollout, f"nobody {k}"), happened=False) for k in range(5_000))

    await world.app.outcomes(Outcomes(outcomes=forged))
    await world.run(35)

    view = await world.app.rollout(rollout)
    assert (view.phase, view.reasons) == ("halted", ("source-not-credible",))
    assert "outcomes (epoch 0) counted 5,0" in " ".join(view.sentences)
    await resume(world.app, rollout)
    await world.run(1)
    assert (await world.app.rollout(rollout)).phase == "halted"
    await world.app.roll_back(OrderRollback(rollout=rollout, by=GRACE, why="The key leaked."), key="back")
    await world.until(rollout, phase="rolled-back", within=2)


def minted(rollout: RolloutId, who: str) -> str:
    receipt = Receipt(
        model=model_hash(DELAYS),
        rollout=rollout_number(rollout),
        step=1,
        arm=Arm.CANDIDATE,
        at=1_767_268_800,
        slices=(NO_SLICE,),
        score=60_000,
        request=request_hash(who),
        subject=subject_hash(who),
    )
    return mint(receipt, key=KEY)


async def test_nobody_speaks_for_the_content_that_another_serves() -> None:
    """A right digest under the same name does not hide the wrong one."""
    world = World(seed=83)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    rollout = await world.propose(draft("delays", "v2"))
    await world.run(2)
    wrong, right = Digest("sha256:" + "0" * 64), content("delays", "v2")

    for source, digest in ((bound(Actor("flights"), "web-1"), wrong), (MALLORY, right)):
        said = saying({}, source=source)
        await world.app.observe(msgspec.structs.replace(said, version=VersionName("v2"), digest=digest))
    view = await world.until(rollout, phase="rolled-back", within=2)

    assert view.reasons == ("served-digest-differs",)


async def test_a_service_that_lives_through_the_upgrade_is_counted_once(bench: Bench) -> None:
    """What was saved under its name alone, and what it says since: after each start of the server the same."""
    rollout = await stepped(bench)
    exposure, clients = f"{rollout}/s1/candidate/exposure/all/0", bound(Actor("flights"), "web-9")
    before = exposed(bench.app, rollout)
    await bench.app.observe(saying({exposure: 90}, source="web-9"))  # as the release before kept it

    upgraded = bench.another_app(2)
    await upgraded.load()
    assert exposed(upgraded, rollout) == before + 90
    for total in (95, 100):
        await upgraded.observe(saying({exposure: total}, source=clients, sequence=total))
    assert exposed(upgraded, rollout) == before + 100
    await upgraded.observe(saying({exposure: 7}, source=clients, sequence=1, epoch=2))  # it starts anew

    again = bench.another_app(3)
    await again.load()
    assert exposed(upgraded, rollout) == exposed(again, rollout) == before + 107


def exposed(app: App, rollout: RolloutId) -> int:
    return app.observer.evidence(app.record.rollout(rollout), in_force=True).exposed[0].candidate


async def test_what_services_lost_stands_in_the_evidence(bench: Bench) -> None:
    """Since the server first heard them; of what they lost before, nobody knows whose it was."""
    rollout = await stepped(bench)
    source = bound(Actor("flights"), "web-2")
    for dropped in (7, 12, 9):
        message = Totals(source=source, epoch=1, model=DELAYS, counts={}, dropped=dropped)
        await bench.app.observe(message)

    evidence = bench.app.observer.evidence(bench.app.record.rollout(rollout), in_force=True)

    assert {f.origin: f.dropped for f in evidence.freshness} == {"gateway": 5, "service": 5, "outcome": 0}
