"""What the engine says while it works to whoever follows traces: a port, and nobody behind it unless somebody wants them."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

Value = str | int | float | bool


class Span(Protocol):
    """Something that has begun and not ended."""

    def set(self, attributes: Mapping[str, Value]) -> None:
        """Say more about it."""
        ...

    def rename(self, name: str) -> None:
        """Call it otherwise: what it is may be known only at its end."""
        ...


class Tracer(Protocol):
    """Follows what happens. Must return at once and never raise."""

    def span(
        self, name: str, attributes: Mapping[str, Value] | None = None, *, quiet: bool = False
    ) -> AbstractContextManager[Span]:
        """Begin a span; leaving the context ends it, an exception as a failure.

        A quiet one is told only if something in it was not quiet: ten ticks a second of which most do nothing are no news.
        """
        ...

    def request(self, headers: Mapping[str, str], *, quiet: bool = False) -> AbstractContextManager[Span]:
        """Begin the span of a request that came over HTTP, within the trace that its headers name (W3C traceparent), if they do."""
        ...

    def ids(self) -> tuple[str, str]:
        """Return the ids of trace and span that are under way, in hexadecimal; empty where there is none."""
        ...


class _NoSpan:
    def set(self, attributes: Mapping[str, Value]) -> None: ...

    def rename(self, name: str) -> None: ...


_NOTHING: Final = nullcontext(_NoSpan())


class NoTracer:
    """Follows nothing, at no cost."""

    def span(
        self,
        name: str,  # noqa: ARG002 - the port's
        attributes: Mapping[str, Value] | None = None,  # noqa: ARG002 - the port's
        *,
        quiet: bool = False,  # noqa: ARG002 - the port's
    ) -> AbstractContextManager[Span]:
        """Return a context that does nothing."""
        return _NOTHING

    def request(self, headers: Mapping[str, str], *, quiet: bool = False) -> AbstractContextManager[Span]:  # noqa: ARG002 - the port's
        """Return a context that does nothing."""
        return _NOTHING

    def ids(self) -> tuple[str, str]:
        """Return that there is none."""
        return "", ""


NO_TRACER: Final = NoTracer()
