"""The inbox as interfaces show it: plain values, nothing that decides."""

from enum import StrEnum

import msgspec

from glideslope.engine.governing_views import NeedView


class Asking(StrEnum):
    """What kind of answer is asked for; a closed set."""

    APPROVAL = "approval"
    QUESTION = "question"
    AGREEMENT = "agreement"
    GLASS = "glass"
    GLASS_REVIEW = "glass-review"
    INCIDENT = "incident"
    HALT = "halt"
    JUDGEMENT = "judgement"
    ESCALATION = "escalation"
    DUE = "due"


class Act(StrEnum):
    """What somebody may answer; a closed set."""

    APPROVE = "approve"
    DENY = "deny"
    ASK = "ask"
    REPLY = "reply"
    BREAK_GLASS = "break-glass"
    REVIEW = "review"
    NOTE = "note"
    CLOSE = "close"
    RESUME = "resume"
    HALT = "halt"
    JUDGE = "judge"
    ROLL_BACK = "rollback"
    DRILL = "drill"


class ItemView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes on, or ends, when somebody has done their part. Instants are RFC 3339."""

    id: str
    """The same as long as the same thing is asked, so that nobody is told of it twice."""
    asks: str
    """`approval`, `question`, `agreement`, `glass`, `glass-review`, `incident`, `halt`, `judgement`, `escalation` or `due`."""
    about: str
    """The change, agreement or model: `fraud v1 → v2`."""
    of: str
    """What a command calls it: a rollout's id, or the kind and name of an agreement."""
    model: str
    """Empty for what is about no model."""
    sentence: str
    """What is asked, and why."""
    since: str
    """Empty where it was never done."""
    until: str
    """When something happens by itself; empty where nothing does, however long it waits."""
    then: str
    """What happens at that instant, or meanwhile, as a sentence."""
    needs: tuple[NeedView, ...]
    """Of which functions or rights it waits for; empty where anybody who may act can answer."""
    why_me: str
    """As what it is asked of whoever the inbox is of; empty in the inbox of everybody."""
    why_not: str
    """Why their answer would not count; empty when it would."""
    allowed: tuple[str, ...]
    """What may be answered: `approve`, `deny`, `ask`, `reply`, `break-glass`, `review`, `note`, `close`, `resume`, `halt`, `judge`,
    `rollback`, `drill`; empty where somebody is only to see to it."""
    grounds: tuple[str, ...] = ()
    """Of a judgement: what is to be judged, as the answer must name it."""
    page: str
    """Where it is answered in the dashboard; empty where there is no page for it."""
    command: str
    """Shows it on one page of a terminal."""


class InboxView(msgspec.Struct, frozen=True, kw_only=True):
    """What waits, that which waits longest first."""

    who: str
    """Empty for the inbox of everybody."""
    items: tuple[ItemView, ...]
    others: tuple[ItemView, ...]
    """What waits for others than `who`, with why not for them; empty in the inbox of everybody."""
    at: str
    known: bool = True
    """Whether the organisation in force knows `who`; true where none is in force."""
