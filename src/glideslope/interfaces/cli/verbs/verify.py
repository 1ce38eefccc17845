"""`glideslope verify`: checks a ledger as a stranger would, and recomputes every decision. Loads no engine, no server, no store."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import msgspec

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.replay import ReplayReport, replay
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.ledger import bundle, entry, note
from glideslope.ledger import verify as ledger
from glideslope.ledger.entry import Entry
from glideslope.ledger.errors import BundleError, LedgerError
from glideslope.ledger.verify import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, of the ledger or of a decision. Entries and lines count from 1."""

    of: str
    code: str
    severity: str
    entry: int | None
    line: int | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found of a ledger and of the decisions in it."""

    report: Report
    replayed: ReplayReport
    findings: list[Finding]
    sound: bool


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--key", metavar="VKEY", help="The ledger's public key, or a file that holds it, as you wrote it down.")
@click.option(
    "--earlier", type=click.Path(path_type=Path), multiple=True, help="A checkpoint that you kept; may be repeated."
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Save the bundle that was fetched.")
@talks
@click.pass_context
def command(
    ctx: click.Context,
    session: Session,
    *,
    file: Path | None,
    key: str | None,
    earlier: tuple[Path, ...],
    out: Path | None,
) -> None:
    """Verify the ledger in FILE, offline; without FILE, fetch it from the server first.

    Every entry is checked against the signed checkpoints, and every decision is made again from the evidence in the record.
    """
    if file is not None and out is not None:
        raise click.UsageError("--out saves what was fetched; with FILE nothing is.")
    if file is not None and key is None:
        raise click.UsageError(
            "Say which key you trust: --key, as `glideslope verify` printed it when you fetched the ledger."
        )
    with contextlib.ExitStack() as stack:
        if file is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            file = _fetched(session, out or Path(folder) / "ledger.bundle")
            if key is None:
                key = _key_of_server(session)
        found = examine(file, key=trusted(key or ""), earlier=[file_bytes(path, what="checkpoint") for path in earlier])
    if session.as_json:
        session.say_json(_document(found))
    else:
        tell(found)
    if not found.sound:
        ctx.exit(Exit.NOT_VERIFIED)


def examine(file: Path, *, key: note.Verifier, earlier: list[bytes]) -> Examination:
    """Check a ledger's file and make its decisions again. Raises NotFound and Invalid for one that cannot be read."""
    report = _checked(file, key=key, earlier=earlier)
    replayed, lines = _replayed(file)
    return Examination(
        report=report,
        replayed=replayed,
        findings=_findings(report, replayed, lines),
        sound=report.ok and not replayed.findings,
    )


def examined(file: Path, *, vkey: str) -> dict[str, Any]:
    """Do the same with a key as it is written down, and return what `--json` prints. Raises Invalid, NotFound."""
    return _document(examine(file, key=trusted(vkey), earlier=[]))


def _fetched(session: Session, path: Path) -> Path:
    say("Fetching the ledger from the server; everything after that is checked here, offline.", err=True)
    with path.open("wb") as saved:
        for line in session.api.stream(at("ledger")):
            saved.write(line + b"\n")
    return path


def _key_of_server(session: Session) -> str:
    vkey = read(session.get(at("ledger", "key")), _Key).vkey
    say(
        f"The key comes from the server itself, so this shows that the record is sound, not whose it is. Write it down:\n  {vkey}",
        err=True,
    )
    return vkey


class _Key(msgspec.Struct):
    vkey: str


def trusted(text: str) -> note.Verifier:
    """Read a key, or the file that holds it. Raises Invalid."""
    path = Path(text)
    with contextlib.suppress(OSError, UnicodeDecodeError):  # a key is a poor name for a file
        if path.is_file():
            text = file_bytes(path, what="key").decode()
    try:
        return note.Verifier.parse(text.strip())
    except LedgerError as error:
        raise Invalid(f"The key cannot be read: {error}.") from None


def _checked(path: Path, *, key: note.Verifier, earlier: list[bytes]) -> Report:
    try:
        # A pipe can be read once and a device for ever.
        if path.exists() and not path.is_file():
            raise Invalid(f"{str(path)!r} is not a regular file. Save the ledger to one first.")
        with path.open("rb") as file:
            return ledger.verify(bundle.lines(file.readline), trusted=[key], earlier=earlier)
    except FileNotFoundError:
        raise NotFound(what="ledger file", name=str(path), next_command="glideslope verify") from None
    except OSError as error:
        raise Invalid(f"The ledger file {str(path)!r} cannot be read: {error.strerror}.") from None


def _replayed(path: Path) -> tuple[ReplayReport, list[int]]:
    """Replay what can be read of the entries; return also the line of each. What cannot be read is found by `verify`."""
    lines: list[int] = []
    with path.open("rb") as raw:
        return replay(_entries(bundle.lines(raw.readline), lines)), lines


def _entries(raw: Iterator[bytes], lines: list[int]) -> Iterator[Entry]:
    try:
        head = bundle.read_head(raw)
        for number, line in enumerate(raw, start=head.first_line):
            try:
                found = entry.decode(line[bundle.HASH_LENGTH + 1 : -1])
            except LedgerError:
                continue
            lines.append(number)
            yield found
    except BundleError:
        return


def _findings(report: Report, replayed: ReplayReport, lines: list[int]) -> list[Finding]:
    first = lines[0] if lines else 0
    return (
        [
            Finding(
                of="ledger",
                code=f.code.value,
                severity=f.severity.value,
                entry=f.entry,
                line=f.line,
                sentence=f.sentence,
            )
            for f in report.findings
        ]
        + [
            Finding(
                of="decisions",
                code=f.flaw.value,
                severity="error",
                entry=lines[f.position] - first + 1,
                line=lines[f.position],
                sentence=f"{f.stream} version {f.version}: {f.sentence}",
            )
            for f in replayed.findings
        ]
        + [
            Finding(
                of="decisions",
                code="findings-omitted",
                severity="warning",
                entry=None,
                line=None,
                sentence=f"{count:,} more findings of the code {flaw} are not listed.",
            )
            for flaw, count in replayed.omitted
        ]
    )


def _document(found: Examination) -> dict[str, Any]:
    report, replayed = found.report, found.replayed
    return {
        "ok": found.sound,
        "entries": report.entries,
        "streams": report.streams,
        "closed": len(report.closed),
        "checkpoints": report.checkpoints,
        "root": report.root.hex(),
        "rollouts": replayed.rollouts,
        "decisions": replayed.decisions,
        "orders": replayed.orders,
        "classifications": replayed.classifications,
        "findings": [asdict(each) for each in found.findings],
    }


def tell(found: Examination) -> None:
    """Say in the terminal what was found."""
    report, replayed = found.report, found.replayed
    say(
        f"{'OK' if found.sound else 'FAILED'}  {report.entries:,} entries in {report.streams:,} streams, root {report.root.hex()[:16]}"
    )
    say(
        f"  {report.checkpoints:,} checkpoints are signed by the key and match; {len(report.closed):,} streams are closed and whole"
    )
    say(
        f"  {replayed.decisions:,} decisions of {replayed.rollouts:,} rollouts were made again from their evidence and are the same; "
        f"{replayed.orders:,} orders by people were possible"
    )
    if replayed.classifications:
        say(f"  {replayed.classifications:,} classifications by envelopes were made again and are the same")
    for each in found.findings:
        where = " ".join(f"{word} {n}" for word, n in (("entry", each.entry), ("line", each.line)) if n is not None)
        say(f"  {each.severity}[{each.code}] {f'{where}: ' if where else ''}{each.sentence}")
