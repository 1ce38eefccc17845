"""Who is told what: messages made of the record, carried in order, at least once, whatever a receiver does and whenever we are killed."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.scenarios.test_drills import begin, drilled
from tests.scenarios.test_governed import CAT, ORGANISATION, PIA, SAM, approve, change, given

from glideslope.domain.commands import (
    CloseIncident,
    DescribePerson,
    Halt,
    NoteIncident,
    OrderRollback,
    Resume,
    ReviewAgreement,
)
from glideslope.domain.governing.incident import Remedy
from glideslope.domain.governing.organisation import DAY, ArtifactKind, Escalation, Owned
from glideslope.domain.governing.person import Person
from glideslope.domain.telling.channel import Channel, Digest, Reference, Slack, Subscription
from glideslope.domain.telling.message import Happening, Matter, Message, Parcel, Severity
from glideslope.domain.telling.standing import PATIENCE, TRIES_REFUSED, Delivered, Failed, Outcome
from glideslope.engine.record import Record
from glideslope.engine.telling.composing import Composer
from glideslope.engine.telling.courier import Courier, Road
from glideslope.engine.telling.ports import Ended
from glideslope.testing.telling import MemoryDeliveries, MemoryNotifier
from glideslope.testing.traffic import SOUND, Behaviour
from glideslope.testing.world import ADA, GRACE, World, draft

BROKEN = Behaviour(errors=0.4)


def chat(*tell: Subscription, **said: Any) -> Slack:
    return Slack(url=Reference(env="CHAT"), tell=tell or (Subscription(),), **said)


class Telling:
    """One world's channels, carried by hand: nothing goes out but in `carry`."""

    def __init__(self, world: World, *, seed: int = 1) -> None:
        self.world = world
        self.deliveries = MemoryDeliveries()
        self.notifier = MemoryNotifier()
        self._chance = random.Random(seed).random
        self.couriers: dict[str, Courier] = {}

    async def open(self, name: str, channel: Channel, *, record: Record | None = None) -> Courier:
        """Start a channel's courier, or start it again after a kill."""
        road = Road(
            record=record or self.world.app.record,
            composer=Composer(record or self.world.app.record),
            deliveries=self.deliveries,
            notifier=self.notifier,
            clock=self.world.clock,
            chance=self._chance,
            dues=self.world.app.comes_round,
            links=lambda: "https://glideslope.example",
        )
        courier = Courier(name, channel, road)
        self.couriers[name] = courier
        await courier.step()
        return courier

    async def carry(self) -> None:
        """Let every courier do all that it can now."""
        for courier in self.couriers.values():
            while await courier.step():
                pass

    async def run(self, seconds: float, *, every: float = 1.0) -> None:
        """Let time pass with the couriers at work."""
        for _ in range(round(seconds / every)):
            await self.world.clock.advance(every)
            await self.carry()

    def taken(self, name: str = "") -> list[Message]:
        return [m for p in self.notifier.taken if name in ("", p.channel) for m in p.messages]


def happenings(messages: list[Message]) -> list[str]:
    return [each.happening.value for each in messages]


async def test_a_rollout_is_told_from_proposal_to_end_and_each_ask_is_taken_back() -> None:
    world = await given(901)
    telling = Telling(world)
    await telling.open("all", chat())
    rollout = await world.propose(change())
    await approve(world, rollout, SAM)
    await approve(world, rollout, PIA)
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="a look"), key=world.key())
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="looked"), key=world.key())
    await world.until(rollout, phase="promoted", within=300)
    await telling.carry()

    told = telling.taken()
    kinds = happenings(told)
    moved = [k for k in kinds if k not in ("confirmed", "held")]
    assert moved[:4] == ["proposed", "approved", "approved", "advanced"]
    assert moved[4:7] == ["halted", "resumed", "advanced"]
    assert moved[-1] == "promoted"
    by_kind = {each.happening: each for each in reversed(told)}
    assert by_kind[Happening.PROPOSED].asked == "Approve or deny it: 1 of product, 1 of security missing."
    assert told[1].asked == "Approve or deny it: 1 of product missing."
    assert (told[1].matter, told[2].matter) == (Matter.TAKEN, Matter.SETTLED)
    assert told[2].settled == "Approval was asked for earlier and is no longer. pia gave what was missing."
    assert by_kind[Happening.HALTED].asked == "Resume it, or roll it back."
    assert by_kind[Happening.RESUMED].settled.endswith("ada did.")
    assert all(each.page == f"/rollouts/{rollout}" for each in told)
    assert len({each.id for each in told}) == len(told), "every message has a name of its own"
    assert [each.entry for each in told] == sorted(each.entry or 0 for each in told)


async def test_a_withdrawn_candidate_is_urgent_and_its_incident_is_followed_to_the_end() -> None:
    world = await given(902, v2=BROKEN)
    telling = Telling(world)
    await telling.open("all", chat())
    rollout = await world.propose(change())
    await approve(world, rollout, SAM, PIA)
    await world.until(rollout, phase="rolled-back", within=200)
    note = NoteIncident(
        rollout=rollout,
        by=ADA,
        why="looked",
        gap="no load test",
        hypotheses=("a leak",),
        remedies=(Remedy(what="test", owner="owners", due="2026-12-01", done=True),),
    )
    await world.app.note_incident(note, key=world.key())
    await world.app.close_incident(CloseIncident(rollout=rollout, by=CAT, why="enough"), key=world.key())
    await telling.carry()

    back = next(m for m in telling.taken() if m.happening is Happening.ROLLED_BACK)
    assert (back.severity, back.matter) == (Severity.CRITICAL, Matter.OPEN)
    assert back.done == "All traffic returns to v1, by the machine."
    assert back.announced is not None
    assert back.announced.benefit == "fewer late alarms"
    incident = [m for m in telling.taken() if m.happening is Happening.INCIDENT]
    assert [m.matter for m in incident] == [Matter.OPEN, Matter.TAKEN, Matter.SETTLED]
    assert {m.thread for m in (back, *incident)} == {rollout}, "they are one conversation"


async def test_what_was_ordered_by_hand_is_no_incident() -> None:
    world = await given(903)
    telling = Telling(world)
    await telling.open("all", chat())
    rollout = await world.propose(change())
    await approve(world, rollout, SAM, PIA)
    await world.until(rollout, step="s1", within=5)
    await world.app.roll_back(OrderRollback(rollout=rollout, by=GRACE, why="no"), key=world.key())
    await telling.carry()
    back = telling.taken()[-1]
    assert (back.happening, back.severity, back.matter) == (Happening.ROLLED_BACK, Severity.WARNING, Matter.SETTLED)
    assert back.done == "All traffic returns to v1, ordered by grace."


async def test_everybody_is_told_what_concerns_them_and_nothing_else() -> None:
    owned = Owned(kind=ArtifactKind.MODEL, name="delays", owner="owners")
    world = await given(904, replace(ORGANISATION, owned=(owned,)))
    telling = Telling(world)
    wanted = {
        "sam": Subscription(people=("sam",)),
        "compliance": Subscription(functions=("compliance",)),
        "product": Subscription(functions=("product",)),
        "pia-by-team": Subscription(people=("pia",), happenings=(Happening.ADVANCED,)),
        "owners": Subscription(owners=("owners",), severity=Severity.NOTICE),
        "other-model": Subscription(models=("spam",)),
    }
    for name, each in wanted.items():
        await telling.open(name, chat(each))
    rollout = await world.propose(change())
    await approve(world, rollout, PIA)
    await approve(world, rollout, SAM)
    await world.until(rollout, step="s1", within=5)
    await telling.carry()

    assert happenings(telling.taken("sam")) == ["proposed", "approved", "approved"], "asked, and that it is settled"
    assert happenings(telling.taken("compliance")) == []
    assert happenings(telling.taken("product")) == ["proposed", "approved", "approved"]
    assert telling.taken("product")[-1].settled.startswith("Approval was asked for earlier and is no longer.")
    assert happenings(telling.taken("pia-by-team")) == ["advanced"], "her team owns the model"
    assert happenings(telling.taken("owners")) == ["proposed", "approved", "approved", "advanced"]
    assert happenings(telling.taken("other-model")) == []


async def test_a_channel_of_the_people_affected_is_told_transitions_alone() -> None:
    world = await given(905)
    telling = Telling(world)
    await telling.open("users", chat(announce=True))
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, phase="promoted", within=300)
    await telling.carry()
    told = telling.taken()
    assert set(happenings(told)) == {"proposed", "advanced", "promoted"}
    stood = [each.announced.stands for each in told if each.announced is not None]
    assert stood[0] == "Nothing has changed yet: v1 serves everybody."
    assert stood[-1].endswith("v2 serves 100 % of the subjects.")
    assert all(each.announced.page == f"/rollouts/{rollout}/announcement" for each in told if each.announced)


async def test_whoever_was_told_that_somebody_is_waited_for_is_told_that_it_is_settled() -> None:
    """A pager that is told of warnings alone is stood down, although what settles a matter is none."""
    world = await given(918)
    telling = Telling(world)
    await telling.open("pager", chat(Subscription(severity=Severity.WARNING)))
    await telling.open("daily", chat(digest=Digest(at="08:00", at_once=Severity.WARNING)))
    rollout = await world.propose(change())
    await approve(world, rollout, PIA, SAM)
    await world.until(rollout, step="s1", within=5)
    await world.app.halt(Halt(rollout=rollout, by=GRACE, why="a look"), key=world.key())
    await world.app.resume(Resume(rollout=rollout, by=ADA, why="looked"), key=world.key())
    await world.until(rollout, phase="promoted", within=300)
    await telling.carry()
    for name in ("pager", "daily"):
        told = [m for m in telling.taken(name) if m.matter is not Matter.NONE]
        assert happenings(told) == ["halted", "resumed"]
        assert (told[1].severity, told[1].settles, told[1].matter) == (
            Severity.NOTICE,
            Severity.WARNING,
            Matter.SETTLED,
        )


async def test_what_is_waited_for_too_long_is_told_once_to_whom_the_organisation_names() -> None:
    escalations = (Escalation(after=20_000, to=("pia",)), Escalation(after=40_000, to=("owners",)))
    world = await given(906, replace(ORGANISATION, escalations=escalations))
    telling = Telling(world)
    await telling.open("pia", chat(Subscription(people=("pia",), happenings=(Happening.ESCALATED,))))
    await telling.open("cat", chat(Subscription(people=("cat",), happenings=(Happening.ESCALATED,))))
    await world.propose(change())
    await world.pass_time(70)
    await telling.carry()
    assert len(telling.taken("pia")) == 2, "by name, then by her team"
    assert telling.taken("cat") == []


async def test_a_review_that_is_overdue_is_told_once_and_again_when_it_is_overdue_again() -> None:
    world = await given(907, replace(ORGANISATION, reviews={"access": DAY}))
    telling = Telling(world)
    await telling.open("all", chat(Subscription(happenings=(Happening.OVERDUE,))))
    telling.notifier.answer = lambda _, __: Failed(why="HTTP 503")
    await telling.carry()
    telling.notifier.answer = lambda _, __: Delivered(how="yes")
    await telling.run(600, every=60)
    (never,) = telling.taken()
    assert never.title == "access organisation: a review is overdue"
    assert never.happened.endswith("It was never done.")
    assert never.asked == "Do it: glideslope agree review organisation -m WHY"
    await telling.open("all", telling.couriers["all"].channel)  # as after a restart
    await telling.run(3_600, every=600)
    assert len(telling.taken()) == 1

    review = ReviewAgreement(of="organisation", name="organisation", by=PIA, why="as it should be")
    await world.app.review(review, key=world.key())
    await telling.run(20 * 3_600, every=3_600)
    assert len(telling.taken()) == 1
    await telling.run(3 * 86_400, every=3_600)
    first, second = telling.taken()
    assert first.id == never.id != second.id


async def test_drills_are_told() -> None:
    world = await given(908)
    telling = Telling(world)
    await telling.open("all", chat(Subscription(happenings=(Happening.DRILL,))))
    await begin(world)
    await drilled(world)
    await telling.carry()
    assert [m.title for m in telling.taken()] == ["delays: a drill begins", "delays: the drill passed"]


async def two_rollouts(seed: int) -> tuple[World, Telling]:
    """Two models of which nobody must approve anything."""
    world = World(seed=seed)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    await world.serves("spam", per_second=30, v1=SOUND, v2=SOUND)
    await world.pass_time(2)
    telling = Telling(world)
    return world, telling


def refusing(*threads: str, outcome: Outcome) -> Callable[[Channel, Parcel], Outcome]:
    return lambda _, parcel: outcome if parcel.messages[0].thread in threads else Delivered(how="taken")


async def test_a_thread_that_is_not_taken_waits_in_order_and_holds_no_other_up() -> None:
    world, telling = await two_rollouts(909)
    await telling.open("all", chat(Subscription(severity=Severity.NOTICE)))
    await world.propose(draft("delays", "v2"))
    await world.propose(draft("spam", "v2"))
    telling.notifier.answer = refusing("r-0001", outcome=Failed(why="HTTP 500"))
    await world.pass_time(60)
    await telling.carry()
    await telling.run(20)
    assert {m.thread for m in telling.taken()} == {"r-0002"}, "the other is told as it happens"
    standing = telling.couriers["all"].standing
    assert standing is not None
    assert list(standing.parked) == ["r-0001"]

    telling.notifier.answer = refusing(outcome=Failed(why=""))
    await telling.run(1_300, every=10)
    mine = [m.entry for m in telling.taken() if m.thread == "r-0001"]
    wanted = [
        m.entry
        for entry in range(world.app.record.size())
        if (m := Composer(world.app.record).compose(entry)[0]) is not None
        and m.thread == "r-0001"
        and m.severity.rank >= Severity.NOTICE.rank
    ]
    assert mine == wanted, "in order, each once, none left out"


async def test_what_a_receiver_refuses_is_given_up_after_some_tries_and_what_fails_after_days() -> None:
    world, telling = await two_rollouts(910)
    await telling.open("all", chat(Subscription(happenings=(Happening.PROPOSED,))))
    await world.propose(draft("delays", "v2"))
    telling.notifier.answer = refusing("r-0001", outcome=Failed(why="HTTP 400", refused=True))
    await telling.run(4_000, every=30)
    kept = [each for _, each in await telling.deliveries.attempts(limit=1_000)]
    assert [each.ended for each in kept].count(Ended.GIVEN_UP) == 1
    assert len(kept) == TRIES_REFUSED
    await world.propose(draft("spam", "v2"))
    telling.notifier.answer = refusing("r-0002", outcome=Failed(why="HTTP 500"))
    await telling.run(PATIENCE / 1000 + 7_200, every=300)
    newest = (await telling.deliveries.attempts(limit=1))[0][1]
    assert (newest.ended, newest.thread) == (Ended.GIVEN_UP, "r-0002")
    standing = telling.couriers["all"].standing
    assert standing is not None
    assert standing.parked == {}


async def test_a_receiver_that_asks_to_be_left_alone_is_left_alone() -> None:
    world, telling = await two_rollouts(911)
    await telling.open("all", chat(Subscription(happenings=(Happening.PROPOSED,))))
    telling.notifier.answer = refusing("r-0001", outcome=Failed(why="HTTP 429", again_after=600.0))
    await world.propose(draft("delays", "v2"))
    await telling.carry()
    await telling.run(590, every=10)
    assert len(telling.notifier.tried) == 1
    await telling.run(30, every=10)
    assert len(telling.notifier.tried) == 2


@settings(max_examples=15, deadline=None)
@drawn(seed=st.integers(0, 10_000))
def test_nothing_is_lost_and_order_is_kept_wherever_it_is_killed(seed: int) -> None:
    """Failures and kills at random: each thread is told whole, in order; what is told again has the same name."""
    asyncio.run(_killed_anywhere(seed))


_HISTORY: list[World] = []
"""One history for all examples: it is only read."""


async def _history() -> tuple[World, Record]:
    if not _HISTORY:
        world, _ = await two_rollouts(912)
        await world.propose(draft("delays", "v2"))
        await world.propose(draft("spam", "v2"))
        await world.pass_time(40)
        _HISTORY.append(world)
    return _HISTORY[0], _HISTORY[0].app.record


class Killed(BaseException):
    """The process is gone; nothing of it catches this."""


async def restarted(telling: Telling) -> Courier:
    """Start a killed courier again, as often as it takes."""
    while True:
        try:
            return await telling.open("all", chat())
        except Killed:
            continue


async def _killed_anywhere(seed: int) -> None:
    chance = random.Random(seed)
    world, record = await _history()
    telling = Telling(world, seed=seed)
    courier = await telling.open("all", chat())
    await courier.rewind(0)

    def answer(_: Channel, parcel: Parcel) -> Outcome:
        dies = chance.random()
        if dies < 0.05:
            raise Killed  # before it arrived
        if dies < 0.1:
            telling.notifier.taken.append(parcel)
            raise Killed  # after it arrived, before anybody noted that
        return Failed(why="no") if dies < 0.4 else Delivered(how="yes")

    telling.notifier.answer = answer
    for _ in range(10_000):
        try:
            busy = await courier.step()
        except Killed:
            courier, busy = await restarted(telling), True
        standing = courier.standing
        if not busy:
            if standing is not None and not standing.parked and standing.cursor == record.size():
                break
            await world.clock.advance(5)
    told = [(m.thread, m.entry) for p in telling.notifier.taken for m in p.messages]
    composer = Composer(record)
    for thread in {thread for thread, _ in told}:
        first_times = list(dict.fromkeys(entry for name, entry in told if name == thread))
        wanted = [e for e in range(record.size()) if (m := composer.compose(e)[0]) is not None and m.thread == thread]
        assert first_times == wanted
    assert len({p.id for p in telling.notifier.taken}) == len({m.entry for m in telling.taken()})


async def test_a_channel_is_told_again_from_any_entry_under_the_same_names() -> None:
    world, telling = await two_rollouts(913)
    courier = await telling.open("all", chat())
    await world.propose(draft("delays", "v2"))
    await world.pass_time(30)
    await telling.carry()
    first = [p.id for p in telling.notifier.taken]
    start = telling.taken()[2].entry
    assert start is not None
    assert await courier.rewind(start) == world.app.record.size() - start
    await telling.carry()
    assert [p.id for p in telling.notifier.taken] == [*first, *first[2:]]


async def test_a_new_channel_is_told_what_happens_from_now_on_also_when_it_was_killed_at_once() -> None:
    world, telling = await two_rollouts(914)
    await world.propose(draft("delays", "v2"))
    await telling.open("late", chat())
    await world.propose(draft("spam", "v2"))
    await telling.open("late", chat())
    await telling.carry()
    assert {m.thread for m in telling.taken()} == {"r-0002"}


async def test_a_digest_comes_once_a_day_and_what_is_urgent_does_not_wait() -> None:
    world = World(seed=915)  # its clock begins at noon, UTC
    await world.serves("delays", v1=SOUND, v2=BROKEN)
    await world.pass_time(2)
    telling = Telling(world)
    digest = Digest(at="13:30", zone="Europe/Berlin", at_once=Severity.CRITICAL)
    await telling.open("daily", chat(digest=digest))
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, phase="rolled-back", within=200)
    await telling.carry()
    assert happenings(telling.taken()) == ["rolled-back"], "at once, the rest waits"
    telling.notifier.answer = lambda _, __: Failed(why="HTTP 503")
    await telling.run(20 * 3_600, every=900)
    telling.notifier.answer = lambda _, __: Delivered(how="yes")
    await telling.run(3_600, every=300)
    _, sent = telling.notifier.taken
    assert sent.digest
    assert Happening.ROLLED_BACK not in {m.happening for m in sent.messages}
    assert sent.messages[0].happening is Happening.PROPOSED
    tried = [p for p in telling.notifier.tried if p.digest]
    assert len(tried) > 1
    assert {p.id for p in tried} == {sent.id}, "each try is the same digest"
    await telling.run(3 * 86_400, every=3_600)
    assert len(telling.notifier.taken) == 2, "a day without news has no digest"


async def test_every_entry_of_a_governed_history_makes_the_same_message_whenever_it_is_asked_for() -> None:
    world = await given(916, v2=BROKEN)
    rollout = await world.propose(change())
    early = Composer(world.app.record)
    first = [early.compose(entry)[0] for entry in range(world.app.record.size())]
    await approve(world, rollout, SAM, PIA)
    await world.until(rollout, phase="rolled-back", within=200)
    late, fresh = early, Composer(world.app.record)
    backwards = [fresh.compose(entry)[0] for entry in reversed(range(world.app.record.size()))]
    forwards = [late.compose(entry)[0] for entry in range(world.app.record.size())]
    assert forwards[: len(first)] == first
    assert forwards == backwards[::-1]


async def test_nobody_is_told_who_somebody_is() -> None:
    world = await given(917)
    telling = Telling(world)
    await telling.open("all", chat())
    command = DescribePerson(actor=SAM, person=Person(name="Samuel Secret"), by=ADA)
    await world.app.describe_person(command, key=world.key())
    await telling.carry()
    assert telling.taken() == []
