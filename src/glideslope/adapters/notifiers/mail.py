"""A message as e-mail: plain text and HTML of the same words; a rollout is one conversation in everybody's mailbox."""

from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from glideslope.adapters.notifiers.wording import calls, headline, line, link, parts, when
from glideslope.domain.telling.channel import Email
from glideslope.domain.telling.message import Message, Parcel


def compose(channel: Email, parcel: Parcel, *, links: str) -> bytes:
    """Return the mail. Its Message-ID is that of the parcel, so that a mailbox shows what was sent twice once."""
    domain = channel.sender.rpartition("@")[2]
    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address(display_name="Glideslope", addr_spec=channel.sender)
    mail["To"] = [Address(addr_spec=each) for each in channel.to]
    mail["Subject"] = headline(channel, parcel)
    newest = max((each.at for each in parcel.messages), default=0)
    mail["Date"] = format_datetime(datetime.fromtimestamp(newest / 1000, UTC))
    mail["Message-ID"] = f"<{parcel.id}.{_slug(parcel.channel)}@{domain}>"
    if not parcel.digest:
        root = f"<{_slug(parcel.messages[0].thread)}.{_slug(parcel.channel)}@{domain}>"
        mail["In-Reply-To"] = root
        mail["References"] = root
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(
        "\n\n".join(
            [*(_text(channel, each, links=links, titled=parcel.digest) for each in parcel.messages), *_more(parcel)]
        )
    )
    body = "".join(
        [
            *(_html(channel, each, links=links, titled=parcel.digest) for each in parcel.messages),
            *(f"<p>{each}</p>" for each in _more(parcel)),
        ]
    )
    mail.add_alternative(f'<!doctype html><html lang="en"><body>{body}</body></html>', subtype="html")
    return mail.as_bytes()


def _text(channel: Email, message: Message, *, links: str, titled: bool) -> str:
    lines = [line(message.title)] if titled else []
    lines += [f"{word}: {text}" for word, text in parts(channel, message)]
    return "\n".join([*lines, f"{calls(channel)}: {link(links, channel, message)}", when(message.at)])


def _html(channel: Email, message: Message, *, links: str, titled: bool) -> str:
    title = f"<h2>{escape(line(message.title))}</h2>" if titled else ""
    said = "".join(f"<p><strong>{word}:</strong> {escape(text)}</p>" for word, text in parts(channel, message))
    where = escape(link(links, channel, message))
    return f'{title}{said}<p><a href="{where}">{calls(channel)}</a><br>{when(message.at)}</p>'


def _more(parcel: Parcel) -> list[str]:
    return [f"{parcel.left_out} more are in the ledger."] if parcel.left_out else []


def _slug(text: str) -> str:
    return "".join(each if each.isascii() and each.isalnum() else "-" for each in text)
