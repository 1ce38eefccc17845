"""What each kind of receiver is sent: JSON for programs, blocks for Slack, a card for Teams, an event for PagerDuty.

Text of people's is shown, never obeyed: Slack's control characters are escaped, and Teams shows it in runs that know no Markdown.
A link is a plain link. Buttons would promise that something can be decided there, and would stay after it was decided elsewhere.
"""

from typing import Any, Final

import msgspec

from glideslope.adapters.notifiers.wording import calls, headline, line, link, parts, when
from glideslope.domain.events import rfc3339
from glideslope.domain.telling.channel import PagerDuty, Slack, Teams
from glideslope.domain.telling.message import Matter, Message, Parcel, Severity

MOST_BLOCKS: Final = 40
"""Slack takes 50 of them."""
_PAGERDUTY: Final = {
    Severity.INFO: "info",
    Severity.NOTICE: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "critical",
}


_ACTIONS: Final = {Matter.OPEN: "trigger", Matter.TAKEN: "acknowledge", Matter.SETTLED: "resolve"}


def webhook(parcel: Parcel, *, links: str, now: int) -> dict[str, Any]:
    """Return what a program is sent: `type`, `timestamp`, `data`, as Standard Webhooks proposes. `now` in milliseconds."""
    if parcel.digest:
        data: dict[str, Any] = {
            "since": rfc3339(parcel.since),
            "messages": [told(each, links=links) for each in parcel.messages],
            "left_out": parcel.left_out,
        }
        return {"type": "digest", "timestamp": rfc3339(now), "data": data}
    first = parcel.messages[0]
    return {"type": first.happening.value, "timestamp": rfc3339(first.at), "data": told(first, links=links)}


def told(message: Message, *, links: str) -> dict[str, Any]:
    """Return a message as JSON."""
    found: dict[str, Any] = msgspec.to_builtins(message)
    del found["page"]
    if message.announced is not None:
        found["announced"]["url"] = f"{links}{found['announced'].pop('page')}"
    return {**found, "at": rfc3339(message.at), "url": f"{links}{message.page}"}


def slack(channel: Slack, parcel: Parcel, *, links: str) -> dict[str, Any]:
    """Return an incoming webhook's message: blocks, and the line that notifications show."""
    head = headline(channel, parcel)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": {"type": "plain_text", "text": head[:150]}}]
    for message in parcel.messages:
        if len(blocks) + 2 > MOST_BLOCKS:
            break
        said = [f"*{word}*: {mrkdwn(text)}" for word, text in parts(channel, message)]
        if parcel.digest:
            said = [f"*{mrkdwn(line(message.title))}*", *said]
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(said)[:2_900]}})
        foot = f"<{link(links, channel, message)}|{calls(channel)}> \u00b7 {when(message.at)}"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]})
    left = parcel.left_out + len(parcel.messages) - (len(blocks) - 1) // 2
    if left:
        blocks.append(
            {
                "type": "context",
                "elements": [{"type": "mrkdwn", "text": f"{left} more: <{links}/ledger|the ledger>"}],
            }
        )
    return {"text": mrkdwn(head), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def mrkdwn(text: str) -> str:
    """Escape what Slack would obey: mentions, links, entities; and what it would make bold or code."""
    for letter, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, instead)
    # A zero-width space breaks emphasis without a trace in what is read.
    return "".join(f"{each}\u200b" if each in "*_~`" else each for each in text)


def teams(channel: Teams, parcel: Parcel, *, links: str) -> dict[str, Any]:
    """Return what a workflow posts: one Adaptive Card 1.4."""
    body: list[dict[str, Any]] = [_runs([(headline(channel, parcel), True)], size="Large")]
    for message in parcel.messages:
        if parcel.digest:
            body.append(_runs([(line(message.title), True)], separator=True))
        body += [_runs([(f"{word}: ", True), (text, False)]) for word, text in parts(channel, message)]
        where = f"[{calls(channel)}]({link(links, channel, message)}) \u00b7 {when(message.at)}"
        body.append({"type": "TextBlock", "text": where, "wrap": True, "isSubtle": True})
    if parcel.left_out:
        body.append(_runs([(f"{parcel.left_out} more are in the ledger.", False)]))
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _runs(said: list[tuple[str, bool]], **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    size = more.pop("size", "Default")
    runs = [
        {"type": "TextRun", "text": text, "weight": "Bolder" if bold else "Default", "size": size}
        for text, bold in said
    ]
    return {"type": "RichTextBlock", "inlines": runs, **more}


def pagerduty(channel: PagerDuty, message: Message, *, links: str, routing_key: str, id_: str) -> dict[str, Any] | None:
    """Return an event of PagerDuty's Events API v2; None for what neither opens, takes nor settles a matter.

    One alert per thread: what opens triggers it, what somebody took on acknowledges it, what settles resolves it.
    """
    action = _ACTIONS.get(message.matter)
    if action is None:
        return None
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": f"glideslope/{message.thread}",
    }
    if action != "trigger":
        return event
    details = dict(parts(channel, message))
    return {
        **event,
        "client": "Glideslope",
        "client_url": link(links, channel, message),
        "links": [{"href": link(links, channel, message), "text": calls(channel)}],
        "payload": {
            "summary": headline(channel, Parcel(id=id_, channel="", messages=(message,)))[:1_000],
            "source": message.model or message.thread,
            "severity": _PAGERDUTY[message.severity],
            "timestamp": rfc3339(message.at),
            "component": message.model or message.thread,
            "class": message.happening.value,
            "custom_details": details,
        },
    }
