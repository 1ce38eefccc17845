"""What every SearchIndex promises: exactly the entries that answer, newest first, however the index is made."""

import pytest

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.query import Document, Question, document, holds, read
from glideslope.engine.search_index import SearchIndex
from glideslope.ledger.entry import Entry

TEXTS = (
    ("ana", "log_loss", "Retrained with October, calibrated again."),
    ("ben", "log_loss", "Evening flights: fewer misses."),
    ("ana", "errors", "Élan vital; Straße, naïve \u4e2d\u6587."),
    ("ana-maria", "latency", "evening FLIGHTS and more evening"),
    ('quo"te*', "errors", "a AND b OR NOT c NEAR(d) ^e {f} : g - h"),
    ("ana", "log_loss", "r-0007 after r-0003"),
)


def example(position: int) -> Document:
    """Return the document of an entry like those of the engine."""
    author, metric, text = TEXTS[position % len(TEXTS)]
    return document(
        Entry(
            stream=f"r-{position:04d}" if position % 2 else "model.delays",
            version=1,
            at=f"2026-01-{position % 28 + 1:02d}T09:00:00.000Z",
            kind="decided" if position % 3 else "approval-given",
            body={"by": author, "why": text, "findings": [{"subject": metric, "slice": "origin=LGA"}]},
        ),
        position,
    )


QUESTIONS = (
    "ana",
    "author:ana",
    "author:ana*",
    "AUTHOR",
    'author:"ana"',
    "author:ana metric:log_loss",
    "metric:log_loss evening",
    "evening flights",
    '"evening flights"',
    '"flights evening"',
    "elan",
    "STRASSE",
    "naive",
    "\u4e2d\u6587",
    "r-0007",
    "0007",
    "log_loss",
    "calibrat*",
    "calibrat",
    "even* flights",
    'author:quo"te*',
    "slice:origin=LGA",
    "slice:origin*",
    "kind:decided after:2026-01-05",
    "after:2026-01-05 before:2026-01-09",
    "before:2026",
    "after:2026-01",
    "stream:model.delays model:delays",
    "rollout:r-0003",
    "NOT c",
    "NEAR(d)",
    "{f} ^e",
    "nothing at all like it",
    "decision:advance",
)


@pytest.mark.asyncio
class SearchContract:
    """Subclass and provide the fixture `search`: empty, and for this test alone."""

    @pytest.fixture
    def search(self) -> SearchIndex:
        raise NotImplementedError("provide the fixture `search`")

    async def test_an_empty_index_finds_nothing(self, search: SearchIndex) -> None:
        assert await search.indexed() == 0
        assert list(await search.find(read("ana"), limit=10)) == []

    @pytest.mark.parametrize("text", QUESTIONS)
    async def test_exactly_what_answers_is_found_newest_first(self, search: SearchIndex, text: str) -> None:
        found = [example(position) for position in range(40)]
        await search.index(found[:7])
        await search.index(found[7:])
        question = read(text)
        expected = [each.position for each in reversed(found) if holds(question, each)]

        assert list(await search.find(question, limit=100)) == expected
        assert list(await search.find(question, limit=3)) == expected[:3]
        assert list(await search.find(question, below=20, limit=3)) == [each for each in expected if each < 20][:3]

    async def test_without_a_question_all_are_found(self, search: SearchIndex) -> None:
        await search.index([example(position) for position in range(5)])

        assert list(await search.find(Question(), limit=9)) == [4, 3, 2, 1, 0]

    async def test_what_is_indexed_is_passed_over_and_a_gap_refused(self, search: SearchIndex) -> None:
        await search.index([example(0), example(1)])
        await search.index([example(1), example(2)])
        with pytest.raises(Invalid):
            await search.index([example(3), example(5)])

        assert await search.indexed() == 3

    async def test_a_cleared_index_is_made_again(self, search: SearchIndex) -> None:
        await search.index([example(0)])
        await search.clear()
        assert await search.indexed() == 0
        await search.index([example(0), example(1)])

        assert list(await search.find(read("flights"), limit=5)) == [1]
