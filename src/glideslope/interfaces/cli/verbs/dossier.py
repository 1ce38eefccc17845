"""`glideslope dossier`: what a policy is shown about a rollout's change, as a file from a running server."""

from pathlib import Path

import click

from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, rollout_of, say_bytes, talks
from glideslope.interfaces.cli.verbs.checkpoint import write


@click.command("dossier")
@click.argument("rollout")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to write it, if not to the terminal.")
@talks
def command(session: Session, *, rollout: str, output: Path | None) -> None:
    """Print all that a policy is shown about the change of ROLLOUT (or of a model's newest) at this moment, as JSON.

    It is what `glideslope policy examine --dossier FILE` reads, and what cases of a policy's tests begin with.
    """
    found = session.get(at("rollouts", rollout_of(session, rollout), "dossier"))
    if output is None:
        say_bytes(found)
        return
    write(output, found.decode())
    say(f"Wrote {output}. Ask a policy about it:  glideslope policy examine --dossier {output}")
