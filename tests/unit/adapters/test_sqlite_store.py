"""What only the SQLite store promises: one server per file, nothing touched that is not understood, trouble survived."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from glideslope.adapters.stores.sqlite import SqliteStore
from glideslope.adapters.stores.sqlite.connection import migrations, require_safe_library
from glideslope.adapters.stores.sqlite.writer import Writer
from glideslope.domain.errors import StoreCorrupt, StoreInUse, StoreUnavailable, VersionConflict
from glideslope.engine.ports import Draft, Total
from glideslope.testing.contracts.store import draft


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


async def with_entries(path: Path, *, count: int, size: int = 100) -> None:
    async with SqliteStore(path) as store:
        await store.append([draft("a", version, data=bytes(size)) for version in range(1, count + 1)])


async def test_a_second_server_on_the_file_is_refused_by_the_name_of_the_first(path: Path) -> None:
    async with SqliteStore(path) as store:
        with pytest.raises(StoreInUse, match=f"process {os.getpid()}"):
            SqliteStore(path)
        await store.append([draft("a", 1)])

    async with SqliteStore(path) as store:
        assert await store.entries() == [b"a@1"]


def test_the_file_is_free_as_soon_as_its_holder_is_dead(path: Path) -> None:
    """However it died: the kernel drops the lock."""
    holding = "import sys, signal, pathlib; from glideslope.adapters.stores.sqlite import SqliteStore as S; "
    script = holding + "s = S(pathlib.Path(sys.argv[1])); print('held', flush=True); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            with pytest.raises(StoreInUse, match=f"process {holder.pid}"):
                SqliteStore(path)
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()

    asyncio.run(with_entries(path, count=1))


def test_the_lock_holds_where_nothing_can_be_written(path: Path) -> None:
    """As on a full disk: only the holder's number is missing, which is for people."""
    holding = "import sys, signal, resource, pathlib; from glideslope.adapters.stores.sqlite.lock import FileLock; "
    holding += "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); lock = FileLock(pathlib.Path(sys.argv[1])); "
    script = holding + "sys.stdout.write('held'); sys.stdout.flush(); signal.pause()"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        try:
            assert holder.stdout.read(4) == b"held"
            with pytest.raises(StoreInUse, match="process unknown"):
                SqliteStore(path)
        finally:
            holder.kill()


def test_a_schema_newer_than_ours_is_refused_untouched(path: Path) -> None:
    asyncio.run(with_entries(path, count=1))
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 99)
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable, match="schema 99"):
        SqliteStore(path)

    assert path.read_bytes() == before


def test_another_programs_database_is_refused_untouched(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreUnavailable, match="another program's"):
        SqliteStore(path)

    assert path.read_bytes() == before


def test_what_is_no_database_is_refused_untouched(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)
    before = path.read_bytes()

    with pytest.raises(StoreCorrupt):
        SqliteStore(path)

    assert path.read_bytes() == before


@pytest.mark.parametrize("page", [1, 2, 3, 10, 40])
def test_a_damaged_page_is_found_when_opening(path: Path, page: int) -> None:
    asyncio.run(with_entries(path, count=500, size=1_000))
    content = bytearray(path.read_bytes())
    content[page * 4096 : page * 4096 + 64] = b"\xa5" * 64
    path.write_bytes(content)

    with pytest.raises(StoreCorrupt, match="damaged"):
        SqliteStore(path)

    assert path.read_bytes() == content


def test_a_shortened_file_is_found_when_opening(path: Path) -> None:
    asyncio.run(with_entries(path, count=500, size=1_000))
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(StoreCorrupt):
        SqliteStore(path)


def test_a_refused_file_is_not_kept_locked(path: Path) -> None:
    path.write_bytes(b"x" * 5_000)
    for _ in range(2):
        with pytest.raises(StoreCorrupt):
            SqliteStore(path)


def test_a_folder_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        SqliteStore(tmp_path / "nowhere" / "state.db")


async def test_no_space_is_said_and_work_goes_on_when_space_returns(path: Path) -> None:
    async with SqliteStore(path) as store:
        await store.append([draft("a", 1)])
        writing = store._writer._connection
        most = writing.pragma("max_page_count")
        writing.pragma("max_page_count", writing.pragma("page_count"))

        with pytest.raises(StoreUnavailable, match="no space"):
            await store.append([draft("a", 2, data=bytes(100_000))])
        assert await store.entries() == [b"a@1"]

        writing.pragma("max_page_count", most)
        assert await store.append([draft("a", 2)]) == [1]


class FaultyDisk(apsw.VFS):
    """Fails writes with `fault` while there is one."""

    def __init__(self) -> None:
        self.name = "faulty"
        self.fault: type[apsw.Error] | None = None
        super().__init__(self.name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    def __init__(self, on: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._on = on
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        if self._on.fault is not None:
            raise self._on.fault("injected")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if self._on.fault is not None:
            raise self._on.fault("injected")
        super().xSync(flags)


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    made = FaultyDisk()
    try:
        yield made
    finally:
        made.unregister()


@pytest.mark.parametrize("fault", [apsw.FullError, apsw.IOError, apsw.CantOpenError])
async def test_a_failing_disk_is_said_to_all_who_wait_and_work_goes_on_afterwards(
    path: Path, fault: type[apsw.Error]
) -> None:
    with faulty_disk() as on:
        async with SqliteStore(path, vfs=on.name) as store:
            await store.append([draft("a", 1)])
            on.fault = fault
            acts = [store.append([draft(f"s{number}", 1)]) for number in range(10)]
            answers = await asyncio.gather(*acts, store.keep(1, b"of 1"), return_exceptions=True)
            assert [type(answer) for answer in answers] == [StoreUnavailable] * 11
            assert await store.entries() == [b"a@1"]

            on.fault = None
            assert await store.append([draft("s3", 1)]) == [1]
            assert await store.streams() == {"a": 1, "s3": 1}


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT INTO entry", "COMMIT", "SAVEPOINT act", "ROLLBACK"])
async def test_a_lack_of_memory_is_said_and_does_not_end_the_writer(path: Path, statement: str) -> None:
    """Wherever it strikes: a writer that had ended would let everybody wait for ever."""

    def lacking(_: object, sql: str, __: object) -> bool:
        if sql.strip().startswith(statement):
            raise MemoryError
        return True

    async with SqliteStore(path) as store:
        await store.append([draft("a", 1)])
        store._writer._connection.exec_trace = lacking
        async with asyncio.timeout(5):
            # Two at a time, one of which fails by itself: then each is run by itself.
            answers = await asyncio.gather(
                store.append([draft("a", 2)]), store.append([draft("b", 7)]), return_exceptions=True
            )
        assert any(isinstance(answer, StoreUnavailable | VersionConflict) for answer in answers)
        assert not any(isinstance(answer, MemoryError) for answer in answers)
        store._writer._connection.exec_trace = None
        async with asyncio.timeout(5):
            await store.append([draft("a", 2)])
        assert await store.stream("a") == [b"a@1", b"a@2"]


async def test_a_lack_of_memory_while_reading_is_said(path: Path) -> None:
    def lacking(*_: object) -> bool:
        raise MemoryError

    async with SqliteStore(path) as store:
        store._reader.exec_trace = lacking
        with pytest.raises(StoreUnavailable, match="no memory is left"):
            await store.entries()
        store._reader.exec_trace = None
        assert await store.entries() == []


async def test_a_draft_that_cannot_be_stored_fails_only_its_own_caller(path: Path) -> None:
    """Whatever is wrong with it: a key that is no text, a version no integer holds, content beyond any limit."""
    hopeless = [
        Draft(stream="x", version=1, data=b"", key="\ud800"),
        Draft(stream="\ud800", version=1, data=b"", key="k"),
        Draft(stream="x", version=2**70, data=b"", key="k2"),
        Draft(stream="x", version=1, data=bytes(2_000_000), key="k3"),
    ]
    async with SqliteStore(path) as store:
        store._writer._connection.limit(apsw.SQLITE_LIMIT_LENGTH, 1_000_000)
        good = [store.append([draft(f"s{number}", 1)]) for number in range(4)]
        bad = [store.append([one]) for one in hopeless]
        answers = await asyncio.gather(
            *(act for both in zip(good, bad, strict=True) for act in both), return_exceptions=True
        )

        assert [isinstance(answer, Exception) for answer in answers] == [False, True] * 4
        assert len(await store.entries()) == 4


def test_one_plain_file_remains_after_closing(path: Path) -> None:
    """So that copying the database copies the state."""
    asyncio.run(with_entries(path, count=10))

    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db.lock"]


async def test_what_a_refused_act_did_before_it_failed_is_undone(path: Path) -> None:
    async with SqliteStore(path) as store:
        neighbour = store.append([draft("b", 1)])
        refused = store.append([draft("a", 1), draft("a", 3)])
        answers = await asyncio.gather(neighbour, refused, return_exceptions=True)

        assert isinstance(answers[1], VersionConflict)
        assert await store.streams() == {"b": 1}


async def test_a_caller_that_stops_waiting_harms_nobody(path: Path) -> None:
    async with SqliteStore(path) as store:
        impatient = asyncio.create_task(store.append([draft("a", 1)]))
        patient = asyncio.create_task(store.append([draft("b", 1)]))
        await asyncio.sleep(0)
        impatient.cancel()

        await patient
        with pytest.raises(asyncio.CancelledError):
            await impatient
        assert await store.append([draft("c", 1)]) == [2]


async def test_closing_finishes_what_waits(path: Path) -> None:
    store = SqliteStore(path)
    waiting = [asyncio.create_task(store.append([draft(f"s{number}", 1)])) for number in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*waiting)

    async with SqliteStore(path) as again:
        assert len(await again.entries()) == 50


async def test_a_closed_store_says_so(path: Path) -> None:
    store = SqliteStore(path)
    await store.close()
    await store.close()

    for act in (store.append([draft("a", 1)]), store.entries(), store.load(""), store.save([])):
        with pytest.raises(StoreUnavailable, match="closed"):
            await act


async def test_several_event_loops_may_share_the_store(path: Path) -> None:
    async with SqliteStore(path) as store:

        def elsewhere(number: int) -> None:
            asyncio.run(store.save([Total(source=f"s{number}", epoch=1, cell="c", count=number)]))

        threads = [threading.Thread(target=elsewhere, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

        assert [total.count for total in await store.load("c")] == [0, 1, 2, 3]


async def test_those_who_wait_share_one_sync(path: Path) -> None:
    async with SqliteStore(path) as store:
        before = store._writer.groups
        await asyncio.gather(*(store.append([draft(f"s{number}", 1)]) for number in range(200)))

        assert store._writer.groups - before < 50


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.17"])
def test_a_library_that_can_corrupt_a_log_is_refused(version: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"3\.51\.3"):
        require_safe_library(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.54.1", "4.0.0"])
def test_a_safe_library_is_accepted(version: str) -> None:
    require_safe_library(version)


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert list(migrations()) == list(range(1, len(migrations()) + 1))


async def test_commits_wait_for_the_disk(path: Path) -> None:
    """With anything less than FULL, emulated power cuts lost acknowledged events."""
    async with SqliteStore(path) as store:
        writing = store._writer._connection

        assert (writing.pragma("journal_mode"), writing.pragma("synchronous")) == ("wal", 2)


def test_a_writer_closes_twice(path: Path) -> None:
    writer = Writer(apsw.Connection(str(path)), path=str(path))
    writer.close()
    writer.close()
