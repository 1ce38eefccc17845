"""A copy of a record, to be looked at: the same pages and queries, over what was recorded alone; nothing governs, signs or changes."""

from collections.abc import Sequence
from typing import Final, NoReturn

from msgspec.structs import replace

from glideslope.domain.errors import Refused
from glideslope.engine.app import App, World
from glideslope.engine.ports import Checkpoints, Draft, Store
from glideslope.engine.repository import AsRecorded
from glideslope.engine.views import FleetView
from glideslope.ledger import checkpoint, note
from glideslope.ledger.bundle import Bundle
from glideslope.ledger.entry import encode

BATCH: Final = 500
NO_GATEWAY: Final = "none: a copy of a record"


class RecordCopyOnly(Refused):
    """A copy cannot act: it holds no key, and has no traffic."""

    code = "record-copy"

    def __init__(self, what: str) -> None:
        super().__init__(f"This is a copy of a record, so {what} nothing. Its own server does.")


class NoKey:
    """Keeps the port Signer for a copy: it knows whose checkpoints these are, and signs none."""

    def __init__(self, name: str) -> None:
        self.name = name

    def sign(self, text: bytes) -> NoReturn:  # noqa: ARG002 - the port's
        """Refuse. Raises RecordCopyOnly."""
        raise RecordCopyOnly("it signs")


class Copy(App):
    """An app over a record that was taken from elsewhere. Never `running`: call `load` once."""

    def __init__(self, world: World) -> None:
        super().__init__(world, epoch=0)
        # What nobody counted here is unknown; what was recorded is shown as it was judged.
        self._queries = AsRecorded(self.record, world.clock)

    async def fleet(self, *, ended: int | None = None) -> FleetView:
        return replace(await super().fleet(ended=ended), gateway=NO_GATEWAY)


async def take_over(found: Bundle, *, store: Store, checkpoints: Checkpoints) -> None:
    """Write what a verified bundle holds into an empty store. Raises StoreUnavailable."""
    drafts: Sequence[Draft] = [
        Draft(stream=each.stream, version=each.version, data=encode(each), key=f"copy/{position}")
        for position, each in enumerate(found.entries)
    ]
    for start in range(0, len(drafts), BATCH):
        await store.append(drafts[start : start + BATCH])
    for signed in found.checkpoints:
        await checkpoints.keep(checkpoint.parse(note.parse(signed).text).size, signed)
