"""HOST:PORT, as people write it."""

import click
import pytest

from glideslope.interfaces.cli.places import only_one_data_plane, place

CONTEXT = click.Context(click.Command("up"))
OPTION = click.Option(["--gateway-listen"])


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10.0.0.7:8790", ("10.0.0.7", 8790)),
        ("control.example.org:1", ("control.example.org", 1)),
        ("[fd00::7]:65535", ("fd00::7", 65_535)),
        (None, None),
    ],
)
def test_a_place_is_read(text: str | None, read: tuple[str, int] | None) -> None:
    assert place(CONTEXT, OPTION, text) == read


@pytest.mark.parametrize(
    "text", ["", "8790", ":8790", "host", "host:", "host:0", "host:65536", "host:x", "fd00::7:1", "[a]:1"]
)
def test_what_is_no_place_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match=r"10\.0\.0\.7:8790"):
        place(CONTEXT, OPTION, text)


def test_no_data_plane_and_one_elsewhere_exclude_each_other() -> None:
    with pytest.raises(click.UsageError, match="exclude each other"):
        only_one_data_plane(CONTEXT, no_gateway=True, gateway_listen=("h", 1))
