"""Who asks often counts once; who names nobody is counted by the request."""

from glideslope.domain.ids import ModelName, RolloutId, StepName
from glideslope.domain.metric import ERRORS
from glideslope.domain.observation import Outcome, Outcomes, ShadowAnswers
from glideslope.domain.receipt import EPOCH_2020, SCORE_LEVELS, Receipt, mint, model_hash, request_hash, subject_hash
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.testing.traffic import KEY, SOUND
from glideslope.testing.world import SHADOW, STAGES, World, draft

DELAYS = ModelName("delays")
S1 = StepName("s1")


async def given(seed: int) -> tuple[World, RolloutId]:
    world = World(seed=seed)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    return world, rollout


def asks(rollout: RolloutId, subject: str, *, status: int = 200) -> Served:
    return Served(
        model=DELAYS,
        rollout=rollout,
        step=S1,
        arm=Arm.CANDIDATE,
        subject=subject,
        status=status,
        latency_us=20_000,
        rescued=False,
    )


def counted(world: World, rollout: RolloutId) -> tuple[int, tuple[int, ...]]:
    """Return candidate subjects, and how many requests of theirs count as good and as bad."""
    scope = world.app.observer.scope(rollout)
    exposed = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True).exposed
    return exposed[0].candidate, scope.bins(S1, ERRORS.name, "all", Arm.CANDIDATE, size=2)


async def test_a_subject_with_many_requests_counts_once_and_once_more_when_it_first_fails() -> None:
    """One client that retries in a loop cannot fail the candidate alone."""
    world, rollout = await given(51)

    world.app.observer.served([asks(rollout, "ann") for _ in range(500)])
    world.app.observer.served([asks(rollout, "bob", status=500) for _ in range(500)])
    assert counted(world, rollout) == (2, (1, 1))
    world.app.observer.served([asks(rollout, "ann", status=500) for _ in range(500)])

    assert counted(world, rollout) == (2, (1, 2))
    await world.run(5)
    assert (await world.app.rollout(rollout)).phase == "running"


async def test_requests_that_name_no_subject_are_counted_each() -> None:
    """They are tossed each time, so each is an observation of its own."""
    world, rollout = await given(52)

    world.app.observer.served([asks(rollout, "") for _ in range(7)])
    world.app.observer.served([asks(rollout, "", status=503) for _ in range(3)])

    assert counted(world, rollout) == (10, (7, 3))


async def test_few_subjects_that_ask_often_are_as_many_as_they_are() -> None:
    """With 400 subjects at 100 requests a second each step counts at most 400, and both arms' sets are disjoint."""
    world, rollout = await given(53)
    traffic = world.traffic[DELAYS]
    traffic.demand.per_second = 100
    traffic.demand.subjects = 400

    await world.run(30)

    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)
    for e in evidence.exposed:
        who = {arm: traffic.truth.subjects.get((rollout, e.step, arm), set()) for arm in Arm}
        assert (e.candidate, e.incumbent) == (len(who[Arm.CANDIDATE]), len(who[Arm.INCUMBENT]))
        assert not who[Arm.CANDIDATE] & who[Arm.INCUMBENT]


async def test_traffic_of_a_ledger_that_is_not_ours_is_in_no_comparison() -> None:
    """Stamps of an unknown rollout are traffic, not evidence."""
    world, rollout = await given(54)

    world.app.observer.served([asks(RolloutId("r-0999"), "eve", status=500) for _ in range(50)])

    assert counted(world, rollout) == (0, (0, 0))


async def test_a_subject_makes_one_pair_however_often_it_asks() -> None:
    """Both arms answer the same wrongs to the same few again and again: that is one disagreement each."""
    world = World(seed=55)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    await world.until(rollout, step="s1", within=5)
    answered = [("ann", k) for k in range(40)] + [("bob", k) for k in range(40)] + [("", k) for k in range(3)]
    receipts = [
        Receipt(
            model=model_hash(DELAYS),
            rollout=0,
            step=0,
            arm=Arm.INCUMBENT,
            at=EPOCH_2020,
            slices=(),
            score=SCORE_LEVELS // 2,
            request=request_hash(f"{who} {k}"),
            subject=subject_hash(who),
        )
        for who, k in answered
    ]

    await world.app.shadow(
        ShadowAnswers(model=DELAYS, rollout=rollout, answers=tuple((r.request, SCORE_LEVELS) for r in receipts))
    )
    await world.app.outcomes(
        Outcomes(outcomes=tuple(Outcome(prediction=mint(r, key=KEY), happened=False) for r in receipts))
    )

    (pairs, *_) = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True).pairs
    assert sum(pairs.differences) == 2 + 3
