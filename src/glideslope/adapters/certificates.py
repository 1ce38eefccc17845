"""Certificates that our doors show: read and checked as a pair, taken into use without dropping a connection, made by a CA of our own.

Whoever renews them replaces two files, one after the other. What does not fit together is not taken into use.
"""

import ipaddress
import os
import ssl
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glideslope.domain.errors import CertificateUnusable

CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
"""Of TLS 1.2: forward secret and authenticated. TLS 1.3 has no others."""

LEAF_LIFE: Final = timedelta(days=397)
CA_LIFE: Final = timedelta(days=3650)
_BACKDATED: Final = timedelta(hours=1)
"""Clocks of callers are not ours."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its private key, as PEM, that fit together."""

    chain: bytes
    key: bytes = field(repr=False)

    def leaf(self) -> x509.Certificate:
        """Return the certificate itself."""
        return x509.load_pem_x509_certificate(self.chain)

    def names(self) -> tuple[str, ...]:
        """Return the DNS names and addresses that it is for, in its order."""
        try:
            found = self.leaf().extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return tuple(str(name.value) for name in found if isinstance(name, x509.DNSName | x509.IPAddress))


def read_pair(cert: Path, key: Path) -> Pair:
    """Read a certificate chain and its key. Raises CertificateUnusable when they cannot be used, or all may read the key."""
    pair = Pair(chain=_read(cert), key=_read(key, secret=True))
    try:
        public = pair.leaf().public_key()
        private = serialization.load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError):
        # `from None`: the cause could carry the key into a log.
        raise CertificateUnusable(path=str(cert), why=f"it, or {key}, is no PEM that can be read") from None
    spelled = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*spelled) != private.public_key().public_bytes(*spelled):
        raise CertificateUnusable(path=str(cert), why=f"the key in {key} is not its own")
    return pair


class Shown:
    """What a server of Python's shows: `context` is given to it once, `renew` is called now and then."""

    def __init__(self, cert: Path, key: Path) -> None:
        """Raises CertificateUnusable."""
        self._cert = cert
        self._key = key
        self.pair = read_pair(cert, key)
        self._current = _context(cert, key)
        self.context = _context(cert, key)
        # Each handshake takes what is current then; connections that stand keep what they have.
        self.context.sni_callback = self._choose

    def renew(self) -> bool:
        """Take the files into use if they hold another pair now, and tell whether. Raises CertificateUnusable; the old one is kept."""
        found = read_pair(self._cert, self._key)
        if found == self.pair:
            return False
        self._current = _context(self._cert, self._key)
        self.pair = found
        return True

    def _choose(self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._current


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(CIPHERS))
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise CertificateUnusable(path=str(cert), why=f"{type(error).__name__} while it was loaded") from None
    return context


def _read(path: Path, *, secret: bool = False) -> bytes:
    try:
        with path.open("rb") as file:
            if secret and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o007:
                # A group may be what lets us read it; everybody is not.
                raise CertificateUnusable(
                    path=str(path), why="everybody on this machine may read it", next_command=f"chmod o= {path}"
                )
            return file.read(1 << 20)
    except OSError as error:
        raise CertificateUnusable(path=str(path), why=error.strerror or str(error)) from error


def make_authority(*, now: datetime) -> Pair:
    """Make a certificate authority that is trusted by nobody until it is told to, and can only vouch for servers."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Glideslope private CA")])
    made = (
        _begun(name, name, key, now=now, life=CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Pair(chain=made.public_bytes(serialization.Encoding.PEM), key=_pem(key))


def make_certificate(names: Sequence[str], *, authority: Pair, now: datetime) -> Pair:
    """Make a server's certificate for DNS names and addresses. Raises CertificateUnusable for a name that cannot be one."""
    signing = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise CertificateUnusable(path="ca.key", why="it is not a key that `glideslope tls create` made")
    issuer = authority.leaf()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Glideslope")])
    made = (
        _begun(subject, issuer.subject, key, now=now, life=min(LEAF_LIFE, issuer.not_valid_after_utc - now))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()),
            critical=False,
        )
        .sign(signing, hashes.SHA256())
    )
    return Pair(chain=made.public_bytes(serialization.Encoding.PEM), key=_pem(key))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        pass
    labels = name.removeprefix("*.").split(".")
    if len(name) > 253 or not all(
        0 < len(label) < 64 and label.isascii() and label.replace("-", "a").isalnum() for label in labels
    ):
        raise CertificateUnusable(path=name, why="it is neither a DNS name nor an address")
    return x509.DNSName(name)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
