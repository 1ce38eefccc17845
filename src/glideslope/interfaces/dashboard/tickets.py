"""Short statements of this server that come back to it: signed, for one purpose, for a few minutes, used once.

Nothing is kept of one until it is used, so whoever asks for many fills no memory. They end with the process, as sessions do.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from glideslope.domain.errors import Denied

LASTS: Final = 600.0
"""Seconds."""
MOST_USED: Final = 10_000
_NONCE: Final = 16
_TIME: Final = 8
_MAC: Final = 32


class TicketSpent(Denied):
    code = "sign-in-expired"

    def __init__(self) -> None:
        super().__init__(
            f"This attempt to sign in was used already, is older than {LASTS / 60:g} minutes, or was not begun at this browser. "
            "Begin again at the sign-in page.",
            next_command="glideslope open",
        )


class Tickets:
    """Issues and reads them. `monotonic` tells seconds, `chance` makes what nobody can guess."""

    def __init__(self, *, monotonic: Callable[[], float], chance: Callable[[], str]) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._key = sha256(f"ticket {chance()}".encode()).digest()
        self._used: dict[bytes, float] = {}

    def issue(self, purpose: str, said: bytes = b"") -> bytes:
        """Return a ticket that says something, readable to its holder."""
        until = int((self._monotonic() + LASTS) * 1000).to_bytes(_TIME, "big")
        body = sha256(self._chance().encode()).digest()[:_NONCE] + until + said
        return self._mac(purpose, body) + body

    def read(self, purpose: str, ticket: bytes) -> bytes:
        """Return what a ticket says. Raises TicketSpent for one that is not ours, of another purpose, too old or used."""
        mac, body = ticket[:_MAC], ticket[_MAC:]
        if len(body) < _NONCE + _TIME or not hmac.compare_digest(mac, self._mac(purpose, body)):
            raise TicketSpent
        if self._until(body) <= self._monotonic() or mac in self._used:
            raise TicketSpent
        return body[_NONCE + _TIME :]

    def spend(self, purpose: str, ticket: bytes) -> None:
        """Use a ticket up, once what came with it was found right. Raises TicketSpent."""
        self.read(purpose, ticket)
        now = self._monotonic()
        if len(self._used) >= MOST_USED:
            self._used = {mac: until for mac, until in self._used.items() if until > now}
        self._used[ticket[:_MAC]] = self._until(ticket[_MAC:])

    def _mac(self, purpose: str, body: bytes) -> bytes:
        return hmac.digest(self._key, purpose.encode() + b"\0" + body, "sha256")

    def _until(self, body: bytes) -> float:
        return int.from_bytes(body[_NONCE : _NONCE + _TIME], "big") / 1000
