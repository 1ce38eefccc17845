"""The search index in memory: the same answers as the real one, by asking every document."""

from collections.abc import Sequence

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.query import Document, Question, holds


class MemorySearch:
    """Keeps the port SearchIndex in this process."""

    def __init__(self) -> None:
        self._documents: list[Document] = []

    async def indexed(self) -> int:
        return len(self._documents)

    async def index(self, documents: Sequence[Document]) -> None:
        kept = list(self._documents)
        for found in documents:
            if found.position > len(kept):
                raise Invalid(f"The index goes to {len(kept)}; {found.position} cannot follow.")
            if found.position == len(kept):
                kept.append(found)
        self._documents = kept

    async def find(self, question: Question, *, below: int | None = None, limit: int) -> Sequence[int]:
        end = len(self._documents) if below is None else min(below, len(self._documents))
        found = (each.position for each in reversed(self._documents[:end]) if holds(question, each))
        return [position for position, _ in zip(found, range(limit), strict=False)]

    async def clear(self) -> None:
        self._documents = []
