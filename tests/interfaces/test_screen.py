"""The living page fits terminals of 80 columns and of many, and keeps its figures whole."""

import io
from typing import Any

import msgspec
import pytest
from rich.console import Console

from glideslope.engine.views import GuardrailView, HappeningView
from glideslope.interfaces.cli.screen import page

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


@pytest.mark.parametrize("width", [80, 140])
def test_the_page_fits_and_nothing_that_matters_is_cut(desk: Any, service: Any, width: int) -> None:
    desk.run("apply")
    view = msgspec.structs.replace(service.rollouts["late-arrival-1"], guardrails=(GUARDRAIL,), rescued=3)
    story = (
        HappeningView(version=1, entry=1, at="2013-12-10T09:14:00.000Z", by="a", kind="k", sentence="Advance to s2."),
    )
    console = Console(file=io.StringIO(), width=width, force_terminal=False)

    console.print(page(view, story, width=width))

    shown = console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO
    assert max(len(line) for line in shown.splitlines()) <= width
    for part in (
        "RUNNING at 5%",
        "1,204 subjects met the candidate",
        "3 rescued",
        "+0.0094 [-0.0012, +0.0191]",
        "+0.01",
    ):
        assert part in shown
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
