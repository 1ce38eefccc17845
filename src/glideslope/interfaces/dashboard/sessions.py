"""Who is signed in at a browser: sessions and one-time links, kept in this process alone and forgotten with it.

A session holds a proof, not a right: what the visitor may do is asked of it at every request, so a token that is revoked or ends
takes its sessions along; and so does an account that is disabled, or somebody whom an identity provider's file no longer names.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from glideslope.domain.errors import Denied
from glideslope.domain.identity import Identity, Means, Proved

LASTS: Final = 12 * 3600.0
"""Seconds after which a session ends, however busy it was: a working day."""
IDLE: Final = 2 * 3600.0
"""Seconds without a request after which it ends."""
MOST: Final = 10_000
"""Sessions at once; only holders of tokens make them. Beyond, the one longest unused ends."""
LINK_LASTS: Final = 300.0
"""Seconds for which a one-time link signs in."""
MOST_LINKS: Final = 1_000

Proof = Callable[[], Identity]
"""Says who somebody is, now. Raises Denied when it proves nothing any more."""


class LinkSpent(Denied):
    code = "sign-in-link-spent"

    def __init__(self) -> None:
        super().__init__(
            f"This link signs nobody in: it was used, or is older than {LINK_LASTS / 60:g} minutes.",
            next_command="glideslope open",
        )


@dataclass(slots=True)
class Session:
    """A browser that somebody signed in at."""

    proof: Proof
    token: str
    """Goes into every form and must come back with it: another site cannot read it."""
    began: float
    used: float
    means: Means
    proved: float | None
    """When its visitor last proved who they are; None where nobody said."""
    way_out: str = ""
    """Where an identity provider signs people out; empty for none."""

    def vouches(self, token: str) -> bool:
        """Tell whether a form is one that this session was given."""
        return hmac.compare_digest(self.token.encode(), token.encode("utf-8", "surrogatepass"))


class Sessions:
    """Begins, finds and ends sessions. `monotonic` tells seconds, `chance` makes what nobody can guess."""

    def __init__(self, *, monotonic: Callable[[], float], chance: Callable[[], str]) -> None:
        self._monotonic = monotonic
        self._chance = chance
        self._sessions: dict[bytes, Session] = {}
        """By the hash of what the cookie says, the longest unused first: who reads our memory's dump of it cannot sign in."""
        self._links: dict[bytes, tuple[Proof, float]] = {}

    def begin(self, proof: Proof, means: Means, *, way_out: str = "", ago: float | None = 0.0) -> str:
        """Return what the cookie of a new session says, whose visitor proved who they are so many seconds ago, None for unknown."""
        now, secret = self._monotonic(), self._chance()
        while len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[_hash(secret)] = Session(
            proof=proof,
            token=self._chance(),
            began=now,
            used=now,
            means=means,
            proved=None if ago is None else now - ago,
            way_out=way_out,
        )
        return secret

    def proved(self, session: Session) -> Proved:
        """Return by what the visitor of a session proved who they are, and how long ago."""
        ago = None if session.proved is None else int(1000 * (self._monotonic() - session.proved))
        return Proved(session.means, ago=ago)

    def find(self, secret: str) -> Session | None:
        """Return the session of a cookie; None when there is none, or its time is over."""
        key, now = _hash(secret), self._monotonic()
        found = self._sessions.pop(key, None)
        if found is None or now - found.began >= LASTS or now - found.used >= IDLE:
            return None
        found.used = now
        self._sessions[key] = found
        return found

    def end(self, secret: str) -> None:
        """Forget a session."""
        self._sessions.pop(_hash(secret), None)

    def offer(self, proof: Proof) -> str:
        """Return the code of a link that signs in once."""
        code, now = self._chance(), self._monotonic()
        self._links = {key: link for key, link in self._links.items() if link[1] > now}
        while len(self._links) >= MOST_LINKS:
            del self._links[next(iter(self._links))]
        self._links[_hash(code)] = (proof, now + LINK_LASTS)
        return code

    def look(self, code: str) -> Proof:
        """Return whom a link would sign in, without using it. Raises LinkSpent."""
        proof, until = self._links.get(_hash(code), (None, 0.0))
        if proof is None or until <= self._monotonic():
            raise LinkSpent
        return proof

    def redeem(self, code: str) -> Proof:
        """Use a link up. Raises LinkSpent."""
        proof = self.look(code)
        del self._links[_hash(code)]
        return proof


def _hash(secret: str) -> bytes:
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()
