"""ASGI middleware for model servers: reads the gateway's stamps, hands them to the handler, and answers with a receipt.

Whatever fails in here, the application's own answer goes out unchanged.
"""

import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Final

from glideslope.sdk import stamps as stamping
from glideslope.sdk.service import Service
from glideslope.sdk.stamps import NO_STAMPS, PREDICTION, Stamps

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

KEY: Final = "glideslope"
"""Under this key of the scope a handler finds its Answering."""

_PREDICTION: Final = PREDICTION.encode()


class Answering:
    """One request on its way through the service."""

    __slots__ = ("_service", "_started", "prediction", "stamps")

    def __init__(self, service: Service, *, stamps: Stamps) -> None:
        self._service = service
        self._started = perf_counter()
        self.stamps = stamps
        self.prediction: str | None = None
        """The id that the answer will carry; None until a score is recorded, or when no true one can be made."""

    def record(
        self,
        *,
        score: float | None = None,
        slices: Mapping[str, str] | None = None,
        answer: str = "",
        prediction: str = "",
        attributes: Mapping[str, float | bool | str] | None = None,
        features: Mapping[str, Any] | None = None,
        **metrics: float,
    ) -> str | None:
        """Note what was answered, before the answer is sent; return the prediction's id, or None. Never raises.

        `score` is the probability given, `slices` the request's fields by name, `attributes` what the plan's expressions may ask for
        besides, `features` the row that the model was given, to be checked against its data contract, `metrics` values by the
        metric's name. For the comparison with the other arm's answer in the shadow stage `answer` is the class; the time until
        now is taken too, and whether both arms were given the same features. Where the server keeps a prediction log,
        `prediction` is an id of your own, and of the attributes those are logged that the plan calls loggable.
        """
        made = self._service.predicted(
            self.stamps,
            score=score,
            slices=slices,
            metrics=metrics,
            prediction=prediction,
            attributes=attributes,
            features=features,
            answer=answer,
            seconds=perf_counter() - self._started,
        )
        if made is not None:
            self.prediction = made
        return made


_current: Final[ContextVar[Answering | None]] = ContextVar("glideslope", default=None)


def record(
    *,
    score: float | None = None,
    slices: Mapping[str, str] | None = None,
    answer: str = "",
    prediction: str = "",
    attributes: Mapping[str, float | bool | str] | None = None,
    features: Mapping[str, Any] | None = None,
    **metrics: float,
) -> str | None:
    """Do `Answering.record` for the request at hand; outside of one, nothing."""
    answering = _current.get()
    if answering is None:
        return None
    return answering.record(
        score=score,
        slices=slices,
        answer=answer,
        prediction=prediction,
        attributes=attributes,
        features=features,
        **metrics,
    )


class Glideslope:
    """Wraps an ASGI application that serves one version of one model.

    Without a `server` it only passes through. Raises Invalid for names, an address or a token that cannot be.
    """

    def __init__(
        self,
        app: Application,
        *,
        model: str,
        version: str,
        server: str | None = None,
        token: str = "",
        folder: str | os.PathLike[str] | None = None,
        source: str = "",
        ca: str = "",
        price: float = 0.0,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._app = app
        self.service = Service(
            model,
            version=version,
            server=server,
            token=token,
            folder=folder,
            source=source,
            ca=ca,
            price=price,
            tags=tags,
        )

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, connection or life, as ASGI asks."""
        self.service.start()
        if scope["type"] == "lifespan":
            await self._app(scope, receive, self._ending(send))
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = Answering(self.service, stamps=_stamps(scope))
        scope[KEY] = answering
        token = _current.set(answering)
        try:
            await self._app(scope, receive, _with_receipt(send, answering))
        finally:
            _current.reset(token)

    def _ending(self, send: Send) -> Send:
        async def sent(message: Message) -> None:
            if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed"}:
                self.service.stop()
            await send(message)

        return sent


def _stamps(scope: Message) -> Stamps:
    try:
        return stamping.from_headers(scope["headers"])
    except Exception:  # noqa: BLE001 - the boundary to the host: a request that cannot be read here is served, uncounted
        return NO_STAMPS


def _with_receipt(send: Send, answering: Answering) -> Send:
    async def sent(message: Message) -> None:
        if answering.prediction is not None and message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (_PREDICTION, answering.prediction.encode())]
            message = {**message, "headers": headers}
        await send(message)

    return sent
