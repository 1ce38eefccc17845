"""`simulate` and harms in the plan, as people type and read them; `backtest` is in tests/scenarios, where there is a record."""

import json
from pathlib import Path

import pytest

from .conftest import YAML, Desk

HARMS = YAML + "guardrails: [{metric: errors, margin: 2pp}]\nharms: {errors: [x3, +4pp]}\n"


def write(text: str) -> None:
    Path("glideslope.yaml").write_text(text)


def test_a_plan_is_carried_through_once_as_sound_and_once_with_each_harm(desk: Desk) -> None:
    write(HARMS)
    found = desk.run("simulate", "--runs", "6", "--jobs", "1")

    assert found.exit_code == 0, found.output
    for line in ("healthy", "errors x3", "errors +0.04"):
        assert f"  {line} " in found.output
    assert "chance leaves each probability open" in found.output
    assert "Nothing has changed" in found.output


def test_the_same_seed_gives_the_same_figures_and_another_gives_others(desk: Desk) -> None:
    write(HARMS)
    arguments = ("simulate", "--runs", "3", "--jobs", "1", "--json")
    first, again = (desk.run(*arguments, "--seed", "5").output for _ in range(2))
    other = desk.run(*arguments, "--seed", "6").output

    assert first == again != other
    trials = json.loads(first)["trials"]
    assert [t["supposing"] for t in trials] == ["healthy", "errors x3", "errors +0.04"]
    assert all(t["runs"] == 3 for t in trials)


def test_other_traffic_may_be_supposed(desk: Desk) -> None:
    """Ten times the traffic ends a bad candidate in about a tenth of the time."""
    write(HARMS.replace("[x3, +4pp]", "x5"))
    slow, fast = (
        json.loads(desk.run("simulate", "--runs", "10", "--jobs", "1", "--json", "--traffic", rate).output)["trials"][1]
        for rate in ("2", "200")
    )

    assert slow["caught"]["share"] == fast["caught"]["share"] == 1.0
    assert slow["seconds_to_catch"]["median"] > 20 * fast["seconds_to_catch"]["median"]


@pytest.mark.parametrize(
    ("harms", "said"),
    [
        ("{errors: 3x}", "'3x' is not a harm: write x2"),
        ("{errors: x0.5}", "x0.5 is not more than x1"),
        ("{wrong: x2}", "No guardrail watches wrong"),
        ("{errors: -3%}", "'-3%' is not a harm"),
        ("{errors: []}", "at least one entry"),
    ],
)
def test_a_harm_that_is_none_is_refused_at_its_place(desk: Desk, harms: str, said: str) -> None:
    """With file, line, column and a caret under it."""
    write(YAML + f"harms: {harms}\n")
    found = desk.run("plan")

    assert found.exit_code == 2
    assert said in found.output
    assert "glideslope.yaml:5:" in found.output
    assert "^" in found.output


def test_harms_are_written_out_so_that_they_read_back_the_same(desk: Desk) -> None:
    write(YAML + "harms: {errors: [x2.5, +0.5pp], latency: +40%}\n")
    shown = desk.run("plan", "--show-defaults").output
    write(shown)

    assert "harms: {errors: [x2.5, 0.005], latency: x1.4}" in shown
    assert desk.run("plan", "--show-defaults").output == shown


def test_a_backtest_of_a_file_that_is_no_ledger_is_refused(desk: Desk) -> None:
    Path("no.bundle").write_text("hello\n")
    found = desk.run("backtest", "--bundle", "no.bundle")
    missing = desk.run("backtest", "--bundle", "nowhere.bundle")

    assert (found.exit_code, missing.exit_code) == (2, 2)
    assert "is no ledger" in found.output
    assert "nowhere.bundle" in missing.output
