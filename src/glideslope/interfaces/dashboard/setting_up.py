"""The one-time link by which somebody invited sets their account up. Looking at it uses nothing up: whatever previews links would."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from glideslope.domain.account import Account
from glideslope.domain.errors import PasswordWeak
from glideslope.domain.identity import Means
from glideslope.interfaces.api.problems import status_of
from glideslope.interfaces.dashboard.door import secret_of
from glideslope.interfaces.dashboard.entry import Entry
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.ways import Ceremonies


def setting_up(entry: Entry, pages: Pages, ceremonies: Ceremonies) -> list[Route]:
    """Return the routes of the link."""
    door, accounts = entry.door, ceremonies.ways.accounts

    def link_page(request: Request, account: Account, *, error: str = "", status: int = HTTPStatus.OK) -> Response:
        return pages.page(
            request,
            "set-up.html",
            visitor=None,
            status=status,
            account=account,
            error=error,
            options=ceremonies.to_make(request, account),
        )

    async def show_link(request: Request) -> Response:
        return link_page(request, accounts.invited(request.path_params["code"]))

    async def with_password(request: Request) -> Response:
        fields, code = await door.fields(request), request.path_params["code"]
        invited = accounts.invited(code)
        try:
            account = await accounts.set_up(code, written_twice(fields))
        except PasswordWeak as error:
            return link_page(request, invited, error=error.sentence, status=status_of(error))
        door.sessions.end(secret_of(request))
        return entry.let_in(request, accounts.proof(account), Means.PASSWORD, "/account")

    async def with_passkey(request: Request) -> Response:
        fields, code = await door.fields(request), request.path_params["code"]
        account = await ceremonies.made(
            request, accounts.invited(code), fields.get("answer", ""), name=fields.get("label", ""), code=code
        )
        door.sessions.end(secret_of(request))
        return entry.let_in(request, accounts.proof(account), Means.PASSKEY, "/account")

    return [
        Route("/setup/{code}", show_link, methods=["GET"]),
        Route("/setup/{code}", with_password, methods=["POST"]),
        Route("/setup/{code}/passkey", with_passkey, methods=["POST"]),
    ]


def written_twice(fields: Mapping[str, str]) -> str:
    """Return a password that was written twice alike: nobody sees what they write. Raises PasswordWeak."""
    password = fields.get("password", "")
    if password != fields.get("again", ""):
        raise PasswordWeak("it was not written twice alike")
    return password
