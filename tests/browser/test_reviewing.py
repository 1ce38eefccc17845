"""People decide from one page: an approval by keyboard alone, more asked for and replied, and a judgement of what the machine cannot."""

import pytest
from tests.browser.conftest import Stage
from tests.browser.test_dashboard import ready

from glideslope.domain.ids import RolloutId

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]


async def test_a_change_is_approved_by_keyboard_alone(stage: Stage) -> None:
    rollout = await ready(stage, "keyboard", approvals=1)
    page = await stage.visitor("gs_grace")
    await page.goto(f"/approvals#{rollout}")
    await page.wait_for_selector(f"#{rollout}")
    for _ in range(200):
        if await page.evaluate("document.activeElement.closest('form')?.id") == f"answer-{rollout}":
            break
        await page.keyboard.press("Tab")
    await page.keyboard.type("read it all")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.value") == "grant"
    await page.keyboard.press("Enter")
    await page.wait_for_selector(f"#{rollout} form.answer", state="detached")

    story = str(await stage.world.app.story(rollout))
    assert "grace approves" in story
    assert "read it all" in story
    await page.context.close()


async def test_a_reviewer_asks_for_more_and_the_proposer_replies_on_the_card(stage: Stage) -> None:
    rollout = await ready(stage, "questions", approvals=1)
    grace, ada = await stage.visitor("gs_grace"), await stage.visitor("gs_ada")
    for page in (grace, ada):
        await page.goto("/approvals")
        await page.wait_for_selector(f"#{rollout}")
    await grace.fill(f"#answer-{rollout} input[name=why]", "which rows were left out?")
    await grace.click(f"#answer-{rollout} button[value=ask]")
    await grace.wait_for_selector(f"#{rollout}:has-text('No reply yet.')")

    reply = f"#{rollout} form[action$=reply]"
    await ada.fill(f"{reply} input[name=why]", "those that were cancelled")
    await ada.click(f"{reply} button")
    await ada.wait_for_selector(f"#{rollout}:has-text('ada replied')")
    await grace.wait_for_selector(f"#{rollout}:has-text('those that were cancelled')")
    assert (await stage.world.app.rollout(rollout)).phase == "proposed"
    for page in (grace, ada):
        await page.context.close()


async def test_a_reviewer_judges_from_one_page_and_the_reason_is_shown_afterwards(stage: Stage) -> None:
    rollout = RolloutId("r-0007")
    page = await stage.visitor("gs_grace")
    await page.goto("/review")
    await page.click(f"a[href='/review/{rollout}']")
    await page.wait_for_selector("#act-judge")
    told = await page.inner_text("main")
    assert "maximum time passed without a proof" in told
    assert "stays at 1 %" in told
    assert "goes from 1 % to 0 %" in told
    await page.fill("#act-judge input[name=why]", "few callers at night; both arms alike")
    await page.click("#act-judge button")
    await page.wait_for_selector("main:has-text('Nothing about r-0007 waits for a judgement now.')")
    assert "few callers at night" in await page.inner_text("main")
    await page.goto("/review")
    assert "few callers at night" in await page.inner_text("main")
    assert (await stage.world.app.rollout(rollout)).share == 100
    await page.context.close()
