"""Every `glideslope` command that a page shows exists, with the options it shows."""

import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import click
import pytest

import glideslope.interfaces.cli

CONSOLE = re.compile(r"^( *)```console\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def shown(text: str) -> list[str]:
    """Return the commands in the console blocks of a page, without prompt, comment and what follows a pipe."""
    lines = (line.strip() for _, block in CONSOLE.findall(text) for line in block.replace("\\\n", " ").splitlines())
    found = (re.sub(r"^(\$ )?(uv run |\.venv/bin/)?", "", line) for line in lines)
    commands = (re.split(r"\s+(?:#|\||>|&)", line)[0] for line in found if line.split(" ")[0] == "glideslope")
    return list(commands)


def problem(command: str, *, root: click.Command) -> str | None:
    """Return what is wrong with *command*, or None: an unknown verb, or an option that its verb does not have."""
    current, context = root, click.Context(root)
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word.startswith("-") and word != "-":
            option, equals, _ = word.partition("=")
            known = {name: each for each in current.get_params(context) for name in (*each.opts, *each.secondary_opts)}
            if option not in known:
                return f"{command}: {current.name} has no option {option}"
            each = known[option]
            if not equals and isinstance(each, click.Option) and not (each.is_flag or each.count):
                next(words, None)
        elif isinstance(current, click.Group):
            child = current.get_command(context, word)
            if child is None:
                return f"{command}: {current.name} has no command {word}"
            current, context = child, click.Context(child, parent=context)
    return None


@pytest.fixture(scope="module")
def cli(root: Path) -> click.Group:
    """Find the group that is nobody's part, somewhere in `glideslope.interfaces.cli`."""
    if not (root / "src" / "glideslope" / "__main__.py").exists():
        pytest.skip("no command line yet: src/glideslope/__main__.py does not exist")
    package = glideslope.interfaces.cli
    names = [package.__name__, *(info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))]
    groups = {
        id(each): each
        for name in names
        for each in vars(importlib.import_module(name)).values()
        if isinstance(each, click.Group)
    }
    tops = [each for each in groups.values() if each.name == "glideslope"]
    assert len(tops) == 1, f"expected one click.Group named glideslope, found {len(tops)}"
    return tops[0]


def test_every_command_on_a_page_exists(cli: click.Group, pages: list[Path], root: Path) -> None:
    wrong = [
        f"{page.relative_to(root)}: {found}"
        for page in pages
        for command in shown(page.read_text(encoding="utf-8"))
        if (found := problem(command, root=cli))
    ]

    assert wrong == []


@click.group("glideslope")
@click.option("--json", "as_json", is_flag=True)
def example(as_json: bool) -> None: ...


@example.command("plan")
@click.argument("file")
@click.option("--message", "-m")
def example_plan(file: str, message: str) -> None: ...


def test_console_blocks_are_read_as_a_reader_would_type_them() -> None:
    text = "```console\n$ glideslope plan a.yaml | head  # look\nstage canary\n$ ls\n```\n```text\nglideslope nonsense\n```\n"

    assert shown(text) == ["glideslope plan a.yaml"]


@pytest.mark.parametrize(
    ("command", "wrong"),
    [
        ("glideslope --json plan a.yaml -m 'fresher data'", None),
        ("glideslope paln a.yaml", "no command paln"),
        ("glideslope plan a.yaml --dry", "no option --dry"),
        ("glideslope", None),
    ],
)
def test_a_command_that_does_not_exist_is_found(command: str, wrong: str | None) -> None:
    found = problem(command, root=example)

    assert (found is None) if wrong is None else (found is not None and wrong in found)
