"""The page on proposing where others decide: its plan is one, and its lines of output are what the command line prints."""

import re
from pathlib import Path
from typing import Any

import msgspec
from tests.interfaces.test_enveloping import LANE

from glideslope.domain.governing.governed import Answered, Block
from glideslope.engine.governing_views import ClauseView, NeedView, block_sentence
from glideslope.interfaces.cli.exits import Exit

ROOT = Path(__file__).parents[2]


def blocks(language: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / "propose-a-change.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_a_plan_prints_what_the_page_shows(desk: Any, service: Any) -> None:
    (written,) = blocks("yaml")
    (shown,) = blocks("text")
    desk.run(
        "register",
        "fraud",
        "v1",
        "--url",
        "http://x:1",
        "--digest",
        "sha256:" + "1" * 64,
        "--incumbent",
        "-m",
        "serves",
    )
    desk.run("register", "fraud", "v2", "--url", "http://x:2", "--digest", "sha256:" + "2" * 64, "-m", "retrained")
    Path("glideslope.yaml").write_text(written)
    left = ClauseView(clause="proof", answer="fail", why="the margin of errors is 0.04; the envelope allows 0.005")
    service.lane = msgspec.structs.replace(
        LANE, envelope="retraining", left=(left,), missing=(NeedView(function="product", count=1),)
    )
    service.forbidden = tuple(
        map(
            block_sentence,
            (
                Block(rule="EVAL-SLICES", answer=Answered.NO_EVIDENCE, why="an evaluation on new_customer=yes"),
                Block(rule="APPROVED", answer=Answered.FAIL, why="an approval by product is missing"),
            ),
        )
    )
    told = desk.run("plan")
    assert told.exit_code == Exit.DONE, told.stderr
    expected = [line for line in shown.splitlines() if line.split()[0] in {"envelope", "left", "approves", "forbidden"}]
    assert len(expected) == 5
    assert [line for line in told.stdout.splitlines() if line in expected] == expected
    proposed = desk.run("apply").stdout
    assert "  forbidden EVAL-SLICES: an evaluation on new_customer=yes (no-evidence)\n" in proposed
