"""How a command ends, for scripts: a closed set of exit statuses that never change their meaning."""

from enum import IntEnum

from glideslope.domain.errors import Conflict, Denied, GlideslopeError, Invalid, NotFound, Refused, Unavailable


class Exit(IntEnum):
    """The documented statuses."""

    DONE = 0  # done, or all is well
    FAILED = 1  # an internal error, or something needed does not answer
    INVALID = 2  # the command line or a file cannot be understood, or names something that is not
    REFUSED = 3  # a rule said no, or somebody was faster
    DENIED = 4  # the server does not know the caller, or the caller may not
    ROLLED_BACK = 5
    HALTED = 6
    TIMED_OUT = 7  # waited long enough
    PENDING = 8  # approvals are missing
    NOT_VERIFIED = 9
    CHANGES = 10  # the plan would change something; only with --exit-code
    INTERRUPTED = 130  # Ctrl-C


def exit_of(error: GlideslopeError) -> Exit:
    """Return the status of an error, by its branch or by what the server answered."""
    match error:
        case ApiRefused():
            return _of_status(error.status)
        case Invalid() | NotFound():
            return Exit.INVALID
        case Conflict() | Refused():
            return Exit.REFUSED
        case Denied():
            return Exit.DENIED
        case _:
            return Exit.FAILED


class NotGlideslope(Unavailable):
    """Something answered at the server's address, but not what was promised."""

    code = "not-glideslope"

    def __init__(self, *, why: str) -> None:
        super().__init__(
            f"What answered is no Glideslope server that this command line understands: {why}.",
            traffic="What became of the command is unknown; the command line moves no traffic by itself.",
            next_command="glideslope doctor",
        )


class ApiRefused(GlideslopeError):
    """The server's refusal: its status and the members of its problem document."""

    code = "api-refused"

    def __init__(self, *, status: int, fields: dict[str, object]) -> None:
        super().__init__(
            str(fields.get("detail") or fields.get("title") or f"The server answered with status {status}."),
            traffic=str(fields.get("traffic") or ""),
            next_command=str(fields.get("next_command") or ""),
        )
        self.status = status
        self.fields = fields


def is_passing(error: GlideslopeError) -> bool:
    """Tell whether trying later may help: there was no answer, or the server could not give one."""
    return isinstance(error, Unavailable) or (isinstance(error, ApiRefused) and error.status >= 500)


def _of_status(status: int) -> Exit:
    match status:
        case 401:
            return Exit.DENIED
        case 403 | 409 | 412:
            return Exit.REFUSED
        case _ if 400 <= status < 500:
            return Exit.INVALID
        case _:
            return Exit.FAILED


def exit_of_phase(phase: str, *, pending: bool) -> Exit:
    """Return the status that a rollout's phase stands for."""
    if phase in {"rolled-back", "rolling-back"}:
        return Exit.ROLLED_BACK
    if phase == "halted":
        return Exit.HALTED
    return Exit.PENDING if pending else Exit.DONE
