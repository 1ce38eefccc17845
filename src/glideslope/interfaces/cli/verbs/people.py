"""`glideslope people`: who is behind an actor's id, kept beside the ledger so that it can be erased."""

import click

from glideslope.engine.views import PersonView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, dry_run_option, message_option, read, say_bytes, talks
from glideslope.interfaces.cli.words import table


@click.group("people", no_args_is_help=True)
def command() -> None:
    """Say, show and erase who is behind an actor's id. The ledger holds ids and salted commitments, no names."""


@command.command("set")
@click.argument("actor")
@click.option("--name", default="", help="The person's name.")
@click.option("--email", default="", help="An e-mail address.")
@click.option("--chat", default="", help="An address in a chat.")
@dry_run_option
@talks
def set_(session: Session, *, actor: str, name: str, email: str, chat: str, dry_run: bool) -> None:
    """Say who ACTOR is, in place of what was said before."""
    answer = session.order(at("people", actor), {"name": name, "email": email, "chat": chat}, dry_run=dry_run)
    if answer is not None:
        _told(session, answer)


@command.command("show")
@click.argument("actor")
@talks
def show(session: Session, *, actor: str) -> None:
    """Show who ACTOR is, and whether the ledger is committed to that."""
    _told(session, session.get(at("people", actor)))


@command.command("ls")
@talks
def ls(session: Session) -> None:
    """List everybody of whom something is or was kept."""
    answer = session.get(at("people"))
    if session.as_json:
        say_bytes(answer)
        return
    rows = [["ACTOR", "NAME", "E-MAIL", "CHAT", "STATE"]]
    for each in read(answer, tuple[PersonView, ...]):
        known = each.person
        parts = ["-", "-", "-"] if known is None else [known.name or "-", known.email or "-", known.chat or "-"]
        rows.append([each.actor, *parts, _state(each)])
    say("\n".join(table(rows, indent="")) if len(rows) > 1 else "Nothing is kept about anybody.")


@command.command("erase")
@click.argument("actor")
@message_option
@dry_run_option
@talks
def erase(session: Session, *, actor: str, message: str, dry_run: bool) -> None:
    """Erase who ACTOR is, data and salt. The id stays in the ledger, and means nobody any more.

    The reason stands in the ledger for ever: name nobody in it.
    """
    answer = session.order(at("people", actor, "erase"), {"why": message}, dry_run=dry_run)
    if answer is None:
        return
    _told(session, answer)
    if not session.as_json:
        say("Not erased: copies that others hold, backups of the state folder, and names in texts that people wrote.")


def _state(view: PersonView) -> str:
    if view.erased:
        return "erased" if view.person is None else "TO BE ERASED"
    return "as committed" if view.matches else "NOT AS COMMITTED"


def _told(session: Session, answer: bytes) -> None:
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, PersonView)
    known = view.person
    said = "nobody known" if known is None else ", ".join(p for p in (known.name, known.email, known.chat) if p)
    say(f"{view.actor}: {said} ({_state(view)}{f', {view.at}' if view.at else ''})")
    if view.commitment:
        say(f"  commitment {view.commitment}")
