"""A tier may ask how lately, and by what, people proved who they are: to approve a change, and to break the glass for it."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.scenarios.test_governed import HIGH, ORGANISATION, PIA, SAM, agreed, change, given

from glideslope.domain.commands import AnswerAgreement, Approve, AskGlass, BreakGlass
from glideslope.domain.errors import AgreementInvalid, ProofTooOld
from glideslope.domain.events import Approved
from glideslope.domain.governing.glass import Emergency, GlassAsked, GlassBroken
from glideslope.domain.governing.organisation import Proving, Right, Tier, check_organisation
from glideslope.domain.identity import Means, Proved
from glideslope.domain.ids import Actor, Digest, RolloutId
from glideslope.interfaces.document.agreements import read
from glideslope.testing.world import ADA, World

MINUTE = 60_000
LATELY = Proving(within=15 * MINUTE, by=(Means.PASSKEY, Means.PASSWORD))
CAREFUL = replace(ORGANISATION, tiers=(Tier(name="low"), replace(HIGH, valid_for=10 * MINUTE, proving=LATELY)))

WRONG = (
    None,
    Proved(Means.TOKEN),
    Proved(Means.PROVIDER),
    Proved(Means.PASSWORD, ago=None),
    Proved(Means.PASSKEY, ago=15 * MINUTE + 1),
)
RIGHT = Proved(Means.PASSKEY, ago=15 * MINUTE)


async def say(
    world: World, rollout: RolloutId, by: Actor, proved: Proved | None, *, granted: bool = True, key: str = ""
) -> None:
    digest = world.app.record.rollout(rollout).plan_digest
    command = Approve(rollout=rollout, plan_digest=digest, granted=granted, by=by, why="read it", proved=proved)
    await world.app.approve(command, key=key or world.key())


def last(world: World, rollout: RolloutId, kind: type) -> Any:
    return [each.event for each in world.app.record.history(rollout) if isinstance(each.event, kind)][-1]


async def test_a_yes_counts_only_when_its_giver_proved_who_they_are_as_the_tier_asks() -> None:
    world = await given(901, CAREFUL)
    rollout = await world.propose(change())
    view = await world.app.rollout(rollout)
    assert view.governed is not None
    assert view.governed.proving is not None
    assert (view.governed.proving.within, view.governed.proving.by) == (900.0, ("passkey", "password"))
    for proved in WRONG:
        with pytest.raises(ProofTooOld, match="15 minutes"):
            await say(world, rollout, PIA, proved)
    assert (await world.app.rollout(rollout)).approved_by == ()

    await say(world, rollout, PIA, RIGHT, key="once")
    await say(world, rollout, PIA, RIGHT, key="once")
    await say(world, rollout, SAM, Proved(Means.PASSWORD))
    assert last(world, rollout, Approved).proved is Means.PASSWORD
    await world.until(rollout, step="s1", within=5)


async def test_a_no_and_a_stop_ask_for_no_proof() -> None:
    world = await given(902, CAREFUL)
    rollout = await world.propose(change())
    await say(world, rollout, PIA, None, granted=False)

    denied = last(world, rollout, Approved)
    assert denied.granted is False
    assert denied.proved is not Means.TOKEN


async def test_where_no_tier_asks_the_record_says_nothing_of_proofs() -> None:
    """So what was recorded before is recorded the same, byte for byte."""
    world = await given(903)
    rollout = await world.propose(change())
    await say(world, rollout, PIA, Proved(Means.PASSKEY))

    assert '"proved"' not in repr(world.app.record.history(rollout)[-1].event)
    assert not isinstance(last(world, rollout, Approved).proved, Means)


async def test_the_glass_is_asked_for_and_broken_by_people_who_proved_who_they_are() -> None:
    both = tuple(replace(p, rights=(*p.rights, Right.OPERATE)) if p.id == SAM else p for p in CAREFUL.people)
    world = await given(904, replace(CAREFUL, people=both))
    rollout = await world.propose(change())
    ask = {"rollout": rollout, "emergency": Emergency.OUTAGE, "lasting": 10 * MINUTE, "by": ADA, "why": "v1 is down"}
    for proved in WRONG:
        with pytest.raises(ProofTooOld):
            await world.app.ask_glass(AskGlass(**ask, proved=proved), key=world.key())  # type: ignore[arg-type] # as above
    await world.app.ask_glass(AskGlass(**ask, proved=RIGHT), key=world.key())  # type: ignore[arg-type] # a table of values
    for proved in WRONG:
        with pytest.raises(ProofTooOld):
            await world.app.break_glass(BreakGlass(rollout=rollout, by=SAM, why="seen", proved=proved), key=world.key())
    await world.app.break_glass(BreakGlass(rollout=rollout, by=SAM, why="seen", proved=RIGHT), key=world.key())

    assert last(world, rollout, GlassAsked).proved is Means.PASSKEY
    assert last(world, rollout, GlassBroken).proved is Means.PASSKEY


async def test_what_the_organisation_asks_now_counts_also_for_what_was_proposed_before() -> None:
    world = await given(905)
    rollout = await world.propose(change())
    await agreed(world, CAREFUL)
    pending = (await world.app.agreement("organisation", "organisation")).tabled
    assert pending is not None
    yes = AnswerAgreement(
        of="organisation", name="organisation", digest=Digest(pending.digest), granted=True, by=PIA, why="yes"
    )
    await world.app.answer(yes, key=world.key())
    assert world.app.governing.organisation == CAREFUL

    with pytest.raises(ProofTooOld):
        await say(world, rollout, PIA, Proved(Means.TOKEN))


@pytest.mark.parametrize(
    ("proving", "told"),
    [
        (Proving(within=1_000, by=(Means.TOKEN,)), "within"),
        (Proving(within=2 * 86_400_000, by=(Means.TOKEN,)), "within"),
        (Proving(within=MINUTE, by=()), "by"),
        (Proving(within=MINUTE, by=(Means.TOKEN, Means.TOKEN)), "by"),
    ],
)
def test_a_tier_that_asks_for_what_cannot_be_is_refused(proving: Proving, told: str) -> None:
    broken = replace(ORGANISATION, tiers=(Tier(name="low"), replace(HIGH, proving=proving)))

    with pytest.raises(AgreementInvalid) as refused:
        check_organisation(broken)
    assert refused.value.where == f"tiers.1.proving.{told}"


def test_a_person_writes_it_with_units_and_is_told_where_it_is_wrong() -> None:
    text = (
        "organisation: 1\npeople:\n- {id: ada, functions: [security], rights: [administer, review]}\n"
        "tiers:\n- {name: high, approvals: [security], proving: {within: 15m, by: [passkey, password]}}\nusual_tier: high\n"
    )
    found = read(text, file="organisation.yaml").agreed
    assert found.tiers[0].proving == LATELY  # type: ignore[attr-defined] # it is an organisation

    for wrong in ("15 bananas", "soon"):
        with pytest.raises(AgreementInvalid) as refused:
            read(text.replace("15m,", f"{wrong},"), file="organisation.yaml")
        assert refused.value.line == 5
    with pytest.raises(AgreementInvalid, match="fingerprint"):
        read(text.replace("passkey", "fingerprint"), file="organisation.yaml")
