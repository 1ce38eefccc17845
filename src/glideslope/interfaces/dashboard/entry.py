"""The one place where a session begins, and the page at which people sign in or prove again who they are."""

from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from glideslope.domain.errors import Denied, GlideslopeError, NotAllowed
from glideslope.domain.identity import Means
from glideslope.interfaces.api.door import LOOKING
from glideslope.interfaces.dashboard.door import PageDoor, Visitor, remember, secret_of
from glideslope.interfaces.dashboard.rendering import Pages
from glideslope.interfaces.dashboard.sessions import Proof
from glideslope.interfaces.dashboard.ways import Ceremonies, offered


class SignInOther(Denied):
    code = "sign-in-other"

    def __init__(self, *, actor: str) -> None:
        super().__init__(
            f"You are signed in as {actor}, and proved to be somebody else. Nothing was changed; sign out first to be them.",
            next_command="glideslope open",
        )


class Entry:
    """Lets people in at the pages: the one place where a session begins."""

    def __init__(self, door: PageDoor, pages: Pages, *, ceremonies: Ceremonies | None) -> None:
        self.door = door
        self.ceremonies = ceremonies
        self._pages = pages

    def page(
        self, request: Request, *, target: str, error: str = "", name: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        """Return the page at which people sign in, or prove again who they are."""
        visitor, ceremonies = self.visitor(request), self.ceremonies
        offers = offered(None if ceremonies is None else ceremonies.ways)
        options = ""
        if ceremonies is not None and visitor is None and offers.accounts:
            options = ceremonies.to_sign(request)
        elif ceremonies is not None and visitor is not None:
            known = next((each.passkeys for each in offers.accounts if each.actor == visitor.actor), ())
            options = ceremonies.to_sign(request, known) if known else ""
        return self._pages.page(
            request,
            "sign-in.html",
            visitor=visitor,
            status=status,
            next=target,
            error=error or offers.wrong,
            providers=offers.providers,
            written=name,
            accounts=bool(offers.accounts),
            options=options,
        )

    def visitor(self, request: Request) -> Visitor | None:
        """Return who is signed in already; None for nobody."""
        try:
            return self.door.visitor(request)
        except GlideslopeError:
            return None

    def let_in(
        self,
        request: Request,
        proof: Proof,
        means: Means,
        target: str,
        *,
        way_out: str = "",
        ago: float | None = 0.0,
    ) -> Response:
        """Begin a session in place of the one that there may be. Raises NotAllowed, SignInOther, and what the proof raises."""
        identity, visitor = proof(), self.visitor(request)
        if identity.role not in LOOKING:
            raise NotAllowed(actor=identity.actor, act="look")
        if visitor is not None and visitor.actor != identity.actor:
            raise SignInOther(actor=visitor.actor)
        response = RedirectResponse(target, status_code=HTTPStatus.SEE_OTHER)
        # Never the same secret as before: whoever knew that one knows nothing of this session.
        self.door.sessions.end(secret_of(request))
        remember(response, self.door.sessions.begin(proof, means, way_out=way_out, ago=ago), request)
        return response


def inside(target: str) -> str:
    """Return a path of this site to go on to: whatever else is asked for leads to the first page."""
    parts = urlsplit(target)
    plain = target.startswith("/") and not target.startswith(("//", "/\\")) and "\\" not in target
    return target if plain and not parts.scheme and not parts.netloc and target.isprintable() else "/"
