"""Verbs that wait and watch end with the rollout, and outlast a server that restarts."""

import json
from typing import Any

import pytest
from tests.interfaces.test_cli import ID, applied, told

from glideslope.domain.errors import (
    StoreUnavailable,
)
from glideslope.interfaces.cli.exits import Exit


def test_waiting_ends_with_the_rollout(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then += [lambda: None, lambda: service.move(ID, phase="promoted", ended=True)]

    result = desk.run("status", ID, "--wait", "--json")

    assert (result.exit_code, json.loads(result.stdout)["phase"]) == (0, "promoted")


def test_waiting_outlasts_a_server_that_restarts(desk: Any, service: Any) -> None:
    applied(desk)

    def broken() -> None:
        service.fail = StoreUnavailable("it restarts")

    desk.then += [broken, lambda: service.move(ID, phase="rolled-back", ended=True)]

    result = desk.run("status", ID, "--wait")

    assert result.exit_code == Exit.ROLLED_BACK, told(result)


def test_waiting_ends_when_its_time_is_up(desk: Any) -> None:
    applied(desk)

    result = desk.run("status", ID, "--wait", "--timeout", "10m")

    assert (result.exit_code, desk.time) == (Exit.TIMED_OUT, 600.0)


@pytest.mark.parametrize("timeout", ["5", "soon", "-1s", "1w"])
def test_a_timeout_is_a_duration(desk: Any, timeout: str) -> None:
    assert desk.run("status", ID, "--wait", "--timeout", timeout).exit_code == Exit.INVALID


def test_watching_prints_each_happening_once_and_ends_with_the_rollout(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then += [
        lambda: service.move(ID, "Advance to s2.", share=2_500),
        lambda: None,
        lambda: service.move(ID, "Roll back.", phase="rolled-back", ended=True, share=0),
    ]

    result = desk.run("watch", "late-arrival")

    assert result.exit_code == Exit.ROLLED_BACK, told(result)
    lines = result.stdout.splitlines()
    assert lines[0] == f"late-arrival  v1 -> v2   {ID}   running at 5% (confirmed)"
    assert lines[1].startswith("[>] canary 5% [ ] canary 25%")
    assert [line.partition("  ")[2] for line in lines[2:5]] == [
        "ada proposed to replace v1 by v2.",
        "Advance to s2.",
        "Roll back.",
    ]
    assert "\x1b" not in result.stdout


def test_watching_as_json_prints_one_line_per_change(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then.append(lambda: service.move(ID, phase="promoted", ended=True))

    result = desk.run("watch", ID, "--json")

    assert [json.loads(line)["phase"] for line in result.stdout.splitlines()] == ["running", "promoted"]


def test_ctrl_c_ends_the_watching_and_says_that_the_rollout_goes_on(desk: Any, service: Any) -> None:
    applied(desk)

    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.then.append(interrupt)

    result = desk.run("watch", ID)

    assert result.exit_code == Exit.INTERRUPTED
    assert f"Stopped watching. {ID} continues. Halt it with: glideslope halt {ID}" in result.stderr
    assert service.rollouts[ID].phase == "running"


def test_watching_outlasts_a_server_that_restarts(desk: Any, service: Any) -> None:
    applied(desk)

    def gone() -> None:
        raise StoreUnavailable("it restarts")

    desk.then += [gone, lambda: service.move(ID, phase="promoted", ended=True)]

    result = desk.run("watch", ID)

    assert result.exit_code == 0, told(result)
    assert "Trying again." in result.stderr


def test_watching_gives_up_on_a_server_that_stays_away(desk: Any) -> None:
    applied(desk)

    def gone() -> None:
        raise StoreUnavailable("it is gone")

    desk.api.stream = lambda _: iter(gone, None)

    result = desk.run("watch", ID)

    assert result.exit_code == Exit.FAILED, told(result)
    assert desk.time > 60


def test_watching_without_a_name_follows_the_fleet_until_it_is_stopped(desk: Any, service: Any) -> None:
    applied(desk, approvals=1)

    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.then += [lambda: None, lambda: service.move(ID, "Goes on.", phase="running", share=500), interrupt]
    service.move(ID, phase="proposed", share=0)

    result = desk.run("watch")

    assert result.exit_code == Exit.INTERRUPTED, told(result)
    lines = result.stdout.splitlines()
    assert f"{ID}   proposed at 0%" in lines[0]
    assert lines[1].startswith("? late-arrival v1 → v2: asked of 1 x anybody else: Approve or deny")
    assert f"{ID}   running at 5%" in lines[2]
    assert len(lines) == 3, "what is as it was is not told again"
    assert "All goes on." in result.stderr


def test_watching_the_fleet_as_json_prints_one_line_per_change(desk: Any, service: Any) -> None:
    applied(desk)

    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.then += [lambda: service.move(ID, share=2_500), interrupt]

    shares = [json.loads(line)["rollouts"][0]["share"] for line in desk.run("watch", "--json").stdout.splitlines()]

    assert shares == [500, 2_500]
