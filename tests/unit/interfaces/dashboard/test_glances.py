"""The first page asks for a rollout's figures seldom, however many look, and at once when something was decided."""

from typing import Any

from msgspec.structs import replace
from tests.unit.engine.test_inbox import rollout

from glideslope.engine.views import RolloutView
from glideslope.interfaces.dashboard.fleet import GLANCE, Glances


class Counting:
    """A service that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def rollout(self, _: str) -> RolloutView:
        self.asked += 1
        return rollout(candidate_subjects=self.asked)


async def test_figures_are_asked_for_once_in_a_while_and_at_each_decision() -> None:
    service: Any = Counting()
    time = [0.0]
    glances = Glances(service, monotonic=lambda: time[0])
    for _ in range(5):
        await glances.of(rollout())
    assert service.asked == 1
    shown = await glances.of(rollout(share=500))
    assert (service.asked, shown.share) == (1, 500), "all else is as it is now"
    await glances.of(replace(rollout(), version=2))
    assert service.asked == 2
    time[0] += GLANCE
    await glances.of(replace(rollout(), version=2))
    assert service.asked == 3


async def test_what_has_ended_is_forgotten() -> None:
    service: Any = Counting()
    glances = Glances(service, monotonic=lambda: 0.0)
    await glances.of(rollout())
    glances.forget(["r-0002"])

    assert not glances._kept
