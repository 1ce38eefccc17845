"""How often somebody may say a wrong token: so seldom that trying is noise, and never so that anybody else is kept out.

A token is 32 bytes of chance and is not guessed; what is bounded here is how much a guesser can ask. So a right token always
signs in, from whatever address and after however many wrong ones, and nobody can lock another out. What people can remember
(passwords) is bounded by `guesses.py`.
"""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

MOST: Final = 10
"""Wrong tokens from one address within WINDOW, before it is asked to wait."""
WINDOW: Final = 60.0
"""Seconds."""
MOST_ADDRESSES: Final = 10_000


class Attempts:
    """Counts wrong tokens by where they came from."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failed: dict[str, tuple[float, int]] = {}

    def failed(self, address: str) -> float:
        """Note a wrong token; return for how many seconds its sender should wait, 0 for not at all."""
        sender, now = network(address), self._monotonic()
        began, count = self._failed.pop(sender, (now, 0))
        if now - began >= WINDOW:
            began, count = now, 0
        while len(self._failed) >= MOST_ADDRESSES:
            del self._failed[next(iter(self._failed))]
        self._failed[sender] = (began, count + 1)
        return began + WINDOW - now if count >= MOST else 0.0


def network(address: str) -> str:
    """Return what one sender has: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(int(found) >> 64) if isinstance(found, IPv6Address) else str(found)
