"""What a process of ours writes to its standard error while it works: one line for each happening, as text or as JSON.

Two variables of the environment decide, which child processes inherit: GLIDESLOPE_LOG_FORMAT (`text`, `json`) and GLIDESLOPE_LOG_LEVEL
(`debug`, `info`, `warning`, `error`). From `info` on every entry of the ledger is a line, and so is every trouble that begins or ends.
What people wrote as a reason is not repeated here: the ledger has it, and logs travel further.
"""

import asyncio
import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from glideslope.domain.errors import Invalid
from glideslope.domain.events import Decided, kind_of
from glideslope.engine.record import MODEL_PREFIX, ROLLOUT_PREFIX, Record, Recorded

FORMAT: Final = "GLIDESLOPE_LOG_FORMAT"
LEVEL: Final = "GLIDESLOPE_LOG_LEVEL"
FORMATS: Final = ("text", "json")
LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
FIELDS: Final = ("code", "rollout", "model", "entry", "part", "trace_id", "span_id")
"""What a line may carry beside its time, level, logger and message, where it is known."""
LOOK_EVERY: Final = 0.5
"""Seconds between looks for new entries and troubles."""

_SECRET: Final = re.compile(r"\bgs_[A-Za-z0-9_-]{8,}|(?i:bearer) +[\x21-\x7e]+")
_log = logging.getLogger("glideslope")

Trace = Callable[[], tuple[str, str]]
"""Returns the ids of the trace and the span that are under way, in hexadecimal; empty where there is none."""


class LogUnknown(Invalid):
    code = "log-setting-invalid"

    def __init__(self, *, name: str, text: str, known: tuple[str, ...]) -> None:
        super().__init__(f"{name} is {text!r}; expected one of {', '.join(known)}.")


def no_trace() -> tuple[str, str]:
    """Say that there is none."""
    return "", ""


def configure(environment: Mapping[str, str], *, trace: Trace = no_trace) -> None:
    """Let all loggers of this process write as the environment says. Raises LogUnknown."""
    form, level = environment.get(FORMAT, "text") or "text", environment.get(LEVEL, "warning") or "warning"
    if form not in FORMATS:
        raise LogUnknown(name=FORMAT, text=form, known=FORMATS)
    if level not in LEVELS:
        raise LogUnknown(name=LEVEL, text=level, known=tuple(LEVELS))
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(as_json=form == "json", trace=trace))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(LEVELS[level])


class Lines(logging.Formatter):
    """Writes one line, whatever is in it."""

    def __init__(self, *, as_json: bool, trace: Trace = no_trace) -> None:
        super().__init__()
        self._as_json = as_json
        self._trace = trace

    def format(self, record: logging.LogRecord) -> str:
        """Return a line without an end: the message, and an exception's text after it."""
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}: {self.formatException(record.exc_info)}"
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _SECRET.sub("(hidden)", message),
        }
        trace, span = self._trace()
        more = {"trace_id": trace, "span_id": span} | {
            k: v for k in FIELDS if (v := getattr(record, k, "")) not in ("", None)
        }
        found |= {key: more[key] for key in FIELDS if more.get(key, "") != ""}
        if self._as_json:
            return json.dumps(found, ensure_ascii=False)
        told = " ".join(f"{key}={found[key]}" for key in FIELDS if key in found)
        line = f"{found['time']} {found['level']} {found['logger']}: {found['message']}{f' ({told})' if told else ''}"
        return line.replace("\n", "\\n")


class Telling(Protocol):
    """A running engine, as far as its happenings are told."""

    record: Record

    @property
    def all_troubles(self) -> Mapping[str, str]: ...


async def tell(app: Telling) -> None:
    """Write what is recorded from now on, and every trouble that begins or ends, until cancelled."""
    told, known = app.record.read, dict.fromkeys(app.all_troubles, "")
    while True:
        while told < app.record.read:
            _entry(app.record.at(told), *app.record.traces.pop(told, ("", "")))
            told += 1
        for part, trouble in app.all_troubles.items():
            if trouble != known.get(part, ""):
                known[part] = trouble
                if trouble:
                    _log.warning("%s: %s", part, trouble, extra={"code": "trouble", "part": part})
                else:
                    _log.info("%s works again", part, extra={"code": "trouble-over", "part": part})
        await asyncio.sleep(LOOK_EVERY)


def _entry(recorded: Recorded, trace: str, span: str) -> None:
    stream, kind = recorded.stream, kind_of(recorded.event)
    said = f"{stream}: {kind}"
    if isinstance(recorded.event, Decided):
        decision = recorded.event.decision
        said += f", {decision.__struct_config__.tag} ({', '.join(reason.value for reason in decision.reasons)})"
    about = {
        "code": kind,
        "entry": recorded.entry,
        "rollout": stream if stream.startswith(ROLLOUT_PREFIX) else "",
        "model": stream.removeprefix(MODEL_PREFIX) if stream.startswith(MODEL_PREFIX) else "",
        "trace_id": trace,
        "span_id": span,
    }
    _log.info("%s", said, extra=about)
