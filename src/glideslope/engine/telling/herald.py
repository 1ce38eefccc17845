"""Keeps one courier per channel, as the channels' file says now, and tells people how each stands."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from msgspec import UnsetType

from glideslope.domain.errors import GlideslopeError, NotFound
from glideslope.domain.events import rfc3339
from glideslope.domain.telling.channel import (
    Channel,
    Channels,
    Email,
    Other,
    PagerDuty,
    Slack,
    Subscription,
    Teams,
    Webhook,
    kind_of,
)
from glideslope.domain.telling.message import Happening, Message, Severity
from glideslope.domain.telling.standing import Delivered, Standing
from glideslope.engine.ports import Clock
from glideslope.engine.record import Record
from glideslope.engine.telling.composing import Composer, message_id
from glideslope.engine.telling.courier import Courier, Dues, Road
from glideslope.engine.telling.ports import Attempt, Outlets
from glideslope.engine.telling.views import ChannelsView, ChannelView, DeliveryView, ReplayedView, TriedView
from glideslope.engine.views import CheckView

READ_EVERY: Final = 2.0
"""Seconds until a change of the file is in force."""
PRUNE_EVERY: Final = 3_600.0
KEPT_FOR: Final = 30 * 86_400_000
"""Milliseconds for which attempts are kept,"""
MOST_KEPT: Final = 50_000
"""and how many at most."""
MOST_SHOWN: Final = 200
FAILING: Final = 3
"""Attempts in a row after which a channel counts as failing."""
FILE: Final = "channels.yaml"


class Herald:
    """Starts and ends couriers; nothing here is waited for by whoever governs."""

    def __init__(self, *, record: Record, outlets: Outlets | None, clock: Clock, dues: Dues) -> None:
        self._record = record
        self._outlets = outlets
        self._clock = clock
        self._couriers: dict[str, tuple[Courier, asyncio.Task[None]]] = {}
        self._channels = Channels()
        self._trouble = ""
        self._road: Road | None = None
        if outlets is not None:
            self._road = Road(
                record=record,
                composer=Composer(record),
                deliveries=outlets.deliveries,
                notifier=outlets.notifier,
                clock=clock,
                chance=outlets.chance,
                dues=dues,
                links=lambda: self._links,
            )

    @property
    def _links(self) -> str:
        said = self._channels.links
        own = "" if self._outlets is None else self._outlets.address()
        return (own if isinstance(said, UnsetType) else said).rstrip("/")

    async def run(self) -> None:
        """Follow the file until cancelled; then end all couriers."""
        if self._outlets is None:
            return
        pruned = -PRUNE_EVERY
        try:
            while True:
                await self.follow()
                if self._clock.monotonic() - pruned >= PRUNE_EVERY:
                    pruned = self._clock.monotonic()
                    await self._prune(self._outlets)
                await self._clock.sleep(READ_EVERY)
        finally:
            await self._end(list(self._couriers))

    async def follow(self) -> None:
        """Let the couriers be those that the file asks for now."""
        if self._outlets is None or self._road is None:
            return
        read = self._outlets.channels()
        self._trouble = read.trouble
        if read.channels == self._channels:
            return
        before, self._channels = self._channels, read.channels
        await self._end([name for name in self._couriers if read.channels.to.get(name) != before.to.get(name)])
        for name, channel in read.channels.to.items():
            if name not in self._couriers:
                courier = Courier(name, channel, self._road)
                self._couriers[name] = (courier, asyncio.create_task(courier.run()))

    async def _end(self, names: Sequence[str]) -> None:
        ending = [self._couriers.pop(name)[1] for name in names]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    async def _prune(self, outlets: Outlets) -> None:
        try:
            await outlets.deliveries.prune(before=self._now() - KEPT_FOR, most=MOST_KEPT)
        except GlideslopeError as error:
            self._trouble = self._trouble or error.sentence

    def channels(self) -> ChannelsView:
        """Return all channels and how each stands."""
        return ChannelsView(
            channels=tuple(self._view(courier) for courier, _ in self._in_order()),
            file=FILE,
            trouble=self._trouble,
            links=self._links,
        )

    def channel(self, name: str) -> ChannelView:
        """Return one channel. Raises NotFound."""
        return self._view(self._courier(name))

    async def deliveries(self, name: str = "", *, limit: int = 50, below: int | None = None) -> Sequence[DeliveryView]:
        """Return the newest attempts, of one channel or of all. Raises StoreUnavailable."""
        if self._outlets is None:
            return ()
        found = await self._outlets.deliveries.attempts(name, limit=max(1, min(limit, MOST_SHOWN)), below=below)
        return [_delivery(number, attempt) for number, attempt in found]

    async def test(self, name: str, *, by: str) -> TriedView:
        """Send a sample through a channel, and tell what came of it. Raises NotFound, StoreUnavailable."""
        courier = self._courier(name)
        now = self._now()
        outcome, took = await courier.sample(sample(by=by, now=now))
        delivered = isinstance(outcome, Delivered)
        detail = outcome.how if isinstance(outcome, Delivered) else outcome.why
        return TriedView(channel=name, delivered=delivered, detail=detail, took=took)

    async def replay(self, name: str, *, start: int) -> ReplayedView:
        """Tell a channel again of everything from an entry on that is for it. Raises NotFound, StoreUnavailable."""
        entries = await self._courier(name).rewind(start)
        return ReplayedView(channel=name, start=self._record.size() - entries, entries=entries)

    def checks(self) -> Sequence[CheckView]:
        """Return what `doctor` says of channels; nothing where there are none."""
        if self._trouble:
            return [
                CheckView(name="channels", ok=False, sentence=self._trouble, next_command="glideslope channel check")
            ]
        views = [self._view(courier) for courier, _ in self._in_order()]
        wrong = [
            CheckView(
                name=f"channel {view.name}",
                ok=False,
                sentence=view.sentence,
                next_command=f"glideslope channel deliveries {view.name}",
            )
            for view in views
            if view.state in ("failing", "behind")
        ]
        if wrong or not views:
            return wrong
        return [CheckView(name="channels", ok=True, sentence=f"{len(views)} of {len(views)} channels deliver.")]

    def _in_order(self) -> list[tuple[Courier, asyncio.Task[None]]]:
        return [self._couriers[name] for name in self._channels.to if name in self._couriers]

    def _courier(self, name: str) -> Courier:
        found = self._couriers.get(name)
        if found is None:
            raise NotFound(what="channel", name=name, next_command="glideslope channel ls")
        return found[0]

    def _view(self, courier: Courier) -> ChannelView:
        standing, channel = courier.standing, courier.channel
        size = self._record.size()
        state, sentence = _state(standing, courier.trouble)
        return ChannelView(
            name=courier.name,
            kind=kind_of(channel),
            where=where(channel),
            tells=tuple(map(told, channel.tell)),
            mode=_mode(channel),
            state=state,
            sentence=sentence,
            failures=0 if standing is None else standing.failures,
            parked=0 if standing is None else len(standing.parked),
            cursor=size if standing is None else standing.cursor,
            behind=0 if standing is None else size - standing.cursor,
            delivered_at="" if standing is None or not standing.delivered_at else rfc3339(standing.delivered_at),
        )

    def _now(self) -> int:
        return int(self._clock.now().timestamp() * 1000)


def sample(*, by: str, now: int) -> Message:
    """Return a message that tells of nothing but itself."""
    return Message(
        id=message_id("sample", by, str(now)),
        entry=None,
        at=now,
        happening=Happening.SAMPLE,
        severity=Severity.INFO,
        thread="sample",
        by=by,
        title="a sample",
        happened=f"{by} asks whether this channel works. It does, if you read this.",
        done="Nothing happened, and nothing moves by it.",
        page="/settings/channels",
    )


def where(channel: Channel) -> str:
    """Return where a channel leads, as far as everybody may know it."""
    match channel:
        case Webhook(url=url) | PagerDuty(url=url):
            return urlsplit(url).hostname or ""
        case Email(host=host, to=to):
            return f"{len(to)} mailbox{'es' if len(to) != 1 else ''} by {host}"
        case Slack(url=url) | Teams(url=url) | Other(url=url):
            return f"as {url.where} says"


def told(wanted: Subscription) -> str:
    """Say of what a channel is told."""
    parts = [
        f"{word} {', '.join(values)}"
        for word, values in (
            ("asks of", wanted.people),
            ("asks of the function", wanted.functions),
            ("what belongs to", wanted.owners),
            ("model", wanted.models),
            ("only", wanted.happenings),
        )
        if not isinstance(values, UnsetType)
    ]
    if not isinstance(wanted.severity, UnsetType):
        parts.append(f"at least {wanted.severity.value}")
    return "; ".join(parts) or "everything"


def _mode(channel: Channel) -> str:
    digest = channel.digest
    if isinstance(digest, UnsetType):
        return "at once"
    but = "" if isinstance(digest.at_once, UnsetType) else f"; {digest.at_once.value} at once"
    return f"digest at {digest.at} {digest.zone}{but}"


def _state(standing: Standing | None, trouble: str) -> tuple[str, str]:
    if standing is None or (not standing.delivered_at and not standing.failures):
        return "new", trouble or "Nothing was delivered yet."
    if standing.failures >= FAILING or (standing.failures and not standing.delivered_at):
        times = f"{standing.failures} attempt{'s' if standing.failures != 1 else ''} in a row failed"
        return "failing", f"{times}: {trouble or 'see its deliveries'}. Nothing is lost; it is tried again."
    if standing.parked:
        count = len(standing.parked)
        return "behind", f"It works, and {count} thread{'s wait' if count != 1 else ' waits'} to be tried again."
    return "works", f"It delivered last at {rfc3339(standing.delivered_at)}."


def _delivery(number: int, attempt: Attempt) -> DeliveryView:
    return DeliveryView(
        number=number,
        channel=attempt.channel,
        at=rfc3339(attempt.at),
        message=attempt.message,
        entry=attempt.entry,
        thread=attempt.thread,
        happening=attempt.happening,
        severity=attempt.severity,
        title=attempt.title,
        ended=attempt.ended.value,
        detail=attempt.detail,
        tries=attempt.tries,
        took=attempt.took,
    )
