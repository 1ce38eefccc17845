"""Whoever began under a shape that is gone is still rescued; what a shape leaves behind goes when nobody needs it."""

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from glideslope.adapters.drivers.envoy.door import LocalDoor
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.domain.stamps import SERVED, SUBJECT
from glideslope.domain.traffic import Route
from glideslope.testing.contracts.driver import FRAUD, exposing, leased, route
from glideslope.testing.http import Behaviour, Message, exchange

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

EVERYBODY = exposing("s1", candidate=10_000, control=0)
COUNT = 20


async def hanging(bench: "EnvoyBench") -> "list[asyncio.Task[Message]]":
    """Have requests wait at the candidate."""
    candidate = bench.servers["v8"]
    candidate.behaviour = Behaviour.HANG
    asking = [
        asyncio.create_task(exchange(bench.port, "POST", "/fraud/predict", headers={SUBJECT: f"s{n}"}, body=b"{}"))
        for n in range(COUNT)
    ]
    await bench.until(lambda: len(candidate.seen) == COUNT, what="all wait at the candidate")
    return asking


def carried(bench: "EnvoyBench") -> set[str]:
    document = json.loads(Folder.at(bench.folder).clusters.read_text())
    return {cluster["name"] for cluster in document["resources"]}


@pytest.mark.parametrize(
    "after", ["promotion", "end of the model", "rollback and another start", "rollback and new server"]
)
async def test_a_request_that_hangs_at_a_candidate_is_rescued_also_when_its_rollout_ends(
    envoy_bench: "EnvoyBench", after: str
) -> None:
    await leased(envoy_bench, exposure=EVERYBODY)
    asking = await hanging(envoy_bench)

    compared = route(envoy_bench)
    match after:
        case "promotion":
            await envoy_bench.driver.shape([Route(FRAUD, incumbent=envoy_bench.endpoint("v8"))])
        case "end of the model":
            await envoy_bench.driver.shape([])
        case "rollback and another start":
            await envoy_bench.driver.shape([replace(compared, candidate=None)])
            await envoy_bench.driver.shape([replace(compared, candidate=envoy_bench.endpoint("v9"))])
        case _:
            await envoy_bench.driver.shape([replace(compared, candidate=None)])
            await envoy_bench.driver.__aexit__(None, None, None)
            await envoy_bench.start_driver()
            await envoy_bench.driver.shape([replace(compared, candidate=None)])

    answers = await asyncio.gather(*asking)
    assert {(200, "v7")} == {(answer.status, answer.headers.get(SERVED)) for answer in answers}


async def test_what_nobody_needs_any_more_is_dropped_but_not_under_a_request(bare_bench: "EnvoyBench") -> None:
    bare_bench.door = LocalDoor(Folder.at(bare_bench.folder), patience=5.0, linger=0.1)
    await bare_bench.start_driver()
    await bare_bench.start_gateway()
    await bare_bench.connected()
    await leased(bare_bench, exposure=EVERYBODY)
    asking = await hanging(bare_bench)

    await bare_bench.driver.shape([replace(route(bare_bench), candidate=None)])
    answers = await asyncio.gather(*asking)

    # (They hang for half a second: five times as long as their clusters linger when nobody needs them.)
    assert {(200, "v7")} == {(answer.status, answer.headers.get(SERVED)) for answer in answers}
    await bare_bench.until(lambda: carried(bare_bench) == {"fraud/v7/rest"}, what="the rest is dropped")
    assert (await bare_bench.ask(FRAUD, "s")).headers[SERVED] == "v7"
