"""A message: what happened, what was done, what is asked of whom, and where it is decided. Made of the record alone."""

from enum import StrEnum
from typing import Final

import msgspec


class Happening(StrEnum):
    """What a message is about; a closed list, by which channels choose."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    DENIED = "denied"
    WITHDRAWN = "approval-withdrawn"
    ESCALATED = "escalated"
    ASKED = "more-asked"
    REPLIED = "reply-given"
    JUDGED = "judged"
    ADVANCED = "advanced"
    HELD = "held"
    ROLLED_BACK = "rolled-back"
    PROMOTED = "promoted"
    HALTED = "halted"
    RESUMED = "resumed"
    LAPSED = "lapsed"
    CONFIRMED = "confirmed"
    GLASS = "break-glass"
    INCIDENT = "incident"
    AGREEMENT = "agreement"
    DRILL = "drill"
    OVERDUE = "overdue"
    VERSION = "version"  # registered, installed, facts recorded
    UPKEEP = "upkeep"  # data contracts, advisories
    DIGEST = "digest"
    SAMPLE = "sample"


class Severity(StrEnum):
    """How much it matters that somebody looks now."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Return 0 for the least."""
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Matter(StrEnum):
    """What a message does to the matter that it belongs to: whether somebody is waited for."""

    NONE = "none"
    OPEN = "open"  # from now on somebody is waited for
    TAKEN = "taken"  # somebody began; more is waited for
    SETTLED = "settled"  # what was asked for earlier is asked for no more


class Audience(msgspec.Struct, frozen=True, kw_only=True):
    """Whom it concerns."""

    people: tuple[str, ...] = ()
    """Of whom something is asked by name, or who had a part in it; teams too."""
    functions: tuple[str, ...] = ()
    """In which something is asked of people."""
    owners: tuple[str, ...] = ()
    """Who owns what it is about: by the organisation, and by the plan."""


NOBODY: Final = Audience()


class Announced(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a change to the people affected, at each transition. Empty where it is not recorded."""

    why: str
    benefit: str = ""
    risks: tuple[str, ...] = ()
    stands: str
    """Who meets which version now."""
    back: str
    """How it goes back."""
    page: str
    """The path of its announcement."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell."""

    id: str
    """The same for the same entry, at every channel and however often it is sent."""
    entry: int | None
    """The ledger entry that it tells of; None for what time alone brought about."""
    at: int
    """Milliseconds since the epoch, UTC."""
    happening: Happening
    severity: Severity
    thread: str
    """What belongs together and is told in order: a rollout, an agreement, a model."""
    model: str = ""
    rollout: str = ""
    by: str = ""
    title: str
    """A few words."""
    happened: str
    done: str = ""
    """What was done about the traffic, and by whom; empty where nothing was."""
    asked: str = ""
    """What is asked now; empty where nothing is."""
    settled: str = ""
    """What was asked for earlier and is asked for no more; empty where nothing was."""
    matter: Matter = Matter.NONE
    settles: Severity | None = None
    """How severe the matter was that it takes or settles: whoever was told of that is told this too, as is whom it was asked of."""
    page: str
    """The path of the page where it is shown and decided."""
    audience: Audience = NOBODY
    announced: Announced | None = None
    """Of a transition of a rollout: what people are told who meet it."""

    @property
    def weight(self) -> int:
        """Return the rank by which channels choose: its own, or that of the matter which it takes or settles."""
        return max(self.severity.rank, -1 if self.settles is None else self.settles.rank)

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return all that it says, in the order in which people read it."""
        return tuple(each for each in (self.happened, self.done, self.asked, self.settled) if each)


MOST_DIGESTED: Final = 100
"""Messages that a digest names; of more it says how many."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent at once: a message, or a digest of several."""

    id: str
    channel: str
    messages: tuple[Message, ...]
    left_out: int = 0
    """How many more a digest does not name."""
    digest: bool = False
    since: int = 0
    """Of a digest: from when on, in milliseconds since the epoch, UTC."""

    @property
    def severity(self) -> Severity:
        """Return the highest of its messages'."""
        return max((each.severity for each in self.messages), key=lambda each: each.rank, default=Severity.INFO)

    @property
    def title(self) -> str:
        """Return a few words for all of it."""
        if not self.digest:
            return self.messages[0].title
        count = len(self.messages) + self.left_out
        return f"{count} thing{'s' if count != 1 else ''} happened"


def parcel(channel: str, message: Message) -> Parcel:
    """Return what carries one message."""
    return Parcel(id=message.id, channel=channel, messages=(message,))
