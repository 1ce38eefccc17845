"""Files that people name on the command line, read with errors that name them."""

from pathlib import Path

from glideslope.domain.errors import Invalid, NotFound
from glideslope.interfaces.document.text import decode

PLAN = "glideslope.yaml"


def plan_text(path: Path) -> dict[str, str]:
    """Return a plan's text and the file's name, as the API takes them. Raises NotFound, DocumentInvalid, Invalid."""
    return {
        "text": decode(file_bytes(path, what="plan", next_command="glideslope init"), file=str(path)).text,
        "file": str(path),
    }


def file_bytes(path: Path, *, what: str, next_command: str = "") -> bytes:
    """Return a file's content. Raises NotFound, Invalid."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(what=f"{what} file", name=str(path), next_command=next_command) from None
    except OSError as error:
        raise Invalid(f"The {what} file {str(path)!r} cannot be read: {error.strerror}.") from None
