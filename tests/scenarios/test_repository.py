"""The record is found by author, metric, feature and text, and a page can be shown as it was at an entry."""

import pytest

from glideslope.domain.commands import Approve
from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.ids import ModelName, RolloutId
from glideslope.ledger import entry as ledger_entry
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import GRACE, World, draft


async def rolled_back() -> tuple[World, RolloutId]:
    world = World(seed=7)
    await world.serves("delays", v1=Behaviour(errors=0.01), v2=Behaviour(errors=0.3))
    rollout = await world.propose(draft("delays", "v2", approvals=1))
    digest = world.app.record.rollout(rollout).plan_digest
    await world.app.approve(
        Approve(rollout=rollout, plan_digest=digest, granted=True, by=GRACE, why="Evening flights look well."), key="a"
    )
    await world.until(rollout, phase="rolled-back", within=600)
    return world, rollout


async def test_a_change_is_found_by_author_metric_text_and_in_any_combination() -> None:
    world, rollout = await rolled_back()

    async def kinds(question: str) -> list[str]:
        return [each.kind for each in (await world.app.search(question)).found]

    assert await kinds("author:grace") == ["approval-given"]
    assert await kinds("evening flights") == ["approval-given"]
    assert await kinds('author:grace "evening flights" rollout:r-0001') == ["approval-given"]
    assert await kinds("author:grace kind:decided") == []
    assert "decided" in await kinds("metric:log_loss")
    assert await kinds("metric:log_loss kind:rollout-proposed") == ["rollout-proposed"]
    assert await kinds("decision:roll-back") == ["decided"]
    assert await kinds(f"digest:{world.app.record.rollout(rollout).plan.candidate_digest}") == [
        "rollout-proposed",
        "version-registered",
    ]
    assert await kinds("october kind:rollout-proposed") == ["rollout-proposed"]
    with pytest.raises(Invalid, match="no field 'colour'"):
        await world.app.search("colour:red")


async def test_pages_follow_each_other_without_a_gap_and_carry_whole_entries() -> None:
    world, _ = await rolled_back()
    everything = [each.entry for each in (await world.app.search("model:delays rollout:r*")).found]
    stepwise, below = [], None
    while True:
        page = await world.app.search("model:delays rollout:r*", limit=2, below=below, whole=True)
        stepwise += [each.entry for each in page.found]
        for each in page.found:
            assert ledger_entry.decode(each.whole.encode()).stream == each.stream
        if page.next is None:
            break
        below = page.next

    assert stepwise == everything


async def test_a_lost_index_is_made_again() -> None:
    world, _ = await rolled_back()
    before = await world.app.search("flights")
    await world.search.clear()

    assert await world.app.search("flights") == before
    assert await world.app.repository.rebuild() == before.entries


async def test_a_page_shows_what_it_showed_then() -> None:
    world, rollout = await rolled_back()
    history = world.app.record.history(rollout)
    proposed, last = history[0].entry, history[-1].entry

    then = await world.app.rollout(rollout, as_of=proposed)
    assert (then.phase, then.approved_by, then.last) == ("proposed", (), None)
    assert len(await world.app.story(rollout, as_of=proposed)) == 1
    now, at_the_end = await world.app.rollout(rollout), await world.app.rollout(rollout, as_of=last)
    assert (at_the_end.phase, at_the_end.approved_by) == ("rolled-back", ("grace",))
    assert at_the_end.guardrails == now.guardrails
    assert await world.app.decisions(rollout, as_of=last) == await world.app.decisions(rollout)
    assert (await world.app.model(ModelName("delays"), as_of=0)).versions[0].version == "v1"
    for recorded in history:
        seen = await world.app.rollout(rollout, as_of=recorded.entry)
        assert seen.version == recorded.version
    with pytest.raises(NotFound):
        await world.app.rollout(rollout, as_of=last + 1)
    with pytest.raises(NotFound):
        await world.app.rollout(rollout, as_of=proposed - 1)
