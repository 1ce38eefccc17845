"""`glideslope doctor`: looks for what is wrong, from here and from inside the server."""

import json

import click
import msgspec

from glideslope.domain.errors import GlideslopeError
from glideslope.engine.views import CheckView
from glideslope.interfaces.cli.exits import Exit, exit_of
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, read, talks
from glideslope.interfaces.cli.telling import fields_of


@click.command("doctor")
@talks
@click.pass_context
def command(ctx: click.Context, session: Session) -> None:
    """Look for what is wrong and say what to do about it."""
    status = Exit.DONE
    try:
        checks = read(session.get("/v1/doctor"), tuple[CheckView, ...], exact=session.as_json)
        checks = (CheckView(name="server", ok=True, sentence="The server answers and knows you."), *checks)
    except GlideslopeError as error:
        status = exit_of(error)
        fields = fields_of(error)
        next_command = str(fields.get("next_command") or "")
        # "Ask the doctor" is no advice from the doctor.
        advice = "glideslope up" if next_command in {"", "glideslope doctor"} else next_command
        checks = (CheckView(name="server", ok=False, sentence=error.sentence, next_command=advice),)
    if session.as_json:
        say(json.dumps(msgspec.to_builtins(checks), ensure_ascii=False))
    else:
        for check in checks:
            after = f"  Next: {check.next_command}" if check.next_command and not check.ok else ""
            say(f"{'ok   ' if check.ok else 'WRONG'}  {check.name}: {check.sentence}{after}")
    if not all(check.ok for check in checks):
        ctx.exit(status or Exit.FAILED)
