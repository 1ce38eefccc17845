"""Facts are recorded once, supersede earlier ones without losing them, and never speak of other content."""

import msgspec
import pytest

from glideslope.domain.commands import RecordFacts
from glideslope.domain.errors import FactsInvalid, Invalid, KeyReused, NotFound
from glideslope.domain.governing.facts import Facts
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import World

ADA = Actor("ada")
FACTS = Facts(model=ModelName("delays"), version=VersionName("v2"), seed=7)


def command(facts: Facts = FACTS, why: str = "trained") -> RecordFacts:
    return RecordFacts(facts=facts, by=ADA, why=why)


async def served() -> World:
    world = World()
    await world.serves("delays", per_second=1, v1=Behaviour(), v2=Behaviour())
    return world


async def test_later_facts_supersede_earlier_ones_which_are_kept() -> None:
    world = await served()
    later = msgspec.structs.replace(FACTS, seed=8)

    first = await world.app.record_facts(command(), key="1")
    again = await world.app.record_facts(command(), key="1")
    unchanged = await world.app.record_facts(command(why="again"), key="2")
    second = await world.app.record_facts(command(later), key="3")

    assert first == again == unchanged
    assert (second.facts, second.superseded) == (later, (first.entry,))
    assert await world.app.facts(FACTS.model, FACTS.version) == second
    assert world.app.record.model(FACTS.model).facts == {FACTS.version: later}
    with pytest.raises(NotFound):
        await world.app.facts(FACTS.model, VersionName("v1"))


async def test_what_is_refused_is_not_recorded() -> None:
    world = await served()
    size = world.app.record.size()

    with pytest.raises(FactsInvalid, match="is registered as"):
        await world.app.record_facts(
            command(msgspec.structs.replace(FACTS, digest=Digest("sha256:" + "0" * 64))), key="1"
        )
    with pytest.raises(NotFound):
        await world.app.record_facts(command(msgspec.structs.replace(FACTS, version=VersionName("v9"))), key="2")
    with pytest.raises(Invalid, match="needs a reason"):
        await world.app.record_facts(command(why=" "), key="3")
    assert world.app.record.size() == size


async def test_a_key_stands_for_one_act() -> None:
    world = await served()
    await world.app.record_facts(command(), key="1")

    with pytest.raises(KeyReused):
        await world.app.record_facts(command(msgspec.structs.replace(FACTS, seed=9)), key="1")
