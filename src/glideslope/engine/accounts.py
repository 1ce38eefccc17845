"""Local accounts: invite, set up, sign in, and the proof that a session holds. Beside the engine: no account ever decides anything.

A password that is wrong, of nobody or of a disabled account takes the same time and gets the same sentence.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol

from msgspec.structs import replace

from glideslope.domain.account import (
    LONGEST_NAME,
    MOST_PASSKEYS,
    Account,
    Passkey,
    Setup,
    code_hash,
    disabled,
    in_role,
    opened,
    reset,
    with_passkey,
    with_password,
    without_passkey,
)
from glideslope.domain.errors import Conflict, Invalid, NotFound, SetupLinkSpent, SignInRefused, Unavailable
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.domain.password import LONGEST, check_password, normalised
from glideslope.engine.ports import Clock

AT_ONCE: Final = 2
"""Passwords that are hashed at the same time: each takes memory and a core."""
MOST_WAITING: Final = 16

HANDLE: Final = 16
CODE: Final = 32
SALT: Final = 16
"""Bytes of chance."""


class AccountBook(Protocol):
    """Keeps accounts durably."""

    def all(self) -> Sequence[Account]:
        """Return all accounts by name."""
        ...

    def of(self, actor: Actor) -> Account | None:
        """Return somebody's account; None for nobody we know."""
        ...

    def change(self, actor: Actor, act: Callable[[Account | None], Account | None]) -> Account | None:
        """Put in place of an account what `act` makes of it, while nobody else changes any; return that. May wait: for a thread."""
        ...


class PasswordHash(Protocol):
    """Makes and compares hashes; every method takes long on purpose."""

    def hash(self, password: str, *, salt: bytes) -> str: ...
    def matches(self, password: str, hashed: str) -> bool: ...
    def is_weak(self, hashed: str) -> bool:
        """Tell whether a hash was made with less than is asked now."""
        ...


class Authenticators(Protocol):
    """Speaks with authenticators by way of a browser (WebAuthn level 2). `site` is the host name, `origin` the whole of a page's.

    Answers come as the JSON of a `PublicKeyCredential`. Whatever is wrong with one raises SignInRefused.
    """

    def creation(self, account: Account, *, site: str, challenge: bytes) -> str:
        """Return what a browser is asked for to make a passkey, as JSON."""
        ...

    def created(self, answer: str, *, challenge: bytes, site: str, origin: str, name: str, at: datetime) -> Passkey:
        """Return the passkey that was made."""
        ...

    def request(self, *, site: str, challenge: bytes, passkeys: Sequence[Passkey] = ()) -> str:
        """Return what a browser is asked for to sign by one of these passkeys, of any that it knows for none, as JSON."""
        ...

    def named(self, answer: str) -> tuple[bytes, bytes]:
        """Return which passkey an answer is of, and for which challenge; nothing is checked yet."""
        ...

    def asserted(self, answer: str, passkey: Passkey, *, challenge: bytes, site: str, origin: str) -> int:
        """Check that a passkey signed, and that its device knew its owner; return what it counts now."""
        ...


class SignInBusy(Unavailable):
    code = "sign-in-busy"

    def __init__(self) -> None:
        super().__init__(
            "Too many passwords are being checked at once; try again in a moment, or use a passkey or a token.",
            traffic="Traffic is unchanged.",
            next_command="glideslope open",
        )


class Accounts:
    """The accounts of one server. `chance` gives that many bytes that nobody can guess; `common` are passwords tried first."""

    def __init__(
        self,
        book: AccountBook,
        *,
        hasher: PasswordHash,
        clock: Clock,
        chance: Callable[[int], bytes],
        common: Callable[[], Collection[str]],
    ) -> None:
        self._book = book
        self._hasher = hasher
        self._clock = clock
        self._chance = chance
        self._common = common
        self._working = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._decoy = ""

    def all(self) -> Sequence[Account]:
        """Return all accounts by name."""
        return self._book.all()

    def of(self, actor: Actor) -> Account:
        """Return somebody's account. Raises NotFound."""
        return _found(self._book.of(actor), actor)

    # What whoever runs the server does.

    def invite(self, actor: Actor, *, role: Role, lasting: timedelta) -> str:
        """Make an account and return the code of the link that sets it up, once. Raises NameInvalid, RoleInvalid, Conflict, Invalid."""
        code, setup = self._setup(lasting)
        now, handle = self._clock.now(), self._chance(HANDLE)

        def new(before: Account | None) -> Account:
            if before is not None:
                raise Conflict(f"{actor} has an account already.", next_command=f"glideslope account reset {actor}")
            return opened(actor, role=role, at=now, handle=handle, setup=setup)

        self._book.change(actor, new)
        return code

    def reset(self, actor: Actor, *, lasting: timedelta) -> str:
        """Take away all that an account signs in with, end its sessions, and return the code of a new link. Raises NotFound, Invalid."""
        code, setup = self._setup(lasting)
        self._book.change(actor, lambda before: reset(_found(before, actor), setup))
        return code

    def disable(self, actor: Actor, *, yes: bool = True) -> Account:
        """Let nobody sign in by an account, and end its sessions; or let them again. Raises NotFound."""
        return _found(self._book.change(actor, lambda before: disabled(_found(before, actor), yes=yes)), actor)

    def set_role(self, actor: Actor, role: Role) -> Account:
        """Give an account another role, which ends its sessions. Raises NotFound, RoleInvalid."""
        return _found(self._book.change(actor, lambda before: in_role(_found(before, actor), role)), actor)

    def remove(self, actor: Actor) -> None:
        """Forget an account and all that it signs in with. Raises NotFound."""

        def gone(before: Account | None) -> None:
            _found(before, actor)

        self._book.change(actor, gone)

    # What the person does.

    def identify(self, actor: Actor, edition: int) -> Identity:
        """Return who a session stands for. Raises SignInRefused once its account is gone, disabled or another edition."""
        account = self._book.of(actor)
        if account is None or account.disabled or account.edition != edition:
            raise SignInRefused("this session any more")
        return Identity(actor=account.actor, role=account.role)

    def proof(self, account: Account) -> Callable[[], Identity]:
        """Return what a session of an account holds."""
        return partial(self.identify, account.actor, account.edition)

    def invited(self, code: str) -> Account:
        """Return whose account a link sets up, without using it. Raises SetupLinkSpent."""
        now = self._clock.now()
        found = [account for account in self._book.all() if account.opens(code, now=now)]
        if not found:
            raise SetupLinkSpent
        return found[0]

    async def set_up(self, code: str, password: str) -> Account:
        """Use a link up by setting a password. Of several at once one succeeds. Raises SetupLinkSpent, PasswordWeak, SignInBusy."""
        return await self._set_password(self.invited(code), password, code=code)

    async def change_password(self, actor: Actor, password: str) -> Account:
        """Set another password; all sessions of the account end. Raises NotFound, PasswordWeak, SignInBusy."""
        return await self._set_password(self.of(actor), password, code=None)

    async def with_password(self, name: str, password: str) -> Account:
        """Return the account that a name and a password sign in. Raises SignInRefused, SignInBusy."""
        account = self._book.of(Actor(name[:LONGEST_NAME]))
        text = normalised(password[: 4 * LONGEST])
        known = account is not None and bool(account.password) and not account.disabled
        nobodys = await self._any_hash()
        hashed = account.password if account is not None and known else nobodys
        async with self._hashing():
            matches = await asyncio.to_thread(self._hasher.matches, text, hashed)
        if account is None or not known or not matches:
            raise SignInRefused
        stronger = ""
        if self._hasher.is_weak(hashed):
            async with self._hashing():
                stronger = await asyncio.to_thread(self._hasher.hash, text, salt=self._chance(SALT))
        now = self._clock.now()

        def used(before: Account | None) -> Account:
            # What became of it while its password was checked decides.
            if before is None or before.disabled or before.password != hashed:
                raise SignInRefused
            return replace(before, used_at=now, password=stronger or hashed)

        return _found(await asyncio.to_thread(self._book.change, account.actor, used), account.actor)

    def by_passkey(self, id_: bytes, *, site: str) -> tuple[Account, Passkey]:
        """Return whose passkey this is. Raises SignInRefused."""
        for account in self._book.all():
            passkey = account.passkey(id_)
            if passkey is not None and passkey.site == site and not account.disabled:
                return account, passkey
        raise SignInRefused("this passkey")

    async def used_passkey(self, account: Account, passkey: Passkey, *, count: int) -> Account:
        """Note that a passkey signed. Raises SignInRefused where its device counted no further: then there are two of it."""
        now = self._clock.now()

        def used(before: Account | None) -> Account:
            kept = None if before is None or before.disabled else before.passkey(passkey.id)
            if (
                before is None
                or kept is None
                or kept.key != passkey.key
                or ((kept.count or count) and count <= kept.count)
            ):
                raise SignInRefused("this passkey")
            keys = tuple(
                replace(each, count=count, used_at=now) if each.id == kept.id else each for each in before.passkeys
            )
            return replace(before, passkeys=keys, used_at=now)

        return _found(await asyncio.to_thread(self._book.change, account.actor, used), account.actor)

    async def add_passkey(self, account: Account, passkey: Passkey, *, code: str | None) -> Account:
        """Keep one more passkey, using a link up where one is given. Raises SetupLinkSpent, NotFound, Conflict."""
        now = self._clock.now()
        if any(other.passkey(passkey.id) for other in self._book.all()):
            raise Conflict("This passkey is known already.", next_command="")

        def added(before: Account | None) -> Account:
            kept = _found(before, account.actor)
            if code is not None and not kept.opens(code, now=now):
                raise SetupLinkSpent
            if len(kept.passkeys) >= MOST_PASSKEYS:
                raise Conflict(f"{MOST_PASSKEYS} passkeys are the most; remove one first.", next_command="")
            return with_passkey(kept, passkey)

        return _found(await asyncio.to_thread(self._book.change, account.actor, added), account.actor)

    async def remove_passkey(self, actor: Actor, id_: bytes) -> Account:
        """Forget a passkey; all sessions of the account end. Raises NotFound, Conflict for the last thing to sign in with."""

        def removed(before: Account | None) -> Account:
            kept = _found(before, actor)
            if kept.passkey(id_) is None:
                raise NotFound(what="passkey", name=urlsafe_b64encode(id_).decode()[:12], next_command="")
            after = without_passkey(kept, id_)
            if not after.is_set_up:
                raise Conflict("It is the last thing that you sign in with; add another first.", next_command="")
            return after

        return _found(await asyncio.to_thread(self._book.change, actor, removed), actor)

    async def _set_password(self, account: Account, password: str, *, code: str | None) -> Account:
        text = check_password(password, actor=account.actor, common=self._common())
        async with self._hashing():
            hashed = await asyncio.to_thread(self._hasher.hash, text, salt=self._chance(SALT))
        now = self._clock.now()

        def set_(before: Account | None) -> Account:
            kept = _found(before, account.actor)
            if code is not None and not kept.opens(code, now=now):
                raise SetupLinkSpent
            return with_password(kept, hashed)

        return _found(await asyncio.to_thread(self._book.change, account.actor, set_), account.actor)

    def _setup(self, lasting: timedelta) -> tuple[str, Setup]:
        if not timedelta(minutes=1) <= lasting <= timedelta(days=30):
            raise Invalid("A link that sets an account up lasts 1 minute to 30 days.")
        code = urlsafe_b64encode(self._chance(CODE)).decode().rstrip("=")
        return code, Setup(sha256=code_hash(code), until=self._clock.now() + lasting)

    async def _any_hash(self) -> str:
        """Return a hash of nothing that anybody knows, so that a name that is not known takes as long as one that is."""
        if not self._decoy:
            text = self._chance(CODE).hex()
            async with self._hashing():
                self._decoy = await asyncio.to_thread(self._hasher.hash, text, salt=self._chance(SALT))
        return self._decoy

    @asynccontextmanager
    async def _hashing(self) -> AsyncIterator[None]:
        if self._waiting >= MOST_WAITING:
            raise SignInBusy
        self._waiting += 1
        try:
            async with self._working:
                yield
        finally:
            self._waiting -= 1


def _found(account: Account | None, actor: Actor) -> Account:
    if account is None:
        raise NotFound(what="account", name=actor, next_command="glideslope account ls")
    return account
