"""A real Envoy divides requests as the domain does, says on each who was assigned where, and lets nobody else say so."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from glideslope.domain.ids import ModelName
from glideslope.domain.stamps import ARM, REQUEST, ROLLOUT, SERVED, SHADOW, STEP, SUBJECT, VERSION
from glideslope.domain.traffic import Arm, Assignment, Route, Token, assign
from glideslope.testing.contracts.driver import (
    FIRST,
    FRAUD,
    LONG,
    SECOND,
    SPAM,
    exposing,
    in_force,
    leased,
    reaches,
    route,
)
from glideslope.testing.http import Caller

if TYPE_CHECKING:
    from tests.e2e.conftest import EnvoyBench

pytestmark = pytest.mark.envoy

WIDE = exposing("s1", candidate=3_000, control=4_000)


async def test_three_thousand_of_three_thousand_assignments_equal_the_domains(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=WIDE)
    subjects = [f"kunde-{n}" for n in range(2_900)] + [f"Zoë {n} 客戶" for n in range(100)]

    async def ask(part: list[str]) -> dict[str, Assignment]:
        async with Caller(envoy_bench.port) as caller:
            return {s: envoy_bench.assignment(await caller.ask("/fraud/predict", headers={SUBJECT: s})) for s in part}

    parts = await asyncio.gather(*(ask(subjects[n::8]) for n in range(8)))

    got = {subject: seen for part in parts for subject, seen in part.items()}
    weights = WIDE.split.weights()
    assert {subject: assign(subject, salt="fraud-1", weights=weights) for subject in subjects} == got


async def test_stamps_say_on_request_and_answer_who_was_assigned(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=10_000, control=0))

    answer = await envoy_bench.ask(FRAUD, "somebody")

    request = envoy_bench.servers["v8"].seen[-1]
    expected = {ARM: "candidate", ROLLOUT: "fraud-1", STEP: "s1", VERSION: "v8"}
    assert expected == {name: request.headers.get(name) for name in expected}
    assert expected | {SERVED: "v8"} == {name: answer.headers.get(name) for name in [*expected, SERVED]}
    assert request.headers[REQUEST] == answer.headers[REQUEST]
    assert request.path == "/predict"


async def test_unmeasured_requests_bear_only_the_version(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=0, control=0))

    answer = await envoy_bench.ask(FRAUD, "somebody")

    request = envoy_bench.servers["v7"].seen[-1]
    assert {n: v for n, v in request.headers.items() if n in {ARM, ROLLOUT, STEP, VERSION}} == {VERSION: "v7"}
    assert {n: v for n, v in answer.headers.items() if n.startswith("x-glideslope")} == {VERSION: "v7", SERVED: "v7"}


async def test_callers_and_model_servers_cannot_forge_stamps(envoy_bench: "EnvoyBench") -> None:
    forged = {ARM: "candidate", ROLLOUT: "fraud-9", STEP: "s9", VERSION: "v9", SERVED: "v9"}
    for server in envoy_bench.servers.values():
        server.headers.update(forged)
    await leased(envoy_bench, exposure=exposing("s1", candidate=0, control=5_000))
    weights = exposing("s1", candidate=0, control=5_000).split.weights()
    subjects = [f"s{n}" for n in range(40)]

    for subject in subjects:
        answer = await envoy_bench.ask(FRAUD, subject, headers=forged | {REQUEST: "mine"})
        request = envoy_bench.servers["v7"].seen[-1]
        measured = assign(subject, salt="fraud-1", weights=weights).measured
        expected = (Arm.INCUMBENT.value, "fraud-1", "s1", "v7") if measured else (None, None, None, "v7")
        assert expected == tuple(request.headers.get(name) for name in (ARM, ROLLOUT, STEP, VERSION))
        assert expected == tuple(answer.headers.get(name) for name in (ARM, ROLLOUT, STEP, VERSION))
        assert answer.headers[SERVED] == "v7"
        assert request.headers[REQUEST] != "mine"

    await envoy_bench.reported(len(subjects))
    assert {Arm.INCUMBENT} == {one.arm for one in envoy_bench.served}
    assert {("fraud-1", "s1"), ("", "")} == {(one.rollout, one.step) for one in envoy_bench.served}


async def test_callers_cannot_give_envoy_orders(envoy_bench: "EnvoyBench") -> None:
    """`x-envoy-*` headers change timeouts and retries when they come from inside; every caller is outside."""
    await leased(envoy_bench, exposure=exposing("s1", candidate=10_000, control=0))
    orders = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-max-retries": "0", "x-envoy-retry-on": "gateway-error"}
    envoy_bench.servers["v8"].delay = 0.05

    answer = await envoy_bench.ask(FRAUD, "somebody", headers=orders)

    assert answer.status == 200
    assert not orders.keys() & envoy_bench.servers["v8"].seen[-1].headers.keys()
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


@pytest.mark.parametrize("headers", [{}, {SUBJECT: ""}], ids=["no subject", "an empty subject"])
async def test_a_request_without_subject_is_assigned_at_random_and_marked(
    envoy_bench: "EnvoyBench", headers: dict[str, str]
) -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=5_000, control=5_000))

    arms = Counter([(await envoy_bench.ask(FRAUD, None, headers=headers)).headers[ARM] for _ in range(100)])

    assert 20 < arms["candidate"] < 80
    await envoy_bench.reported(100)
    assert {""} == {one.subject for one in envoy_bench.served}
    assert arms == Counter(one.arm.value for one in envoy_bench.served)


async def test_what_was_served_is_reported_with_its_subject(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=WIDE)
    subjects = [f"s{n}" for n in range(60)]
    for subject in subjects:
        await envoy_bench.ask(FRAUD, subject)

    await envoy_bench.reported(len(subjects))

    expected = {subject: assign(subject, salt="fraud-1", weights=WIDE.split.weights()) for subject in subjects}
    assert expected == {one.subject: Assignment(one.arm, measured=bool(one.step)) for one in envoy_bench.served}
    assert {(FRAUD, 200, False)} == {(one.model, one.status, one.rescued) for one in envoy_bench.served}
    assert all(0 < one.latency_us < 1_000_000 for one in envoy_bench.served)
    counts = await envoy_bench.driver.requests(FRAUD)
    assert len(subjects) == counts["candidate"] + counts["control"] + counts["rest"]


async def test_no_subject_falls_back_while_a_step_widens(envoy_bench: "EnvoyBench") -> None:
    """Not even for the moment between the routes of two steps."""
    await leased(envoy_bench, exposure=WIDE)
    exposed = [
        subject
        for subject in (f"s{n}" for n in range(200))
        if assign(subject, salt="fraud-1", weights=WIDE.split.weights()).arm is Arm.CANDIDATE
    ]
    seen: list[str | None] = []
    done = asyncio.Event()

    async def keep_asking() -> None:
        async with Caller(envoy_bench.port) as caller:
            while not done.is_set():
                for subject in exposed:
                    answer = await caller.ask("/fraud/predict", headers={SUBJECT: subject})
                    seen.append(answer.headers.get(ARM))

    asking = asyncio.create_task(keep_asking())
    for n, share in enumerate((4_000, 5_000, 6_000, 8_000), start=2):
        wider = exposing(f"s{n}", candidate=share, control=10_000 - share)
        await envoy_bench.driver.lease(FRAUD, wider, token=Token(1, n), ttl=LONG)
        await reaches(envoy_bench, lambda wider=wider: in_force(envoy_bench, wider))  # type: ignore[misc] # a default is not in the type
    done.set()
    await asking

    assert {"candidate"} == set(seen)


async def test_several_models_live_behind_one_gateway(envoy_bench: "EnvoyBench") -> None:
    spam = Route(SPAM, incumbent=envoy_bench.endpoint("v1"), candidate=envoy_bench.endpoint("v2"), salt="spam-1")
    await envoy_bench.driver.shape([route(envoy_bench), spam])
    await envoy_bench.driver.lease(
        SPAM, exposing("s1", candidate=10_000, control=0, rollout="spam-1"), token=FIRST, ttl=LONG
    )
    await reaches(envoy_bench, lambda: _exposed(envoy_bench, SPAM))

    assert (await envoy_bench.ask(FRAUD, "x")).headers[SERVED] == "v7"
    assert (await envoy_bench.ask(SPAM, "x")).headers[SERVED] == "v2"
    assert (await envoy_bench.ask("nobody", "x")).status == 404


async def test_mirrored_copies_are_marked_and_paired_and_answer_nobody(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("shadow", candidate=0, control=10_000, mirror=10_000))
    for n in range(20):
        answer = await envoy_bench.ask(FRAUD, f"s{n}", body=b'{"amount": 1}')
        assert answer.headers[SERVED] == "v7"

    copies = envoy_bench.servers["v8"].seen
    await envoy_bench.until(lambda: len(copies) == 20, what="every request is mirrored")

    assert {(SHADOW, "fraud-1", "shadow", "v8")} == {
        tuple(copy.headers.get(name) for name in (ARM, ROLLOUT, STEP, VERSION)) for copy in copies
    }
    served = envoy_bench.servers["v7"].seen
    assert {one.headers[REQUEST] for one in served} == {copy.headers[REQUEST] for copy in copies}
    assert {(b'{"amount": 1}', "/predict")} == {(copy.body, copy.path) for copy in copies}


async def test_the_mirror_ends_with_the_lease(envoy_bench: "EnvoyBench") -> None:
    half = exposing("shadow", candidate=0, control=10_000, mirror=5_000)
    await leased(envoy_bench, exposure=half)
    for n in range(100):
        await envoy_bench.ask(FRAUD, f"s{n}")
    await envoy_bench.driver.lease(FRAUD, None, token=SECOND, ttl=timedelta(seconds=1))
    await reaches(envoy_bench, lambda: in_force(envoy_bench, None))
    mirrored = len(envoy_bench.servers["v8"].seen)
    assert 20 < mirrored < 80

    for n in range(100):
        await envoy_bench.ask(FRAUD, f"s{n}")

    assert mirrored == len(envoy_bench.servers["v8"].seen)


async def test_a_moved_endpoint_keeps_its_exposure(envoy_bench: "EnvoyBench") -> None:
    await leased(envoy_bench, exposure=exposing("s1", candidate=10_000, control=0))
    moved = replace(envoy_bench.endpoint("v8"), url=envoy_bench.servers["v9"].url)

    await envoy_bench.driver.shape([replace(route(envoy_bench), candidate=moved)])

    assert (await envoy_bench.ask(FRAUD, "x")).body == b"v9 /predict"
    assert (await envoy_bench.ask(FRAUD, "x")).headers[SERVED] == "v8"


async def _exposed(bench: "EnvoyBench", model: ModelName) -> bool:
    return (await bench.driver.observe(model)).exposure is not None
