"""What people and programs are shown of channels. No secret, and nobody's address, is in it."""

import msgspec


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """A channel and how it stands."""

    name: str
    kind: str
    where: str
    """The host that it leads to, never more of an address."""
    tells: tuple[str, ...]
    """Of what it is told, a sentence per subscription."""
    mode: str
    """`at once`, or when its digest comes."""
    state: str
    """`works`, `new` before anything was delivered, `failing`, or `behind` where single threads wait."""
    sentence: str
    """How it stands, for people."""
    failures: int
    """Attempts in a row that failed."""
    parked: int
    """Threads of which a message waits to be tried again."""
    cursor: int
    """The next ledger entry that it looks at."""
    behind: int
    """Entries that it has not looked at."""
    delivered_at: str
    """When something was last delivered; empty for never."""


class ChannelsView(msgspec.Struct, frozen=True, kw_only=True):
    """All channels."""

    channels: tuple[ChannelView, ...]
    file: str
    """What the file is called that says them."""
    trouble: str
    """What is wrong with that file now; those from before stay. Empty when nothing is."""
    links: str
    """Where links in messages lead."""


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to deliver."""

    number: int
    channel: str
    at: str
    message: str
    entry: int | None
    thread: str
    happening: str
    severity: str
    title: str
    ended: str
    """`delivered`, `failed` or `given-up`."""
    detail: str
    tries: int
    took: int
    """Milliseconds."""


class TriedView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a sample."""

    channel: str
    delivered: bool
    detail: str
    took: int
    """Milliseconds."""


class ReplayedView(msgspec.Struct, frozen=True, kw_only=True):
    """From where a channel is told again."""

    channel: str
    start: int
    entries: int
    """So many entries are looked at again."""
