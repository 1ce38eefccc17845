"""The report as one page that needs nothing else: no script, no font, no picture from elsewhere, in light and in dark.

Its Content-Security-Policy allows its own style by hash and nothing more. Each drawing stands beside a table that says the same.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from glideslope.domain.decision import Verdict
from glideslope.evaluate.declared import PER_CLASS
from glideslope.evaluate.reporting import digest_of
from glideslope.evaluate.results import Behaviour, Bound, Figure, Level, Reliability, Report, Scenario
from glideslope.evaluate.telling import asked, interval
from glideslope.interfaces.cli.saying import visible
from glideslope.interfaces.cli.words import number

STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --ground: #ffffff; --panel: #f6f8fa;
  --pass: #1a7f37; --fail: #b3261e; --open: #8a5a00; --one: #0b5cad; --two: #6e7781; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9da7b1; --line: #3d444d; --ground: #0d1117; --panel: #161b22;
  --pass: #4ac26b; --fail: #ff7b72; --open: #d8a33c; --one: #6cb6ff; --two: #9da7b1; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); margin: 0 auto; padding: 1.5rem;
  max-width: 76rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; } p { margin: .4rem 0; max-width: 46rem; }
.soft { color: var(--soft); } .verdict { font-size: 1.15rem; padding: .6rem .9rem; border-left: .35rem solid; background: var(--panel); }
.pass { color: var(--pass); } .fail { color: var(--fail); } .inconclusive, .invalid, .skipped { color: var(--open); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; } caption { text-align: left; }
td.n, th.n { text-align: right; } .ends { white-space: nowrap; } td { min-width: 4.5rem; } code { font: 13px ui-monospace, monospace; overflow-wrap: anywhere; }
svg { display: block; max-width: 100%; height: auto; margin: .5rem 0; } svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.axis { stroke: var(--line); } .one { stroke: var(--one); fill: var(--one); } .two { stroke: var(--two); fill: var(--two); }
svg text.one, svg text.two { stroke: none; } svg text.one { fill: var(--one); } svg text.two { fill: var(--two); }
.s-pass { stroke: var(--pass); fill: var(--pass); } .s-fail { stroke: var(--fail); fill: var(--fail); }
.s-inconclusive, .s-invalid { stroke: var(--open); fill: var(--open); } .line { fill: none; stroke-width: 2; }
details { margin: .4rem 0; } summary { cursor: pointer; } ul { margin: .2rem 0 .2rem 1.1rem; padding: 0; }
"""

_SLICED: Final = {
    "binary": ("log_loss", "brier", "auc", "calibration_error"),
    "multiclass": ("log_loss", "accuracy", "macro_f1", "calibration_error"),
    "regression": ("mae", "rmse", "bias", "r2"),
}
"""The metrics by which slices are shown; by the first of them the worst is found."""
_BINS: Final = {
    "binary": "Rows in bins of equal count by the predicted probability, against the share of positives in each.",
    "multiclass": "Rows in bins of equal count by the probability of the most probable class, against the share of rows that are of it.",
    "regression": "Rows in bins of equal count by the prediction, against the mean outcome in each.",
}
_WORDS: Final = {
    Verdict.PASS: "met",
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.INVALID: "invalid",
}


def page(report: Report) -> str:
    """Write the page. Nothing in it is taken as markup that came from a file, a row or an answer."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    title = f"{report.model}: {report.candidate.version} against {report.incumbent.version} on {report.holdout}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
            *_head(report, title),
            *_targets(report),
            *_classes(report),
            *_slices(report),
            *_calibration(report.quality.reliability, report.kind),
            *_service(report.service),
            *_scenarios(report.quality.scenarios),
            *_leakage(report),
            *_provenance(report),
            "</main></body></html>",
            "",
        ]
    )


def _text(value: object) -> str:
    return escape(visible(str(value)))


def _row(cells: Iterable[str], *, head: bool = False, numbers: frozenset[int] = frozenset()) -> str:
    name = "th" if head else "td"
    scope = ' scope="col"' if head else ""
    return (
        "<tr>"
        + "".join(f"<{name}{scope}{' class=n' if k in numbers else ''}>{cell}</{name}>" for k, cell in enumerate(cells))
        + "</tr>"
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]], *, caption: str, numbers: Iterable[int] = ()) -> str:
    right = frozenset(numbers)
    body = "".join(_row(row, numbers=right) for row in rows)
    return (
        f'<div class="scroll"><table><caption class="soft">{_text(caption)}</caption>'
        f"<thead>{_row([_text(h) for h in heading], head=True, numbers=right)}</thead><tbody>{body}</tbody></table></div>"
    )


def _interval(figure: Figure, *, signed: bool = False) -> str:
    """Write a figure with its interval, whose two ends stay on one line."""
    value, bracket, ends = _text(interval(figure, signed=signed)).partition("[")
    return f'{value}<span class="ends">{bracket}{ends}</span>'


def _verdict(verdict: Verdict, *, skipped: bool = False) -> str:
    return (
        '<span class="skipped">skipped</span>'
        if skipped
        else f'<strong class="{verdict.value}">{_WORDS[verdict]}</strong>'
    )


def _head(report: Report, title: str) -> Iterator[str]:
    quality = report.quality
    word, kind = (
        ("All that was asked is met.", "pass") if report.met else ("Not everything that was asked is met.", "fail")
    )
    if not report.met and not report.failed:
        kind = "inconclusive"
    yield f"<h1>{_text(title)}</h1>"
    yield f'<p class="soft">Measured offline, {_text(report.began_at)} to {_text(report.ended_at)}. Nobody was exposed.</p>'
    yield (
        f'<p class="verdict {kind}"><strong>{word}</strong> {report.passed} met, {report.failed} failed, {report.inconclusive} inconclusive. '
        "Inconclusive is not a pass.</p>"
    )
    trained = (
        "nobody said how many rows were learned from"
        if quality.train_rows is None
        else f"{quality.train_rows:,} rows were learned from"
    )
    yield (
        f"<p>{quality.rows:,} held-out rows in {quality.groups:,} groups{_outcomes(report)}; {trained}. Intervals have a "
        f"confidence of {report.confidence * 100:g}% each. A target is met when all of its interval is on the right side.</p>"
    )


def _outcomes(report: Report) -> str:
    """Say what the held-out rows' outcomes are."""
    quality = report.quality
    if isinstance(quality.positives, int):
        return f", {quality.positives:,} of them positive"
    outcomes = quality.outcomes or {}
    if report.kind == "multiclass":
        return _text(": " + ", ".join(f"{int(count):,} {name}" for name, count in outcomes.items()))
    return _text(
        f"; outcomes from {number(outcomes['least'])} to {number(outcomes['most'])}, on average {number(outcomes['mean'])}"
    )


def _targets(report: Report) -> Iterator[str]:
    rows = [
        (comparison, bound)
        for comparison in (*report.quality.comparisons, *report.service_comparisons)
        for bound in comparison.bounds
    ]
    yield "<h2>What was asked</h2>"
    yield _forest([(f"{c.metric} {c.slice}, {asked(c, b)}", b) for c, b in rows])
    yield _table(
        ["verdict", "metric", "of", "asked", "incumbent", "candidate", "candidate - incumbent", "beyond it by"],
        [
            [
                _verdict(b.verdict),
                _text(c.metric),
                _text(c.slice),
                _text(asked(c, b)),
                _value(c.incumbent, c.unit),
                _value(c.candidate, c.unit),
                _interval(c.difference, signed=True),
                _interval(b.excess, signed=True),
            ]
            for c, b in rows
        ],
        caption="Each target with both arms' values and the interval that was judged",
        numbers=(4, 5, 6, 7),
    )


def _value(figure: Figure, unit: str) -> str:
    shown = number(figure.value)
    return _text(f"{shown} {unit}".strip())


def _forest(rows: Sequence[tuple[str, Bound]]) -> str:
    """Draw each bound's excess in widths of its own interval, with zero as the line that must not be crossed."""
    height, left, width = 24, 330, 340
    parts = []
    for k, (label, bound) in enumerate(rows):
        y = 30 + k * height
        low, value, high = bound.excess.low, bound.excess.value, bound.excess.high
        parts.append(f'<text x="0" y="{y + 4}">{_text(label[:52])}</text>')
        known = [abs(each) for each in (low, value, high) if each is not None]
        if value is None or low is None or high is None or not known:
            parts.append(f'<text x="{left + width / 2 + 8:.0f}" y="{y + 4}">no interval</text>')
            continue
        scale = (width / 2 - 10) / (max(known) or 1.0)
        x = [left + width / 2 + each * scale for each in (low, value, high)]
        style = f"s-{bound.verdict.value}"
        parts.append(f'<line class="{style}" x1="{x[0]:.1f}" y1="{y}" x2="{x[2]:.1f}" y2="{y}" stroke-width="3"/>')
        parts.append(f'<circle class="{style}" cx="{x[1]:.1f}" cy="{y}" r="4"/>')
    bottom = 30 + len(rows) * height
    middle = left + width / 2
    return (
        f'<svg viewBox="0 0 {left + width} {bottom}" width="{left + width}" height="{bottom}" role="img" aria-label="Intervals of how far '
        'each target is exceeded; the table below says the same">'
        f'<text x="{middle - 6:.0f}" y="12" text-anchor="end">kept</text><text x="{middle + 6:.0f}" y="12">exceeded</text>'
        f'<line class="axis" x1="{middle}" y1="16" x2="{middle}" y2="{bottom}"/>{"".join(parts)}</svg>'
    )


def _classes(report: Report) -> Iterator[str]:
    """Show each class of a multiclass outcome: how many of its rows are told as it, and its F1 score."""
    found = {(c.metric, c.slice): c for c in report.quality.comparisons if c.metric in PER_CLASS}
    if not found:
        return
    yield "<h2>Classes</h2>"
    yield _table(
        [
            "class",
            "rows",
            "groups",
            *(f"{m}, {what}" for m in PER_CLASS for what in ("incumbent", "candidate", "difference")),
        ],
        [
            [
                _text(name.partition("=")[2]),
                f"{found[PER_CLASS[0], name].count:,}",
                f"{found[PER_CLASS[0], name].groups:,}",
                *(
                    cell
                    for m in PER_CLASS
                    for c in (found[m, name],)
                    for cell in (
                        _value(c.incumbent, ""),
                        _value(c.candidate, ""),
                        _interval(c.difference, signed=True),
                    )
                ),
            ]
            for name in dict.fromkeys(name for _, name in found)
        ],
        caption="Recall: of a class's rows the share that is told as it. F1: the harmonic mean of recall and precision",
        numbers=range(1, 9),
    )


def _slices(report: Report) -> Iterator[str]:
    metrics = _SLICED[report.kind]
    found = {(c.metric, c.slice): c for c in report.quality.comparisons if c.metric in metrics}
    names = list(dict.fromkeys(name for _, name in found))
    if len(names) == 1:
        return
    first = metrics[0]
    worst = max(
        (c for c in found.values() if c.metric == first and c.slice != "all" and c.difference.value is not None),
        key=lambda c: c.difference.value or 0.0,
        default=None,
    )
    yield "<h2>Slices and seasons</h2>"
    if worst is not None:
        yield f"<p>Worst for the candidate by {first.replace('_', ' ')}: <strong>{_text(worst.slice)}</strong>, {_interval(worst.difference, signed=True)}.</p>"
    yield _table(
        ["slice", "rows", "groups", *(f"{m}, candidate - incumbent" for m in metrics)],
        [
            [
                _text(name),
                f"{found[first, name].count:,}",
                f"{found[first, name].groups:,}",
                *(_interval(found[m, name].difference, signed=True) for m in metrics),
            ]
            for name in names
        ],
        caption="How the arms differ in each part of the rows",
        numbers=range(1, 3 + len(metrics)),
    )


def _calibration(bins: Sequence[Reliability], kind: str) -> Iterator[str]:
    if not bins:
        return
    yield "<h2>Calibration</h2>"
    size, pad = 300, 44
    yield f"<p>{_BINS[kind]} On the thin line, what was predicted happened.</p>"
    low, high = 0.0, 1.0
    if kind == "regression":
        ends = [end for b in bins for end in (b.predicted, b.happened)]
        low, high = min(ends), max(ends)
    width = (high - low) or 1.0

    def x(p: float) -> float:
        return pad + (p - low) / width * size

    def y(p: float) -> float:
        return pad / 2 + (1 - (p - low) / width) * size

    left, right, top, bottom = x(low), x(high), y(high), y(low)
    drawn = [
        f'<path class="axis" fill="none" d="M{left:.1f} {top:.1f}V{bottom:.1f}H{right:.1f}M{left:.1f} {bottom:.1f}L{right:.1f} {top:.1f}"/>',
        *(f'<text x="{x(p):.0f}" y="{bottom + 16:.0f}" text-anchor="middle">{number(p)}</text>' for p in (low, high)),
        *(f'<text x="{left - 6:.0f}" y="{y(p) + 4:.0f}" text-anchor="end">{number(p)}</text>' for p in (low, high)),
        f'<text x="{(left + right) / 2:.0f}" y="{bottom + 32:.0f}" text-anchor="middle">predicted</text>',
        f'<text transform="translate({left - 16:.0f} {(top + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">happened</text>',
    ]
    for k, (arm, style) in enumerate((("candidate", "one"), ("incumbent", "two"))):
        drawn.append(f'<text class="{style}" x="{left + 10:.0f}" y="{top + 12 + 16 * k:.0f}">{arm}</text>')
    for arm, style in (("incumbent", "two"), ("candidate", "one")):
        points = " ".join(f"{x(b.predicted):.1f},{y(b.happened):.1f}" for b in bins if b.arm == arm)
        drawn.append(f'<polyline class="{style} line" points="{points}"><title>{arm}</title></polyline>')
        drawn += [
            f'<circle class="{style}" cx="{x(b.predicted):.1f}" cy="{y(b.happened):.1f}" r="3"/>'
            for b in bins
            if b.arm == arm
        ]
    yield (
        f'<svg viewBox="0 0 {size + 2 * pad} {size + 2 * pad}" width="{size + 2 * pad}" height="{size + 2 * pad}" role="img" '
        f'aria-label="What happened against what was predicted; the table below says the same">{"".join(drawn)}</svg>'
    )
    yield "<details><summary>The same as a table</summary>"
    yield _table(
        ["arm", "predicted", "happened", "rows"],
        [[_text(b.arm), number(b.predicted), number(b.happened), f"{b.count:,}"] for b in bins],
        caption="Bins of equal count",
        numbers=(1, 2, 3),
    )
    yield "</details>"


def _service(levels: Sequence[Level]) -> Iterator[str]:
    if not levels:
        return
    yield "<h2>Under load</h2>"
    yield "<p>Open loop: latency counts from the moment at which a request was due, waiting included. Our own lateness counts too, so it can only make figures worse.</p>"
    yield _ladder(levels)
    rows = []
    for level in levels:
        for arm, carried, verdict in (
            ("candidate", level.candidate, level.candidate_verdict),
            ("incumbent", level.incumbent, level.incumbent_verdict),
        ):
            cpu = "-" if carried.cpu_per_thousand is None else number(carried.cpu_per_thousand.value)
            rows.append(
                [
                    _text(level.name),
                    arm,
                    f"{carried.offered:,}",
                    f"{carried.failed:,}",
                    _interval(carried.carried),
                    *(_interval(each) for each in (carried.latency_p50, carried.latency_p95, carried.latency_p99)),
                    cpu,
                    number(carried.sent_late_p99),
                    {Verdict.PASS: "carried", Verdict.FAIL: "not carried"}.get(verdict, "in doubt"),
                ]
            )
    yield _table(
        [
            "load",
            "arm",
            "requests",
            "failed",
            "share in time",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "CPU s per 1,000",
            "our p99 lateness ms",
            "",
        ],
        rows,
        caption="Each load, both arms in alternating rounds",
        numbers=range(2, 10),
    )


def _ladder(levels: Sequence[Level]) -> str:
    width, height, pad = 520, 200, 44
    top = max((c.latency_p99.value or 0.0) for level in levels for c in (level.candidate, level.incumbent)) or 1.0
    drawn = [
        f'<line class="axis" x1="{pad}" y1="{height}" x2="{pad + width}" y2="{height}"/>',
        f'<text x="0" y="24">{number(top)} ms</text><text x="0" y="{height}">0 ms</text>',
    ]
    for k, level in enumerate(levels):
        x = pad + (k + 0.5) * width / len(levels)
        drawn.append(f'<text x="{x:.0f}" y="{height + 18}" text-anchor="middle">{_text(level.name)}</text>')
        for shift, style, arm, carried in (
            (-9, "one", "candidate", level.candidate),
            (9, "two", "incumbent", level.incumbent),
        ):
            p50, p99 = (
                height - (f.value or 0.0) / top * (height - 20) for f in (carried.latency_p50, carried.latency_p99)
            )
            drawn.append(
                f'<line class="{style}" x1="{x + shift:.1f}" x2="{x + shift:.1f}" y1="{p50:.1f}" y2="{p99:.1f}" stroke-width="4"><title>{arm}, p50 to p99'
                f'</title></line><circle class="{style}" cx="{x + shift:.1f}" cy="{p50:.1f}" r="4"/>'
            )
    return (
        f'<svg viewBox="0 0 {width + 2 * pad} {height + 46}" width="{width + 2 * pad}" height="{height + 46}" role="img" aria-label="Latency from p50 '
        f'to p99 at each load; the table below says the same">{"".join(drawn)}<text x="{pad}" y="{height + 38}">p50 (dot) to p99; blue: candidate, '
        "grey: incumbent</text></svg>"
    )


def _scenarios(scenarios: Sequence[Scenario]) -> Iterator[str]:
    yield "<h2>Scenarios</h2>"
    rows = [
        [
            _verdict(each.verdict, skipped=each.skipped),
            _text(each.name),
            _text(each.expected) + (f" ({each.allow * 100:g}% may not)" if each.allow else ""),
            *(_behaviour(b) for b in (each.candidate, each.incumbent)),
            _examples(each.candidate) if each.candidate else _text(each.why),
        ]
        for each in scenarios
    ]
    yield _table(
        ["verdict", "scenario", "expected", "candidate", "incumbent", "examples of the candidate"],
        rows,
        caption="Controlled variation of the rows",
    )


def _behaviour(b: Behaviour | None) -> str:
    if b is None:
        return "-"
    worst = "" if b.worst is None else f"; largest move {number(b.worst)}"
    crashed = f"; its server ended {b.crashes} times" if b.crashes else ""
    return f"{b.broken:,} of {b.cases:,} broken {_interval(b.share)}; {b.answered:,} answered, {b.refused:,} refused{worst}{crashed}"


def _examples(b: Behaviour) -> str:
    if not b.examples:
        return "none broken"
    return (
        "<ul>" + "".join(f"<li>row {e.row}, {_text(e.changed)}: {_text(e.answer)}</li>" for e in b.examples) + "</ul>"
    )


def _leakage(report: Report) -> Iterator[str]:
    yield "<h2>Leakage</h2>"
    yield _table(
        ["verdict", "check", "found"],
        [
            [
                _verdict(leak.verdict, skipped=leak.skipped),
                _text(leak.check),
                _text(leak.sentence)
                + ("<ul>" + "".join(f"<li>{_text(e)}</li>" for e in leak.examples) + "</ul>" if leak.examples else ""),
            ]
            for leak in report.quality.leakage
        ],
        caption="What the rows themselves tell",
    )


def _provenance(report: Report) -> Iterator[str]:
    yield "<h2>What this rests on</h2>"
    facts = [
        *(
            (f"{arm}", f"{v.version}, {v.served}, folder {v.digest or 'not declared'}")
            for arm, v in (("candidate", report.candidate), ("incumbent", report.incumbent))
        ),
        *((f"rows {name}", digest) for name, digest in report.files.items()),
        ("held-out rows", report.quality.test_digest),
        ("training rows", report.quality.train_digest or "nobody said"),
        ("quality", report.quality_digest),
        ("this report (report.json)", digest_of(report)),
        *report.measured_with.items(),
        ("seed", str(report.seed)),
    ]
    yield _table(
        ["what", "which"],
        [[_text(name), f"<code>{_text(value)}</code>"] for name, value in facts],
        caption="Digests are SHA-256",
    )
    yield "<p class=soft>A holdout tells what was, of the rows that were kept. What it cannot tell is in the documentation: offline evidence.</p>"
