"""What a browser carries for us comes back as it was, once, in time and for its purpose; and a passkey is for a name."""

from itertools import count

import pytest
from starlette.requests import Request

from glideslope.interfaces.dashboard import tickets as module
from glideslope.interfaces.dashboard.tickets import LASTS, Tickets, TicketSpent
from glideslope.interfaces.dashboard.ways import origin_of, site_of


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


def made(clock: Clock, first: int = 1) -> Tickets:
    secrets = (f"secret-{number}" for number in count(first))
    return Tickets(monotonic=clock, chance=lambda: next(secrets))


def test_a_ticket_says_what_it_was_given_until_it_is_used(clock: Clock) -> None:
    tickets = made(clock)
    ticket = tickets.issue("flow", b"there and back")

    assert tickets.read("flow", ticket) == b"there and back"
    assert tickets.read("flow", ticket) == b"there and back", "reading uses nothing up"
    tickets.spend("flow", ticket)
    for again in (tickets.read, tickets.spend):
        with pytest.raises(TicketSpent):
            again("flow", ticket)


def test_a_ticket_of_another_purpose_time_server_or_content_is_none(clock: Clock) -> None:
    tickets, other = made(clock), made(clock, 100)
    ticket = tickets.issue("passkey", b"x")
    changed = bytearray(ticket)
    changed[-1] ^= 1
    wrong = [
        (tickets, "new passkey of ada", ticket),
        (other, "passkey", ticket),
        (tickets, "passkey", bytes(changed)),
        (tickets, "passkey", ticket[:-1]),
        (tickets, "passkey", ticket[:40]),
        (tickets, "passkey", b""),
    ]
    for whose, purpose, each in wrong:
        with pytest.raises(TicketSpent):
            whose.read(purpose, each)
    clock.time += LASTS
    with pytest.raises(TicketSpent):
        tickets.read("passkey", ticket)


def test_tickets_that_were_used_are_forgotten_once_they_are_too_old_anyway(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_USED", 3)
    tickets = made(clock)
    for _ in range(20):
        tickets.spend("flow", tickets.issue("flow"))
        clock.time += LASTS

    assert len(tickets._used) <= 3


@pytest.mark.parametrize(
    ("scheme", "host", "site"),
    [
        ("http", "localhost:8787", "localhost"),
        ("https", "glideslope.example.org", "glideslope.example.org"),
        ("https", "glideslope", "glideslope"),
        ("http", "glideslope.example.org", ""),
        ("http", "127.0.0.1:8787", ""),
        ("https", "127.0.0.1", ""),
        ("https", "[::1]:8787", ""),
        ("https", "192.0.2.7:8443", ""),
    ],
)
def test_a_passkey_is_for_a_name_that_nobody_can_pretend_to_be(scheme: str, host: str, site: str) -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/sign-in",
        "query_string": b"",
        "scheme": scheme,
        "server": ("127.0.0.1", 8787),
        "headers": [(b"host", host.encode())],
    }

    assert site_of(Request(scope)) == site
    assert origin_of(Request(scope)) == f"{scheme}://{host}"
