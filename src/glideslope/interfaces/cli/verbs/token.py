"""`glideslope token`: who may call the server, kept in the state folder."""

import json
from pathlib import Path

import click

from glideslope.domain.errors import NotFound
from glideslope.interfaces.cli.context import STATE_FOLDER, Outside, TokenLine, state_folder
from glideslope.interfaces.cli.durations import Seconds
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option

ACTS = ("register", "propose", "stop", "tell")
ROLES = ("reader", "source", "member", "admin")

state_option = click.option(
    "--state", type=click.Path(path_type=Path), help="The state folder, if not the one of this folder."
)


@click.group("token", no_args_is_help=True)
def command() -> None:
    """Create, list and revoke the tokens by which people and services call the server."""


@command.command("create")
@click.argument("actor")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What the token is trusted with.")
@click.option(
    "--model", "models", multiple=True, metavar="MODEL", help="A model that it speaks for or acts on; repeatable."
)
@click.option("--all-models", is_flag=True, help="The source speaks for every model, also those to come.")
@click.option(
    "--may", "acts", type=click.Choice(ACTS), multiple=True, help="All that a member may do but look; repeatable."
)
@click.option("--expires", type=Seconds(), metavar="DURATION", help="How long it lasts, like 90d; else until revoked.")
@state_option
@json_option
@click.pass_obj
def create(
    outside: Outside,
    *,
    actor: str,
    role: str,
    models: tuple[str, ...],
    all_models: bool,
    acts: tuple[str, ...],
    expires: float | None,
    state: Path | None,
    as_json: bool,
) -> None:
    """Make a token for ACTOR, the name that the ledger will show. It is printed once and kept nowhere."""
    token = outside.tokens().create(
        existing(state), actor=actor, role=role, models=models, all_models=all_models, seconds=expires, acts=acts
    )
    say(json.dumps({"token": token, "actor": actor, "role": role}) if as_json else token)


@command.command("ls")
@state_option
@json_option
@click.pass_obj
def listed(outside: Outside, state: Path | None, as_json: bool) -> None:
    """List the tokens by their ids."""
    found = outside.tokens().listed(existing(state))
    if as_json:
        say(
            json.dumps(
                [
                    {
                        "id": t.id,
                        "actor": t.actor,
                        "role": t.role,
                        "created_at": t.created_at,
                        "models": t.models,
                        "expires_at": t.expires_at,
                        "expired": t.expired,
                        "acts": t.acts,
                        "used_at": t.used_at,
                    }
                    for t in found
                ]
            )
        )
        return
    for each in found:
        say(f"{each.id}  {each.role:6}  {each.created_at}  {each.actor}{_limits(each)}")


@command.command("revoke")
@click.argument("token_id")
@state_option
@json_option
@click.pass_obj
def revoke(outside: Outside, token_id: str, state: Path | None, as_json: bool) -> None:
    """Forget the token TOKEN_ID; whoever holds it is unknown from now on."""
    outside.tokens().revoke(existing(state), token_id=token_id)
    say(json.dumps({"revoked": token_id}) if as_json else f"Revoked {token_id}.")


def _limits(token: TokenLine) -> str:
    """Tell what a token is limited to, when it ends, and when it was last used."""
    acts = f"may only {', '.join(token.acts)}" if token.acts is not None else ""
    used = f"used {token.used_at}" if token.used_at else ""
    limited = token.role == "source" or token.models is not None
    models = "all models" if token.models is None else ", ".join(token.models)
    ends = f"{'expired' if token.expired else 'until'} {token.expires_at}" if token.expires_at else ""
    return "".join(f"  {part}" for part in (acts, f"for {models}" if limited else "", ends, used) if part)


def existing(state: Path | None) -> Path:
    """Return the state folder. Raises NotFound: a token made in a new one would be known to no server."""
    folder = state or state_folder(Path.cwd()) or Path(STATE_FOLDER)
    if not folder.is_dir():
        raise NotFound(what="state folder", name=str(folder), next_command="glideslope up")
    return folder
