"""A server checks its own ledger: what was changed behind its back is found, and no check disturbs another."""

import asyncio
from dataclasses import replace

import pytest

from glideslope.domain.errors import Conflict, NotFound
from glideslope.engine import self_check
from glideslope.engine.self_check import TooLargeToCheckHere
from glideslope.ledger import merkle, tlogproof
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import World, draft


async def rolled_back() -> World:
    world = World(seed=3)
    await world.start()
    await world.serves("late-arrival", v1=SOUND, v2=Behaviour(noise=0.8, errors=0.05))
    await world.pass_time(10)
    await world.until(await world.propose(draft("late-arrival", "v2")), phase="rolled-back", within=600)
    return world


async def test_a_sound_ledger_is_recomputed_and_each_entry_is_proven() -> None:
    world = await rolled_back()
    found = await world.app.verified()

    assert (found.ok, found.findings) == (True, ())
    assert found.entries == world.app.record.size()
    assert found.decisions > 3
    for entry in range(found.entries):
        shown = await world.app.inclusion(entry)
        proof = tlogproof.parse(shown.proof.encode())
        assert shown.holds
        assert shown.root == found.root
        assert merkle.verify_inclusion(
            bytes.fromhex(shown.leaf),
            index=proof.index,
            size=shown.size,
            proof=proof.hashes,
            root=bytes.fromhex(shown.root),
        )
    with pytest.raises(NotFound):
        await world.app.inclusion(found.entries)


async def test_what_was_changed_behind_its_back_is_found() -> None:
    """The checkpoints were signed over other bytes; the decision that rests on changed counts comes out otherwise."""
    world = await rolled_back()
    await world.app.notary.sign()
    kept = world.store._entries
    place = max(k for k, each in enumerate(kept) if b'"kind":"decided"' in each.data and b'"wealth"' in each.data)
    kept[place] = replace(kept[place], data=kept[place].data.replace(b'"type":"roll-back"', b'"type":"promote"'))
    found = await world.app.verified()

    assert not found.ok
    assert any("checkpoint" in sentence.lower() for sentence in found.findings)
    assert len(found.findings) >= 2, found.findings


async def test_one_check_at_a_time_and_none_that_would_keep_it_from_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await rolled_back()
    both = await asyncio.gather(world.app.verified(), world.app.verified(), return_exceptions=True)
    assert [isinstance(each, Conflict) for each in both] == [False, True]
    # What was checked once is known while nothing is added.
    assert await world.app.verified() is both[0]

    monkeypatch.setattr(self_check, "MOST", 5)
    with pytest.raises(TooLargeToCheckHere):
        await world.app.verified()
