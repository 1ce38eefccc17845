"""Says which content a folder is, so that a model server can report what it really serves."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from glideslope.domain.errors import ArtifactInvalid, NotFound
from glideslope.domain.identity import file_digest, root_digest
from glideslope.domain.ids import Digest

PIECE: Final = 1 << 20
"""Bytes read at a time."""

DEEPEST: Final = 100
"""Folders within folders; no model lies as deep, and the walk stays far from Python's own limit."""


def folder_digest(folder: str | os.PathLike[str]) -> Digest:
    """Return a folder's identity: the root digest of OpenSSF Model Signing over all of its files.

    Nothing is left out, hidden files neither. (The tool `model_signing` leaves out `.git`, `.github`, `.gitignore` and
    `.gitattributes` unless told otherwise; a folder with these has another digest there.) Raises NotFound and
    ArtifactInvalid, as `walk_folder` does.
    """
    return root_digest({name: file_digest(read_pieces(path)) for name, path in walk_folder(Path(folder))})


def walk_folder(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield each file's POSIX path relative to the folder, and where it lies.

    A link to a file of the same folder stands for that file's content. Raises NotFound when there is no folder, ArtifactInvalid
    for what has no content of its own: links that leave the folder, lead nowhere or to a folder, sockets, pipes, devices, names
    that are not UTF-8, folders more than DEEPEST deep, and what cannot be read.
    """
    try:
        if not folder.exists():
            raise NotFound(what="artifact folder", name=str(folder))
        if not folder.is_dir():
            raise ArtifactInvalid("it is not a folder", folder=str(folder))
        yield from _walk(folder, inside=folder.resolve(), prefix="")
    except OSError as error:
        raise ArtifactInvalid(f"{error.filename}: {error.strerror}", folder=str(folder)) from error


def read_pieces(path: Path) -> Iterator[bytes]:
    """Yield a file's content. Raises ArtifactInvalid when it cannot be read."""
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                yield piece
    except OSError as error:
        raise ArtifactInvalid(f"{error.filename or path}: {error.strerror}") from error


def _walk(folder: Path, *, inside: Path, prefix: str, depth: int = 0) -> Iterator[tuple[str, Path]]:
    if depth > DEEPEST:
        raise ArtifactInvalid(f"its folders are nested more than {DEEPEST} deep", folder=str(inside))
    with os.scandir(folder) as scanned:
        found = sorted(scanned, key=lambda item: item.name)
    for item in found:
        name = prefix + item.name
        if not _is_utf8(name):
            raise ArtifactInvalid(f"the name {name!r} is not UTF-8", folder=str(inside))
        if item.is_symlink():
            _require_inside(Path(item.path), name=name, inside=inside)
        if item.is_dir(follow_symlinks=False):
            yield from _walk(Path(item.path), inside=inside, prefix=f"{name}/", depth=depth + 1)
        elif item.is_file():
            yield name, Path(item.path)
        else:
            raise ArtifactInvalid(f"{name!r} is neither file nor folder", folder=str(inside))


def _require_inside(link: Path, *, name: str, inside: Path) -> None:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ArtifactInvalid(f"the link {name!r} leads nowhere", folder=str(inside)) from error
    if not target.is_relative_to(inside):
        raise ArtifactInvalid(f"the link {name!r} leaves the folder", folder=str(inside))
    if not target.is_file():
        raise ArtifactInvalid(f"the link {name!r} does not lead to a file", folder=str(inside))


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
