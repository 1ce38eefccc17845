"""`glideslope gateway`: the process that keeps a gateway alive, as `up` starts it, or alone on another host."""

from pathlib import Path
from typing import Any

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.doors import doors_of, doors_options
from glideslope.interfaces.cli.places import place
from glideslope.settings import GATEWAY_PORT


@click.command("gateway")
@click.option(
    "--state", type=click.Path(path_type=Path), required=True, help="Where this gateway keeps what it carries."
)
@click.option(
    "--gateway-port", type=click.IntRange(0, 65_535), default=GATEWAY_PORT, show_default=True, help="For callers."
)
@click.option(
    "--server", "line", metavar="HOST:PORT", callback=place, help="The server on another host: its --gateway-listen."
)
@click.option("--credentials", type=click.Path(path_type=Path), help="Folder made there by `credentials create`.")
@click.option(
    "--silence",
    type=click.FloatRange(0.5, 30),
    default=1.0,
    show_default=True,
    help="Seconds of silence after which the line counts as cut; each lease is shortened by it.",
)
@doors_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    state: Path,
    gateway_port: int,
    line: tuple[str, int] | None,
    credentials: Path | None,
    silence: float,
    **doors: Any,  # noqa: ANN401 - those of `doors_options`
) -> None:
    """Keep a gateway alive on this host, for a server on another, until Ctrl-C."""
    if (line is None) != (credentials is None):
        raise click.UsageError("--server and --credentials belong together.", ctx)
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    ctx.exit(
        outside.start().gateway(
            state=state,
            gateway_port=gateway_port,
            line=line,
            credentials=credentials,
            silence=silence,
            doors=doors_of(state, **doors),
        )
    )
