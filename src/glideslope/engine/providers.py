"""Signing in by identity providers: what the pages ask of whoever speaks OpenID Connect."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from glideslope.domain.identity import Identity
from glideslope.domain.provider import Vouched


class Flow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt to sign in, as the browser that began it carries it, signed by this server."""

    provider: str
    state: str
    nonce: str
    verifier: str
    began: int
    """Seconds since the epoch, UTC."""
    target: str
    """The path to go on to."""
    actor: str = ""
    """Who must prove again that they are themselves; empty where nobody was signed in."""


class Entered(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody whom a provider vouched for, and where it signs them out (empty for nowhere)."""

    vouched: Vouched
    way_out: str
    ago: float | None
    """Seconds since they signed in there; None where the provider does not say: it may have been days ago."""


class IdentityProviders(Protocol):
    """Speaks OpenID Connect with the providers that a file names. Every method may raise ProvidersInvalid."""

    def names(self) -> Sequence[str]:
        """Return the names of all providers."""
        ...

    def identify(self, vouched: Vouched) -> Identity:
        """Return as whom somebody acts, as the file says now. Raises PersonUnknown."""
        ...

    async def address(self, flow: Flow, *, callback: str) -> str:
        """Return where a browser is sent to sign in. Raises NotFound, ProviderUnavailable."""
        ...

    async def finish(self, flow: Flow, query: Mapping[str, str], *, callback: str, home: str) -> Entered:
        """Return who came back to `callback`, proven to be of this attempt. `home` is where a way out leads back to.

        Raises NotFound, ProviderRefused, ProviderUnavailable.
        """
        ...
