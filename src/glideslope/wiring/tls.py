"""TLS for the doors of one state folder: a private CA and a certificate when somebody asks for them, and where a door is found."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from glideslope.adapters.certificates import Pair, make_authority, make_certificate, read_pair
from glideslope.adapters.clock import SystemClock
from glideslope.adapters.secret_file import write_secret
from glideslope.domain.errors import CertificateUnusable, NameInvalid
from glideslope.engine.views import CheckView
from glideslope.settings import LOOPBACK, Settings, Tls, own_ca, own_tls

RENEW_BEFORE: Final = timedelta(days=60)
WARN_BEFORE: Final = timedelta(days=21)


@dataclass(frozen=True, slots=True)
class Created:
    """What `tls create` made."""

    names: tuple[str, ...]
    ca: Path
    until: str


def create(state: Path, *, names: Sequence[str]) -> Created:
    """Make a certificate for names, and this machine's own, by the CA of the state folder, which is made when there is none.

    Without names they are those of the certificate before. What runs takes it into use by itself. Raises
    CertificateUnusable, StoreUnavailable.
    """
    now = SystemClock().now()
    where, ca = own_tls(state), own_ca(state)
    for folder in (state, where.cert.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    ca_key = ca.with_suffix(".key")
    if ca.exists():
        authority = read_pair(ca, ca_key)
    else:
        authority = make_authority(now=now)
        write_secret(ca_key, authority.key)
        write_secret(ca, authority.chain)
    before = read_pair(where.cert, where.key).names() if not names and where.cert.exists() else ()
    wanted = tuple(dict.fromkeys((*names, *before, *_own_names())))
    made = make_certificate(wanted, authority=authority, now=now)
    # Two files cannot change at once: whoever looks in between finds that they do not fit, and waits.
    write_secret(where.key, made.key)
    write_secret(where.cert, made.chain)
    return Created(names=wanted, ca=ca, until=_until(made))


def ready(settings: Settings) -> None:
    """See that the doors can be opened: on addresses of ours, with a certificate to show, and what to trust written down.

    Our own is made when it is missing, lacks an address, or ends soon. Raises NameInvalid, CertificateUnusable,
    StoreUnavailable.
    """
    tls, hosts = settings.doors.tls, (settings.doors.host, settings.doors.gateway_host)
    for host in hosts:
        _require_ours(host)
    if tls != own_tls(settings.state):
        settings.trusted_ca.unlink(missing_ok=True)
    if tls is None:
        return
    if tls == own_tls(settings.state):
        before = read_pair(tls.cert, tls.key) if tls.cert.exists() else None
        named = () if before is None else before.names()
        missing = [h for h in hosts if h not in named and not ipaddress.ip_address(h).is_unspecified]
        if before is None or missing or before.leaf().not_valid_after_utc - SystemClock().now() < RENEW_BEFORE:
            create(settings.state, names=(*named, *missing))
        write_secret(settings.trusted_ca, own_ca(settings.state).read_bytes())
    read_pair(tls.cert, tls.key)


def _require_ours(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((host, 0))
    except OSError as error:
        expected = "an address of this machine"
        raise NameInvalid(what="host to listen on", text=host, expected=expected) from error


def url(host: str, port: int, *, tls: Tls | None) -> str:
    """Return where a door is found from this machine, under a name that its certificate is for, while that can be read."""
    reached = reached_at(host)
    if tls is None:
        return f"http://{_bracketed(reached)}:{port}"
    try:
        names = read_pair(tls.cert, tls.key).names()
    except CertificateUnusable:
        # A gateway goes on with the certificate of last time, and must not end because of its address.
        names = ()
    by_name = next((name for name in names if not name.startswith("*")), reached)
    chosen = reached if reached in names else "localhost" if "localhost" in names else by_name
    return f"https://{_bracketed(chosen)}:{port}"


def reached_at(host: str) -> str:
    """Return an address under which this machine reaches what listens on `host`."""
    address = ipaddress.ip_address(host)
    if not address.is_unspecified:
        return host
    return LOOPBACK if address.version == 4 else "::1"


def check(tls: Tls) -> CheckView:
    """Tell how long the certificate lasts, while there is time to do something about it."""
    try:
        pair = read_pair(tls.cert, tls.key)
    except CertificateUnusable as error:
        return CheckView(name="tls", ok=False, sentence=error.sentence, next_command=error.next_command)
    fine = pair.leaf().not_valid_after_utc - SystemClock().now() > WARN_BEFORE
    sentence = f"The certificate for {', '.join(pair.names())} lasts until {_until(pair)}."
    return CheckView(name="tls", ok=fine, sentence=sentence, next_command="" if fine else "glideslope tls create")


def _own_names() -> tuple[str, ...]:
    name = socket.gethostname()
    usable = name if name.isascii() and name.replace("-", "").replace(".", "").isalnum() else "localhost"
    return ("localhost", LOOPBACK, "::1", usable)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _until(pair: Pair) -> str:
    return pair.leaf().not_valid_after_utc.isoformat(timespec="seconds")
