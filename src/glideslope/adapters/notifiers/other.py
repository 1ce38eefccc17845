"""Whatever apprise reaches, by the extra `notify`. Where its addresses lead is its own business: nothing of ours holds it back."""

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from glideslope.adapters.notifiers.wording import calls, headline, line, link, parts, when
from glideslope.domain.telling.channel import Other
from glideslope.domain.telling.message import Parcel, Severity
from glideslope.domain.telling.standing import Delivered, Failed, Outcome

PATIENCE: Final = 25.0
"""Seconds."""
_TYPES: Final = {
    Severity.INFO: "info",
    Severity.NOTICE: "info",
    Severity.WARNING: "warning",
    Severity.CRITICAL: "failure",
}
# Threads of its own: one that hangs must not keep the server's from governing.
_threads: Final = ThreadPoolExecutor(max_workers=4, thread_name_prefix="apprise")


async def send(channel: Other, parcel: Parcel, *, url: str, links: str) -> Outcome:
    """Let apprise send it. Never raises."""
    body = "\n\n".join(
        "\n".join(
            [
                *([line(each.title)] if parcel.digest else []),
                *(f"{word}: {text}" for word, text in parts(channel, each)),
                f"{calls(channel)}: {link(links, channel, each)}",
                when(each.at),
            ]
        )
        for each in parcel.messages
    )
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(PATIENCE):
            sent = await loop.run_in_executor(
                _threads, _notify, url, headline(channel, parcel), body, _TYPES[parcel.severity]
            )
    except TimeoutError:
        return Failed(why=f"apprise did not finish within {PATIENCE:g} s")
    except ModuleNotFoundError:
        return Failed(why='apprise is not installed: pip install "glideslope[notify]"')
    except ValueError:
        return Failed(why="apprise does not know such an address", refused=True)
    except Exception as error:  # noqa: BLE001 - of some hundred plugins; their words may hold a secret, their types do not
        return Failed(why=f"apprise raised {type(error).__name__}")
    return Delivered(how="taken by apprise") if sent else Failed(why="apprise could not send it")


def _notify(url: str, title: str, body: str, kind: str) -> bool:
    apprise = importlib.import_module("apprise").Apprise()
    if not apprise.add(url):
        raise ValueError
    return bool(apprise.notify(title=title, body=body, notify_type=kind))
