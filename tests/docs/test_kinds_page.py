"""Each example on the page about kinds of metric is run: a sound candidate is promoted, a bad one is not."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from glideslope.domain.draft import SECOND, Draft
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.domain.observation import Totals
from glideslope.domain.traffic import Arm
from glideslope.engine.ports import Served
from glideslope.interfaces.document import reading
from glideslope.sdk import CpuTime
from glideslope.sdk.briefed import briefed
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import TICK, World

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "measure-other-kinds.md"
BLOCK = re.compile(r"^```(yaml|python)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NAMES = ("retries", "tokens", "revenue", "latency", "queue_ms", "calibration", "auc", "claim", "cpu_ms")


def examples() -> dict[str, tuple[str, str]]:
    """Return by the name of the first guardrail its plan, and the code that follows it on the page (or nothing)."""
    found: dict[str, tuple[str, str]] = {}
    name = ""
    for language, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if language == "yaml":
            name = re.findall(r"metric: (\w+)", text)[0]
            found[name] = (text, "")
        elif "def measured" in text:
            found[name] = (found[name][0], text)
    return found


def answer(random: Random, *, worse: bool) -> Mapping[str, Any]:
    """Return what a service knows of an answer; a bad candidate is worse in all of it."""
    waited = 10 * random.lognormvariate(0, 0.4) * (5 if worse and random.random() < 0.2 else 1)
    return {
        "attempts": 1 + (random.random() < (0.6 if worse else 0.15)) * (1 + int(random.expovariate(1))),
        "prompt_tokens": random.expovariate(1 / 100),
        "completion_tokens": random.expovariate(1 / (400 if worse else 100)),
        "earned": random.gauss(5 if worse else 14, 8),
        "cost": 2.0,
        "queued_ms": 1_000.0,
        "started_ms": 1_000.0 + waited,
        "predict": lambda: sum(range(60_000 if worse else 10_000)),
        "paid": random.lognormvariate(3, 1) * (4 if worse else 1),
    }


async def run(draft: Draft, measured: Callable[[Any], Mapping[str, float]], *, worse: bool) -> tuple[World, RolloutId]:
    """Run a plan to its end, with a model server behind the gateway that counts by the sdk."""
    world, random, waiting = World(seed=5), Random(5), list[Totals]()
    bad = Behaviour(noise=1.5) if worse else SOUND
    await world.serves("delays", v1=SOUND, v2=bad, dimensions=())
    await world.run(5)
    observer = Observer(ModelName("delays"), source="servers", epoch=1, send=waiting.append)  # type: ignore[arg-type]
    seen = world.app.observer.served

    def served(batch: Sequence[Served]) -> None:
        slow = [worse and r.arm is Arm.CANDIDATE and random.random() < 0.2 for r in batch]
        seen([replace(r, latency_us=9 * r.latency_us) if late else r for r, late in zip(batch, slow, strict=True)])
        for r in batch:
            stamps = Stamps(rollout=r.rollout, step=r.step, arm=r.arm, subject=r.subject)
            observer.observe(stamps, **measured(answer(random, worse=worse and r.arm is Arm.CANDIDATE)))

    world.app.observer.served = served  # type: ignore[method-assign]  # the servers stand behind the gateway
    rollout = await world.propose(draft)
    for _ in range(round(290 / TICK)):
        if world.app.record.rollout(rollout).phase in {"promoted", "rolled-back", "halted"}:
            break
        observer.follow(briefed(await world.app.briefing(ModelName("delays"), seen="", wait=0)))
        await world.pass_time(TICK)
        observer.send_totals()
        assert (await world.app.observe(waiting.pop())).refused == 0
    return world, rollout


def on_this_machine(draft: Draft) -> Draft:
    """Put the incumbent's usual CPU time into the plan, as its author would."""
    with CpuTime() as cpu:
        for _ in range(50):
            sum(range(10_000))
    (guardrail,) = draft.guardrails
    usual = cpu.ms / 50
    own = msgspec.structs.replace(draft.metrics[0], cap=10 * usual)
    return msgspec.structs.replace(
        draft, metrics=(own,), guardrails=(msgspec.structs.replace(guardrail, base_rate=usual),)
    )


def test_every_example_is_run() -> None:
    assert sorted(examples()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
async def test_an_example_tells_a_bad_candidate_from_a_sound_one(name: str) -> None:
    plan, code = examples()[name]
    draft = reading.read(plan, file=PAGE.name).draft
    draft = msgspec.structs.replace(draft, stale_after=3 * SECOND)
    if name == "cpu_ms":
        draft = on_this_machine(draft)
    space: dict[str, Any] = {"measured": lambda _: {}}
    exec(code, space)  # noqa: S102 - the page's own code

    world, rollout = await run(draft, space["measured"], worse=False)
    assert world.app.record.rollout(rollout).phase == "promoted"

    world, rollout = await run(draft, space["measured"], worse=True)
    view = await world.app.rollout(rollout)
    words = {g.metric.removesuffix("_p90").removesuffix("_p95"): g.word for g in view.guardrails}
    if name == "claim":
        assert (view.phase, words[name]) == ("promoted", "asymptotic, advisory")
    elif name == "calibration":
        assert (view.phase, words[name]) == ("halted", "beyond its limit")
    else:
        assert (view.phase, words[name]) == ("rolled-back", "harm")
