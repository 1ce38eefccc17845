"""Whether traces are sent, as the standard OTEL_* variables say; unless one of them asks for it, nothing is loaded."""

import asyncio
import importlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, cast

from glideslope.engine.tracing import NO_TRACER, Tracer
from glideslope.wiring import log_lines

_log = logging.getLogger(__name__)


class Sending(Tracer, Protocol):
    """A tracer that holds what it has not sent."""

    def close(self) -> None:
        """Send it, and stop; blocks for seconds where nobody takes it."""
        ...


@asynccontextmanager
async def following(environment: Mapping[str, str]) -> AsyncIterator[Tracer]:
    """Follow traces until left, if anybody asked for them; the log carries their ids then."""
    tracer = asked_for(environment)
    if tracer is None:
        yield NO_TRACER
        return
    log_lines.configure(environment, trace=tracer.ids)
    try:
        yield tracer
    finally:
        await asyncio.to_thread(tracer.close)


def asked_for(environment: Mapping[str, str]) -> Sending | None:
    """Return who sends traces; None where nobody asked. Without the extra nobody does: a server must not fail for want of watchers."""
    if not is_asked_for(environment):
        return None
    try:
        # By name, since it comes with its own extra.
        return cast("Sending", importlib.import_module("glideslope.adapters.tracing.otel").OtelTracer())
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        _log.warning("OTEL_* asks for traces, and nothing that sends them is installed: pip install 'glideslope[otel]'")
        return None


def is_asked_for(environment: Mapping[str, str]) -> bool:
    """Tell whether traces are to be sent: an exporter is named, or an endpoint, and the SDK is not switched off."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return "otlp" in exporter.split(",")
    return any(environment.get(f"OTEL_EXPORTER_OTLP_{of}ENDPOINT", "").strip() for of in ("", "TRACES_"))
