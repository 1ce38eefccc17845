"""What two answers to one request and slices of a rollout look like in a terminal."""

import json
from typing import Any

from tests.interfaces.test_cli import applied


def test_the_worst_disagreements_are_told_with_what_may_be_known_of_the_request(desk: Any) -> None:
    applied(desk)

    result = desk.run("disagreements", "late-arrival")

    assert (result.exit_code, result.stderr) == (0, "")
    heading, line, said = result.stdout.splitlines()
    assert heading.split()[:3] == ["request", "at", "difference"]
    assert [line.split()[k] for k in (0, 2, 3, 4, 5)] == ["0c1d", "0.42", "0.8100", "0.3900", "differently"]
    assert said.strip() == "origin=LGA, carrier=UA, passenger=[personal], from other features"


def test_a_slice_without_disagreements_says_so(desk: Any) -> None:
    applied(desk)

    result = desk.run("disagreements", "late-arrival-1", "--slice", "origin=JFK")

    assert result.exit_code == 0
    assert "nothing was mirrored yet" in result.stdout


def test_disagreements_as_json_are_the_servers(desk: Any) -> None:
    applied(desk)

    found = json.loads(desk.run("disagreements", "late-arrival", "--json").stdout)

    assert [each["request"] for each in found] == ["0c1d"]


def test_slices_are_told_worst_first_and_the_search_says_that_it_moves_nothing(desk: Any) -> None:
    applied(desk)

    result = desk.run("slices", "late-arrival")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "advisory, moves no traffic" in result.stdout
    (found,) = [line for line in result.stdout.splitlines() if "LOOK HERE" in line]
    assert found.split()[:5] == ["log_loss", "origin=BOS|PHL", "arms", "12.5", "0.003"]
    assert "2 outcomes were left out" in result.stdout


def test_slices_as_json_are_the_servers(desk: Any) -> None:
    applied(desk)

    found = json.loads(desk.run("slices", "late-arrival", "--json").stdout)

    assert (found["searched"][0]["slice"], found["search_alpha"], found["left_out"]) == ("origin=BOS|PHL", 0.05, 2)
