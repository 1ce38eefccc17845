"""The fakes keep the promises of what they stand for."""

from collections.abc import Mapping

import pytest

from glideslope.domain.errors import StoreUnavailable
from glideslope.engine.ports import Artifacts, Checkpoints, Counters, Leases
from glideslope.engine.search_index import SearchIndex
from glideslope.ledger.note import Verifier
from glideslope.testing.contracts.artifacts import ArtifactsContract, MakeFolder
from glideslope.testing.contracts.checkpoints import CheckpointsContract
from glideslope.testing.contracts.counters import CountersContract
from glideslope.testing.contracts.leases import LeasesContract
from glideslope.testing.contracts.search import SearchContract
from glideslope.testing.contracts.signer import SignerContract
from glideslope.testing.contracts.store import FencedStore, StoreContract, draft
from glideslope.testing.memory import MemoryArtifacts, MemorySigner, MemoryStore
from glideslope.testing.search import MemorySearch


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> FencedStore:
        return MemoryStore()


class TestMemoryLeases(LeasesContract):
    @pytest.fixture
    def leases(self) -> Leases:
        return MemoryStore()


class TestMemoryCounters(CountersContract):
    @pytest.fixture
    def counters(self) -> Counters:
        return MemoryStore()


class TestMemoryCheckpoints(CheckpointsContract):
    @pytest.fixture
    def checkpoints(self) -> Checkpoints:
        return MemoryStore()


class TestMemorySearch(SearchContract):
    @pytest.fixture
    def search(self) -> SearchIndex:
        return MemorySearch()


class TestMemoryArtifacts(ArtifactsContract):
    @pytest.fixture
    def artifacts(self) -> MemoryArtifacts:
        return MemoryArtifacts()

    @pytest.fixture
    def make_folder(self, artifacts: Artifacts) -> MakeFolder:
        assert isinstance(artifacts, MemoryArtifacts)
        folders = artifacts.folders

        def make(files: Mapping[str, bytes]) -> str:
            name = f"folder-{len(folders)}"
            folders[name] = files
            return name

        return make


class TestMemorySigner(SignerContract):
    @pytest.fixture
    def signer(self) -> MemorySigner:
        return MemorySigner()

    @pytest.fixture
    def verifier(self) -> Verifier:
        return MemorySigner().verifier


def _unavailable(_verb: str) -> None:
    raise StoreUnavailable("injected")


async def test_a_fault_before_the_commit_leaves_nothing_behind() -> None:
    store = MemoryStore(before_commit=_unavailable)

    with pytest.raises(StoreUnavailable):
        await store.append([draft("a", 1)])

    assert await store.entries() == []


async def test_a_fault_after_the_commit_loses_only_the_acknowledgement() -> None:
    store = MemoryStore(after_commit=_unavailable)

    with pytest.raises(StoreUnavailable):
        await store.append([draft("a", 1)])

    assert await store.entries() == [b"a@1"]
