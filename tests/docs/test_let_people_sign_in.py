"""The page on signing in can be followed: its commands in their order, and its file as it stands there."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.docs.test_commands import shown

from glideslope.__main__ import _outside
from glideslope.adapters.identity.providers import read_providers
from glideslope.domain.identity import Role
from glideslope.domain.provider import vouched, who
from glideslope.interfaces.cli.main import glideslope


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "how-to" / "let-people-sign-in.md").read_text(encoding="utf-8")


def test_every_command_does_what_the_page_says(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".glideslope").mkdir(mode=0o700)
    commands = [command for command in shown(page) if command != "glideslope up"]
    assert len(commands) >= 7
    for command in commands:
        done = CliRunner().invoke(glideslope, shlex.split(command)[1:], obj=_outside())
        assert done.exit_code == 0, f"{command}: {done.output}"
        if " invite " in command or " reset " in command:
            assert "/setup/" in done.stdout

    left = CliRunner().invoke(glideslope, ["account", "ls"], obj=_outside()).stdout
    assert "auditor" in left
    assert "grace" not in left, "it was removed in the end"


def test_the_file_of_providers_is_one(page: str, tmp_path: Path) -> None:
    (written,) = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    path = tmp_path / "providers.toml"
    path.write_text(written, encoding="utf-8")
    path.chmod(0o600)
    (provider,) = read_providers(path)

    assert who([provider], vouched(provider, "00u1a2b3c4", {})).actor == "grace"
    somebody = who([provider], vouched(provider, "SUB", {"groups": ["ml-auditors"]}))
    assert (somebody.actor, somebody.role) == ("corp:SUB", Role.READER)
