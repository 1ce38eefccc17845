"""`glideslope agree`: documents that people table, answer and review; the organisation first, since it says who may answer."""

import difflib
import json
from pathlib import Path

import click
import msgspec

from glideslope.domain.errors import NotFound
from glideslope.domain.governing.agreement import agreement_digest
from glideslope.domain.governing.envelope import Envelope, Standing, classify
from glideslope.domain.governing.envelope.wording import explained
from glideslope.domain.governing.kinds import KINDS, document_of
from glideslope.domain.governing.policy.wording import sentence, word
from glideslope.engine.governing_views import AgreementView, EditionView, NeedView
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.policy_files import read_dossier
from glideslope.interfaces.cli.saying import say, shown
from glideslope.interfaces.cli.session import (
    Session,
    at,
    dry_run_option,
    json_option,
    message_option,
    read,
    say_bytes,
    talks,
)
from glideslope.interfaces.cli.shipped import POLICIES, shipped
from glideslope.interfaces.cli.verbs.init import FileExists
from glideslope.interfaces.cli.words import table
from glideslope.interfaces.document import agreements
from glideslope.interfaces.document.text import decode

_OF = click.argument("of", type=click.Choice(sorted(KINDS)))
_NAME = click.argument("name", default="")


@click.group("agree", no_args_is_help=True)
def command() -> None:
    """Agree on who decides and on what: a document is tabled by one person, answered by others, and then in force."""


@command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check(*, file: Path, as_json: bool) -> None:
    """Read FILE and say what is wrong with it; asks no server."""
    found = agreements.read(_text(file), file=str(file))
    told = list(explained(found.agreed)) if isinstance(found.agreed, Envelope) else []
    if as_json:
        say(json.dumps({"of": found.of, "name": found.name, "says": told}))
    else:
        say("\n".join((f"{file} is {_a(found.of)} that can be tabled.", *told)))


@command.command("new")
@click.argument("of", type=click.Choice(["envelope"]))
@click.option("--for", "kind", type=click.Choice(POLICIES), default="product-team", show_default=True, help="For whom.")
@json_option
def new(*, of: str, kind: str, as_json: bool) -> None:
    """Write an agreement to start from, OF this kind. Overwrites nothing."""
    path = Path(f"{of}.yaml")
    if path.exists():
        raise FileExists(path)
    path.write_text(shipped(f"{of}s/{kind}.yaml"), encoding="utf-8")
    if as_json:
        say(json.dumps({"files": [str(path)], "written": True}))
        return
    say(f"Wrote {path}.")
    say(f"Next: edit it, then  glideslope agree check {path}  and  glideslope plan --envelope {path}")


@command.command("classify")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dossier", type=click.Path(path_type=Path), required=True, help="The dossier, in YAML or JSON.")
@json_option
@click.pass_context
def classify_(ctx: click.Context, *, file: Path, dossier: Path, as_json: bool) -> None:
    """Say whether a dossier's change is inside the envelope in FILE; asks no server. Ends with 3 when it is outside."""
    envelope = agreements.envelope(_text(file), file=str(file))
    about = read_dossier(dossier)
    standing = Standing(envelope=agreement_digest(document_of(envelope)), name=envelope.name, reviewed_at=about.now)
    found = classify(envelope, standing, about)
    if as_json:
        say(json.dumps({**msgspec.to_builtins(found), "inside": found.inside}, ensure_ascii=False))
    else:
        for answer in found.answers:
            say(f"{word(answer.outcome):<14} {answer.rule}: {sentence(answer)}")
        left = ", ".join(answer.rule for answer in found.left)
        change = f"{about.change.model} {about.change.candidate}"
        say(f"{change} is inside {envelope.name}." if found.inside else f"{change} is outside {envelope.name}: {left}.")
    if not found.inside:
        ctx.exit(Exit.REFUSED)


@command.command("table")
@click.argument("file", type=click.Path(path_type=Path))
@message_option
@dry_run_option
@talks
def table_(session: Session, *, file: Path, message: str, dry_run: bool) -> None:
    """Ask that the document in FILE be in force. The first organisation is, at once; what follows is answered by others."""
    text = _text(file)
    agreements.read(text, file=str(file))
    answer = session.order(at("agreements"), {"text": text, "file": str(file), "why": message}, dry_run=dry_run)
    if answer is not None:
        _tell(session, answer)


@command.command("answer")
@_OF
@_NAME
@message_option
@click.option("--deny", is_flag=True, help="Say no.")
@click.option("--in-force", is_flag=True, help="Answer the envelope in force: take your yes back, or give it again.")
@click.option("--digest", metavar="SHA256", help="The document that you read; without it, the one shown now.")
@dry_run_option
@talks
def answer_(
    session: Session,
    *,
    of: str,
    name: str,
    message: str,
    deny: bool,
    in_force: bool,
    digest: str | None,
    dry_run: bool,
) -> None:
    """Say yes or no to what is tabled, bound to its digest. Whoever tabled it does not count."""
    place = at("agreements", of, name or of)
    view = read(session.get(place), AgreementView, exact=True)
    edition = view.in_force if in_force else view.tabled
    if edition is None:
        what = f"{of} that is {'in force' if in_force else 'tabled'}"
        raise NotFound(what=what, name=name or of, next_command="glideslope agree ls")
    if not (in_force or session.as_json):
        _say_difference(view)
    content = {"digest": digest or edition.digest, "granted": not deny, "why": message}
    answer = session.order(f"{place}/answers", content, dry_run=dry_run)
    if answer is not None:
        _tell(session, answer)


@command.command("review")
@_OF
@_NAME
@message_option
@dry_run_option
@talks
def review(session: Session, *, of: str, name: str, message: str, dry_run: bool) -> None:
    """Stand by what is in force, having read it again."""
    answer = session.order(at("agreements", of, name or of, "reviews"), {"why": message}, dry_run=dry_run)
    if answer is not None:
        _tell(session, answer)


@command.command("ls")
@talks
def ls(session: Session) -> None:
    """List what was agreed, and what waits for answers."""
    answer = session.get(at("agreements"))
    if session.as_json:
        say_bytes(answer)
        return
    found = read(answer, tuple[AgreementView, ...])
    if not found:
        say("Nothing is agreed yet, so nothing is governed.")
        say("Next: glideslope agree schema organisation")
        return
    body = [
        [v.of, v.name, v.since[:10] or "-", v.reviewed_at[:10] or "-", _needed(v.needs) if v.tabled else "-"]
        for v in found
    ]
    say("\n".join(table([["KIND", "NAME", "IN FORCE SINCE", "REVIEWED", "TABLED, NEEDS"], *body], indent="")))


@command.command("show")
@_OF
@_NAME
@click.option("--tabled", is_flag=True, help="What waits for answers, not what is in force.")
@talks
def show(session: Session, *, of: str, name: str, tabled: bool) -> None:
    """Print an agreement as it was written."""
    answer = session.get(at("agreements", of, name or of))
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, AgreementView, exact=True)
    edition = view.tabled if tabled else view.in_force
    if edition is None:
        raise NotFound(
            what=f"{of} that is {'tabled' if tabled else 'in force'}",
            name=view.name,
            next_command="glideslope agree ls",
        )
    say(edition.text, nl=not edition.text.endswith("\n"))


@command.command("diff")
@_OF
@_NAME
@talks
def diff(session: Session, *, of: str, name: str) -> None:
    """Show by what the tabled document differs from the one in force, and which way; of a first one, what it says."""
    answer = session.get(at("agreements", of, name or of))
    if session.as_json:
        say_bytes(answer)
    else:
        _say_difference(read(answer, AgreementView, exact=True))


@command.command("schema")
@_OF
@json_option
def schema(*, of: str, as_json: bool) -> None:
    """Print the JSON Schema (2020-12) of a kind of agreement."""
    say(json.dumps(agreements.schema(of), indent=None if as_json else 2))


def _tell(session: Session, answer: bytes) -> None:
    if session.as_json:
        say_bytes(answer)
        return
    view = read(answer, AgreementView)
    what = view.of if view.of == view.name else f"{view.of} {view.name}"
    if view.tabled is None:
        digest = view.in_force.digest if view.in_force else ""
        say(f"The {what} {digest[:19]} is in force since {view.since}.")
        if view.of == "envelope" and view.in_force is not None:
            given = (f"{a.by} as {', '.join(a.functions)}" for a in view.in_force.granted)
            say(f"Agreed to by {'; '.join(given) or 'nobody'}.")
    else:
        say(f"The {what} {view.tabled.digest[:19]} is tabled; it needs {_needed(view.needs)}.")
        if view.tabled.denied:
            said_no = ", ".join(view.tabled.denied)
            say(f"It does not come into force while the no of {said_no} stands; a yes of theirs takes it back.")
            say(f"Next: glideslope agree diff {view.of} {view.name}")
            return
        say(f"Next: somebody else runs  glideslope agree answer {view.of} {view.name} -m WHY")


def _say_difference(view: AgreementView) -> None:
    if view.tabled is None:
        say("Nothing is tabled.")
        return
    say(f"{view.tabled.by}: {shown(view.tabled.why)}")
    if view.in_force is None:
        # Of a first one every line would be new: what it says is of use, and its text is one command away.
        say(f"No {view.of} of that name is in force. This one says:")
        for each in view.differences:
            say(f"  {each.removeprefix('new: ')}")
        say(f"As it was written:  glideslope agree show {view.of} {view.name} --tabled")
        return
    before = _lines(view.in_force)
    differences = list(
        difflib.unified_diff(before, _lines(view.tabled), "in force", f"tabled by {view.tabled.by}", lineterm="", n=2)
    )
    say("\n".join(differences) if differences else "Only comments or order differ.")
    for each in view.differences:
        say(f"  {each}")


def _lines(edition: EditionView) -> list[str]:
    return edition.text.splitlines()


def _needed(needs: tuple[NeedView, ...]) -> str:
    said = [n.function if n.count == 1 else f"{n.count} of {n.function}" for n in needs]
    return ", ".join(said) or "nothing more"


def _a(of: str) -> str:
    return f"an {of}" if of[0] in "aeiou" else f"a {of}"


def _text(path: Path) -> str:
    return decode(
        file_bytes(path, what="agreement", next_command="glideslope agree schema organisation"), file=str(path)
    ).text
