"""Options that say where to listen, and whether in TLS; the same for `up` and for the processes that it starts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from glideslope.domain.errors import CertificateUnusable
from glideslope.settings import LOOPBACK, Doors, Tls, own_tls

F = TypeVar("F", bound=Callable[..., Any])

_FILE = click.Path(path_type=Path, resolve_path=True)


def doors_options(function: F) -> F:
    """Add the options; the command hands them to `doors_of`."""
    for option in reversed(
        (
            click.option("--host", default=LOOPBACK, show_default=True, help="Address on which the server listens."),
            click.option("--gateway-host", default=LOOPBACK, show_default=True, help="That of the gateway."),
            click.option("--tls", is_flag=True, help="Speak TLS, by a private CA in the state folder."),
            click.option("--tls-cert", type=_FILE, help="Speak TLS, with this certificate chain (PEM)."),
            click.option("--tls-key", type=_FILE, help="The certificate's private key (PEM)."),
            click.option(
                "--insecure-no-tls", is_flag=True, help="Listen beyond this machine without TLS all the same."
            ),
        )
    ):
        function = option(function)
    return function


def doors_of(
    state: Path,
    *,
    host: str,
    gateway_host: str,
    tls: bool,
    tls_cert: Path | None,
    tls_key: Path | None,
    insecure_no_tls: bool,
) -> Doors:
    """Return the doors that were asked for. Raises NameInvalid, TlsRequired, CertificateUnusable for one file of two."""
    shown = own_tls(state) if tls else None
    if tls_cert or tls_key:
        if tls or not (tls_cert and tls_key):
            raise CertificateUnusable(
                path=str(tls_cert or tls_key), why="--tls-cert and --tls-key go together, and without --tls"
            )
        shown = Tls(cert=tls_cert, key=tls_key)
    return Doors(host=host, gateway_host=gateway_host, tls=shown, insecure=insecure_no_tls)
