"""`glideslope signature`: signs a version's files in the format of OpenSSF Model Signing, and checks such signatures."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from msgspec import UnsetType

from glideslope.domain.errors import ArtifactInvalid, GlideslopeError, Invalid, NotFound
from glideslope.domain.governing import oms, oms_keys
from glideslope.domain.identity import root_digest
from glideslope.domain.ids import Digest
from glideslope.interfaces.cli.contents import file_bytes
from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.saying import say
from glideslope.interfaces.cli.session import json_option
from glideslope.interfaces.cli.verbs.init import FileExists

_PIECE: Final = 1 << 20
_PATH: Final = click.Path(path_type=Path)


@click.group("signature", no_args_is_help=True)
def command() -> None:
    """Sign a version's files, or check who signed them (OpenSSF Model Signing)."""


@command.command("make")
@click.argument("path", type=_PATH)
@click.option("--key", type=_PATH, required=True, help="The private key: PEM, on P-256, P-384 or P-521.")
@click.option("--certificate", type=_PATH, help="The key's certificate, PEM.")
@click.option("--chain", type=_PATH, help="The certificates between it and one that others trust, PEM.")
@click.option("-o", "--output", type=_PATH, help="Where to write the signature, if not to PATH.sig.")
@json_option
@click.pass_context
def make(
    ctx: click.Context,
    path: Path,
    *,
    key: Path,
    certificate: Path | None,
    chain: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Sign the files of PATH. What is signed is the digest by which the version is registered."""
    path = path.resolve()
    target = (output or path.with_name(f"{path.name}.sig")).resolve()
    if target.exists():
        raise FileExists(target)
    if path.is_dir() and target.is_relative_to(path):
        raise Invalid("A signature inside the folder would change what the folder is; write it beside.")
    found = _files(ctx, path)
    if left_out := sorted({name.split("/")[0] for name in found} & set(oms.ALWAYS_LEFT_OUT)):
        raise ArtifactInvalid(f"model signing leaves out {', '.join(left_out)}; take them away", folder=str(path))
    digests = {name: bytes.fromhex(_hashed(file, "sha256")) for name, file in found.items()}
    links = any(file.is_symlink() for file in found.values())
    signed = oms_keys.sign(
        oms.statement(path.name, digests, links=links),
        key=file_bytes(key, what="key"),
        certificate=file_bytes(certificate, what="certificate") if certificate else b"",
        chain=file_bytes(chain, what="chain") if chain else b"",
    )
    root = root_digest(digests)
    target.write_bytes(signed)
    if as_json:
        say(json.dumps({"digest": root, "files": len(digests), "signature": str(target)}))
    else:
        say(f"Signed {len(digests)} files of {path.name}: {root}\nWrote {target}")


@command.command("check")
@click.argument("path", type=_PATH)
@click.option("--signature", type=_PATH, help="The signature, if not PATH.sig.")
@click.option("--public-key", type=_PATH, help="The key that must have signed, PEM.")
@click.option("--trust", type=_PATH, help="The certificates of whom you trust to vouch for signers, PEM.")
@click.option("--at", "at_", metavar="TIME", help="When certificates must be valid, RFC 3339, if not now.")
@json_option
@click.pass_context
def check(
    ctx: click.Context,
    path: Path,
    *,
    signature: Path | None,
    public_key: Path | None,
    trust: Path | None,
    at_: str | None,
    as_json: bool,
) -> None:
    """Check that the files of PATH are those that were signed, and by whom. Ends with 9 when they are not."""
    if (public_key is None) == (trust is None):
        raise click.UsageError("Say who may have signed: either --public-key or --trust.")
    path = path.resolve()
    file = (signature or path.with_name(f"{path.name}.sig")).resolve()
    try:
        data = file.read_bytes() if file.stat().st_size <= oms.LARGEST else b""
    except OSError:
        raise NotFound(what="signature file", name=str(file), next_command="") from None
    try:
        signed = oms.opened(data)
        if public_key is not None:
            who = oms_keys.check_key(signed, key=file_bytes(public_key, what="key"))
        else:
            pem = file_bytes(trust, what="certificate") if trust else b""
            who = oms_keys.check_chain(signed, trust=pem, at=_instant(at_))
        manifest = oms.manifest(signed.payload)
        identity = _compare(ctx, path, manifest, signature=file)
    except (oms.SignatureWrong, oms.SignatureInvalid) as error:
        _tell_wrong(error, as_json=as_json)
        ctx.exit(Exit.NOT_VERIFIED)
    if as_json:
        found = {"verified": True, "signer": who, "signed_digest": manifest.root, "digest": identity}
        say(json.dumps({**found, "files": len(manifest.resources)}, ensure_ascii=False))
        return
    say(f"Verified: {len(manifest.resources)} files, signed by {who}")
    say(f"  signed digest {manifest.root}")
    if identity != manifest.root:
        say(f"  this folder is {identity}: the signature leaves files out, or hashes them in another way.")


def _tell_wrong(error: GlideslopeError, *, as_json: bool) -> None:
    files = error.files if isinstance(error, oms.SignatureWrong) else ()
    if as_json:
        said = {"verified": False, "code": error.code, "sentence": error.sentence, "files": list(files)}
        say(json.dumps(said, ensure_ascii=False))
    else:
        say(f"Not verified. {error.sentence}\n{error.traffic}")


def _compare(ctx: click.Context, path: Path, manifest: oms.Manifest, *, signature: Path) -> Digest:
    """Hold the files against the manifest, and return what they are to us. Raises SignatureWrong."""
    files = {name: file for name, file in _files(ctx, path).items() if file.resolve() != signature}
    serialization = manifest.serialization
    links = [] if serialization.allow_symlinks else [name for name, file in files.items() if file.is_symlink()]
    if inside := [name for name in links if not manifest.is_left_out(name)]:
        raise oms.SignatureWrong(f"links were not signed: {', '.join(inside[:5])}", files=inside)
    if serialization.hash_type not in {"sha256", "blake2b"}:
        raise oms.SignatureInvalid(f"it hashes by {serialization.hash_type}, which is not known here")
    held = {name: file for name, file in files.items() if not manifest.is_left_out(name)}
    size = serialization.shard_size
    oms.compare(manifest, _digests(held, serialization.hash_type, size=0 if isinstance(size, UnsetType) else size))
    return root_digest({name: bytes.fromhex(_hashed(file, "sha256")) for name, file in files.items()})


def _files(ctx: click.Context, path: Path) -> Mapping[str, Path]:
    outside = ctx.find_object(Outside)
    assert outside is not None, "the command line runs inside an Outside"  # noqa: S101 - a mistake of ours
    return {path.name: path} if path.is_file() else dict(outside.files(path))


def _digests(files: Mapping[str, Path], algorithm: str, *, size: int) -> Mapping[str, str]:
    if not size:
        return {name: _hashed(file, algorithm) for name, file in files.items()}
    found: dict[str, str] = {}
    for name, file in files.items():
        for start in range(0, file.stat().st_size, size):
            end = min(start + size, file.stat().st_size)
            found[f"{name}:{start}:{end}"] = _hashed(file, algorithm, start=start, end=end)
    return found


def _hashed(path: Path, algorithm: str, *, start: int = 0, end: int | None = None) -> str:
    running: Any = hashlib.new(algorithm)
    for piece in _pieces(path, start=start, end=end):
        running.update(piece)
    return str(running.hexdigest())


def _pieces(path: Path, *, start: int, end: int | None) -> Iterator[bytes]:
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(start)
            left = end - start if end is not None else None
            while left != 0 and (piece := file.read(_PIECE if left is None else min(left, _PIECE))):
                left = None if left is None else left - len(piece)
                yield piece
    except OSError as error:
        raise ArtifactInvalid(f"{error.filename or path}: {error.strerror}") from error


def _instant(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--at takes a time like 2026-01-31T09:00:00Z, not {text!r}.") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
