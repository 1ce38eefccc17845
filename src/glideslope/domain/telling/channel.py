"""Channels: where people and programs are told, of what, and when. Secrets are named, never held."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Meta, UnsetType

from glideslope.domain.governing.organisation import Organisation
from glideslope.domain.ids import Actor
from glideslope.domain.telling.message import Happening, Message, Severity

FORMAT: Final = 1
MOST_CHANNELS: Final = 100
NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
CLOCK: Final = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"

Text = Annotated[str, Meta(min_length=1, max_length=500)]
Names = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=200)]
Url = Annotated[str, Meta(min_length=8, max_length=2_000, pattern=r"^https?://[^\s]+$")]
PAGERDUTY: Final = "https://events.pagerduty.com/v2/enqueue"


class Reference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a secret is: in a file that only its owner may read, beside the channels or by its path; or in a variable."""

    file: Text | UnsetType = UNSET
    env: Text | UnsetType = UNSET

    @property
    def where(self) -> str:
        """Name the place, never the secret."""
        return f"the file {self.file}" if not isinstance(self.file, UnsetType) else f"the variable {self.env}"


class Subscription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told: a message of which all that is said here holds. Nothing said is everything."""

    people: Names | UnsetType = UNSET
    """It concerns one of these people: something is asked of them, or of a function or a team of theirs, or they own it."""
    functions: Names | UnsetType = UNSET
    """Something is asked of people of one of these functions."""
    owners: Names | UnsetType = UNSET
    """It is about what one of these people or teams owns."""
    models: Names | UnsetType = UNSET
    happenings: Annotated[tuple[Happening, ...], Meta(min_length=1)] | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    """At least so severe."""


class Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Once a day, all that happened since the last one."""

    at: Annotated[str, Meta(pattern=CLOCK, description="a time of day, like 08:30")]
    zone: Text = "UTC"
    """As IANA names it: `Europe/Berlin`."""
    at_once: Severity | UnsetType = UNSET
    """What is at least so severe does not wait."""


class Told(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every channel says, whatever its kind."""

    tell: tuple[Subscription, ...] = (Subscription(),)
    """A message is told when one of these holds for it."""
    digest: Digest | UnsetType = UNSET
    """Once a day instead of at once."""
    words: Mapping[Severity, Text] = {}
    """How this channel says how urgent it is: `{critical: WAKE UP}`."""
    announce: bool = False
    """It is of the people affected: transitions alone are told, in the words of the announcement, and links lead to that."""
    private: bool = False
    """Whether its address may be of a private network, or of this machine."""


class Webhook(Told, frozen=True, kw_only=True, tag="webhook", tag_field="kind", forbid_unknown_fields=True):
    """A program, by the rules of Standard Webhooks."""

    url: Url
    secret: Reference
    """`whsec_` and base64, 24 to 64 bytes: what signs by HMAC-SHA256 (v1)."""
    key: Reference | UnsetType = UNSET
    """`whsk_` and base64: an Ed25519 seed of 32 bytes, that signs besides (v1a)."""


class Slack(Told, frozen=True, kw_only=True, tag="slack", tag_field="kind", forbid_unknown_fields=True):
    """A Slack channel, by an incoming webhook. Its address is the secret."""

    url: Reference


class Teams(Told, frozen=True, kw_only=True, tag="teams", tag_field="kind", forbid_unknown_fields=True):
    """A Teams channel, by a workflow that waits for a webhook. Its address is the secret."""

    url: Reference


class PagerDuty(Told, frozen=True, kw_only=True, tag="pagerduty", tag_field="kind", forbid_unknown_fields=True):
    """A PagerDuty service, by Events API v2."""

    routing_key: Reference
    url: Url = PAGERDUTY


class Email(Told, frozen=True, kw_only=True, tag="email", tag_field="kind", forbid_unknown_fields=True):
    """People's mailboxes, by a mail server."""

    host: Text
    port: Annotated[int, Meta(ge=1, le=65_535)] = 587
    security: Annotated[str, Meta(pattern=r"^(starttls|tls|none)$", description="starttls, tls or none")] = "starttls"
    user: Text | UnsetType = UNSET
    password: Reference | UnsetType = UNSET
    sender: Annotated[str, Meta(max_length=254, pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")]
    to: Annotated[
        tuple[Annotated[str, Meta(max_length=254, pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$")], ...],
        Meta(min_length=1, max_length=100),
    ]


class Other(Told, frozen=True, kw_only=True, tag="apprise", tag_field="kind", forbid_unknown_fields=True):
    """Whatever apprise reaches (the extra `notify`). Its address is the secret, and where it leads is apprise's business."""

    url: Reference


Channel = Webhook | Slack | Teams | PagerDuty | Email | Other


class Channels(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All channels of a server, by name."""

    links: Url | UnsetType = UNSET
    """Where links lead: the address at which people reach the dashboard. Else it is the server's own."""
    to: Mapping[str, Channel] = {}


NO_CHANNELS: Final = Channels()


def kind_of(channel: Channel) -> str:
    """Return a channel's kind as it stands in the file."""
    return str(channel.__struct_config__.tag)


def wants(channel: Channel, message: Message, organisation: Organisation | None) -> bool:
    """Tell whether a channel is told of something; people are known by the organisation that was in force then."""
    if channel.announce and message.announced is None:
        return False
    return any(_holds(each, message, organisation) for each in channel.tell)


def waits(channel: Channel, message: Message) -> bool:
    """Tell whether a message waits for the channel's digest."""
    digest = channel.digest
    if isinstance(digest, UnsetType):
        return False
    return isinstance(digest.at_once, UnsetType) or message.weight < digest.at_once.rank


def _holds(wanted: Subscription, message: Message, organisation: Organisation | None) -> bool:
    about, audience = wanted, message.audience
    return (
        (isinstance(about.severity, UnsetType) or message.weight >= about.severity.rank)
        and (isinstance(about.happenings, UnsetType) or message.happening in about.happenings)
        and (isinstance(about.models, UnsetType) or message.model in about.models)
        and (isinstance(about.functions, UnsetType) or not set(about.functions).isdisjoint(audience.functions))
        and (isinstance(about.owners, UnsetType) or not set(about.owners).isdisjoint(audience.owners))
        and (isinstance(about.people, UnsetType) or _concerns(about.people, message, organisation))
    )


def _concerns(people: Iterable[str], message: Message, organisation: Organisation | None) -> bool:
    audience = message.audience
    named = {*audience.people, *audience.owners}
    for each in people:
        person = None if organisation is None else organisation.person(Actor(each))
        names = {each, *([person.team] if person is not None and person.team else [])}
        functions: tuple[str, ...] = ()
        if organisation is not None and person is not None:
            # What others handed on to them counts too: it is they who are asked.
            functions = (*person.functions, *organisation.authority(person.id, now=message.at))
        if not names.isdisjoint(named) or not set(functions).isdisjoint(audience.functions):
            return True
    return False


def last_due(digest: Digest, *, now: int) -> int:
    """Return when the newest digest was due, at `now` or before. Milliseconds since the epoch, UTC.

    Where the clocks skip the time of day, it is due when they have passed it; where they show it twice, the first time.
    """
    zone = ZoneInfo(digest.zone)
    hour, minute = map(int, digest.at.split(":"))
    today = datetime.fromtimestamp(now / 1000, zone).date()
    for back in (0, 1):
        day = today - timedelta(days=back)
        due = round(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).timestamp() * 1000)
        if due <= now:
            return due
    # Only a day of which the clocks took more than a day away comes here.
    return now - 86_400_000


def next_due(digest: Digest, *, now: int) -> int:
    """Return when the next digest is due, after `now`."""
    zone = ZoneInfo(digest.zone)
    hour, minute = map(int, digest.at.split(":"))
    today = datetime.fromtimestamp(now / 1000, zone).date()
    days = (today + timedelta(days=ahead) for ahead in range(3))
    dues = (round(datetime(d.year, d.month, d.day, hour, minute, tzinfo=zone).timestamp() * 1000) for d in days)
    return next(due for due in dues if due > now)
