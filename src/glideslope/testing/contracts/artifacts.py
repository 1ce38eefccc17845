"""What every Artifacts promises: a folder is known by its content, and keeping it changes nothing about it."""

from collections.abc import Callable, Mapping
from hashlib import sha256

import pytest

from glideslope.domain.errors import ArtifactInvalid, NotFound
from glideslope.engine.ports import Artifacts

MakeFolder = Callable[[Mapping[str, bytes]], str]
"""Makes a new folder with these files (POSIX path to content) where the adapter looks for folders, and returns its name."""

FILES = {"model.onnx": b"weights", "tokenizer/vocab.txt": b"a\nb\n", "config.json": b"{}"}


@pytest.mark.asyncio
class ArtifactsContract:
    """Subclass and provide two fixtures: `artifacts`, holding nothing, and `make_folder`."""

    @pytest.fixture
    def artifacts(self) -> Artifacts:
        raise NotImplementedError("provide the fixture `artifacts`")

    @pytest.fixture
    def make_folder(self) -> MakeFolder:
        raise NotImplementedError("provide the fixture `make_folder`")

    async def test_the_digest_is_the_root_digest_of_openssf_model_signing(
        self, artifacts: Artifacts, make_folder: MakeFolder
    ) -> None:
        in_name_order = [FILES[name] for name in ("config.json", "model.onnx", "tokenizer/vocab.txt")]
        expected = sha256(b"".join(sha256(content).digest() for content in in_name_order)).hexdigest()

        assert await artifacts.digest(make_folder(FILES)) == f"sha256:{expected}"

    async def test_names_are_ordered_component_by_component(
        self, artifacts: Artifacts, make_folder: MakeFolder
    ) -> None:
        """As plain text `a-b` would come first, since a dash sorts before a slash."""
        expected = sha256(sha256(b"slash").digest() + sha256(b"dash").digest()).hexdigest()

        assert await artifacts.digest(make_folder({"a-b": b"dash", "a/b": b"slash"})) == f"sha256:{expected}"

    async def test_equal_content_has_one_digest_wherever_it_lies(
        self, artifacts: Artifacts, make_folder: MakeFolder
    ) -> None:
        assert await artifacts.digest(make_folder(FILES)) == await artifacts.digest(make_folder(FILES))

    @pytest.mark.parametrize(
        "other",
        [
            {**FILES, "config.json": b"{ }"},
            {**FILES, ".hidden": b""},
            {name: content for name, content in FILES.items() if name != "config.json"},
        ],
        ids=["one byte", "one hidden file more", "one file less"],
    )
    async def test_other_content_has_another_digest(
        self, artifacts: Artifacts, make_folder: MakeFolder, other: Mapping[str, bytes]
    ) -> None:
        assert await artifacts.digest(make_folder(other)) != await artifacts.digest(make_folder(FILES))

    async def test_keeping_returns_the_digest(self, artifacts: Artifacts, make_folder: MakeFolder) -> None:
        folder = make_folder(FILES)

        assert await artifacts.keep(folder) == await artifacts.digest(folder)

    async def test_keeping_again_is_harmless(self, artifacts: Artifacts, make_folder: MakeFolder) -> None:
        folder = make_folder(FILES)

        assert await artifacts.keep(folder) == await artifacts.keep(folder)

    async def test_a_folder_that_is_not_there_is_not_found(self, artifacts: Artifacts) -> None:
        with pytest.raises(NotFound):
            await artifacts.digest("no/such/folder")
        with pytest.raises(NotFound):
            await artifacts.keep("no/such/folder")

    async def test_a_folder_without_files_is_no_version(self, artifacts: Artifacts, make_folder: MakeFolder) -> None:
        with pytest.raises(ArtifactInvalid):
            await artifacts.keep(make_folder({}))
