"""Files that people name on the command line, read whole in bounded memory."""

from pathlib import Path
from typing import Final

from glideslope.domain.errors import Invalid, NotFound

LARGEST: Final = 1 << 20
"""Bytes of a file that is read whole."""


def file_bytes(path: Path, *, what: str, next_command: str = "") -> bytes:
    """Return a file's content, from a pipe too. Raises NotFound, Invalid; also for one that is longer than LARGEST."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(what=f"{what} file", name=str(path), next_command=next_command) from None
    except OSError as error:
        raise Invalid(f"The {what} file {str(path)!r} cannot be read: {error.strerror}.") from None
    if len(content) > LARGEST:
        raise Invalid(f"The {what} file {str(path)!r} is longer than {LARGEST:,} bytes.")
    return content
