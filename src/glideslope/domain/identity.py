"""Who and what things are: the digest that a version is, and the role in which a caller speaks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from glideslope.domain.errors import ArtifactInvalid
from glideslope.domain.ids import Actor, Digest


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
    SOURCE = "source"  # reports observations and nothing else
    READER = "reader"  # looks


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls: the actor that the ledger will name, in a role."""

    actor: Actor
    role: Role
