"""Who is who on the line between a server and a gateway on another host: a private authority, and what it hands out.

Nothing here is trusted by anybody else, and the authority vouches for nothing but this line: one server, by a fixed name that
no network knows, and gateways by names of their own.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from glideslope.adapters.secret_file import create_secret, read_secret, write_secret
from glideslope.domain.errors import Invalid, NameInvalid, StoreCorrupt, StoreUnavailable

SERVER: Final = "glideslope-server"
"""What the server's certificate says, whatever its address: a gateway believes this name and no other."""

_AUTHORITY_LIVES: Final = timedelta(days=3650)
SERVER_LIVES: Final = timedelta(days=30)
"""The server makes itself a new one when half of this is over."""

_BACKDATED: Final = timedelta(hours=1)
"""A host whose clock is behind by less still takes a certificate made just now."""

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")


class CredentialsInvalid(Invalid):
    """A gateway's credentials cannot be used."""

    code = "credentials-invalid"

    def __init__(self, *, folder: Path, why: str) -> None:
        super().__init__(
            f"The credentials in {folder} cannot be used: {why}.",
            traffic="The server is not called; a gateway that serves goes on with its incumbents.",
            next_command="glideslope credentials create NAME --out FOLDER",
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key, both PEM. Never printed."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(...)"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one gateway shows to its server, and knows its server by: files in a folder of its own."""

    folder: Path
    name: str
    serial: str
    ends: datetime

    @property
    def authority(self) -> Path:
        """The certificate of whom the server must be vouched for by."""
        return self.folder / "authority.pem"

    @property
    def certificate(self) -> Path:
        """What the gateway shows."""
        return self.folder / "gateway.pem"

    @property
    def key(self) -> Path:
        """What proves it; readable by its owner only."""
        return self.folder / "gateway.key"

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read and check what lies in a folder, but for its dates: see `trouble`. Raises CredentialsInvalid."""
        read = cls(folder=folder.absolute(), name="", serial="", ends=datetime.min)  # noqa: DTZ901 - replaced below
        try:
            authority = x509.load_pem_x509_certificate(read.authority.read_bytes())
            certificate = x509.load_pem_x509_certificate(read.certificate.read_bytes())
            key = serialization.load_pem_private_key(read_secret(read.key) or b"", password=None)
            certificate.verify_directly_issued_by(authority)
        except FileNotFoundError as error:
            raise CredentialsInvalid(folder=folder, why=f"there is no {Path(error.filename).name}") from error
        except StoreUnavailable as error:
            raise CredentialsInvalid(folder=folder, why=str(error)) from error
        except OSError as error:
            raise CredentialsInvalid(folder=folder, why=error.strerror or str(error)) from error
        except (ValueError, TypeError) as error:
            # What was read is not repeated: one of the files is a secret.
            raise CredentialsInvalid(folder=folder, why="a file in it is damaged") from error
        except InvalidSignature as error:
            raise CredentialsInvalid(folder=folder, why="certificate and authority do not belong together") from error
        if key.public_key() != certificate.public_key():
            raise CredentialsInvalid(folder=folder, why="certificate and key do not belong together")
        return cls(read.folder, name_in(certificate), f"{certificate.serial_number:x}", certificate.not_valid_after_utc)

    def trouble(self, now: datetime) -> str:
        """Return why they are of no use at this time; empty when they are."""
        return f"they ended on {self.ends:%Y-%m-%d}" if now >= self.ends else ""


@dataclass(frozen=True, slots=True)
class Authority:
    """Vouches for one server and its gateways; lies in the server's state folder."""

    certificate: x509.Certificate
    _key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"Authority({self.certificate.serial_number:x})"

    @classmethod
    def at(cls, path: Path, *, now: datetime) -> Self:
        """Read the authority from its one file, or make it at the first call. Raises StoreUnavailable, StoreCorrupt."""
        content = read_secret(path)
        if content is None:
            create_secret(path, _new_authority(now))
            content = read_secret(path)
        try:
            key = serialization.load_pem_private_key(content or b"", password=None)
            certificate = x509.load_pem_x509_certificate(content or b"")
        except (ValueError, TypeError) as error:
            raise StoreCorrupt(path=str(path), why="it does not hold a certificate and its key") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise StoreCorrupt(path=str(path), why="its certificate and its key do not belong together")
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """The certificate that both ends know each other by."""
        return _pem(self.certificate)

    def server(self, *, now: datetime) -> Pair:
        """Vouch for the server; such a certificate does not pass for a gateway's."""
        return self._issued(SERVER, ExtendedKeyUsageOID.SERVER_AUTH, now=now, lifetime=SERVER_LIVES)

    def gateway(self, name: str, folder: Path, *, now: datetime, lifetime: timedelta) -> Credentials:
        """Write credentials for a gateway into a folder, or new ones in place of its old. Raises NameInvalid, StoreUnavailable."""
        if not _NAME.fullmatch(name) or name == SERVER:
            expected = "1 to 63 lower-case letters, digits, dots or dashes, ending in a letter or digit"
            raise NameInvalid(what="gateway", text=name, expected=expected)
        made = Credentials(folder.absolute(), name, "", now)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{folder}: {error.strerror}") from error
        pair = self._issued(name, ExtendedKeyUsageOID.CLIENT_AUTH, now=now, lifetime=lifetime)
        write_secret(made.key, pair.key)
        write_secret(made.certificate, pair.certificate)
        write_secret(made.authority, self.pem)
        return Credentials.load(folder)

    def _issued(self, name: str, usage: x509.ObjectIdentifier, *, now: datetime, lifetime: timedelta) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        ends = min(now + lifetime, self.certificate.not_valid_after_utc)
        certificate = (
            _certificate(name, key, issuer=self.certificate.subject, now=now, ends=ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return Pair(_pem(certificate), _private(key))


def name_in(certificate: x509.Certificate) -> str:
    """Return whom a certificate names."""
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def is_address(host: str) -> bool:
    """Tell an address from a name that must be looked up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _new_authority(now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = "glideslope-authority"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        _certificate(name, key, issuer=subject, now=now, ends=now + _AUTHORITY_LIVES)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return _private(key) + _pem(certificate)


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, *, issuer: x509.Name, now: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(ends)
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
