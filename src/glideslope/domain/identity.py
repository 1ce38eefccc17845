"""Who and what things are: the digest that a version is, and the role in which a caller speaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from glideslope.domain.errors import ArtifactInvalid, ModelNotAllowed
from glideslope.domain.ids import Actor, Digest, ModelName


def file_digest(pieces: Iterable[bytes]) -> bytes:
    """Hash one file's content, given piece by piece: 32 raw bytes of SHA-256."""
    running = sha256()
    for piece in pieces:
        running.update(piece)
    return running.digest()


def root_digest(files: Mapping[str, bytes]) -> Digest:
    """Return a folder's identity: SHA-256 over the raw SHA-256 digests of its files in the order of their names.

    `files` maps POSIX paths relative to the folder to raw digests. This is the root digest of OpenSSF Model Signing v1.0 (the
    `subject` of its in-toto statement), so whoever signed a model with it carries our key already. Names are ordered path
    component by path component, as its tool orders them: `a/b` comes before `a-b`. Raises ArtifactInvalid.
    """
    if not files:
        raise ArtifactInvalid("it holds no files")
    names = {name: _components(name) for name in files}
    whole = sha256()
    for name in sorted(names, key=names.__getitem__):
        if len(files[name]) != sha256().digest_size:
            raise ArtifactInvalid(f"the digest of {name!r} is not one of SHA-256")
        whole.update(files[name])
    return Digest(f"sha256:{whole.hexdigest()}")


def _components(name: str) -> tuple[str, ...]:
    parts = tuple(name.split("/"))
    if any(part in {"", ".", ".."} for part in parts):
        raise ArtifactInvalid(f"{name!r} is not a relative path in normal form")
    return parts


class Role(StrEnum):
    """What a caller is trusted with; a closed set, from the most to the least."""

    ADMIN = "admin"  # people and their rights, besides all that members may
    MEMBER = "member"  # proposes, approves, stops
    SOURCE = "source"  # reports about the models that its token names, and nothing else
    READER = "reader"  # looks at everything, the whole ledger too, and changes nothing: what an auditor needs


class Act(StrEnum):
    """What a member's token may be limited to: what machines do. A closed set; whatever else is done is for people."""

    REGISTER = "register"  # versions, their facts, data contracts
    PROPOSE = "propose"  # and try again
    STOP = "stop"  # halt, roll back
    TELL = "tell"  # outcomes


class Means(StrEnum):
    """By what somebody proved who they are; a closed set."""

    TOKEN = "token"  # noqa: S105 - a word, not a token
    PASSWORD = "password"  # noqa: S105 - a word, not a password
    PASSKEY = "passkey"  # with user verification: the device knew its owner
    PROVIDER = "provider"  # an identity provider says so (OpenID Connect)


@dataclass(frozen=True, slots=True)
class Proved:
    """By what somebody proved who they are, and how many milliseconds ago; None where nobody knows."""

    means: Means
    ago: int | None = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the actor that the ledger will name, in a role, for some models and some time."""

    actor: Actor
    role: Role
    models: frozenset[ModelName] | None = None
    """The models that a source may speak for, or a limited member act on; None for all."""
    expires_at: datetime | None = None
    acts: frozenset[Act] | None = None
    """What a limited member may do besides looking; None for all that the role allows."""

    def may(self, act: Act | None) -> bool:
        """Tell whether a limit leaves room for an act; None stands for what no limited token ever does."""
        return self.acts is None or act in self.acts

    def speaks_for(self, model: ModelName) -> bool:
        """Tell whether what this caller reports about a model may be listened to."""
        return self.models is None or model in self.models

    def require(self, model: ModelName) -> None:
        """Let nothing be said about a model that is not the caller's. Raises ModelNotAllowed."""
        if not self.speaks_for(model):
            raise ModelNotAllowed(actor=self.actor, model=model, allowed=self.models or ())

    def expired(self, *, now: datetime) -> bool:
        """Tell whether the caller's time is over."""
        return self.expires_at is not None and now >= self.expires_at
