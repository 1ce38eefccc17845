"""Makes the evidence pack of one change: one file that a stranger can check, the same bytes for the same checkpoint.

A pack is a function of the ledger's first entries, of their checkpoint as witnesses have cosigned it, and of a key that signs it; no
clock and no counter has a part in it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any, Final

from glideslope.domain.errors import Invalid, NotFound
from glideslope.domain.governing import clauses, records
from glideslope.domain.governing.change import Change, Placed
from glideslope.domain.governing.records import Record as EvidenceRecord
from glideslope.domain.ids import RolloutId
from glideslope.engine.notary import PAGE, Notary
from glideslope.engine.pack_page import page
from glideslope.engine.ports import Checkpoints, Signer, Store
from glideslope.engine.record import (
    AGREEMENT_PREFIX,
    Record,
    drill_stream,
    examination_stream,
    incident_stream,
    model_stream,
)
from glideslope.ledger import canonical, checkpoint, merkle, note, packfile, tlogproof
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger.checkpoint import Checkpoint

CHECKPOINT: Final = "checkpoint.note"
SUMMARY: Final = "summary.html"
CLAUSES: Final = "clauses.json"
MOST_PUBLISHED: Final = 100
PART_OF_ALL: Final = ("ledger",)
"""Streams that belong to every change: the ledger's own keys."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack's bytes, and the page that is in it."""

    data: bytes
    page: bytes


class Packer:
    """Makes packs. The tree over all entries is kept, 64 bytes for each, since proofs need what a checkpoint does not."""

    def __init__(
        self, *, record: Record, store: Store, checkpoints: Checkpoints, signer: Signer, notary: Notary
    ) -> None:
        self._record = record
        self._store = store
        self._checkpoints = checkpoints
        self._signer = signer
        self._notary = notary
        self._tree = merkle.Tree()
        self._growing = asyncio.Lock()

    async def pack(self, rollout: RolloutId, *, size: int | None = None, published: Sequence[int] = ()) -> Pack:
        """Return the pack of a rollout at the newest checkpoint, or at the one over the first `size` entries.

        `published` are sizes of checkpoints that were given away; the pack proves that each is a part of its own. Raises
        NotFound, Invalid, StoreUnavailable.
        """
        self._record.rollout(rollout)
        signed = await self._checkpoint(size)
        size = checkpoint.parse(note.parse(signed).text).size
        if not all(0 <= each <= size for each in published) or len(published) > MOST_PUBLISHED:
            raise Invalid(f"Up to {MOST_PUBLISHED} published checkpoints are of 0 to {size} entries each.")
        await self._grow(size)
        raw = await self._entries(rollout, size=size)
        change = Change(rollout, tuple(Placed(position, ledger_entry.decode(data)) for position, data in raw.items()))
        if not change.of("rollout-proposed", stream=rollout):
            raise NotFound(what=f"rollout within the first {size} entries", name=rollout)
        return await asyncio.to_thread(self._made, change, raw, signed, size, sorted(set(published)))

    async def _checkpoint(self, wanted: int | None) -> bytes:
        await self._notary.sign()
        kept = {_size(each): each for each in await self._checkpoints.checkpoints()}
        if wanted is None and not kept:
            raise NotFound(what="checkpoint", name="newest", next_command="glideslope register")
        if wanted is None:
            return kept[max(kept)]
        if wanted not in kept:
            near = max((size for size in kept if size <= wanted), default=None)
            hint = "" if near is None else f" The one before is over {near}."
            raise Invalid(
                f"No checkpoint over {wanted} entries was signed, so nothing proves what was there then.{hint}"
            )
        return kept[wanted]

    async def _grow(self, size: int) -> None:
        async with self._growing:
            while self._tree.size < size:
                start = self._tree.size
                for data in await self._store.entries(start, min(start + PAGE, size)):
                    self._tree.append(merkle.leaf_hash(data))
                await asyncio.sleep(0)

    async def _entries(self, rollout: RolloutId, *, size: int) -> Mapping[int, bytes]:
        """Return by position the entries of the change's streams that the checkpoint covers."""
        found: dict[int, bytes] = {}
        for name in self._streams(rollout):
            places = [recorded.entry for recorded in self._record.history(name)]
            kept = zip(places, await self._store.stream(name), strict=False)
            found |= {position: data for position, data in kept if position < size}
        return dict(sorted(found.items()))

    def _streams(self, rollout: RolloutId) -> Sequence[str]:
        """Return the streams that tell of a change: its own, of attempts before it, incidents, its model's, drills, all agreements."""
        model = self._record.rollout(rollout).plan.model
        names = [*PART_OF_ALL, model_stream(model), drill_stream(model)]
        attempt = rollout
        while attempt and attempt not in names:
            names += [attempt, incident_stream(attempt), examination_stream(attempt)]
            attempt = self._record.rollout(attempt).attempt_of
        return [*names, *(name for name in self._record.streams() if name.startswith(AGREEMENT_PREFIX))]

    def _made(
        self, change: Change, raw: Mapping[int, bytes], signed: bytes, size: int, published: Sequence[int]
    ) -> Pack:
        found = records.gather(change)
        regimes = clauses.document(clauses.read(_clause_map()), found)
        covered = checkpoint.parse(note.parse(signed).text)
        shown = page(change, found, regimes, covered)
        members: dict[str, bytes] = {SUMMARY: shown, CHECKPOINT: signed}
        members[CLAUSES] = canonical.encode(regimes)
        members |= {one.type.file: canonical.encode(records.document(one, change)) for one in found}
        members |= {f"entries/{position:09d}.json": data for position, data in raw.items()}
        members |= {
            f"proofs/{position:09d}.tlog-proof": tlogproof.format(
                index=position, hashes=self._tree.inclusion_proof(position, size=size), checkpoint=signed
            )
            for position in raw
        }
        members |= {f"consistency/{older:09d}.txt": self._consistency(older, size) for older in published}
        manifest = canonical.encode(_manifest(change, found, covered, members))
        members = {SUMMARY: shown, packfile.MANIFEST: manifest, **members}
        listed = packfile.text(origin=covered.origin, rollout=change.rollout, change=change.digest, members=members)
        return Pack(packfile.sealed(members, self._signer.sign(listed.encode())), shown)

    async def newest(self) -> bytes:
        """Return the newest checkpoint; whatever was recorded until now is signed first. Raises NotFound before the first entry."""
        return await self._checkpoint(None)

    async def inclusion(self, entry: int, *, size: int) -> Sequence[bytes]:
        """Return the hashes which prove that the entry at this position is among the ledger's first `size`."""
        await self._grow(size)
        return self._tree.inclusion_proof(entry, size=size)

    async def consistency(self, older: int, *, size: int) -> Sequence[bytes]:
        """Return the hashes which prove that the ledger's first `older` entries are a part of its first `size`."""
        await self._grow(size)
        return self._tree.consistency_proof(older, size=size)

    def _consistency(self, older: int, size: int) -> bytes:
        proof = self._tree.consistency_proof(older, size=size)
        lines = ("glideslope-consistency/1", f"older {older}", f"size {size}", *map(note.encode_base64, proof))
        return "".join(f"{line}\n" for line in lines).encode()


def _manifest(
    change: Change, found: Sequence[EvidenceRecord], covered: Checkpoint, members: Mapping[str, bytes]
) -> dict[str, Any]:
    streams = sorted({placed.entry.stream for placed in change.entries})
    return {
        "change_digest": change.digest,
        "checkpoint": {
            "origin": covered.origin,
            "root": note.encode_base64(covered.root),
            "size": covered.size,
        },
        "files": [
            {"name": name, "sha256": sha256(data).hexdigest(), "size": len(data)} for name, data in members.items()
        ],
        "format": packfile.TAG,
        "model": change.plan["model"],
        "plan_digest": change.plan_digest,
        "records": [
            {"file": one.type.file, "number": one.type.number, "state": one.found.state.value} for one in found
        ],
        "rollout": change.rollout,
        "streams": [_stream(name, change) for name in streams],
    }


def _stream(name: str, change: Change) -> dict[str, Any]:
    own = [placed for placed in change.entries if placed.entry.stream == name]
    return {
        "closed": own[-1].entry.kind == "stream-closed",
        "entries": [placed.position for placed in own],
        "name": name,
        "versions": own[-1].entry.version,
    }


def _clause_map() -> bytes:
    return (resources.files("glideslope.domain.governing") / "clauses.json").read_bytes()


def _size(signed: bytes) -> int:
    return checkpoint.parse(note.parse(signed).text).size
