"""Witnesses' cosignatures on checkpoints: asked for in the words of C2SP tlog-witness, taken in, and served with them.

A witness that signed a checkpoint has seen that this ledger only ever grew; whoever trusts it knows that nobody was shown another
ledger. Which witnesses count is said by whoever runs the server; whoever verifies chooses anew.
"""

from collections.abc import Callable, Sequence

from glideslope.domain.errors import CosignatureRefused, Invalid, NotFound
from glideslope.domain.events import rfc3339
from glideslope.engine.notary import Notary
from glideslope.engine.packing import Packer
from glideslope.engine.ports import Checkpoints
from glideslope.engine.views import CheckpointView, CosignedView
from glideslope.ledger import checkpoint, cosignature, note
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.cosignature import Cosignature, Witness
from glideslope.ledger.errors import NoteError


class Witnessing:
    """Serves checkpoints with what witnesses said of them."""

    def __init__(
        self,
        *,
        checkpoints: Checkpoints,
        notary: Notary,
        packer: Packer,
        witnesses: Callable[[], Sequence[Witness]],
    ) -> None:
        self._checkpoints = checkpoints
        self._notary = notary
        self._packer = packer
        self._witnesses = witnesses

    async def checkpoint(self, *, size: int | None = None, cosigned: int = 0) -> CheckpointView:
        """Return a checkpoint: over so many entries, or the newest that at least so many witnesses saw.

        Raises NotFound, StoreUnavailable.
        """
        if size is None and not cosigned:
            await self._notary.sign()
        witnesses = tuple(self._witnesses())
        for signed in reversed(await self._checkpoints.checkpoints()):
            found = _parsed(signed)
            if size in (None, found.size):
                seen = cosignature.read(signed, witnesses)
                if len(seen) >= cosigned:
                    return _view(signed, found, seen, witnesses)
        name = "the newest" if size is None else f"over {size} entries"
        what = f"checkpoint with {cosigned} cosignatures" if cosigned else "checkpoint"
        raise NotFound(what=what, name=name, next_command="glideslope checkpoint")

    async def request(self, *, size: int | None = None, older: int) -> str:
        """Return the body with which a witness that last saw `older` entries is asked for a cosignature (`add-checkpoint`).

        Raises NotFound, Invalid for an older one that is larger, StoreUnavailable.
        """
        view = await self.checkpoint(size=size)
        if not 0 <= older <= view.size:
            raise Invalid(
                f"The checkpoint is over {view.size} entries; a witness has seen 0 to {view.size}, not {older}."
            )
        proof = await self._packer.consistency(older, size=view.size)
        return "".join(f"{line}\n" for line in (f"old {older}", *map(note.encode_base64, proof), "")) + view.note

    async def cosign(self, *, size: int, lines: str) -> CheckpointView:
        """Take in the signature lines of witnesses for the checkpoint over so many entries; each is checked first.

        A witness counts once, however often it signs. Raises NotFound, CosignatureRefused, StoreUnavailable.
        """
        view = await self.checkpoint(size=size)
        text = note.parse(view.note.encode()).text
        witnesses = tuple(self._witnesses())
        whole = f"{text}\n{lines}".rstrip("\n") + "\n"
        try:
            signatures = note.parse(whole.encode()).signatures
            seen = cosignature.read(whole.encode(), witnesses)
        except NoteError as error:
            raise CosignatureRefused(size=size, why=str(error)) from None
        known = {(each.witness.name, each.witness.key_id): each.witness for each in seen}
        counted = {each.witness for each in view.cosigned}
        new: list[bytes] = []
        for signature, line in zip(signatures, whole.rpartition("\n\n")[2].splitlines(keepends=True), strict=True):
            witness = known.get((signature.name, signature.key_id))
            if witness is None:
                who = f"{signature.name}+{signature.key_id.hex()}"
                raise CosignatureRefused(size=size, why=f"{who} is no witness that this server knows")
            if witness.vkey not in counted:
                counted.add(witness.vkey)
                new.append(line.encode())
        if len(note.parse(view.note.encode()).signatures) + len(new) > note.MOST_SIGNATURES:
            raise CosignatureRefused(size=size, why=f"a note has at most {note.MOST_SIGNATURES} signatures")
        for added in new:
            await self._checkpoints.cosign(size, added)
        return await self.checkpoint(size=size)


def _view(
    signed: bytes, found: Checkpoint, seen: Sequence[Cosignature], witnesses: Sequence[Witness]
) -> CheckpointView:
    return CheckpointView(
        origin=found.origin,
        size=found.size,
        root=note.encode_base64(found.root),
        note=signed.decode(),
        cosigned=tuple(CosignedView(witness=each.witness.vkey, at=rfc3339(each.time * 1000)) for each in seen),
        witnesses=len(witnesses),
    )


def _parsed(signed: bytes) -> Checkpoint:
    return checkpoint.parse(note.parse(signed).text)
