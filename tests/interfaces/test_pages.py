"""The reference says what is so: every verb, option, status, key, route and code, and nothing else."""

import importlib
import pkgutil
import re
from pathlib import Path
from typing import Any

import click
import pytest

import glideslope
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.reasons import Reason
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.main import VERBS
from glideslope.interfaces.cli.main import glideslope as top
from glideslope.interfaces.cli.shipped import PAGES, explanations, shipped
from glideslope.interfaces.document.reading import read
from glideslope.interfaces.document.showing import schema

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
SHARED = {"--server", "--token", "--ca", "--json", "--help", "-h"}
CELL = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def sections(text: str, *, level: int) -> dict[str, str]:
    parts = re.split(rf"^#{{{level}}} (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def codes() -> set[str]:
    """Every code of the error tree, wherever it is defined."""
    for info in pkgutil.walk_packages(glideslope.__path__, "glideslope."):
        # The demo needs its own extra, and what is shipped for tests is refused to nobody.
        if not info.name.startswith(("glideslope.__main__", "glideslope.demo", "glideslope.testing")):
            importlib.import_module(info.name)
    found: set[str] = set()
    waiting: list[type[GlideslopeError]] = [GlideslopeError]
    while waiting:
        each = waiting.pop()
        found.add(each.code)
        waiting.extend(each.__subclasses__())
    return found


@pytest.mark.parametrize("name", PAGES)
def test_what_explain_prints_is_the_reference(name: str) -> None:
    assert shipped(name) == page(name)


def test_every_error_is_explained_and_nothing_that_is_none() -> None:
    explained = sections(page("errors.md"), level=2)

    assert set(explained) == codes()
    assert all(text.strip() for text in explained.values())


def test_every_reason_is_explained_and_nothing_that_is_none() -> None:
    assert set(sections(page("reasons.md"), level=2)) == {reason.value for reason in Reason}


def test_a_code_of_both_pages_gets_both_texts() -> None:
    assert explanations()["rollout-ended"].count("\n\n") >= 1


def test_every_verb_is_documented_with_its_own_options() -> None:
    documented = sections(page("cli.md"), level=3)
    shown = {name for name, verb in VERBS.items() if not verb.hidden}
    assert set(documented) == shown
    for name in shown:
        command = top.get_command(click.Context(top), name)
        assert command is not None
        commands = list(command.commands.values()) if isinstance(command, click.Group) else [command]
        options = {
            option
            for each in commands
            for parameter in each.params
            if parameter.param_type_name == "option"
            for option in parameter.opts
        }
        written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", documented[name]))
        assert options - SHARED <= written, name


def test_every_exit_status_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \|", page("cli.md"), re.MULTILINE)

    assert [int(row) for row in rows] == [int(each) for each in Exit]


def test_every_key_of_the_plan_is_documented() -> None:
    found = schema()
    keys = set(found["properties"]) | {
        key for definition in found["$defs"].values() for key in definition.get("properties", {})
    }

    assert keys == set(CELL.findall(page("configuration.md")))


def test_every_default_of_the_plan_is_the_documented_one() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]+)` \|", page("configuration.md"), re.MULTILINE))
    plain = "model: m\ncandidate: v\nowner: o\nwhy: w\n"
    expected = read(plain, file="x").draft

    for key in schema()["properties"].keys() & rows.keys():
        assert read(f"{plain}{key}: {rows[key]}\n", file="x").draft == expected, key


@pytest.mark.parametrize("number", [0, 1, 2, 3])
def test_every_plan_on_the_page_can_be_read(number: int) -> None:
    plans = re.findall(r"^```yaml\n(.*?)^```", page("configuration.md"), re.MULTILINE | re.DOTALL)

    assert len(plans) == 4
    assert read(plans[number], file="glideslope.yaml").draft.model == "late-arrival"


def test_every_route_is_documented_as_it_describes_itself(http: Any) -> None:
    paths = http.get("/v1/openapi.json").json()["paths"]
    described = {
        f"{method.upper()} {path}": operation["summary"]
        for path, operations in paths.items()
        for method, operation in operations.items()
    }

    documented = dict(re.findall(r"^\| `([A-Z]+ /[^`]+)` \| (.*?) \|", page("http-api.md"), re.MULTILINE))
    assert documented == described


def test_every_status_of_a_refusal_is_documented() -> None:
    rows = re.findall(r"^\| (\d+) \|", page("http-api.md"), re.MULTILINE)

    assert [int(row) for row in rows] == [401, 403, 404, 409, 412, 413, 422, 500, 503]
