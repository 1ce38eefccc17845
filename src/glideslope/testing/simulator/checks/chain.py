"""The ledger is append-only and complete, and every checkpoint is signed over just what it holds: RFC 6962 done once more."""

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from glideslope.testing.simulator.checks.violation import Violation

PROMISE: Final = "a stranger can check it"


@dataclass(slots=True)
class Chain:
    """All entries in the order of their commit."""

    entries: list[bytes] = field(default_factory=list)
    _leaves: list[bytes] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)
    _times: dict[str, str] = field(default_factory=dict)
    _streams: list[str] = field(default_factory=list)
    _closed: set[str] = field(default_factory=set)
    _promoted: set[str] = field(default_factory=set)
    _checked: set[bytes] = field(default_factory=set)

    def take(self, data: bytes) -> dict[str, Any]:
        """Take the next entry and return it, read. Raises Violation."""
        entry: dict[str, Any] = json.loads(data)
        stream, version = entry["stream"], entry["version"]
        where = f"{stream}@{version}"
        if version != self._versions.get(stream, 0) + 1:
            raise Violation(PROMISE, f"{where} follows version {self._versions.get(stream, 0)}")
        if entry["at"] < self._times.get(stream, ""):
            raise Violation(PROMISE, f"{where} is earlier than what it follows")
        if stream in self._closed:
            raise Violation(PROMISE, f"{where} follows the end of its stream")
        if entry["kind"] == "stream-closed":
            self._closed.add(stream)
            mine = [leaf for leaf, of in zip(self._leaves, self._streams, strict=True) if of == stream]
            said = (entry["body"]["count"], b64decode(entry["body"]["root"]))
            if said != (len(mine), _root(mine)):
                raise Violation(
                    PROMISE, f"{where} closes over {said[0]} entries of another content; there are {len(mine)}"
                )
        self._versions[stream] = version
        self._times[stream] = entry["at"]
        self._streams.append(stream)
        self._leaves.append(sha256(b"\0" + data).digest())
        self.entries.append(data)
        return entry

    def whole(self, together: Sequence[Mapping[str, Any]]) -> None:
        """What belongs together was committed together. Raises Violation."""
        self._promoted |= {
            e["stream"] for e in together if e["kind"] == "decided" and e["body"]["decision"]["type"] == "promote"
        }
        installed = {e["body"]["rollout"] for e in together if e["kind"] == "incumbent-installed"}
        for entry in together:
            if entry["kind"] == "stream-closed" and entry["stream"] in self._promoted - installed:
                raise Violation(
                    "every accepted command takes effect exactly once", f"{entry['stream']} ends and installs nobody"
                )

    def open_rollouts(self) -> int:
        """Return how many rollouts have not ended."""
        return sum(name.startswith("r-") for name in self._versions.keys() - self._closed)

    def acknowledged(self, position: int) -> None:
        """A server was told that what it wanted to append lies here. Raises Violation."""
        if position >= len(self.entries):
            raise Violation("nothing acknowledged is lost", f"entry {position} was acknowledged and is not there")

    def unchanged(self, entries: Sequence[bytes]) -> None:
        """Compare all that the store holds now with what was seen to be committed. Raises Violation."""
        if list(entries) != self.entries:
            raise Violation(PROMISE, "the ledger does not hold what was committed, in the order of its commits")

    def signed(self, note: bytes, *, public_key: bytes) -> None:
        """Hold a checkpoint (C2SP signed note) against the entries. Raises Violation."""
        if note in self._checked:
            return
        self._checked.add(note)
        text, _, signatures = note.decode().partition("\n\n")
        lines = text.split("\n")
        size, root = int(lines[1]), b64decode(lines[2])
        if size > len(self._leaves) or _root(self._leaves[:size]) != root:
            raise Violation(PROMISE, f"the checkpoint of {size} entries has another root")
        signature = b64decode(signatures.strip().rpartition(" ")[2])[4:]
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, f"{text}\n".encode())
        except InvalidSignature:
            raise Violation(PROMISE, f"the checkpoint of {size} entries is not signed by the ledger's key") from None


def _root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree head, by the definition of RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + _root(leaves[:split]) + _root(leaves[split:])).digest()
