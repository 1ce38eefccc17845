"""Credentials of gateways on other hosts, for the command line on the server's machine."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from glideslope.adapters.clock import SystemClock
from glideslope.adapters.drivers.envoy.credentials import Authority
from glideslope.settings import Settings


@dataclass(frozen=True, slots=True)
class CredentialsLine:
    """What was handed out; the secret lies in the folder alone."""

    name: str
    folder: str
    ends: str


def create(state: Path, *, name: str, out: Path, days: int) -> CredentialsLine:
    """Write credentials into a folder. Raises NameInvalid, StoreUnavailable, StoreCorrupt."""
    now = SystemClock().now()
    authority = Authority.at(Settings(state=state).authority, now=now)
    made = authority.gateway(name, out, now=now, lifetime=timedelta(days=days))
    return CredentialsLine(name=made.name, folder=str(made.folder), ends=made.ends.isoformat())
