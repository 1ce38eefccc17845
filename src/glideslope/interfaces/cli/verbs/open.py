"""`glideslope open`: the dashboard in a browser, signed in by a link that works once."""

import json

import click

from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.pages import address_of, path_of
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, talks


@click.command("open")
@click.argument("thing", nargs=-1)
@click.option("--print", "only_print", is_flag=True, help="Print the link; open nothing.")
@talks
@click.pass_context
def command(ctx: click.Context, /, session: Session, *, thing: tuple[str, ...], only_print: bool) -> None:
    """Open the dashboard in a browser and sign in there, at the page of THING. Whoever opens the link first is you.

    THING is a rollout (r-0001), a model, an entry of the ledger (41), `incident r-0001`, `drill MODEL`, `review r-0001`, an agreement
    (organisation, `policy bank`), or a page (approvals, review, ledger, settings).
    """
    url, seconds = address_of(session, path_of(session, thing))
    outside = ctx.find_object(Outside)
    assert outside is not None  # noqa: S101 - a mistake of ours
    opened = not only_print and outside.browse(url)
    if session.as_json:
        say(json.dumps({"url": url, "seconds": seconds, "opened": opened}))
        return
    say(url)
    say(f"It signs you in once, within {seconds / 60:g} minutes.{' A browser was asked to open it.' if opened else ''}")
