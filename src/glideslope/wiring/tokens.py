"""The tokens of a state folder, for the command line on its machine."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.identity.tokens import FileTokens
from glideslope.domain.errors import Invalid, TokenScopeInvalid
from glideslope.domain.identity import Act, Role
from glideslope.domain.ids import Actor, model_name


@dataclass(frozen=True, slots=True)
class TokenLine:
    """A token as it is listed; the secret itself is kept nowhere."""

    id: str
    actor: str
    role: str
    created_at: str
    models: tuple[str, ...] | None
    """Whom a source speaks for, or a limited member acts on; None for all."""
    acts: tuple[str, ...] | None
    """What a limited member may do; None for all."""
    expires_at: str
    """Empty for never."""
    expired: bool
    used_at: str
    """When it was last used, to the minute; empty for never, or for not known."""


def create(
    state: Path,
    *,
    actor: str,
    role: str,
    models: Sequence[str] = (),
    all_models: bool = False,
    seconds: float | None,
    acts: Sequence[str] = (),
) -> str:
    """Make a token, that lasts for so many seconds or for ever, and return it; it cannot be read again.

    A source is made for named models, or in so many words for all; a member may be limited to some acts, and then to some models.
    Raises Invalid, StoreUnavailable.
    """
    try:
        known = Role(role)
    except ValueError as error:
        raise Invalid(f"There is no role {role!r}; there are {', '.join(Role)}.") from error
    if known is Role.SOURCE and bool(models) is all_models:
        raise TokenScopeInvalid(
            "A source speaks for the models that its token names: say --model MODEL, once for each, or --all-models.",
            next_command=f"glideslope token create {actor} --role source --model MODEL",
        )
    if known is not Role.SOURCE and all_models:
        raise TokenScopeInvalid(f"Only a source speaks for models; a {known} is not limited to some.")
    now = SystemClock().now()
    secret = FileTokens(state).create(
        Actor(actor),
        role=known,
        at=now,
        random_bytes=secrets.token_bytes(32),
        models=frozenset(model_name(model) for model in models) if models else None,
        expires_at=None if seconds is None else now + timedelta(seconds=seconds),
        acts=frozenset(Act(act) for act in acts) if acts else None,
    )
    return secret.reveal()


def listed(state: Path) -> Sequence[TokenLine]:
    """Return all tokens. Raises StoreUnavailable."""
    now, tokens = SystemClock().now(), FileTokens(state)
    uses = tokens.uses()
    return [
        TokenLine(
            id=t.id,
            actor=t.actor,
            role=t.role.value,
            created_at=t.created_at.isoformat(),
            models=t.models,
            expires_at="" if t.expires_at is None else t.expires_at.isoformat(timespec="seconds"),
            expired=t.expires_at is not None and now >= t.expires_at,
            acts=None if t.acts is None else tuple(act.value for act in t.acts),
            used_at=uses[t.id].isoformat(timespec="seconds") if t.id in uses else "",
        )
        for t in tokens.list()
    ]


def revoke(state: Path, *, token_id: str) -> None:
    """Forget a token. Raises NotFound, Invalid."""
    FileTokens(state).revoke(token_id)
