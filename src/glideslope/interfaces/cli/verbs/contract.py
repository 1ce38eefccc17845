"""`glideslope contract`: what the live input of a model must look like, from a sample to being in force."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from glideslope.domain.contract import FIRST, Contract, is_broken
from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.ids import model_name
from glideslope.domain.infer import infer as inferred
from glideslope.interfaces.cli.columns import columns
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import (
    Session,
    at,
    dry_run_option,
    json_option,
    message_option,
    read,
    say_bytes,
    talks,
)
from glideslope.interfaces.cli.verbs.init import FileExists
from glideslope.interfaces.cli.words import table
from glideslope.interfaces.document import contracts, foreign
from glideslope.interfaces.document.text import decode

FILE = "contract.yaml"


class ContractExists(FileExists):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.next_command = f"glideslope contract check DATA -f {path}"


@click.group("contract", no_args_is_help=True)
def command() -> None:
    """Agree on what a model's live input must look like: types, ranges, categories, what may be missing."""


@command.command("infer")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="MODEL", help="Whose input it is.")
@click.option("--only", multiple=True, metavar="COLUMN", help="Use this column alone; repeatable.")
@click.option("--but", multiple=True, metavar="COLUMN", help="Leave this column out, as the outcome; repeatable.")
@click.option("--tag", "tags", multiple=True, metavar="COLUMN=TAG", help="Say `personal` or another word of a column.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help=f"Where to write it, if not to the terminal ({FILE})."
)
@json_option
def infer(
    data: Path,
    *,
    model: str,
    only: Sequence[str],
    but: Sequence[str],
    tags: Sequence[str],
    output: Path | None,
    as_json: bool,
) -> None:
    """Write the contract that the rows of DATA (CSV, or Parquet with the extra `log`) keep. A person then edits it."""
    tagged: dict[str, list[str]] = {}
    for each in tags:
        column, equals, tag = each.partition("=")
        if not equals:
            raise click.UsageError(f"--tag takes COLUMN=TAG, not {each!r}.")
        tagged.setdefault(column, []).append(tag)
    contract = inferred(model_name(model), columns(data, only=only, but=but), tags=tagged)
    text = contracts.show(contract)
    if output is not None:
        if output.exists():
            raise ContractExists(output)
        output.write_text(text, encoding="utf-8")
    if as_json:
        written = None if output is None else str(output)
        say(json.dumps({"file": written, "contract": contract.short, "features": len(contract.features), "text": text}))
    elif output is None:
        say(text, nl=False)
    else:
        say(f"Wrote {output}: {len(contract.features)} features of {contract.model}.")
        say("Next: read it, widen what the sample did not show, then  glideslope contract register -m WHY")


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", required=True, metavar="MODEL", help="Whose input it is.")
@click.option("--schema", default="", metavar="NAME", help="Which schema of an ODCS file that has several.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help=f"Where to write it, if not to the terminal ({FILE})."
)
@json_option
def import_(file: Path, *, model: str, schema: str, output: Path | None, as_json: bool) -> None:
    """Write the contract that FILE is: ODCS, JSON Schema or pandera. What cannot be said here is refused, all of it listed."""
    found = foreign.read(_text(file), model=model_name(model), file=str(file), schema=schema)
    text = contracts.show(found.contract)
    if output is not None:
        if output.exists():
            raise ContractExists(output)
        output.write_text(text, encoding="utf-8")
    if as_json:
        said = {"file": None if output is None else str(output), "form": found.form.value, "notes": list(found.notes)}
        say(json.dumps({**said, "contract": found.contract.short, "text": text}))
        return
    for note in found.notes:
        say(f"Note: {note}", err=True)
    if output is None:
        say(text, nl=False)
    else:
        say(f"Wrote {output}: {len(found.contract.features)} features of {model}, from {found.form.value}.")


@command.command("check")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-f", "--file", type=click.Path(path_type=Path), default=FILE, show_default=True, help="The contract.")
@json_option
@click.pass_context
def check(ctx: click.Context, data: Path, *, file: Path, as_json: bool) -> None:
    """Hold the rows of DATA against a contract. Ends with 3 when a row breaks it; asks no server."""
    contract = _read(file)
    held = columns(data)
    rows = max(map(len, held.values()), default=0)
    found, broken = [], set()
    for rule in contract.features:
        place, counts = rule.placer(), [0] * rule.places
        for number, value in enumerate(held.get(rule.name, [None] * rows)):
            at_ = place(value)
            counts[at_] += 1
            if is_broken(at_, rule):
                broken.add(number)
        found.append((rule, counts))
    surplus = sorted(set(held) - {rule.name for rule in contract.features})
    too_many = [r.name for r, counts in found if rows and counts[0] / rows > r.missing]
    if as_json:
        say(
            json.dumps(
                {
                    "rows": rows,
                    "broken": len(broken),
                    "unknown_columns": surplus,
                    "missing_beyond_contract": too_many,
                    "features": {
                        r.name: {"missing": c[0], "wrong_type": c[1], "outside": c[2] + c[3]} for r, c in found
                    },
                }
            )
        )
    else:
        heading = ["FEATURE", "TYPE", "MISSING", "WRONG TYPE", "OUTSIDE"]
        body = [
            [r.name, r.type.value, f"{c[0]:,}", f"{c[1]:,}", f"{sum(c[2:FIRST]):,}"]
            for r, c in found
            if sum(c[1:FIRST]) or r.name in too_many
        ]
        say("\n".join(table([heading, *body], indent="")) if body else "Every value keeps the contract.")
        if surplus:
            say(f"Not in the contract: {', '.join(surplus)}")
        say(f"{len(broken):,} of {rows:,} rows break it.")
    if broken or too_many:
        ctx.exit(Exit.REFUSED)


@command.command("register")
@click.argument("file", type=click.Path(path_type=Path), default=FILE)
@message_option
@dry_run_option
@talks
def register(session: Session, *, file: Path, message: str, dry_run: bool) -> None:
    """Put the contract in FILE in force for its model; services count by it within seconds."""
    text = _text(file)
    model = contracts.read(text, file=str(file)).contract.model
    content = {"text": text, "file": str(file), "why": message}
    answer = session.order(at("models", model, "contract"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    contract = read(answer, Contract, exact=True)
    say(f"{contract.model} has the data contract {contract.short} of {len(contract.features)} features.")
    say(f"Next: hand `record` the features of each request, then  glideslope features {contract.model}")


@command.command("show")
@click.argument("model")
@talks
def show(session: Session, *, model: str) -> None:
    """Print the contract of MODEL that is in force, as a file that can be registered again."""
    answer = session.get(at("models", model, "contract"))
    if session.as_json:
        say_bytes(answer)
    else:
        say(contracts.show(read(answer, Contract, exact=True)), nl=False)


@command.command("schema")
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of contract.yaml."""
    say(json.dumps(contracts.schema(), indent=None if as_json else 2))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes() if path.stat().st_size <= 2 * contracts.LARGEST else None
    except FileNotFoundError:
        raise NotFound(
            what="contract file",
            name=str(path),
            next_command="glideslope contract infer DATA --model MODEL -o contract.yaml",
        ) from None
    except OSError as error:
        raise Invalid(f"The contract file {str(path)!r} cannot be read: {error.strerror}.") from None
    if content is None:
        raise Invalid(f"The contract file {str(path)!r} is longer than {2 * contracts.LARGEST:,} bytes.")
    return decode(content, file=str(path)).text


def _read(path: Path) -> Contract:
    return contracts.read(_text(path), file=str(path)).contract
