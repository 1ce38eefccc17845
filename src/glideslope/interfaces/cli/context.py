"""What the command line needs from outside, handed in by `__main__`: a server to talk to, processes to start, time and chance."""

from __future__ import annotations  # `--help` must not pay for pathlib

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from glideslope.domain.errors import NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from glideslope.domain.governing.dossier import Dossier
    from glideslope.domain.governing.facts import Facts
    from glideslope.domain.governing.policy import Outcome, Policy
    from glideslope.domain.governing.rebuild import Recipe, Remade
    from glideslope.domain.ids import Digest
    from glideslope.settings import Doors

Place = tuple[str, int]
"""A host and a port of it."""

STATE_FOLDER: Final = ".glideslope"


class NoServer(NotFound):
    code = "no-server"

    def __init__(self) -> None:
        super().__init__(
            what="server address: not in --server, nor in a state folder named",
            name=STATE_FOLDER,
            next_command="glideslope up",
        )


class Api(Protocol):
    """One server's HTTP API. Raises `exits.ApiRefused` for its refusals, Unavailable when there is no answer."""

    def call(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> bytes:
        """Return the answer's body."""
        ...

    def stream(self, path: str) -> Iterator[bytes]:
        """Yield the lines of an answer to GET, without their ends, as they come."""
        ...


class Start(Protocol):
    """Long-running processes; each returns the exit status when it ends."""

    def up(
        self,
        *,
        state: Path,
        port: int,
        gateway_port: int,
        gateway: bool,
        gateway_listen: Place | None,
        keep_log: float | None,
        doors: Doors,
    ) -> int:
        """Start server and gateway in one process tree, until told to stop."""
        ...

    def serve(
        self,
        *,
        state: Path,
        port: int,
        gateway_port: int,
        gateway: bool,
        gateway_listen: Place | None,
        keep_log: float | None,
        doors: Doors,
    ) -> int:
        """Be the server process."""
        ...

    def gateway(
        self,
        *,
        state: Path,
        gateway_port: int,
        line: Place | None,
        credentials: Path | None,
        silence: float,
        doors: Doors,
    ) -> int:
        """Be the gateway's supervisor."""
        ...

    def browse(self, *, lines: Sequence[bytes], key: str, port: int, ready: Callable[[str, str], None]) -> int:
        """Serve pages over a verified bundle; `ready` is told where a reader signs in once, and a token for later."""
        ...


class Demo(Protocol):
    """The demonstration."""

    def __call__(self, *, as_json: bool, keep: Path | None, browse: Callable[[str, str], None] | None) -> int:
        """Show the whole on real flights, and return the exit status; `browse` is told where to look at it afterwards."""
        ...


class Evaluate(Protocol):
    """The offline stage."""

    def __call__(self, file: Path, *, work: Path | None, again: bool, write_split: Path | None, as_json: bool) -> int:
        """Measure what a file declares, and return the exit status."""
        ...


class Rebuild(Protocol):
    """Making a version again."""

    def __call__(
        self,
        recipe: Recipe,
        *,
        beside: Path,
        expected: Digest,
        facts: Facts | None,
        original: Path | None,
        keep: Path | None,
        say: Callable[[str], None],
    ) -> Remade:
        """Follow a recipe whose paths are relative to a folder, and tell what came out."""
        ...


class TokenLine(Protocol):
    """A token as it is listed; the secret itself is kept nowhere."""

    @property
    def id(self) -> str: ...
    @property
    def actor(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def created_at(self) -> str: ...
    @property
    def models(self) -> tuple[str, ...] | None: ...
    @property
    def expires_at(self) -> str: ...
    @property
    def expired(self) -> bool: ...
    @property
    def acts(self) -> tuple[str, ...] | None: ...
    @property
    def used_at(self) -> str: ...


class Tokens(Protocol):
    """The tokens of one state folder."""

    def create(
        self,
        state: Path,
        *,
        actor: str,
        role: str,
        models: Sequence[str],
        all_models: bool,
        seconds: float | None,
        acts: Sequence[str],
    ) -> str:
        """Make a token, of a source for some models or in so many words for all, and return it; it cannot be read again.

        `acts` are all that a member may do besides looking; none for everything.
        """
        ...

    def listed(self, state: Path) -> Sequence[TokenLine]:
        """Return all tokens."""
        ...

    def revoke(self, state: Path, *, token_id: str) -> None:
        """Forget a token."""
        ...


class AccountLine(Protocol):
    """An account as it is listed. Instants are RFC 3339, empty for never."""

    @property
    def actor(self) -> str: ...
    @property
    def role(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def password(self) -> bool: ...
    @property
    def passkeys(self) -> int: ...
    @property
    def created_at(self) -> str: ...
    @property
    def used_at(self) -> str: ...


class SetupLink(Protocol):
    """Where an account is set up, once, and until when."""

    @property
    def path(self) -> str: ...
    @property
    def until(self) -> str: ...


class AccountsOf(Protocol):
    """The accounts of a state folder."""

    def invite(self, state: Path, *, actor: str, role: str, seconds: float) -> SetupLink:
        """Make an account that a link sets up."""
        ...

    def reset(self, state: Path, *, actor: str, seconds: float) -> SetupLink:
        """Take away what an account signs in with, and make another link."""
        ...

    def listed(self, state: Path) -> Sequence[AccountLine]:
        """Return all accounts."""
        ...

    def set_role(self, state: Path, *, actor: str, role: str) -> AccountLine:
        """Give an account another role."""
        ...

    def disable(self, state: Path, *, actor: str, yes: bool) -> AccountLine:
        """Let nobody sign in by an account, or let them again."""
        ...

    def remove(self, state: Path, *, actor: str) -> None:
        """Forget an account."""
        ...


class CredentialsLine(Protocol):
    """What was handed out to a gateway; the secret lies in the folder alone."""

    @property
    def name(self) -> str: ...
    @property
    def folder(self) -> str: ...
    @property
    def ends(self) -> str: ...


class Credentials(Protocol):
    """What gateways on other hosts show to the server of one state folder."""

    def create(self, state: Path, *, name: str, out: Path, days: int) -> CredentialsLine:
        """Write credentials into a folder."""
        ...


class Certificate(Protocol):
    """A certificate that was made, and what whoever calls must trust."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def ca(self) -> Path: ...
    @property
    def until(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything beyond this room. The functions load what they need when they are called."""

    connect: Callable[[str, str, str], Api]
    """From an address, a token and the file of the CA to trust, empty for what the system trusts; calls nobody yet."""
    folder_digest: Callable[[Path], str]
    files: Callable[[Path], Iterable[tuple[str, Path]]]
    """The files of a folder by their POSIX paths relative to it."""
    keep: Callable[[Path, Path], str]
    """Copy a folder, the second, into the artifacts of a state folder, the first, and return its digest."""
    start: Callable[[], Start]
    demo: Demo
    evaluate: Evaluate
    told: Callable[[Policy, Dossier, str, str], Mapping[str, Outcome]]
    """What others answer to a policy's rules that are theirs; an OPA server's address and token, empty for none."""
    rebuild: Rebuild
    tokens: Callable[[], Tokens]
    accounts: Callable[[], AccountsOf]
    credentials: Callable[[], Credentials]
    create_certificate: Callable[[Path, Sequence[str]], Certificate]
    """In a state folder, for names."""
    browse: Callable[[str], bool]
    """Open an address in a browser, where there is a screen for one; tell whether that was asked for."""
    new_key: Callable[[], str]
    monotonic: Callable[[], float]
    """Seconds."""
    sleep: Callable[[float], None]


def state_folder(start: Path) -> Path | None:
    """Return the state folder here or above, as git finds its own."""
    return next((folder / STATE_FOLDER for folder in (start, *start.parents) if (folder / STATE_FOLDER).is_dir()), None)


def server_of(start: Path, *, server: str | None, token: str | None, ca: str | None = None) -> tuple[str, str, str]:
    """Return address, token and CA's file, if any: as given, else from the state folder. Raises NoServer."""
    if server:
        # A token of our own state folder is nobody else's business.
        return server, token or "", ca or ""
    folder = state_folder(start)
    address = _line(folder / "address") if folder else ""
    if folder is None or not address:
        raise NoServer
    own = folder / "ca.pem"
    return address, token or _line(folder / "token"), ca or (str(own) if own.exists() else "")


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
