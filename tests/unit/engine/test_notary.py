"""The auditor's file is one consistent history, whatever is written while it is read, and reading it stops nobody's work."""

import asyncio
from collections.abc import Sequence

from glideslope.engine.notary import PAGE, Notary
from glideslope.engine.ports import Draft
from glideslope.ledger import entry, verify
from glideslope.testing.memory import MemorySigner, MemoryStore


async def grown(store: MemoryStore, *, to: int) -> None:
    start = len(await store.entries())
    await store.append(
        [
            Draft(
                stream="model.m",
                version=n,
                data=entry.encode(
                    entry.Entry(stream="model.m", version=n, at="2026-01-31T09:00:00.000Z", kind="x", body={"n": n})
                ),
                key=f"{n}",
            )
            for n in range(start + 1, to + 1)
        ]
    )


async def test_others_have_their_turn_while_a_long_ledger_is_read() -> None:
    """A governor that waits for the end of it would come too late to renew its leases."""
    store, signer = MemoryStore(), MemorySigner()
    await grown(store, to=10 * PAGE)
    notary = Notary(store=store, checkpoints=store, signer=signer)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    lines = [line async for line in notary.bundle()]
    task.cancel()

    assert turns >= 15
    assert verify.verify(lines, trusted=[signer.verifier]).ok


async def test_what_is_signed_while_the_ledger_is_read_is_not_in_it() -> None:
    store, signer = MemoryStore(), MemorySigner()
    await grown(store, to=2 * PAGE)
    notary = Notary(store=store, checkpoints=store, signer=signer)

    lines: list[bytes] = []
    async for line in notary.bundle():
        if not lines:
            await grown(store, to=3 * PAGE)
            await notary.sign()
        lines.append(line)

    report = verify.verify(lines, trusted=[signer.verifier])
    assert (report.ok, report.entries) == (True, 2 * PAGE)
    again = verify.verify([line async for line in notary.bundle()], trusted=[signer.verifier])
    assert (again.ok, again.entries, again.checkpoints) == (True, 3 * PAGE, 2)


class Watched(MemoryStore):
    """Notes how much was read at once."""

    most = 0

    async def entries(self, start: int = 0, stop: int | None = None) -> Sequence[bytes]:
        found = await super().entries(start, stop)
        self.most = max(self.most, sum(map(len, found)))
        return found


async def test_a_ledger_of_long_entries_is_read_a_little_at_a_time() -> None:
    """Whoever fetches it may take his time with each page, and there may be many."""
    store, signer = Watched(), MemorySigner()
    long = {"why": "x" * (1 << 20)}
    for n in range(1, 41):
        each = entry.Entry(
            stream="s", version=n, at="2026-01-01T00:00:00.000Z", kind="noted", body=long if n > 8 else {}
        )
        await store.append((Draft(stream="s", version=n, data=entry.encode(each), key=str(n)),))
    notary = Notary(store=store, checkpoints=store, signer=signer)
    await notary.sign()
    store.most = 0

    lines = [line async for line in notary.bundle()]

    assert verify.verify(lines, trusted=[signer.verifier]).entries == 40
    assert store.most < 12 << 20
