"""What the terminal shows: progress while it is measured, and what was found."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from glideslope.domain.decision import Verdict
from glideslope.evaluate.results import Bound, Comparison, Figure, Report
from glideslope.interfaces.cli.saying import visible
from glideslope.interfaces.cli.words import number, table

_WORDS: Final = {
    Verdict.PASS: "met",
    Verdict.FAIL: "FAILED",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.INVALID: "invalid",
}
_EVERY: Final = 5.0
"""Seconds between lines where nobody sees a line change."""


class Progress:
    """Says how far it is: one line that changes on a terminal, a line now and then elsewhere."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._stream = stream
        self._lively = stream.isatty()
        self._quiet = quiet
        self._said = 0.0

    def resumed(self, parts: int) -> None:
        """Say that something was measured before."""
        if parts > 1 and not self._quiet:
            self._stream.write(f"Going on: {parts - 1} parts were measured before and are not measured again.\n")

    def finished(self, part: str, done: int, total: int) -> None:
        """Say that a part is finished."""
        if self._quiet:
            return
        line = visible(f"[{done}/{total}] {part}")
        if self._lively:
            self._stream.write(f"\r\x1b[K{line[:100]}")
        elif done == total or time.monotonic() - self._said > _EVERY:
            self._stream.write(f"{line}\n")
            self._said = time.monotonic()
        self._stream.flush()

    def interrupted(self, parts: int, work: Path) -> None:
        """Say what is kept after Ctrl-C, and how it goes on."""
        self.clear()
        self._stream.write(
            f"Interrupted; the servers are ended, and {parts} finished parts are in {visible(str(work))}. Nothing is judged. "
            "Call it again to go on, with --again to begin anew.\n"
        )

    def clear(self) -> None:
        """Leave the line to what comes next."""
        if self._lively and not self._quiet:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def summary(report: Report, *, work: Path) -> list[str]:
    """Say for people what was found."""
    lines = [
        f"{report.model}: {report.incumbent.version} -> {report.candidate.version} on {report.holdout}",
        f"{report.quality.rows:,} rows in {report.quality.groups:,} groups",
        "",
        *table([["metric", "of", "incumbent", "candidate", "difference", "asked", "verdict"], *_asked(report)]),
        "",
    ]
    for leak in report.quality.leakage:
        word = "skipped" if leak.skipped else _WORDS[leak.verdict]
        lines.append(f"  leakage {leak.check}: {word}. {leak.sentence}")
        lines += [f"    {example}" for example in leak.examples]
    lines.append("")
    for each in report.quality.scenarios:
        if each.skipped:
            lines.append(f"  {each.name}: skipped. {each.why}")
        elif each.candidate is None:
            lines.append(f"  {each.name}: {_WORDS[each.verdict]} ({each.why})")
        else:
            broken = f"{each.candidate.broken} of {each.candidate.cases} broken"
            crashed = f", its server ended {each.candidate.crashes} times" if each.candidate.crashes else ""
            lines.append(f"  {each.name}: {_WORDS[each.verdict]}. Expected: {each.expected}; {broken}{crashed}.")
            lines += [f"    row {one.row}, {one.changed}: {one.answer}" for one in each.candidate.examples]
    lines.append("")
    word = (
        "All is met."
        if report.met
        else f"Not met: {report.failed} failed, {report.inconclusive} inconclusive, {report.passed} met."
    )
    lines += [word, f"Report: {work / 'report.html'} ({work / 'report.json'})"]
    lines.append(
        f"Next: glideslope register {report.model} {report.candidate.version} --evaluation {work / 'evaluations.json'} ..."
    )
    lines.append(
        f"      glideslope facts record {report.model} {report.candidate.version} --measured {work / 'measured.json'} ..."
    )
    return [visible(line) for line in lines]


def _asked(report: Report) -> Iterator[list[str]]:
    for comparison in (*report.quality.comparisons, *report.service_comparisons):
        if not comparison.bounds and comparison.slice == "all":
            yield [*_row(comparison), "-", "-"]
        for bound in comparison.bounds:
            yield [*_row(comparison), asked(comparison, bound), _WORDS[bound.verdict]]


def _row(comparison: Comparison) -> list[str]:
    return [
        comparison.metric,
        comparison.slice,
        number(comparison.incumbent.value),
        number(comparison.candidate.value),
        interval(comparison.difference, signed=True),
    ]


def asked(comparison: Comparison, bound: Bound) -> str:
    """Say what was asked."""
    if bound.kind == "limit":
        return f"{'at least' if comparison.higher_is_better else 'at most'} {bound.tolerance}"
    return f"worse by at most {bound.tolerance}"


def interval(figure: Figure, *, signed: bool = False) -> str:
    """Write a figure with its interval; `?` where a side is open."""
    low, high = (("?" if end is None else number(end, signed=signed)) for end in (figure.low, figure.high))
    return f"{number(figure.value, signed=signed)} [{low}, {high}]"
