"""What tellers say twice and differently, and what services with wrong clocks say, in the counters and in the verdict."""

from glideslope.domain.ids import WHOLE, ModelName
from glideslope.domain.metric import LOG_LOSS, OUTCOME_SEEN
from glideslope.domain.observation import Outcome, Outcomes
from glideslope.domain.receipt import (
    EPOCH_2020,
    NO_SLICE,
    SCORE_LEVELS,
    Receipt,
    mint,
    model_hash,
    request_hash,
    subject_hash,
)
from glideslope.domain.traffic import Arm
from glideslope.engine.record import rollout_number
from glideslope.testing.traffic import KEY, SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")
YEARS = 365 * 86_400


async def given(seed: int) -> tuple[World, str]:
    world = World(seed=seed)
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(3)
    traffic.demand.per_second = 0
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=5)
    return world, rollout


def receipt(rollout: str, subject: str, *, at: int) -> str:
    return mint(
        Receipt(
            model=model_hash(DELAYS),
            rollout=rollout_number(rollout),  # type: ignore[arg-type]  # a rollout's id
            step=1,
            arm=Arm.CANDIDATE,
            at=at,
            slices=(0, NO_SLICE, NO_SLICE),
            score=SCORE_LEVELS * 9 // 10,
            request=request_hash(subject),
            subject=subject_hash(subject),
        ),
        key=KEY,
    )


def seen(world: World, rollout: str) -> tuple[int, tuple[int, ...]]:
    """Return of how many candidate subjects the outcome has come, and their losses per bin."""
    scope = world.app.observer.scope(rollout)  # type: ignore[arg-type]  # as above
    (arrived,) = scope.bins("s1", OUTCOME_SEEN, WHOLE, Arm.CANDIDATE, size=1)  # type: ignore[arg-type]  # a step's name
    return arrived, scope.bins("s1", LOG_LOSS.name, WHOLE, Arm.CANDIDATE, size=LOG_LOSS.bins)  # type: ignore[arg-type]  # as above


async def test_of_outcomes_that_contradict_each_other_the_first_counts_and_the_others_are_told_to_be_known() -> None:
    world, rollout = await given(81)
    wall = int(world.clock.now().timestamp())
    ann = receipt(rollout, "ann", at=wall)

    told = [
        await world.app.outcomes(Outcomes(outcomes=(Outcome(prediction=ann, happened=happened),)))
        for happened in (True, False, True, False)
    ]

    assert [(t.counted, t.repeated) for t in told] == [(1, 0), (0, 1), (0, 1), (0, 1)]
    arrived, losses = seen(world, rollout)
    assert (arrived, sum(losses)) == (1, 1)
    assert losses[LOG_LOSS.bin(0.105)] == 1, "the loss of what was said first: it happened"


async def test_receipts_of_services_whose_clocks_are_years_off_count_and_make_nothing_look_fresh_or_stale() -> None:
    world, rollout = await given(82)
    wall = int(world.clock.now().timestamp())
    times = {"then": EPOCH_2020, "late": wall - YEARS, "now": wall, "ahead": wall + YEARS}

    told = await world.app.outcomes(
        Outcomes(
            outcomes=tuple(Outcome(prediction=receipt(rollout, who, at=at), happened=True) for who, at in times.items())
        )
    )
    await world.run(4)

    assert (told.counted, told.refused) == (4, ())
    assert seen(world, rollout)[0] == 4
    evidence = world.app.observer.evidence(world.app.record.rollout(rollout), in_force=True)  # type: ignore[arg-type]  # as above
    assert next(f.age for f in evidence.freshness if f.origin == "outcome") == 4_000
