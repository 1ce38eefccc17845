"""Local accounts of a state folder: for the server's pages, and for the command line on its machine."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.identity.accounts import FileAccounts
from glideslope.adapters.identity.argon2 import Argon2, common_passwords
from glideslope.domain.account import Account
from glideslope.domain.errors import Invalid
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor
from glideslope.engine.accounts import Accounts

PATH = "/setup/"
"""Of the page that a link leads to."""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """An account as it is listed. Instants are RFC 3339, empty for never."""

    actor: str
    role: str
    state: str
    """`invited`, `lapsed` (its link ended before it was used), `ready` or `disabled`."""
    password: bool
    passkeys: int
    created_at: str
    used_at: str


@dataclass(frozen=True, slots=True)
class SetupLink:
    """Where an account is set up, once, and until when."""

    path: str
    until: str


def opened(state: Path) -> Accounts:
    """Return the accounts of a state folder. Raises StoreUnavailable, StoreCorrupt."""
    return Accounts(
        FileAccounts(state), hasher=Argon2(), clock=SystemClock(), chance=secrets.token_bytes, common=common_passwords
    )


def invite(state: Path, *, actor: str, role: str, seconds: float) -> SetupLink:
    """Make an account. Raises Conflict, Invalid, StoreUnavailable."""
    return _link(opened(state).invite(Actor(actor), role=_role(role), lasting=timedelta(seconds=seconds)), seconds)


def reset(state: Path, *, actor: str, seconds: float) -> SetupLink:
    """Take away what an account signs in with, and make another link. Raises NotFound, Invalid, StoreUnavailable."""
    return _link(opened(state).reset(Actor(actor), lasting=timedelta(seconds=seconds)), seconds)


def listed(state: Path) -> Sequence[AccountLine]:
    """Return all accounts by name. Raises StoreUnavailable."""
    now = SystemClock().now()
    return [_line(account, now=now) for account in opened(state).all()]


def set_role(state: Path, *, actor: str, role: str) -> AccountLine:
    """Give an account another role. Raises NotFound, Invalid, StoreUnavailable."""
    return _line(opened(state).set_role(Actor(actor), _role(role)), now=SystemClock().now())


def disable(state: Path, *, actor: str, yes: bool) -> AccountLine:
    """Let nobody sign in by an account, or let them again. Raises NotFound, StoreUnavailable."""
    return _line(opened(state).disable(Actor(actor), yes=yes), now=SystemClock().now())


def remove(state: Path, *, actor: str) -> None:
    """Forget an account. Raises NotFound, StoreUnavailable."""
    opened(state).remove(Actor(actor))


def _link(code: str, seconds: float) -> SetupLink:
    return SetupLink(path=f"{PATH}{code}", until=_at(SystemClock().now() + timedelta(seconds=seconds)))


def _line(account: Account, *, now: datetime) -> AccountLine:
    return AccountLine(
        actor=account.actor,
        role=account.role.value,
        state=_state(account, now=now),
        password=bool(account.password),
        passkeys=len(account.passkeys),
        created_at=_at(account.created_at),
        used_at=_at(account.used_at),
    )


def _state(account: Account, *, now: datetime) -> str:
    if account.disabled:
        return "disabled"
    if account.is_set_up:
        return "ready"
    return "invited" if account.setup is not None and now < account.setup.until else "lapsed"


def _role(role: str) -> Role:
    try:
        return Role(role)
    except ValueError as error:
        raise Invalid(f"There is no role {role!r}; there are {', '.join(Role)}.") from error


def _at(instant: datetime | None) -> str:
    return "" if instant is None else instant.isoformat(timespec="seconds")
