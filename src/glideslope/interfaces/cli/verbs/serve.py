"""`glideslope serve`: the server process, as `up` starts it."""

from pathlib import Path
from typing import Any

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.doors import doors_of, doors_options
from glideslope.interfaces.cli.places import listen_option, log_options, only_one_data_plane
from glideslope.settings import API_PORT, GATEWAY_PORT


@click.command("serve")
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.option("--port", type=click.IntRange(0, 65_535), default=API_PORT, show_default=True)
@click.option("--gateway-port", type=click.IntRange(0, 65_535), default=GATEWAY_PORT, show_default=True)
@click.option("--no-gateway", is_flag=True)
@listen_option
@log_options
@doors_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    state: Path,
    port: int,
    gateway_port: int,
    no_gateway: bool,
    gateway_listen: tuple[str, int] | None,
    keep_log: float | None,
    **doors: Any,  # noqa: ANN401 - those of `doors_options`
) -> None:
    """Be the server process."""
    only_one_data_plane(ctx, no_gateway=no_gateway, gateway_listen=gateway_listen)
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    ctx.exit(
        outside.start().serve(
            state=state,
            port=port,
            gateway_port=gateway_port,
            gateway=not no_gateway,
            gateway_listen=gateway_listen,
            keep_log=keep_log,
            doors=doors_of(state, **doors),
        )
    )
