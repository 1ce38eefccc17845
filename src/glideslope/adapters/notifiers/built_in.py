"""The kinds of channel that come with it: reads the secret that a channel names, at the moment of sending, and sends."""

import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import assert_never

import msgspec
from msgspec import UnsetType

from glideslope.adapters.notifiers import mail, other, payloads, signing, smtp
from glideslope.adapters.notifiers.http import post
from glideslope.adapters.secret_file import read_secret
from glideslope.domain.errors import StoreUnavailable
from glideslope.domain.telling.channel import Channel, Email, Other, PagerDuty, Reference, Slack, Teams, Webhook
from glideslope.domain.telling.message import Matter, Parcel
from glideslope.domain.telling.standing import Delivered, Failed, Outcome

JSON = {"Content-Type": "application/json"}


class SecretMissing(Exception):
    """What a channel names is not there; only its place is said."""


class Notifiers:
    """Keeps the port Notifier for every kind that the channels' file knows."""

    def __init__(
        self, folder: Path, *, environment: Mapping[str, str] = os.environ, tls: ssl.SSLContext | None = None
    ) -> None:
        """Secrets in files are in `folder`, unless their paths are whole. `tls` is what is trusted, else the system's."""
        self._folder = folder
        self._environment = environment
        self._tls = tls

    async def send(self, channel: Channel, parcel: Parcel, *, links: str, now: int) -> Outcome:
        """Try once. Never raises, and no secret is in what it returns."""
        try:
            return await self._send(channel, parcel, links=links, now=now)
        except (SecretMissing, signing.SecretUnusable) as error:
            return Failed(why=str(error))

    async def _send(self, channel: Channel, parcel: Parcel, *, links: str, now: int) -> Outcome:
        match channel:
            case Webhook():
                return await self._webhook(channel, parcel, links=links, now=now)
            case Slack():
                body = payloads.slack(channel, parcel, links=links)
                return await self._post(self._secret(channel.url), body, channel, now=now)
            case Teams():
                body = payloads.teams(channel, parcel, links=links)
                return await self._post(self._secret(channel.url), body, channel, now=now)
            case PagerDuty():
                return await self._pagerduty(channel, parcel, links=links, now=now)
            case Email():
                return await self._email(channel, parcel, links=links)
            case Other():
                return await other.send(channel, parcel, url=self._secret(channel.url), links=links)
            case _:
                assert_never(channel)

    async def _webhook(self, channel: Webhook, parcel: Parcel, *, links: str, now: int) -> Outcome:
        body = msgspec.json.encode(payloads.webhook(parcel, links=links, now=now))
        secret = self._secret(channel.secret)
        key = None if isinstance(channel.key, UnsetType) else self._secret(channel.key)
        try:
            signed = signing.headers(body, id_=parcel.id, at=now // 1000, secret=secret, key=key)
        except signing.SecretUnusable as error:
            raise SecretMissing(f"{channel.secret.where} holds no secret that signs: {error}") from None
        return await post(channel.url, body, {**JSON, **signed}, private=channel.private, now=now, tls=self._tls)

    async def _post(self, url: str, body: object, channel: Channel, *, now: int) -> Outcome:
        if not url.startswith(("https://", "http://")):
            return Failed(why="what is named as its address is none")
        return await post(
            url,
            msgspec.json.encode(body),
            JSON,
            private=channel.private,
            now=now,
            quoting=True,
            tls=self._tls,
        )

    async def _pagerduty(self, channel: PagerDuty, parcel: Parcel, *, links: str, now: int) -> Outcome:
        key = self._secret(channel.routing_key)
        outcome: Outcome = Delivered(how="it opens and settles nothing, so no alert is changed")
        # A digest is what is still open in the end: an alert for each of its threads.
        last = {each.thread: each for each in parcel.messages if each.matter is not Matter.NONE}
        for message in last.values():
            event = payloads.pagerduty(channel, message, links=links, routing_key=key, id_=parcel.id)
            if event is None:
                continue
            outcome = await self._post(channel.url, event, channel, now=now)
            if isinstance(outcome, Failed):
                return outcome
        return outcome

    async def _email(self, channel: Email, parcel: Parcel, *, links: str) -> Outcome:
        server = smtp.Server(
            host=channel.host,
            port=channel.port,
            security=channel.security,
            user="" if isinstance(channel.user, UnsetType) else channel.user,
            password="" if isinstance(channel.password, UnsetType) else self._secret(channel.password),
            private=channel.private,
        )
        written = mail.compose(channel, parcel, links=links)
        return await smtp.send(server, written, sender=channel.sender, to=channel.to, tls=self._tls)

    def _secret(self, where: Reference) -> str:
        """Read a secret now, so that one that was changed is used at once. Raises SecretMissing."""
        if not isinstance(where.env, UnsetType):
            found = self._environment.get(where.env, "").strip()
            if not found:
                raise SecretMissing(f"{where.where} is not set for the server")
            return found
        assert not isinstance(where.file, UnsetType)  # noqa: S101 - the reader of the file asks for one of both
        try:
            content = read_secret(self._folder / where.file)
        except StoreUnavailable as error:
            raise SecretMissing(error.sentence) from None
        text = "" if content is None else content.decode("utf-8", "replace").strip()
        if not text or not text.isprintable():
            raise SecretMissing(f"{where.where} {'does not exist' if content is None else 'holds no secret'}")
        return text
