"""`glideslope gateway`: the process that keeps the gateway alive, as `up` starts it."""

from pathlib import Path
from typing import Any

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.doors import doors_of, doors_options
from glideslope.settings import GATEWAY_PORT


@click.command("gateway")
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.option("--gateway-port", type=click.IntRange(0, 65_535), default=GATEWAY_PORT, show_default=True)
@doors_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    state: Path,
    gateway_port: int,
    **doors: Any,  # noqa: ANN401 - those of `doors_options`
) -> None:
    """Be the gateway's supervisor."""
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    ctx.exit(outside.start().gateway(state=state, gateway_port=gateway_port, doors=doors_of(state, **doors)))
