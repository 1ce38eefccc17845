"""What `watch` draws with characters alone: an interval against its margin, a share, a state. ASCII, so that any terminal shows it."""

from collections.abc import Sequence
from typing import Final

from glideslope.engine.inbox_views import ItemView
from glideslope.engine.views import GuardrailView, RolloutView, StepView
from glideslope.interfaces.cli.words import percent, span

MARKS: Final = {
    "proven": "+",
    "harm": "x",
    "beyond its limit": "x",
    "watching": "~",
    "no evidence": "?",
    "not in a shadow": "-",
    "shown": "-",
}
"""A shape before each word, so that none rests on colour."""
PHASE_MARKS: Final = {
    "proposed": "?",
    "running": ">",
    "promoting": ">",
    "promoted": "+",
    "halted": "#",
    "lapsed": "!",
    "rolling-back": "<",
    "rolled-back": "<",
}


def marked(word: str) -> str:
    """Return a verdict with its shape."""
    return f"{MARKS.get(word, '-')} {word}"


def phase(view: RolloutView) -> str:
    """Return where a rollout is, with its shape."""
    return f"{PHASE_MARKS.get(view.phase, '-')} {view.phase}"


def margin_bar(view: GuardrailView, *, width: int) -> str:
    """Draw the interval of a difference against what the plan tolerates.

    `:` is no difference, `|` the margin, `-` the interval, `o` the estimate; `<` and `>` say that it goes on beyond the edge.
    """
    if view.estimate is None:
        return " " * width
    none = 1.0 if view.kind == "ratio" else 0.0
    reach = abs(view.margin - none) or 1.0
    left, right = none - 1.5 * reach, none + 2.0 * reach
    cells = [" "] * width

    def at(value: float) -> int:
        return min(width - 1, max(0, round((value - left) / (right - left) * (width - 1))))

    low, high = left if view.low is None else view.low, right if view.high is None else view.high
    for k in range(at(low), at(high) + 1):
        cells[k] = "-"
    if low < left or view.low is None:
        cells[0] = "<"
    if high > right or view.high is None:
        cells[-1] = ">"
    cells[at(none)], cells[at(view.margin)] = ":", "|"
    cells[at(view.estimate)] = "o"
    return "".join(cells)


def share_bar(basis_points: int, *, width: int) -> str:
    """Draw a share of the traffic; the least that is exposed shows."""
    full = round(basis_points / 10_000 * width)
    full = max(1, full) if basis_points else 0
    return "#" * full + "." * (width - full)


def exposure_lines(view: RolloutView, *, width: int) -> list[str]:
    """Say what the present step plans to expose, and what is exposed."""
    now = next((step for step in view.steps if step.state == "now"), None)
    if view.ended or now is None:
        return []
    number = view.steps.index(now) + 1
    bar = max(10, min(40, width - 50))
    planned = f"planned {percent(now.candidate):>5} {share_bar(now.candidate, width=bar)} step {number} of {len(view.steps)}, {_span(now)}"
    word = "confirmed" if view.confirmed else "NOT CONFIRMED by the data plane"
    return [planned, f"actual  {percent(view.share):>5} {share_bar(view.share, width=bar)} {word}"]


def _span(step: StepView) -> str:
    least = span(step.minimum / 1000) if step.minimum else "none"
    return f"{least} to {span(step.maximum / 1000)}"


def asked_lines(items: Sequence[ItemView]) -> list[str]:
    """Say what is asked of whom."""
    lines = []
    for each in items:
        of = ", ".join(f"{need.count} x {need.function}" for need in each.needs) or "anybody"
        answers = f" ({', '.join(each.allowed)})" if each.allowed else ""
        lines.append(f"asked of {of}: {each.sentence}{answers}")
    return lines
