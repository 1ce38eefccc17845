"""`glideslope document`: the other documents about a version, from what the ledger says."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from glideslope.engine.version_record import VersionRecordView
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import Session, at, read, talks
from glideslope.interfaces.document import papers
from glideslope.interfaces.document.paper import Paper, markdown, page


@click.group("document", no_args_is_help=True)
def command() -> None:
    """Print a document about a version: evaluation report, rollback plan or failure modes."""


def _documented(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "-o", "--output", type=click.Path(path_type=Path), help="Where to write it, if not to the terminal."
        ),
        click.option("--html", is_flag=True, help="Write one page of HTML instead of Markdown."),
        click.argument("version"),
        click.argument("model"),
    ):
        function = option(function)
    return function


@command.command("evaluation")
@talks
@_documented
def evaluation(session: Session, *, model: str, version: str, html: bool, output: Path | None) -> None:
    """Print what was measured of VERSION of MODEL, offline and on live traffic."""
    _write(session, papers.evaluation(_known(session, model, version)), html=html, output=output)


@command.command("rollback-plan")
@talks
@_documented
def rollback_plan(session: Session, *, model: str, version: str, html: bool, output: Path | None) -> None:
    """Print how the newest rollout of VERSION of MODEL goes back, and how long that took before."""
    known = _known(session, model, version)
    before = _known(session, model, known.attempts[-1].plan.incumbent) if known.attempts else None
    _write(session, papers.rollback_plan(known, incumbent_record=before), html=html, output=output)


@command.command("failure-modes")
@talks
@_documented
def failure_modes(session: Session, *, model: str, version: str, html: bool, output: Path | None) -> None:
    """Print how VERSION of MODEL may fail, each way with its test; those without one are named."""
    _write(session, papers.failure_modes(_known(session, model, version)), html=html, output=output)


def _known(session: Session, model: str, version: str) -> VersionRecordView:
    return read(session.get(at("models", model, "versions", version)), VersionRecordView, exact=True)


def _write(session: Session, paper: Paper, *, html: bool, output: Path | None) -> None:
    text = page(paper) if html else markdown(paper)
    if output is not None:
        output.write_text(text, encoding="utf-8")
    if session.as_json:
        say(json.dumps({"title": paper.title, "file": None if output is None else str(output), "text": text}))
    elif output is None:
        say(text, nl=False)
    else:
        say(f"Wrote {output}.")
