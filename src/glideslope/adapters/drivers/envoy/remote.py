"""The server's end of the line to a gateway on another host: a TCP door with mutual TLS, and orders through it.

One gateway per server: the first whose supervisor attends, for the life of the server. Another one with good credentials is
told so and gets nothing, since exposure would be confirmed by one of them only.
"""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
import msgspec
from cryptography import x509

from glideslope.adapters.drivers.envoy.credentials import SERVER_LIVES, Authority, Pair, name_in
from glideslope.adapters.drivers.envoy.door import Behaviour
from glideslope.adapters.drivers.envoy.line import (
    DOOR,
    SILENCE,
    SILENCES,
    TELLS_SILENCE,
    Absent,
    Answer,
    Count,
    Counted,
    Done,
    Failed,
    Observe,
    Observed,
    Order,
    Publish,
    encode,
    line_handler,
    read_answer,
)
from glideslope.adapters.drivers.envoy.shape import Documents
from glideslope.domain.errors import DriverUnavailable, NotFound, PortInUse
from glideslope.domain.ids import ModelName
from glideslope.domain.traffic import ObservedRoute

_ANSWER_WITHIN: Final = 1.5
"""Seconds for what is only asked: a governor that waits renews nothing meanwhile."""

_END: Final = b""

_log = logging.getLogger(__name__)

_Expected = TypeVar("_Expected", Done, Observed, Counted)


@dataclass(slots=True, eq=False)
class _Attendance:
    """One call of a supervisor, for as long as it lasts."""

    outbox: "asyncio.Queue[bytes]" = field(default_factory=asyncio.Queue)
    waiting: "dict[int, asyncio.Future[Answer]]" = field(default_factory=dict)

    def end(self) -> None:
        self.outbox.put_nowait(_END)
        for answer in self.waiting.values():
            if not answer.done():
                answer.set_exception(DriverUnavailable(driver="envoy", why="the line to the gateway was cut"))


class RemotePlane:
    """An Envoy on another host, told and asked through its supervisor. Not thread-safe: it belongs to one event loop."""

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._numbers = itertools.count(1)
        self._now: _Attendance | None = None
        self._last: tuple[Documents, Documents] | None = None

    @property
    def attended(self) -> bool:
        """Tell whether a supervisor is at the other end."""
        return self._now is not None

    async def publish(self, making: Documents, final: Documents) -> None:
        """Have the files written there, and wait until Envoy has taken them."""
        # Clusters, warming, routes, clusters again: each may take as long as Envoy is given.
        await self._ask(Publish(next(self._numbers), making, final), Done, within=4 * self._patience + _ANSWER_WITHIN)
        self._last = (final, final)

    async def observe(self, model: ModelName) -> ObservedRoute:
        """Have its admin asked there."""
        order = Observe(next(self._numbers), model)
        return (await self._ask(order, Observed, within=_ANSWER_WITHIN)).route

    async def requests(self, model: ModelName) -> Mapping[str, int]:
        """Have its admin asked there."""
        return (await self._ask(Count(next(self._numbers), model), Counted, within=_ANSWER_WITHIN)).totals

    async def close(self) -> None:
        """Nothing is left to do: its supervisor goes on."""

    async def _ask(self, order: Order, expected: type[_Expected], *, within: float) -> _Expected:
        attendance = self._now
        if attendance is None:
            raise DriverUnavailable(driver="envoy", why="no gateway is connected")
        answer = attendance.waiting[order.number] = asyncio.get_running_loop().create_future()
        attendance.outbox.put_nowait(encode(order))
        try:
            async with asyncio.timeout(within):
                told = await answer
        except TimeoutError:
            why = f"the gateway's supervisor has not answered within {within:g} s"
            raise DriverUnavailable(driver="envoy", why=why) from None
        finally:
            attendance.waiting.pop(order.number, None)
        match told:
            case Absent() if isinstance(order, Observe):
                raise NotFound(what="model behind the gateway", name=order.model)
            case Failed(why=why):
                raise DriverUnavailable(driver="envoy", why=why)
            case _ if isinstance(told, expected):
                return told
            case _:
                why = "the gateway's supervisor answers what was not asked; is it of the same release?"
                raise DriverUnavailable(driver="envoy", why=why)

    async def attend(self, answers: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Serve one supervisor for as long as it attends; a newer call of the same takes the place of an older."""
        if self._now is not None:
            self._now.end()
        attendance = self._now = _Attendance()
        if self._last is not None:
            # Its host may have lost what it carried.
            attendance.outbox.put_nowait(encode(Publish(next(self._numbers), *self._last)))
        reading = asyncio.create_task(_read(attendance, answers))
        try:
            while (order := await attendance.outbox.get()) != _END:
                await context.write(order)
        finally:
            attendance.end()
            if self._now is attendance:
                self._now = None
            reading.cancel()
            await asyncio.wait((reading,))


async def _read(attendance: _Attendance, answers: AsyncIterator[bytes]) -> None:
    try:
        async for message in answers:
            answer = read_answer(message)
            if (waiting := attendance.waiting.get(answer.number)) is not None and not waiting.done():
                waiting.set_result(answer)
            elif isinstance(answer, Failed):
                _log.warning("the gateway did not take what it last carried: %s", answer.why)
    except msgspec.DecodeError as error:
        _log.warning("the gateway's supervisor said what cannot be read, and is hung up on: %s", error)
    finally:
        attendance.end()


class RemoteDoor:
    """Listens at `host:port`, and lets in gateways that `authority` vouches for. `now` tells the time, for certificates."""

    options: Final = DOOR

    def __init__(
        self, host: str, port: int, *, authority: Authority, now: Callable[[], datetime], patience: float = 5.0
    ) -> None:
        self._host = host
        self.port = port
        self._authority = authority
        self._now = now
        self._made = now()
        self.gateway = ""
        """Who attends, or did; empty until the first."""
        self.ends: datetime | None = None
        """When its credentials end."""
        self.silence = SILENCE
        """What the gateway that attends says."""
        self.plane = RemotePlane(patience=patience)
        self.handlers = (line_handler(self._attend),)

    def guarded(self, behaviour: Behaviour) -> Behaviour:
        """Serve the gateway that attends; tell any other why not."""

        async def serve(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:  # noqa: ANN401 - grpc's types
            name = name_in(_certificate(context))
            if name != self.gateway:
                await context.abort(grpc.StatusCode.UNAVAILABLE, f"the supervisor of {name} does not attend")
            return await behaviour(requests, context)

        return serve

    def bind(self, server: grpc.aio.Server) -> None:
        """Listen with mutual TLS; the server's own certificate is made anew before it ends."""
        pair = self._authority.server(now=self._made)
        credentials = grpc.dynamic_ssl_server_credentials(
            self._configuration(pair),
            self._renewed,  # type: ignore[arg-type] # the stubs forget that None means no change
            require_client_authentication=True,
        )
        host = f"[{self._host}]" if ":" in self._host else self._host
        try:
            self.port = server.add_secure_port(f"{host}:{self.port}", credentials)
        except RuntimeError as error:
            raise PortInUse(port=self.port, purpose="gateways", setting="--gateway-listen") from error

    def opened(self) -> None:
        """Nothing is left to do."""

    def _renewed(self) -> "grpc.ServerCertificateConfiguration | None":
        """Return a fresh certificate when half the life of the last is over; called at each handshake."""
        now = self._now()
        if now - self._made < SERVER_LIVES / 2:
            return None
        self._made = now
        return self._configuration(self._authority.server(now=now))

    def _configuration(self, pair: Pair) -> "grpc.ServerCertificateConfiguration":
        return grpc.ssl_server_certificate_configuration(
            [(pair.key, pair.certificate)], root_certificates=self._authority.pem
        )

    async def _attend(self, answers: AsyncIterator[bytes], context: grpc.aio.ServicerContext[Any, Any]) -> None:
        certificate = _certificate(context)
        name = name_in(certificate)
        if self.gateway not in {"", name}:
            why = f"this server drives the gateway {self.gateway}; it takes another when it is started again"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)
        self.silence = _silence(context)
        self.gateway, self.ends = name, certificate.not_valid_after_utc
        _log.info("the gateway %s is attended", name)
        await self.plane.attend(answers, context)


def _certificate(context: grpc.aio.ServicerContext[Any, Any]) -> x509.Certificate:
    """Return what the caller proved to be; TLS has checked it against the authority."""
    return x509.load_pem_x509_certificate(next(iter(context.auth_context()["x509_pem_cert"])))


def _silence(context: grpc.aio.ServicerContext[Any, Any]) -> timedelta:
    """Return how long the caller's Envoy bears a silent line; what cannot be read is taken for the longest."""
    told = {str(key): value for key, value in context.invocation_metadata() or ()}.get(TELLS_SILENCE, "")
    shortest, longest = SILENCES
    try:
        return min(max(timedelta(seconds=float(told)), shortest), longest)
    except (ValueError, OverflowError):
        return longest
