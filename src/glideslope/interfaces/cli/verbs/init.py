"""`glideslope init`: a working, commented plan to start from. Overwrites nothing."""

import json
from pathlib import Path
from typing import Final

import click

from glideslope.domain.errors import Conflict
from glideslope.interfaces.cli.context import STATE_FOLDER
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import EXAMPLE_FILE, SCHEMA_FILE, shipped

IGNORED: Final = f"{STATE_FOLDER}/\n"


class FileExists(Conflict):
    code = "file-exists"

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists already, and nothing was written.", next_command="glideslope plan")


@click.command("init")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@json_option
def command(*, dry_run: bool, as_json: bool) -> None:
    """Write glideslope.yaml, its schema for editors, and a line in .gitignore for the state folder."""
    contents = {Path(EXAMPLE_FILE): shipped(EXAMPLE_FILE), Path(SCHEMA_FILE): shipped(SCHEMA_FILE)}
    for path, content in contents.items():
        if path.exists() and (path.name == EXAMPLE_FILE or path.read_text(encoding="utf-8") != content):
            raise FileExists(path)
    ignoring = Path(".gitignore")
    before = ignoring.read_text(encoding="utf-8") if ignoring.exists() else ""
    if STATE_FOLDER not in [line.strip().strip("/") for line in before.splitlines()]:
        ended = before if not before or before.endswith("\n") else f"{before}\n"
        contents[ignoring] = ended + IGNORED
    if not dry_run:
        for path, content in contents.items():
            path.write_text(content, encoding="utf-8")
    if as_json:
        say(json.dumps({"files": [str(path) for path in contents], "written": not dry_run}))
        return
    verb = "Would write" if dry_run else "Wrote"
    say(f"{verb} {', '.join(str(path) for path in contents)}.")
    say("Next: edit glideslope.yaml, then  glideslope up  and  glideslope plan")
