"""What runs inside other people's services: it never blocks them, never raises into them, and serves the incumbent on any doubt.

Names load when they are first asked for, so that a service pays for what it uses.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from glideslope.sdk import calls as calls
    from glideslope.sdk.assign import Assigned, Assigner
    from glideslope.sdk.client import AsyncClient, Client
    from glideslope.sdk.errors import ServerRefused, ServerUnreachable
    from glideslope.sdk.middleware import Glideslope, record
    from glideslope.sdk.observe import Observer
    from glideslope.sdk.outcomes import OutcomeSender
    from glideslope.sdk.resources import CpuTime
    from glideslope.sdk.service import Service
    from glideslope.sdk.stamps import Stamps

__all__ = [
    "Assigned",
    "Assigner",
    "AsyncClient",
    "Client",
    "CpuTime",
    "Glideslope",
    "Observer",
    "OutcomeSender",
    "ServerRefused",
    "ServerUnreachable",
    "Service",
    "Stamps",
    "record",
]

_PLACES: Final = {
    "Assigned": "assign",
    "Assigner": "assign",
    "AsyncClient": "client",
    "Client": "client",
    "CpuTime": "resources",
    "Glideslope": "middleware",
    "Observer": "observe",
    "OutcomeSender": "outcomes",
    "ServerRefused": "errors",
    "ServerUnreachable": "errors",
    "Service": "service",
    "Stamps": "stamps",
    "record": "middleware",
}


def __getattr__(name: str) -> object:
    """Load the module in which a public name lives."""
    if name == "calls":
        return import_module(f"{__name__}.calls")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found
