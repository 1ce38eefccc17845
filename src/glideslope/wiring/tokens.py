"""The tokens of a state folder, for the command line on its machine."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.identity.tokens import FileTokens
from glideslope.domain.errors import Invalid
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token as it is listed; the secret itself is kept nowhere."""

    id: str
    actor: str
    role: str
    created_at: str


def create(state: Path, *, actor: str, role: str) -> str:
    """Make a token and return it; it cannot be read again. Raises Invalid, StoreUnavailable."""
    try:
        known = Role(role)
    except ValueError as error:
        raise Invalid(f"There is no role {role!r}; there are {', '.join(Role)}.") from error
    secret = FileTokens(state).create(
        Actor(actor), role=known, at=SystemClock().now(), random_bytes=secrets.token_bytes(32)
    )
    return secret.reveal()


def listed(state: Path) -> Sequence[TokenLine]:
    """Return all tokens. Raises StoreUnavailable."""
    return [
        TokenLine(id=t.id, actor=t.actor, role=t.role.value, created_at=t.created_at.isoformat())
        for t in FileTokens(state).list()
    ]


def revoke(state: Path, *, token_id: str) -> None:
    """Forget a token. Raises NotFound, Invalid."""
    FileTokens(state).revoke(token_id)
