"""`glideslope init`: a working, commented start: a plan, and with a policy all that goes with it. Overwrites nothing."""

import json
from pathlib import Path
from typing import Final

import click

from glideslope.domain.errors import Conflict
from glideslope.domain.ids import model_name
from glideslope.interfaces.cli import templates
from glideslope.interfaces.cli.context import STATE_FOLDER
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import (
    DOSSIER_FILE,
    EXAMPLE_FILE,
    POLICIES,
    POLICY_FILE,
    POLICY_SCHEMA_FILE,
    SCHEMA_FILE,
    shipped,
)

IGNORED: Final = f"{STATE_FOLDER}/\n"
ORGANISATION_FILE: Final = "organisation.yaml"
THREATS_FILE: Final = "threats.yaml"
SCHEMAS: Final = (SCHEMA_FILE, POLICY_SCHEMA_FILE, DOSSIER_FILE)
"""What is the same wherever it is written, so that it may be there already."""


class FileExists(Conflict):
    code = "file-exists"

    def __init__(self, path: Path, *, next_command: str = "glideslope plan") -> None:
        super().__init__(f"{path} exists already, and nothing was written.", next_command=next_command)


@click.command("init")
@click.option(
    "--kind", type=click.Choice(list(templates.KINDS)), help="What the model does: its plan is judged by that."
)
@click.option("--tier", metavar="TIER", help="How much care it asks for: low, medium, high; of a lab sandbox, trial.")
@click.option(
    "--policy", type=click.Choice(POLICIES), help="A policy to start from, with the organisation that goes with it."
)
@click.option("--model", default="my-model", show_default=True, metavar="NAME", help="What callers ask for by name.")
@click.option("--dry-run", is_flag=True, help="Only say what would be written.")
@json_option
def command(
    *, kind: str | None, tier: str | None, policy: str | None, model: str, dry_run: bool, as_json: bool
) -> None:
    """Write glideslope.yaml, its schema for editors, and a line in .gitignore for the state folder.

    With --kind, --tier or --policy the plan is one for such a model; with --policy also the policy with its tests, an organisation,
    and a threat model. They pass `plan`, `policy test` and `agree check` as they are.
    """
    contents = _contents(kind, tier, policy, model)
    for path, content in contents.items():
        if path.exists() and (path.name not in SCHEMAS or path.read_text(encoding="utf-8") != content):
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
    if policy:
        say("      edit organisation.yaml and policy.yaml, then  glideslope policy test  and  glideslope agree table")


def _contents(kind: str | None, tier: str | None, policy: str | None, model: str) -> dict[Path, str]:
    """Return what is written, by its path. Raises click.UsageError for a tier that the policy does not know, NameInvalid."""
    schema = {Path(SCHEMA_FILE): shipped(SCHEMA_FILE)}
    if kind is None and tier is None and policy is None:
        return {Path(EXAMPLE_FILE): shipped(EXAMPLE_FILE).replace("my-model", model_name(model)), **schema}
    tiers = templates.TIERS[policy or ""]
    if tier is not None and tier not in tiers:
        raise click.UsageError(f"There is no tier {tier!r} here; there are {', '.join(tiers)}.")
    asked = templates.Asked(
        model=model_name(model), kind=kind or next(iter(templates.KINDS)), tier=tier or tiers[0], policy=policy or ""
    )
    contents = {Path(EXAMPLE_FILE): templates.plan(asked), **schema}
    if policy:
        contents |= {
            Path(ORGANISATION_FILE): templates.organisation(asked),
            Path(THREATS_FILE): templates.threats(asked),
            Path(POLICY_FILE): shipped(f"policies/{policy}.yaml"),
            Path(DOSSIER_FILE): shipped(f"policies/{DOSSIER_FILE}"),
            Path(POLICY_SCHEMA_FILE): shipped(POLICY_SCHEMA_FILE),
        }
    return contents
