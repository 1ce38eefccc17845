"""The part of the `Service` contract that is about telling: channels and announcements."""

from collections.abc import Sequence

from glideslope.domain.ids import Actor, RolloutId
from glideslope.engine.announcing import AnnouncementView, announcement
from glideslope.engine.record import Record
from glideslope.engine.telling.herald import Herald
from glideslope.engine.telling.views import ChannelsView, DeliveryView, ReplayedView, TriedView


class Bulletin:
    """Passes each query and act on; the engine assembled is one."""

    record: Record
    herald: Herald

    async def channels(self) -> ChannelsView:
        return self.herald.channels()

    async def deliveries(
        self, channel: str = "", *, limit: int = 50, below: int | None = None
    ) -> Sequence[DeliveryView]:
        return await self.herald.deliveries(channel, limit=limit, below=below)

    async def test_channel(self, channel: str, *, by: Actor) -> TriedView:
        return await self.herald.test(channel, by=by)

    async def replay_channel(self, channel: str, *, start: int) -> ReplayedView:
        return await self.herald.replay(channel, start=start)

    async def announcement(self, rollout: RolloutId, *, as_of: int | None = None) -> AnnouncementView:
        return announcement(self.record, rollout, as_of=as_of)
