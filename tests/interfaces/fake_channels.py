"""Channels and announcements, kept as they came."""

from collections.abc import Sequence

from tests.interfaces.fake_rollouts import AT, FakeRollouts

from glideslope.domain.errors import NotFound
from glideslope.domain.ids import Actor, RolloutId
from glideslope.engine.announcing import AffectedView, AnnouncementView
from glideslope.engine.telling.views import ChannelsView, ChannelView, DeliveryView, ReplayedView, TriedView

OPS = ChannelView(
    name="ops",
    kind="webhook",
    where="hooks.example",
    tells=("at least notice",),
    mode="at once",
    state="works",
    sentence=f"It delivered last at {AT}.",
    failures=0,
    parked=0,
    cursor=12,
    behind=0,
    delivered_at=AT,
)
DELIVERY = DeliveryView(
    number=7,
    channel="ops",
    at=AT,
    message="msg_1",
    entry=3,
    thread="r-0001",
    happening="advanced",
    severity="notice",
    title="late-arrival v1 to v2 (r-0001): goes on to canary 10 %",
    ended="delivered",
    detail="HTTP 204",
    tries=1,
    took=12,
)


class FakeChannels(FakeRollouts):
    """Keeps channels, and what was asked of them."""

    def __init__(self) -> None:
        super().__init__()
        self.channels_view = ChannelsView(channels=(), file="channels.yaml", trouble="", links="http://test")
        self.attempts: list[DeliveryView] = []
        self.replayed: list[tuple[str, int]] = []
        self.tested: list[tuple[str, str]] = []
        self.trial = TriedView(channel="ops", delivered=True, detail="HTTP 204", took=12)

    async def channels(self) -> ChannelsView:
        self._begin()
        return self.channels_view

    async def deliveries(
        self, channel: str = "", *, limit: int = 50, below: int | None = None
    ) -> Sequence[DeliveryView]:
        self._begin()
        found = [each for each in self.attempts if channel in ("", each.channel)]
        return [each for each in found if below is None or each.number < below][:limit]

    async def test_channel(self, channel: str, *, by: Actor) -> TriedView:
        self._begin()
        self._channel(channel)
        self.tested.append((channel, by))
        return self.trial

    async def replay_channel(self, channel: str, *, start: int) -> ReplayedView:
        self._begin()
        self._channel(channel)
        self.replayed.append((channel, start))
        return ReplayedView(channel=channel, start=start, entries=12 - start)

    async def announcement(self, rollout: RolloutId, *, as_of: int | None = None) -> AnnouncementView:
        del as_of
        view, proposed = await self.rollout(rollout), await self.proposal(rollout)
        return AnnouncementView(
            rollout=rollout,
            plan=proposed.plan,
            proposed_by=proposed.by,
            proposed_at=proposed.at,
            proposal=3,
            entry=4,
            at=AT,
            phase=view.phase,
            stands="Nothing has changed yet: v1 serves everybody.",
            ended=view.ended,
            affected=tuple(
                AffectedView(
                    step=step.name,
                    stage=step.stage.value,
                    share=step.candidate,
                    state="ahead",
                    began="",
                    earliest=0,
                    entry=None,
                )
                for step in proposed.plan.steps
            ),
            subjects=None,
            subjects_entry=None,
            facts=None,
            facts_entry=None,
            practised=None,
            happened=tuple(await self.story(rollout)),
        )

    def _channel(self, name: str) -> None:
        if name not in {each.name for each in self.channels_view.channels}:
            raise NotFound(what="channel", name=name, next_command="glideslope channel ls")
