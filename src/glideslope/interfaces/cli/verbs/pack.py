"""`glideslope pack`: the evidence pack of one change, as one file that a stranger can check."""

import io
import json
import zipfile
from hashlib import sha256
from pathlib import Path

import click

from glideslope.domain.errors import Invalid
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.exits import NotGlideslope
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, rollout_of, talks
from glideslope.interfaces.document import printed
from glideslope.ledger import checkpoint, note
from glideslope.ledger.errors import LedgerError


@click.command("pack")
@click.argument("rollout")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Where to write it, if not to ROLLOUT.pack.zip.")
@click.option("--html", is_flag=True, help="Write its page beside it, too: FILE.html.")
@click.option("--pdf", is_flag=True, help="Write it as sheets of paper, too: FILE.pdf (needs the extra `pdf`).")
@click.option(
    "--checkpoint",
    "size",
    type=click.IntRange(min=1),
    metavar="N",
    help="At the signed checkpoint over the first N entries.",
)
@click.option(
    "--published",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A checkpoint that was given away: the pack proves that it is a part of the ledger; repeatable.",
)
@talks
def command(
    session: Session,
    *,
    rollout: str,
    out: Path | None,
    html: bool,
    pdf: bool,
    size: int | None,
    published: tuple[Path, ...],
) -> None:
    """Write the evidence pack of ROLLOUT (or of a model's newest): records, entries, proofs, and a page of summary.

    Who has it and the ledger's public key checks it offline with verifier/glideslope_verify.py, which needs Python alone.
    """
    name = rollout_of(session, rollout)
    path = out or Path(f"{name}.pack.zip")
    query = [f"published={_size(each)}" for each in published] + ([] if size is None else [f"checkpoint={size}"])
    data = session.get(at("rollouts", name, "pack") + (f"?{'&'.join(query)}" if query else ""))
    page = _page(data)
    _write(path, data)
    beside = path.with_name(f"{path.name}.html")
    sheets = path.with_name(f"{path.name}.pdf")
    if html:
        _write(beside, page)
    if pdf:
        footer = f"{path.name}   SHA-256 {sha256(data).hexdigest()}"
        _write(sheets, printed.pdf(page.decode(), footer=footer))
    if session.as_json:
        written = {"page": str(beside) if html else None, "pdf": str(sheets) if pdf else None}
        say(json.dumps({"rollout": name, "file": str(path), "bytes": len(data), **written}))
        return
    say(
        f"Wrote {path}: {len(data):,} bytes."
        + (f" Its page is {beside}." if html else " Its page is summary.html in it.")
        + (f" On paper it is {sheets}, which names the pack's digest and proves nothing itself." if pdf else "")
    )
    say(f"Check it with the key that you wrote down:  python glideslope_verify.py {path} --key KEY")


def _size(path: Path) -> int:
    try:
        return checkpoint.parse(note.parse(file_bytes(path, what="checkpoint")).text).size
    except LedgerError as error:
        raise Invalid(f"{str(path)!r} is not a signed checkpoint: {error}.") from None


def _page(data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as pack:
            return pack.read("summary.html")
    except (zipfile.BadZipFile, KeyError) as error:
        raise NotGlideslope(why=f"its pack has no page: {error}") from error


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Invalid(f"{str(path)!r} cannot be written: {error.strerror}.") from None
