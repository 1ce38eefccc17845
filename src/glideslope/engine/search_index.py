"""The port of the full-text index over the record. It is derived: thrown away, it is made again from the entries."""

from collections.abc import Sequence
from typing import Protocol

from glideslope.domain.governing.query import Document, Question


class SearchIndex(Protocol):
    """Keeps a document for each entry from the first on, and finds those that answer a question."""

    async def indexed(self) -> int:
        """Return how many entries are indexed: all below this position. 0 for an index that is missing or of another layout."""
        ...

    async def index(self, documents: Sequence[Document]) -> None:
        """Take the next documents, all or none. What is indexed already is passed over; a gap raises Invalid."""
        ...

    async def find(self, question: Question, *, below: int | None = None, limit: int) -> Sequence[int]:
        """Return the positions of up to `limit` entries that answer (`query.holds`), newest first, all below `below`."""
        ...

    async def clear(self) -> None:
        """Forget everything, so that it is made again."""
        ...
