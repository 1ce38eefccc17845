"""Tables that people name on the command line, read as columns of values: CSV by itself, Parquet with the extra `log`."""

import csv
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Final

from glideslope.domain.errors import Invalid, NotFound

MOST_ROWS: Final = 1_000_000
"""Rows that are read; more add nothing to ten bins of a reference."""

_AT_ONCE: Final = 50_000

_TRUTHS: Final = {"true": True, "false": False}
_NOTHING: Final = frozenset({"", "na", "n/a", "nan", "null", "none"})


def columns(path: Path, *, only: Sequence[str] = (), but: Sequence[str] = ()) -> Mapping[str, Sequence[object]]:
    """Return a file's columns by name, None where there is no value. Raises NotFound, Invalid.

    In a CSV file a column is numbers or `true` and `false` if all its values are, else text; empty, NA, NaN, null and None are missing.
    """
    if not path.exists():
        raise NotFound(what="data file", name=str(path))
    try:
        found = _parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _csv(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"The data file {str(path)!r} cannot be read: {error}.") from None
    for name in (*only, *but):
        if name not in found:
            raise Invalid(f"{path} has no column {name!r}; there are {', '.join(sorted(found))}.")
    return {name: values for name, values in found.items() if name not in but and (not only or name in only)}


def _csv(path: Path) -> dict[str, Sequence[object]]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.reader(file)
        heading = next(reader, None)
        if not heading:
            raise Invalid(f"{path} is empty; expected a heading of column names and rows.")
        if len(set(heading)) != len(heading):
            raise Invalid(f"{path} has a column name twice.")
        found: list[list[str]] = [[] for _ in heading]
        for number, row in enumerate(islice(reader, MOST_ROWS), start=2):
            if len(row) != len(heading):
                raise Invalid(f"{path}, line {number}: {len(row)} values for {len(heading)} columns.")
            for column, value in zip(found, row, strict=True):
                column.append(value.strip())
    return {name: _typed(column) for name, column in zip(heading, found, strict=True)}


def _typed(column: Sequence[str]) -> Sequence[object]:
    known = [None if value.lower() in _NOTHING else value for value in column]
    texts = {value for value in known if value is not None}
    if texts and all(text.lower() in _TRUTHS for text in texts):
        return [None if value is None else _TRUTHS[value.lower()] for value in known]
    try:
        numbers = {text: float(text) for text in texts}
    except ValueError:
        return known
    return [None if value is None else numbers[value] for value in known]


def _parquet(path: Path) -> dict[str, Sequence[object]]:
    import duckdb  # of the extra `log`; without it the command line says how to install it

    if any(letter in str(path) for letter in "*?["):
        raise Invalid(f"{path}: a Parquet file's name cannot hold *, ? or [, which mean other files; rename it.")
    try:
        with duckdb.connect() as reader:
            rows = reader.execute("SELECT * FROM read_parquet(?) LIMIT ?", [str(path), MOST_ROWS])
            names = [column[0] for column in rows.description]
            found: list[list[object]] = [[] for _ in names]
            while part := rows.fetchmany(_AT_ONCE):
                for column, values in zip(found, zip(*part, strict=True), strict=True):
                    column.extend(map(_plain, values))
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise Invalid(f"The data file {str(path)!r} cannot be read: {said.removesuffix('.')}.") from None
    return dict(zip(names, found, strict=True))


def _plain(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value
