"""Local accounts: who may sign in at a page without a token, by a password or a passkey. Kept beside the ledger, never in it.

What ends the sessions of an account raises its `edition`: a session vouches for one edition only. Everything here is a value; when,
by what chance and under which lock is decided elsewhere.
"""

import hmac
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from glideslope.domain.errors import NameInvalid, RoleInvalid
from glideslope.domain.identity import Role
from glideslope.domain.ids import Actor

LONGEST_NAME: Final = 64
MOST_PASSKEYS: Final = 20
ROLES: Final = (Role.READER, Role.MEMBER, Role.ADMIN)
"""Those of people; sources are services, and have tokens."""


class Passkey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key (WebAuthn) whose private half never leaves somebody's device."""

    id: bytes
    key: bytes
    """COSE."""
    site: str
    """The host name that it is for; it signs for no other."""
    count: int
    """What its device counted last; 0 where the device does not count."""
    name: str
    added_at: datetime
    used_at: datetime | None = None


class Setup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link that sets an account up, once, until it ends. Only the hash of its code is kept."""

    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    until: datetime


class Account(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who may sign in. `handle` is by chance and tells an authenticator nothing about them."""

    actor: Actor
    role: Role
    created_at: datetime
    handle: bytes
    password: str = ""
    """The hash as a PHC string, which says how it was made; empty for none."""
    passkeys: tuple[Passkey, ...] = ()
    setup: Setup | None = None
    disabled: bool = False
    edition: int = 1
    used_at: datetime | None = None
    """When somebody last signed in."""

    @property
    def is_set_up(self) -> bool:
        """Tell whether there is anything to sign in with."""
        return bool(self.password or self.passkeys)

    def opens(self, code: str, *, now: datetime) -> bool:
        """Tell whether a code sets this account up now, in constant time."""
        setup = self.setup
        if setup is None or self.disabled:
            return False
        return hmac.compare_digest(setup.sha256, code_hash(code)) and now < setup.until

    def passkey(self, id_: bytes) -> Passkey | None:
        """Return one of its passkeys."""
        return next((each for each in self.passkeys if each.id == id_), None)


def code_hash(code: str) -> str:
    """Return what is kept of a one-time code: it is 32 bytes of chance, so a plain hash keeps it secret."""
    return sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def opened(actor: Actor, *, role: Role, at: datetime, handle: bytes, setup: Setup) -> Account:
    """Return a new account that is still to be set up. Raises NameInvalid, RoleInvalid."""
    if not actor.isprintable() or not 1 <= len(actor) <= LONGEST_NAME or actor != actor.strip():
        raise NameInvalid(what="actor", text=actor, expected=f"1 to {LONGEST_NAME} printable characters")
    return Account(actor=actor, role=_of_people(role), created_at=at, handle=handle, setup=setup)


def with_password(account: Account, hashed: str) -> Account:
    """Return it with another password: its link is used up, and whoever was signed in is no longer."""
    return replace(account, password=hashed, setup=None, edition=account.edition + 1)


def with_passkey(account: Account, passkey: Passkey) -> Account:
    """Return it with one more passkey; its link is used up."""
    return replace(account, passkeys=(*account.passkeys, passkey), setup=None)


def without_passkey(account: Account, id_: bytes) -> Account:
    """Return it without one of its passkeys, whose sessions end."""
    kept = tuple(each for each in account.passkeys if each.id != id_)
    return replace(account, passkeys=kept, edition=account.edition + 1)


def reset(account: Account, setup: Setup) -> Account:
    """Return it with nothing to sign in with but a link to set it up anew."""
    return replace(account, password="", passkeys=(), setup=setup, edition=account.edition + 1)


def disabled(account: Account, *, yes: bool) -> Account:
    """Return it disabled, or not any more. A link that was made before signs nobody in afterwards."""
    return replace(account, disabled=yes, setup=None, edition=account.edition + 1)


def in_role(account: Account, role: Role) -> Account:
    """Return it with another role; whoever was signed in signs in again. Raises RoleInvalid."""
    return account if account.role is role else replace(account, role=_of_people(role), edition=account.edition + 1)


def _of_people(role: Role) -> Role:
    if role not in ROLES:
        raise RoleInvalid(role=role.value, expected=", ".join(ROLES))
    return role
