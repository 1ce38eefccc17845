"""The last entry of a stream, which says how many entries it has and which: leaving one out then shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from glideslope.ledger import canonical, merkle, note
from glideslope.ledger.errors import ManifestError, NoteError

KIND = "stream-closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The number of entries in a stream before its closing one, and the RFC 6962 root over their leaf hashes.

    Raises ManifestError for a count below zero or a root that is not 32 bytes.
    """

    count: int
    root: bytes

    def __post_init__(self) -> None:
        if type(self.count) is not int or not 0 <= self.count <= canonical.LARGEST_INTEGER:
            raise ManifestError(f"{self.count!r} is not a number of entries")
        if len(self.root) != merkle.HASH_SIZE:
            raise ManifestError(f"a root has {merkle.HASH_SIZE} bytes, not {len(self.root)}")


def of(stream: merkle.Frontier | merkle.Tree) -> Manifest:
    """Take the manifest of a stream from the tree over its leaf hashes, in the order of their versions."""
    return Manifest(count=stream.size, root=stream.root())


def body(manifest: Manifest) -> dict[str, object]:
    """Return the body of the entry of kind ``stream-closed`` that carries *manifest*."""
    return {"count": manifest.count, "root": note.encode_base64(manifest.root)}


def read(body: Mapping[str, object]) -> Manifest:
    """Read the body of a closing entry; raises ManifestError when it is anything else."""
    if body.keys() != {"count", "root"}:
        raise ManifestError(f"a closing manifest holds count and root, not {sorted(body)}")
    count, root = body["count"], body["root"]
    if type(count) is not int or type(root) is not str:
        raise ManifestError("a closing manifest holds a whole number and a base64 string")
    try:
        return Manifest(count=count, root=note.decode_base64(root))
    except NoteError as error:
        raise ManifestError(f"the root: {error}") from None
