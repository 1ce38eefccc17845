"""Reads the own ledger back now and then and holds it against every checkpoint that was signed over it: an edit on the disk is told."""

import asyncio
from collections.abc import Sequence
from typing import Final

from glideslope.engine.ports import Checkpoints, Clock, Store
from glideslope.ledger import checkpoint, merkle, note
from glideslope.ledger.errors import LedgerError

EVERY: Final = 300.0
"""Seconds between two looks."""
PAGE: Final = 200
"""Entries that are read and hashed at once: about two milliseconds, after which whoever waits has its turn."""


class Chain:
    """What the last look found.

    It finds what a disk, a restored copy or a hand did to entries. Who could change entries and checkpoints alike is found by
    an auditor with the public key, or a witness.
    """

    def __init__(self, *, store: Store, checkpoints: Checkpoints, clock: Clock) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._clock = clock
        self.valid: bool | None = None
        """None before the first look was over."""
        self.looked_at: float | None = None
        """In seconds since 1970."""

    async def look(self) -> None:
        """Read everything back. Raises StoreUnavailable, leaving what the last look found."""
        notes = await self._checkpoints.checkpoints()
        try:
            valid = await self._is_whole(notes)
        except LedgerError:
            valid = False
        self.valid, self.looked_at = valid, self._clock.now().timestamp()

    async def _is_whole(self, notes: Sequence[bytes]) -> bool:
        """Tell whether the entries give the root of each checkpoint. Raises LedgerError for a checkpoint that is none."""
        roots: dict[int, bytes] = {}
        for number, signed in enumerate(notes):
            stated = checkpoint.parse(note.parse(signed).text)
            roots[stated.size] = stated.root
            if number % PAGE == 0:
                await asyncio.sleep(0)
        frontier = merkle.Frontier()
        for size in sorted(roots):
            while frontier.size < size:
                page = await self._store.entries(frontier.size, min(size, frontier.size + PAGE))
                if not page:
                    return False
                for data in page:
                    frontier.append(merkle.leaf_hash(data))
                await asyncio.sleep(0)
            if frontier.root() != roots[size]:
                return False
        return True
