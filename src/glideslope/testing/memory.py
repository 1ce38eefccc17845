"""In-memory fakes of the state ports: the same promises as the real ones, except to outlive the process."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from glideslope.domain.errors import Conflict, Invalid, LeaseLost, NotFound, VersionConflict
from glideslope.domain.identity import root_digest
from glideslope.domain.ids import Digest
from glideslope.engine.ports import Alike, Draft, Fence, Lease, Total
from glideslope.ledger.note import SEED_SIZE, Verifier, sign
from glideslope.ledger.note import Signer as KeyOfNotes

Hook = Callable[[str], None]
"""Called with the verb (`append`, `acquire`, `release`, `save`, `once`, `keep`); raises to inject a fault."""

_LARGEST: Final = 2**53 - 1


def no_fault(_verb: str) -> None:
    """Let it pass."""


class MemoryStore:
    """Keeps the ports Store, Leases, Counters, Summaries and Checkpoints in this process.

    A fault raised by `before_commit` leaves nothing behind; one raised by `after_commit` loses only the acknowledgement,
    which is what a caller of a real store must expect as well.
    """

    def __init__(self, *, before_commit: Hook = no_fault, after_commit: Hook = no_fault) -> None:
        self.before_commit = before_commit
        self.after_commit = after_commit
        self._entries: list[Draft] = []
        self._position_of_key: dict[str, int] = {}
        self._positions_of_stream: dict[str, list[int]] = {}
        self._leases: dict[str, Lease] = {}
        self._totals: dict[tuple[str, str, int], int] = {}
        self._seen: set[str] = set()
        self._told: dict[bytes, bytes] = {}
        self._checkpoints: dict[int, bytes] = {}
        self._summaries: dict[str, bytes] = {}

    async def append(self, drafts: Sequence[Draft], *, fence: Fence | None = None) -> Sequence[int]:
        if fence is not None:
            self._require(fence)
        new: dict[str, int] = {}
        fresh: list[Draft] = []
        last: dict[str, int] = {}
        positions: list[int] = []
        for draft in drafts:
            position = self._position_of_key.get(draft.key, new.get(draft.key))
            if position is None:
                version = last.get(draft.stream, len(self._positions_of_stream.get(draft.stream, ())))
                if draft.version != version + 1:
                    raise VersionConflict(stream=draft.stream, expected=draft.version - 1)
                position = len(self._entries) + len(fresh)
                last[draft.stream] = draft.version
                new[draft.key] = position
                fresh.append(draft)
            positions.append(position)
        self.before_commit("append")
        for draft in fresh:
            self._positions_of_stream.setdefault(draft.stream, []).append(len(self._entries))
            self._position_of_key[draft.key] = len(self._entries)
            self._entries.append(draft)
        self.after_commit("append")
        return positions

    def _require(self, fence: Fence) -> None:
        lease = self._leases.get(fence.name)
        if lease is None or lease.epoch != fence.epoch or not lease.holder:
            raise LeaseLost(name=fence.name)

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        return [draft.data for draft in self._entries[max(start, 0) : stop if stop is None else max(stop, 0)]]

    async def streams(self) -> Mapping[str, int]:
        return {name: len(positions) for name, positions in sorted(self._positions_of_stream.items())}

    async def stream(self, name: str) -> Sequence[bytes]:
        return [self._entries[position].data for position in self._positions_of_stream.get(name, ())]

    async def acquire(self, name: str, *, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
        if not holder:
            raise Invalid("A lease needs a holder's name.")
        if now.tzinfo is None:
            raise Invalid("A lease needs the time with its zone.")
        found = self._leases.get(name)
        running = found is not None and bool(found.holder) and now < found.until
        if found is not None and running and found.holder != holder:
            return None
        last = 0 if found is None else found.epoch
        lease = Lease(name=name, holder=holder, epoch=last if running else last + 1, until=now + ttl)
        self.before_commit("acquire")
        self._leases[name] = lease
        self.after_commit("acquire")
        return lease

    async def release(self, lease: Lease) -> None:
        self.before_commit("release")
        found = self._leases.get(lease.name)
        if found is not None and (found.holder, found.epoch) == (lease.holder, lease.epoch):
            self._leases[lease.name] = Lease(name=lease.name, holder="", epoch=lease.epoch, until=lease.until)
        self.after_commit("release")

    async def save(self, totals: Sequence[Total]) -> None:
        for total in totals:
            _require_countable(total)
        self.before_commit("save")
        for total in totals:
            at = (total.cell, total.source, total.epoch)
            self._totals[at] = max(self._totals.get(at, 0), total.count)
        self.after_commit("save")

    async def load(self, prefix: str) -> Sequence[Total]:
        return [
            Total(source=source, epoch=epoch, cell=cell, count=count)
            for (cell, source, epoch), count in sorted(self._totals.items())
            if cell.startswith(prefix)
        ]

    async def once(self, keys: Sequence[str], totals: Sequence[Total]) -> Sequence[bool]:
        if len(keys) != len(totals):
            raise Invalid(f"{len(keys)} keys came with {len(totals)} totals; each key needs its own.")
        new: list[bool] = []
        seen: set[str] = set()
        sums: dict[tuple[str, str, int], int] = {}
        for key, total in zip(keys, totals, strict=True):
            _require_countable(total)
            new.append(key not in self._seen and key not in seen)
            if new[-1]:
                seen.add(key)
                at = (total.cell, total.source, total.epoch)
                sums[at] = sums.get(at, self._totals.get(at, 0)) + total.count
                if sums[at] > _LARGEST:
                    raise Invalid(f"The count of {total.cell} would exceed {_LARGEST}.")
        self.before_commit("once")
        self._seen |= seen
        self._totals |= sums
        self.after_commit("once")
        return new

    async def once_alike(
        self, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
    ) -> Sequence[bytes | None]:
        if len(keys) != len(places):
            raise Invalid(f"{len(keys)} keys came with {len(places)} places; each key needs its own.")
        answers: list[bytes | None] = []
        told: dict[bytes, bytes] = {}
        sums: dict[tuple[str, str, int], int] = {}
        for total in (total for group in groups for total in group.totals):
            _require_countable(total)
        for key, place in zip(keys, places, strict=True):
            answers.append(self._told.get(key, told.get(key)))
            if answers[-1] is None:
                told[key] = groups[place].note
                for total in groups[place].totals:
                    at = (total.cell, total.source, total.epoch)
                    sums[at] = sums.get(at, self._totals.get(at, 0)) + total.count
                    if sums[at] > _LARGEST:
                        raise Invalid(f"The count of {total.cell} would exceed {_LARGEST}.")
        self.before_commit("once")
        self._told |= told
        self._totals |= sums
        self.after_commit("once")
        return answers

    async def has_noted(self, prefix: str) -> bool:
        return any(key.startswith(prefix) for key in self._seen)

    async def summarise(self, summaries: Mapping[str, bytes], *, drop: Sequence[str] = ()) -> None:
        self.before_commit("summarise")
        self._summaries |= summaries
        for name in drop:
            self._summaries.pop(name, None)
        self.after_commit("summarise")

    async def summaries(self, prefix: str) -> Mapping[str, bytes]:
        return {name: data for name, data in sorted(self._summaries.items()) if name.startswith(prefix)}

    async def keep(self, size: int, note: bytes) -> None:
        kept = self._checkpoints.get(size, note)
        if kept != note and not (note.endswith(b"\n") and kept.startswith(note)):
            raise Conflict(f"There is another checkpoint for a ledger of {size} entries already. It was kept.")
        self.before_commit("keep")
        self._checkpoints[size] = kept
        self.after_commit("keep")

    async def cosign(self, size: int, line: bytes) -> None:
        if size not in self._checkpoints:
            raise NotFound(what="checkpoint over as many entries as", name=str(size))
        self.before_commit("cosign")
        if line not in self._checkpoints[size].splitlines(keepends=True):
            self._checkpoints[size] += line
        self.after_commit("cosign")

    async def checkpoints(self) -> Sequence[bytes]:
        return [note for _, note in sorted(self._checkpoints.items())]


def _require_countable(total: Total) -> None:
    if not 0 <= total.count <= _LARGEST or not 0 <= total.epoch <= _LARGEST:
        raise Invalid(f"{total.cell} of {total.source}: count and epoch must be between 0 and {_LARGEST}.")


class MemoryArtifacts:
    """Keeps the port Artifacts over folders that are mappings from file name to content."""

    def __init__(self, folders: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.folders: dict[str, Mapping[str, bytes]] = dict(folders or {})
        self.kept: dict[Digest, Mapping[str, bytes]] = {}

    async def digest(self, folder: str) -> Digest:
        if folder not in self.folders:
            raise NotFound(what="artifact folder", name=folder)
        return root_digest({name: sha256(content).digest() for name, content in self.folders[folder].items()})

    async def keep(self, folder: str) -> Digest:
        digest = await self.digest(folder)
        self.kept[digest] = dict(self.folders[folder])
        return digest


class MemorySigner:
    """Keeps the port Signer with a key that everybody knows: the same in each test, and of no worth outside."""

    def __init__(self, name: str = "test-ledger", *, seed: bytes = bytes(SEED_SIZE)) -> None:
        self.name = name
        self._key = KeyOfNotes(name, seed)

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        return self._key.verifier

    def sign(self, text: bytes) -> bytes:
        return sign(text.decode(), self._key)
