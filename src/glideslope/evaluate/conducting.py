"""`glideslope evaluate` from beginning to end: read, measure, write the report, say what was found."""

import asyncio
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from glideslope.domain.errors import Invalid
from glideslope.evaluate import measuring, page, reporting, rows, telling
from glideslope.evaluate.journal import Journal
from glideslope.evaluate.reading import read
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.document.text import decode
from glideslope.sdk.digest import folder_digest

REPORT: Final = "report.json"
PAGE: Final = "report.html"
REGISTERED: Final = "evaluations.json"
MEASURED: Final = "measured.json"


def conduct(file: Path, *, work: Path | None, again: bool, write_split: Path | None, as_json: bool) -> int:
    """Evaluate what a file declares, and return the exit status: 0 when all is met, 1 when not, 130 after Ctrl-C.

    Writes report.json, report.html, evaluations.json and measured.json into the working folder, beside the file unless said otherwise.
    Raises EvaluationInvalid, RowsInvalid, NotFound, EvaluationChanged, EvaluationRunning, ServerNotReady.
    """
    text = decode(file_bytes(file, what="evaluation"), file=str(file)).text
    written, tree = read(text, file=str(file))
    folder = file.parent
    prepared = rows.prepare(written, tree, folder=folder)
    if write_split is not None:
        return _write_split(prepared, write_split, as_json=as_json)
    work = work or folder / f"{file.stem}.work"
    declared = measuring.plain(written)
    inputs = measuring.inputs(written, prepared, folder=folder, digest=folder_digest)
    progress = telling.Progress(sys.stderr, quiet=as_json)
    with Journal(work, inputs=inputs, again=again) as journal:
        progress.resumed(len(journal))
        began_at = _moment(journal, "began_at", anew=False)
        run = measuring.Run(written, declared, prepared, journal, folder, work, progress.finished)
        try:
            quality, levels, service = asyncio.run(run.measure())
        except KeyboardInterrupt:
            progress.interrupted(len(journal), work)
            return Exit.INTERRUPTED
        ended_at = _moment(journal, "ended_at", anew=run.fresh > 0)
        report = reporting.report_of(
            written,
            declared,
            quality,
            levels,
            service,
            digests={arm: inputs[f"the {arm}'s folder"] for arm in measuring.ARMS if f"the {arm}'s folder" in inputs},
            files=prepared.files,
            measured_with=measuring.measured_with(),
            began_at=began_at,
            ended_at=ended_at,
        )
        _write(work / REPORT, reporting.content_of(report))
        _write(work / PAGE, page.page(report).encode())
        _write(work / REGISTERED, msgspec.json.format(msgspec.json.encode(reporting.registered(report))) + b"\n")
        _write(work / MEASURED, msgspec.json.format(msgspec.json.encode(reporting.measured(report))) + b"\n")
    progress.clear()
    if as_json:
        say(reporting.content_of(report).decode())
    else:
        say("\n".join(telling.summary(report, work=work)))
    return Exit.DONE if report.met else Exit.FAILED


def _write_split(prepared: rows.Prepared, folder: Path, *, as_json: bool) -> int:
    """Write both sides of the split, so that a trainer learns from exactly the rows that are not held out."""
    if prepared.train is None:
        raise Invalid("There are no training rows to write: say `data.file` and a `split`, or `data.train`.")
    folder.mkdir(parents=True, exist_ok=True)
    sides = {"train": prepared.train, "test": prepared.test}
    for name, part in sides.items():
        rows.write_lines(part, folder / f"{name}.jsonl")
    if as_json:
        say(
            msgspec.json.encode(
                {name: {"rows": len(part), "digest": part.digest} for name, part in sides.items()}
            ).decode()
        )
    else:
        say("\n".join(f"{folder / name}.jsonl: {len(part):,} rows, {part.digest}" for name, part in sides.items()))
    return Exit.DONE


def _moment(journal: Journal, name: str, *, anew: bool) -> str:
    """Return when something happened: what was noted when it did, so that the same measurements give the same report."""
    noted = None if anew else journal.get(name, str)
    if noted is None:
        noted = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        journal.put(name, noted)
    return noted


def _write(path: Path, content: bytes) -> None:
    """Put a file there whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(path)
