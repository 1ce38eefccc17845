"""What is no server's address, or no server's answer, is said to be that."""

import pytest

from glideslope.domain.errors import Invalid
from glideslope.sdk.client import Client
from glideslope.sdk.errors import problem


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8787",
        "ftp://host",
        "http://",
        "http://[",
        "http://[::1",
        "http://host:0",
        "http://host:99999999",
        "http://host:port",
        "http://ho\nst:1",
        "http://ho\tst:1",
        "http://ho st:1",
        "http://\ud800",
        "http://host/\x00",
        "http://host?token=1",
    ],
)
def test_what_is_no_address_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(Invalid, match="not the address of a server"):
        Client(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8787", "https://host", "http://[::1]:80/behind/", "http://prüfung.example"]
)
def test_an_address_is_taken_as_it_is_written(url: str) -> None:
    assert Client(url).url == url.rstrip("/")


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b'{"detail":"\xff"}', b"[" * 100_000, b'{"a":' * 100_000, b"[]", b'{"detail":1}']
)
def test_a_refusal_does_not_hide_behind_its_form(body: bytes) -> None:
    assert (problem(503, body).status, problem(503, body).detail) == (503, "")
