"""Opens a connection to where a channel leads, and to nowhere else.

A name is looked up once, every address that it has is held against what the channel may reach, and the connection goes to that very
address: so a name that answers differently a moment later (DNS rebinding) leads nowhere. Nobody is followed elsewhere by a redirect.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from functools import cache
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

METADATA: Final = frozenset({ipaddress.ip_address("169.254.169.254"), ipaddress.ip_address("fd00:ec2::254")})
"""Where clouds tell machines their secrets; no channel leads there, whatever it says."""


class Unreached(Exception):
    """No connection was made, and why."""


def forbidden(address: Address, *, private: bool) -> str:
    """Say why a channel may not reach an address; empty when it may."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return forbidden(mapped, private=private)
    if address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        return f"{address} is no address that a channel leads to"
    if not private and not address.is_global:
        return f"{address} is of a private network; say `private: true` if that is meant"
    return ""


async def connect(
    host: str, port: int, *, tls: ssl.SSLContext | None, private: bool
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect, with TLS from the first byte if there is a context. Raises Unreached."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Unreached(f"{host} has no address") from None
    addresses = list(dict.fromkeys(str(place[0]) for *_, place in found))
    for each in addresses:
        if why := forbidden(ipaddress.ip_address(each.partition("%")[0]), private=private):
            raise Unreached(f"{host}: {why}")
    last = ""
    for each in addresses:
        try:
            return await asyncio.open_connection(each, port, ssl=tls, server_hostname=host if tls else None)
        except ssl.SSLCertVerificationError as error:
            raise Unreached(f"the certificate of {host} is not trusted: {error.verify_message}") from None
        except OSError as error:  # TLS that cannot be agreed on, too
            last = os.strerror(error.errno) if error.errno and error.errno > 0 else type(error).__name__
    raise Unreached(f"{host}:{port} does not answer: {last}")


@cache
def trusting() -> ssl.SSLContext:
    """Return a context that trusts what the system trusts (or SSL_CERT_FILE names), TLS 1.2 and newer; made once, since that takes long."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
