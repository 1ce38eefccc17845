"""The state folder as processes share it: made once, private to its owner, with the addresses of the doors in it."""

import os
from contextlib import suppress
from pathlib import Path

from glideslope.domain.errors import Unavailable
from glideslope.settings import Settings


class StateUnusable(Unavailable):
    """The state folder cannot be made or written."""

    code = "state-unusable"

    def __init__(self, *, path: Path, why: str) -> None:
        super().__init__(
            f"The state folder {path} cannot be used: {why}.",
            traffic="Nothing was started.",
            next_command="glideslope up --state FOLDER",
        )


def make_state_folder(settings: Settings) -> None:
    """Make the folder, private to its owner, if it is not there. Raises StateUnusable when it cannot be written."""
    folder = settings.state
    # The folder may have been made by somebody else, for all to read; what is written into it is for its owner.
    os.umask(0o077)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateUnusable(path=folder, why=error.strerror or str(error)) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StateUnusable(path=folder, why="it cannot be written")


def write_address(path: Path, url: str) -> None:
    """Write where a door is, whole: a reader sees the old address or the new. Raises StateUnusable.

    What stands there already is left alone: a gateway that is started again needs no space on the disk.
    """
    with suppress(OSError):
        if path.read_text(encoding="utf-8") == f"{url}\n":
            return
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(f"{url}\n", encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise StateUnusable(path=path.parent, why=error.strerror or str(error)) from error


def read_port(path: Path) -> int | None:
    """Return the port of a door that was written down; None when there is none."""
    try:
        return int(path.read_text(encoding="utf-8").strip().rpartition(":")[2])
    except (OSError, ValueError):
        return None
