"""OpenID Connect by Authlib: authorization code with PKCE, state and nonce; every claim of the ID token is checked here.

Loaded with the extra `oidc` alone, when a page of a provider is asked for. Signatures are of asymmetric algorithms only, so neither `none`
nor a token "signed" with a public key as a shared secret is one. The issuer is compared in the discovery document, in the answer
(RFC 9207) and in the token, so that of two providers neither speaks for the other.
"""

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeGuard
from urllib.parse import urlencode

import httpx2
from authlib.integrations.httpx_client import AsyncOAuth2Client
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from glideslope.domain.errors import ProviderRefused, ProviderUnavailable
from glideslope.domain.provider import OPENID, Provider, is_safe, vouched
from glideslope.engine.providers import Entered, Flow

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
PATIENCE: Final = 5.0
"""Seconds for one answer of a provider."""
LARGEST: Final = 1 << 20
"""Bytes of one."""
KEPT: Final = 3_600.0
"""Seconds for which what a provider says about itself is believed."""
KEYS_REST: Final = 30.0
"""Seconds between two askings for its keys, when a token names one that is not among them."""
LEEWAY: Final = 60
"""Seconds by which clocks may differ."""
LONGEST_SUB: Final = 255


@dataclass(slots=True)
class _Told:
    """What a provider says about itself."""

    metadata: Mapping[str, Any]
    keys: KeySet
    at: float
    keys_at: float


class OpenId:
    """Speaks with providers. `monotonic` tells seconds, `now` the time."""

    def __init__(self, *, monotonic: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._monotonic = monotonic
        self._now = now
        self._told: dict[str, _Told] = {}
        self._asking = asyncio.Lock()
        # Reading what the system trusts takes some 40 ms, in which nothing else would happen.
        self._trusted = ssl.create_default_context()

    async def address(self, provider: Provider, flow: Flow, *, callback: str) -> str:
        """Return where a browser is sent. Raises ProviderUnavailable."""
        told = await self._about(provider)
        # Who proves again must sign in again there, whatever session the provider has with them.
        again = {"prompt": "login", "max_age": "0"} if flow.actor else {}
        client = self._client(provider, told.metadata, callback)
        url, _ = client.create_authorization_url(
            told.metadata["authorization_endpoint"],
            state=flow.state,
            nonce=flow.nonce,
            code_verifier=flow.verifier,
            **again,
        )
        await client.aclose()
        return str(url)

    async def finish(
        self, provider: Provider, flow: Flow, query: Mapping[str, str], *, callback: str, home: str
    ) -> Entered:
        """Return who came back. Raises ProviderRefused, ProviderUnavailable."""
        told = await self._about(provider)
        self._check_answer(provider, told.metadata, query)
        token = await self._exchange(provider, told.metadata, flow, query["code"], callback)
        raw = token.get("id_token")
        if not isinstance(raw, str):
            raise ProviderRefused(provider=provider.name, why="it gave no ID token")
        claims = await self._claims(provider, told, raw)
        self._check_claims(provider, flow, claims)
        way_out = ""
        end = told.metadata.get("end_session_endpoint")
        if isinstance(end, str) and is_safe(end):
            asked = {"id_token_hint": raw, "client_id": provider.client_id, "post_logout_redirect_uri": home}
            way_out = f"{end}{'&' if '?' in end else '?'}{urlencode(asked)}"
        proved = claims.get("auth_time")
        ago = max(0.0, self._now().timestamp() - proved) if _is_time(proved) else None
        return Entered(vouched=vouched(provider, str(claims["sub"]), claims), way_out=way_out, ago=ago)

    def _check_answer(self, provider: Provider, metadata: Mapping[str, Any], query: Mapping[str, str]) -> None:
        name = provider.name
        issuer = query.get("iss", "")
        required = metadata.get("authorization_response_iss_parameter_supported") is True
        if (required or "iss" in query) and issuer != provider.issuer:
            raise ProviderRefused(provider=name, why="the answer is of another issuer")
        if "error" in query:
            said = "".join(c for c in f"{query['error']} {query.get('error_description', '')}" if c.isprintable())
            raise ProviderRefused(provider=name, why=f"it answered {said.strip()[:200]!r}")
        if not query.get("code"):
            raise ProviderRefused(provider=name, why="its answer brings no code")

    async def _exchange(
        self, provider: Provider, metadata: Mapping[str, Any], flow: Flow, code: str, callback: str
    ) -> Mapping[str, Any]:
        client = self._client(provider, metadata, callback)
        try:
            token = await client.fetch_token(
                metadata["token_endpoint"], code=code, code_verifier=flow.verifier, grant_type="authorization_code"
            )
        except httpx2.HTTPError as error:
            raise ProviderUnavailable(provider=provider.name, why=type(error).__name__) from error
        except Exception as error:  # Authlib's own, of a refusal; and of decoders, for what is no JSON
            raise ProviderRefused(provider=provider.name, why="it did not take the code that it gave") from error
        finally:
            await client.aclose()
        return token if isinstance(token, Mapping) else {}

    async def _claims(self, provider: Provider, told: _Told, raw: str) -> Mapping[str, Any]:
        try:
            return _decoded(raw, told.keys)
        except (JoseError, ValueError, TypeError, KeyError):
            # Its keys may have been changed since; asked for seldom, since whoever comes back could name any.
            if self._monotonic() - told.keys_at < KEYS_REST:
                raise ProviderRefused(provider=provider.name, why="its ID token is not signed by it") from None
        told.keys = await self._keys(provider, told.metadata)
        told.keys_at = self._monotonic()
        try:
            return _decoded(raw, told.keys)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderRefused(provider=provider.name, why="its ID token is not signed by it") from error

    def _check_claims(self, provider: Provider, flow: Flow, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()

        def refuse(why: str) -> None:
            raise ProviderRefused(provider=provider.name, why=f"its ID token {why}")

        if claims.get("iss") != provider.issuer:
            refuse("is of another issuer")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if provider.client_id not in audiences:
            refuse("is for somebody else")
        if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != provider.client_id:
            refuse("was asked for by somebody else")
        expires, issued = claims.get("exp"), claims.get("iat")
        if not _is_time(expires) or not _is_time(issued):
            refuse("does not say from when to when it holds")
        else:
            if now >= expires + LEEWAY:
                refuse("has expired")
            if issued > now + LEEWAY or issued < flow.began - LEEWAY:
                refuse("was not made now")
        if claims.get("nonce") != flow.nonce:
            refuse("is of another attempt to sign in")
        sub = claims.get("sub")
        if not isinstance(sub, str) or not 1 <= len(sub) <= LONGEST_SUB or not sub.isprintable():
            refuse("does not say who signed in")
        if flow.actor:
            proved = claims.get("auth_time")
            if not _is_time(proved) or proved < flow.began - LEEWAY:
                refuse("does not say that you signed in there just now")

    async def _about(self, provider: Provider) -> _Told:
        told = self._told.get(provider.issuer)
        if told is not None and self._monotonic() - told.at < KEPT:
            return told
        async with self._asking:
            told = self._told.get(provider.issuer)
            if told is not None and self._monotonic() - told.at < KEPT:
                return told
            metadata = await self._metadata(provider)
            now = self._monotonic()
            told = _Told(metadata=metadata, keys=await self._keys(provider, metadata), at=now, keys_at=now)
            self._told[provider.issuer] = told
            return told

    async def _metadata(self, provider: Provider) -> Mapping[str, Any]:
        found = await self._get(provider, f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != provider.issuer:
            raise ProviderUnavailable(provider=provider.name, why="it calls itself another issuer than the file does")
        for end in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            address = found.get(end)
            # Nobody is led from https to where others can listen.
            if not isinstance(address, str) or not is_safe(address) or not _as_safe(address, provider.issuer):
                raise ProviderUnavailable(provider=provider.name, why=f"its {end} is no https address")
        return found

    async def _keys(self, provider: Provider, metadata: Mapping[str, Any]) -> KeySet:
        found = await self._get(provider, metadata["jwks_uri"])
        try:
            # Of other kinds than we know, some providers have more.
            known = [key for key in found["keys"] if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP")]
            return KeySet.import_key_set({"keys": known})
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise ProviderUnavailable(provider=provider.name, why="its keys cannot be read") from error

    def _client(self, provider: Provider, metadata: Mapping[str, Any], callback: str) -> Any:  # noqa: ANN401 - Authlib has no types
        ways = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        method = "client_secret_basic" if "client_secret_basic" in ways else "client_secret_post"
        return AsyncOAuth2Client(
            client_id=provider.client_id,
            client_secret=provider.client_secret or None,
            token_endpoint_auth_method=method if provider.client_secret else "none",
            scope=" ".join((OPENID, *provider.scopes)),
            redirect_uri=callback,
            code_challenge_method="S256",
            timeout=PATIENCE,
            verify=self._trusted,
        )

    async def _get(self, provider: Provider, address: str) -> Mapping[str, Any]:
        body = bytearray()
        try:
            async with (
                httpx2.AsyncClient(timeout=PATIENCE, verify=self._trusted) as client,
                client.stream("GET", address, headers={"Accept": "application/json"}) as response,
            ):
                if response.status_code != httpx2.codes.OK:
                    raise ProviderUnavailable(provider=provider.name, why=f"{address} answered {response.status_code}")
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > LARGEST:
                        raise ProviderUnavailable(provider=provider.name, why=f"{address} does not end")
            found = json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise ProviderUnavailable(provider=provider.name, why=f"{address}: {type(error).__name__}") from error
        except (ValueError, RecursionError) as error:
            raise ProviderUnavailable(provider=provider.name, why=f"{address} answered no JSON") from error
        if not isinstance(found, dict):
            raise ProviderUnavailable(provider=provider.name, why=f"{address} answered no object")
        return found


def _decoded(raw: str, keys: KeySet) -> Mapping[str, Any]:
    if len(raw) > LARGEST:
        raise ValueError(len(raw))
    claims = jwt.decode(raw, keys, algorithms=ALGORITHMS).claims
    if not isinstance(claims, dict):
        raise TypeError(claims)
    return claims


def _as_safe(address: str, issuer: str) -> bool:
    return address.startswith("https:") or issuer.startswith("http:")


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e12
