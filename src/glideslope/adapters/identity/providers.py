"""The file that names identity providers and the people they vouch for: `providers.toml` in the state folder, read when it changes.

What speaks OpenID Connect is loaded when somebody signs in by one; a server without providers never loads it.
"""

import importlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from glideslope.adapters.secret_file import Followed, read_secret
from glideslope.domain.errors import NotFound, PersonUnknown, ProvidersInvalid, ProviderUnavailable, StoreUnavailable
from glideslope.domain.identity import Identity
from glideslope.domain.provider import Provider, Providers, Vouched, check_providers, who
from glideslope.engine.providers import Entered, Flow


class FileProviders:
    """Keeps the port IdentityProviders. Every method may raise StoreUnavailable, also when others have rights on the file."""

    def __init__(self, folder: Path, *, monotonic: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._path = folder / "providers.toml"
        self._monotonic = monotonic
        self._now = now
        self._current: Followed[tuple[Provider, ...]] = Followed(self._path, read_providers, absent=())
        self._speaker: Any = None
        self._current()

    def names(self) -> Sequence[str]:
        return [provider.name for provider in self._current()]

    def identify(self, vouched: Vouched) -> Identity:
        try:
            return who(self._current(), vouched)
        except (ProvidersInvalid, StoreUnavailable) as error:
            # Whoever is named by nobody readable is named by nobody: their session ends, and no page fails over it.
            raise PersonUnknown(provider=vouched.provider, sub=vouched.sub) from error

    async def address(self, flow: Flow, *, callback: str) -> str:
        return str(await self._speaking(flow).address(self._of(flow.provider), flow, callback=callback))

    async def finish(self, flow: Flow, query: Mapping[str, str], *, callback: str, home: str) -> Entered:
        provider = self._of(flow.provider)
        entered: Entered = await self._speaking(flow).finish(provider, flow, query, callback=callback, home=home)
        return entered

    def _of(self, name: str) -> Provider:
        found = next((provider for provider in self._current() if provider.name == name), None)
        if found is None:
            raise NotFound(what="identity provider", name=name, next_command="")
        return found

    def _speaking(self, flow: Flow) -> Any:  # noqa: ANN401 - it comes with its own extra
        if self._speaker is None:
            try:
                module = importlib.import_module("glideslope.adapters.identity.openid")
            except ModuleNotFoundError as error:
                why = 'the server lacks the extra "oidc"'
                raise ProviderUnavailable(provider=flow.provider, why=why) from error
            self._speaker = module.OpenId(monotonic=self._monotonic, now=self._now)
        return self._speaker


def read_providers(path: Path) -> tuple[Provider, ...]:
    """Return what the file says, nothing where there is none. Raises ProvidersInvalid, StoreUnavailable."""
    content = read_secret(path)
    if content is None:
        return ()
    try:
        found = msgspec.convert(tomllib.loads(content.decode()), Providers)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ProvidersInvalid(file=str(path), why=str(error).rstrip(".")) from error
    check_providers(found, file=str(path))
    return found.provider
