"""Where a version is served: an address as people write it, read for all who must reach it."""

import re
from typing import Final
from urllib.parse import urlsplit

from glideslope.domain.errors import NameInvalid

_HTTP: Final = 80
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")


def host_and_port(url: str) -> tuple[str, int]:
    """Read `http://host:port`; without a port it is 80 (RFC 9110, section 4.2.1).

    Raises NameInvalid for anything else: a path, credentials or TLS would be promised and not kept.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, _HTTP if parts.port is None else parts.port
    except ValueError:
        host, port = None, 0
    if not (host and _HOST.fullmatch(host) and port) or url.removesuffix("/") not in _spellings(host, port):
        raise NameInvalid(what="served version's address", text=url, expected="http://host:port")
    return host, port


def _spellings(host: str, port: int) -> tuple[str, ...]:
    written = f"http://[{host}]" if ":" in host else f"http://{host}"
    return (f"{written}:{port}", written) if port == _HTTP else (f"{written}:{port}",)
