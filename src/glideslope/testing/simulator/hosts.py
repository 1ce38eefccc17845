"""Hosts that can be killed and frozen between any two of their acts, and the clocks that they believe."""

import asyncio
from datetime import datetime, timedelta
from random import Random

from glideslope.testing.clock import START


class HostDied(BaseException):
    """What a killed host was doing ends here. Not an Exception: nothing that the host runs may handle its own death."""


class Host:
    """A machine, or a process on it. Whatever it does outside itself passes `gate` first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.ending = asyncio.Event()
        """Set when it is killed, or told to stop."""
        self.hangs_since = 0.0
        """True seconds; where it hangs."""
        self._awake = asyncio.Event()
        self._awake.set()

    @property
    def frozen(self) -> bool:
        """Tell whether it hangs."""
        return not self._awake.is_set()

    def kill(self) -> None:
        """End it, as kill -9 does: nothing of it acts any more."""
        self.dead = True
        self.ending.set()
        self._awake.set()

    def stop(self) -> None:
        """Tell it to end in good order."""
        self.ending.set()

    def freeze(self) -> None:
        """Let it hang; what it sent is under way."""
        if not (self.dead or self.frozen):
            self.hangs_since = asyncio.get_running_loop().time()
            self._awake.clear()

    def thaw(self) -> None:
        """Let it go on, as if nothing had happened."""
        self._awake.set()

    async def gate(self) -> None:
        """Wait while it hangs. Raises HostDied."""
        if self.frozen:
            await self._awake.wait()
        if self.dead:
            raise HostDied


class HostClock:
    """Keeps the port Clock as one host sees the time: skewed, drifting, set now and then, and never in a hurry."""

    def __init__(self, host: Host, *, dice: Random, skew: float = 0.0, speed: float = 1.0) -> None:
        self.skew = skew
        """Seconds by which its wall clock is ahead of the truth."""
        self._host = host
        self._dice = dice
        self._speed = speed

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() + self.skew)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time() * self._speed

    async def sleep(self, seconds: float) -> None:
        """Wait at least so long: a busy host wakes its sleepers late."""
        await asyncio.sleep(seconds / self._speed + self._dice.random() * 0.6)
        await self._host.gate()
