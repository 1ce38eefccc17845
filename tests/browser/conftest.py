"""A real Chromium before real pages of a real engine, all in one event loop; only the clock of the engine stands still."""

import asyncio
import shutil
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from tests.browser.telling import told

from glideslope.interfaces.api.app import create_app
from glideslope.interfaces.dashboard.site import beside, create_site
from glideslope.testing.world import World

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE = 20_000
"""Milliseconds that a page may take on a busy machine before a test gives up on it."""


@dataclass
class Stage:
    """The world, its address, and a browser to look at it with."""

    world: World
    address: str
    browser: Any

    async def visitor(self, token: str = "", **context: Any) -> Any:
        """Return a page of a browser of its own, in which the holder of a token is signed in."""
        opened = await self.browser.new_context(base_url=self.address, **context)
        opened.set_default_timeout(PATIENCE)
        page = await opened.new_page()
        if token:
            await page.goto("/sign-in")
            await page.fill("input[name=token]", token)
            await page.click("main button")
            await page.wait_for_url("**/")
        return page


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def stage() -> AsyncIterator[Stage]:
    async with played(told) as found:
        yield found


@asynccontextmanager
async def played(story: Callable[[], Awaitable[World]]) -> AsyncIterator[Stage]:
    """Serve the world of a story, with a browser before it."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium; Debian has it")
    playwright = pytest.importorskip("playwright.async_api", reason="`make test` installs it")
    world = await story()
    stopping = asyncio.Event()
    secrets = (f"secret-{number}" for number in count(1))
    site = create_site(world.app, monotonic=time.monotonic, chance=lambda: next(secrets), stopping=stopping)
    api = create_app(world.app, new_key=lambda: next(secrets), stopping=stopping)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(beside(api, site), log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    async with playwright.async_playwright() as driver:
        # (Chromium's own sandbox needs more rights than a test has.)
        browser = await driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield Stage(world=world, address=f"http://127.0.0.1:{listening.getsockname()[1]}", browser=browser)
        await browser.close()
    stopping.set()
    server.should_exit = True
    await serving
