"""What the store says to SQLite: acts that run inside the writer's transaction, and the readers' questions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import apsw

from glideslope.domain.errors import Conflict, Invalid, LeaseLost, NotFound, VersionConflict
from glideslope.engine.ports import Alike, Draft, Fence, Lease, Total

LARGEST: Final = 2**53 - 1
"""The largest count that every JSON reader keeps exactly (RFC 7493)."""

_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)

# A loose scan of the index: as many steps as there are streams, not as many as there are entries.
_STREAMS: Final = """
WITH RECURSIVE name(stream) AS (
    SELECT min(stream) FROM entry
    UNION ALL
    SELECT (SELECT min(stream) FROM entry WHERE stream > name.stream) FROM name WHERE name.stream IS NOT NULL
)
SELECT stream, (SELECT max(version) FROM entry WHERE entry.stream = name.stream) FROM name WHERE stream IS NOT NULL
"""


def append(connection: apsw.Connection, drafts: Sequence[Draft], *, fence: Fence | None) -> list[int]:
    """Append drafts under a fence. Raises LeaseLost, VersionConflict."""
    if fence is not None:
        _require(connection, fence)
    return [_append_one(connection, draft) for draft in drafts]


def _require(connection: apsw.Connection, fence: Fence) -> None:
    held = connection.execute(
        "SELECT 1 FROM lease WHERE name = ? AND epoch = ? AND holder <> ''", (fence.name, fence.epoch)
    ).get
    if held is None:
        raise LeaseLost(name=fence.name)


def _append_one(connection: apsw.Connection, draft: Draft) -> int:
    last = connection.execute("SELECT max(version) FROM entry WHERE stream = ?", (draft.stream,)).get or 0
    if draft.version != last + 1:
        return _known(connection, draft)
    try:
        position = connection.execute(
            "INSERT INTO entry (position, stream, version, key, data)"
            # `WHERE true` tells the grammar that ON belongs to the INSERT, not to a join.
            " SELECT coalesce(max(position) + 1, 0), ?, ?, ?, ? FROM entry WHERE true"
            " ON CONFLICT (key) DO NOTHING RETURNING position",
            (draft.stream, draft.version, draft.key, draft.data),
        ).get
    except apsw.ConstraintError as error:
        # The unique key is the real guard; the look before it only finds the gap that a unique key cannot see.
        raise VersionConflict(stream=draft.stream, expected=draft.version - 1) from error
    return _known(connection, draft) if position is None else int(position)


def _known(connection: apsw.Connection, draft: Draft) -> int:
    """Return where this act was recorded before. Raises VersionConflict when it never was: then its version is wrong."""
    position = connection.execute("SELECT position FROM entry WHERE key = ?", (draft.key,)).get
    if position is None:
        raise VersionConflict(stream=draft.stream, expected=draft.version - 1)
    return int(position)


def entries(connection: apsw.Connection, *, start: int, stop: int | None) -> list[bytes]:
    if stop is None:
        rows = connection.execute("SELECT data FROM entry WHERE position >= ? ORDER BY position", (start,))
    else:
        rows = connection.execute(
            "SELECT data FROM entry WHERE position >= ? AND position < ? ORDER BY position", (start, stop)
        )
    return [data for (data,) in rows]


def streams(connection: apsw.Connection) -> Mapping[str, int]:
    return {str(name): int(last) for name, last in connection.execute(_STREAMS)}


def stream(connection: apsw.Connection, name: str) -> list[bytes]:
    rows = connection.execute("SELECT data FROM entry WHERE stream = ? ORDER BY version", (name,))
    return [data for (data,) in rows]


def acquire(connection: apsw.Connection, name: str, *, holder: str, ttl: timedelta, now: datetime) -> Lease | None:
    """Take, renew, or find it held by another. Raises Invalid for a time without zone or an empty holder."""
    if not holder:
        raise Invalid("A lease needs a holder's name.")
    if now.tzinfo is None:
        raise Invalid("A lease needs the time with its zone.")
    until = now + ttl
    instant = (now - _BEGINNING) // _TICK
    found = connection.execute("SELECT holder, epoch, until FROM lease WHERE name = ?", (name,)).fetchone()
    held_by, last, ends = found if found is not None else ("", 0, 0)
    running = bool(held_by) and instant < ends
    if running and held_by != holder:
        return None
    epoch = last if running else last + 1
    connection.execute(
        "INSERT INTO lease (name, holder, epoch, until) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = excluded.epoch, until = excluded.until",
        (name, holder, epoch, (until - _BEGINNING) // _TICK),
    )
    return Lease(name=name, holder=holder, epoch=epoch, until=until)


def release(connection: apsw.Connection, lease: Lease) -> None:
    connection.execute(
        "UPDATE lease SET holder = '' WHERE name = ? AND holder = ? AND epoch = ?",
        (lease.name, lease.holder, lease.epoch),
    )


def save(connection: apsw.Connection, totals: Sequence[Total]) -> None:
    """Keep the maximum. Raises Invalid."""
    for total in totals:
        require_countable(total)
    connection.executemany(
        "INSERT INTO total (cell, source, epoch, count) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (cell, source, epoch) DO UPDATE SET count = excluded.count WHERE excluded.count > count",
        [(total.cell, total.source, total.epoch, total.count) for total in totals],
    )


def load(connection: apsw.Connection, prefix: str) -> list[Total]:
    # GLOB and LIKE would read the prefix as a pattern; substr compares it as it is, after the index found where it starts.
    rows = connection.execute(
        "SELECT source, epoch, cell, count FROM total WHERE cell >= ?1 AND substr(cell, 1, length(?1)) = ?1"
        " AND (?2 IS NULL OR cell < ?2) ORDER BY cell, source, epoch",
        (prefix, _after(prefix)),
    )
    return [Total(source=source, epoch=epoch, cell=cell, count=count) for source, epoch, cell, count in rows]


def _after(prefix: str) -> str | None:
    """Return a string above all that start with the prefix, so that one range reads them; None when there is no end."""
    if not prefix or ord(prefix[-1]) >= 0xD7FF:
        return None
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def once(connection: apsw.Connection, keys: Sequence[str], totals: Sequence[Total]) -> list[bool]:
    """Count what was never seen. Raises Invalid."""
    if len(keys) != len(totals):
        raise Invalid(f"{len(keys)} keys came with {len(totals)} totals; each key needs its own.")
    return [_once(connection, key, total) for key, total in zip(keys, totals, strict=True)]


def _once(connection: apsw.Connection, key: str, total: Total) -> bool:
    require_countable(total)
    connection.execute("INSERT INTO seen (key) VALUES (?) ON CONFLICT DO NOTHING", (key,))
    if connection.changes() == 0:
        return False
    try:
        connection.execute(
            "INSERT INTO total (cell, source, epoch, count) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (cell, source, epoch) DO UPDATE SET count = count + excluded.count",
            (total.cell, total.source, total.epoch, total.count),
        )
    except apsw.ConstraintError as error:
        raise Invalid(f"The count of {total.cell} would exceed {LARGEST}.") from error
    return True


def once_alike(
    connection: apsw.Connection, keys: Sequence[bytes], places: Sequence[int], groups: Sequence[Alike]
) -> list[bytes | None]:
    """Count what was never seen, by groups. Raises Invalid."""
    if len(keys) != len(places):
        raise Invalid(f"{len(keys)} keys came with {len(places)} places; each key needs its own.")
    for group in groups:
        for total in group.totals:
            require_countable(total)
    firsts = dict(zip(reversed(keys), reversed(places), strict=True))
    # In the order of the tree, so that neighbours share the pages that are read and written.
    ordered = tuple(sorted(firsts))
    known: dict[bytes, bytes] = dict(
        connection.execute("SELECT key, note FROM carray(?) JOIN told ON key = value", (apsw.carray(ordered),))
        if ordered
        else ()
    )
    new = [key for key in ordered if key not in known] if known else ordered
    connection.executemany(
        "INSERT INTO told (key, note) VALUES (?, ?)", [(key, groups[firsts[key]].note) for key in new]
    )
    _grow(connection, Counter(map(firsts.__getitem__, new)), groups)
    if len(new) == len(keys):
        return [None] * len(keys)
    waiting = set(new)
    answers: list[bytes | None] = []
    for key in keys:
        if key in waiting:
            waiting.remove(key)
            answers.append(None)
        else:
            answers.append(known[key] if key in known else groups[firsts[key]].note)
    return answers


def _grow(connection: apsw.Connection, sizes: Mapping[int, int], groups: Sequence[Alike]) -> None:
    """Add so many times what a group adds. Raises Invalid."""
    growth: dict[tuple[str, str, int], int] = {}
    for place, size in sizes.items():
        for total in groups[place].totals:
            at = (total.cell, total.source, total.epoch)
            growth[at] = growth.get(at, 0) + size * total.count
    try:
        connection.executemany(
            "INSERT INTO total (cell, source, epoch, count) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (cell, source, epoch) DO UPDATE SET count = count + excluded.count",
            [(*at, count) for at, count in sorted(growth.items())],
        )
    except (apsw.ConstraintError, OverflowError) as error:
        raise Invalid(f"A count would exceed {LARGEST}.") from error


def has_noted(connection: apsw.Connection, prefix: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM seen WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1 AND (?2 IS NULL OR key < ?2) LIMIT 1",
        (prefix, _after(prefix)),
    ).get
    return found is not None


def require_countable(total: Total) -> None:
    """Refuse a count that is no count. Raises Invalid."""
    if not 0 <= total.count <= LARGEST or not 0 <= total.epoch <= LARGEST:
        raise Invalid(f"{total.cell} of {total.source}: count and epoch must be between 0 and {LARGEST}.")


def summarise(connection: apsw.Connection, summaries: Mapping[str, bytes], *, drop: Sequence[str]) -> None:
    """Replace and drop."""
    connection.executemany(
        "INSERT INTO summary (name, data) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data",
        list(summaries.items()),
    )
    connection.executemany("DELETE FROM summary WHERE name = ?", [(name,) for name in drop])


def summaries(connection: apsw.Connection, prefix: str) -> dict[str, bytes]:
    rows = connection.execute(
        "SELECT name, data FROM summary WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1"
        " AND (?2 IS NULL OR name < ?2) ORDER BY name",
        (prefix, _after(prefix)),
    )
    return {str(name): bytes(data) for name, data in rows}


def keep(connection: apsw.Connection, size: int, note: bytes) -> None:
    """Keep one checkpoint per size. Raises Conflict for a second, different one: two stories about one ledger."""
    connection.execute("INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING", (size, note))
    kept: bytes = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).get
    if not is_same_story(kept, note):
        raise Conflict(f"There is another checkpoint for a ledger of {size} entries already. It was kept.")


def is_same_story(kept: bytes, note: bytes) -> bool:
    """Tell whether what is kept is this note, with or without the lines of witnesses under it."""
    return kept == note or (note.endswith(b"\n") and kept.startswith(note))


def cosign(connection: apsw.Connection, size: int, line: bytes) -> None:
    """Add a line to a checkpoint's note, once. Raises NotFound."""
    kept: bytes | None = connection.execute("SELECT note FROM checkpoint WHERE size = ?", (size,)).get
    if kept is None:
        raise NotFound(what="checkpoint over as many entries as", name=str(size))
    if line not in kept.splitlines(keepends=True):
        connection.execute("UPDATE checkpoint SET note = ? WHERE size = ?", (kept + line, size))


def checkpoints(connection: apsw.Connection) -> list[bytes]:
    return [note for (note,) in connection.execute("SELECT note FROM checkpoint ORDER BY size")]
