"""A real model server for one version folder: ASGI on uvicorn, answering one flight per request.

scikit-learn needs most of a millisecond for a call, however few rows it carries, so requests that wait at the same
moment share one call. `app` returns the bare ASGI application; middleware is the caller's to add.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import joblib
import msgspec
import numpy as np
import numpy.typing as npt
import uvicorn
from threadpoolctl import threadpool_limits

from glideslope.sdk.middleware import KEY, Answering, Application, Glideslope, Message, Receive, Send

Predict = Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]

LARGEST_BODY: Final = 16_384
LARGEST_BATCH: Final = 64
# A call costs about 0.9 ms, whatever it carries; one every 3 ms leaves two thirds of the core to HTTP.
GATHER_SECONDS: Final = 0.003
_JSON: Final = (b"content-type", b"application/json")


class FeaturesRefused(ValueError):
    """The request's features are not what this version was trained on; the message says which and why."""


class _Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `features.json` holds."""

    order: tuple[str, ...]
    codes: dict[str, tuple[str, ...]]
    missing: str


class _Sliced(msgspec.Struct, frozen=True):
    """The field of a request by which its outcome is looked at separately."""

    origin: str = ""


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns named features into the row of numbers that the version was trained on. Repairs nothing."""

    order: tuple[str, ...]
    codes: Mapping[str, Mapping[str, float]]

    @classmethod
    def read(cls, path: Path) -> "Encoder":
        """Read `features.json`; raises `msgspec.ValidationError` if it is not one."""
        layout = msgspec.json.decode(path.read_bytes(), type=_Layout)
        return cls(
            order=layout.order,
            codes={
                name: {text: float(code) for code, text in enumerate(texts)} for name, texts in layout.codes.items()
            },
        )

    def row(self, body: bytes) -> list[float]:
        """The row for a request's JSON body; null is a missing value. Raises `FeaturesRefused`."""
        try:
            named = msgspec.json.decode(body)
        except msgspec.DecodeError as error:
            raise FeaturesRefused(f"the body is not JSON: {error}") from error
        if not isinstance(named, dict):
            raise FeaturesRefused("the body must be an object of features by name")
        if len(named) != len(self.order):
            unknown = sorted(named.keys() - set(self.order))
            if unknown:
                raise FeaturesRefused(f"unknown features: {', '.join(unknown)}")
        return [self._value(name, named) for name in self.order]

    def _value(self, name: str, named: Mapping[str, object]) -> float:
        try:
            value = named[name]
        except KeyError:
            raise FeaturesRefused(f"feature {name} is absent; send null if it is not known") from None
        codes = self.codes.get(name)
        if codes is not None:
            code = codes.get(value) if isinstance(value, str) else None
            if code is None:
                raise FeaturesRefused(f"feature {name} is {value!r}, which this version does not know")
            return code
        if value is None:
            return float("nan")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FeaturesRefused(f"feature {name} is {value!r}, not a number")
        return float(value)


@dataclass(slots=True)
class Batcher:
    """Lets requests that wait at the same moment share one call of *predict*, made at most every `gather_seconds`.

    A request that comes alone does not wait for company.
    Must be used inside one running event loop. The call itself runs on that loop: with one core there is nothing
    else to do meanwhile, and a hand-over to a thread costs more than it saves.
    """

    predict: Predict
    gather_seconds: float = GATHER_SECONDS
    largest: int = LARGEST_BATCH
    calls: int = 0
    _rows: list[list[float]] = field(default_factory=list)
    _waiting: list[asyncio.Future[float]] = field(default_factory=list)
    _timer: asyncio.TimerHandle | None = None
    _free_at: float = 0.0

    async def probability(self, row: list[float]) -> float:
        """The probability for one row, by the time its batch has been answered."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[float] = loop.create_future()
        self._rows.append(row)
        self._waiting.append(answer)
        if len(self._rows) >= self.largest:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_at(self._free_at, self._flush)
        return await answer

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        rows, waiting = self._rows, self._waiting
        self._rows, self._waiting = [], []
        self.calls += 1
        self._free_at = asyncio.get_running_loop().time() + self.gather_seconds
        try:
            probabilities = self.predict(np.array(rows)).tolist()
        except Exception as error:  # noqa: BLE001 - a boundary: whatever the model raises is its callers' answer, not the timer's
            for answer in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer, probability in zip(waiting, probabilities, strict=True):
            if not answer.done():  # its client may have hung up
                answer.set_result(probability)


def load_predict(folder: Path) -> Predict:
    """The version's `predict_proba` for "late", kept to one thread: more of them fight over rows so few."""
    model = joblib.load(folder / "model.joblib")
    limits = threadpool_limits(limits=1)

    def predict(rows: npt.NDArray[np.float64], *, _limits: object = limits) -> npt.NDArray[np.float64]:
        late: npt.NDArray[np.float64] = model.predict_proba(rows)[:, 1]
        return late

    return predict


def app(folder: Path, *, version: str, gather_seconds: float = GATHER_SECONDS) -> Application:
    """The ASGI application that serves the version in *folder*.

    POST /predict takes the features by name and answers `{"probability": p, "version": version}`, or 422 with an
    `error` that says what it refuses; GET /healthz answers `{"version": version}` once the model is loaded.
    """
    encoder = Encoder.read(folder / "features.json")
    batcher = Batcher(load_predict(folder), gather_seconds=gather_seconds)
    named = json.dumps(version).encode()
    tail = b',"version":' + named + b"}"

    async def serve(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"this application does not speak {scope['type']}")
        match (scope["method"], scope["path"]):
            case ("POST", "/predict"):
                try:
                    body = await _body(receive)
                    row = encoder.row(body)
                except FeaturesRefused as error:
                    await _answer(send, 422, msgspec.json.encode({"error": str(error)}))
                    return
                probability = await batcher.probability(row)
                _record(scope, body, probability)
                await _answer(send, 200, b'{"probability":%.6f%b' % (probability, tail))
            case ("GET" | "HEAD", "/healthz"):
                await _answer(send, 200, b'{"version":' + named + b"}")
            case (_, "/predict" | "/healthz"):
                await _answer(send, 405, b'{"error":"this path does not answer that method"}')
            case _:
                await _answer(send, 404, b'{"error":"ask POST /predict or GET /healthz"}')

    return serve


def _record(scope: Message, body: bytes, probability: float) -> None:
    """Tell Glideslope what is answered, if it wraps us: the answer then carries a prediction id."""
    answering: Answering | None = scope.get(KEY)
    if answering is not None:
        origin = msgspec.json.decode(body, type=_Sliced).origin
        answering.record(score=probability, slices={"origin": origin})


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise FeaturesRefused("the client left before its request was complete")
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise FeaturesRefused(f"the body is longer than {LARGEST_BODY} bytes")
        more = message.get("more_body", False)
    return body


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [_JSON, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(application: Application, *, port: int) -> None:
    """Serve *application* on the loopback until SIGTERM or SIGINT; requests in flight are answered first."""
    uvicorn.run(
        application,
        host="127.0.0.1",
        port=port,
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def main() -> None:
    """Serve one version folder: `python -m glideslope.demo.model_server --folder DIR --port P --version v1`."""
    parser = argparse.ArgumentParser(description="Serve one version of the late-arrival model.")
    parser.add_argument("--folder", type=Path, required=True, help="the version's artifact folder")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    parser.add_argument("--version", required=True, help="the name that answers carry")
    parser.add_argument("--model", default="late-arrival", help="the name that callers ask for (default: %(default)s)")
    parser.add_argument(
        "--state", type=Path, help="the state folder of `glideslope up`; without it nothing is observed"
    )
    chosen = parser.parse_args()
    application = app(chosen.folder, version=chosen.version)
    if chosen.state is not None:
        application = Glideslope(
            application,
            model=chosen.model,
            version=chosen.version,
            server=(chosen.state / "address").read_text(encoding="utf-8").strip(),
            token=(chosen.state / "source-token").read_text(encoding="utf-8").strip(),
            folder=chosen.folder,
        )
    serve(application, port=chosen.port)


if __name__ == "__main__":
    main()
