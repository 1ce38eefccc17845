"""Five hundred rollouts and two hundred slices: the pages stay small and what needs somebody comes first."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.browser.conftest import Stage, played
from tests.browser.telling import TOKENS, change
from tests.browser.test_dashboard import looked_at

from glideslope.domain.commands import Halt
from glideslope.domain.draft import HOUR, StageDraft
from glideslope.domain.ids import ModelName
from glideslope.domain.metric import Dimension
from glideslope.domain.plan import StageKind
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import GRACE, STAGES, World

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

ROLLOUTS, SLICES = 500, 200
AIRPORTS = (Dimension("airport", tuple(f"A{number:03}" for number in range(SLICES))),)
LONG = (StageDraft(stage=StageKind.CANARY, shares=(1_000, 5_000), minimum=HOUR, maximum=100 * HOUR), *STAGES[1:])


async def crowded() -> World:
    """Many changes under way, the last of which is halted; the first looks at as many parts of its data as there may be."""
    world = World(seed=12, identify=TOKENS.get)
    await world.serves("flights", v1=SOUND, v2=SOUND, per_second=400, dimensions=AIRPORTS)
    await world.propose(change("flights", "v2", why="One of many.", stages=LONG, slices=AIRPORTS))
    await world.pass_time(10)
    world.traffic[ModelName("flights")].demand.per_second = 0
    for number in range(1, ROLLOUTS):
        await world.serves(f"model-{number:03}", v1=SOUND, v2=SOUND, per_second=0)
        last = await world.propose(change(f"model-{number:03}", "v2", why="One of many.", stages=LONG))
    await world.pass_time(0.3)
    await world.app.halt(Halt(rollout=last, by=GRACE, why="The last of many."), key=world.key())
    return world


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def crowd() -> AsyncIterator[Stage]:
    async with played(crowded) as found:
        yield found


async def test_five_hundred_rollouts_and_two_hundred_slices_are_read_page_by_page(crowd: Stage) -> None:
    """What needs somebody is first, the rest is a click away, and no page is heavy for what there is."""
    wrong, said = await looked_at(crowd, "gs_grace", ("/", "/rollouts/r-0001", "/rollouts/r-0001/slices"))
    assert (wrong, said) == ({}, [])

    page = await crowd.visitor("gs_grace")
    rows = page.locator("main tbody tr")
    assert f"model-{ROLLOUTS - 1}" in await rows.first.inner_text(), "it is halted, so it comes first"
    seen: set[str] = set()
    await _gather(page, seen)
    assert len(seen) == ROLLOUTS
    await page.context.close()


async def _gather(page: Any, seen: set[str]) -> None:
    """Turn over every page of the fleet, and note which rollouts were there."""
    while True:
        seen |= set(await page.eval_on_selector_all("main a[href^='/rollouts/r-']", "all => all.map(a => a.pathname)"))
        onward = page.locator("a[rel=next]")
        if not await onward.count():
            return
        await onward.first.click()
        await page.wait_for_load_state()
