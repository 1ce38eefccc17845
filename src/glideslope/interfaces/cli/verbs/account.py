"""`glideslope account`: who may sign in at the dashboard without a token, kept in the state folder."""

import json
from pathlib import Path

import click

from glideslope.interfaces.cli.context import AccountLine, Outside, SetupLink
from glideslope.interfaces.cli.durations import Seconds
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.verbs.token import existing, state_option
from glideslope.interfaces.cli.words import table

ROLES = ("reader", "member", "admin")

expires_option = click.option(
    "--expires", type=Seconds(), default="3d", metavar="DURATION", help="How long the link lasts; 3d if not said."
)
role_option = click.option("--role", type=click.Choice(ROLES), required=True, help="What the person is trusted with.")


@click.group("account", no_args_is_help=True)
def command() -> None:
    """Let people sign in at the dashboard: invite them, list, change, disable, reset and remove their accounts."""


@command.command("invite")
@click.argument("actor")
@role_option
@expires_option
@state_option
@json_option
@click.pass_obj
def invite(outside: Outside, *, actor: str, role: str, expires: float, state: Path | None, as_json: bool) -> None:
    """Make an account for ACTOR, the name that the ledger will show, and print the link that sets it up, once."""
    folder = existing(state)
    _told(folder, actor, outside.accounts().invite(folder, actor=actor, role=role, seconds=expires), as_json=as_json)


@command.command("reset")
@click.argument("actor")
@expires_option
@state_option
@json_option
@click.pass_obj
def reset(outside: Outside, *, actor: str, expires: float, state: Path | None, as_json: bool) -> None:
    """Take away the password and the passkeys of ACTOR, end its sessions, and print another link."""
    folder = existing(state)
    _told(folder, actor, outside.accounts().reset(folder, actor=actor, seconds=expires), as_json=as_json)


@command.command("ls")
@state_option
@json_option
@click.pass_obj
def listed(outside: Outside, state: Path | None, as_json: bool) -> None:
    """List the accounts, how each signs in, and when it last did."""
    found = outside.accounts().listed(existing(state))
    if as_json:
        say(json.dumps([_fields(each) for each in found]))
        return
    rows = [["ACTOR", "ROLE", "STATE", "SIGNS IN BY", "LAST"]]
    rows += [[each.actor, each.role, each.state, _by(each), each.used_at or "never"] for each in found]
    say(
        "\n".join(table(rows, indent=""))
        if found
        else "There is no account. Next: glideslope account invite ACTOR --role member"
    )


@command.command("role")
@click.argument("actor")
@role_option
@state_option
@json_option
@click.pass_obj
def role(outside: Outside, *, actor: str, role: str, state: Path | None, as_json: bool) -> None:
    """Give ACTOR another role. Whoever is signed in by the account signs in again."""
    line = outside.accounts().set_role(existing(state), actor=actor, role=role)
    say(
        json.dumps(_fields(line))
        if as_json
        else f"{line.actor} is {line.role} now; sessions in another role have ended."
    )


@command.command("disable")
@click.argument("actor")
@state_option
@json_option
@click.pass_obj
def disable(outside: Outside, actor: str, state: Path | None, as_json: bool) -> None:
    """Let nobody sign in as ACTOR by the account, and end its sessions. Tokens are revoked by `token revoke`."""
    line = outside.accounts().disable(existing(state), actor=actor, yes=True)
    say(json.dumps(_fields(line)) if as_json else f"{line.actor} is disabled; its sessions have ended.")


@command.command("enable")
@click.argument("actor")
@state_option
@json_option
@click.pass_obj
def enable(outside: Outside, actor: str, state: Path | None, as_json: bool) -> None:
    """Let ACTOR sign in again, by what the account had."""
    line = outside.accounts().disable(existing(state), actor=actor, yes=False)
    say(json.dumps(_fields(line)) if as_json else f"{line.actor} may sign in again.")


@command.command("remove")
@click.argument("actor")
@state_option
@json_option
@click.pass_obj
def remove(outside: Outside, actor: str, state: Path | None, as_json: bool) -> None:
    """Forget the account of ACTOR and all that it signs in with. What the ledger says of ACTOR stays."""
    outside.accounts().remove(existing(state), actor=actor)
    say(json.dumps({"removed": actor}) if as_json else f"Removed the account of {actor}.")


def _told(folder: Path, actor: str, link: SetupLink, *, as_json: bool) -> None:
    try:
        address = (folder / "address").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        address = ""
    # By its name: passkeys are for names, not for numbers.
    url = f"{address.replace('http://127.0.0.1:', 'http://localhost:')}{link.path}"
    if as_json:
        say(json.dumps({"actor": actor, "url": url, "until": link.until}))
        return
    say(url)
    hint = "" if address else " The server has not told its address yet: put it in front."
    say(f"It sets up the account of {actor} once, until {link.until}. Hand it over where nobody else reads it.{hint}")


def _fields(line: AccountLine) -> dict[str, object]:
    return {
        name: getattr(line, name)
        for name in ("actor", "role", "state", "password", "passkeys", "created_at", "used_at")
    }


def _by(line: AccountLine) -> str:
    keys = f"{line.passkeys} passkey{'' if line.passkeys == 1 else 's'}" if line.passkeys else ""
    return ", ".join(part for part in ("password" if line.password else "", keys) if part) or "-"
