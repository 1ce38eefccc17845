"""Lists page by page: what a cursor holds is the place of the last item in the list's order, so that new entries shift nothing.

The answer stays a list; where there is more, its `Link` header says how to ask for the next page (RFC 8288).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from fastapi import Depends, Query, Request
from fastapi.responses import Response

from glideslope.interfaces.api.door import answer
from glideslope.interfaces.api.problems import RequestInvalid

T = TypeVar("T")

USUAL: Final = 100
MOST: Final = 500
"""Items of a page; more is refused."""

Place = tuple[int | str, ...]
"""Where an item stands: lists are in the order of their places, which belong to one item each and never change."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which page is asked for."""

    limit: Annotated[int, Query(ge=1, le=MOST, description="How many at most.")] = USUAL
    cursor: Annotated[
        str, Query(max_length=1_000, description="From the `Link` header of the page before; means nothing to others.")
    ] = ""

    def after(self) -> Place | None:
        """Return the place after which the page begins; None for the first page. Raises RequestInvalid."""
        if not self.cursor:
            return None
        try:
            padded = self.cursor + "=" * (-len(self.cursor) % 4)
            return msgspec.json.decode(urlsafe_b64decode(padded.encode("ascii")), type=Place)
        except (Error, ValueError, msgspec.MsgspecError):
            raise RequestInvalid("the cursor is none that this server gave") from None


Page = Annotated[Asked, Depends()]


def page(request: Request, asked: Asked, items: Iterable[T], *, place: Callable[[T], Place]) -> Response:
    """Answer with one page of a list, in the order of places. Raises RequestInvalid for a cursor of another list."""
    return _page(request, asked, sorted(((place(item), item) for item in items), key=itemgetter(0)))


def newest_first(request: Request, asked: Asked, items: Sequence[T]) -> Response:
    """Answer with one page of a list to whose front alone things are added, and of which nothing is taken away."""
    return _page(request, asked, [((number - len(items),), item) for number, item in enumerate(items)])


def oldest_first(request: Request, asked: Asked, items: Sequence[T]) -> Response:
    """Answer with one page of a list to whose end alone things are added, and of which nothing is taken away."""
    return _page(request, asked, [((number,), item) for number, item in enumerate(items)])


def _page(request: Request, asked: Asked, placed: Sequence[tuple[Place, T]]) -> Response:
    after = asked.after()
    try:
        left = [each for each in placed if after is None or each[0] > after]
    except TypeError:
        raise RequestInvalid("the cursor is one of another list") from None
    kept = left[: asked.limit]
    more = {"Link": link_to(request, kept[-1][0], limit=asked.limit)} if len(left) > len(kept) else {}
    return answer([item for _, item in kept], headers=more)


def link_to(request: Request, place: Place, *, limit: int) -> str:
    """Return the header that says how to ask for what comes after a place."""
    cursor = urlsafe_b64encode(msgspec.json.encode(place)).rstrip(b"=").decode("ascii")
    kept = [(name, text) for name, text in request.query_params.multi_items() if name not in {"cursor", "limit"}]
    return f'<{_path(request)}?{urlencode([*kept, ("limit", limit), ("cursor", cursor)])}>; rel="next"'


def _path(request: Request) -> str:
    """Return the path as it can be asked for again; nothing in it ends the link early."""
    return quote(request.url.path, safe="/:@!$&'()*+,;=~-._")
