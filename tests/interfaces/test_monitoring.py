"""`glideslope monitoring write` puts the files where they are wanted, and over nobody's work."""

import json
from pathlib import Path
from typing import Any

from glideslope.interfaces.cli.verbs.monitoring import FILES


def test_the_files_are_written_and_written_again_when_they_are_the_same(desk: Any, tmp_path: Path) -> None:
    first = desk.run("monitoring", "write", "watching/here")
    again = desk.run("monitoring", "write", "watching/here", "--json")

    assert first.exit_code == 0
    assert all(f"watching/here/{name}" in first.output for name in FILES)
    assert json.loads(again.output) == {"folder": "watching/here", "written": list(FILES)}
    assert sorted(path.name for path in (tmp_path / "watching" / "here").iterdir()) == sorted(FILES)


def test_what_somebody_changed_is_kept_unless_they_say_so(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text("groups: []  # mine\n")

    refused = desk.run("monitoring", "write", ".")
    assert refused.exit_code != 0
    assert "file-exists" in refused.output
    assert "glideslope monitoring write . --force" in refused.output
    assert not (tmp_path / "prometheus.yaml").exists(), "all or nothing"
    assert (tmp_path / "rules.yaml").read_text() == "groups: []  # mine\n"

    assert desk.run("monitoring", "write", ".", "--force").exit_code == 0
    assert "GlideslopeDown" in (tmp_path / "rules.yaml").read_text()
