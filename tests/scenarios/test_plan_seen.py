"""What somebody looked at is what they propose, though traffic moves on between the two."""

import pytest

from glideslope.domain.commands import Propose
from glideslope.domain.errors import PlanChanged
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import ADA, World, draft

SOUND = Behaviour()


async def test_a_plan_that_was_shown_can_be_proposed_while_traffic_goes_on() -> None:
    world = World(seed=3)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    seen = await world.app.plan(draft("delays", "v2"))
    await world.run(5)
    later = await world.app.plan(draft("delays", "v2"))
    assert later.digest != seen.digest, "the story needs traffic that moved on"

    rollout = await world.app.propose(
        Propose(draft=draft("delays", "v2"), by=ADA, plan_digest=seen.digest), key=world.key()
    )

    assert seen.digest == rollout.plan_digest


async def test_a_plan_that_was_shown_is_not_what_another_file_proposes() -> None:
    world = World(seed=3)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.run(5)
    seen = await world.app.plan(draft("delays", "v2"))

    with pytest.raises(PlanChanged):
        await world.app.propose(
            Propose(draft=draft("delays", "v2", approvals=1), by=ADA, plan_digest=seen.digest), key=world.key()
        )
