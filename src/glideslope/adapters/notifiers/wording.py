"""What all kinds of channel say alike: words for how urgent it is, the lines of a message, the link."""

import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from glideslope.domain.telling.channel import Channel
from glideslope.domain.telling.message import Message, Parcel, Severity

WORDS: Final[Mapping[Severity, str]] = {
    Severity.INFO: "",
    Severity.NOTICE: "",
    Severity.WARNING: "Attention",
    Severity.CRITICAL: "URGENT",
}
LONGEST: Final = 600
"""Characters of a sentence: people write reasons of thousands."""


def urgent(channel: Channel, severity: Severity) -> str:
    """Return how a channel says that it is urgent; empty for nothing."""
    return channel.words.get(severity, WORDS[severity])


def headline(channel: Channel, parcel: Parcel) -> str:
    """Return the first line: how urgent, and what."""
    word = urgent(channel, parcel.severity)
    return line(f"{word}: {parcel.title}" if word else parcel.title)


def link(links: str, channel: Channel, message: Message) -> str:
    """Return where a message leads: where it is decided, or of the people affected to the announcement."""
    page = message.announced.page if channel.announce and message.announced else message.page
    return f"{links}{page}"


def calls(channel: Channel) -> str:
    """Return what a link is called."""
    return "The announcement" if channel.announce else "See it and decide there"


def parts(channel: Channel, message: Message) -> list[tuple[str, str]]:
    """Return what a message says, each with the word before it; empty parts left out."""
    told = message.announced
    found: tuple[tuple[str, str], ...]
    if channel.announce and told is not None:
        found = (
            ("What happened", message.happened),
            ("How it stands", told.stands),
            ("Why", told.why),
            ("Expected benefit", told.benefit),
            ("Trade-offs", "; ".join(told.risks)),
            ("Going back", told.back),
        )
        return [(word, line(text)) for word, text in found if text]
    found = (
        ("What happened", message.happened),
        ("What was done", message.done),
        ("What is asked", message.asked),
        ("No longer asked", message.settled),
    )
    return [(word, line(text)) for word, text in found if text]


def line(text: str) -> str:
    """Return text of people's on one line, short enough, without what cannot be seen."""
    shown = "".join(each if unicodedata.category(each)[0] != "C" else " " for each in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}\u2026"


def when(at: int) -> str:
    """Write an instant for people: `2026-01-31 09:00 UTC`."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
