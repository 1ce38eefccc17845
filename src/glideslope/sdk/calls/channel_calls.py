"""Channels: how each stands, what was tried; a sample, and telling again."""

from glideslope.engine.telling.views import ChannelsView, DeliveryView, ReplayedView, TriedView
from glideslope.sdk.calls.making import ask, at, send
from glideslope.sdk.requests import Call


def channels() -> Call[ChannelsView]:
    """Ask for all channels and how each stands."""
    return ask(ChannelsView, at("channels"))


def deliveries(
    *, channel: str = "", limit: int | None = None, below: int | None = None
) -> Call[tuple[DeliveryView, ...]]:
    """Ask for attempts to deliver, newest first."""
    return ask(tuple[DeliveryView, ...], at("deliveries"), {"channel": channel, "limit": limit, "below": below})


def test_channel(channel: str) -> Call[TriedView]:
    """Send a sample through a channel."""
    return send(TriedView, at("channels", channel, "test"))


def replay_channel(channel: str, *, start: int) -> Call[ReplayedView]:
    """Tell a channel again of everything from an entry on that is for it."""
    return send(ReplayedView, at("channels", channel, "replay"), {"start": start})
