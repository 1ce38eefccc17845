"""The channels of a server: a file of the state folder, read again when it changes; while it is wrong, those from before stay."""

from pathlib import Path
from typing import Final

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.telling.channel import Channels
from glideslope.engine.telling.ports import ChannelsRead
from glideslope.interfaces.document import channels
from glideslope.interfaces.document.text import LARGEST

_BYTES: Final = 4 * LARGEST


class ChannelsFile:
    """Reads one file, as often as it is asked and as seldom as it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._read = ChannelsRead()

    def __call__(self) -> ChannelsRead:
        """Return the channels, and what is wrong with the file now; without a file there are none."""
        try:
            status = self._path.stat()
            seen = (status.st_mtime_ns, status.st_size, status.st_ino)
            if seen == self._seen:
                return self._read
            with self._path.open("rb") as file:
                self._read = self._told(file.read(_BYTES))
            self._seen = seen
        except FileNotFoundError:
            self._seen, self._read = None, ChannelsRead()
        except OSError as error:
            self._seen = None
            self._read = ChannelsRead(self._read.channels, trouble=f"{self._path.name}: {error.strerror}.")
        return self._read

    def _told(self, content: bytes) -> ChannelsRead:
        name = self._path.name
        try:
            return ChannelsRead(read(content, file=name))
        except PlanInvalid as error:
            # The line itself is not repeated here: whoever may look is not always whoever may read the file.
            place = f"{name}:{error.line}:{error.column}"
            return ChannelsRead(
                self._read.channels, trouble=f"{place}: {error.sentence.rstrip('.')}. Those from before stay."
            )


def read(content: bytes, *, file: str) -> Channels:
    """Read a file's bytes. Raises ChannelsRefused, DocumentInvalid."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("utf-8", "replace")
    return channels.read(text, file=file)
