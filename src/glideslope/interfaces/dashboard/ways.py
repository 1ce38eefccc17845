"""How people may sign in besides by a token: what the pages of signing in share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request

from glideslope.domain.account import Account, Passkey
from glideslope.domain.errors import GlideslopeError, SignInRefused
from glideslope.engine.accounts import Accounts, Authenticators
from glideslope.engine.providers import IdentityProviders
from glideslope.interfaces.dashboard.guesses import Guesses
from glideslope.interfaces.dashboard.tickets import Tickets

ASKED: Final = "passkey"
MADE: Final = "new passkey of "
"""Purposes of tickets."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What signs in: accounts, by password or passkey, and identity providers."""

    accounts: Accounts
    authenticators: Authenticators
    providers: IdentityProviders
    now: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Ceremonies:
    """Asks browsers to sign by passkeys, and reads what they answer. A challenge is a ticket: signed, short-lived, used once."""

    ways: Ways
    tickets: Tickets
    guesses: Guesses

    def to_sign(self, request: Request, passkeys: Sequence[Passkey] = ()) -> str:
        """Return what a page's script hands to the browser, as JSON; empty where no passkey can be for the page's address."""
        site = site_of(request)
        if not site:
            return ""
        return self.ways.authenticators.request(site=site, challenge=self.tickets.issue(ASKED), passkeys=passkeys)

    def to_make(self, request: Request, account: Account) -> str:
        """Return what a page's script hands to the browser to make a passkey, as JSON; empty as above."""
        site = site_of(request)
        if not site:
            return ""
        challenge = self.tickets.issue(MADE + account.actor)
        return self.ways.authenticators.creation(account, site=site, challenge=challenge)

    async def signed(self, request: Request, answer: str) -> Account:
        """Return whose passkey signed. Raises SignInRefused, TicketSpent."""
        ways, site = self.ways, site_of(request)
        id_, challenge = ways.authenticators.named(answer)
        self.tickets.read(ASKED, challenge)
        account, passkey = ways.accounts.by_passkey(id_, site=site)
        count = ways.authenticators.asserted(answer, passkey, challenge=challenge, site=site, origin=origin_of(request))
        self.tickets.spend(ASKED, challenge)
        return await ways.accounts.used_passkey(account, passkey, count=count)

    async def made(self, request: Request, account: Account, answer: str, *, name: str, code: str | None) -> Account:
        """Keep the passkey that a browser made. Raises SignInRefused, TicketSpent, SetupLinkSpent, Conflict."""
        ways, site = self.ways, site_of(request)
        if not site:
            raise SignInRefused("this passkey")
        _, challenge = ways.authenticators.named(answer)
        self.tickets.read(MADE + account.actor, challenge)
        passkey = ways.authenticators.created(
            answer, challenge=challenge, site=site, origin=origin_of(request), name=name, at=ways.now()
        )
        self.tickets.spend(MADE + account.actor, challenge)
        return await ways.accounts.add_passkey(account, passkey, code=code)


@dataclass(frozen=True, slots=True)
class Offered:
    """What a page of signing in offers besides a token, and what is wrong with the files that say so: that closes no other way in."""

    accounts: tuple[Account, ...] = ()
    providers: tuple[str, ...] = ()
    wrong: str = ""


def offered(ways: Ways | None) -> Offered:
    """Return what a page offers."""
    if ways is None:
        return Offered()
    wrong: list[str] = []
    accounts: Sequence[Account] = ()
    providers: Sequence[str] = ()
    try:
        accounts = ways.accounts.all()
    except GlideslopeError as error:
        wrong.append(error.sentence)
    try:
        providers = ways.providers.names()
    except GlideslopeError as error:
        wrong.append(error.sentence)
    return Offered(accounts=tuple(accounts), providers=tuple(providers), wrong=" ".join(wrong))


def site_of(request: Request) -> str:
    """Return the host name that passkeys of this page are for; empty where there can be none: at a number, or without TLS."""
    host = request.url.hostname or ""
    if host == "localhost":
        return host
    named = request.url.scheme == "https" and any(part.isalpha() for part in host) and ":" not in host
    return host if named and not host.rpartition(".")[2].isdecimal() else ""


def origin_of(request: Request) -> str:
    """Return the origin of the page, as its browser writes it."""
    return f"{request.url.scheme}://{request.url.netloc}"


def address_of(request: Request) -> str:
    """Return where a request comes from."""
    return request.client.host if request.client else ""
