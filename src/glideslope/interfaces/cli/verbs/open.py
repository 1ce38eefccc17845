"""`glideslope open`: the dashboard in a browser, signed in by a link that works once."""

import json
from pathlib import Path

import click

from glideslope.interfaces.cli.context import Outside, server_of
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, read, talks
from glideslope.interfaces.dashboard.link import SignInLink


@click.command("open")
@click.argument("rollout", default="")
@click.option("--print", "only_print", is_flag=True, help="Print the link; open nothing.")
@talks
@click.pass_context
def command(ctx: click.Context, /, session: Session, *, rollout: str, only_print: bool) -> None:
    """Open the dashboard, or the page of ROLLOUT, in a browser and sign in there. Whoever opens the link first is you."""
    address = server_of(Path.cwd(), server=session.server, token=session.token, ca=session.ca)[0]
    link = read(session.api.call("POST", "/sign-in/links", b"{}"), SignInLink, exact=True)
    page = f"?next=/rollouts/{rollout}" if rollout else ""
    url = f"{address.rstrip('/')}{link.path}{page}"
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    opened = not only_print and outside.browse(url)
    if session.as_json:
        say(json.dumps({"url": url, "seconds": link.seconds, "opened": opened}))
        return
    say(url)
    say(
        f"It signs you in once, within {link.seconds / 60:g} minutes.{' A browser was asked to open it.' if opened else ''}"
    )
