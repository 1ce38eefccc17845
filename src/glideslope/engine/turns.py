"""Work that takes long and waits for nothing, done in turns with everybody else's: leases last a second."""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")


async def by_turns(work: Generator[None, None, T]) -> T:
    """Do what a generator does, letting others do theirs wherever it yields, and return what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            found: T = done.value
            return found
        await asyncio.sleep(0)
