"""Identity providers, and who the people are that they vouch for: as an explicit file says, and nobody besides.

A provider says who has signed in (`sub`) and what it knows of them (claims). Whom the ledger names is said here: by `sub`, or for whole
groups as `provider:sub`, which nobody can choose. A name or an address that a provider lets people change is never an actor.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from glideslope.domain.account import LONGEST_NAME, ROLES
from glideslope.domain.errors import PersonUnknown, ProvidersInvalid
from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_ADDRESS: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[\x21-\x22\x24-\x7e]*)?(\?[\x21-\x22\x24-\x7e]*)?"
)
"""Without a user, who would be taken for the host, and without a fragment."""
OPENID: Final = "openid"


class Known(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody by the id that a provider never gives to anybody else."""

    sub: str
    actor: Actor
    role: Role


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everybody whose claim is, or holds, a value."""

    claim: str
    has: str
    role: Role


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An OpenID provider, and whom it may vouch for."""

    name: str
    issuer: str
    client_id: str
    client_secret: str = ""
    """Empty for a public client, which PKCE alone protects."""
    scopes: tuple[str, ...] = ()
    """Asked for besides `openid`, such as one that brings groups."""
    people: tuple[Known, ...] = ()
    groups: tuple[Group, ...] = ()

    def __repr__(self) -> str:
        return f"Provider({self.name!r}, {self.issuer!r})"


class Providers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of them, as the file says."""

    provider: tuple[Provider, ...] = ()


@dataclass(frozen=True, slots=True)
class Vouched:
    """Somebody whom a provider vouched for at a moment: what of its claims counts here, and nothing else."""

    provider: str
    issuer: str
    sub: str
    claims: tuple[tuple[str, tuple[str, ...]], ...] = ()


def vouched(provider: Provider, sub: str, claims: Mapping[str, object]) -> Vouched:
    """Keep of what a provider says the claims that its groups ask for."""
    kept = {group.claim: _values(claims.get(group.claim)) for group in provider.groups}
    return Vouched(provider=provider.name, issuer=provider.issuer, sub=sub, claims=tuple(sorted(kept.items())))


def who(providers: Sequence[Provider], found: Vouched) -> Identity:
    """Return as whom somebody acts, as the file says now: by their `sub`, else by the first group. Raises PersonUnknown."""
    provider = next((p for p in providers if (p.name, p.issuer) == (found.provider, found.issuer)), None)
    if provider is None:
        raise PersonUnknown(provider=found.provider, sub=found.sub)
    for person in provider.people:
        if person.sub == found.sub:
            return Identity(actor=person.actor, role=person.role)
    claims = dict(found.claims)
    for group in provider.groups:
        if group.has in claims.get(group.claim, ()):
            actor = f"{provider.name}:{found.sub}"
            if not actor.isprintable() or len(actor) > LONGEST_NAME:
                break
            return Identity(actor=Actor(actor), role=group.role)
    raise PersonUnknown(provider=found.provider, sub=found.sub)


def check_providers(providers: Providers, *, file: str) -> None:
    """Refuse what could let in somebody else than meant. Raises ProvidersInvalid."""
    names = [provider.name for provider in providers.provider]
    for number, provider in enumerate(providers.provider):
        for where, why in _wrong(provider, names):
            raise ProvidersInvalid(file=file, why=f"provider.{number}{where}: {why}")


def _wrong(provider: Provider, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not _NAME.fullmatch(provider.name) or names.count(provider.name) > 1:
        yield ".name", f"{provider.name!r} is not a name of its own of a-z, 0-9 and -"
    if not is_safe(provider.issuer) or provider.issuer.endswith("/.well-known/openid-configuration"):
        yield ".issuer", "it is the provider's https address, as it writes it itself in its tokens"
    if not provider.client_id:
        yield ".client_id", "it is what the provider knows this server by"
    if not provider.people and not provider.groups:
        yield "", "nobody is named, so nobody could sign in by it: say [[provider.people]] or [[provider.groups]]"
    subs = [person.sub for person in provider.people]
    for k, person in enumerate(provider.people):
        if not person.sub or subs.count(person.sub) > 1:
            yield f".people.{k}.sub", f"{person.sub!r} is missing, or there twice"
        if not person.actor.strip() or not person.actor.isprintable() or len(person.actor) > LONGEST_NAME:
            yield f".people.{k}.actor", f"expected 1 to {LONGEST_NAME} printable characters"
        if person.actor.partition(":")[1] and person.actor.partition(":")[0] in names:
            yield f".people.{k}.actor", f"{person.actor!r} could be somebody of a group"
        if person.role not in ROLES:
            yield f".people.{k}.role", f"nobody signs in as a {person.role.value}; expected {', '.join(ROLES)}"
    for k, group in enumerate(provider.groups):
        if not group.claim or not group.has:
            yield f".groups.{k}", "say the `claim`, and what it `has`"
        if group.role not in ROLES:
            yield f".groups.{k}.role", f"nobody signs in as a {group.role.value}; expected {', '.join(ROLES)}"


def is_safe(address: str) -> bool:
    """Tell whether nobody can listen on the way to an address: https, or this machine itself."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        return False
    if found["scheme"] == "https":
        return True
    host = found["host"].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _values(claim: object) -> tuple[str, ...]:
    if isinstance(claim, str):
        return (claim,)
    return tuple(each for each in claim if isinstance(each, str)) if isinstance(claim, list | tuple) else ()
