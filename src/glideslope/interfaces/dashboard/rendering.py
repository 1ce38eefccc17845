"""Turns views into pages: one set of templates, and the few ways in which numbers, times and names are written."""

import math
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol, assert_never

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from glideslope.domain.plan import Step
from glideslope.engine.live import LiveArm, LiveSeries, LiveSlice
from glideslope.engine.views import StepView
from glideslope.interfaces.dashboard import charts, words
from glideslope.interfaces.dashboard.assets import Assets
from glideslope.interfaces.dashboard.door import Visitor
from glideslope.interfaces.dashboard.glossary import WORDS
from glideslope.interfaces.document.paper import Block, Items, Lacks, Table, Text

THEME: Final = "glideslope-theme"
THEMES: Final = ("light", "dark")
NAVIGATION: Final = (
    ("/", "Fleet", ("/rollouts/",)),
    ("/approvals", "Approvals", ("/approvals/",)),
    ("/review", "Review", ("/review/",)),
    ("/models", "Models", ("/models/",)),
    ("/incidents", "Incidents", ("/incidents/",)),
    ("/drills", "Drills", ("/drills/",)),
    ("/policies", "Policies", ("/agreements/",)),
    ("/ledger", "Ledger", ("/ledger/",)),
    ("/settings", "Settings", ("/settings/", "/dues", "/people")),
)
"""The bar on top: where each word leads, and what else lies under it."""
_MINUS: Final = "−"
_TURNING: Final = {turning: f"\\u{turning:04x}" for turning in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)")


class Toured(Protocol):
    """Knows whether a page is shown as a stop of the tour."""

    def at(self, number: str, path: str) -> object | None:
        """Return what the page says of it; None where it is no stop."""
        ...


class Pages:
    """Writes pages. `new_key` makes the idempotency key that a form carries, so that a double click is one act.

    `accounts` tells whether people have a page of their own.
    """

    def __init__(self, assets: Assets, *, tour: Toured, new_key: Callable[[], str], accounts: bool = False) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=in_order,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(
            asset=assets.url,
            charts=charts,
            glossary=WORDS,
            navigation=NAVIGATION,
            new_key=new_key,
            own_page=accounts,
            tour=tour,
        )
        self._templates.filters.update(
            at=at,
            share=share,
            count=count,
            figure=figure,
            signed=signed,
            lasting=lasting,
            plain=plain,
            measured=measured,
            span=span,
            told=told,
            short=short,
            block=block,
            arm_of=arm_of,
            state=words.state,
            decision=words.decision,
            verdict=words.verdict,
        )

    def page(
        self,
        request: Request,
        name: str,
        *,
        visitor: Visitor | None,
        status: int = 200,
        **content: Any,  # noqa: ANN401 - what a template names
    ) -> HTMLResponse:
        """Return one page; a chosen theme comes with the cookie, so that nothing flickers."""
        theme = request.cookies.get(THEME, "")
        text = self._templates.get_template(name).render(
            visitor=visitor,
            theme=theme if theme in THEMES else "",
            path=request.url.path,
            toured=request.query_params.get("tour", ""),
            here=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
            **content,
        )
        return HTMLResponse(text, status_code=status)


def in_order(value: object) -> object:
    """Write out the characters that turn the order of what follows, so that nobody's words can rearrange ours."""
    return value.translate(_TURNING) if isinstance(value, str) else value


def at(instant: str, *, seconds: bool = False) -> Markup:
    """Write an RFC 3339 instant for people; a script shows it in the reader's zone, and the exact UTC stays on hover."""
    if not instant:
        return Markup("")
    found = datetime.fromisoformat(instant)
    exact = found.strftime("%Y-%m-%d %H:%M:%S") + f".{found.microsecond // 1000:03d} UTC"
    told = f"{found:%-d %b %Y, %H:%M:%S} UTC" if seconds else f"{found:%-d %b %Y, %H:%M} UTC"
    fine = Markup(" data-seconds") if seconds else Markup("")
    return Markup('<time datetime="{}" title="{}"{}>{}</time>').format(instant, exact, fine, told)


def told(sentence: str) -> Markup:
    """Write a sentence of the engine: the instants in it as times."""
    pieces = _INSTANT.split(sentence)
    return Markup("").join(at(piece) if k % 2 else escape(piece) for k, piece in enumerate(pieces))


def share(basis_points: int) -> str:
    """Write a share: 10 %."""
    return f"{basis_points / 100:g} %"


def count(number: int) -> str:
    """Write a count: 13 498, with thin spaces that do not break."""
    return f"{number:,}".replace(",", "\u202f")


def figure(value: float | None, *, digits: int = 3) -> str:
    """Write a measured value with so many significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return "–"
    magnitude = math.floor(math.log10(abs(value))) if value else 0
    decimals = max(0, min(6, digits - 1 - magnitude))
    return f"{value:.{decimals}f}".replace("-", _MINUS)


def signed(value: float | None, kind: str) -> str:
    """Write a comparison: a ratio as ×1.08, a difference as +0.009; a dash where that side is open."""
    if value is None or not math.isfinite(value):
        return "–"
    if kind == "ratio":
        return f"×{value:.3g}" if value < 1_000 else f"×{value:.0f}"
    return f"{value:+.3g}".replace("-", _MINUS) if value else "0"


def measured(value: float | None, unit: str) -> str:
    """Write a measured value with its unit; a share as per cent."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{figure(100 * value)} %"
    return figure(value) if unit == "mean" else f"{figure(value)} {unit.replace('per minute', 'a minute')}"


def plain(value: float) -> str:
    """Write a value that somebody set, as they set it: 0.05."""
    return f"{value:g}".replace("-", _MINUS)


def span(step: StepView | Step) -> str:
    """Write how long a step lasts: 2 h to 1 d."""
    return f"{lasting(step.minimum)} to {lasting(step.maximum)}" if step.minimum else f"up to {lasting(step.maximum)}"


def lasting(milliseconds: float) -> str:
    """Write a length of time: 2 h 30 min."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:g} ms"
    if seconds < 120:
        return f"{seconds:g} s"
    days, rest = divmod(round(seconds / 60), 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2])


def block(part: Block) -> str:
    """Say what a part of a document is: text, items, table, or what it lacks."""
    match part:
        case Text():
            return "text"
        case Items():
            return "items"
        case Table():
            return "table"
        case Lacks():
            return "lacks"
        case _ as never:
            assert_never(never)


def arm_of(found: LiveSeries | LiveSlice, arm: str) -> LiveArm | None:
    """Return one arm of a series; None where nothing came of it."""
    return next((each for each in found.arms if each.arm == arm), None)


def short(digest: str) -> Markup:
    """Write a digest so that it can be told from others, whole on hover."""
    head = digest.removeprefix("sha256:")[:12]
    return Markup('<code title="{}">{}</code>').format(digest, head) if digest else Markup("")
