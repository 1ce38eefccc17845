"""Files of rows: CSV, JSON lines and Parquet, read into columns of JSON scalars. Repairs nothing.

A file is gone through row by row, and equal values of a column are one object, so that a million rows fit into memory.
"""

import csv
import hashlib
import io
import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

from glideslope.domain.errors import Invalid, NotFound
from glideslope.evaluate.spelling import Value
from glideslope.interfaces.cli.boundary import ExtraMissing

Columns = dict[str, list[Value]]

_INT: Final = re.compile(r"[-+]?[0-9]{1,15}")
_MISSING: Final = frozenset({"", "NA", "NaN", "nan", "null"})
_SCALARS: Final = (str, int, float, bool, type(None))
_NOT_FINITE: Final = re.compile(rb"[:,\[]\s*-?(NaN|Infinity)\b")
_BATCH: Final = 10_000
_SHARED: Final = 100_000
"""Distinct values of a column that are remembered so as to be kept once."""


class RowsInvalid(Invalid):
    """The rows of an evaluation cannot be read, or there are none where some are needed."""

    code = "rows-invalid"


class ParquetMissing(ExtraMissing):
    """Rows are in Parquet, and what reads it is not installed."""

    def __init__(self, path: Path) -> None:
        super().__init__(module="duckdb", extra="log")
        self.sentence = f"The rows {str(path)!r} are Parquet, which DuckDB reads, and it is not installed."


def read_rows(path: Path) -> tuple[Columns, str]:
    """Return a file's columns, and its digest. Raises RowsInvalid, NotFound, ParquetMissing."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(what="file of rows", name=str(path), next_command="") from None
    except OSError as error:
        raise RowsInvalid(f"The rows {str(path)!r} cannot be read: {error.strerror}.") from None
    readers: dict[str, Callable[[bytes, Path], Columns]] = {
        ".csv": _csv,
        ".jsonl": _lines,
        ".ndjson": _lines,
        ".parquet": _parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise RowsInvalid(f"The rows {str(path)!r} are in no known format; expected {', '.join(readers)}.")
    columns = reader(content, path)
    if not columns or not next(iter(columns.values())):
        raise RowsInvalid(f"The file {str(path)!r} holds no rows.")
    return columns, "sha256:" + hashlib.sha256(content).hexdigest()


class _Kind(IntEnum):
    """What a column of text holds: the first that all of it is."""

    WHOLE = 0
    NUMBER = 1
    TEXT = 2


def _csv(content: bytes, path: Path) -> Columns:
    """Read twice: once to see what each column holds, once to keep it."""
    try:
        heading, rows = _records(content, path)
        kinds = [_Kind.WHOLE] * len(heading)
        for row in rows:
            for k, text in enumerate(row):
                if kinds[k] is not _Kind.TEXT and text not in _MISSING:
                    kinds[k] = max(kinds[k], _kind(text))
        columns: list[list[Value]] = [[] for _ in heading]
        reads = [_reader(kind) for kind in kinds]
        _, rows = _records(content, path)
        for row in rows:
            for column, read, text in zip(columns, reads, row, strict=True):
                column.append(read(text))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RowsInvalid(f"{path} is not CSV in UTF-8: {error}.") from None
    return dict(zip(heading, columns, strict=True))


def _records(content: bytes, path: Path) -> tuple[list[str], Iterator[list[str]]]:
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline=""), strict=True)
    heading = next(lines, [])
    twice = next((name for name in heading if heading.count(name) > 1), None)
    if twice is not None:
        raise RowsInvalid(f"{path}:1: a column is named twice: `{twice}`.")

    def rows() -> Iterator[list[str]]:
        for row in lines:
            if not row:
                continue  # an empty line
            if len(row) != len(heading):
                number = lines.line_num
                sentence = f"{path}:{number}: {len(row)} fields, but the heading has {len(heading)}."
                raise RowsInvalid(sentence, next_command=f"sed -n {number}p {path}")
            yield row

    return heading, rows()


def _kind(text: str) -> _Kind:
    if _INT.fullmatch(text):
        return _Kind.WHOLE
    try:
        return _Kind.NUMBER if math.isfinite(float(text)) else _Kind.TEXT
    except ValueError:
        return _Kind.TEXT


def _reader(kind: _Kind) -> Callable[[str], Value]:
    """Return how a column's text is read. What is missing is None; in a column of text only what is empty is."""
    known: dict[str, Value] = {}

    def read(text: str) -> Value:
        if text in known:
            return known[text]
        value: Value
        if kind is _Kind.TEXT:
            value = text or None
        elif text in _MISSING:
            value = None
        else:
            value = int(text) if kind is _Kind.WHOLE else float(text)
        if len(known) < _SHARED:
            known[text] = value
        return value

    return read


def _lines(content: bytes, path: Path) -> Columns:
    columns: Columns = {}
    count = 0
    for number, line in enumerate(io.BytesIO(content), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            why = (
                "JSON has no NaN and no Infinity; write null for what is missing" if _NOT_FINITE.search(line) else error
            )
            raise RowsInvalid(f"{path}:{number}: not JSON: {why}.", next_command=f"sed -n {number}p {path}") from None
        if not isinstance(row, dict) or not all(isinstance(v, _SCALARS) for v in row.values()):
            sentence = f"{path}:{number}: expected an object of text, numbers, true, false or null."
            raise RowsInvalid(sentence, next_command=f"sed -n {number}p {path}")
        for name in row:
            if name not in columns:
                columns[name] = [None] * count
        for name, column in columns.items():
            column.append(row.get(name))
        count += 1
    return columns


def _parquet(_: bytes, path: Path) -> Columns:
    """Read Parquet by DuckDB, which the prediction log rests on. Moments become ISO 8601, decimals numbers."""
    try:
        import duckdb
    except ModuleNotFoundError:
        raise ParquetMissing(path) from None
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            # Moments that know their zone are shown in UTC, as moments without one are taken.
            connection.execute("SET TimeZone = 'UTC'")
            table = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
            names = [str(column[0]) for column in table.description or ()]
            columns: list[list[Value]] = [[] for _ in names]
            while batch := table.fetchmany(_BATCH):
                for name, column, values in zip(names, columns, zip(*batch, strict=True), strict=True):
                    column += [
                        _plain(value, where=f"{path}: row {len(column) + k + 1}, `{name}`")
                        for k, value in enumerate(values)
                    ]
    except duckdb.Error as error:
        raise RowsInvalid(f"{path} is not Parquet that can be read: {str(error).splitlines()[0]}.") from None
    return dict(zip(names, columns, strict=True))


def _plain(value: object, *, where: str) -> Value:
    match value:
        case float() if not math.isfinite(value):
            return None
        case str() | int() | float() | None:
            return value
        case Decimal():
            return float(value)
        case datetime() | date():
            return value.isoformat()
        case _:
            raise RowsInvalid(
                f"{where} is a {type(value).__name__}; expected text, a number, true, false, a moment or null."
            )
