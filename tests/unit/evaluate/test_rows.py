"""Rows are read as they are, split so that time and groups are respected, and known by what they hold."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from glideslope.domain.errors import NotFound
from glideslope.evaluate.files import ParquetMissing, RowsInvalid, read_rows
from glideslope.evaluate.reading import EvaluationInvalid, read
from glideslope.evaluate.rows import prepare, write_lines

Make = Callable[..., Any]
AFTER = "{after: 2026-02-15, gap: 1d}"


def test_a_split_by_time_leaves_the_gap_out(prepared: Make) -> None:
    _, _, found = prepared()
    assert found.train.time is not None

    assert len(found.train) + len(found.test) == 590
    assert found.test.time.min() - found.train.time.max() >= 86_400


def test_a_split_by_group_divides_none_and_takes_about_its_share(prepared: Make) -> None:
    _, _, found = prepared((AFTER, "{share: 40%}"))

    assert not set(found.train.keys) & set(found.test.keys)
    assert len(found.train) + len(found.test) == 600
    assert 0.2 < len(found.test.keys) / 60 < 0.6


def test_rows_that_come_later_change_nobodys_side(prepared: Make, rows: Make) -> None:
    _, _, before = prepared((AFTER, "{share: 40%}"))
    _, _, after = prepared((AFTER, "{share: 40%}"), rows=[*rows(), {**rows()[0], "day": "2027-01-01"}])

    assert set(before.test.keys) <= set(after.test.keys)
    assert set(before.train.keys) <= set(after.train.keys)


def test_another_holdout_draws_other_groups(prepared: Make) -> None:
    _, _, one = prepared((AFTER, "{share: 40%}"))
    _, _, other = prepared((AFTER, "{share: 40%}"), ("holdout: days", "holdout: others"))

    assert set(one.test.keys) != set(other.test.keys)


def test_the_same_rows_have_the_same_digest_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,code,happened\n" + "1,a,1\n2.5,,0\n" * 10)
    lines = [{"x": 1.0, "code": "a", "happened": 1}, {"happened": 0, "x": 2.5, "code": None}] * 10
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    parts = []
    for name in ("a.csv", "b.jsonl"):
        text = (
            "model: m\nholdout: h\ncandidate: {version: v2, url: 'http://x'}\nincumbent: {version: v1, url: 'http://x'}\n"
            f"data: {{test: {name}, outcome: happened, features: [x, code]}}\ntargets: {{brier: {{limit: 1.0}}}}\n"
        )
        written, tree = read(text, file="e.yaml")
        parts.append(prepare(written, tree, folder=tmp_path).test)

    assert parts[0].digest == parts[1].digest
    assert parts[0].columns["code"] == ["a", None] * 10
    assert np.array_equal(parts[0].outcome, parts[1].outcome)


def test_parquet_reads_as_the_same_rows(folder: Path, prepared: Make, rows: Make) -> None:
    """Moments, whole numbers, text, missing values and truth values come out as those of JSON lines."""
    _, _, lines = prepared()
    with duckdb.connect() as connection:
        table = connection.read_json(str(folder / "rows.jsonl"))
        assert {"VARCHAR", "DOUBLE", "BOOLEAN", "TIMESTAMP"} <= {str(each) for each in table.types}
        table.write_parquet(str(folder / "rows.parquet"))
    _, _, parquet = prepared(("file: rows.jsonl", "file: rows.parquet"))

    assert len(rows()) == 600
    for side in ("train", "test"):
        one, other = getattr(lines, side), getattr(parquet, side)
        assert np.array_equal(one.outcome, other.outcome)
        assert np.array_equal(one.time, other.time)
        assert one.keys == other.keys
        assert one.columns["x"] == other.columns["x"]
        assert one.columns["code"] == other.columns["code"]


def test_parquet_without_duckdb_says_what_to_install(
    folder: Path, prepared: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "rows.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "duckdb", None)

    with pytest.raises(ParquetMissing) as refused:
        prepared(("file: rows.jsonl", "file: rows.parquet"))

    assert "rows.parquet" in refused.value.sentence
    assert (refused.value.code, refused.value.next_command) == ("extra-missing", 'pip install "glideslope[log]"')


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("SELECT [1, 2] AS x", "row 1, `x` is a list; expected text, a number"),
        (None, "is not Parquet that can be read"),
    ],
)
def test_parquet_that_holds_something_else_is_refused(
    folder: Path, prepared: Make, made: str | None, words: str
) -> None:
    path = folder / "rows.parquet"
    path.write_bytes(b"no")
    if made is not None:
        duckdb.sql(made).write_parquet(str(path))

    with pytest.raises(RowsInvalid, match=re.escape(words)):
        prepared(("file: rows.jsonl", "file: rows.parquet"))


def test_a_csv_column_is_what_all_of_it_is(tmp_path: Path) -> None:
    """Also where a quoted field holds a line's end, and where lines are empty."""
    (tmp_path / "a.csv").write_text('n,f,t,none\n1,2,"a\nb",NA\n\n2,2.5,NA,\n,1e400,7,nan\n')

    columns, _ = read_rows(tmp_path / "a.csv")

    assert columns == {"n": [1, 2, None], "f": ["2", "2.5", "1e400"], "t": ["a\nb", "NA", "7"], "none": [None] * 3}


NUMBERS = (
    ("positive: true", "kind: regression"),
    ("log_loss: {limit: 0.7, margin: 0.1}", "rmse: {limit: 1}"),
    ("auc: {margin: 0.01}", "mae: {limit: 1}"),
)
LABELS = (
    ("positive: true", "kind: multiclass, classes: [low, mid, high]"),
    ("auc: {margin: 0.01}", "macro_f1: {limit: 0.5}"),
    ("direction: [{raise: x, by: 1.0}]", "direction: [{raise: x, by: 1.0, of: high}]"),
)
NO_CLASSES = (("positive: true", "kind: multiclass"), *LABELS[1:])
NO_DIRECTION = (*NO_CLASSES[:2], (", direction: [{raise: x, by: 1.0}]", ""))


@pytest.mark.parametrize(
    ("changes", "values", "error", "words"),
    [
        (NUMBERS, [1.5, "many"], RowsInvalid, "row 2 has 'many' in `happened`; expected a finite number"),
        (NUMBERS, [1.5, True], RowsInvalid, "row 2 has True in `happened`"),
        (NUMBERS, [3.0, 3.0], EvaluationInvalid, "have the outcome 3.0: nothing can be told"),
        (LABELS, ["low", "mid", "tall"], EvaluationInvalid, "row 3 of rows.jsonl has the outcome 'tall', which is none of the classes"),
        (LABELS, ["mid", "mid"], EvaluationInvalid, "have the outcome 'mid'"),
        (NO_CLASSES, ["low", "mid"], EvaluationInvalid, "`of`, one of `data.classes`"),
        (NO_DIRECTION, ["low", "mid"], EvaluationInvalid, "`happened` holds low, mid"),
        ((), ["low", "mid", "high"], EvaluationInvalid, "an outcome is one of two. For one of several say `kind: multiclass`"),
        ((), ["yes", "no"], EvaluationInvalid, "(`happened` holds no, yes; `data.positive` is true)"),
    ],
)  # fmt: skip
def test_outcomes_that_do_not_fit_their_kind_are_refused(  # noqa: PLR0917 - fixtures and a table
    prepared: Make,
    rows: Make,
    changes: tuple[tuple[str, str], ...],
    values: list[object],
    error: type[Exception],
    words: str,
) -> None:
    drawn = [{**row, "happened": values[k % len(values)]} for k, row in enumerate(rows())]

    with pytest.raises(error, match=re.escape(words)):
        prepared(*changes, rows=drawn)


def test_the_side_that_is_written_for_a_trainer_reads_back_the_same(prepared: Make, tmp_path: Path) -> None:
    _, _, found = prepared()
    write_lines(found.train, tmp_path / "train.jsonl")
    write_lines(found.test, tmp_path / "test.jsonl")

    _, _, again = prepared(
        ("file: rows.jsonl", "test: test.jsonl, train: train.jsonl"), ("split: {after: 2026-02-15, gap: 1d}\n", "")
    )

    assert (again.train.digest, again.test.digest) == (found.train.digest, found.test.digest)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("rows.csv", "x,x\n1,2\n", "rows.csv:1: a column is named twice"),
        ("rows.csv", "x,code\n1\n", "rows.csv:2: 1 fields, but the heading has 2"),
        ("rows.csv", "x,code\n", "holds no rows"),
        ("rows.jsonl", '{"x": 1}\n{"x": [1]}\n', "rows.jsonl:2: expected an object"),
        ("rows.jsonl", '{"x": 1}\nno\n', "rows.jsonl:2: not JSON"),
        ("rows.jsonl", '{"x": 1}\n{"x": NaN}\n', "rows.jsonl:2: not JSON: JSON has no NaN and no Infinity; write null"),
        ("rows.txt", "x\n1\n", "no known format"),
    ],
)
def test_rows_that_cannot_be_read_are_refused_with_their_place(
    folder: Path, document: str, name: str, text: str, words: str
) -> None:
    (folder / name).write_text(text)
    written, tree = read(document.replace("rows.jsonl", name), file="evaluation.yaml")

    with pytest.raises(RowsInvalid) as refused:
        prepare(written, tree, folder=folder)

    assert words in refused.value.sentence


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"happened": None}, "row 3 has no outcome"),
        ({"at": "yesterday"}, "row 3: 'yesterday' is no moment"),
    ],
)
def test_a_row_without_truth_or_moment_is_refused(
    prepared: Make, rows: Make, change: dict[str, object], words: str
) -> None:
    drawn = rows()
    drawn[2] |= change

    with pytest.raises(RowsInvalid) as refused:
        prepared(rows=drawn)

    assert words in refused.value.sentence


@pytest.mark.parametrize(
    ("old", "new", "words", "place"),
    [
        ("outcome: happened", "outcome: hapened", "has no column `hapened`", "hapened"),
        ("outcome: happened, positive: true", "outcome: x, positive: true", "an outcome is one of two", "x"),
        ("positive: true", "positive: 7", "0 are positive", "7"),
        ("features: [x, code]", "features: [x, colour]", "has no column `colour`", "colour"),
        ("slices: {code: [a, b]}", "slices: {cod: [a, b]}", "has no column `cod`", "["),
        ("after: 2026-02-15", "after: 2027-01-01", "leaves no row held out", "split"),
        ("after: 2026-02-15", "after: someday", "is no moment", "someday"),
    ],
)
def test_what_the_rows_do_not_have_is_pointed_at_in_the_file(
    prepared: Make, old: str, new: str, words: str, place: str
) -> None:
    with pytest.raises(EvaluationInvalid) as refused:
        prepared((old, new))

    assert words in refused.value.sentence
    assert refused.value.source[refused.value.column - 1 :].startswith(place)


def test_a_file_that_is_not_there_is_named(folder: Path, document: str) -> None:
    written, tree = read(document.replace("rows.jsonl", "gone.jsonl"), file="evaluation.yaml")

    with pytest.raises(NotFound, match=r"gone\.jsonl"):
        prepare(written, tree, folder=folder)
