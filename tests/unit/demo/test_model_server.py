import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import numpy.typing as npt
import pytest

from glideslope.demo.flights import Flights
from glideslope.demo.model_server import Batcher, Encoder, FeaturesRefused, app


@pytest.fixture
def encoder(folder: Path) -> Encoder:
    return Encoder.read(folder / "features.json")


def test_a_row_is_the_one_the_version_was_trained_on(encoder: Encoder, few: Flights) -> None:
    for row in range(0, len(few), 500):
        body = json.dumps(few.payload(row)).encode()

        assert np.array_equal(encoder.row(body), few.features[row], equal_nan=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"carrier": "ZZ"}, "feature carrier is 'ZZ', which this version does not know"),
        ({"origin": None}, "feature origin is None"),
        ({"temp": "mild"}, "feature temp is 'mild', not a number"),
        ({"visib": True}, "feature visib is True, not a number"),
        ({"dep_delay": 3}, "unknown features: dep_delay"),
    ],
)
def test_features_that_were_never_learned_are_refused_by_name(
    encoder: Encoder, few: Flights, change: dict[str, Any], says: str
) -> None:
    with pytest.raises(FeaturesRefused, match=says):
        encoder.row(json.dumps(few.payload(0) | change).encode())


def test_an_absent_feature_is_not_taken_for_a_missing_value(encoder: Encoder, few: Flights) -> None:
    sent = few.payload(0)
    del sent["temp"]

    with pytest.raises(FeaturesRefused, match="feature temp is absent; send null"):
        encoder.row(json.dumps(sent).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2]", b"3"])
def test_a_body_that_is_no_object_is_refused(encoder: Encoder, body: bytes) -> None:
    with pytest.raises(FeaturesRefused, match="body"):
        encoder.row(body)


class Calls:
    """A model that answers each row with its first number and remembers how it was asked."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        self.sizes.append(len(rows))
        if np.isnan(rows).any():
            raise ValueError("no number")
        return rows[:, 0]


async def test_requests_that_wait_together_share_a_call_and_get_their_own_answers() -> None:
    calls = Calls()
    batcher = Batcher(calls, gather_seconds=0.001, largest=8)

    answers = await asyncio.gather(*(batcher.probability([float(n), 0.0]) for n in range(20)))

    assert answers == [float(n) for n in range(20)]
    assert calls.sizes == [8, 8, 4]


async def test_a_model_that_raises_answers_everyone_who_waited_and_goes_on() -> None:
    batcher = Batcher(Calls(), gather_seconds=0.001)

    failed = await asyncio.gather(
        batcher.probability([float("nan")]), batcher.probability([1.0]), return_exceptions=True
    )

    assert [type(each) for each in failed] == [ValueError, ValueError]
    assert await batcher.probability([2.0]) == 2.0


async def test_a_client_that_hangs_up_does_not_take_its_neighbours_along() -> None:
    batcher = Batcher(Calls(), gather_seconds=0.001)
    leaver = asyncio.create_task(batcher.probability([1.0]))
    stayer = asyncio.create_task(batcher.probability([2.0]))
    await asyncio.sleep(0)
    leaver.cancel()

    assert await stayer == 2.0


async def test_the_application_answers_with_its_version_and_the_models_own_number(folder: Path, few: Flights) -> None:
    expected = joblib.load(folder / "model.joblib").predict_proba(few.features[:5])[:, 1]
    transport = httpx.ASGITransport(app(folder, version="v1"))
    async with httpx.AsyncClient(transport=transport, base_url="http://model") as client:
        answers = [(await client.post("/predict", json=few.payload(row))).json() for row in range(5)]

        assert [answer["version"] for answer in answers] == ["v1"] * 5
        assert [answer["probability"] for answer in answers] == pytest.approx(expected, abs=1e-6)
        assert (await client.post("/predict", json={})).status_code == 422
        assert (await client.post("/predict", content=b" " * 20_000)).status_code == 422
        assert (await client.get("/predict")).status_code == 405
        assert (await client.get("/")).status_code == 404
        assert (await client.get("/healthz")).json() == {"version": "v1"}


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "glideslope.demo.model_server", "--folder", str(folder), "--port", str(port)]
    with subprocess.Popen([*command, "--version", "v1"]) as started:
        try:
            yield started
        finally:
            started.kill()


def _healthy(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_real_server_answers_and_leaves_when_it_is_told_to(
    process: subprocess.Popen[bytes], port: int, few: Flights
) -> None:
    deadline = time.monotonic() + 60
    while not _healthy(port):
        assert time.monotonic() < deadline, "the server did not come up"
        assert process.poll() is None, "the server ended"
        time.sleep(0.05)
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/predict", body=json.dumps(few.payload(0)))
    answer = json.loads(connection.getresponse().read())
    connection.close()

    process.send_signal(signal.SIGTERM)

    assert answer["version"] == "v1"
    assert 0 < answer["probability"] < 1
    # uvicorn finishes its requests and then lets the signal take its usual effect.
    assert process.wait(timeout=20) in (0, -signal.SIGTERM)
