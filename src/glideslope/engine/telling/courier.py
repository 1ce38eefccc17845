"""Carries messages through one channel: a cursor over the ledger that survives a kill, with threads that wait by themselves.

What is sent is kept after it was sent, so that after a kill it is sent again rather than never. Governing never waits for it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec import UnsetType

from glideslope.domain.errors import GlideslopeError
from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.telling import standing as course
from glideslope.domain.telling.channel import Channel, last_due, next_due, waits, wants
from glideslope.domain.telling.message import MOST_DIGESTED, Happening, Message, Parcel, parcel
from glideslope.domain.telling.standing import DIGEST, OVERDUE, Failed, Outcome, Standing
from glideslope.engine.dues import DueView
from glideslope.engine.ports import Clock
from glideslope.engine.record import Record
from glideslope.engine.telling.composing import Composer, message_id
from glideslope.engine.telling.governance import overdue, overdue_key
from glideslope.engine.telling.moment import in_thread
from glideslope.engine.telling.ports import Attempt, Deliveries, Ended, Notifier

LOOK_EVERY: Final = 60.0
"""Seconds between two looks at what comes round."""
KEEP_EVERY: Final = 30_000
"""Milliseconds after which a cursor that only passed over entries is kept: from before it they are passed over again."""
AT_ONCE: Final = 100
"""Entries that are looked at before others have their turn."""


@dataclass(frozen=True, slots=True)
class _Tried:
    """What came of a try: the standing after it, and whether the thread may go on."""

    standing: Standing
    attempt: Attempt
    done: bool


Dues = Callable[[], tuple[Organisation | None, Sequence[DueView]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Road:
    """What all couriers share."""

    record: Record
    composer: Composer
    deliveries: Deliveries
    notifier: Notifier
    clock: Clock
    chance: Callable[[], float]
    dues: Dues
    links: Callable[[], str]


class Courier:
    """One channel's courier."""

    def __init__(self, name: str, channel: Channel, road: Road) -> None:
        self.name = name
        self.channel = channel
        self.trouble = ""
        """Why the last attempt failed; empty once one did not."""
        self._road = road
        self._standing: Standing | None = None
        self._kept: Standing | None = None
        self._kept_at = 0
        self._looked_at: float | None = None
        self._woken = asyncio.Event()
        self._busy = asyncio.Lock()

    @property
    def standing(self) -> Standing | None:
        """Return how far it has come; None before it has begun."""
        return self._standing

    async def run(self) -> None:
        """Carry until cancelled."""
        try:
            while True:
                try:
                    busy = await self.step()
                except GlideslopeError as error:
                    self.trouble, busy = error.sentence, False
                if not busy:
                    await self._wait()
        finally:
            if self._standing is not None and self._standing != self._kept:
                with suppress(GlideslopeError):
                    await self._keep(self._standing)

    async def step(self) -> bool:
        """Try one message, whose turn it is; tell whether there was any. Raises StoreUnavailable."""
        async with self._busy:
            return await self._step()

    async def _step(self) -> bool:
        now = self._now()
        standing = await self._ready(now)
        if now < standing.gate:
            return False
        # What is new goes first: a receiver that refuses some threads must not keep the others waiting.
        found, standing = await self._new(standing)
        if found is not None:
            await self._carry(found, standing)
            return True
        self._standing = standing
        if await self._again(standing, now) or await self._digest(standing, now) or await self._overdue(standing, now):
            return True
        if self._standing != self._kept and now - self._kept_at >= KEEP_EVERY:
            await self._keep(self._standing)
        return False

    async def rewind(self, entry: int) -> int:
        """Look again at everything from an entry on, and return how many entries that is. Raises StoreUnavailable."""
        async with self._busy:
            standing = await self._ready(self._now())
            size = self._road.record.size()
            start = max(0, min(entry, size))
            again = msgspec.structs.replace(
                standing, cursor=start, digested=min(start, standing.digested), parked={}, gate=0, failures=0
            )
            await self._keep(again)
            self._woken.set()
            return size - start

    async def sample(self, message: Message) -> tuple[Outcome, int]:
        """Try a message that stands for none, and return what came of it and in how many milliseconds. Raises StoreUnavailable."""
        async with self._busy:
            standing = await self._ready(self._now())
            what = parcel(self.name, message)
            outcome, took = await self._try(what)
            ended, detail = (
                (Ended.FAILED, outcome.why) if isinstance(outcome, Failed) else (Ended.DELIVERED, outcome.how)
            )
            if ended is Ended.DELIVERED:
                standing = course.succeeded(standing, now=self._now())
            await self._keep(standing, (self._attempt(what, ended, detail, tries=1, took=took),))
            self._woken.set()
            return outcome, took

    async def _ready(self, now: int) -> Standing:
        if self._standing is None:
            size = self._road.record.size()
            kept = await self._road.deliveries.standing(self.name)
            if kept is None:
                # At once: from here on nothing may be lost.
                await self._keep(course.begin(size=size, now=now))
            else:
                found = msgspec.json.decode(kept, type=Standing)
                # A record that was restored from a copy may be shorter than what was told of it.
                here = {DIGEST: not isinstance(self.channel.digest, UnsetType)}
                self._standing = self._kept = msgspec.structs.replace(
                    found,
                    cursor=min(found.cursor, size),
                    digested=min(found.digested, size),
                    parked={
                        thread: each
                        for thread, each in found.parked.items()
                        if each.entry < size and here.get(thread, True)
                    },
                )
        assert self._standing is not None  # noqa: S101 - it has begun
        return self._standing

    async def _new(self, standing: Standing) -> tuple[Message | None, Standing]:
        """Return the next message that is to be tried, and the standing with the cursor behind it."""
        size = self._road.record.size()
        cursor = standing.cursor
        found: Message | None = None
        while cursor < size and found is None:
            found = self._wanted(cursor)
            if found is not None and (found.thread in standing.parked or waits(self.channel, found)):
                found = None
            cursor += 1
            if cursor % AT_ONCE == 0:
                await asyncio.sleep(0)
        return found, msgspec.structs.replace(standing, cursor=cursor)

    def _wanted(self, entry: int) -> Message | None:
        message, moment = self._road.composer.compose(entry)
        if message is None or not wants(self.channel, message, moment.organisation):
            return None
        return message

    async def _again(self, standing: Standing, now: int) -> bool:
        """Try the parked message whose turn it is."""
        thread = course.due(standing, now=now)
        if thread is None:
            return False
        message = self._wanted(standing.parked[thread].entry)
        if message is None or waits(self.channel, message):
            # The channel was told otherwise meanwhile: it is not for it any more.
            self._standing = self._onward(standing, thread, now=now)
        else:
            await self._carry(message, standing)
        return True

    async def _carry(self, message: Message, standing: Standing) -> None:
        """Try a message of a stream; a parked thread goes on behind it once it is done with."""
        tried = await self._tried(parcel(self.name, message), standing, message.thread, entry=message.entry or 0)
        after = tried.standing
        if tried.done and message.thread in after.parked:
            after = self._onward(after, message.thread, now=self._now())
        await self._keep(after, (tried.attempt,))

    def _onward(self, standing: Standing, thread: str, *, now: int) -> Standing:
        """Go on in a parked thread: to its next message before the cursor, or out of the parking place."""
        first = standing.parked[thread].entry
        entries = in_thread(self._road.record, thread, after=first, below=standing.cursor)
        following = (e for e in entries if (m := self._wanted(e)) is not None and not waits(self.channel, m))
        return course.unparked(standing, thread, next(following, None), now=now)

    async def _digest(self, standing: Standing, now: int) -> bool:
        """Send what waited for the digest, if it is due. Each try of it has the same bounds, so the same content and id."""
        digest, before = self.channel.digest, standing.parked.get(DIGEST)
        if isinstance(digest, UnsetType):
            return False
        due = last_due(digest, now=now)
        if due <= standing.digest_at or (before is not None and before.again > now):
            return False
        end, messages, more = await self._since(standing.digested, due)
        self._looked_at = None  # what is overdue comes with it
        if not messages:
            await self._keep(msgspec.structs.replace(standing, digested=end, digest_at=due))
            return True
        whole = Parcel(
            id=message_id("digest", self.name, str(standing.digested), str(due)),
            channel=self.name,
            messages=tuple(messages),
            left_out=more,
            digest=True,
            since=standing.digest_at,
        )
        tried = await self._tried(whole, standing, DIGEST)
        after = tried.standing
        if tried.done:
            after = msgspec.structs.replace(course.without(after, DIGEST), digested=end, digest_at=due)
        await self._keep(after, (tried.attempt,))
        return True

    async def _since(self, start: int, due: int) -> tuple[int, list[Message], int]:
        """Return where a digest ends, what it names and how many more there are."""
        messages: list[Message] = []
        entry, more = start, 0
        while entry < self._road.record.size() and self._road.record.at(entry).at <= due:
            message = self._wanted(entry)
            if message is not None and waits(self.channel, message):
                if len(messages) < MOST_DIGESTED:
                    messages.append(message)
                else:
                    more += 1
            entry += 1
            if entry % AT_ONCE == 0:
                await asyncio.sleep(0)
        return entry, messages, more

    async def _overdue(self, standing: Standing, now: int) -> bool:
        """Tell of what comes round and was not done, each time once; with a digest after it."""
        passed, before, digest = self._road.clock.monotonic(), standing.parked.get(OVERDUE), self.channel.digest
        if before is not None and before.again > now:
            return False
        if before is None and self._looked_at is not None and passed - self._looked_at < LOOK_EVERY:
            return False
        if not isinstance(digest, UnsetType) and self._looked_at is not None:
            return False
        self._looked_at = passed
        organisation, dues = self._road.dues()
        late = {overdue_key(due): due for due in dues if due.overdue}
        told = tuple(key for key in standing.overdue if key in late)
        standing = msgspec.structs.replace(standing, overdue=told)
        for key, due in late.items():
            if key in told or organisation is None:
                continue
            message = overdue(due, organisation, id_=message_id("overdue", key), now=now)
            if wants(self.channel, message, organisation):
                tried = await self._tried(parcel(self.name, message), standing, OVERDUE)
                after = tried.standing
                if tried.done:
                    after = msgspec.structs.replace(course.without(after, OVERDUE), overdue=(*told, key))
                    self._looked_at = None  # there may be more
                await self._keep(after, (tried.attempt,))
                return True
        self._standing = course.without(standing, OVERDUE)
        return False

    async def _tried(self, what: Parcel, standing: Standing, thread: str, *, entry: int = -1) -> "_Tried":
        """Try a parcel; the standing after it says what that tells of the receiver, and whether the thread waits."""
        before = standing.parked.get(thread)
        outcome, took = await self._try(what)
        now, chance = self._now(), self._road.chance()
        tries = 1 if before is None else before.tries + 1
        if not isinstance(outcome, Failed):
            after = course.succeeded(standing, now=now)
            return _Tried(after, self._attempt(what, Ended.DELIVERED, outcome.how, tries=tries, took=took), done=True)
        after = course.failed(standing, outcome, now=now, chance=chance)
        waits_now = course.patience(before, outcome, entry=entry, now=now, chance=chance)
        ended = Ended.GIVEN_UP if waits_now is None else Ended.FAILED
        if waits_now is not None:
            after = course.waiting(after, thread, waits_now)
        attempt = self._attempt(what, ended, outcome.why, tries=tries, took=took)
        return _Tried(after, attempt, done=waits_now is None)

    async def _try(self, what: Parcel) -> tuple[Outcome, int]:
        began = self._road.clock.monotonic()
        try:
            outcome = await self._road.notifier.send(self.channel, what, links=self._road.links(), now=self._now())
        except Exception as error:  # noqa: BLE001 - a notifier of somebody else's; its words might hold a secret, its type does not
            outcome = Failed(why=f"the notifier raised {type(error).__name__}")
        self.trouble = outcome.why if isinstance(outcome, Failed) else ""
        return outcome, round(1000 * (self._road.clock.monotonic() - began))

    def _attempt(self, what: Parcel, ended: Ended, detail: str, *, tries: int, took: int) -> Attempt:
        first = what.messages[0]
        return Attempt(
            channel=self.name,
            at=self._now(),
            message=what.id,
            entry=None if what.digest else first.entry,
            thread=DIGEST if what.digest else first.thread,
            happening=Happening.DIGEST if what.digest else first.happening,
            severity=what.severity,
            title=what.title,
            ended=ended,
            detail=detail,
            tries=tries,
            took=took,
        )

    async def _keep(self, standing: Standing, attempts: Sequence[Attempt] = ()) -> None:
        # In memory first: when it cannot be kept, what was sent is not sent again before a restart.
        self._standing = standing
        await self._road.deliveries.keep(self.name, msgspec.json.encode(standing), attempts)
        self._kept, self._kept_at = standing, self._now()

    async def _wait(self) -> None:
        """Wait for what comes next: an entry, the time for another try, a digest, a look at what comes round, or a call."""
        now, standing = self._now(), self._standing
        seen: int | None = None
        times = [now + (1000 if standing is None else round(1000 * LOOK_EVERY))]
        if standing is not None:
            again = course.wakes(standing)
            times += [] if again is None else [again]
            if now < standing.gate:
                times.append(standing.gate)  # what is new waits, too
            else:
                seen = standing.cursor
        if not isinstance(self.channel.digest, UnsetType):
            times.append(next_due(self.channel.digest, now=now))
        waiting = [
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(self._road.clock.sleep(max(0.001, (min(times) - now) / 1000))),
        ]
        if seen is not None:
            waiting.append(asyncio.ensure_future(self._road.record.grown(seen)))
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            self._woken.clear()

    def _now(self) -> int:
        return int(self._road.clock.now().timestamp() * 1000)
