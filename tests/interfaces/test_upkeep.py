"""`drill`, `dues`, `access`, `advisories` and `owners --orphans` at the terminal: what is shown, and with which exit status."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from glideslope.engine.drilling import DrillView

ORGANISATION = """\
organisation: 1
people:
  - {id: ada, functions: [product], rights: [administer, propose, operate, review], team: fraud}
  - {id: mia, functions: [compliance], rights: [review]}
teams: [{name: fraud, reach: "#fraud"}]
delegations: [{who: mia, since: 2020-01-01, until: 2990-01-01, to: ada, away: true}]
reviews: {access: 90d, threat-model: 180d}
"""
OPEN = DrillView(
    model="late-arrival", kind="rollback", state="under way", at="2026-01-31T09:00:00.000Z", granted_in=None,
    restored_in=None, by="ada", told=False, why="the quarter's",
)  # fmt: skip
PASSED = replace(OPEN, state="passed", granted_in=33.2, restored_in=3.4)
FAILED = replace(OPEN, state="failed", why="the line is cut")
TOLD = replace(PASSED, told=True, granted_in=None)


@pytest.fixture
def organised(desk: Any, tmp_path: Path) -> Any:
    path = tmp_path / "organisation.yaml"
    path.write_text(ORGANISATION)
    assert desk.run("agree", "table", str(path), "-m", "so it is").exit_code == 0
    return desk


def drills(service: Any, monkeypatch: pytest.MonkeyPatch, *after: Sequence[DrillView]) -> None:
    """Let the server answer with these, one after the other, the last for ever."""
    left = list(after)

    async def begin(*_: Any, **__: Any) -> Sequence[DrillView]:
        return [OPEN]

    async def listed(_: Any) -> Sequence[DrillView]:
        return left.pop(0) if len(left) > 1 else left[0]

    monkeypatch.setattr(service, "begin_drill", begin)
    monkeypatch.setattr(service, "drills", listed)


def test_a_drill_is_waited_for_and_says_what_was_measured(
    desk: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drills(service, monkeypatch, [OPEN], [OPEN], [TOLD, PASSED])
    told = desk.run("drill", "run", "late-arrival", "-m", "the quarter's")
    assert told.exit_code == 0
    assert (
        "the rollback drill passed: in force after 33 ms, zero exposure confirmed 3 ms after the order." in told.stdout
    )
    assert desk.time == 1.0

    drills(service, monkeypatch, [FAILED])
    failed = desk.run("drill", "run", "late-arrival", "-m", "again")
    assert (failed.exit_code, "failed: the line is cut" in failed.stdout) == (3, True)

    drills(service, monkeypatch, [OPEN])
    waiting = desk.run("drill", "run", "late-arrival", "-m", "again")
    assert waiting.exit_code != 0
    assert "nobody governs here" in waiting.stderr


def test_a_drill_that_a_person_tells_of_is_marked(desk: Any, service: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    async def tell(command: Any, *, key: str) -> Sequence[DrillView]:
        asked.append((command, key))
        return [PASSED, TOLD]

    monkeypatch.setattr(service, "tell_drill", tell)
    arguments = ("drill", "tell", "late-arrival", "--passed", "--restored-in", "40s", "-m", "in the rehearsal")
    told = desk.run(*arguments, "--on", "2026-01-31")
    assert "told by ada; the machine measured nothing." in told.stdout
    ((command, _),) = asked
    assert (command.held_at, command.restored_in, command.passed) == (1_769_817_600_000, 40_000, True)
    assert "says no offset" in desk.run(*arguments, "--on", "2026-01-31T09:00:00").stderr
    assert "is not a time" in desk.run(*arguments, "--on", "yesterday").stderr


def test_what_is_due_shows_and_what_is_overdue_ends_with_3(organised: Any) -> None:
    told = organised.run("dues")
    assert told.exit_code == 3
    assert "none in force" in told.stdout
    assert "agree review organisation -m WHY" in told.stdout
    found = json.loads(organised.run("dues", "--json").stdout)
    assert [(d["of"], d["overdue"], d["last"]) for d in found] == [("access", True, ""), ("threat-model", True, "")]
    assert organised.run("agree", "review", "organisation", "-m", "looked").exit_code == 0
    overdue = organised.run("dues", "--overdue").stdout
    assert "threat-model" in overdue
    assert "access" not in overdue


def test_access_is_looked_up_both_ways(organised: Any) -> None:
    (mia,) = json.loads(organised.run("access", "mia", "--json").stdout)
    assert (mia["functions"], mia["reviews_as"]) == (["compliance"], [])
    assert "mia is away" in mia["delegations"][0]
    (compliance,) = json.loads(organised.run("access", "--function", "compliance", "--json").stdout)
    assert compliance["actor"] == "ada", "to whom it was handed"
    assert [a["actor"] for a in json.loads(organised.run("access", "--right", "review", "--json").stdout)] == [
        "ada",
        "mia",
    ]
    nobody = organised.run("access", "eve")
    assert (nobody.exit_code, "is no person" in nobody.stdout) == (3, True)


def test_orphans_are_asked_for_alone(organised: Any) -> None:
    told = organised.run("owners", "--orphans")
    assert (told.exit_code, "Everything that the record names" in told.stdout) == (0, True)
    assert organised.run("owners", "--orphans", "--kind", "model").exit_code == 2


def test_advisories_are_recorded_from_a_file_of_osv_records(organised: Any, tmp_path: Path) -> None:
    path = tmp_path / "advisories.json"
    record = {"id": "GHSA-1", "affected": [{"package": {"name": "pillow"}, "versions": ["11.0.0"]}]}
    path.write_text(json.dumps({"as_of": "2020-01-01T00:00:00Z", "source": "osv.dev", "advisories": [record]}))

    assert organised.run("advisories", "show").exit_code != 0
    told = organised.run("advisories", "record", str(path), "-m", "of this morning")
    assert "1 advisories of osv.dev, as of 2020-01-01T00:00" in told.stdout
    assert json.loads(organised.run("advisories", "show", "--json").stdout)["entries"] == 1
    path.write_text(json.dumps({"as_of": "2990-01-01T00:00:00Z", "source": "osv.dev", "advisories": []}))
    ahead = organised.run("advisories", "record", str(path), "-m", "of tomorrow")
    assert (ahead.exit_code, "gathered after now" in ahead.stderr) == (2, True)


def test_the_list_of_models_says_that_something_is_overdue(
    desk: Any, service: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = service.fleet

    async def late(*, ended: int | None = None) -> Any:
        return replace(await fleet(ended=ended), overdue=2, older=3)

    assert "OVERDUE" not in desk.run("ls").stdout
    monkeypatch.setattr(service, "fleet", late)
    told = desk.run("ls").stdout
    assert "OVERDUE: 2 of the reviews and drills that come round. Next: glideslope dues" in told
    assert "3 older ones have ended. Next: glideslope search kind:rollout-proposed" in told
