"""Certificates are taken into use when they fit their key, and never shown by accident; our CA vouches for servers only."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from glideslope.adapters.certificates import Pair, Shown, make_authority, make_certificate, read_pair
from glideslope.domain.errors import CertificateUnusable

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CA = make_authority(now=NOW)


def written(folder: Path, pair: Pair) -> tuple[Path, Path]:
    cert, key = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(pair.chain)
    key.touch(mode=0o600)
    key.write_bytes(pair.key)
    return cert, key


def test_a_pair_is_read_with_its_names(tmp_path: Path) -> None:
    made = make_certificate(("models.example", "*.in.example", "127.0.0.1", "::1"), authority=CA, now=NOW)

    found = read_pair(*written(tmp_path, made))

    assert found == made
    assert found.names() == ("models.example", "*.in.example", "127.0.0.1", "::1")


def test_a_certificate_is_one_that_strict_clients_take() -> None:
    """As RFC 5280 wants it: key identifiers, usages, a CA that may only sign leaves, and a life that browsers allow."""
    leaf, root = make_certificate(("a.example",), authority=CA, now=NOW).leaf(), CA.leaf()

    leaf.verify_directly_issued_by(root)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=398)
    key = leaf.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_a_certificate_never_outlives_its_ca() -> None:
    late = CA.leaf().not_valid_after_utc - timedelta(days=3)

    assert make_certificate(("a",), authority=CA, now=late).leaf().not_valid_after_utc == CA.leaf().not_valid_after_utc


@pytest.mark.parametrize("name", ["", "a b", "-.", "ä.example", "x" * 64, "http://a", "a..b", "1.2.3.4/8"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(CertificateUnusable):
        make_certificate((name,), authority=CA, now=NOW)


def test_what_does_not_fit_is_refused_without_telling_the_key(tmp_path: Path) -> None:
    first, second = (make_certificate(("a",), authority=CA, now=NOW) for _ in range(2))
    cert, key = written(tmp_path, first)
    key.write_bytes(second.key)
    with pytest.raises(CertificateUnusable, match="not its own"):
        read_pair(cert, key)

    key.write_bytes(first.key[:-40])
    with pytest.raises(CertificateUnusable, match="no PEM") as refused:
        read_pair(cert, key)
    assert refused.value.__cause__ is None
    assert repr(first).find("PRIVATE") == -1
    with pytest.raises(CertificateUnusable, match="No such file"):
        read_pair(tmp_path / "none", key)


def test_a_key_that_everybody_may_read_is_none(tmp_path: Path) -> None:
    cert, key = written(tmp_path, make_certificate(("a",), authority=CA, now=NOW))
    key.chmod(0o644)
    with pytest.raises(CertificateUnusable, match="everybody") as refused:
        read_pair(cert, key)
    assert refused.value.next_command == f"chmod o= {key}"

    key.chmod(0o640)
    assert read_pair(cert, key).names() == ("a",)


def test_what_is_shown_changes_with_the_files_and_only_whole(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first, second = (make_certificate(("a.example",), authority=CA, now=now) for _ in range(2))
    cert, key = written(tmp_path, first)
    shown = Shown(cert, key)
    assert seen(shown) == first.leaf()

    cert.write_bytes(second.chain)
    with pytest.raises(CertificateUnusable):
        shown.renew()
    assert seen(shown) == first.leaf()

    key.write_bytes(second.key)
    assert (shown.renew(), shown.renew()) == (True, False)
    assert seen(shown) == second.leaf()


def seen(shown: Shown) -> x509.Certificate:
    """Shake hands in memory, and return the certificate that the client saw."""
    client_context = ssl.create_default_context(cadata=CA.chain.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname="a.example")
    server = shown.context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return x509.load_der_x509_certificate(found)
