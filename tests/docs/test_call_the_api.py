"""What the page about calling the API shows is run, in its order, against a real server."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.interfaces.served import Served, served

PAGE = "docs/how-to/call-the-api.md"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def standing() -> Iterator[Served]:
    with served() as found:
        yield found


def run(command: list[str], *, env: Mapping[str, str]) -> str:
    found = subprocess.run(command, env=dict(env), capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 0, (command, found.stdout, found.stderr)
    return found.stdout


def test_what_the_page_shows_does_what_it_says(root: Path, standing: Served) -> None:
    curl, shell = shutil.which("curl"), shutil.which("bash")
    env = {
        "GLIDESLOPE_SERVER": standing.url,
        "GLIDESLOPE_TOKEN": "gs_member",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": str(root / "src"),
    }
    said: list[str] = []
    for language, block in BLOCK.findall((root / PAGE).read_text(encoding="utf-8")):
        if language == "python":
            said.append(run([sys.executable, "-c", block], env=env))
        elif curl and shell:
            said.append(run([shell, "-c", re.sub(r"^\$ ", "", block, flags=re.MULTILINE)], env=env))
        else:
            said.append("")

    def says(number: int, text: str) -> bool:
        return not said[number] or text in said[number]

    assert len(said) == 10
    assert "r-0002 halted Waits for a person" in said[0]
    assert said[1].startswith("3 models, ")
    assert says(2, '"models":[')
    assert "ada proposes" in said[3] or "proposed" in said[3]
    assert said[4] == "rolled-back\nNone\n"
    assert says(5, "304\n")
    assert said[6].startswith("lapsed\nlapsed\npage-stale r-0002 is not as you saw it")
    assert says(7, '"phase":"halted"')
    assert re.match(r"\d+ r-000\d ", said[8])
    assert says(9, "event: entry")
