"""Kept copies of versions: made when one is registered by its folder, and looked at when somebody asks what is wrong."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from glideslope.adapters.artifacts.folder import FolderArtifacts
from glideslope.domain.errors import NotFound, StoreCorrupt, StoreUnavailable
from glideslope.domain.events import Registered
from glideslope.domain.ids import Digest
from glideslope.engine.record import Record
from glideslope.engine.views import CheckView
from glideslope.sdk.digest import walk_folder

CHECK: Final = "artifacts"


def keep(root: Path, folder: Path) -> Digest:
    """Copy a folder into the store at `root`, under its digest, and return that.

    Raises NotFound, ArtifactInvalid, StoreUnavailable, and StoreCorrupt when an older copy is damaged.
    """
    return asyncio.run(FolderArtifacts(root, walk=walk_folder).keep(str(folder)))


async def checked(root: Path, record: Record) -> Sequence[CheckView]:
    """Hash the kept copies of every incumbent, and of every candidate on its way, and tell which are not what they were."""
    try:
        artifacts = await asyncio.to_thread(_opened, root)
    except StoreUnavailable as error:
        return [CheckView(name=CHECK, ok=False, sentence=error.sentence)]
    if artifacts is None:
        return [CheckView(name=CHECK, ok=True, sentence="No copies of versions are kept here.")]
    damaged: list[CheckView] = []
    intact = 0
    for version in _serving(record):
        try:
            await artifacts.find(version.digest)
        except NotFound:
            continue  # registered by its digest, or with --no-copy
        except (StoreCorrupt, StoreUnavailable) as error:
            sentence = f"The copy of {version.model} {version.version} is not what was registered. {error.sentence}"
            damaged.append(CheckView(name=CHECK, ok=False, sentence=sentence))
        else:
            intact += 1
    kept = f"{intact} kept cop{'y is' if intact == 1 else 'ies are'} what was registered."
    return damaged or [CheckView(name=CHECK, ok=True, sentence=kept)]


def _opened(root: Path) -> FolderArtifacts | None:
    """Return the store, unless nobody ever kept anything in it."""
    return FolderArtifacts(root, walk=walk_folder) if root.is_dir() else None


def _serving(record: Record) -> Sequence[Registered]:
    found = []
    for model in record.models():
        rollout = record.open_rollout_of(model.name)
        names = {model.incumbent, rollout.plan.candidate if rollout else None}
        found += [model.versions[name] for name in model.versions if name in names]
    return found
