"""What can go wrong between a service and the server. Raised by the senders only, never into a host's request path."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec

from glideslope.domain.errors import Conflict, Denied, GlideslopeError, Invalid, NotFound, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 9457) as the server wrote it; what it left out is empty."""

    status: int
    type: str = ""
    title: str = ""
    detail: str = ""
    code: str = ""
    traffic: str = ""
    next_command: str = ""
    fields: dict[str, Any] = field(default_factory=dict)
    """All members of the document, the named ones included."""


def problem(status: int, body: bytes) -> Problem:
    """Read a problem document; anything else becomes one without fields, since a refusal must not hide behind its form."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        fields = {}

    def text(name: str) -> str:
        value = fields.get(name, "")
        return value if isinstance(value, str) else ""

    type_ = text("type")
    return Problem(
        status=status,
        type=type_,
        title=text("title"),
        detail=text("detail"),
        code=text("code") or type_.rstrip("/").rpartition("/")[2].rpartition(":")[2].rpartition("#")[2],
        traffic=text("traffic"),
        next_command=text("next_command"),
        fields=fields,
    )


class ServerRefused(GlideslopeError):
    """The server answered, and the answer was no. `problem` says why, in its own code and words; `code` is the server's.

    `refusal` makes it one of a branch of `domain.errors` as well: whoever catches Conflict gets what the server calls one.
    """

    code = "server-refused"

    def __init__(self, *, problem: Problem) -> None:
        said = problem.detail or problem.title or f"it answered with status {problem.status}"
        GlideslopeError.__init__(
            self,
            said if said.endswith((".", "?")) else f"The server refused: {said}.",
            traffic=problem.traffic or "Traffic is unchanged.",
            next_command=problem.next_command,
        )
        self.problem = problem
        self.status = problem.status
        if problem.code:
            self.code = problem.code  # type: ignore[misc]  # what the server refused has the server's code


class ServerInvalid(ServerRefused, Invalid):
    """The server could not understand it."""


class ServerNotFound(ServerRefused, NotFound):
    """The server knows no such thing."""


class ServerConflict(ServerRefused, Conflict):
    """Somebody was faster, or the thing is not in a state for this, or not as it was seen."""


class ServerForbids(ServerRefused, Refused):
    """A rule said no."""


class ServerDenied(ServerRefused, Denied):
    """The server does not know the caller, or the caller may not."""


class ServerUnavailable(ServerRefused, Unavailable):
    """The server cannot do it now."""


_BRANCHES: Final[Mapping[int, type[ServerRefused]]] = {
    401: ServerDenied,
    403: ServerForbids,
    404: ServerNotFound,
    409: ServerConflict,
    412: ServerConflict,
    413: ServerInvalid,
    422: ServerInvalid,
    503: ServerUnavailable,
}


def told(body: bytes) -> Problem:
    """Read a problem document that came with no status beside it: in a stream of events."""
    found = problem(500, body)
    status = found.fields.get("status")
    return replace(found, status=status) if isinstance(status, int) else found


def refusal(problem: Problem) -> ServerRefused:
    """Return a refusal as an error of its branch."""
    return _BRANCHES.get(problem.status, ServerRefused)(problem=problem)


class ServerUnreachable(Unavailable):
    """No answer, or none that can be trusted. Whether the call was carried out is unknown."""

    code = "server-unreachable"

    def __init__(self, *, url: str, why: str) -> None:
        super().__init__(
            f"The server at {url} does not answer: {why}.",
            traffic="Exposure that cannot be renewed returns to the incumbent when its lease ends.",
            next_command="glideslope doctor",
        )
        self.url = url
        self.why = why


class CertificateRefused(ServerUnreachable):
    """Whoever answers there shows a certificate that is not trusted here; nothing was sent, the token neither."""

    code = "certificate-refused"

    def __init__(self, *, url: str, why: str) -> None:
        super().__init__(url=url, why=why)
        self.sentence = f"{url} shows a certificate that is not trusted here: {why}. Nothing was sent."
        self.args = (self.sentence,)
        self.next_command = "glideslope doctor --ca FILE"


class AnswerUnreadable(ServerUnreachable):
    """Something answered, but not what was promised: another program, another version, or damage on the way."""

    code = "answer-unreadable"
