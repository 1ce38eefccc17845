"""Numbers and tables in words, for terminals and pipes alike: nothing is wrapped, nothing is cut."""

from collections.abc import Sequence
from typing import Final

from glideslope.engine.views import GuardrailView, PairView, RolloutView, StepView


def percent(basis_points: int) -> str:
    """Write a share."""
    return f"{basis_points / 100:g}%"


def span(seconds: float | None) -> str:
    """Write a time in at most two units."""
    if seconds is None:
        return "unknown"
    whole = round(seconds)
    if whole < 1:
        return f"{seconds * 1000:.0f} ms"
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


def number(value: float | None, *, signed: bool = False) -> str:
    """Write a figure with four digits that count."""
    if value is None:
        return "-"
    return f"{value:+.4g}" if signed else f"{value:.4g}"


def table(rows: Sequence[Sequence[str]], *, indent: str = "  ") -> list[str]:
    """Align columns; the first row is the heading."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def maturity_words(step: StepView) -> str:
    """Say how many of a step's subjects have their outcome, per arm; empty while none has."""
    told = [
        f"{outcomes / subjects:.0%} of the {arm}'s"
        for arm, outcomes, subjects in (
            ("candidate", step.candidate_outcomes, step.candidate_subjects),
            ("incumbent", step.incumbent_outcomes, step.incumbent_subjects),
        )
        if outcomes and subjects
    ]
    return f"outcomes have arrived for {' and '.join(told)} subjects in {step.name}" if told else ""


def step_words(step: StepView) -> str:
    """Name a step by what it exposes."""
    match step.stage:
        case "canary":
            return f"canary {percent(step.candidate)}"
        case "shadow":
            return f"shadow (mirror {percent(step.mirror)})"
        case stage:
            return stage


def rail(view: RolloutView) -> str:
    """Show all steps on one line: done, now, ahead."""
    marks = {"done": "[x]", "now": "[>]", "left": "[!]"}
    return " ".join(f"{marks.get(step.state, '[ ]')} {step_words(step)}" for step in view.steps)


def headline(view: RolloutView) -> str:
    """Say in one line where a rollout is."""
    confirmed = "confirmed" if view.confirmed else "not confirmed yet"
    serves = view.candidate if view.phase == "promoted" else view.incumbent
    where = f"{view.phase}: {serves} serves everybody" if view.ended else f"{view.phase} at {percent(view.share)}"
    return f"{view.model}  {view.incumbent} -> {view.candidate}   {view.id}   {where} ({confirmed})"


def interval(guardrail: GuardrailView) -> str:
    """Write the estimate with its interval."""
    if guardrail.estimate is None:
        return "-"
    signed = guardrail.kind != "ratio"
    low, high = number(guardrail.low, signed=signed), number(guardrail.high, signed=signed)
    return f"{number(guardrail.estimate, signed=signed)} [{low}, {high}]"


def share_of_line(wealth: float, line: float) -> float:
    """Return how much of the way to its line evidence has come, from 0 to 1."""
    return min(1.0, max(0.0, wealth / line)) if line > 0 else 0.0


def bar(share: float, *, width: int = 8) -> str:
    """Draw a share."""
    full = int(share * width)
    return "#" * full + "." * (width - full)


def guardrail_rows(guardrails: Sequence[GuardrailView]) -> list[list[str]]:
    """Return the table of guardrails, with its heading."""
    rows = [
        [
            "guardrail",
            "slice",
            "incumbent",
            "candidate",
            "difference [interval]",
            "margin",
            "harm",
            "proof",
            "subjects",
            "verdict",
        ]
    ]
    for g in guardrails:
        heading = "ratio " if g.kind == "ratio" else ""
        rows.append(
            [
                g.metric,
                g.slice,
                number(g.incumbent),
                number(g.candidate),
                heading + interval(g),
                number(g.margin, signed=g.kind != "ratio"),
                bar(share_of_line(g.harm_wealth, g.harm_line)),
                bar(share_of_line(g.proof_wealth, g.proof_line)),
                f"{g.candidate_count:,}/{g.incumbent_count:,}",
                g.word,
            ]
        )
    return rows


def worst_slice(guardrails: Sequence[GuardrailView]) -> str:
    """Name the declared slice with the most evidence of harm; empty where nothing speaks for any."""
    sliced = [g for g in guardrails if g.slice != "all" and g.harm_wealth > 0]
    if not sliced:
        return ""
    worst = max(sliced, key=lambda g: share_of_line(g.harm_wealth, g.harm_line))
    way = f"{share_of_line(worst.harm_wealth, worst.harm_line):.0%} of the way to harm"
    counts = f"{worst.candidate_count:,}/{worst.incumbent_count:,} subjects"
    return f"{worst.metric} on {worst.slice}, {interval(worst)}, {way}, {counts}."


PAIR_WORDS: Final = {
    "disagreement": "decided differently",
    "shift": "score moved by",
    "slower": "candidate slower on",
    "skew": "from other features",
}


def pair_rows(pairs: Sequence[PairView]) -> list[list[str]]:
    """Return the table of how answers to the same requests compare, with its heading."""
    rows = [["same requests", "slice", "estimate [interval]", "limit", "harm", "pairs", "verdict"]]
    for p in pairs:
        signed = p.kind == "shift"
        low, high = number(p.low, signed=signed), number(p.high, signed=signed)
        times = "" if p.times is None else f", typically {p.times:g} times as long"
        rows.append(
            [
                PAIR_WORDS.get(p.kind, p.kind),
                p.slice,
                f"{number(p.estimate, signed=signed)} [{low}, {high}]{times}",
                number(p.limit),
                bar(share_of_line(p.harm_wealth, p.harm_line)),
                f"{p.count:,}",
                p.word,
            ]
        )
    return rows
