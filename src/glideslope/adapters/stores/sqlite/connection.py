"""Opens one SQLite database the one safe way, and brings its schema up to date.

WAL with synchronous=FULL: with NORMAL, emulated power cuts lost acknowledged events in 97 of 150 runs.
"""

from importlib import resources
from pathlib import Path
from typing import Final

import apsw

from glideslope.adapters.stores.sqlite.errors import translated
from glideslope.domain.errors import StoreCorrupt, StoreUnavailable

OLDEST_SAFE: Final = (3, 51, 3)
"""SQLite below this can corrupt a database when a WAL is reset (https://sqlite.org/wal.html, "the WAL-reset bug")."""

_WAL_KEPT: Final = 64 * 1024 * 1024


def migrations() -> dict[int, str]:
    """Return the schema's steps by number, dense from 1."""
    folder = resources.files("glideslope.adapters.stores.sqlite") / "migrations"
    steps = {int(file.name[:4]): file.read_text("utf-8") for file in folder.iterdir() if file.name.endswith(".sql")}
    return dict(sorted(steps.items()))


def require_safe_library(version: str) -> None:
    """Refuse a library that can corrupt a WAL. Raises StoreUnavailable."""
    if tuple(int(part) for part in version.split(".")) < OLDEST_SAFE:
        oldest = ".".join(map(str, OLDEST_SAFE))
        raise StoreUnavailable(
            f"SQLite {version} can corrupt a write-ahead log; {oldest} or newer is needed",
            next_command="pip install --upgrade apsw",
        )


def open_writer(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """Open for writing, create or migrate. Raises StoreCorrupt, StoreUnavailable (also for a newer schema than ours)."""
    require_safe_library(apsw.sqlite_lib_version())
    connection: apsw.Connection | None = None
    try:
        connection = apsw.Connection(str(path), vfs=vfs)
        _require_ours(connection, path=path)
        connection.pragma("journal_mode", "wal")
        _configure(connection)
        connection.pragma("synchronous", "full")
        connection.pragma("journal_size_limit", _WAL_KEPT)
        _migrate(connection)
        _make_certain(connection)
    except apsw.Error as error:
        _close(connection)
        raise translated(error, path=str(path)) from error
    except (StoreCorrupt, StoreUnavailable):
        _close(connection)
        raise
    return connection


def open_reader(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """Open for reading beside a writer. Raises StoreCorrupt, StoreUnavailable."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        _configure(connection)
    except apsw.Error as error:
        raise translated(error, path=str(path)) from error
    return connection


def _configure(connection: apsw.Connection) -> None:
    # The file lock keeps other servers away; a short patience serves a person's sqlite3 shell or a backup.
    connection.set_busy_timeout(2_000)
    connection.pragma("cell_size_check", "on")
    connection.pragma("trusted_schema", "off")


def _require_ours(connection: apsw.Connection, *, path: Path) -> None:
    """Look before writing: damage, another program's file and a newer schema are refused untouched."""
    newest = max(migrations())
    found = int(connection.pragma("user_version"))
    if found > newest:
        raise StoreUnavailable(
            f"{path} has schema {found} and this version reads up to {newest}; a newer Glideslope wrote it",
            next_command="pip install --upgrade glideslope",
        )
    tables = connection.execute("SELECT count(*) FROM sqlite_master").get
    if found == 0 and tables:
        raise StoreUnavailable(f"{path} is another program's database")
    verdict = connection.execute("PRAGMA quick_check(1)").get
    if verdict != "ok":
        raise StoreCorrupt(path=str(path), why=str(verdict))


def _migrate(connection: apsw.Connection) -> None:
    found = int(connection.pragma("user_version"))
    for number, script in migrations().items():
        if number > found:
            connection.execute(f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT")


def _make_certain(connection: apsw.Connection) -> None:
    """Sync what recovery found in the log, before anybody is told that it is there.

    A process that was killed between write and sync leaves commits which only the kernel's cache holds. A power cut may
    still take them, and who finds a key known acknowledges without a write.
    """
    try:
        _, logged, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").get
    except apsw.FullError:
        # The log is synced before anything is copied from it, and that takes no space.
        return
    if logged != copied:
        # Somebody reads an older state, so that not all was copied, or nothing: a commit syncs the whole log.
        version = int(connection.pragma("user_version"))
        connection.execute(f"BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT")


def _close(connection: apsw.Connection | None) -> None:
    if connection is not None:
        connection.close(True)
