"""A question is read as a person means it, and an entry says what it is found by."""

import pytest

from glideslope.domain.errors import Invalid
from glideslope.domain.events import instant
from glideslope.domain.governing.query import FIELDS, FieldTerm, Question, WordTerm, document, read, words
from glideslope.ledger.entry import Entry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Evening", Question(words=(WordTerm(("evening",)),))),
        ("log_loss", Question(words=(WordTerm(("log", "loss")),))),
        ("calibrat*", Question(words=(WordTerm(("calibrat",), prefix=True),))),
        ('"a phrase*"', Question(words=(WordTerm(("a", "phrase")),))),
        ("author:Ana", Question(fields=(FieldTerm("author", "ana"),))),
        ('author:"Ana B"', Question(fields=(FieldTerm("author", "ana b"),))),
        ("metric:log*", Question(fields=(FieldTerm("metric", "log", prefix=True),))),
        ("after:2026", Question(after=instant("2026-01-01T00:00:00.000Z"))),
        ("before:2026-03", Question(before=instant("2026-03-01T00:00:00.000Z"))),
        ("after:2026-03-04", Question(after=instant("2026-03-04T00:00:00.000Z"))),
        ("after:2026-03-04T05:06:07.000Z", Question(after=instant("2026-03-04T05:06:07.000Z"))),
        ("digest:sha256:" + "a" * 64, Question(fields=(FieldTerm("digest", "sha256:" + "a" * 64),))),
    ],
)
def test_a_question_is_read(text: str, expected: Question) -> None:
    assert read(text) == expected


@pytest.mark.parametrize("text", ["", "  ", "colour:red", "after:soon", "-- !!", "author:", "x " * 21, "x" * 1_001])
def test_what_asks_nothing_or_of_nothing_known_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(text)


def test_words_have_neither_case_nor_accents() -> None:
    assert words("Élan, STRASSE straße naïve_x r-0007 ½") == [
        "elan",
        "strasse",
        "strasse",
        "naive",
        "x",
        "r",
        "0007",
        "1",
        "2",
    ]


def test_an_entry_is_found_by_all_that_it_names() -> None:
    body = {
        "plan": {
            "model": "delays",
            "candidate": "v2",
            "owner": "Flights@example.org",
            "guardrails": [{"metric": {"name": "log_loss", "kind": "log-loss"}}],
        },
        "decision": {"type": "advance", "reasons": ["approved"], "findings": [{"subject": "errors", "slice": "all"}]},
        "facts": {
            "makers": {"trained_by": ["tim"]},
            "datasets": [{"name": "flights-2013", "licence": "CC0-1.0"}],
            "features": [{"name": "distance", "tags": ["personal"]}],
        },
        "by": "Ana",
        "plan_digest": "sha256:" + "a" * 64,
    }
    found = document(Entry(stream="r-0001", version=3, at="2026-01-31T09:00:00.000Z", kind="decided", body=body), 5)

    assert found.fields >= {
        ("author", "ana"), ("owner", "flights@example.org"), ("model", "delays"), ("version", "v2"), ("metric", "log_loss"),
        ("metric", "errors"), ("decision", "advance"), ("reason", "approved"), ("maker", "tim"), ("dataset", "flights-2013"),
        ("licence", "cc0-1.0"), ("feature", "distance"), ("tag", "personal"), ("digest", "sha256:" + "a" * 64),
        ("kind", "decided"), ("rollout", "r-0001"), ("stream", "r-0001"), ("slice", "all"),
    }  # fmt: skip
    assert {name for name, _ in found.fields} <= set(FIELDS)
    assert not any("aaaa" in word for word in found.words)
