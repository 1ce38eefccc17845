"""`glideslope explain`: the long version of an error or a reason, without a network."""

import json
from difflib import get_close_matches

import click

from glideslope.domain.errors import NotFound
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import explanations


@click.command("explain")
@click.argument("code", required=False)
@json_option
def command(*, code: str | None, as_json: bool) -> None:
    """Explain CODE, as it stands in brackets in an error or as a decision's reason; without it, list all codes."""
    known = explanations()
    if code is None:
        say(json.dumps(list(known)) if as_json else "\n".join(known))
        return
    if code not in known:
        close = get_close_matches(code, known, n=1)
        raise NotFound(
            what="code", name=code, next_command=f"glideslope explain {close[0]}" if close else "glideslope explain"
        )
    say(json.dumps({"code": code, "text": known[code]}, ensure_ascii=False) if as_json else f"{code}\n\n{known[code]}")
