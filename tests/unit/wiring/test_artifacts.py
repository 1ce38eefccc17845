"""The doctor hashes the kept copies of what serves and of what asks to serve, and of nothing else."""

import asyncio
from pathlib import Path

import pytest

from glideslope.domain.commands import Propose, Register
from glideslope.domain.ids import ModelName, VersionName
from glideslope.sdk.digest import folder_digest
from glideslope.testing.traffic import SOUND
from glideslope.testing.world import ADA, World, draft
from glideslope.wiring.artifacts import checked, keep


async def world_of(tmp_path: Path, *, copied: tuple[str, ...]) -> World:
    """A world in which v1 serves, v2 asks to, and v3 is only registered; each is a folder with one file."""
    world = World()
    await world.start()
    for version in ("v1", "v2", "v3"):
        folder = tmp_path / version
        folder.mkdir()
        (folder / "model.bin").write_text(version)
        if version in copied:
            assert await asyncio.to_thread(keep, tmp_path / "artifacts", folder) == folder_digest(folder)
        command = Register(
            model=ModelName("delays"),
            version=VersionName(version),
            digest=folder_digest(folder),
            url=f"http://{version}",
            by=ADA,
            why="trained",
            incumbent=version == "v1",
        )
        await world.app.register(command, key=version)
    await world.app.propose(Propose(draft=draft("delays", "v2"), by=ADA), key="p")
    return world


def damage(tmp_path: Path, version: str) -> None:
    """Change one byte of a kept copy."""
    name = folder_digest(tmp_path / version).removeprefix("sha256:")
    file = tmp_path / "artifacts" / "sha256" / name / "model.bin"
    file.chmod(0o644)
    file.write_text(version.upper())


async def test_copies_that_are_what_was_registered_are_fine(tmp_path: Path) -> None:
    world = await world_of(tmp_path, copied=("v1", "v2", "v3"))

    (check,) = await checked(tmp_path / "artifacts", world.app.record)

    assert (check.ok, check.sentence) == (True, "2 kept copies are what was registered.")


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_copy_of_the_incumbent_or_the_candidate_that_changed_is_wrong(tmp_path: Path, version: str) -> None:
    world = await world_of(tmp_path, copied=("v1", "v2", "v3"))
    damage(tmp_path, version)

    (check,) = await checked(tmp_path / "artifacts", world.app.record)

    assert not check.ok
    assert check.sentence.startswith(f"The copy of delays {version} is not what was registered.")


async def test_what_neither_serves_nor_asks_to_is_not_looked_at(tmp_path: Path) -> None:
    world = await world_of(tmp_path, copied=("v1", "v3"))
    damage(tmp_path, "v3")

    (check,) = await checked(tmp_path / "artifacts", world.app.record)

    assert (check.ok, check.sentence) == (True, "1 kept copy is what was registered.")


async def test_without_any_copies_nothing_is_wrong_and_nothing_is_made(tmp_path: Path) -> None:
    world = World()
    await world.serves("delays", v1=SOUND)

    (check,) = await checked(tmp_path / "artifacts", world.app.record)

    assert check.ok
    assert not (tmp_path / "artifacts").exists()
