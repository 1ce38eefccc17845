"""The pages of governance in a real browser: readable by everybody, small, narrow; and people answer each other on them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.browser.conftest import Stage, played
from tests.browser.governed import governed
from tests.browser.test_dashboard import looked_at

PAGES = (
    "/policies",
    "/agreements/policy/flights?change=r-0002",
    "/agreements/envelope/monthly",
    "/incidents/r-0001",
    "/drills",
    "/drills/late-arrival",
    "/dues",
    "/people",
    "/settings",
    "/settings/witnesses",
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def house() -> AsyncIterator[Stage]:
    """A fleet that people govern."""
    async with played(governed) as found:
        yield found


async def test_every_page_can_be_read_by_everybody_is_small_and_breaks_no_rule_of_its_own(house: Stage) -> None:
    wrong, said = await looked_at(house, "gs_cat", PAGES)

    assert wrong == {}
    assert said == []


async def test_what_one_answers_another_sees_and_it_takes_no_script_to_answer(house: Stage) -> None:
    """Whoever tabled it watches; whoever answers has scripts turned off, reads what gets stricter and looser, and says why."""
    watching = await house.visitor("gs_ada")
    await watching.goto("/agreements/policy/flights")
    await watching.wait_for_selector("#tabled")
    page = await house.visitor("gs_cat", java_script_enabled=False)
    await page.goto("/policies")
    await page.click("a[href='/agreements/policy/flights']")
    assert "stricter" in await page.inner_text(".edits")
    await page.fill("#answer input[name=why]", "Fresher is better.")
    await page.click("#answer button[value=grant]")

    assert "Fresher is better." in await page.inner_text(".timeline")
    await watching.wait_for_selector(".timeline:has-text('Fresher is better.')")
    assert await watching.locator("#tabled").count() == 0
    for each in (watching, page):
        await each.context.close()


async def test_a_drill_is_begun_by_keyboard_and_its_end_is_seen(house: Stage) -> None:
    page = await house.visitor("gs_grace")
    await page.goto("/drills/ranking")
    await page.focus("#act-begin select")
    await page.keyboard.press("Tab")
    await page.keyboard.type("The quarter's drill.")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("td:has-text('under way')")
    await house.world.pass_time(6)
    await page.wait_for_selector("tr:has-text('The quarter') >> text=passed")
    await page.context.close()
