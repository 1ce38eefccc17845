"""Keys and certificates of OpenSSF Model Signing: elliptic curves P-256, P-384 and P-521, alone or under a chain of certificates."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from glideslope.domain.errors import Invalid
from glideslope.domain.governing.oms import SignatureInvalid, SignatureWrong, Signed, bundle, pae

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
_LONGEST_CHAIN: Final = 8
_UNDERSTOOD: Final = (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage)
"""Critical extensions that are obeyed; any other critical one refuses the certificate."""


class KeyInvalid(Invalid):
    """A file that holds no key or certificate that can be used here; its content is never repeated."""

    code = "key-invalid"


def sign(payload: bytes, *, key: bytes, certificate: bytes = b"", chain: bytes = b"") -> bytes:
    """Sign a statement with a PEM private key, alone or under a PEM certificate and its chain; return the bundle.

    Raises KeyInvalid.
    """
    private = _private(key)
    signature = private.sign(pae(payload), ec.ECDSA(_HASHES[private.curve.name]))
    if not certificate:
        return bundle(payload, signature, hint=_hint(private.public_key()))
    (own, *more) = _certificates(certificate + chain, what="certificate")
    if own.public_key() != private.public_key():
        raise KeyInvalid("The certificate is not that of the private key.")
    _require_signer(own)
    return bundle(payload, signature, chain=[each.public_bytes(serialization.Encoding.DER) for each in (own, *more)])


def check_key(signed: Signed, *, key: bytes) -> str:
    """Check a signature against a PEM public key, and return who signed: the key's SHA-256. Raises KeyInvalid, SignatureWrong."""
    public = _public(key)
    _require_own(signed)
    if signed.chain:
        raise SignatureWrong("it was made with a certificate, not with a key alone; say whom to trust with --trust")
    if signed.hint and signed.hint != _hint(public):
        raise SignatureWrong("it was made with another key than the one given")
    _check(signed, public)
    return f"key sha256:{_hint(public)}"


def check_chain(signed: Signed, *, trust: bytes, at: datetime) -> str:
    """Check a signature by certificates up to one of those trusted (PEM), all valid at an instant; return the signer's subject.

    Raises KeyInvalid, SignatureInvalid, SignatureWrong.
    """
    roots = _certificates(trust, what="certificates to trust")
    _require_own(signed)
    if not signed.chain:
        raise SignatureWrong("it was made without a certificate; say the key with --public-key")
    try:
        own, *others = [x509.load_der_x509_certificate(each) for each in signed.chain[:_LONGEST_CHAIN]]
        _require_path(own, others, roots, at=at)
        _require_signer(own)
        public = own.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureInvalid(f"a certificate cannot be read: {error}") from None
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.curve.name not in _HASHES:
        raise SignatureWrong("its certificate is of no key on P-256, P-384 or P-521")
    _check(signed, public)
    return own.subject.rfc4514_string()


def _require_own(signed: Signed) -> None:
    if signed.keyless:
        raise SignatureWrong("it is a keyless one of the sigstore service, which is not checked here")


def _check(signed: Signed, public: ec.EllipticCurvePublicKey) -> None:
    try:
        public.verify(signed.signature, signed.pae, ec.ECDSA(_HASHES[public.curve.name]))
    except InvalidSignature:
        raise SignatureWrong("the signature is none of this key over this statement") from None


def _require_path(
    own: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], *, at: datetime
) -> None:
    """Walk from the signer's certificate to a trusted one. Raises SignatureWrong."""
    present, below = own, 0
    for _ in range(_LONGEST_CHAIN):
        _require_valid(present, at=at)
        if present in roots:
            return
        issuer = next((each for each in (*roots, *others) if _issued(present, each, below=below)), None)
        if issuer is None:
            name = present.issuer.rfc4514_string()
            raise SignatureWrong(f"nobody who is trusted vouches for {name!r}, which issued the certificate")
        # A certificate that names itself does not count against a path's length (RFC 5280, 4.2.1.9).
        below += issuer.subject != issuer.issuer
        present = issuer
    raise SignatureWrong(f"its chain has more than {_LONGEST_CHAIN} certificates")


def _issued(certificate: x509.Certificate, issuer: x509.Certificate, *, below: int) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    if issuer == certificate or not constraints.ca:
        return False
    if constraints.path_length is not None and below > constraints.path_length:
        return False
    try:
        return issuer.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True


def _require_valid(certificate: x509.Certificate, *, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        span = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise SignatureWrong(f"the certificate {certificate.subject.rfc4514_string()!r} is valid {span} only")
    for each in certificate.extensions:
        if each.critical and not isinstance(each.value, _UNDERSTOOD):
            raise SignatureWrong(
                f"a certificate limits itself by {each.oid.dotted_string}, which is not understood here"
            )


def _require_signer(certificate: x509.Certificate) -> None:
    """As the specification's tool: a certificate for signatures, or for the signing of code. Raises SignatureWrong."""
    extensions = certificate.extensions
    try:
        if extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature:
            return
    except x509.ExtensionNotFound:
        pass
    try:
        if x509.oid.ExtendedKeyUsageOID.CODE_SIGNING in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value:
            return
    except x509.ExtensionNotFound:
        pass
    raise SignatureWrong("its certificate may not be used for signing")


def _private(pem: bytes) -> ec.EllipticCurvePrivateKey:
    try:
        found = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # `from None`: the cause could carry the secret into a log.
        raise KeyInvalid("The private key is not an unencrypted PEM key.") from None
    if not isinstance(found, ec.EllipticCurvePrivateKey) or found.curve.name not in _HASHES:
        raise KeyInvalid("The private key is not one on P-256, P-384 or P-521.")
    return found


def _public(pem: bytes) -> ec.EllipticCurvePublicKey:
    try:
        found = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyInvalid("The public key is not a PEM key.") from None
    if not isinstance(found, ec.EllipticCurvePublicKey) or found.curve.name not in _HASHES:
        raise KeyInvalid("The public key is not one on P-256, P-384 or P-521.")
    return found


def _certificates(pem: bytes, *, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyInvalid(f"The {what} cannot be read as PEM.") from None


def _hint(public: ec.EllipticCurvePublicKey) -> str:
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return sha256(pem).hexdigest()
