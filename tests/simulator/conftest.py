"""Here time is virtual: what a test waits for comes at once."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from glideslope.testing.simulator.loop import VirtualLoop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give the tests of this folder the simulator's own loop."""
    del config, item
    return {"virtual": VirtualLoop}
