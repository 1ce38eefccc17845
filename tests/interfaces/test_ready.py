"""Whether the server governs can be asked without a token, and the answer says nothing else."""

from typing import Any

from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World

NOBODY = {"Authorization": ""}


def test_it_is_ready_while_it_governs(http: Any, service: Any) -> None:
    found = http.get("/v1/readyz", headers=NOBODY)
    assert (found.status_code, found.json()) == (200, {"status": "ready"})

    service.governs = False
    refused = http.get("/v1/readyz", headers=NOBODY)
    assert (refused.status_code, refused.json()["code"]) == (503, "not-ready")
    assert http.get("/v1/healthz", headers=NOBODY).status_code == 200, "it lives all the same"


async def test_of_two_servers_one_is_ready_and_the_other_once_it_takes_over() -> None:
    world = World(seed=1)
    await world.serves("delays", v1=SOUND)
    first = world.app
    second = await world.start()
    assert not await second.ready(), "it has not looked yet"
    await world.pass_time(1)
    assert (await first.ready(), await second.ready()) == (True, False)

    world.kill(first)
    await world.pass_time(5)

    assert (await first.ready(), await second.ready()) == (False, True)


async def test_trouble_of_the_governor_makes_it_unready() -> None:
    world = World(seed=1)
    await world.serves("delays", v1=SOUND)
    assert await world.app.ready()

    world.app.governor.trouble = "The last tick failed."

    assert not await world.app.ready()
