"""`glideslope up`: server and gateway on this machine, in one process tree."""

from pathlib import Path
from typing import Any

import click

from glideslope.interfaces.cli.context import STATE_FOLDER, Outside, state_folder
from glideslope.interfaces.cli.doors import doors_of, doors_options
from glideslope.interfaces.cli.places import listen_option, log_options, only_one_data_plane
from glideslope.settings import API_PORT, GATEWAY_PORT


@click.command("up")
@click.option(
    "--state", type=click.Path(path_type=Path), help=f"Where everything is kept; else {STATE_FOLDER} here or above."
)
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=API_PORT, show_default=True, help="Of the server; 0 takes any."
)
@click.option(
    "--gateway-port", type=click.IntRange(0, 65_535), default=GATEWAY_PORT, show_default=True, help="Of the gateway."
)
@click.option("--no-gateway", is_flag=True, help="Services assign in process; no gateway is started.")
@listen_option
@log_options
@doors_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    state: Path | None,
    port: int,
    gateway_port: int,
    no_gateway: bool,
    gateway_listen: tuple[str, int] | None,
    keep_log: float | None,
    **doors: Any,  # noqa: ANN401 - those of `doors_options`
) -> None:
    """Start server and gateway, until Ctrl-C. The first start makes a token for you in the state folder."""
    only_one_data_plane(ctx, no_gateway=no_gateway, gateway_listen=gateway_listen)
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    folder = state or state_folder(Path.cwd()) or Path(STATE_FOLDER)
    ctx.exit(
        outside.start().up(
            state=folder,
            port=port,
            gateway_port=gateway_port,
            gateway=not no_gateway,
            gateway_listen=gateway_listen,
            keep_log=keep_log,
            doors=doors_of(folder, **doors),
        )
    )
