"""A small ledger that is all in order, for tests that then damage it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from glideslope.ledger import bundle, checkpoint, entry, manifest, merkle, note, rotation
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry

NAME = "example.com/ledger"


@dataclass
class Ledger:
    """Writes entries as a ledger should, and lets a test write them as it should not."""

    key: note.Signer = field(default_factory=lambda: note.Signer(NAME, b"\x01" * 32))
    data: list[bytes] = field(default_factory=list)
    trees: dict[str, merkle.Frontier] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.data)

    def add(self, stream: str, **fields: Any) -> None:
        """Append the next entry of *stream*, with *fields* in place of what would be right."""
        tree = self.trees.setdefault(stream, merkle.Frontier())
        usual = {"version": tree.size + 1, "at": f"2026-01-31T09:00:{self.size % 60:02}.000Z", "kind": "happened"}
        made = Entry(stream=stream, **{**usual, "body": {"n": self.size + 1}, **fields})
        self.data.append(entry.encode(made))
        tree.append(merkle.leaf_hash(self.data[-1]))

    def close(self, stream: str) -> None:
        self.add(stream, kind=manifest.KIND, body=manifest.body(manifest.of(self.trees[stream])))

    def rotate(self, new: note.Signer) -> None:
        tree = self.trees.setdefault(rotation.STREAM, merkle.Frontier())
        self.add(rotation.STREAM, kind=rotation.KIND, body=rotation.body(version=tree.size + 1, old=self.key, new=new))
        self.key = new

    def checkpoint(self, *, size: int | None = None, signers: Sequence[note.Signer] = ()) -> bytes:
        tree = merkle.Tree(map(merkle.leaf_hash, self.data))
        root = tree.root(size=size)
        made = Checkpoint(origin=self.key.name, size=tree.size if size is None else size, root=root)
        return checkpoint.sign(made, *(signers or [self.key]))

    def bundle(self, *checkpoints: bytes, data: Iterable[bytes] | None = None) -> list[bytes]:
        """Return the lines of a bundle, by default with one checkpoint over everything."""
        entries = self.data if data is None else data
        return list(bundle.format(checkpoints=checkpoints or [self.checkpoint()], entries=entries))


@pytest.fixture
def ledger() -> Ledger:
    """Twelve entries: a and b take turns, b is closed at entry 9."""
    made = Ledger()
    for _ in range(4):
        made.add("a")
        made.add("b")
    made.close("b")
    made.add("a")
    made.add("a")
    made.add("c")
    return made
