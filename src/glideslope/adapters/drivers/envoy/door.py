"""Where a gateway reaches its server, and how its Envoy is told shapes and asked: on the same host, or on another."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

import grpc.aio

from glideslope.adapters.drivers.envoy.admin import Admin
from glideslope.adapters.drivers.envoy.documents import LINGER, Publisher
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.observed import observed_route, requests_of
from glideslope.adapters.drivers.envoy.shape import Documents
from glideslope.domain.errors import DriverUnavailable
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import ObservedRoute

Behaviour = Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]
"""Serves one call of a gateway."""


class Plane(Protocol):
    """One Envoy, wherever it runs. Every call raises DriverUnavailable when it cannot be reached or does not obey."""

    async def publish(self, making: Documents, final: Documents) -> None:
        """Bring up the clusters of `making`, switch to its routes, and later drop the clusters that `final` does without."""
        ...

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Read back from Envoy itself what is in force. Raises NotFound."""
        ...

    async def requests(self, model: ModelName) -> Mapping[str, int]:
        """Return requests answered so far per role."""
        ...

    async def close(self) -> None:
        """Leave it as it is."""
        ...


class Door(Protocol):
    """Leads to one gateway."""

    @property
    def plane(self) -> Plane:
        """The Envoy of this gateway."""
        ...

    @property
    def silence(self) -> timedelta:
        """How late a lease may arrive after it was sent; what is granted is shortened by this."""
        ...

    @property
    def options(self) -> Sequence[tuple[str, int]]:
        """Of the gRPC server behind the door."""
        ...

    @property
    def handlers(self) -> Sequence["grpc.GenericRpcHandler[Any, Any]"]:
        """Served beside leases and logs."""
        ...

    def guarded(self, behaviour: Behaviour) -> Behaviour:
        """Return the behaviour for whoever may come through this door."""
        ...

    def bind(self, server: grpc.aio.Server) -> None:
        """Let the server listen here. Raises DriverUnavailable, PortInUse."""
        ...

    def opened(self) -> None:
        """Note that the server listens."""
        ...


class LocalPlane:
    """An Envoy in a folder of this host."""

    def __init__(self, folder: Folder, *, patience: float, linger: float = LINGER) -> None:
        self._admin = Admin(folder.admin)
        self._publisher = Publisher(folder, self._admin, patience=patience, linger=linger)

    async def publish(self, making: Documents, final: Documents) -> None:
        """Write the files that Envoy watches, and wait until it has taken them."""
        await self._publisher.publish(making, final)

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Ask its admin."""
        return await observed_route(self._admin, model)

    async def requests(self, model: ModelName) -> Mapping[str, int]:
        """Ask its admin."""
        return await requests_of(self._admin, model)

    async def close(self) -> None:
        """Drop no more clusters."""
        await self._publisher.close()


class LocalDoor:
    """A socket in the gateway's folder, for its owner only."""

    silence: Final = timedelta(0)
    options: Final = (("grpc.so_reuseport", 0),)
    handlers: Final = ()

    def __init__(self, folder: Folder, *, patience: float, linger: float = LINGER) -> None:
        self._folder = folder
        self.plane: Plane = LocalPlane(folder, patience=patience, linger=linger)

    def guarded(self, behaviour: Behaviour) -> Behaviour:
        """Whoever can open the socket may."""
        return behaviour

    def bind(self, server: grpc.aio.Server) -> None:
        """Listen on the socket."""
        try:
            server.add_insecure_port(f"unix:{self._folder.server}")
        except RuntimeError as error:
            raise DriverUnavailable(driver="envoy", why=f"{self._folder.server} cannot be used: {error}") from error

    def opened(self) -> None:
        """Keep others out."""
        self._folder.server.chmod(0o600)
