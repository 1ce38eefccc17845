"""OpenSSF Model Signing v1.0: the signature of a version's files, read and written without its tool.

A sigstore bundle v0.3 holds a DSSE envelope, that an in-toto statement, and that the digest of every file; the statement's subject
is the root digest, which is also a version's identity here (`domain.identity.root_digest`). Keys and certificates are
`domain.governing.oms_keys`. Format: https://github.com/ossf/model-signing-spec, spec/v1.0.md.

The specification orders names by code point, its tool by path component, and so do we, as the identity does: both orders are
read, since a root digest is checked in the order in which its statement lists the files.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.errors import Invalid, Refused
from glideslope.domain.identity import root_digest
from glideslope.domain.ids import Digest

MEDIA: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD: Final = "application/vnd.in-toto+json"
STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://model_signing/signature/v1.0"
ALWAYS_LEFT_OUT: Final = (".git", ".gitattributes", ".github", ".gitignore")
"""What the specification leaves out of every signature, at the top of a folder."""
LARGEST: Final = 64 << 20
"""Bytes of a bundle: some hundred thousand files."""

_HEX: Final = re.compile(r"(?:[0-9a-f]{2})+")
_SHARD: Final = re.compile(r"(.+):(\d+):(\d+)", re.DOTALL)


class SignatureInvalid(Invalid):
    """A file that is no signature of the format."""

    code = "signature-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"This is no OpenSSF model signature: {why}.", traffic="Nothing was checked; traffic is unchanged."
        )


class SignatureWrong(Refused):
    """A signature that does not hold for these files, this key or this time."""

    code = "signature-wrong"

    def __init__(self, why: str, *, files: Sequence[str] = ()) -> None:
        super().__init__(
            f"The signature does not hold: {why}.", traffic="Do not serve these files; traffic is unchanged."
        )
        self.files = tuple(files)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the manifest, or a stretch of one. Further members are passed over, as the specification asks."""

    name: str
    digest: str
    algorithm: str


class Serialization(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the files were listed and hashed."""

    method: str
    hash_type: str
    allow_symlinks: bool
    shard_size: int | UnsetType = UNSET
    ignore_paths: tuple[str, ...] | UnsetType = UNSET


class _Predicate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    resources: tuple[Resource, ...]
    serialization: Serialization


class _Subject(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    digest: dict[str, str]


class _Statement(
    msgspec.Struct, frozen=True, kw_only=True, rename={"kind": "_type", "predicate_type": "predicateType"}
):
    kind: str
    subject: tuple[_Subject, ...]
    predicate_type: str
    predicate: _Predicate


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    hint: str = ""
    raw: str = msgspec.field(name="rawBytes", default="")


class _Certificate(msgspec.Struct, frozen=True, kw_only=True):
    raw: str = msgspec.field(name="rawBytes")


class _Chain(msgspec.Struct, frozen=True, kw_only=True):
    certificates: tuple[_Certificate, ...]


class _Material(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    tlog_entries: tuple[Any, ...] | UnsetType = UNSET
    public_key: _Key | UnsetType = UNSET
    x509_certificate_chain: _Chain | UnsetType = UNSET
    certificate: _Certificate | UnsetType = UNSET


class _Signature(msgspec.Struct, frozen=True, kw_only=True):
    sig: str


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    payload: str
    payload_type: str
    signatures: tuple[_Signature, ...]


class _Bundle(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    media_type: str
    verification_material: _Material
    dsse_envelope: _Envelope


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle taken apart; of what it says nothing is proven before its signature is checked."""

    payload: bytes
    signature: bytes
    hint: str
    """SHA-256 of the public key's PEM, for a key."""
    chain: tuple[bytes, ...]
    """DER certificates, the signer's first; empty for a key."""
    keyless: bool
    """Signed by the sigstore service, which this does not check."""

    @property
    def pae(self) -> bytes:
        """Return the bytes that were signed (DSSE's pre-authentication encoding)."""
        return pae(self.payload)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a statement says of the files."""

    name: str
    root: Digest
    resources: tuple[Resource, ...]
    serialization: Serialization

    def is_left_out(self, name: str) -> bool:
        """Tell whether a file at this path is outside of what was signed."""
        ignored = self.serialization.ignore_paths
        left_out = (*ALWAYS_LEFT_OUT, *(() if isinstance(ignored, UnsetType) else map(_normal, ignored)))
        return any(name == path or name.startswith(f"{path}/") for path in left_out)


def pae(payload: bytes) -> bytes:
    """Return DSSE's pre-authentication encoding of a statement."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def statement(name: str, files: Mapping[str, bytes], *, links: bool = False, left_out: Iterable[str] = ()) -> bytes:
    """Return the statement over files by their raw SHA-256 digests: the payload to sign. Raises ArtifactInvalid."""
    root = root_digest(files)
    serialization: dict[str, Any] = {"method": "files", "hash_type": "sha256", "allow_symlinks": links}
    if ignored := sorted(left_out):
        serialization["ignore_paths"] = ignored
    return json.dumps(
        {
            "_type": STATEMENT,
            "subject": [{"name": name, "digest": {"sha256": root.removeprefix("sha256:")}}],
            "predicateType": PREDICATE,
            "predicate": {
                "resources": [
                    {"name": each, "algorithm": "sha256", "digest": files[each].hex()}
                    for each in sorted(files, key=lambda file: file.split("/"))
                ],
                "serialization": serialization,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    ).encode()


def bundle(payload: bytes, signature: bytes, *, hint: str = "", chain: Sequence[bytes] = ()) -> bytes:
    """Return the bundle of a signed statement, by a key of this hint or by certificates (DER, the signer's first)."""
    material: dict[str, Any] = {"tlogEntries": []}
    if chain:
        material["x509CertificateChain"] = {"certificates": [{"rawBytes": _base64(each)} for each in chain]}
    else:
        material["publicKey"] = {"hint": hint}
    envelope = {
        "payload": _base64(payload),
        "payloadType": PAYLOAD,
        "signatures": [{"sig": _base64(signature), "keyid": ""}],
    }
    written = {"mediaType": MEDIA, "verificationMaterial": material, "dsseEnvelope": envelope}
    return json.dumps(written, indent=1).encode() + b"\n"


def opened(data: bytes) -> Signed:
    """Take a bundle apart. Raises SignatureInvalid."""
    if len(data) > LARGEST:
        raise SignatureInvalid(f"it is longer than {LARGEST:,} bytes")
    try:
        found = msgspec.json.decode(data, type=_Bundle)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureInvalid(str(error)) from None
    material, envelope = found.verification_material, found.dsse_envelope
    if found.media_type != MEDIA:
        raise SignatureInvalid(f"its media type is {found.media_type!r}, not {MEDIA!r}")
    if envelope.payload_type != PAYLOAD:
        raise SignatureInvalid(f"its payload's type is {envelope.payload_type!r}, not {PAYLOAD!r}")
    if len(envelope.signatures) != 1:
        raise SignatureInvalid(f"it bears {len(envelope.signatures)} signatures, not one")
    kinds = (material.public_key, material.x509_certificate_chain, material.certificate)
    if sum(kind is not UNSET for kind in kinds) != 1:
        raise SignatureInvalid("it names not exactly one key, certificate chain or certificate")
    if isinstance(material.public_key, UnsetType) and isinstance(material.tlog_entries, UnsetType):
        raise SignatureInvalid("`tlogEntries` is missing")
    chain = material.x509_certificate_chain
    certificates = () if isinstance(chain, UnsetType) else chain.certificates
    if not isinstance(chain, UnsetType) and not certificates:
        raise SignatureInvalid("its certificate chain is empty")
    return Signed(
        payload=_bytes(envelope.payload, what="payload"),
        signature=_bytes(envelope.signatures[0].sig, what="signature"),
        hint="" if isinstance(material.public_key, UnsetType) else material.public_key.hint,
        chain=tuple(_bytes(each.raw, what="certificate") for each in certificates),
        keyless=material.certificate is not UNSET,
    )


def manifest(payload: bytes) -> Manifest:
    """Read a statement whose signature was checked. Raises SignatureInvalid."""
    try:
        found = msgspec.json.decode(payload, type=_Statement)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SignatureInvalid(f"its statement cannot be read: {error}") from None
    if found.kind != STATEMENT:
        raise SignatureInvalid(f"its statement is of type {found.kind!r}, not {STATEMENT!r}")
    if found.predicate_type != PREDICATE:
        raise SignatureInvalid(f"its predicate is {found.predicate_type!r}, not {PREDICATE!r}")
    if len(found.subject) != 1 or set(found.subject[0].digest) != {"sha256"}:
        raise SignatureInvalid("it is not about one subject with a SHA-256 digest")
    resources, serialization = found.predicate.resources, found.predicate.serialization
    _check_resources(resources, serialization)
    whole = sha256(b"".join(bytes.fromhex(each.digest) for each in resources)).hexdigest()
    if whole != found.subject[0].digest["sha256"]:
        raise SignatureInvalid(f"its files hash to sha256:{whole}, not to the root digest that it names")
    return Manifest(
        name=found.subject[0].name, root=Digest(f"sha256:{whole}"), resources=resources, serialization=serialization
    )


def _check_resources(resources: Sequence[Resource], serialization: Serialization) -> None:
    if not resources:
        raise SignatureInvalid("it is about no files")
    if serialization.method not in {"files", "shards"}:
        raise SignatureInvalid(f"it lists files by {serialization.method!r}, not by `files` or `shards`")
    sharded = serialization.method == "shards"
    size = serialization.shard_size
    if sharded != (not isinstance(size, UnsetType) and size > 0):
        raise SignatureInvalid("`shard_size` belongs to `shards`, and is a number above 0")
    names = [each.name for each in resources]
    if len(set(names)) != len(names):
        raise SignatureInvalid("it lists a file twice")
    for each in resources:
        if each.algorithm != serialization.hash_type or not _HEX.fullmatch(each.digest):
            raise SignatureInvalid(f"the digest of {each.name!r} is none of {serialization.hash_type}")
        path = of_shard(each.name)[0] if sharded else each.name
        if path.startswith("/") or any(part in {"", ".", ".."} for part in path.split("/")):
            raise SignatureInvalid(f"{each.name!r} is not a relative path in normal form")


def of_shard(name: str) -> tuple[str, int, int]:
    """Return file, first byte and end of a stretch. Raises SignatureInvalid."""
    matched = _SHARD.fullmatch(name)
    if matched is None or int(matched[2]) >= int(matched[3]):
        raise SignatureInvalid(f"{name!r} is no stretch of a file")
    return matched[1], int(matched[2]), int(matched[3])


def compare(found: Manifest, files: Mapping[str, str]) -> None:
    """Hold what was signed against files (or stretches), by name and hexadecimal digest. Raises SignatureWrong, naming files."""
    signed = {each.name: each.digest for each in found.resources}
    present = {name: digest for name, digest in files.items() if not found.is_left_out(name)}
    for sentence, names in (
        ("changed since", sorted(name for name in signed.keys() & present if signed[name] != present[name])),
        ("missing", sorted(signed.keys() - present)),
        ("not signed", sorted(present.keys() - signed.keys())),
    ):
        if names:
            shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            raise SignatureWrong(f"{sentence}: {shown}", files=names)


def _normal(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str, *, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SignatureInvalid(f"its {what} is not base64") from None
