"""Parts of the data: what was declared is judged, what was not is searched and moves nothing."""

from random import Random

import pytest

from glideslope.domain.draft import SECOND, GuardrailDraft, StageDraft
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import Dimension
from glideslope.domain.observation import Outcome, Outcomes, Totals
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.domain.receipt import (
    EPOCH_2020,
    SCORE_LEVELS,
    Receipt,
    mint,
    model_hash,
    read,
    subject_hash,
    unlisted_place,
)
from glideslope.domain.traffic import Arm
from glideslope.engine.record import rollout_number
from glideslope.testing.traffic import KEYS, SOUND
from glideslope.testing.world import World, draft

DELAYS = ModelName("delays")
TWO = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("AA", "UA")))
BOS = unlisted_place("BOS", listed=2)
CANARY = (
    StageDraft(stage=StageKind.CANARY, shares=(5_000,), minimum=300 * SECOND, maximum=600 * SECOND),
    StageDraft(stage=StageKind.FULL, minimum=5 * SECOND),
)
ERRORS = GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05))


async def canary(
    world: World, *, guardrails: tuple[GuardrailDraft, ...], cross: tuple[tuple[str, str], ...] = ()
) -> RolloutId:
    traffic = await world.serves("delays", v1=SOUND, v2=SOUND, dimensions=TWO)
    traffic.demand.arriving = 0.0
    rollout = await world.propose(
        draft("delays", "v2", stages=CANARY, guardrails=(ERRORS, *guardrails), slices=TWO, cross=cross)
    )
    await world.until(rollout, step="s1", within=5)
    await world.run(5)
    traffic.demand.per_second = 0
    return rollout


def outcomes(rollout: RolloutId, *, count: int, bad: tuple[int, int], seed: int) -> Outcomes:
    """Flip a fair coin for each subject; the candidate is wrong on nearly all where both fields are as in `bad`."""
    chance = Random(seed)
    found = []
    for k in range(count):
        arm = Arm.CANDIDATE if chance.random() < 0.5 else Arm.INCUMBENT
        places = (chance.choice((0, 1, BOS)), chance.choice((0, 1)))
        wrong = chance.random() < (0.9 if arm is Arm.CANDIDATE and places == bad else 0.05)
        receipt = Receipt(
            model=model_hash(DELAYS),
            rollout=rollout_number(rollout),
            step=1,
            arm=arm,
            at=EPOCH_2020,
            slices=places,
            score=0 if wrong else SCORE_LEVELS,
            request=k,
            subject=subject_hash(f"s{seed}-{k}"),
        )
        found.append(Outcome(prediction=mint(receipt, key=KEYS[2].of(DELAYS)), happened=True))
    return Outcomes(outcomes=tuple(found))


STRICT = GuardrailDraft(metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.2), base_rate=0.06, weight=1)


async def test_undeclared_harm_is_found_by_the_search_named_and_moves_nothing() -> None:
    world = World(seed=81)
    rollout = await canary(world, guardrails=(STRICT,))
    await world.app.observe(
        Totals(
            source="a",
            epoch=1,
            model=DELAYS,
            counts={},
            unlisted={"origin": {str(BOS - 2): "BOS"}, "name": {"1": "Ann"}},
        )
    )
    taken = await world.app.outcomes(outcomes(rollout, count=220, bad=(BOS, 1), seed=4))
    await world.run(2)

    view = await world.app.slices(rollout)
    found = {(each.metric, each.slice) for each in view.searched if each.found}
    assert taken.counted == 220
    assert ("wrong", "origin=BOS & carrier=UA") in found
    assert {slice_ for _, slice_ in found} <= {"origin=BOS & carrier=UA", "origin=BOS"}
    state = await world.app.rollout(rollout)
    assert (state.phase, state.step) == ("running", "s1")
    assert not [entry for entry in await world.store.entries() if b"scan." in entry or b"BOS" in entry]


async def test_the_same_harm_in_a_declared_cross_rolls_back() -> None:
    world = World(seed=82)
    rollout = await canary(world, guardrails=(STRICT,), cross=(("origin", "carrier"),))
    await world.app.outcomes(outcomes(rollout, count=400, bad=(1, 1), seed=5))

    view = await world.until(rollout, phase="rolled-back", within=5)

    assert view.last is not None
    assert "origin=JFK & carrier=UA" in {f.slice for f in view.last.findings}
    worst = (await world.app.slices(rollout)).declared[0]
    assert (worst.slice, worst.word) == ("origin=JFK & carrier=UA", "harm")


async def test_what_was_searched_survives_a_restart_and_repeated_outcomes_change_nothing() -> None:
    world = World(seed=83)
    rollout = await canary(world, guardrails=(STRICT,))
    told = outcomes(rollout, count=100, bad=(BOS, 1), seed=6)
    await world.app.outcomes(told)
    await world.app.outcomes(told)
    await world.run(2)
    before = await world.app.slices(rollout)

    world.kill(world.app)
    await world.start()

    after = await world.app.slices(rollout)
    assert before.searched
    assert [(s.slice, s.wealth, s.candidate_count) for s in after.searched] == [
        (s.slice, s.wealth, s.candidate_count) for s in before.searched
    ]
    assert sum(
        s.candidate_count + s.incumbent_count for s in after.searched if s.slice.startswith("origin=EWR &")
    ) == sum(1 for receipt in told.outcomes if _places(receipt) in {(0, 0), (0, 1)})


def _places(outcome: Outcome) -> tuple[int, int]:
    receipt = read(outcome.prediction, keys={2: KEYS[2].of(DELAYS)})
    return receipt.slices[0], receipt.slices[1]


async def test_combinations_beyond_the_bound_are_left_out_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glideslope.engine.searching.MOST_JOINT", 2)
    world = World(seed=84)
    rollout = await canary(world, guardrails=(STRICT,))
    await world.app.outcomes(outcomes(rollout, count=100, bad=(BOS, 1), seed=7))

    view = await world.app.slices(rollout)

    assert view.left_out > 0
    assert sum(s.candidate_count + s.incumbent_count for s in view.searched if " & " in s.slice) + view.left_out == 100
