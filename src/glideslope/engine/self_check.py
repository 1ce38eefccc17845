"""The server checks its own ledger as a stranger would check a copy, and shows for one entry what proves that it is in it.

It vouches for itself here: whoever does not trust the server does the same elsewhere, with a key that they wrote down.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final

import msgspec

from glideslope.domain.errors import Conflict, NotFound, Refused
from glideslope.domain.replay import ReplayReport, replay
from glideslope.engine.notary import Notary
from glideslope.engine.packing import Packer
from glideslope.engine.ports import Store
from glideslope.ledger import bundle, checkpoint, merkle, note, tlogproof
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger.verify import Report, verify

MOST: Final = 5_000
"""Entries that are checked in place: some seconds of one core, in which everything else takes turns with it. A decision costs
about 2 ms, all else next to nothing; measured on two busy cores, the event loop waited 36 ms at most meanwhile."""
MOST_FINDINGS: Final = 50


class TooLargeToCheckHere(Refused):
    """The ledger is too long to be checked beside the work that the server is for."""

    code = "ledger-too-large-here"

    def __init__(self, *, entries: int) -> None:
        super().__init__(
            f"The ledger has {entries:,} entries; up to {MOST:,} are checked in the server. A copy can be checked elsewhere, however long.",
            next_command="glideslope verify",
        )


class VerifiedView(msgspec.Struct, frozen=True, kw_only=True):
    """What was recomputed of the whole ledger, and whether all of it came out as recorded."""

    ok: bool
    entries: int
    streams: int
    closed: int
    """Streams that are closed and whole."""
    checkpoints: int
    """Signed by the key, and over exactly these entries."""
    root: str
    """In hexadecimal digits."""
    rollouts: int
    decisions: int
    """Made again from their evidence, and the same."""
    orders: int
    """By people, and possible."""
    findings: tuple[str, ...]
    """What is not as signed or not as decided, as sentences; empty when all is."""
    seconds: float


class InclusionView(msgspec.Struct, frozen=True, kw_only=True):
    """What proves that an entry is in the ledger: the hashes that lead from it to the root of a signed checkpoint."""

    entry: int
    leaf: str
    """The hash of the entry's own bytes, as a leaf (RFC 6962); hexadecimal like the others."""
    size: int
    root: str
    hashes: tuple[str, ...]
    holds: bool
    """They do lead there, computed anew."""
    proof: str
    """All of it as a file (C2SP tlog-proof), checkpoint included."""
    sha256: str
    """Of the entry's canonical bytes."""


class SelfCheck:
    """Checks the whole ledger, one caller at a time, and proves single entries. What was checked is kept while nothing is added."""

    def __init__(
        self, *, store: Store, notary: Notary, packer: Packer, vkey: str, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._notary = notary
        self._packer = packer
        self._vkey = vkey
        self._monotonic = monotonic
        self._busy = asyncio.Lock()
        self._checked: tuple[int, VerifiedView] | None = None

    async def check(self, *, entries: int) -> VerifiedView:
        """Recompute every hash, signature and decision. Raises TooLargeToCheckHere, Conflict while another check is under way."""
        if entries > MOST:
            raise TooLargeToCheckHere(entries=entries)
        if self._busy.locked():
            raise Conflict("The ledger is being checked for somebody else just now. Ask again in a moment.")
        async with self._busy:
            if self._checked is not None and self._checked[0] == entries:
                return self._checked[1]
            began = self._monotonic()
            lines = [line async for line in self._notary.bundle()]
            report, replayed = await asyncio.to_thread(_recomputed, lines, self._vkey)
            found = _view(report, replayed, seconds=self._monotonic() - began)
            self._checked = (found.entries, found)
            return found

    async def inclusion(self, entry: int) -> InclusionView:
        """Prove one entry against the newest checkpoint that covers it. Raises NotFound."""
        signed = await self._packer.newest()
        covered = checkpoint.parse(note.parse(signed).text)
        found = await self._store.entries(entry, entry + 1) if 0 <= entry < covered.size else ()
        if not found:
            raise NotFound(
                what="ledger entry under a checkpoint", name=str(entry), next_command="glideslope checkpoint"
            )
        hashes = await self._packer.inclusion(entry, size=covered.size)
        leaf = merkle.leaf_hash(found[0])
        holds = merkle.verify_inclusion(leaf, index=entry, size=covered.size, proof=hashes, root=covered.root)
        return InclusionView(
            entry=entry,
            leaf=leaf.hex(),
            size=covered.size,
            root=covered.root.hex(),
            hashes=tuple(each.hex() for each in hashes),
            holds=holds,
            proof=tlogproof.format(index=entry, hashes=hashes, checkpoint=signed).decode(),
            sha256=sha256(found[0]).hexdigest(),
        )


def _recomputed(lines: Sequence[bytes], vkey: str) -> tuple[Report, ReplayReport]:
    report = verify(iter(lines), trusted=[note.Verifier.parse(vkey)])
    return report, replay(_entries(iter(lines)))


def _entries(lines: Iterator[bytes]) -> Iterator[ledger_entry.Entry]:
    bundle.read_head(lines)
    for line in lines:
        yield ledger_entry.decode(line[bundle.HASH_LENGTH + 1 : -1])


def _view(report: Report, replayed: ReplayReport, *, seconds: float) -> VerifiedView:
    findings = [finding.sentence for finding in report.findings]
    findings += [f"{each.stream} version {each.version}: {each.sentence}" for each in replayed.findings]
    findings += [f"{count:,} more of the kind {flaw}." for flaw, count in replayed.omitted]
    return VerifiedView(
        ok=report.ok and not replayed.findings,
        entries=report.entries,
        streams=report.streams,
        closed=len(report.closed),
        checkpoints=report.checkpoints,
        root=report.root.hex(),
        rollouts=replayed.rollouts,
        decisions=replayed.decisions,
        orders=replayed.orders,
        findings=tuple(findings[:MOST_FINDINGS]),
        seconds=round(seconds, 3),
    )
