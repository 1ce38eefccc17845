"""Traces over OTLP/HTTP by OpenTelemetry's SDK, which reads the OTEL_* variables itself. Comes with the extra `otel`.

Spans are sent in batches from a thread of the SDK's: a receiver that is slow, gone or wrong costs spans and nothing else. Measured
against opentelemetry-sdk 1.45. A quiet span is begun late, with the time at which it really began, once something loud happens in it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from glideslope import __version__
from glideslope.engine.tracing import Value

_PROPAGATOR: Final = TraceContextTextMapPropagator()


class _Begun:
    """A span, or what it will be once something in it is loud."""

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        attributes: Mapping[str, Value],
        *,
        within: "_Begun | None",
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = dict(attributes)
        self._within = within
        self._context = context
        self._kind = kind
        self._at = time.time_ns()
        self.span: trace.Span | None = None

    def begin(self) -> trace.Span:
        """Return the span, begun; and before it everything that it is in."""
        if self.span is None:
            context = self._context
            if self._within is not None:
                context = trace.set_span_in_context(self._within.begin())
            self.span = self._tracer.start_span(
                self._name, context=context, kind=self._kind, attributes=self._attributes, start_time=self._at
            )
        return self.span

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._attributes.update(attributes)
        if self.span is not None:
            self.span.set_attributes(dict(attributes))

    def rename(self, name: str) -> None:
        self._name = name
        if self.span is not None:
            self.span.update_name(name)

    def failed(self, error: BaseException) -> None:
        """Note that it ended by an exception; its text may hold what people wrote, so only its kind is told."""
        self.set({"error.type": type(error).__name__})
        if self.span is not None:
            self.span.set_status(Status(StatusCode.ERROR))


_under_way: ContextVar[_Begun | None] = ContextVar("glideslope_span", default=None)


class OtelTracer:
    """Keeps the port Tracer."""

    def __init__(self, *, exporter: SpanExporter | None = None, service: str = "glideslope") -> None:
        """Read OTEL_* for everything that is not given: where to send, what to sample, what to call ourselves."""
        known = Resource.create({SERVICE_VERSION: __version__})
        named = known.attributes.get(SERVICE_NAME, "")
        unnamed = not named or str(named).startswith("unknown_service")
        resource = known.merge(Resource({SERVICE_NAME: service})) if unnamed else known
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("glideslope", __version__)

    @contextmanager
    def span(
        self, name: str, attributes: Mapping[str, Value] | None = None, *, quiet: bool = False
    ) -> Iterator[_Begun]:
        """Follow something that happens here."""
        with self._within(_Begun(self._tracer, name, attributes or {}, within=_under_way.get()), quiet=quiet) as begun:
            yield begun

    @contextmanager
    def request(self, headers: Mapping[str, str], *, quiet: bool = False) -> Iterator[_Begun]:
        """Follow a request; a traceparent that is malformed is as none."""
        context = _PROPAGATOR.extract(dict(headers), context=Context())
        begun = _Begun(self._tracer, "HTTP", {}, within=None, context=context, kind=SpanKind.SERVER)
        with self._within(begun, quiet=quiet):
            yield begun

    @contextmanager
    def _within(self, begun: _Begun, *, quiet: bool) -> Iterator[_Begun]:
        if not quiet:
            begun.begin()
        mark = _under_way.set(begun)
        try:
            yield begun
        except BaseException as error:
            begun.failed(error)
            raise
        finally:
            _under_way.reset(mark)
            if begun.span is not None:
                begun.span.end()

    def ids(self) -> tuple[str, str]:
        """Return those of the innermost span that has begun."""
        begun = _under_way.get()
        if begun is None or begun.span is None:
            return "", ""
        context = begun.span.get_span_context()
        return f"{context.trace_id:032x}", f"{context.span_id:016x}"

    def flush(self) -> None:
        """Send what waits; blocks for seconds where nobody takes it."""
        self._provider.force_flush()

    def close(self) -> None:
        """Send what waits, and stop. Blocks as `flush` does."""
        self._provider.shutdown()
