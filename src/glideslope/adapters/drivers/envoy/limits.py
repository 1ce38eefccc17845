"""How long and how much a gateway allows: the numbers behind clusters and routes."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much, the same for every model behind one gateway."""

    timeout: timedelta = timedelta(seconds=15)
    """For the whole request."""
    attempt: timedelta = timedelta(seconds=5)
    """For the assigned version, before the incumbent is asked instead."""
    health_path: str = "/healthz"
    """Asked of candidates. Any answer below 500 is a sign of life, since not every model server has such a path."""
    health_interval: timedelta = timedelta(seconds=0.5)
    shadow_requests: int = 64
    """Mirrored copies under way at once; more are dropped, so that a hanging shadow holds nothing up."""
    concurrent: int = 4096
    """Requests under way at once per cluster."""
    retries: int = 256
    """Rescues under way at once per cluster."""
    body: int = 32 * 1024 * 1024
    """Bytes of a request kept for its rescue; a longer one is served, but cannot be sent again."""


def seconds(duration: timedelta) -> str:
    """Write a duration as Envoy reads it."""
    return f"{duration.total_seconds():.3f}s"
