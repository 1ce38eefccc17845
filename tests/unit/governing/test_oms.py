"""Signing and checking agree with each other, whatever the curve, and a certificate that may not vouch does not."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from glideslope.domain.governing import oms, oms_keys
from glideslope.domain.governing.oms import SignatureInvalid, SignatureWrong
from glideslope.domain.governing.oms_keys import KeyInvalid
from glideslope.domain.identity import root_digest

FILES = {name: sha256(name.encode()).digest() for name in ("a/b", "a-b", "é", "z")}
NOW = datetime(2026, 6, 1, tzinfo=UTC)
PEM = serialization.Encoding.PEM


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def public_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    *,
    by: tuple[str, ec.EllipticCurvePrivateKey],
    ca: bool,
    path: int | None = None,
    signs: bool = True,
    more: x509.ExtensionType | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by[0])]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=signs,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=ca,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    return (builder.add_extension(more, critical=True) if more else builder).sign(by[1], hashes.SHA256())


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_what_a_key_signs_is_checked_by_its_public_half_alone(curve: ec.EllipticCurve) -> None:
    key, other = ec.generate_private_key(curve), ec.generate_private_key(curve)
    data = oms_keys.sign(oms.statement("model", FILES), key=private_pem(key))

    found = oms.opened(data)
    manifest = oms.manifest(found.payload)

    assert oms_keys.check_key(found, key=public_pem(key)).startswith("key sha256:")
    assert manifest.root == root_digest(FILES)
    oms.compare(manifest, {name: digest.hex() for name, digest in FILES.items()} | {".git/config": "00"})
    with pytest.raises(SignatureWrong, match="another key"):
        oms_keys.check_key(found, key=public_pem(other))


def test_keys_that_are_none_are_refused_without_being_shown() -> None:
    key = ec.generate_private_key(ec.SECP256K1())
    for pem in (b"secret", private_pem(key)):
        with pytest.raises(KeyInvalid) as refusal:
            oms_keys.sign(b"{}", key=pem)
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("", ""),
        ("untrusted", "nobody who is trusted vouches"),
        ("no-ca", "nobody who is trusted vouches"),
        ("too-deep", "nobody who is trusted vouches"),
        ("late", "is valid"),
        ("no-signing", "may not be used for signing"),
        ("limited", "which is not understood"),
    ],
)
def test_a_chain_vouches_only_when_every_link_may(harm: str, says: str) -> None:
    root, middle, own = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
    top = certificate("root", root, by=("root", root), ca=True, path=0 if harm == "too-deep" else None)
    between = certificate("middle", middle, by=("root", root), ca=harm != "no-ca")
    more = x509.NameConstraints([x509.DNSName("example.org")], None) if harm == "limited" else None
    leaf = certificate("ada", own, by=("middle", middle), ca=False, signs=harm != "no-signing", more=more)
    stranger = certificate("root", own, by=("root", own), ca=True)
    if harm == "no-signing":
        with pytest.raises(SignatureWrong, match=says):
            oms_keys.sign(b"{}", key=private_pem(own), certificate=leaf.public_bytes(PEM))
        return
    data = oms_keys.sign(
        oms.statement("model", FILES),
        key=private_pem(own),
        certificate=leaf.public_bytes(PEM),
        chain=between.public_bytes(PEM),
    )
    trust = (stranger if harm == "untrusted" else top).public_bytes(PEM)
    at = NOW + timedelta(days=3) if harm == "late" else NOW

    if harm:
        with pytest.raises(SignatureWrong, match=says):
            oms_keys.check_chain(oms.opened(data), trust=trust, at=at)
    else:
        assert oms_keys.check_chain(oms.opened(data), trust=trust, at=at) == "CN=ada"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"files"', b'"tar"', "by 'tar'"),
        (b'"a-b"', b'"../x"', "normal form"),
        (b'"a-b"', b'"z"', "twice"),
        (b'"sha256","digest":"', b'"sha1","digest":"', "digest of"),
        (b"in-toto.io", b"example.org", "of type"),
        (b'"allow_symlinks":false', b'"allow_symlinks":false,"also":1', "cannot be read"),
    ],
)
def test_a_statement_that_is_not_of_the_format_is_refused(old: bytes, new: bytes, says: str) -> None:
    payload = oms.statement("model", FILES)
    assert old in payload

    with pytest.raises(SignatureInvalid, match=says):
        oms.manifest(payload.replace(old, new, 1))


def test_the_root_must_be_that_of_the_files() -> None:
    payload = oms.statement("model", FILES)

    with pytest.raises(SignatureInvalid, match="root digest"):
        oms.manifest(payload.replace(FILES["z"].hex().encode(), b"00" * 32, 1))
