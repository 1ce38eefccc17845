"""The living page fits terminals of 80 columns and of many, and keeps its figures whole."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from glideslope.engine.governing_views import NeedView
from glideslope.engine.inbox_views import InboxView, ItemView
from glideslope.engine.views import FleetView, GuardrailView, HappeningView
from glideslope.interfaces.cli.drawing import margin_bar, share_bar
from glideslope.interfaces.cli.screen import fleet_page, page

GUARDRAIL = GuardrailView(
    metric="log_loss",
    slice="origin=LGA",
    kind="difference",
    incumbent=0.4418,
    candidate=0.4512,
    low=-0.0012,
    estimate=0.0094,
    high=0.0191,
    margin=0.01,
    harm_wealth=2.6,
    harm_line=5.3,
    proof_wealth=-4.0,
    proof_line=3.0,
    word="watching",
    candidate_count=13_498,
    incumbent_count=13_401,
)


ITEM = ItemView(
    id="i", asks="approval", about="a", of="late-arrival-1", model="m", sentence="Approve it.", since="", until="", then="",
    needs=(NeedView(function="security", count=1),), why_me="", why_not="", allowed=("approve", "ask"), page="", command="",
)  # fmt: skip


def bar(shown: str) -> str:
    """Return the row of the guardrail, without its clock and its words."""
    row = next(line for line in shown.splitlines() if "log_loss" in line)
    return row.replace("origin=LGA", "")


@pytest.mark.parametrize("width", [50, 80, 110, 160])
def test_the_page_fits_and_nothing_that_matters_is_cut(desk: Any, service: Any, width: int) -> None:
    desk.run("apply")
    view = msgspec.structs.replace(service.rollouts["late-arrival-1"], guardrails=(GUARDRAIL,), rescued=3)
    story = (
        HappeningView(version=1, entry=1, at="2013-12-10T09:14:00.000Z", by="a", kind="k", sentence="Advance to s2."),
    )
    console = Console(file=io.StringIO(), width=width, force_terminal=False)

    console.print(page(view, story, width=width, asked=(ITEM,)))

    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert max(len(line) for line in shown.splitlines()) <= width
    for part in (
        "RUNNING at 5%",
        "1,204 subjects met the candidate",
        "3 rescued",
        "+0.0094 [-0.0012, +0.0191]" if width >= 60 else "+0.0094",
        "actual     5%",
        "~ watching",
        "? asked of 1 x security: Approve it. (approve, ask)",
    ):
        assert part in " ".join(shown.replace("│", " ").split()) or part in shown, part
    assert ("+0.01" in shown) == (width >= 60)
    assert (":" in bar(shown)) == (width >= 100)
    for part in ("[>] canary 5%", "##...", ".....", "watching", "09:14:00  Advance to s2.", "Ctrl-C stops watching"):
        assert part in shown


def test_evidence_without_a_line_is_drawn_empty(desk: Any, service: Any) -> None:
    desk.run("apply")
    empty = msgspec.structs.replace(
        GUARDRAIL, incumbent=None, candidate=None, low=None, estimate=None, high=None, harm_line=0.0, word="no evidence"
    )
    view = msgspec.structs.replace(service.rollouts["late-arrival-1"], guardrails=(empty,))
    console = Console(file=io.StringIO(), width=120)

    console.print(page(view, (), width=120))

    assert "no evidence" in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


@pytest.mark.parametrize(
    ("low", "estimate", "high"),
    [(-0.0012, 0.0094, 0.0191), (-0.004, 0.001, 0.004), (None, 0.001, None), (0.012, 0.015, 0.04)],
)
def test_an_interval_is_drawn_against_what_is_tolerated(low: float | None, estimate: float, high: float | None) -> None:
    """`:` is no difference, `|` the margin; what goes on beyond the edge says so."""
    view = msgspec.structs.replace(GUARDRAIL, low=low, estimate=estimate, high=high)
    found = margin_bar(view, width=22)

    assert len(found) == 22
    assert found.count("o") == 1
    assert ("<" in found) == (low is None)
    assert (">" in found) == (high is None or high > 0.02)
    assert found.index("o") >= found.index(":") if estimate > 0 and ":" in found else True
    if low == -0.004:
        assert found.index("|") > found.rindex("-"), "proven: the interval ends before the margin"


def test_the_smallest_share_shows_and_none_does_not() -> None:
    assert (share_bar(0, width=10), share_bar(1, width=10), share_bar(10_000, width=10)) == (
        "..........",
        "#.........",
        "##########",
    )


@pytest.mark.parametrize("width", [60, 120])
def test_the_fleet_fits_and_says_what_is_asked_of_whom(desk: Any, service: Any, width: int) -> None:
    desk.run("apply")
    views = tuple(service.rollouts.values())
    fleet = FleetView(models=(), rollouts=views, entries=42, gateway="ready", time="")
    console = Console(file=io.StringIO(), width=width)
    console.print(fleet_page(fleet, InboxView(who="", items=(ITEM,), others=(), at=""), width=width, keyed=True))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO

    assert max(len(line) for line in shown.splitlines()) <= width
    for part in ("> running", "late-arrival v1 -> v2", "asked of 1 x security", "q or Ctrl-C"):
        assert part in shown
    empty = FleetView(models=(), rollouts=(), entries=0, gateway="ready", time="")
    console.print(fleet_page(empty, None, width=width))
    assert "glideslope plan" in console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_colour_is_never_needed(desk: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    desk.run("apply")
    view = msgspec.structs.replace(service.rollouts["late-arrival-1"], guardrails=(GUARDRAIL,))
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    console.print(page(view, (), width=120))
    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO

    assert not any(f"\x1b[{code}m" in shown for code in (*range(30, 38), *range(90, 98)))
    assert "~ watching" in shown
