"""The local artifact store keeps its port's promises, and hands nothing out that is not what its name says."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from glideslope.adapters.artifacts.folder import FolderArtifacts
from glideslope.domain.errors import ArtifactInvalid, NameInvalid, NotFound, StoreCorrupt, StoreUnavailable
from glideslope.domain.ids import Digest
from glideslope.sdk.digest import folder_digest, walk_folder
from glideslope.testing.contracts.artifacts import FILES, ArtifactsContract, MakeFolder


@pytest.fixture
def kept(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts", walk=walk_folder)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    made: list[Path] = []

    def make(files: Mapping[str, bytes]) -> str:
        folder = tmp_path / f"folder-{len(made)}"
        folder.mkdir()
        made.append(folder)
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return str(folder)

    return make


class TestFolderArtifacts(ArtifactsContract):
    @pytest.fixture
    def artifacts(self, kept: FolderArtifacts) -> FolderArtifacts:
        return kept

    @pytest.fixture
    def make_folder(self, make_folder: MakeFolder) -> MakeFolder:
        return make_folder


async def test_what_is_kept_is_found_with_all_of_its_files(kept: FolderArtifacts, make_folder: MakeFolder) -> None:
    place = await kept.find(await kept.keep(make_folder(FILES)))

    assert {name: path.read_bytes() for name, path in walk_folder(place)} == FILES


async def test_what_a_server_reports_is_what_was_kept(kept: FolderArtifacts, make_folder: MakeFolder) -> None:
    folder = make_folder(FILES)

    assert folder_digest(folder) == await kept.keep(folder)


async def test_content_changed_in_the_store_is_not_handed_out(kept: FolderArtifacts, make_folder: MakeFolder) -> None:
    name = await kept.keep(make_folder(FILES))
    victim = await kept.find(name) / "config.json"
    victim.chmod(0o644)
    victim.write_bytes(b"[]")

    with pytest.raises(StoreCorrupt):
        await kept.find(name)
    with pytest.raises(StoreCorrupt):
        await kept.keep(make_folder(FILES))


async def test_a_copy_that_never_finished_leaves_nothing(tmp_path: Path, make_folder: MakeFolder) -> None:
    leftover = tmp_path / "artifacts" / "incoming" / "half"
    leftover.mkdir(parents=True)
    (leftover / "model.onnx").write_bytes(b"wei")

    kept = FolderArtifacts(tmp_path / "artifacts", walk=walk_folder)
    await kept.keep(make_folder(FILES))

    assert list((tmp_path / "artifacts" / "incoming").iterdir()) == []


async def test_what_another_process_is_copying_is_not_taken_for_a_leftover(
    tmp_path: Path, make_folder: MakeFolder
) -> None:
    """Two people register at once, or the doctor looks meanwhile: neither spoils the other's copy."""
    seen: list[bool] = []

    def walk(folder: Path) -> Iterable[tuple[str, Path]]:
        yield from walk_folder(folder)
        (copying,) = (tmp_path / "artifacts" / "incoming").iterdir()
        FolderArtifacts(tmp_path / "artifacts", walk=walk_folder)
        seen.append(copying.exists())

    kept = FolderArtifacts(tmp_path / "artifacts", walk=walk)
    name = await kept.keep(make_folder(FILES))

    assert seen == [True]
    assert (await FolderArtifacts(tmp_path / "artifacts", walk=walk_folder).find(name)).is_dir()


async def test_what_was_never_kept_is_not_found(kept: FolderArtifacts) -> None:
    with pytest.raises(NotFound):
        await kept.find(Digest("sha256:" + "0" * 64))


async def test_a_name_that_is_no_digest_leads_nowhere(kept: FolderArtifacts) -> None:
    with pytest.raises(NameInvalid):
        await kept.find(Digest("sha256:../../etc"))


async def test_a_link_within_the_folder_is_the_content_it_leads_to(
    kept: FolderArtifacts, make_folder: MakeFolder
) -> None:
    folder = Path(make_folder({"blob": b"weights"}))
    (folder / "model").symlink_to("blob")

    assert await kept.digest(str(folder)) == await kept.digest(make_folder({"blob": b"weights", "model": b"weights"}))
    assert await kept.keep(str(folder)) == await kept.digest(str(folder))


@pytest.mark.parametrize("target", ["/etc/passwd", "../elsewhere", "nowhere", ".", "self", "sub"])
async def test_a_link_without_content_of_this_folder_is_refused(
    kept: FolderArtifacts, make_folder: MakeFolder, tmp_path: Path, target: str
) -> None:
    (tmp_path / "elsewhere").write_bytes(b"not yours")
    folder = Path(make_folder({"model": b"weights", "sub/file": b""}))
    (folder / "self").symlink_to(target)

    with pytest.raises(ArtifactInvalid, match="self"):
        await kept.keep(str(folder))


async def test_a_pipe_is_refused_without_reading_it(kept: FolderArtifacts, make_folder: MakeFolder) -> None:
    folder = Path(make_folder(FILES))
    os.mkfifo(folder / "pipe")

    with pytest.raises(ArtifactInvalid, match="pipe"):
        await kept.digest(str(folder))


async def test_a_name_that_is_not_utf8_is_refused(kept: FolderArtifacts, make_folder: MakeFolder) -> None:
    folder = make_folder(FILES)
    (Path(folder) / os.fsdecode(b"\xff")).write_bytes(b"")

    with pytest.raises(ArtifactInvalid, match="UTF-8"):
        await kept.digest(folder)


async def test_a_file_is_not_a_folder(kept: FolderArtifacts, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")

    with pytest.raises(ArtifactInvalid):
        await kept.digest(str(tmp_path / "model.onnx"))


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(StoreUnavailable):
        FolderArtifacts(tmp_path / "file" / "artifacts", walk=walk_folder)
