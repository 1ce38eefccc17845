"""API tokens in a file of the state folder: only their hashes, so that whoever reads the file cannot call.

Version 1 of the file knew neither models nor an end, version 2 no acts; what a file does not say is read as all models, no end, all acts.
When each was last used lies in a file beside it, which may be lost.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from glideslope.adapters.secret_file import Followed, read_secret, write_secret
from glideslope.domain.errors import Invalid, NameInvalid, NotFound, StoreCorrupt, TokenScopeInvalid
from glideslope.domain.identity import Act, Identity, Role
from glideslope.domain.ids import Actor, ModelName

PREFIX: Final = "gs_"
"""Lets scanners of repositories and logs recognise a token that leaked."""

ENTROPY: Final = 32
"""Bytes of chance in a token; so many that a plain hash keeps it secret."""

VERSION: Final = 3
"""Of the file, as it is written."""

_ID_SIZE: Final = 12
_LONGEST: Final = 64


@dataclass(frozen=True, slots=True)
class Secret:
    """A token as its owner needs it; shown only by `reveal`."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        return self._text


class KnownToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a token. `id` is the beginning of its hash: enough to name it, useless to call with."""

    id: str
    actor: Actor
    role: Role
    created_at: datetime
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Compared in constant time, which Python does for ASCII only."""
    models: tuple[ModelName, ...] | None = None
    """Whom a source may speak for, or a limited member act on; None for all."""
    expires_at: datetime | None = None
    acts: tuple[Act, ...] | None = None
    """What a limited member may do; None for all."""

    def identity(self) -> Identity:
        """Return who holds it."""
        return Identity(
            actor=self.actor,
            role=self.role,
            models=None if self.models is None else frozenset(self.models),
            expires_at=self.expires_at,
            acts=None if self.acts is None else frozenset(self.acts),
        )


class _Header(msgspec.Struct, frozen=True):
    version: int


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int
    tokens: tuple[KnownToken, ...]


class FileTokens:
    """Knows callers by their tokens, kept in `tokens.json` of one folder; the first admin's token lies beside it in `token`.

    A change of the file is noticed at the next look. Every method may raise StoreUnavailable, also when others than the owner
    have rights on the file, and StoreCorrupt.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] | None = None) -> None:
        """Open the folder's tokens; with a clock it is noted when each was used."""
        self._now = now
        self._used: dict[str, datetime] = {}
        self._uses = folder / "tokens-used.json"
        self._path = folder / "tokens.json"
        self._local = folder / "token"
        self._current: Followed[tuple[KnownToken, ...]] = Followed(self._path, _read, absent=())
        self._current()

    def first_start(self, actor: Actor, *, at: datetime, random_bytes: bytes) -> bool:
        """Make an admin's token when no admin has one yet, for the command line on this machine; tell whether it was made.

        It is written to `token`, readable by its owner only. Killed in between, the next start makes another.
        """
        # Tokens for services may have been made before the first start; they let nobody in who governs.
        tokens = self._current()
        if any(known.role is Role.ADMIN and (known.expires_at is None or at < known.expires_at) for known in tokens):
            return False
        secret, known = _made(Identity(actor=actor, role=Role.ADMIN), at=at, random_bytes=random_bytes)
        write_secret(self._local, f"{secret.reveal()}\n".encode())
        self._write((*tokens, known))
        return True

    def create(
        self,
        actor: Actor,
        *,
        role: Role,
        at: datetime,
        random_bytes: bytes,
        models: frozenset[ModelName] | None = None,
        expires_at: datetime | None = None,
        acts: frozenset[Act] | None = None,
    ) -> Secret:
        """Make a token from 32 bytes of chance. This is the only moment at which it can be read.

        `models` are those that a source may speak for, or a member limited to `acts` act on; None for all. Raises Invalid.
        """
        identity = Identity(actor=actor, role=role, models=models, expires_at=expires_at, acts=acts)
        secret, known = _made(identity, at=at, random_bytes=random_bytes)
        self._write((*self._current(), known))
        return secret

    def find(self, token: str) -> Identity | None:
        """Return who calls with this token, whether or not its time is over; None for nobody we know.

        Takes the same time whichever token it is.
        """
        offered = _hash(token)
        found: Identity | None = None
        for known in self._current():
            if hmac.compare_digest(known.sha256, offered):
                found = known.identity()
                if self._now is not None:
                    self._used[known.id] = self._now()
        return found

    def uses(self) -> Mapping[str, datetime]:
        """Return when each token was last used, by its id, as far as that was written down."""
        content = read_secret(self._uses)
        try:
            return {} if content is None else msgspec.json.decode(content, type=dict[str, datetime])
        except (msgspec.DecodeError, UnicodeDecodeError):
            # It says nothing that anything rests on, and is written anew at the next use.
            return {}

    def write_uses(self) -> None:
        """Write down when tokens were used, those that are still known."""
        if not self._used:
            return
        used, self._used = self._used, {}
        found = {**self.uses(), **used}
        kept = {known.id: found[known.id] for known in self._current() if known.id in found}
        write_secret(self._uses, msgspec.json.encode(kept) + b"\n")

    def list(self) -> Sequence[KnownToken]:
        """Return all tokens in the order they were made."""
        return self._current()

    def revoke(self, token_id: str) -> None:
        """Forget a token by its id.

        Raises NotFound, and Invalid for the last admin's that does not end, which would lock everybody out.
        """
        tokens = self._current()
        kept = tuple(known for known in tokens if known.id != token_id)
        if len(kept) == len(tokens):
            raise NotFound(what="token", name=token_id)
        admins = [known.id for known in tokens if known.role is Role.ADMIN and known.expires_at is None]
        if admins == [token_id]:
            raise Invalid(f"{token_id} is the last admin's token; make another before revoking it.")
        self._write(kept)

    def _write(self, tokens: tuple[KnownToken, ...]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_File(version=VERSION, tokens=tokens)), indent=2)
        write_secret(self._path, content + b"\n")


def _made(identity: Identity, *, at: datetime, random_bytes: bytes) -> tuple[Secret, KnownToken]:
    actor = identity.actor
    if len(random_bytes) != ENTROPY:
        raise Invalid(f"A token is made from {ENTROPY} bytes of chance, not {len(random_bytes)}.")
    if at.tzinfo is None:
        raise Invalid("A token needs the time with its zone.")
    if not actor.isprintable() or not 1 <= len(actor) <= _LONGEST or actor != actor.strip():
        raise NameInvalid(what="actor", text=actor, expected=f"1 to {_LONGEST} printable characters")
    if identity.acts is not None and identity.role is not Role.MEMBER:
        raise TokenScopeInvalid(f"Only a member is limited to some acts; a {identity.role} does what the role says.")
    if identity.acts is not None and not identity.acts:
        raise TokenScopeInvalid("A member that may do nothing is a reader.")
    if identity.models is not None and identity.role is not Role.SOURCE and identity.acts is None:
        raise TokenScopeInvalid(
            f"A {identity.role} is not limited to models; a member is that is limited to some acts too: say --may."
        )
    if identity.models is not None and not identity.models:
        raise TokenScopeInvalid("A token for no model could do nothing.")
    if identity.expired(now=at):
        raise TokenScopeInvalid("The token's time would be over before it began.")
    secret = Secret(PREFIX + urlsafe_b64encode(random_bytes).decode().rstrip("="))
    hashed = _hash(secret.reveal())
    return secret, KnownToken(
        id=hashed[:_ID_SIZE],
        actor=actor,
        role=identity.role,
        created_at=at,
        sha256=hashed,
        models=None if identity.models is None else tuple(sorted(identity.models)),
        expires_at=identity.expires_at,
        acts=None if identity.acts is None else tuple(sorted(identity.acts)),
    )


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> tuple[KnownToken, ...]:
    content = read_secret(path)
    if content is None:
        return ()
    try:
        version = msgspec.json.decode(content, type=_Header).version
        if not 1 <= version <= VERSION:
            raise StoreCorrupt(path=str(path), why=f"it has version {version}, which a newer Glideslope wrote")
        file = msgspec.json.decode(content, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StoreCorrupt(path=str(path), why=str(error)) from error
    return file.tokens
