"""A harmful candidate is withdrawn while few have met it, wherever the harm hides."""

import pytest

from glideslope.domain.commands import Retry
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.engine.views import DecisionView, RolloutView
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import GRACE, SHADOW, STAGES, World, draft


def breach(view: RolloutView) -> tuple[str, str]:
    """Return guardrail and slice of the first finding of harm."""
    last = view.last
    assert isinstance(last, DecisionView)
    assert (last.decision, last.reasons) == ("roll-back", ("guardrail-breached",))
    return last.findings[0].subject, last.findings[0].slice


async def test_a_failing_candidate_is_rolled_back_at_a_small_share_and_may_be_tried_again() -> None:
    """Confirmed at zero exposure; the second attempt knows the first and what it ended with."""
    world = World(seed=2)
    traffic = await world.serves("delays", v1=SOUND, v2=Behaviour(errors=0.25), v3=SOUND)
    await world.run(10)
    first = await world.propose(draft("delays", "v2"))

    view = await world.until(first, phase="rolled-back", within=60)

    assert breach(view) == ("errors", "all")
    assert view.step in ("", "s1")
    assert world.exposed("delays") == 0
    assert traffic.truth.by_candidate < 400
    assert view.confirmation_ms is not None
    assert (await world.story(first))[-3:] == ["decided", "traffic-confirmed", "stream-closed"]
    again = await world.app.retry(
        Retry(rollout=first, by=GRACE, why="fixed the parser", draft=draft("delays", "v3")), key=world.key()
    )
    assert (again.attempt_of, again.candidate) == (first, "v3")
    (proposed, *_) = await world.app.story(RolloutId(again.id))
    assert "ended rolled-back: guardrail-breached. Tried again: fixed the parser" in proposed.sentence
    assert (await world.app.model(ModelName("delays"))).incumbent == "v1"
    await world.run(5)


@pytest.mark.parametrize(
    ("candidate", "guardrail", "where"),
    [
        (Behaviour(latency=60.0), "latency", "all"),
        (Behaviour(noise_in={"LGA": 0.9}), "log_loss", "origin=LGA"),
        (Behaviour(dead=True), "errors", "all"),
    ],
    ids=["slow", "wrong in one slice", "dead and rescued"],
)
async def test_harm_is_found_where_it_is(candidate: Behaviour, guardrail: str, where: str) -> None:
    """In latency only, in one slice only, behind a gateway that hides it from users."""
    world = World(seed=3)
    traffic = await world.serves("delays", v1=SOUND, v2=candidate)
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2"))

    view = await world.until(rollout, phase="rolled-back", within=200)

    found = {(f.subject, f.slice) for f in view.last.findings} if view.last else set()
    assert (guardrail, where) in found
    assert {name for name, _ in found} == {guardrail}
    assert world.exposed("delays") == 0
    assert traffic.truth.by_candidate < 2_500


async def test_harm_seen_in_the_shadow_never_reaches_a_subject() -> None:
    """Only disagreements about mirrored requests count, and nobody was ever exposed."""
    world = World(seed=4)
    traffic = await world.serves("delays", v1=SOUND, v2=Behaviour(noise=0.9))
    await world.run(10)
    rollout = await world.propose(draft("delays", "v2", stages=(SHADOW, *STAGES)))

    view = await world.until(rollout, phase="rolled-back", within=120)

    assert breach(view)[0] == "log_loss"
    assert traffic.truth.by_candidate == 0
    assert view.candidate_subjects == 0
