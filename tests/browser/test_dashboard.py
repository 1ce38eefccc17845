"""The dashboard in a real browser: whoever looks can read it, decide on it, and sees at once what others do."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.browser.conftest import AXE, Stage
from tests.browser.line import Line
from tests.browser.telling import LONG, TOKENS, change

from glideslope.domain.commands import Halt, OrderRollback
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor, ModelName, RolloutId
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, GRACE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = (
    "/",
    "/approvals",
    "/rollouts/r-0002",
    "/rollouts/r-0002?as_of=32",
    "/rollouts/r-0004",
    "/rollouts/r-0005",
    "/rollouts/r-0005/glass",
    "/rollouts/r-0006",
    "/rollouts/r-0002/announcement",
    "/rollouts/r-0005/announcement",
    "/rollouts/r-0005/guardrails/log_loss",
    "/review",
    "/review/r-0007",
    "/settings/channels",
    "/models",
    "/models/late-arrival",
    "/models/late-arrival/versions/v3",
    "/models/late-arrival/compare?a=v1&b=v2",
    "/models/late-arrival/live",
    f"/models/{LONG}",
    "/ledger",
    "/ledger/33",
    "/ledger?q=colour:red",
    "/search?q=retrained",
    "/tour",
    "/nothing",
)
BUDGET = 150_000
"""Bytes that a page may take over the wire, everything that it loads included."""

WIDTHS = (320, 640, 1024, 2560)
"""A small telephone, a laptop at 200 %, a tablet, and a wall; nothing is ever wider than that."""

EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = ["color-contrast", "link-in-text-block"]
"""All that a theme can change: the page is the same."""

LOOK = """async (rules) => (await axe.run(document, {runOnly: rules}))
  .violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).slice(0, 2).join("; "))"""


async def ready(stage: Stage, model: str, **more: Any) -> RolloutId:
    """Return a proposal about a model of its own."""
    traffic = await stage.world.serves(model, v1=SOUND, v2=SOUND)
    await stage.world.pass_time(8)
    traffic.demand.per_second = 0.0
    return await stage.world.propose(change(model, "v2", why="A reason that is read.", **more))


async def looked_at(stage: Stage, token: str, paths: Sequence[str]) -> tuple[dict[str, object], list[str]]:
    """Return what is wrong with pages in either theme, and what the console says: axe, weight, width."""
    page = await stage.visitor(token, color_scheme="light")
    said: list[str] = []
    sent: list[int] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    tools = await page.context.new_cdp_session(page)
    await tools.send("Network.enable")
    tools.on("Network.loadingFinished", lambda event: sent.append(event["encodedDataLength"]))
    wrong: dict[str, object] = {}
    for path in paths:
        sent.clear()
        await tools.send("Network.clearBrowserCache")
        await page.goto(path, wait_until="load")
        if sum(sent) > BUDGET or not sent:
            wrong[f"{path} weighs"] = sum(sent)
        # (Through the debugger: the page itself may load no script that is not its own.)
        await tools.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        if found := await page.evaluate(LOOK, EVERYTHING):
            wrong[path] = found
        await page.emulate_media(color_scheme="dark")
        if found := await page.evaluate(LOOK, COLOURS):
            wrong[f"{path} in the dark"] = found
        await page.emulate_media(color_scheme="light")
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 640})
            if (wide := await page.evaluate("document.documentElement.scrollWidth")) > width:
                wrong[f"{path} at {width} px"] = wide
        await page.set_viewport_size({"width": 1280, "height": 800})
    await page.context.close()
    return wrong, [text for text in said if "status of 4" not in text]


async def test_every_page_can_be_read_by_everybody_is_small_and_breaks_no_rule_of_its_own(stage: Stage) -> None:
    """Axe finds nothing in either theme; the console stays silent under the strict policy; nothing is wider than a small telephone."""
    wrong, said = await looked_at(stage, "gs_grace", PAGES)

    assert wrong == {}
    assert said == []


async def test_a_page_follows_what_happens_and_leaves_alone_what_somebody_writes(stage: Stage) -> None:
    rollout = await ready(stage, "basket")
    page = await stage.visitor("gs_grace")
    await page.goto(f"/rollouts/{rollout}")
    await page.wait_for_selector("#liveness")
    assert "waits to start" in await page.inner_text("h1")
    await page.fill("#act-rollback input[name=why]", "half a reas")
    await page.focus(".brand")

    stage.world.traffic[ModelName("basket")].demand.per_second = 50.0
    await stage.world.until(rollout, step="s1", within=10)
    await stage.world.pass_time(3)
    await page.wait_for_selector("h1:has-text('measures at 10 %')")
    await page.wait_for_selector(".tile")
    await page.wait_for_selector("#act-halt")
    assert await page.input_value("#act-rollback input[name=why]") == "half a reas"

    await page.click("details:has-text('As a table') summary")
    await stage.world.pass_time(3)
    before = await page.inner_text(".facts")
    await stage.world.pass_time(3)
    await page.wait_for_function("before => document.querySelector('.facts').innerText !== before", arg=before)
    assert await page.evaluate("document.querySelector('details').open"), "what somebody opened stays open"
    stage.world.traffic[ModelName("basket")].demand.per_second = 0.0
    await page.fill("#act-halt input[name=why]", "enough seen")
    await page.click("#act-halt button")
    await page.wait_for_selector("h1:has-text('halted')")
    assert "enough seen" in await page.inner_text(".timeline")
    await page.context.close()


async def test_the_live_page_moves_with_the_traffic_although_nothing_is_under_way(stage: Stage) -> None:
    traffic = await stage.world.serves("cart", v1=SOUND)
    await stage.world.pass_time(3)
    page = await stage.visitor("gs_rio")
    await page.goto("/models/cart/live")
    await page.wait_for_selector(".tile .chart, .tile .pairs")
    before = await page.inner_text(".tile .pairs")
    await page.click(".tile details summary")

    await stage.world.pass_time(4)
    await page.wait_for_function("before => document.querySelector('.tile .pairs').innerText !== before", arg=before)
    assert await page.evaluate("document.querySelector('.tile details').open"), "what somebody opened stays open"
    traffic.demand.per_second = 0.0
    await page.context.close()


async def test_two_people_decide_and_a_page_from_before_decides_nothing(stage: Stage) -> None:
    """Each sees the other's answer without loading anything; whoever answers on a page that heard of nothing is told so."""
    rollout = await ready(stage, "pricing")
    grace, pia, late = [await stage.visitor(token) for token in ("gs_grace", "gs_pia", "gs_grace")]
    for page in (grace, pia, late):
        await page.goto("/approvals")
        await page.wait_for_selector(f"#{rollout} form.answer")
    # As when its computer slept.
    await late.evaluate("document.getElementById('live').replaceWith(document.getElementById('live').cloneNode(true))")

    await grace.fill(f"#answer-{rollout} input[name=why]", "read it")
    await grace.click(f"#answer-{rollout} button[value=grant]")
    await grace.wait_for_selector(f"#{rollout}:has-text('You have approved it.')")
    await pia.wait_for_selector(f"#{rollout} .facts:has-text('grace')")
    await pia.fill(f"#answer-{rollout} input[name=why]", "so did I")
    await pia.click(f"#answer-{rollout} button[value=grant]")
    await pia.wait_for_selector(f"#{rollout}", state="detached")
    await stage.world.until(rollout, step="s1", within=10)
    order = OrderRollback(rollout=rollout, by=ADA, why="wrong version")
    await stage.world.app.roll_back(order, key=stage.world.key())
    await late.fill(f"#answer-{rollout} input[name=why]", "fine by me")
    await late.click(f"#answer-{rollout} button[value=grant]")

    await late.wait_for_selector("main:has-text('change-moved')")
    told = await late.inner_text("main")
    assert "It was proposed and is rolled-back" in told or "It was proposed and is rolling-back" in told
    view = await stage.world.app.rollout(rollout)
    assert view.approved_by == ("grace", "pia")
    assert "fine by me" not in str(await stage.world.app.story(rollout))
    for page in (grace, pia, late):
        await page.context.close()


async def test_everything_can_be_decided_without_javascript(stage: Stage) -> None:
    rollout = await ready(stage, "coupons")
    page = await stage.visitor("gs_ada", java_script_enabled=False)
    await page.click(f"a[href='/rollouts/{rollout}']")
    assert "UTC" in await page.inner_text("main time >> nth=0")
    await page.fill("#act-rollback input[name=why]", "Not today.")
    await page.click("#act-rollback button")
    await stage.world.pass_time(1)
    await page.reload()

    assert "rolled back" in await page.inner_text("h1")
    assert "Not today." in await page.inner_text(".verdict")
    await page.context.close()


async def test_it_can_be_used_by_keyboard_alone(stage: Stage) -> None:
    page = await stage.visitor("gs_grace")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.innerText") == "Skip to the content"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")
    for _ in range(30):
        if (await page.evaluate("document.activeElement.getAttribute('href')") or "").startswith("/approvals#"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/approvals#*")
    await page.context.close()


async def test_keys_act_while_nobody_writes_and_can_be_turned_off(stage: Stage) -> None:
    page = await stage.visitor("gs_grace")
    await page.keyboard.press("g")
    await page.keyboard.press("l")
    await page.wait_for_url("**/ledger")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    row = await page.evaluate("document.activeElement.getAttribute('href')")
    assert row == await page.locator("table.dense tbody tr >> nth=1").locator("a >> nth=0").get_attribute("href")

    await page.keyboard.press("/")
    await page.keyboard.type("late? jg")
    assert await page.input_value(".find input") == "late? jg", "no key acts while somebody writes"
    await page.fill(".find input", "r-0002")
    await page.wait_for_selector("#suggested a")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/rollouts/r-0002")

    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.keyboard.press("y")
    await page.wait_for_selector("#said:has-text('as_of=')")
    assert "/rollouts/r-0002?as_of=" in await page.evaluate("navigator.clipboard.readText()")
    await page.click("button.word >> nth=0")
    assert await page.locator("[popover]:popover-open").count() == 1, "a word is explained where it stands"
    await page.keyboard.press("Escape")

    await page.keyboard.press("?")
    assert "Ledger" in await page.inner_text("dialog[open] [data-places]")
    await page.uncheck("dialog input")
    await page.click("dialog button")
    await page.keyboard.press("?")
    assert await page.locator("dialog[open]").count() == 0
    await page.context.close()


async def test_all_tabs_of_a_browser_share_one_stream(stage: Stage) -> None:
    """A browser opens six connections to a server: a stream for each tab would leave none for the seventh. All end with the token."""
    TOKENS["gs_guest"] = Identity(actor=Actor("guest"), role=Role.READER)
    first = await stage.visitor("gs_guest")
    streams: list[str] = []
    first.context.on("request", lambda request: streams.append(request.url) if "/events" in request.url else None)
    tabs = [first, *[await first.context.new_page() for _ in range(6)]]
    for tab in tabs:
        await tab.goto("/")
        await tab.wait_for_selector("#liveness")
    await ready(stage, "tabs")
    for tab in tabs:
        await tab.bring_to_front()
        await tab.wait_for_selector("a:has-text('tabs v1')")

    assert len(streams) <= 2, "the tab that is loaded anew may hand it on once"
    assert await first.locator("form.act").count() == 0, "a reader is offered nothing"
    del TOKENS["gs_guest"]
    for tab in tabs:
        await tab.wait_for_url("**/sign-in*")
    await first.context.close()


async def test_a_page_whose_line_broke_says_so_and_shows_what_it_missed_once_it_is_back(stage: Stage) -> None:
    line = Line(stage.address)
    await line.mend()
    page = await Stage(stage.world, f"http://127.0.0.1:{line.port}", stage.browser).visitor("gs_grace")
    rollout = await ready(stage, "far-away")
    await stage.world.pass_time(1)
    await page.goto(f"/rollouts/{rollout}")
    await page.wait_for_selector("#liveness[data-state=live]")

    await line.cut()
    await page.wait_for_selector("#liveness:has-text('not live')")
    halt = Halt(rollout=rollout, by=GRACE, why="While nobody could see it.")
    await stage.world.app.halt(halt, key=stage.world.key())
    await line.mend()

    await page.wait_for_selector("main:has-text('While nobody could see it.')")
    await page.wait_for_selector("#liveness[data-state=live]")
    await page.context.close()
    await line.cut()
