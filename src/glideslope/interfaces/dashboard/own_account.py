"""One's own account: its passkeys and its password, which change only right after its owner proved who they are by one of them.

A token, which may have been stolen, makes no key that would outlive it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.account import Account
from glideslope.domain.errors import NotFound, PasswordWeak, ProofTooOld
from glideslope.domain.identity import Means
from glideslope.interfaces.api.problems import RequestInvalid, status_of
from glideslope.interfaces.dashboard.door import Visitor, secret_of
from glideslope.interfaces.dashboard.entry import Entry
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.setting_up import written_twice
from glideslope.interfaces.dashboard.ways import Ceremonies

FRESH: Final = 600_000
"""Milliseconds for which a proof lets its owner change what their account signs in with."""
OWN: Final = (Means.PASSWORD, Means.PASSKEY)
"""What that proof may be."""


def own_account(entry: Entry, pages: Pages, ceremonies: Ceremonies) -> list[Route]:
    """Return the routes of the page."""
    door, accounts = entry.door, ceremonies.ways.accounts

    def own(visitor: Visitor) -> Account | None:
        return next((each for each in accounts.all() if each.actor == visitor.actor and not each.disabled), None)

    def own_page(
        request: Request, visitor: Visitor, account: Account | None, *, error: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        fresh = account is not None and is_fresh(visitor)
        return pages.page(
            request,
            "account.html",
            visitor=visitor,
            status=status,
            account=account,
            passkeys=[] if account is None else [(_id(key.id), key) for key in account.passkeys],
            fresh=fresh,
            error=error,
            options=ceremonies.to_make(request, account) if account is not None and fresh else "",
        )

    async def show_own(request: Request) -> Response:
        visitor = door.visitor(request)
        return own_page(request, visitor, own(visitor))

    async def changing(request: Request) -> tuple[Visitor, Account, Mapping[str, str]]:
        visitor, fields = await door.form(request, act="")
        account = own(visitor)
        if account is None:
            raise NotFound(what="account", name=visitor.actor, next_command="glideslope account ls")
        if not is_fresh(visitor):
            raise ProofTooOld(within=FRESH, by=OWN)
        return visitor, account, fields

    async def change_password(request: Request) -> Response:
        visitor, account, fields = await changing(request)
        try:
            after = await accounts.change_password(account.actor, written_twice(fields))
        except PasswordWeak as error:
            return own_page(request, visitor, account, error=error.sentence, status=status_of(error))
        return again(request, visitor, after)

    async def add_passkey(request: Request) -> Response:
        visitor, account, fields = await changing(request)
        after = await ceremonies.made(
            request, account, fields.get("answer", ""), name=fields.get("label", ""), code=None
        )
        return again(request, visitor, after)

    async def remove_passkey(request: Request) -> Response:
        visitor, account, fields = await changing(request)
        try:
            id_ = urlsafe_b64decode(fields.get("passkey", ""))
        except ValueError:
            raise RequestInvalid("its form names no passkey") from None
        return again(request, visitor, await accounts.remove_passkey(account.actor, id_))

    def again(request: Request, visitor: Visitor, account: Account) -> Response:
        """Go on in a session of the account as it is now: all others ended with what was changed."""
        means = visitor.proved.means if visitor.proved is not None else Means.PASSWORD
        door.sessions.end(secret_of(request))
        return entry.let_in(request, accounts.proof(account), means, "/account")

    return [
        Route("/account", show_own, methods=["GET"]),
        Route("/account/password", change_password, methods=["POST"]),
        Route("/account/passkeys", add_passkey, methods=["POST"]),
        Route("/account/passkeys/remove", remove_passkey, methods=["POST"]),
    ]


def is_fresh(visitor: Visitor) -> bool:
    """Tell whether somebody proved just now, by their account, who they are."""
    proved = visitor.proved
    return proved is not None and proved.means in OWN and proved.ago is not None and proved.ago <= FRESH


def _id(id_: bytes) -> str:
    return urlsafe_b64encode(id_).decode()
