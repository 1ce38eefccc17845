import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from glideslope.demo.flights import Flights
from glideslope.demo.replay import Answer, Replay


@pytest.fixture
def week(flights: Flights) -> Flights:
    return flights.select((flights.month == 12) & (np.arange(len(flights)) % 100 == 0))


class Gateway:
    """A real HTTP server that stamps its answers as a gateway does; *fate* decides what each subject gets."""

    def __init__(self) -> None:
        self.subjects: list[str] = []
        self.connections = 0
        self.fate: Callable[[str], str] = lambda _: "answer"
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(headers["content-length"]))
                subject = head.split("x-glideslope-subject: ")[1].split("\r\n")[0]
                self.subjects.append(subject)
                stamps = f"X-Glideslope-Prediction: p-{subject}\r\nx-glideslope-arm: candidate\r\nserver: real\r\n"
                match self.fate(subject):
                    case "answer":
                        writer.write(f"HTTP/1.1 200 OK\r\n{stamps}content-length: 2\r\n\r\n{{}}".encode())
                    case "chunks":
                        writer.write(f"HTTP/1.1 200 OK\r\n{stamps}transfer-encoding: chunked\r\n\r\n".encode())
                        await writer.drain()
                        writer.write(b"2\r\n{}\r\n0\r\n\r\n")
                    case "farewell":
                        writer.write(
                            f"HTTP/1.1 200 OK\r\n{stamps}connection: close\r\ncontent-length: 0\r\n\r\n".encode()
                        )
                    case "unstamped":
                        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    case "refuse":
                        writer.write(f"HTTP/1.1 503 No\r\n{stamps}content-length: 0\r\n\r\n".encode())
                    case "babble":
                        writer.write(b"what?\r\n\r\n")
                    case _:
                        return
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def opened() -> AsyncIterator[Gateway]:
    gateway = Gateway()
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", 0)
    async with server:
        gateway.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/predict"
        yield gateway


class Notes:
    """What the replay told us."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.outcomes: list[tuple[str, bool]] = []

    def answered(self, answer: Answer) -> None:
        self.answers.append(answer)

    def landed(self, prediction: str, late: bool) -> None:
        self.outcomes.append((prediction, late))


def replay(
    flights: Flights, url: str, notes: Notes, *, in_flight: int = 1, hours_per_second: float | None = None
) -> Replay:
    return Replay(
        flights,
        url=url,
        on_answer=notes.answered,
        on_outcome=notes.landed,
        in_flight=in_flight,
        hours_per_second=hours_per_second,
    )


async def test_every_flight_is_asked_for_once_in_time_order(week: Flights) -> None:
    async with opened() as gateway:
        running = replay(week, gateway.url, Notes())

        assert not await running.run()

    assert gateway.subjects == [week.subject(row) for row in range(len(week))]
    assert gateway.connections == 1
    assert (running.counts.requests, running.counts.dropped, running.finished) == (len(week), 0, True)


async def test_stamps_come_back_by_lower_case_name_and_nothing_else_does(week: Flights) -> None:
    notes = Notes()
    async with opened() as gateway:
        await replay(week, gateway.url, notes).run(lambda: len(notes.answers) >= 1)

    first = notes.answers[0]
    assert first.stamps == {"x-glideslope-prediction": f"p-{week.subject(0)}", "x-glideslope-arm": "candidate"}
    assert (first.row, first.status, first.dropped) == (0, 200, False)
    assert first.seconds > 0


async def test_an_outcome_is_told_when_the_clock_has_passed_the_landing_and_not_before(week: Flights) -> None:
    notes = Notes()
    told: list[tuple[str, int]] = []
    async with opened() as gateway:
        running = replay(week, gateway.url, notes)
        running._on_outcome = lambda prediction, _: told.append((prediction, int(running.now.timestamp())))
        await running.run()
        arrivals = {f"p-{week.subject(row)}": int(week.arrives[row]) for row in range(len(week))}

        assert told
        assert all(now >= arrivals[prediction] for prediction, now in told)
        assert running.waiting_outcomes == len(week) - len(told) > 0
        running.land_all()
        assert len(told) == len(week)
        assert running.waiting_outcomes == 0


async def test_outcomes_say_what_really_happened(week: Flights) -> None:
    notes = Notes()
    async with opened() as gateway:
        running = replay(week, gateway.url, notes, in_flight=4)
        await running.run()
        running.land_all()

    assert dict(notes.outcomes) == {f"p-{week.subject(row)}": bool(week.late[row]) for row in range(len(week))}
    assert running.counts.outcomes == len(week)


@pytest.mark.parametrize(("fate", "status"), [("refuse", 503), ("hang up", 0), ("babble", 0)])
async def test_anything_but_a_200_is_a_dropped_request_without_an_outcome(
    week: Flights, fate: str, status: int
) -> None:
    notes = Notes()
    unlucky = {week.subject(row) for row in (3, 7)}
    async with opened() as gateway:
        gateway.fate = lambda subject: fate if subject in unlucky else "answer"
        running = replay(week, gateway.url, notes)
        await running.run()
        running.land_all()

    assert running.counts.dropped == 2
    assert [answer.status for answer in notes.answers if answer.dropped] == [status, status]
    assert not {f"p-{subject}" for subject in unlucky} & {prediction for prediction, _ in notes.outcomes}
    assert running.counts.requests == len(week)


@pytest.mark.parametrize("fate", ["chunks", "farewell"])
async def test_answers_in_other_shapes_are_answers(week: Flights, fate: str) -> None:
    async with opened() as gateway:
        gateway.fate = lambda _: fate
        running = replay(week, gateway.url, Notes())
        await running.run()

    assert (running.counts.requests, running.counts.dropped) == (len(week), 0)


async def test_an_unstamped_answer_is_fine_and_has_no_outcome(week: Flights) -> None:
    notes = Notes()
    async with opened() as gateway:
        gateway.fate = lambda _: "unstamped"
        running = replay(week, gateway.url, notes)
        await running.run()
        running.land_all()

    assert (running.counts.dropped, notes.outcomes) == (0, [])


async def test_nobody_listening_is_counted_and_does_not_use_up_the_month(week: Flights) -> None:
    async with opened() as gateway:
        url = gateway.url
    running = replay(week, url, Notes())

    await running.run(lambda: running.counts.requests >= 2)

    assert (running.counts.requests, running.counts.dropped) == (2, 2)


async def test_a_run_that_met_its_condition_goes_on_where_it_stopped(week: Flights) -> None:
    async with opened() as gateway:
        running = replay(week, gateway.url, Notes(), in_flight=4)

        assert await running.run(lambda: running.counts.requests >= 20)
        stopped = running.sent
        await running.run()

    assert 20 <= stopped <= 24
    assert len(gateway.subjects) == len(set(gateway.subjects)) == len(week)


async def test_a_paused_replay_sends_nothing_and_a_stopped_one_returns(week: Flights) -> None:
    notes = Notes()
    paused = asyncio.Event()

    def answered(answer: Answer) -> None:
        notes.answered(answer)
        if len(notes.answers) == 10:
            running.pause()
            paused.set()

    async with opened() as gateway:
        running = replay(week, gateway.url, notes)
        running._on_answer = answered
        going = asyncio.create_task(running.run())
        await paused.wait()
        for _ in range(50):
            await asyncio.sleep(0)
        assert running.counts.requests == 10
        running.stop()
        await going

        assert running.counts.requests == 10
        running.resume()
        await running.run(lambda: running.counts.requests >= 30)

    assert running.counts.requests == 30


async def test_the_pace_is_that_of_the_data_divided_by_the_speed(week: Flights) -> None:
    day = week.select(week.departs < week.departs[0] + 86_400)
    hours = float(day.departs[-1] - day.departs[0]) / 3600
    loop = asyncio.get_running_loop()
    async with opened() as gateway:
        running = replay(day, gateway.url, Notes(), hours_per_second=hours * 5)
        started = loop.time()
        await running.run()

    # A fifth of a second for the whole day; a slow machine may take longer, no machine less.
    assert loop.time() - started >= 0.19


@pytest.mark.parametrize("url", ["https://127.0.0.1/predict", "127.0.0.1:80", "http:///predict"])
def test_an_address_it_cannot_ask_is_refused(week: Flights, url: str) -> None:
    with pytest.raises(ValueError, match="expected http://host:port/path"):
        replay(week, url, Notes())
