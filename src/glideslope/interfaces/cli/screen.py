"""The living page of `watch` on a terminal. Loads rich, so only `watch` loads this."""

from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glideslope.engine.views import GuardrailView, HappeningView, RolloutView
from glideslope.interfaces.cli.following import changes, happenings
from glideslope.interfaces.cli.session import Session
from glideslope.interfaces.cli.words import interval, number, percent, share_of_line, step_words
from glideslope.interfaces.cli.worth import worth_lines

KEPT: Final = 8
"""Happenings on the page."""

_ROOMY: Final = 110
"""Columns of a terminal that has room for everything."""
_PHASES: Final = {
    "running": "bold cyan",
    "promoting": "bold green",
    "promoted": "bold green",
    "halted": "bold yellow",
    "lapsed": "bold yellow",
    "rolling-back": "bold red",
    "rolled-back": "bold red",
}
_WORDS: Final = {"proven": "green", "harm": "bold red", "no evidence": "yellow"}


def show(session: Session, rollout: str) -> RolloutView | None:
    """Draw the rollout until it ends; return it as it was last seen."""
    console = Console()
    last: RolloutView | None = None
    story: tuple[HappeningView, ...] = ()
    with Live(console=console, refresh_per_second=4, screen=False, transient=False) as live:
        for change in changes(session, rollout):
            last = change.view
            if not story or story[-1].version < last.version:
                after = story[-1].version if story else 0
                story = (*story, *happenings(session, rollout, after=after))[-KEPT:]
            live.update(page(last, story, width=console.width), refresh=True)
    return last


def page(view: RolloutView, story: tuple[HappeningView, ...], *, width: int) -> RenderableType:
    """Lay out one rollout for a terminal of so many columns."""
    parts: list[RenderableType] = [_head(view), _rail(view)]
    if view.guardrails:
        parts.append(_guardrails(view.guardrails, width=width))
    parts += [Text(line) for line in worth_lines(view)]
    lines = Text()
    for each in story:
        lines.append(f"{each.at[11:19]}  ", style="dim")
        lines.append(f"{each.sentence}\n")
    lines.append(
        "Ctrl-C stops watching; the rollout goes on." if not view.ended else "The rollout has ended.", style="dim"
    )
    parts.append(lines)
    return Group(*parts)


def _head(view: RolloutView) -> Panel:
    text = Text()
    text.append(f"{view.phase.upper()} at {percent(view.share)}", style=_PHASES.get(view.phase, "bold"))
    text.append(
        "  confirmed" if view.confirmed else "  not confirmed yet", style="green" if view.confirmed else "yellow"
    )
    text.append(f"   {view.candidate_subjects:,} subjects met the candidate")
    if view.rescued:
        text.append(f", {view.rescued:,} rescued", style="yellow")
    for sentence in view.sentences[:2]:
        text.append(f"\n{sentence}")
    if not view.ended:
        text.append(f"\nNext: {view.next}", style="dim")
    return Panel(text, title=f"{view.model}  {view.incumbent} -> {view.candidate}  ({view.id})", title_align="left")


def _rail(view: RolloutView) -> Text:
    text = Text(" ")
    for step in view.steps:
        mark, style = {"done": ("[x] ", "green"), "now": ("[>] ", "bold"), "left": ("[!] ", "red")}.get(
            step.state, ("[ ] ", "dim")
        )
        text.append(mark + step_words(step) + "   ", style=style)
    return text


def _guardrails(guardrails: tuple[GuardrailView, ...], *, width: int) -> Table:
    """Lay out the guardrails; what a narrow terminal has no room for is in `glideslope show`."""
    wide = width >= _ROOMY
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("guardrail")
    if wide:
        table.add_column("incumbent", justify="right")
        table.add_column("candidate", justify="right")
    table.add_column("difference [interval]", justify="right", no_wrap=True)
    table.add_column("margin", justify="right", no_wrap=True)
    table.add_column("harm", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    if wide:
        table.add_column("subjects", justify="right")
    table.add_column("verdict", no_wrap=True)
    bar = 10 if wide else 5
    for g in guardrails:
        signed = g.kind != "ratio"
        arms = [number(g.incumbent), number(g.candidate)] if wide else []
        subjects = [f"{g.candidate_count:,}/{g.incumbent_count:,}"] if wide else []
        table.add_row(
            g.metric if g.slice == "all" else f"{g.metric} {g.slice}",
            *arms,
            ("" if signed else "x ") + interval(g),
            number(g.margin, signed=signed),
            _bar(g.harm_wealth, g.harm_line, style="red", width=bar),
            _bar(g.proof_wealth, g.proof_line, style="green", width=bar),
            *subjects,
            Text(g.word, style=_WORDS.get(g.word, "")),
        )
    return table


def _bar(wealth: float, line: float, *, style: str, width: int) -> Text:
    full = int(share_of_line(wealth, line) * width)
    return Text.assemble(("#" * full, style), ("." * (width - full), "dim"))
