"""Whatever a server sends is a value: a probability, a refusal, or something broken with a reason. Real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from glideslope.evaluate.asking import Asker, Expected, Kind, body_of, read_answer
from glideslope.evaluate.declared import Request

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def served(serve: Serve, *, timeout: int = 5000, connections: int = 4) -> AsyncIterator[Asker]:  # noqa: ASYNC109 - the server's
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asker = Asker(f"http://127.0.0.1:{port}", Request(timeout=f"{timeout}ms"), connections)
    try:
        yield asker
    finally:
        await asker.close()
        server.close()


async def read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    (length,) = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return await reader.readexactly(length)


def sending(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return serve


OK = b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"probability": 0.5}'


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (OK, Kind.ANSWERED, "0.5"),
        (
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"probabil\r\na\r\nity": 0.5}\r\n0\r\n\r\n',
            Kind.ANSWERED,
            "0.5",
        ),
        (b"HTTP/1.1 422 No\r\nContent-Length: 3\r\n\r\nwhy", Kind.REFUSED, "422 why"),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", Kind.BROKEN, "500"),
        (b"HTTP/1.1 302 No\r\nContent-Length: 0\r\n\r\n", Kind.BROKEN, "302"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Kind.BROKEN, "bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", Kind.BROKEN, "bytes"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Kind.BROKEN, "no HTTP/1.1"),
    ],
)
async def test_what_a_server_sends_is_a_value(answer: bytes, kind: Kind, why: str) -> None:
    async with served(sending(answer)) as asker:
        found = await asker.ask(b"{}")

    assert found.kind is kind
    assert why in found.why


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ('{"probability": 0}', Kind.ANSWERED),
        ('{"probability": 1.0}', Kind.ANSWERED),
        ('{"probability": 1.5}', Kind.BROKEN),
        ('{"probability": true}', Kind.BROKEN),
        ('{"probability": "0.5"}', Kind.BROKEN),
        ('{"probability": null}', Kind.BROKEN),
        ('{"probability": NaN}', Kind.BROKEN),
        ("{}", Kind.BROKEN),
        ("[0.5]", Kind.BROKEN),
        ("no", Kind.BROKEN),
    ],
)
def test_only_a_finite_number_from_0_to_1_is_a_probability(body: str, kind: Kind) -> None:
    assert read_answer(200, body.encode(), expected=Expected()).kind is kind


@pytest.mark.parametrize(
    ("value", "kind", "why"),
    [
        ("[0.2, 0.3, 0.5]", Kind.ANSWERED, "0.2, 0.3, 0.5"),
        ('{"c": 0.5, "a": 0.2, "b": 0.3}', Kind.ANSWERED, "0.2, 0.3, 0.5"),
        ("[0.2, 0.3, 0.6]", Kind.BROKEN, "add up to 1.1"),
        ("[0.5, 0.5]", Kind.BROKEN, "2 probabilities of 3 classes"),
        ("[0.5, 0.5, null]", Kind.BROKEN, "None is no probability"),
        ("[1.5, -0.5, 0]", Kind.BROKEN, "1.5 is no probability"),
        ('{"a": 0.5, "b": 0.5}', Kind.BROKEN, "the classes are others: ['c']"),
        ('{"a": 0.5, "b": 0.5, "c": 0, "d": 0}', Kind.BROKEN, "the classes are others: ['d']"),
        ("0.5", Kind.BROKEN, "0.5 is no probability for each class"),
    ],
)
def test_of_several_classes_each_has_a_probability_and_they_add_up_to_one(value: str, kind: Kind, why: str) -> None:
    expected = Expected("p", "multiclass", ("a", "b", "c"))
    found = read_answer(200, f'{{"p": {value}}}'.encode(), expected=expected)

    assert found.kind is kind
    assert why in found.why
    assert found.values == ((0.2, 0.3, 0.5) if kind is Kind.ANSWERED else ())


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("-1e12", Kind.ANSWERED),
        ("3", Kind.ANSWERED),
        ("1e999", Kind.BROKEN),
        ("true", Kind.BROKEN),
        ('"3"', Kind.BROKEN),
    ],
)
def test_a_prediction_is_any_finite_number(value: str, kind: Kind) -> None:
    expected = Expected("prediction", "regression")

    assert read_answer(200, f'{{"prediction": {value}}}'.encode(), expected=expected).kind is kind


def test_a_probability_may_stand_deeper() -> None:
    body = json.dumps({"data": [{"score": 0.25}]}).encode()

    assert read_answer(200, body, expected=Expected("data.0.score")).values == (0.25,)
    assert read_answer(200, body, expected=Expected("data.1.score")).kind is Kind.BROKEN


async def test_a_server_that_hangs_or_hangs_up_is_broken() -> None:
    async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def hang_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await read_request(reader)

    async with served(hang, timeout=50) as asker:
        assert (await asker.ask(b"{}")).why == "no answer within 50 ms"
    async with served(hang_up) as asker:
        assert (await asker.ask(b"{}")).kind is Kind.BROKEN


async def test_nobody_listening_is_broken() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

    assert (await Asker(f"http://127.0.0.1:{port}", Request(), 1).ask(b"{}")).kind is Kind.BROKEN


async def test_connections_are_used_again_and_one_that_was_closed_meanwhile_is_no_failure() -> None:
    opened = 0

    async def twice(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        for _ in range(2):
            await read_request(reader)
            writer.write(OK)
            await writer.drain()

    async with served(twice, connections=1) as asker:
        found = [await asker.ask(b"{}") for _ in range(6)]

    assert {each.kind for each in found} == {Kind.ANSWERED}
    assert opened == 3


async def test_there_are_never_more_requests_at_once_than_connections() -> None:
    now, most = 0, 0
    enough = asyncio.Event()

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal now, most
        while True:
            await read_request(reader)
            now += 1
            most = max(most, now)
            if now == 3:
                enough.set()
            await enough.wait()
            now -= 1
            writer.write(OK)
            await writer.drain()

    async with served(count, connections=3) as asker:
        found = await asyncio.gather(*(asker.ask(b"{}") for _ in range(20)))

    assert most == 3
    assert {each.kind for each in found} == {Kind.ANSWERED}


def test_features_may_stand_twice_and_in_any_order() -> None:
    pairs = [("b", 1), ("a", None), ("b", 1)]

    assert body_of(pairs, Request()) == b'{"b":1,"a":null,"b":1}'
    assert body_of(pairs, Request(form="list", under="rows")) == b'{"rows":[1,null,1]}'
