"""Keeps the ledger's tree and signs checkpoints: statements that this much happened, and only this."""

import asyncio
from collections.abc import AsyncIterator

from glideslope.engine.ports import Checkpoints, Signer, Store
from glideslope.ledger import bundle, checkpoint, merkle


class Notary:
    """Signs what the store holds. Its tree only ever grows by what the store returns, so it never signs two histories."""

    def __init__(self, *, store: Store, checkpoints: Checkpoints, signer: Signer) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._signer = signer
        self._frontier = merkle.Frontier()
        self._signed = 0
        self._lock = asyncio.Lock()

    async def sign(self) -> bytes | None:
        """Sign the present size unless it is signed; return the note, or None when there was nothing new."""
        async with self._lock:
            for data in await self._store.entries(self._frontier.size):
                self._frontier.append(merkle.leaf_hash(data))
            size = self._frontier.size
            if size == self._signed:
                return None
            text = checkpoint.format(
                checkpoint.Checkpoint(origin=self._signer.name, size=size, root=self._frontier.root())
            )
            note = self._signer.sign(text.encode())
            await self._checkpoints.keep(size, note)
            self._signed = size
            return note

    async def bundle(self) -> AsyncIterator[bytes]:
        """Yield the file that an auditor gets, line by line, up to a fresh checkpoint."""
        await self.sign()
        notes = await self._checkpoints.checkpoints()
        for line in bundle.format(checkpoints=notes, entries=await self._store.entries(0, self._signed)):
            yield line
