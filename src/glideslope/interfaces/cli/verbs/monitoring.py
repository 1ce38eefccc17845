"""`glideslope monitoring`: what Prometheus and Grafana have to know to watch a server, from the files that come with the package."""

import json
from pathlib import Path
from typing import Final

import click

from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.shipped import shipped
from glideslope.interfaces.cli.verbs.init import FileExists

FILES: Final = {
    "prometheus.yaml": "a configuration of Prometheus that scrapes this server",
    "rules.yaml": "alerts",
    "dashboard-fleet.json": "a Grafana dashboard of all models and rollouts",
    "dashboard-rollout.json": "one of a rollout: arms, exposure, guardrails, slices",
    "dashboard-server.json": "one of the server itself",
}


@click.group("monitoring")
def command() -> None:
    """Write what Prometheus and Grafana need to watch a server."""


@command.command("write")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Also over files that are there and say something else.")
@json_option
def write(*, folder: Path, force: bool, as_json: bool) -> None:
    """Write a scrape configuration, alerts and dashboards into FOLDER, which is made if it is not there."""
    texts = {name: shipped(f"monitoring/{name}") for name in FILES}
    others = [
        name
        for name, text in texts.items()
        if (folder / name).exists() and (folder / name).read_text(encoding="utf-8", errors="replace") != text
    ]
    if others and not force:
        raise FileExists(folder / others[0], next_command=f"glideslope monitoring write {folder} --force")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if as_json:
        say(json.dumps({"folder": str(folder), "written": list(texts)}))
        return
    for name, what in FILES.items():
        say(f"{folder / name}: {what}")
