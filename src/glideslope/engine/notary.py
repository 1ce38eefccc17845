"""Keeps the ledger's tree and signs checkpoints: statements that this much happened, and only this."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from glideslope.engine.ports import Checkpoints, Signer, Store
from glideslope.ledger import bundle, checkpoint, merkle, note

PAGE: Final = 1_000
"""Entries read at once: some milliseconds, in which no lease is renewed."""

LONGEST_BUNDLE_PAGE: Final = 256
PAGE_BYTES: Final = 1 << 20
"""About how much of the ledger is held for one caller who fetches it."""


class Notary:
    """Signs what the store holds. Its tree only ever grows by what the store returns, so it never signs two histories."""

    def __init__(self, *, store: Store, checkpoints: Checkpoints, signer: Signer) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._signer = signer
        self._frontier = merkle.Frontier()
        self._signed = 0
        self._lock = asyncio.Lock()

    @property
    def signed(self) -> int:
        """Return how many entries lie under the last checkpoint that this process signed; 0 before its first."""
        return self._signed

    async def sign(self) -> bytes | None:
        """Sign the present size unless it is signed; return the note, or None when there was nothing new."""
        async with self._lock:
            while page := await self._store.entries(self._frontier.size, self._frontier.size + PAGE):
                for data in page:
                    self._frontier.append(merkle.leaf_hash(data))
                await asyncio.sleep(0)
            size = self._frontier.size
            if not self._signed and await self._kept(size):
                self._signed = size
            if size == self._signed:
                return None
            text = checkpoint.format(
                checkpoint.Checkpoint(origin=self._signer.name, size=size, root=self._frontier.root())
            )
            signed = self._signer.sign(text.encode())
            await self._checkpoints.keep(size, signed)
            self._signed = size
            return signed

    async def _kept(self, size: int) -> bool:
        """Tell whether this size was signed before we started: what was said then stands."""
        return size > 0 and any(_size(each) == size for each in await self._checkpoints.checkpoints())

    async def bundle(self) -> AsyncIterator[bytes]:
        """Yield the file that an auditor gets, line by line, up to a fresh checkpoint; others have their turn meanwhile."""
        await self.sign()
        size = self._signed
        # Read after the size: what is signed meanwhile covers more than the entries that follow.
        notes = [each for each in await self._checkpoints.checkpoints() if _size(each) <= size]
        for line in bundle.format(checkpoints=notes, entries=()):
            yield line
        start, count = 0, 1
        while start < size:
            page = await self._store.entries(start, min(start + count, size))
            for data in page:
                yield bundle.entry_line(data)
            start += len(page)
            # A caller may take its time with each page, and an entry may be as long as a request.
            count = min(LONGEST_BUNDLE_PAGE, 2 * count, max(1, PAGE_BYTES * len(page) // sum(map(len, page))))
            await asyncio.sleep(0)


def _size(signed: bytes) -> int:
    return checkpoint.parse(note.parse(signed).text).size
