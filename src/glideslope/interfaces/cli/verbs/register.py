"""`glideslope register`: makes a version known by its content, and says where it is served and how it did offline."""

from pathlib import Path

import click
import msgspec

from glideslope.domain.errors import Invalid
from glideslope.domain.plan import Evaluation
from glideslope.engine.views import ModelView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.context import state_folder
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, dry_run_option, message_option, read, say_bytes, talks


@click.command("register")
@click.argument("model")
@click.argument("version")
@click.option("--url", required=True, help="Where the version is served.")
@click.option("--folder", type=click.Path(path_type=Path), help="The version's files; their digest is its identity.")
@click.option("--no-copy", is_flag=True, help="Keep no copy of the files in the state folder.")
@click.option("--digest", metavar="SHA256", help="The identity itself, if the files are elsewhere.")
@click.option("--evaluation", type=click.Path(path_type=Path), metavar="FILE", help="JSON list of offline comparisons.")
@click.option("--incumbent", is_flag=True, help="It serves already: install it as the model's first incumbent.")
@message_option
@dry_run_option
@talks
def command(
    session: Session,
    *,
    model: str,
    version: str,
    url: str,
    folder: Path | None,
    no_copy: bool,
    digest: str | None,
    evaluation: Path | None,
    incumbent: bool,
    message: str,
    dry_run: bool,
) -> None:
    """Register VERSION of MODEL. Only the digest of its files is sent; beside a state folder a copy is kept in it."""
    if (folder is None) == (digest is None):
        raise click.UsageError("Say what the version is: either --folder or --digest.")
    identity = digest if folder is None else _identity(session, folder, copy=not (no_copy or dry_run))
    content = {
        "version": version,
        "digest": identity,
        "url": url,
        "why": message,
        "evaluations": msgspec.to_builtins(_evaluations(evaluation)) if evaluation else [],
        "incumbent": incumbent,
    }
    answer = session.order(at("models", model, "versions"), content, dry_run=dry_run)
    if answer is None:
        return
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, ModelView)
    say(f"{view.name} {version} is {identity}")
    say(f"{view.incumbent or 'nothing'} serves {view.name}. Next: glideslope {'init' if incumbent else 'plan'}")


def _identity(session: Session, folder: Path, *, copy: bool) -> str:
    """Return a folder's digest: with a copy that of what was copied, so that both are the same whatever happens meanwhile."""
    # The server of another machine has no state folder here.
    state = state_folder(Path.cwd()) if copy and session.server is None else None
    return session.outside.folder_digest(folder) if state is None else session.outside.keep(state, folder)


def _evaluations(path: Path) -> list[Evaluation]:
    try:
        return msgspec.json.decode(file_bytes(path, what="evaluation"), type=list[Evaluation])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{path}: {error}. Expected a JSON list of objects with metric, holdout, incumbent, candidate, count and lower_is_better."
        ) from None
