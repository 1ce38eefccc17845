"""A message as long as may be sent does not keep the loop to itself: leases are renewed meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.observation import MOST_REFUSALS, Outcome, Outcomes, ShadowAnswers, Totals
from glideslope.engine.app import App
from glideslope.engine.intake import PORTION
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import SHADOW, STAGES, World, draft

MANY = 60 * PORTION


async def observed(app: App) -> None:
    counts = {f"{n:x}": 1 for n in range(MANY)}
    taken = await app.observe(Totals(source="a", epoch=1, model=ModelName("delays"), counts=counts))

    assert (taken.taken, taken.refused, len(taken.refusals)) == (0, MANY, MOST_REFUSALS)


async def told(app: App) -> None:
    taken = await app.outcomes(Outcomes(outcomes=(Outcome(prediction="", happened=True),) * MANY))

    assert (taken.counted, taken.repeated, len(taken.refused)) == (0, 0, MANY)


async def shadowed(app: App) -> None:
    answers = tuple((n, 1) for n in range(MANY))
    await app.shadow(ShadowAnswers(model=ModelName("delays"), rollout=RolloutId("r-0001"), answers=answers))


@pytest.mark.parametrize("act", [observed, told, shadowed])
async def test_a_long_message_lets_others_have_their_turn(act: Callable[[App], Awaitable[None]]) -> None:
    world = World()
    await world.serves("delays", v1=Behaviour(), v2=Behaviour())
    await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    await act(world.app)
    waiting.cancel()

    assert turns >= MANY // PORTION


async def test_answers_for_no_rollout_are_refused_even_when_there_are_none() -> None:
    app = await World().start()

    with pytest.raises(NotFound):
        await app.shadow(ShadowAnswers(model=ModelName("delays"), rollout=RolloutId("r-0001"), answers=()))


async def test_a_message_without_counts_is_a_sign_of_life() -> None:
    world = World()
    await world.serves("delays", v1=Behaviour())

    taken = await world.app.observe(Totals(source="a", epoch=1, model=ModelName("delays"), counts={}))

    assert (taken.taken, taken.refused) == (0, 0)
