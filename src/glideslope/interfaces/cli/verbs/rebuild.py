"""`glideslope rebuild`: makes a registered version again, and says whether it comes out the same."""

from pathlib import Path

import click
import msgspec

from glideslope.domain.ids import Digest
from glideslope.engine.version_record import VersionRecordView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.context import state_folder
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.interfaces.document import recipe as recipes
from glideslope.interfaces.document.text import decode


@click.command("rebuild")
@click.argument("model")
@click.argument("version")
@click.option(
    "-f", "--file", type=click.Path(path_type=Path), default="recipe.yaml", show_default=True, help="The recipe."
)
@click.option("--original", type=click.Path(path_type=Path), help="The registered files, to say which differ.")
@click.option("--keep", type=click.Path(path_type=Path), help="Copy what was made into this new folder.")
@talks
@click.pass_context
def command(
    ctx: click.Context,
    session: Session,
    *,
    model: str,
    version: str,
    file: Path,
    original: Path | None,
    keep: Path | None,
) -> None:
    """Make VERSION of MODEL again from code, locked environment, data, configuration and seed. Ends with 9 when it differs."""
    recipe = recipes.read(decode(file_bytes(file, what="recipe"), file=str(file)).text, file=str(file))
    known = read(session.get(at("models", model, "versions", version)), VersionRecordView, exact=True)
    state = state_folder(Path.cwd())
    if original is None and state is not None:
        kept = state / "artifacts" / "sha256" / known.digest.removeprefix("sha256:")
        original = kept if kept.is_dir() else None
    found = session.outside.rebuild(
        recipe,
        beside=file.resolve().parent,
        expected=Digest(known.digest),
        facts=None if known.facts is None else known.facts.facts,
        original=original,
        keep=keep,
        say=lambda step: say(f"  {step}", err=True),
    )
    if session.as_json:
        session.say_json(msgspec.to_builtins(found))
    elif found.same:
        say(f"The same: {model} {version} made again is {found.digest} ({found.seconds:.0f} s).")
    else:
        say(f"Not the same: {model} {version} is {found.expected}, made again it is {found.digest}.")
        for word, names in (("changed", found.changed), ("missing", found.missing), ("on top", found.surplus)):
            for name in names:
                say(f"  {word}: {name}")
        if not found.compared:
            say("Which files differ is unknown; name the registered ones with --original.")
    if not found.same:
        ctx.exit(Exit.NOT_VERIFIED)
