"""Places on a network as people write them, HOST:PORT, and the option by which a server is reached from another host."""

from collections.abc import Callable
from typing import Any

import click

from glideslope.interfaces.cli.durations import Seconds

Command = Callable[..., Any]


def place(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, int] | None:
    """Split at the last colon; an IPv6 address stands in brackets. Raises BadParameter."""
    if value is None:
        return None
    host, _, port = value.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    if not bare or (":" in bare) != host.startswith("[") or not port.isdecimal() or not 0 < int(port) < 65_536:
        message = f"{value!r} is not HOST:PORT, as in 10.0.0.7:8790 or [fd00::7]:8790."
        raise click.BadParameter(message, ctx, param)
    return bare, int(port)


listen_option = click.option(
    "--gateway-listen",
    metavar="HOST:PORT",
    callback=place,
    help="Where a gateway on another host may call; none is started here.",
)


def log_options(command: Command) -> Command:
    """Let a server keep a prediction log; `keep_log` is its seconds, or None."""

    def seconds(ctx: click.Context, _: click.Parameter, value: float) -> float | None:
        return value if ctx.params.pop("prediction_log") else None

    # Read first, so that the other knows whether there is a log at all.
    command = click.option(
        "--keep-log",
        type=Seconds(),
        default="90d",
        show_default=True,
        callback=seconds,
        help="How long the log keeps rows; those of an open rollout stay.",
    )(command)
    return click.option(
        "--prediction-log",
        is_flag=True,
        is_eager=True,
        help="Keep a log of predictions, for outcomes without receipts and for recomputation (needs the extra `log`).",
    )(command)


def only_one_data_plane(ctx: click.Context, *, no_gateway: bool, gateway_listen: object) -> None:
    """Refuse a command line that asks for none and for one elsewhere."""
    if no_gateway and gateway_listen is not None:
        raise click.UsageError("--no-gateway and --gateway-listen exclude each other.", ctx)
