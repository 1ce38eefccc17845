"""Every setting, in one place: where state lies and which doors are open."""

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from glideslope.domain.errors import NameInvalid, TlsRequired

STATE_FOLDER: Final = ".glideslope"
API_PORT: Final = 8787
GATEWAY_PORT: Final = 8780
LOOPBACK: Final = "127.0.0.1"
ROLE_HEADER: Final = "Glideslope-Role"
"""The header in which a caller of the API asks to be heard as less than the token allows."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The files of a certificate chain and its key, PEM; read again when they change."""

    cert: Path
    key: Path


def own_tls(state: Path) -> Tls:
    """Return where a state folder keeps the certificate that it made itself."""
    return Tls(cert=state / "tls" / "cert.pem", key=state / "tls" / "key.pem")


def own_ca(state: Path) -> Path:
    """Return where a state folder keeps the CA that vouches for it; its key lies beside it."""
    return state / "tls" / "ca.pem"


@dataclass(frozen=True, slots=True)
class Doors:
    """Where people and callers come in. Beyond loopback only with TLS, unless told so in so many words.

    Raises NameInvalid for a host that is no IP address, TlsRequired.
    """

    host: str = LOOPBACK
    gateway_host: str = LOOPBACK
    tls: Tls | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        for option, host in (("--host", self.host), ("--gateway-host", self.gateway_host)):
            try:
                loopback = ipaddress.ip_address(host).is_loopback
            except ValueError:
                expected = "an IP address, like 0.0.0.0"
                raise NameInvalid(what="host to listen on", text=host, expected=expected) from None
            if not (loopback or self.tls or self.insecure):
                raise TlsRequired(host=host, option=option)


@dataclass(frozen=True, slots=True)
class Settings:
    """One server on one machine. A port of 0 takes any free one."""

    state: Path
    port: int = API_PORT
    gateway_port: int = GATEWAY_PORT
    with_gateway: bool = True
    doors: Doors = field(default_factory=Doors)
    gateway_listen: tuple[str, int] | None = None
    """Where a gateway on another host may reach this server; there is none on this one then."""
    line: tuple[str, int] | None = None
    """Of a gateway: where its server is, on another host."""
    credentials: Path | None = None
    """Of a gateway: what it shows to that server."""
    keep_log: float | None = None
    """Seconds for which the prediction log keeps its rows; None where none is kept."""
    silence: float = 1.0
    """Of a gateway: seconds for which the line to that server may be silent before it counts as cut."""

    @property
    def runs_gateway(self) -> bool:
        """Whether the gateway is on this machine."""
        return self.with_gateway and self.gateway_listen is None

    @property
    def database(self) -> Path:
        """The record and the counters."""
        return self.state / "glideslope.sqlite"

    @property
    def people(self) -> Path:
        """Who is behind actors' ids, in a file of its own, from which it can be erased."""
        return self.state / "people.sqlite"

    @property
    def log(self) -> Path:
        """The prediction log's folder."""
        return self.state / "log"

    @property
    def gateway(self) -> Path:
        """The gateway's folder: its sockets, its shape, its log."""
        return self.state / "gateway"

    @property
    def authority(self) -> Path:
        """What vouches for the server and for gateways on other hosts."""
        return self.state / "gateway-authority.pem"

    @property
    def artifacts(self) -> Path:
        """Copies of versions, under their digests."""
        return self.state / "artifacts"

    @property
    def address(self) -> Path:
        """Where the server's URL is written for the command line."""
        return self.state / "address"

    @property
    def gateway_address(self) -> Path:
        """Where the gateway's URL is written."""
        return self.state / "gateway-address"

    @property
    def trusted_ca(self) -> Path:
        """What clients on this machine trust at these addresses; there is none when it is what the system trusts."""
        return self.state / "ca.pem"

    @property
    def checkpoint_key(self) -> Path:
        """The key that signs the ledger's checkpoints."""
        return self.state / "checkpoint.key"

    @property
    def witnesses(self) -> Path:
        """Public keys of witnesses whose cosignatures are taken in; there is none until somebody writes it."""
        return self.state / "witnesses"

    @property
    def channels(self) -> Path:
        """Where people and programs are told; there is none until somebody writes it."""
        return self.state / "channels.yaml"

    @property
    def deliveries(self) -> Path:
        """How far each channel has come, and what was tried."""
        return self.state / "deliveries.sqlite"

    @property
    def receipt_key(self) -> Path:
        """The key that signs prediction receipts."""
        return self.state / "receipt.key"
