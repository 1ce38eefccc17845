"""Files that we find: whatever they hold, what they say or an error of ours, and nothing but regular files inside is followed."""

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glideslope.adapters.artifacts.folder import FolderArtifacts
from glideslope.adapters.drivers.envoy import lanes
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.process import running
from glideslope.adapters.identity.tokens import FileTokens
from glideslope.adapters.signers.file_key import FileKeySigner, _encoded
from glideslope.domain.errors import ArtifactInvalid, GlideslopeError, NameInvalid, NotFound, StoreCorrupt
from glideslope.domain.ids import Digest, ModelName, RolloutId, StepName
from glideslope.domain.traffic import Route, Token
from glideslope.interfaces.cli.context import Outside
from glideslope.interfaces.cli.main import glideslope
from glideslope.ledger.note import Signer
from glideslope.sdk.digest import folder_digest, walk_folder
from glideslope.testing.contracts.driver import unserved
from glideslope.testing.hostile import changed
from glideslope.wiring.folder import read_port

SEEDS = st.integers(0, 2**64)
GOLDEN = Path(__file__).parents[1] / "golden"

given_seeds = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def _lanes() -> bytes:
    route = Route(ModelName("fraud"), incumbent=unserved("v7"), candidate=unserved("v8"), salt="s")
    lane = lanes.Lane(route, rollout=RolloutId("r-0001"), step=StepName("s1"), slot="lease-00", token=Token(3, 4))
    return msgspec.json.encode({"format": 1, "lanes": [lane]})


def _key(path: Path) -> object:
    return FileKeySigner(path, name="glideslope", random_bytes=os.urandom).verifier.vkey


READERS: dict[str, tuple[str, bytes, Callable[[Path], object]]] = {
    "tokens": ("tokens.json", (GOLDEN / "tokens" / "v1.json").read_bytes(), lambda path: FileTokens(path.parent).find("gs_x")),
    "lanes": ("lanes.json", _lanes(), lanes.load),
    "process": ("envoy.pid", b'{"pid":1,"started":5,"host":"127.0.0.1","port":80}', lambda path: running(path.parent)),
    "key": ("checkpoint.key", _encoded(Signer("glideslope", bytes(range(32)))), _key),
    "address": ("address", b"http://127.0.0.1:8787\n", read_port),
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@given(seed=SEEDS)
@given_seeds
def test_a_damaged_file_is_read_or_said_to_be_damaged(tmp_path: Path, name: str, seed: int) -> None:
    file, valid, read = READERS[name]
    assert Folder.at(tmp_path).pid.name == READERS["process"][0]
    path = tmp_path / file
    path.write_bytes(changed(valid, Random(seed)))
    path.chmod(0o600)
    try:
        read(path)
    except GlideslopeError as error:
        assert len(str(error)) < 20_000  # noqa: PT017 - most are read


def _never(*_: object, **__: object) -> Any:
    raise AssertionError("to read a file, nobody is asked")


OUTSIDE = Outside(**{each.name: _never for each in fields(Outside)})

JSON_LINES = b'{"prediction": "AQAB", "happened": true}\n{"prediction": "AQAC", "happened": false}\n' * 3
CSV = b"prediction,happened\nAQAB,true\nAQAC,0\n" * 1 + b'"AQ,AD",1\n'


@pytest.mark.parametrize(("kind", "valid"), [("jsonl", JSON_LINES), ("csv", CSV)])
@given(seed=SEEDS)
@given_seeds
def test_a_changed_file_of_outcomes_is_read_or_refused_at_its_line(
    tmp_path: Path, kind: str, valid: bytes, seed: int
) -> None:
    path = tmp_path / f"truth.{kind}"
    path.write_bytes(changed(valid, Random(seed)))

    ended = CliRunner().invoke(glideslope, ["outcomes", str(path), "--dry-run"], obj=OUTSIDE)

    assert (ended.exit_code == 0) == ("can be read" in ended.output), ended.output
    assert ended.exit_code in {0, 2}, ended.output
    assert ended.exit_code == 0 or f"{path}:" in ended.output


def test_a_copy_holds_what_is_inside_and_follows_nothing_out(tmp_path: Path) -> None:
    """Links out, up, in circles, to devices and to nowhere are refused whole: no part of such a folder is kept."""
    (tmp_path / "secret").write_text("of somebody else")
    store = FolderArtifacts(tmp_path / "store", walk=walk_folder)
    targets = [
        "../secret",
        "/etc/passwd",
        "/dev/zero",
        ".",
        "..",
        "a/../../secret",
        "missing",
        "link",
        "/proc/self/fd/0",
        "sub",
    ]
    for number, target in enumerate(targets):
        folder = tmp_path / f"model-{number}"
        (folder / "sub").mkdir(parents=True)
        (folder / "weights").write_text("w")
        (folder / "link").symlink_to(target)
        for act in (store._digest, store._keep, folder_digest):
            with pytest.raises(ArtifactInvalid):
                act(folder)
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert kept == []


@pytest.mark.parametrize(
    "name", ["", "..", "../..", "sha256:", "sha256:../../x", "sha256:" + "g" * 64, "sha256:" + "0" * 63 + "/", "/etc"]
)
async def test_no_name_leads_out_of_the_store(tmp_path: Path, name: str) -> None:
    store = FolderArtifacts(tmp_path / "store", walk=walk_folder)

    with pytest.raises(NameInvalid):
        await store.find(Digest(name))
    with pytest.raises(NotFound):
        await store.find(Digest("sha256:" + "0" * 64))


STRANGE = ["\n", "\x1b[2J", "\u202e", "-rf", "a b", "'", '"; rm', "é", "e\u0301", "x" * 255, "...", "nul", "\\..\\x"]


@pytest.mark.parametrize("name", STRANGE)
async def test_a_strange_name_is_a_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / name).write_text("weights")
    store = FolderArtifacts(tmp_path / "store", walk=walk_folder)

    digest = await store.keep(str(folder))

    assert digest == folder_digest(folder)
    kept = await store.find(digest)
    assert [path.name for path in kept.iterdir()] == [name]
    (kept / name).chmod(0o600)
    (kept / name).write_text("others")
    with pytest.raises(StoreCorrupt):
        await store.find(digest)
