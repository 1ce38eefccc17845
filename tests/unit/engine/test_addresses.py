"""Where versions are served: what cannot be reached is refused when it is registered, not when traffic should move."""

import pytest

from glideslope.domain.commands import Register
from glideslope.domain.errors import NameInvalid
from glideslope.domain.ids import ModelName, VersionName
from glideslope.engine.addresses import host_and_port
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, World, content


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:80", ("127.0.0.1", 80)),
        ("http://127.0.0.1", ("127.0.0.1", 80)),
        ("http://models.internal:8080/", ("models.internal", 8080)),
        ("http://[::1]:9", ("::1", 9)),
        ("http://[::1]/", ("::1", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(url: str, expected: tuple[str, int]) -> None:
    assert host_and_port(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        *("", "127.0.0.1:80", "https://a:1", "http://", "http://a:", "http://a:0", "http://a:080", "http://a:99999"),
        *("http://u@a:1", "http://a:1/x", "http://a:1//", "http://a:1?x", "http://[::1", "http://a b:1", "http://A:1"),
    ],
)
def test_anything_else_is_refused_and_not_repaired(url: str) -> None:
    with pytest.raises(NameInvalid):
        host_and_port(url)


async def test_a_version_that_no_gateway_could_reach_is_not_registered() -> None:
    """One such route would be refused by the gateway together with all others."""
    world = World(seed=86)
    await world.serves("delays", v1=SOUND)
    entries = len(await world.store.entries())
    command = Register(
        model=ModelName("fares"),
        version=VersionName("v1"),
        digest=content("fares", "v1"),
        url="http://127.0.0.1:9001/predict",
        by=ADA,
        why="trained",
        incumbent=True,
    )

    with pytest.raises(NameInvalid, match="http://host:port"):
        await world.app.register(command, key=world.key())

    assert len(await world.store.entries()) == entries
