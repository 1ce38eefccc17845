"""Whatever a candidate does, callers get an answer; and whoever looks only at answers is told that it failed."""

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from glideslope.domain.stamps import ARM, SERVED, VERSION
from glideslope.domain.traffic import Arm
from glideslope.testing.contracts.driver import FRAUD, exposing, leased
from glideslope.testing.http import Behaviour, Caller, Message

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

EVERYBODY = exposing("s1", candidate=10_000, control=0)
COUNT = 40


@pytest.mark.parametrize("behaviour", [Behaviour.FAIL, Behaviour.HANG, Behaviour.RESET])
async def test_a_broken_candidate_costs_no_caller_an_answer_and_is_blamed(
    envoy_bench: "EnvoyBench", behaviour: Behaviour
) -> None:
    await leased(envoy_bench, exposure=EVERYBODY)
    envoy_bench.servers["v8"].behaviour = behaviour

    answers = [await envoy_bench.ask(FRAUD, f"s{n}") for n in range(COUNT)]

    assert {200} == {answer.status for answer in answers}
    assert {("candidate", "v8", "v7")} == {(a.headers[ARM], a.headers[VERSION], a.headers[SERVED]) for a in answers}
    served = await envoy_bench.reported(COUNT)
    assert {(Arm.CANDIDATE, True, 200)} == {(one.arm, one.rescued, one.status) for one in served}


async def test_a_killed_candidate_costs_no_caller_an_answer_and_comes_back(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=EVERYBODY)
    candidate = envoy_bench.servers["v8"]
    answers: list[Message] = []

    async def keep_asking() -> None:
        async with Caller(envoy_bench.port) as caller:
            while len(answers) < 20 or answers[-1].headers[SERVED] != "v8":
                answers.append(await caller.ask("/fraud/predict", headers={"x-glideslope-subject": "s"}))
                await asyncio.sleep(0.002)

    await envoy_bench.ask(FRAUD, "s")
    await candidate.kill()
    asking = asyncio.create_task(keep_asking())
    await envoy_bench.until(lambda: len(answers) > 100, what="callers go on")
    killed = len(answers)
    await candidate.start()
    await asyncio.wait_for(asking, 10)

    assert {200} == {answer.status for answer in answers}
    assert {"v7"} == {answer.headers[SERVED] for answer in answers[:killed]}
    served = await envoy_bench.reported(len(answers) + 1)
    assert sum(one.rescued for one in served) >= killed


async def test_a_large_request_is_rescued_too(envoy_bench: "EnvoyBench") -> None:
    """What is to be sent again must be kept; Envoy alone keeps one megabyte."""
    await leased(envoy_bench, exposure=EVERYBODY)
    envoy_bench.servers["v8"].behaviour = Behaviour.FAIL
    image = b"x" * 8_000_000

    answer = await envoy_bench.ask(FRAUD, "s", body=image)

    assert (answer.status, answer.headers[SERVED]) == (200, "v7")
    assert image == envoy_bench.servers["v7"].seen[-1].body


async def test_a_failing_incumbent_is_not_hidden(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=0, control=10_000))
    envoy_bench.servers["v7"].behaviour = Behaviour.FAIL

    answers = [await envoy_bench.ask(FRAUD, f"s{n}") for n in range(10)]

    assert {500} == {answer.status for answer in answers}
    assert {(Arm.INCUMBENT, 500)} == {(one.arm, one.status) for one in await envoy_bench.reported(10)}


@pytest.mark.parametrize("trouble", ["dead", "hanging", "resetting"])
async def test_trouble_in_the_shadow_is_not_felt(envoy_bench: "EnvoyBench", trouble: str) -> None:
    await leased(envoy_bench, exposure=exposing("shadow", candidate=0, control=10_000, mirror=10_000))
    shadow = envoy_bench.servers["v8"]
    match trouble:
        case "dead":
            await shadow.kill()
        case "hanging":
            shadow.behaviour = Behaviour.HANG
        case _:
            shadow.behaviour = Behaviour.RESET

    async def ask_many() -> list[float]:
        took = []
        async with Caller(envoy_bench.port) as caller:
            for n in range(100):
                began = time.perf_counter()
                assert (await caller.ask("/fraud/predict", headers={"x-glideslope-subject": f"s{n}"})).status == 200
                took.append(time.perf_counter() - began)
        return took

    took = sorted(second for part in await asyncio.gather(*(ask_many() for _ in range(4))) for second in part)

    # A shadow that hangs would be felt as its own time-out: seconds on every request.
    assert took[len(took) // 2] < 1.0
    assert {False} == {one.rescued for one in await envoy_bench.reported(400)}


async def test_an_idle_connection_that_the_model_server_closes_is_not_a_failure(
    envoy_bench: "EnvoyBench",
) -> None:
    """Envoy drops idle connections before a model server with a keep-alive of two seconds does."""
    await leased(envoy_bench, exposure=exposing("s1", candidate=5_000, control=5_000))
    for n in range(20):
        await envoy_bench.ask(FRAUD, f"s{n}")

    await envoy_bench.until(lambda: not envoy_bench.servers["v8"].predicting, what="Envoy hangs up", seconds=3)

    assert {False} == {one.rescued for one in await envoy_bench.reported(20)}
