"""Files that come with the package: the schema of the YAML, the plan that `init` writes, the pages that `explain` reads."""

import re
from importlib.resources import files
from typing import Final

SCHEMA_FILE: Final = "glideslope.schema.json"
EVALUATION_SCHEMA_FILE: Final = "evaluation.schema.json"
REPORT_SCHEMA_FILE: Final = "report.schema.json"
POLICY_SCHEMA_FILE: Final = "policy.schema.json"
DOSSIER_SCHEMA_FILE: Final = "dossier.schema.json"
POLICIES: Final = ("regulated-bank", "product-team", "lab")
POLICY_FILE: Final = "policy.yaml"
DOSSIER_FILE: Final = "dossier.yaml"
EXAMPLE_FILE: Final = "glideslope.yaml"
PAGES: Final = ("errors.md", "reasons.md")
RECORDED_RUN: Final = "flights.bundle.gz"
RECORDED_KEY: Final = "flights.key"
"""The ledger of one run of the demo, and the key of its server: what `glideslope demo --keep DIR` leaves there, `gzip -9n`."""


def shipped(name: str) -> str:
    """Return a file's text."""
    return (files("glideslope.interfaces.cli") / "files" / name).read_text(encoding="utf-8")


def shipped_bytes(name: str) -> bytes:
    """Return a file's content."""
    return (files("glideslope.interfaces.cli") / "files" / name).read_bytes()


def explanations() -> dict[str, str]:
    """Return what the reference says under each code, in the order of the pages; a code of both pages gets both texts."""
    found: dict[str, str] = {}
    for page in PAGES:
        for part in re.split(r"^## ", shipped(page), flags=re.MULTILINE)[1:]:
            code, _, text = part.partition("\n")
            found[code] = "\n\n".join(each for each in (found.get(code, ""), text.strip()) if each)
    return found
