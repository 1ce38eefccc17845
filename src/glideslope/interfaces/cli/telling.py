"""How a refusal looks: what happened, where, what became of the traffic, and one command that can be pasted."""

import os
import sys
from typing import Any

import click

from glideslope.domain.errors import GlideslopeError, PlanInvalid
from glideslope.interfaces.cli.exits import ApiRefused, Exit, exit_of
from glideslope.interfaces.cli.saying import say, shown, visible


def fields_of(error: GlideslopeError) -> dict[str, Any]:
    """Return an error's members, those of the API's problem document, wherever it was raised."""
    if isinstance(error, ApiRefused):
        return {"code": error.code, "detail": error.sentence, "traffic": error.traffic, **error.fields}
    fields: dict[str, Any] = {
        "code": error.code,
        "detail": error.sentence,
        "traffic": error.traffic,
        "next_command": error.next_command,
    }
    if isinstance(error, PlanInvalid):
        names = ("file", "where", "line", "column", "width", "source", "suggestion", "allowed")
        fields |= {name: value for name in names if (value := getattr(error, name, None))}
    return fields


def told(fields: dict[str, Any], *, word: str) -> str:
    """Write an error for people. `fields` are those of a problem document, `word` opens it."""
    fields = {name: value if name == "source" else shown(value) for name, value in fields.items()}
    code = str(fields.get("code", ""))
    lines = [f"{word}[{code}]: {fields.get('detail', '')}"]
    line = fields.get("line")
    if isinstance(line, int) and line > 0:
        lines += _place(fields, line=line)
    ends = [str(fields.get("traffic") or "")]
    allowed = fields.get("allowed")
    if isinstance(allowed, (list, tuple)) and allowed:
        ends.append(f"Allowed keys: {', '.join(str(key) for key in allowed)}.")
    next_command = fields.get("next_command")
    ends.append(f"Next: {next_command}" if next_command else "")
    ends.append(f"More: glideslope explain {code}" if code else "")
    lines.append("  ".join(end for end in ends if end))
    return "\n".join(lines)


def _place(fields: dict[str, Any], *, line: int) -> list[str]:
    # What a file holds may move a terminal's cursor; a place must be shown, not obeyed.
    source = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(fields.get("source", "")))
    column, width = (max(1, n) if isinstance(n := fields.get(name), int) else 1 for name in ("column", "width"))
    column, width = min(column, len(source) + 1), min(width, len(source) + 1)
    gutter = " " * len(str(line))
    suggestion = f" did you mean {fields['suggestion']}?" if fields.get("suggestion") else ""
    return [
        f"{gutter} --> {fields.get('file') or 'glideslope.yaml'}:{line}:{column}",
        f"{line} | {source}",
        f"{gutter} | {' ' * (column - 1)}{'^' * width}{suggestion}",
    ]


def tell(error: GlideslopeError, *, as_json: bool) -> Exit:
    """Write an error to stderr, and return the status with which to exit."""
    status = exit_of(error)
    fields = fields_of(error)
    if as_json:
        import json  # `--help` must not pay for it

        say(json.dumps({**fields, "exit": int(status)}, ensure_ascii=False), err=True)
        return status
    word = {Exit.REFUSED: "refused", Exit.DENIED: "denied"}.get(status, "error")
    text = visible(told(fields, word=word))
    if colourful(sys.stderr):
        text = click.style(word, fg="red", bold=True) + text.removeprefix(word)
    click.echo(text, err=True)
    return status


def colourful(stream: Any) -> bool:  # noqa: ANN401 - any text stream
    """Tell whether colours may be written: only to a terminal, and never against NO_COLOR (no-color.org)."""
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
