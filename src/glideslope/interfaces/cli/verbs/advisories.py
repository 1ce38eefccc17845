"""`glideslope advisories`: known weaknesses of packages, for policies that ask whether a candidate has any."""

from pathlib import Path

import click
import msgspec

from glideslope.engine.advisories import AdvisoriesView
from glideslope.interfaces.cli.policy_files import read_advisories
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, dry_run_option, message_option, read, say_bytes, talks


@click.group("advisories", no_args_is_help=True)
def command() -> None:
    """Record advisories from a file in the OSV format, and say which are known."""


@command.command("record")
@click.argument("file", type=click.Path(path_type=Path))
@message_option
@dry_run_option
@talks
def record(session: Session, *, file: Path, message: str, dry_run: bool) -> None:
    """Put the advisories in FILE in place of those before."""
    found = read_advisories(file)
    content = {
        "source": found.source,
        "as_of": found.as_of,
        "entries": msgspec.to_builtins(found.entries),
        "why": message,
    }
    answer = session.order(at("advisories"), content, dry_run=dry_run)
    if answer is not None:
        _tell(session, answer)


@command.command("show")
@talks
def show(session: Session) -> None:
    """Say which advisories are known, and as of when."""
    _tell(session, session.get(at("advisories")))


def _tell(session: Session, answer: bytes) -> None:
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, AdvisoriesView)
    say(f"{view.entries:,} advisories of {view.source}, as of {view.as_of[:16]}; recorded by {view.by} {view.at[:16]}.")
