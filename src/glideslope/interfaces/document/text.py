"""A document's lines as YAML counts them, and the refusal that points into them. Needs neither YAML nor pydantic."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from glideslope.domain.errors import PlanInvalid

LARGEST: Final = 64 * 1024
"""Characters of a document. The longest plan that can be run needs a tenth of it."""

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class DocumentInvalid(PlanInvalid):
    """A plan-invalid with the file it is in and, for an unknown key, the keys that are known there."""

    def __init__(
        self,
        sentence: str,
        *,
        file: str,
        where: str = "",
        line: int,
        column: int,
        width: int = 1,
        source: str = "",
        suggestion: str = "",
        allowed: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            sentence, where=where, line=line, column=column, width=width, source=source, suggestion=suggestion
        )
        self.file = file
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one line: line and column count from 1, the width is in characters and at least 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A document's text under the name by which its author knows it, what the document is, and how it is refused."""

    text: str
    file: str
    what: str = "plan"
    error: type[DocumentInvalid] = DocumentInvalid

    @property
    def lines(self) -> tuple[str, ...]:
        """Return the lines without their ends; an empty text has one empty line."""
        return _lines(self.text)

    def refusal(
        self, sentence: str, span: Span, *, where: str = "", suggestion: str = "", allowed: tuple[str, ...] = ()
    ) -> DocumentInvalid:
        """Return the error that points at a span."""
        lines = self.lines
        line = min(max(span.line, 1), len(lines))
        source = lines[line - 1]
        column = min(max(span.column, 1), len(source) + 1)
        return self.error(
            sentence,
            file=self.file,
            where=where,
            line=line,
            column=column,
            width=max(1, min(span.width, len(source) + 1 - column)),
            source=source,
            suggestion=suggestion,
            allowed=allowed,
        )

    def span_at(self, position: int) -> Span:
        """Return where a character is, counted from 0."""
        before = _BREAK.split(self.text[:position])
        return Span(line=len(before), column=len(before[-1]) + 1)


@lru_cache(maxsize=8)
def _lines(text: str) -> tuple[str, ...]:
    # Asked for each place that is pointed at.
    return tuple(_BREAK.split(text))


def decode(data: bytes, *, file: str) -> Source:
    """Read a file's bytes. Raises DocumentInvalid for what is not UTF-8."""
    try:
        return Source(text=data.decode("utf-8"), file=file)
    except UnicodeDecodeError as error:
        readable = Source(text=data[: error.start].decode("utf-8"), file=file)
        span = readable.span_at(len(readable.text))
        # What follows on the line cannot be shown, so the line ends where it stops being text.
        raise readable.refusal(f"the byte 0x{data[error.start]:02x} is not UTF-8", span) from None
