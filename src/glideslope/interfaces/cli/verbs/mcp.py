"""`glideslope mcp`: lets an assistant read and draft, over standard input and output."""

import click

from glideslope.interfaces.cli.session import Session, talks
from glideslope.interfaces.mcp.server import serve
from glideslope.interfaces.mcp.tools import Asking


@click.command("mcp")
@talks
def command(session: Session) -> None:
    """Serve tools for an assistant (Model Context Protocol), whose program starts this command itself.

    It reads and drafts. Whatever the token may do besides, the server hears the assistant as a reader: it can never propose,
    approve, stop or override.
    """
    serve(Asking(session.api))
