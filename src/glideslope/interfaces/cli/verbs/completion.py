"""`glideslope completion`: the script that makes a shell complete verbs and options."""

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, *, shell: str) -> None:
    """Print the completion script for SHELL. For bash: eval "$(glideslope completion bash)" in ~/.bashrc."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - the choice above names only what click has
    click.echo(found(ctx.find_root().command, {}, "glideslope", "_GLIDESLOPE_COMPLETE").source())
