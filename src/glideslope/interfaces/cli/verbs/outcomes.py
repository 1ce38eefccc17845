"""`glideslope outcomes`: sends the truth about predictions from a file; sending it twice does no harm."""

import csv
import io
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, TextIO, assert_never

import click
import msgspec

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.expression import Type
from glideslope.domain.formula import HAPPENED, OUTCOME
from glideslope.domain.observation import Fact, Outcome, OutcomesTaken
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, dry_run_option, read, talks

BATCH: Final = 5_000
LONGEST_LINE: Final = 1 << 20
"""Characters."""
_WORDS: Final = {"true": True, "1": True, "false": False, "0": False}


@click.command("outcomes")
@click.argument("file")
@click.option(
    "--format", "kind", type=click.Choice(["jsonl", "csv"]), help="Else told by the file's name; jsonl for -."
)
@dry_run_option
@talks
@click.pass_context
def command(ctx: click.Context, session: Session, *, file: str, kind: str | None, dry_run: bool) -> None:
    """Send outcomes from FILE (- is standard input).

    JSON lines like {"prediction": "...", "happened": true}, or CSV with the columns prediction and happened (true, false, 1, 0). What else
    a plan's metrics ask for is in "outcome" and "attributes", or in CSV in columns that name their type, like amount:number,
    complained:boolean, channel:text, outcome:number; an empty cell tells nothing.
    """
    totals = {"counted": 0, "kept": 0, "repeated": 0, "unmeasured": 0}
    refused: list[dict[str, object]] = []
    undefined: list[dict[str, object]] = []
    sent = 0
    with _opened(file) as lines:
        found = _csv(lines, file=file) if (kind or _kind(file)) == "csv" else _json_lines(lines, file=file)
        while batch := list(islice(found, BATCH)):
            if not dry_run:
                content = {"outcomes": msgspec.to_builtins(batch)}
                taken = read(session.post("/v1/outcomes", content), OutcomesTaken, exact=True)
                totals = {name: totals[name] + getattr(taken, name) for name in totals}
                refused += msgspec.to_builtins(taken.refused)
                undefined += msgspec.to_builtins(taken.undefined)
            sent += len(batch)
    if session.as_json:
        session.say_json({"read": sent, "sent": not dry_run, **totals, "refused": refused, "undefined": undefined})
    elif dry_run:
        say(f"{sent:,} outcomes can be read. Nothing was sent.")
    else:
        kept = f"{totals['kept']:,} kept to be joined, " if totals["kept"] else ""
        say(
            f"{sent:,} outcomes: {totals['counted']:,} counted, {kept}{totals['repeated']:,} known already, "
            f"{totals['unmeasured']:,} outside any comparison, {len(refused):,} refused."
        )
        for each in refused[:20]:
            say(f"  {each['prediction']}: {each['why']} [{each['code']}]", err=True)
        for each in undefined[:20]:
            say(f"  {each['prediction']}: {each['why']}, so it was not counted [{each['code']}]", err=True)
    if refused:
        ctx.exit(Exit.REFUSED)


def _kind(file: str) -> str:
    return "csv" if file.lower().endswith(".csv") else "jsonl"


def _opened(file: str) -> TextIO:
    if file == "-":
        return io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
    try:
        return Path(file).open(encoding="utf-8", newline="")
    except FileNotFoundError:
        raise NotFound(what="file", name=file, next_command="") from None
    except OSError as error:
        raise Invalid(f"The file {file!r} cannot be read: {error.strerror}.") from None


def _bounded(lines: TextIO, *, file: str) -> Iterator[str]:
    """Yield the lines; a file from anybody is read in bounded memory. Raises Invalid at a line that is too long."""
    number = 0
    while line := lines.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise _unreadable(file, number, f"the line is longer than {LONGEST_LINE:,} characters")
        yield line


def _json_lines(lines: TextIO, *, file: str) -> Iterator[Outcome]:
    number = 1
    try:
        for line in _bounded(lines, file=file):
            if line.strip():
                yield msgspec.json.decode(line, type=Outcome)
            number += 1
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _unreadable(file, number, str(error)) from None


def _csv(lines: TextIO, *, file: str) -> Iterator[Outcome]:
    csv.field_size_limit(LONGEST_LINE)
    rows = csv.DictReader(_bounded(lines, file=file), strict=True)
    try:
        types = _columns(rows.fieldnames or (), file=file)
        for row in rows:
            if None in row or not row["prediction"]:
                raise _unreadable(file, rows.line_num, "expected a prediction and as many values as there are columns")
            facts = {
                name: _fact(row[column], kind, column=column, file=file, line=rows.line_num)
                for column, (name, kind) in types.items()
                if row[column]
            }
            if not facts:
                raise _unreadable(
                    file, rows.line_num, "expected a prediction and true, false, 1 or 0, or what else is known"
                )
            happened, outcome = facts.pop(HAPPENED, msgspec.UNSET), facts.pop(OUTCOME, msgspec.UNSET)
            told = {
                "prediction": row["prediction"],
                "happened": happened,
                "outcome": outcome,
                "attributes": facts or msgspec.UNSET,
            }
            yield msgspec.convert({name: each for name, each in told.items() if each is not msgspec.UNSET}, Outcome)
    except (csv.Error, UnicodeDecodeError) as error:
        raise _unreadable(file, rows.line_num, str(error)) from None


def _columns(written: Sequence[str], *, file: str) -> Mapping[str, tuple[str, Type]]:
    """Return each column but the prediction's with what it tells and its type."""
    found: dict[str, tuple[str, Type]] = {}
    types = {each.value: each for each in Type}
    for column in written:
        name, _, kind = column.partition(":")
        if column == HAPPENED:
            found[column] = (HAPPENED, Type.BOOLEAN)
        elif column != "prediction":
            if kind not in types or not name or name == HAPPENED:
                raise _unreadable(
                    file,
                    1,
                    f"the column {column!r} is unknown: prediction, happened, or a name and a type, like amount:number",
                )
            found[column] = (name, types[kind])
    if "prediction" not in written or not found or len(set(written)) < len(written):
        raise _unreadable(file, 1, "the columns must be prediction and happened, or others in its place, each once")
    return found


def _fact(written: str | None, kind: Type, *, column: str, file: str, line: int) -> Fact:
    text = (written or "").strip()
    match kind:
        case Type.TEXT:
            return text
        case Type.BOOLEAN:
            if (truth := _WORDS.get(text.lower())) is not None:
                return truth
            raise _unreadable(file, line, f"{column}: expected true, false, 1 or 0, not {text!r}")
        case Type.NUMBER:
            try:
                number = float(text)
            except ValueError:
                number = math.nan
            if math.isfinite(number):
                return number
            raise _unreadable(file, line, f"{column}: {text!r} is not a finite number")
        case _:
            assert_never(kind)


def _unreadable(file: str, line: int, why: str) -> Invalid:
    return Invalid(
        f"{file}:{line}: {why}. Outcomes on lines before it may have been sent; sending them again does no harm."
    )
