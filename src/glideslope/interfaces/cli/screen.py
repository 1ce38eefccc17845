"""The living pages of `watch` on a terminal. Loads rich, so only `watch` loads this."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from glideslope.engine.inbox_views import InboxView, ItemView
from glideslope.engine.slices_display import worst_first
from glideslope.engine.views import FleetView, GuardrailView, HappeningView, RolloutView
from glideslope.interfaces.cli.drawing import asked_lines, exposure_lines, margin_bar, marked, phase
from glideslope.interfaces.cli.following import changes, fleets, happenings, waits
from glideslope.interfaces.cli.keys import keys
from glideslope.interfaces.cli.session import Session
from glideslope.interfaces.cli.words import interval, number, percent, share_of_line, step_words
from glideslope.interfaces.cli.worth import worth_lines

KEPT: Final = 8
"""Happenings on the page."""
SLICES: Final = 4
"""Slices on the page, the worst first; a key shows all."""

_ROOMY: Final = 140
"""Columns of a terminal that has room for everything."""
_DRAWN: Final = 100
"""Columns from which on margins are drawn."""
_CHANGE: Final = 40
"""Columns that a change may take in the fleet; names are as long as people make them."""
_NARROW: Final = 60
"""Below so many columns a page says only what matters most."""
_PHASES: Final = {
    "running": "bold cyan",
    "promoting": "bold green",
    "promoted": "bold green",
    "halted": "bold yellow",
    "lapsed": "bold yellow",
    "rolling-back": "bold red",
    "rolled-back": "bold red",
}
_WORDS: Final = {"proven": "green", "harm": "bold red", "beyond its limit": "bold red", "no evidence": "yellow"}


@dataclass
class Page:
    """One rollout as it was last heard of; laid out anew at every refresh, so that it follows the terminal's size."""

    view: RolloutView | None = None
    story: tuple[HappeningView, ...] = ()
    asked: Sequence[ItemView] = ()
    keyed: bool = False
    every_slice: bool = False

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the columns that there are now."""
        if self.view is not None:
            yield page(
                self.view,
                self.story,
                width=options.max_width,
                asked=self.asked,
                keyed=self.keyed,
                every_slice=self.every_slice,
            )

    def toggle(self) -> None:
        """Show all slices, or the worst."""
        self.every_slice = not self.every_slice


@dataclass
class FleetPage:
    """The fleet as it was last heard of."""

    fleet: FleetView | None = None
    inbox: InboxView | None = None
    keyed: bool = False

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the columns that there are now."""
        if self.fleet is not None:
            yield fleet_page(self.fleet, self.inbox, width=options.max_width, keyed=self.keyed)


def show(session: Session, rollout: str, *, browse: Callable[[], object] = lambda: None) -> RolloutView | None:
    """Draw the rollout until it ends; return it as it was last seen."""
    shown = Page()
    with (
        keys({"s": shown.toggle, "o": browse}) as shown.keyed,
        Live(shown, console=Console(), refresh_per_second=4, screen=False, transient=False) as live,
    ):
        for change in changes(session, rollout):
            before, shown.view = shown.view, change.view
            if not shown.story or shown.story[-1].version < change.view.version:
                after = shown.story[-1].version if shown.story else 0
                shown.story = (*shown.story, *happenings(session, rollout, after=after))[-KEPT:]
            if before is None or before.version != change.view.version:
                shown.asked = () if change.view.ended else waits(session, rollout)
            live.refresh()
    return shown.view


def show_fleet(session: Session, *, browse: Callable[[], object] = lambda: None) -> None:
    """Draw the fleet until somebody stops it."""
    shown = FleetPage()
    with (
        keys({"o": browse}) as shown.keyed,
        Live(shown, console=Console(), refresh_per_second=4, screen=False, transient=False) as live,
    ):
        for each in fleets(session):
            shown.fleet, shown.inbox = each.fleet, each.inbox
            live.refresh()


def page(
    view: RolloutView,
    story: tuple[HappeningView, ...],
    *,
    width: int,
    asked: Sequence[ItemView] = (),
    keyed: bool = False,
    every_slice: bool = False,
) -> RenderableType:
    """Lay out one rollout for a terminal of so many columns."""
    parts: list[RenderableType] = [_head(view), _rail(view)]
    parts += [Text(line, no_wrap=True, overflow="crop") for line in exposure_lines(view, width=width)]
    whole = [g for g in view.guardrails if g.slice == "all"]
    slices = worst_first(view.guardrails)
    shown = slices if every_slice else slices[:SLICES]
    if whole or shown:
        parts.append(_guardrails((*whole, *shown), width=width))
        if len(shown) < len(slices):
            parts.append(Text(f"{len(slices) - len(shown)} more slices, all better than these", style="dim"))
    parts += [Text(line) for line in worth_lines(view)]
    parts += [Text(f"? {line}", style="bold yellow") for line in asked_lines(asked)]
    lines = Text()
    for each in story:
        lines.append(f"{each.at[11:19]}  ", style="dim")
        lines.append(f"{each.sentence}\n")
    lines.append(_foot(view, keyed=keyed), style="dim")
    parts.append(lines)
    return Group(*parts)


def _foot(view: RolloutView, *, keyed: bool) -> str:
    if view.ended:
        return "The rollout has ended."
    pressed = "q or Ctrl-C stops watching; s all slices; o opens the page" if keyed else "Ctrl-C stops watching"
    return f'{pressed}; the rollout goes on. To stop it: glideslope halt {view.id} -m "..."'


def _head(view: RolloutView) -> Panel:
    text = Text()
    mark = phase(view).partition(" ")[0]
    text.append(f"{mark} {view.phase.upper()} at {percent(view.share)}", style=_PHASES.get(view.phase, "bold"))
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


def _guardrails(guardrails: Sequence[GuardrailView], *, width: int) -> Table:
    """Lay out the guardrails; what a narrow terminal has no room for is in `glideslope show`."""
    wide, drawn, narrow = width >= _ROOMY, width >= _DRAWN, width < _NARROW
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("guardrail")
    if wide:
        table.add_column("incumbent", justify="right")
        table.add_column("candidate", justify="right")
    table.add_column("difference" if narrow else "difference [interval]", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("margin", justify="right", no_wrap=True)
    if drawn:
        table.add_column("against it", no_wrap=True)
    table.add_column("harm", no_wrap=True)
    table.add_column("proof", no_wrap=True)
    if wide:
        table.add_column("subjects", justify="right")
    table.add_column("verdict", no_wrap=True)
    bar = 8 if wide else 5
    for g in guardrails:
        signed = g.kind != "ratio"
        arms = [number(g.incumbent), number(g.candidate)] if wide else []
        subjects = [f"{g.candidate_count:,}/{g.incumbent_count:,}"] if wide else []
        told = number(g.estimate, signed=signed) if narrow else interval(g)
        table.add_row(
            g.metric if g.slice == "all" else f"{g.metric} {g.slice}",
            *arms,
            ("" if signed or g.estimate is None else "x ") + told,
            *([] if narrow else [number(g.margin, signed=signed)]),
            *([margin_bar(g, width=21)] if drawn else []),
            _bar(g.harm_wealth, g.harm_line, style="red", width=bar),
            _bar(g.proof_wealth, g.proof_line, style="green", width=bar),
            *subjects,
            Text(marked(g.word), style=_WORDS.get(g.word, "")),
        )
    return table


def _bar(wealth: float, line: float, *, style: str, width: int) -> Text:
    full = int(share_of_line(wealth, line) * width)
    return Text.assemble(("#" * full, style), ("." * (width - full), "dim"))


def fleet_page(fleet: FleetView, inbox: InboxView | None, *, width: int, keyed: bool = False) -> RenderableType:
    """Lay out the fleet for a terminal of so many columns: what is under way, and what is asked of whom."""
    open_ = [view for view in fleet.rollouts if not view.ended]
    head = f"{len(fleet.models)} models, {len(open_)} rollouts under way; gateway {fleet.gateway}; {fleet.entries:,} ledger entries"
    parts: list[RenderableType] = [Text(head, style="bold")]
    if open_:
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for name in ("rollout", "change", "state", "at"):
            table.add_column(name, no_wrap=True, max_width=_CHANGE if name == "change" else None)
        if width >= _DRAWN:
            table.add_column("next")
        for view in open_:
            table.add_row(
                view.id,
                f"{view.model} {view.incumbent} -> {view.candidate}",
                Text(phase(view), style=_PHASES.get(view.phase, "")),
                percent(view.share),
                *([view.next] if width >= _DRAWN else []),
            )
        parts.append(table)
    else:
        parts.append(Text("Nothing is under way. What one would do: glideslope plan"))
    items = () if inbox is None else inbox.items
    parts += [Text(f"? {each.about}: {line}", style="yellow") for each in items for line in asked_lines((each,))]
    if not items:
        parts.append(Text("Nothing waits for anybody.", style="dim"))
    pressed = "q or Ctrl-C stops watching; o opens the page" if keyed else "Ctrl-C stops watching"
    parts.append(Text(f"{pressed}. One of them: glideslope watch ID", style="dim"))
    return Group(*parts)
