"""The machine's own clocks; the one place that asks them."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Keeps the port Clock with the system's wall clock in UTC and its monotonic clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
