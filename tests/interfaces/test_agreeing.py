"""`agree`, `owners` and their like at the terminal: tabled, answered, shown, compared; and what is wrong with a file is pointed at."""

import json
from pathlib import Path
from typing import Any

import pytest

ORGANISATION = """\
organisation: 1
people:
  - {id: ada, rights: [administer, propose, operate]}
  - {id: mia, functions: [product], rights: [review, administer], team: fraud}
teams: [{name: fraud, reach: "#fraud"}]
owned: [{kind: model, name: late-arrival, owner: fraud}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "organisation.yaml"
    path.write_text(ORGANISATION)
    return path


def test_the_first_organisation_is_in_force_at_once_and_the_next_needs_another(desk: Any, file: Path) -> None:
    assert "Nothing is agreed yet" in desk.run("agree", "ls").stdout
    assert "is in force since" in desk.run("agree", "table", str(file), "-m", "so it is").stdout

    file.write_text(ORGANISATION.replace('"#fraud"', '"#fraud-team"'))
    told = desk.run("agree", "table", str(file), "-m", "the channel moved")
    assert "it needs administer" in told.stdout
    shown = desk.run("agree", "diff", "organisation").stdout
    assert '+teams: [{name: fraud, reach: "#fraud-team"}]' in shown
    alone = desk.run("agree", "answer", "organisation", "-m", "yes")
    assert alone.exit_code == 3
    assert "self-approval" in alone.stderr


def test_who_owns_what_is_one_look_up(desk: Any, file: Path) -> None:
    desk.run("agree", "table", str(file), "-m", "so it is")

    (found,) = json.loads(desk.run("owners", "late-arrival", "--json").stdout)
    assert (found["owner"], found["reach"]) == ("fraud", "#fraud")
    assert "late-arrival" in desk.run("owners", "--of", "mia").stdout
    assert desk.run("owners", "nobody's").exit_code == 3


def test_what_is_wrong_is_pointed_at_before_any_server_is_asked(desk: Any, file: Path) -> None:
    file.write_text(ORGANISATION.replace("owner: fraud", "owner: fruad"))

    told = desk.run("agree", "check", str(file))

    assert told.exit_code == 2
    assert f"{file}:6:" in told.stderr
    assert "'fruad' is no person" in told.stderr
    assert "Nothing was tabled" in told.stderr


def test_the_schema_is_one_of_objects_with_every_key(desk: Any) -> None:
    found = json.loads(desk.run("agree", "schema", "calendar", "--json").stdout)

    assert {"calendar", "name", "zone", "freezes", "hours", "at_once"} <= set(found["properties"])
