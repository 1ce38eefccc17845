"""What the search index says to SQLite: FTS5, contentless, since every word of it stands in the entries already.

A field is one token, in hexadecimal: exact, of any characters, and searched by prefix with the same index as words.
"""

from collections.abc import Sequence
from typing import Final

import apsw

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.query import Document, FieldTerm, Question, WordTerm

LAYOUT: Final = 1
"""Another number makes every index again."""

_CREATE: Final = """
CREATE VIRTUAL TABLE search USING fts5(field, word, content='', detail='full', tokenize="unicode61 remove_diacritics 0");
CREATE TABLE search_at (position INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;
CREATE TABLE search_layout (layout INTEGER NOT NULL) STRICT;
"""


def indexed(connection: apsw.Connection) -> int:
    if not _is_there(connection):
        return 0
    return int(connection.execute("SELECT coalesce(max(position) + 1, 0) FROM search_at").get)


def index(connection: apsw.Connection, documents: Sequence[Document]) -> None:
    """Add documents. Raises Invalid for a gap."""
    if not _is_there(connection):
        clear(connection)
        connection.execute(_CREATE)
        connection.execute("INSERT INTO search_layout VALUES (?)", (LAYOUT,))
    following = indexed(connection)
    for found in documents:
        if found.position < following:
            continue
        if found.position > following:
            raise Invalid(f"The index goes to {following}; {found.position} cannot follow.")
        connection.execute(
            "INSERT INTO search (rowid, field, word) VALUES (?, ?, ?)",
            (
                found.position,
                " ".join(_token(name, value) for name, value in sorted(found.fields)),
                " ".join(found.words),
            ),
        )
        connection.execute("INSERT INTO search_at VALUES (?, ?)", (found.position, found.at))
        following += 1


def find(connection: apsw.Connection, question: Question, *, below: int | None, limit: int) -> list[int]:
    if not _is_there(connection):
        return []
    terms = [*map(_field, question.fields), *map(_words, question.words)]
    times = [(question.after, "at >= ?"), (question.before, "at < ?")]
    timed = [(value, sql) for value, sql in times if value is not None]
    arguments: list[int | str] = []
    where: list[str] = []
    if terms:
        column, table = "search.rowid", "search"
        where.append("search MATCH ?")
        arguments.append(" AND ".join(terms))
        if timed:
            table += " CROSS JOIN search_at ON position = search.rowid"
    else:
        column, table = "position", "search_at"
    where += [sql for _, sql in timed]
    arguments += [value for value, _ in timed]
    if below is not None:
        where.append(f"{column} < ?")
        arguments.append(below)
    sql = f"SELECT {column} FROM {table} WHERE {' AND '.join(where) or 'true'} ORDER BY {column} DESC LIMIT ?"  # noqa: S608 - of our own words
    return [int(position) for (position,) in connection.execute(sql, (*arguments, limit))]


def clear(connection: apsw.Connection) -> None:
    for table in ("search", "search_at", "search_layout"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def _is_there(connection: apsw.Connection) -> bool:
    tables = {
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE name IN ('search', 'search_at', 'search_layout')"
        )
    }
    return len(tables) == 3 and connection.execute("SELECT layout FROM search_layout").get == LAYOUT


def _token(name: str, value: str) -> str:
    return "x" + f"{name}={value}".encode("utf-8", "replace").hex()


def _field(term: FieldTerm) -> str:
    return f'field : "{_token(term.name, term.value)}"{" *" if term.prefix else ""}'


def _words(term: WordTerm) -> str:
    # Letters and digits only, so nothing in it can mean something to FTS5.
    return f'word : "{" ".join(term.words)}"{" *" if term.prefix else ""}'
