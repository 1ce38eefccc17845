"""Plans that people name on the command line, read with errors that name them."""

from pathlib import Path

from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.document.text import decode

PLAN = "glideslope.yaml"


def plan_text(path: Path) -> dict[str, str]:
    """Return a plan's text and the file's name, as the API takes them. Raises NotFound, DocumentInvalid, Invalid."""
    return {
        "text": decode(file_bytes(path, what="plan", next_command="glideslope init"), file=str(path)).text,
        "file": str(path),
    }


def envelope_text(path: Path | None) -> dict[str, str]:
    """Return an envelope's text and the file's name, as the API takes them; nothing without one. Raises as `plan_text` does."""
    if path is None:
        return {}
    content = file_bytes(path, what="envelope", next_command="glideslope agree new envelope")
    return {"envelope": decode(content, file=str(path)).text, "envelope_file": str(path)}
