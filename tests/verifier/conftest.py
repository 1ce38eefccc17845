"""A pack of a rollout that ended, made by the engine, and the program that checks it, loaded from its one file."""

import asyncio
import functools
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from glideslope.domain.commands import Approve
from glideslope.engine.packing import Packer
from glideslope.ledger import canonical, note, packfile
from glideslope.testing.memory import MemorySigner
from glideslope.testing.traffic import Behaviour
from glideslope.testing.world import GRACE, World, draft

KEY = MemorySigner()
"""Whose holder signs the packs of these tests."""


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).parents[2]


@pytest.fixture(scope="session")
def program(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("glideslope_verify", root / "verifier" / "glideslope_verify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # The same few signatures are checked a thousand times here; each answer is the program's own.
    module.verify_ed25519 = functools.lru_cache(module.verify_ed25519)
    return module


@dataclass(frozen=True)
class Made:
    """A pack's bytes, its members in order, and checkpoints of the same ledger by size."""

    data: bytes
    members: Mapping[str, bytes]
    checkpoints: Mapping[int, bytes]
    again: bytes
    open: bytes


def members_of(data: bytes, program: ModuleType) -> dict[str, bytes]:
    findings: list[Any] = []
    found = dict(program.read_zip(data, findings))
    assert findings == []
    return found


@pytest.fixture(scope="session")
def made(program: ModuleType) -> Made:
    async def make() -> tuple[bytes, bytes, bytes, dict[int, bytes]]:
        world = World(seed=7)
        await world.serves("delays", v1=Behaviour(errors=0.01), v2=Behaviour(errors=0.3))
        rollout = await world.propose(draft("delays", "v2", approvals=1))
        await world.app.notary.sign()
        packer = Packer(
            record=world.app.record,
            store=world.store,
            checkpoints=world.store,
            signer=world.signer,
            notary=world.app.notary,
        )
        early = await packer.pack(rollout)
        digest = world.app.record.rollout(rollout).plan_digest
        await world.app.approve(
            Approve(
                rollout=rollout, plan_digest=digest, granted=True, by=GRACE, why="<script>alert(1)</script> & fine"
            ),
            key="approval",
        )
        await world.until(rollout, phase="rolled-back", within=600)
        sizes = {program.read_checkpoint(each).size: each for each in await world.store.checkpoints()}
        first = await packer.pack(rollout, published=sorted(sizes))
        again = await packer.pack(rollout, published=sorted(sizes))
        return first.data, again.data, early.data, sizes

    data, again, early, sizes = asyncio.run(make())
    return Made(data, members_of(data, program), sizes, again, early)


@pytest.fixture(scope="session")
def check(program: ModuleType) -> Callable[..., Any]:
    """Verify bytes with the key of these tests; return what the program found."""
    key = program.read_key(KEY.verifier.vkey, 1)

    def verify(data: bytes, **more: Any) -> Any:
        return program.verify(data, key, **more)

    return verify


Sealed = Callable[..., bytes]


@pytest.fixture(scope="session")
def sealed() -> Sealed:
    """Make a pack of these members as the holder of a key would, with manifest and note made to fit."""

    def seal(members: Mapping[str, bytes], *, signer: MemorySigner = KEY) -> bytes:
        manifest: Any = canonical.decode(members[packfile.MANIFEST])
        kept = {name: data for name, data in members.items() if name not in (packfile.MANIFEST, packfile.NOTE)}
        manifest["files"] = [
            {"name": name, "sha256": sha256(data).hexdigest(), "size": len(data)} for name, data in kept.items()
        ]
        first = next(iter(kept))
        listed = {first: kept[first], packfile.MANIFEST: canonical.encode(manifest), **kept}
        lines = note.parse(members[packfile.NOTE]).text.split("\n")
        text = packfile.text(origin=lines[1], rollout=lines[2], change=lines[3], members=listed)
        return packfile.sealed(listed, signer.sign(text.encode()))

    return seal
