"""`glideslope facts`: what is known about how a version was made."""

import json
from pathlib import Path

import click

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.ids import model_name, version_name
from glideslope.engine.facts import FactsView
from glideslope.interfaces.cli.contents import file_bytes
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
from glideslope.interfaces.document import facts as written_facts
from glideslope.interfaces.document.measured import joined
from glideslope.interfaces.document.measured import read as read_measured
from glideslope.interfaces.document.text import decode

FILE = "facts.yaml"


@click.group("facts", no_args_is_help=True)
def command() -> None:
    """Record how a version was made: makers, code, environment, data, licences, failure modes."""


@command.command("record")
@click.argument("model")
@click.argument("version")
@click.option("-f", "--file", type=click.Path(path_type=Path), default=FILE, show_default=True, help="The facts.")
@click.option(
    "--measured",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="measured.json of an evaluation: its figures and checks are added to the facts.",
)
@message_option
@dry_run_option
@talks
def record(
    session: Session, *, model: str, version: str, file: Path, measured: Path | None, message: str, dry_run: bool
) -> None:
    """Record what FILE says about VERSION of MODEL, in place of what was recorded before (which is kept)."""
    text = text_of(file)
    written = written_facts.read(text, file=str(file), model=model_name(model), version=version_name(version))
    if measured is not None:
        found = read_measured(file_bytes(measured, what="measured file"), file=str(measured))
        text = written_facts.show(joined(written.facts, found, file=str(measured)))
    content = {"text": text, "file": str(file), "why": message}
    answer = session.order(at("models", model, "versions", version, "facts"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, FactsView)
    say(f"Facts {view.facts.short} about {view.model} {view.version} stand in ledger entry {view.entry}.")
    if view.unknown:
        say(f"Nothing is said about: {', '.join(view.unknown)}.")
    say(f"Next: glideslope card {view.model} {view.version}")


@command.command("show")
@click.argument("model")
@click.argument("version")
@talks
def show(session: Session, *, model: str, version: str) -> None:
    """Print the facts about VERSION of MODEL, as a file that can be recorded again."""
    answer = session.get(at("models", model, "versions", version, "facts"))
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, FactsView, exact=True)
    say(f"# Recorded by {view.by} at {view.at}, ledger entry {view.entry}: {view.digest}")
    say(written_facts.show(view.facts), nl=False)


@command.command("schema")
@json_option
def schema(*, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of facts.yaml."""
    say(json.dumps(written_facts.schema(), indent=None if as_json else 2))


def text_of(path: Path) -> str:
    """Return a facts file's text. Raises NotFound, Invalid."""
    limit = 2 * written_facts.LARGEST
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except FileNotFoundError:
        raise NotFound(what="facts file", name=str(path), next_command="glideslope facts schema") from None
    except OSError as error:
        raise Invalid(f"The facts file {str(path)!r} cannot be read: {error.strerror}.") from None
    if len(content) > limit:
        raise Invalid(f"The facts file {str(path)!r} is longer than {limit:,} bytes.")
    return decode(content, file=str(path)).text
