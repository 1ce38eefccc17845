"""Where things lie in a gateway's folder, shared by the supervisor, Envoy and the server. Private to its owner (0700)."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from glideslope.domain.errors import DriverUnavailable

XDS: Final = "xds"
CDS: Final = "clusters.json"
RDS: Final = "routes.json"
SDS: Final = "certificate.json"
ADMIN: Final = "admin.sock"
SERVER: Final = "server.sock"

ROUTES: Final = "models"
"""The name of the one route configuration."""

LEASES: Final = "glideslope-server"
"""The name of the cluster that leads to the server."""

_LONGEST_SOCKET: Final = 107
"""Bytes in a unix socket's path on Linux, unix(7)."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A gateway's folder. Raises DriverUnavailable when its path is too long to hold sockets."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> Self:
        """Return the folder at a path, made absolute."""
        return cls(path.absolute())

    def __post_init__(self) -> None:
        if len(os.fsencode(self.server)) > _LONGEST_SOCKET:
            why = f"the path {self.path} is too long for a unix socket (at most {_LONGEST_SOCKET} bytes with its name)"
            raise DriverUnavailable(driver="envoy", why=why)

    @property
    def admin(self) -> Path:
        """The socket of Envoy's admin."""
        return self.path / ADMIN

    @property
    def server(self) -> Path:
        """The socket on which the server leases and takes observations."""
        return self.path / SERVER

    @property
    def clusters(self) -> Path:
        """What Envoy knows as its clusters."""
        return self.path / XDS / CDS

    @property
    def routes(self) -> Path:
        """What Envoy knows as its routes."""
        return self.path / XDS / RDS

    @property
    def certificate(self) -> Path:
        """What Envoy shows to callers, the private key in it; there is none without TLS."""
        return self.path / XDS / SDS

    @property
    def lanes(self) -> Path:
        """What the documents were made from."""
        return self.path / "lanes.json"

    @property
    def bootstrap(self) -> Path:
        """What Envoy starts from."""
        return self.path / "bootstrap.json"

    @property
    def pid(self) -> Path:
        """Who Envoy is, for a supervisor that comes later."""
        return self.path / "envoy.pid"

    @property
    def lock(self) -> Path:
        """Held by the one living supervisor."""
        return self.path / "supervisor.lock"

    @property
    def log(self) -> Path:
        """What Envoy and its supervisor have to say."""
        return self.path / "envoy.log"

    def create(self) -> None:
        """Make the folder, private to its owner."""
        (self.path / XDS).mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)


def replace(path: Path, text: str) -> None:
    """Write a file so that a reader, or a watcher, sees the old or the new one whole, also after a power cut.

    Raises DriverUnavailable.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with fresh.open("w", encoding="utf-8") as writing:
            writing.write(text)
            writing.flush()
            # A name may become certain before the content does: then a cut leaves an empty file under it.
            os.fsync(writing.fileno())
        fresh.replace(path)
    except OSError as error:
        raise DriverUnavailable(driver="envoy", why=f"{path} cannot be written: {error.strerror}") from error
