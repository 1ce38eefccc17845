"""Signing in in a real Chromium: passkeys of a virtual authenticator, made, used, copied and replayed; and a real identity provider."""

import asyncio
import json
import secrets
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import uvicorn
from tests.browser.conftest import AXE, PATIENCE
from tests.browser.test_dashboard import EVERYTHING, LOOK
from tests.interfaces.false_provider import a_real_provider
from tests.interfaces.test_by_provider import FILE, write

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.identity.accounts import FileAccounts
from glideslope.adapters.identity.argon2 import Argon2, common_passwords
from glideslope.adapters.identity.passkeys import WebAuthn
from glideslope.adapters.identity.providers import FileProviders
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor
from glideslope.engine.accounts import Accounts
from glideslope.interfaces.dashboard.site import create_site
from glideslope.interfaces.dashboard.ways import Ways
from glideslope.testing.world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

GOOD = "correct horse battery staple"
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@dataclass
class Site:
    """Pages with accounts at http://localhost, which browsers take for safe."""

    accounts: Accounts
    folder: Path
    address: str
    browser: Any

    def invite(self, actor: str) -> str:
        return f"/setup/{self.accounts.invite(Actor(actor), role=Role.MEMBER, lasting=timedelta(days=1))}"

    async def visitor(self, **context: Any) -> tuple[Any, Any]:
        """Return a page of a browser of its own that has an authenticator, and the tools that look into it."""
        opened = await self.browser.new_context(base_url=self.address, **context)
        opened.set_default_timeout(PATIENCE)
        page = await opened.new_page()
        tools = await opened.new_cdp_session(page)
        await tools.send("WebAuthn.enable")
        made = await tools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
        tools.authenticator = made["authenticatorId"]
        return page, tools


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium; Debian has it")
    playwright = pytest.importorskip("playwright.async_api", reason="`make test` installs it")
    folder: Path = tmp_path_factory.mktemp("accounts")
    accounts = Accounts(
        FileAccounts(folder),
        hasher=Argon2(memory=64),
        clock=SystemClock(),
        chance=secrets.token_bytes,
        common=common_passwords,
    )
    stopping = asyncio.Event()
    pages = create_site(
        await World().start(),
        monotonic=time.monotonic,
        chance=lambda: secrets.token_urlsafe(32),
        stopping=stopping,
        ways=Ways(
            accounts,
            authenticators=WebAuthn(),
            providers=FileProviders(folder, monotonic=time.monotonic, now=SystemClock().now),
            now=SystemClock().now,
        ),
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(pages, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Site(accounts, folder, f"http://localhost:{listening.getsockname()[1]}", browser)
        await browser.close()
    stopping.set()
    server.should_exit = True
    await serving


async def test_a_passkey_is_made_by_a_link_and_signs_in_without_a_name(site: Site) -> None:
    page, _ = await site.visitor()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.goto(site.invite("grace"))
    await page.fill("input[name=label]", "blue laptop")
    await page.click("text=Make a passkey")
    await page.wait_for_url("**/account")
    assert "blue laptop" in await page.inner_text("main")
    assert "passkey" in await page.inner_text("dl.facts")

    await page.click("text=Sign out")
    await page.wait_for_url("**/sign-in")
    await page.click("text=Use a passkey")
    await page.wait_for_url("**/")
    assert "grace" in await page.inner_text(".person")
    account = site.accounts.of(Actor("grace"))
    assert account.passkeys[0].used_at is not None
    assert account.passkeys[0].count > 0
    await page.context.close()
    assert said == []


async def test_a_device_that_does_not_know_its_owner_signs_nobody_in(site: Site) -> None:
    page, tools = await site.visitor()
    await page.goto(site.invite("una"))
    await page.click("text=Make a passkey")
    await page.wait_for_url("**/account")
    await page.click("text=Sign out")
    await tools.send("WebAuthn.setUserVerified", {"authenticatorId": tools.authenticator, "isUserVerified": False})
    await page.wait_for_url("**/sign-in")
    await page.click("text=Use a passkey")
    await page.wait_for_selector("[data-said]:has-text('cancelled')")
    await page.context.close()


async def test_an_answer_that_somebody_read_signs_in_nowhere_else(site: Site) -> None:
    """Replayed, for another challenge, from another origin, or by a copy of the device: each is refused."""
    page, tools = await site.visitor()
    await page.goto(site.invite("eve"))
    await page.click("text=Make a passkey")
    await page.wait_for_url("**/account")
    kept = await tools.send("WebAuthn.getCredentials", {"authenticatorId": tools.authenticator})
    await page.click("text=Sign out")
    await page.wait_for_url("**/sign-in")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or "") if request.method == "POST" else None)
    await page.click("text=Use a passkey")
    await page.wait_for_url("**/")
    await page.context.close()
    (body,) = [each for each in sent if "answer" in each]

    async with httpx.AsyncClient(base_url=site.address) as client:
        headers = {"Origin": site.address, "Content-Type": "application/x-www-form-urlencoded"}
        again = await client.post("/sign-in/passkey", content=body, headers=headers)
        assert again.status_code == 401, "used once"
        assert "used already" in again.text
        for broken in (
            body.replace("%22type%22", "%22tipe%22"),
            "answer=%7B%7D",
            "answer=",
            body.replace("rawId", "raw"),
        ):
            assert (await client.post("/sign-in/passkey", content=broken, headers=headers)).status_code == 401

    copy, copied = await site.visitor()
    (credential,) = kept["credentials"]
    await copied.send(
        "WebAuthn.addCredential",
        {"authenticatorId": copied.authenticator, "credential": {**credential, "signCount": 0}},
    )
    await copy.goto("/sign-in")
    await copy.click("text=Use a passkey")
    await copy.wait_for_selector("[role=alert]:has-text('No account answers')")
    await copy.context.close()


async def test_more_than_one_passkey_and_one_of_them_removed_which_ends_other_sessions(site: Site) -> None:
    first, _ = await site.visitor()
    await first.goto(site.invite("two"))
    await first.fill("input[name=password]", GOOD)
    await first.fill("input[name=again]", GOOD)
    await first.click("text=Set the password")
    await first.wait_for_url("**/account")
    await first.fill("input[name=label]", "key A")
    await first.click("text=Add a passkey")
    await first.wait_for_selector("th:has-text('key A')")
    second, _ = await site.visitor()
    await second.goto("/sign-in?next=/account")
    await second.fill("input[name=name]", "two")
    await second.fill("input[name=password]", GOOD)
    await second.click("text=Sign in with a password")
    await second.wait_for_url("**/account")
    await first.click("button[aria-label='Remove the passkey key A']")
    await first.wait_for_selector("text=None yet")
    assert await first.locator("text=Add a passkey").count() == 1
    await second.goto("/models")
    assert "/sign-in" in second.url
    await first.context.close()
    await second.context.close()


async def test_without_a_script_a_password_signs_in_and_no_passkey_is_offered(site: Site) -> None:
    page, _ = await site.visitor(java_script_enabled=False)
    await page.goto(site.invite("plain"))
    assert not await page.is_visible("text=Make a passkey")
    await page.fill("input[name=password]", GOOD)
    await page.fill("input[name=again]", GOOD)
    await page.click("text=Set the password")
    await page.wait_for_url("**/account")
    await page.click("text=Sign out")
    await page.fill("input[name=name]", "plain")
    await page.fill("input[name=password]", GOOD)
    await page.click("text=Sign in with a password")
    assert "plain" in await page.inner_text(".person")
    await page.context.close()


async def test_an_identity_provider_at_another_site_signs_in_and_proves_again(site: Site, tmp_path: Path) -> None:
    """The way back comes from another site: the strict cookie stays at home, and the page asks again by itself."""
    with a_real_provider(tmp_path) as address:
        write(site.folder, FILE.replace("ISSUER", address))
        page, _ = await site.visitor()
        await page.goto("/sign-in?next=/ledger")
        await page.click("text=Sign in with corp")
        await page.fill("input[name=sub]", "id-of-grace")
        await page.click("button[type=submit]")
        await page.wait_for_url("**/ledger")
        assert "grace" in await page.inner_text(".person")
        await page.goto("/sign-in?next=/account")
        await page.click("text=Prove it by corp")
        await page.fill("input[name=sub]", "id-of-grace")
        await page.click("button[type=submit]")
        await page.wait_for_url("**/account")
        assert "provider" in await page.inner_text("dl.facts")
        await page.click("text=Sign out")
        await page.wait_for_selector("h1:has-text('signed out here')")
        way_out = await page.get_attribute("text=Sign out there too", "href")
        assert way_out is not None
        assert way_out.startswith(address)
        await page.context.close()
    (site.folder / "providers.toml").unlink()


async def test_the_pages_can_be_read_by_everybody(site: Site) -> None:
    page, _ = await site.visitor(color_scheme="light")
    wrong: dict[str, object] = {}
    link = site.invite("axe")

    async def look(name: str) -> None:
        tools = await page.context.new_cdp_session(page)
        await tools.send("Runtime.evaluate", {"expression": AXE.read_text(encoding="utf-8")})
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            if found := await page.evaluate(LOOK, EVERYTHING):
                wrong[f"{name} {scheme}"] = found
        await page.set_viewport_size({"width": 320, "height": 640})
        if (wide := await page.evaluate("document.documentElement.scrollWidth")) > 320:
            wrong[f"{name} at 320 px"] = wide
        await page.set_viewport_size({"width": 1280, "height": 800})

    await page.goto(link)
    await look("link")
    await page.click("text=Make a passkey")
    await page.wait_for_url("**/account")
    await look("account")
    await page.goto("/sign-in")
    await look("prove")
    await page.click("header >> text=Sign out")
    await page.wait_for_url("**/sign-in")
    await look("sign-in")
    await page.context.close()
    assert json.dumps(wrong) == "{}"
