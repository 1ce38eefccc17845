"""Both prediction logs keep the port's promises, and the one in files keeps them over a restart."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import duckdb
import pytest

from glideslope.adapters.logs.parquet import sql
from glideslope.adapters.logs.parquet.log import MOST_FILES, ParquetLog
from glideslope.domain.logged import OutcomeRow, PredictionRow, RequestRow
from glideslope.domain.metric import BRIER, CALIBRATION, LOG_LOSS, WRONG, outcome_bin
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.testing.contracts.prediction_log import (
    HIGH,
    MODEL,
    NOON,
    ROLLOUT,
    SETTLE,
    PredictionLogContract,
    outcome,
    prediction,
    question,
    request,
)
from glideslope.testing.logs import MemoryLog


class TestMemoryLog(PredictionLogContract):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog()


class TestParquetLog(PredictionLogContract):
    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[ParquetLog]:
        async with ParquetLog(tmp_path / "log") as log:
            yield log


@pytest.mark.slow
class TestParquetLogOfManyFiles(PredictionLogContract):
    """Each write becomes a Parquet file of its own before the next question."""

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[ParquetLog]:
        async with _Compacting(tmp_path / "log") as log:
            yield log


async def test_everything_written_is_there_after_a_restart_and_its_numbers_go_on(tmp_path: Path) -> None:
    async with ParquetLog(tmp_path / "log") as log:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], outcomes=[outcome("a", True)], now=NOON)
        mark = log.mark()

    async with ParquetLog(tmp_path / "log") as log:
        assert log.mark() > mark
        await log.write(outcomes=[outcome("a", False)], now=NOON - 5)  # the log's clock does not run back
        found = await log.join(question(until=NOON + 2 * SETTLE))
        assert [(g.count, g.bins) for g in found.groups] == [(1, {WRONG.name: 1})]


async def test_a_file_of_before_a_column_was_added_is_read_beside_those_of_after(tmp_path: Path) -> None:
    """Schemas change: what an old file does not know is empty, and what a newer one knows beyond ours is left alone."""
    async with ParquetLog(tmp_path / "log") as log:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)
        log.compact()
        [path] = (tmp_path / "log" / "predictions").glob("*.parquet")
        with duckdb.connect() as other:
            other.execute(f"CREATE TABLE t AS SELECT * EXCLUDE (attributes), 1 AS later FROM '{path}'")  # noqa: S608 - our own path
            other.execute(f"COPY t TO '{path}' (FORMAT parquet)")
        await log.write(predictions=[prediction("b", number=2, subject=2, score=HIGH)], now=NOON)
        await log.write(outcomes=[outcome("a", True), outcome("b", True)], now=NOON)

        found = await log.join(question(until=NOON + 2 * SETTLE))
        assert sum(g.count for g in found.groups) == 2


async def test_old_files_are_forgotten_whole(tmp_path: Path) -> None:
    async with ParquetLog(tmp_path / "log") as log:
        await log.write(predictions=[prediction("a", subject=1)], now=NOON)
        log.compact()
        await log.write(predictions=[prediction("b", number=2, subject=2)], now=NOON + 5)
        log.compact()

        assert await log.forget(before=NOON + 5) == 1
        assert sum(c.subjects for c in await log.cohorts(MODEL, ROLLOUT)) == 1


async def test_many_small_files_become_one(tmp_path: Path) -> None:
    async with ParquetLog(tmp_path / "log") as log:
        for k in range(MOST_FILES + 3):
            await log.write(requests=[request(k + 1, subject=k)], now=NOON)
            log._tables["requests"].cut()
            log._number += 1
            if k % 2:
                log.compact()
        assert not log.trouble
        assert len(list((tmp_path / "log" / "requests").iterdir())) <= MOST_FILES + 1
        rows = await log._ask(lambda: log._rows("SELECT count(*), count(DISTINCT n) FROM requests", {}))
        assert rows == [(MOST_FILES + 3, MOST_FILES + 3)]


@pytest.mark.parametrize("where", ["before the journals go", "before the half is whole"])
async def test_a_crash_while_journals_become_parquet_loses_and_doubles_nothing(tmp_path: Path, where: str) -> None:
    folder = tmp_path / "log"
    async with ParquetLog(folder) as log:
        await log.write(requests=[request(1, subject=1)], now=NOON)
    kept = {path.name: path.read_bytes() for path in (folder / "requests").iterdir()}
    async with ParquetLog(folder) as log:
        log.compact()
    if where == "before the half is whole":
        [path] = (folder / "requests").glob("*.parquet")
        (folder / "requests" / "new.parquet.tmp").write_bytes(path.read_bytes()[:50])
        path.unlink()
    for name, content in kept.items():
        (folder / "requests" / name).write_bytes(content)

    async with ParquetLog(folder) as log:
        rows = await log._ask(lambda: log._rows("SELECT count(*) FROM requests", {}))
        assert rows == [(1,)]
        assert not list((folder / "requests").glob("*.tmp"))


@pytest.mark.parametrize("tail", [b'{"n":1,"rec', b"\0\0\0\0\n", b"[1,2,3]\n", b'{"n":1}\n'])
async def test_what_a_crash_left_at_the_end_of_a_journal_is_no_row(tmp_path: Path, tail: bytes) -> None:
    async with ParquetLog(tmp_path / "log") as log:
        await log.write(requests=[request(1, subject=1)], now=NOON)
    [journal] = (tmp_path / "log" / "requests").glob("*.ndjson")
    with journal.open("ab") as file:
        file.write(tail)

    async with ParquetLog(tmp_path / "log") as log:
        assert log.torn == len(tail)
        assert await log._ask(lambda: log._rows("SELECT count(*) FROM requests", {})) == [(1,)]


WRITER = """
import asyncio, sys
from pathlib import Path
from glideslope.adapters.logs.parquet.log import ParquetLog
from glideslope.testing.contracts.prediction_log import NOON, request

async def main():
    log = ParquetLog(Path(sys.argv[1]), most_bytes=20_000)
    number = int(sys.argv[2])
    while True:
        await log.write(requests=[request(number + k, subject=1) for k in range(20)], now=NOON)
        number += 20
        print(number - 1, flush=True)

asyncio.run(main())
"""


async def test_nothing_acknowledged_is_lost_and_nothing_doubled_when_the_writer_is_killed(tmp_path: Path) -> None:
    """Kill -9 at moments that fall into writes, into making Parquet and into neither; several times in a row."""
    acknowledged = 0
    for round_ in range(4):
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WRITER, str(tmp_path / "log"), str(acknowledged + 1), stdout=asyncio.subprocess.PIPE
        )
        assert writer.stdout is not None
        for _ in range(30 + 11 * round_):
            acknowledged = int(await writer.stdout.readline())
        writer.kill()
        # What was printed before the kill was acknowledged too.
        for line in (await writer.stdout.read()).splitlines():
            acknowledged = int(line)
        await writer.wait()
        async with ParquetLog(tmp_path / "log") as log:
            rows = await log._ask(lambda log=log: log._rows("SELECT number FROM requests ORDER BY number", {}))  # type: ignore[misc]  # bound now
        numbers = [number for (number,) in rows]
        assert numbers[:acknowledged] == list(range(1, acknowledged + 1))
        # One write may have been done and not told.
        assert len(numbers) <= acknowledged + 20
        acknowledged = len(numbers)


def test_sql_and_counters_bin_every_score_alike() -> None:
    """All 131,072 pairs of score and outcome, for each loss: the recomputation agrees to the last count or is worth nothing."""
    values = {"levels": SCORE_LEVELS}
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE truths AS SELECT 's1' AS step, score || CASE WHEN happened THEN 'true' ELSE 'false' END AS arm,"
            " 'all' AS slice, score, happened FROM range(65536) s(score), (VALUES (true), (false)) h(happened)"
        )
        for metric in (LOG_LOSS, BRIER, WRONG, CALIBRATION):
            text, last = sql.JOINTLY, len(metric.edges) - 1
            if metric.loss is not None:
                text = sql.LOSSES.format(loss=sql.LOSS[metric.loss.value], bin=sql.BIN[metric.kind.value])
                last = metric.bins - 1
            asked = values | {"edges": list(metric.edges), "last": last}
            used = {name: value for name, value in asked.items() if f"${name}" in text}
            found = {arm: bin_ for _, arm, _, bin_, _ in connection.execute(text, used).fetchall()}
            for score in range(SCORE_LEVELS + 1):
                for happened in (True, False):
                    expected = outcome_bin(metric, probability=score / SCORE_LEVELS, happened=happened)
                    assert found[f"{score}{'true' if happened else 'false'}"] == expected, (
                        metric.name,
                        score,
                        happened,
                    )


def test_the_files_columns_are_the_rows_fields() -> None:
    for name, kind in (("predictions", PredictionRow), ("requests", RequestRow), ("outcomes", OutcomeRow)):
        assert tuple(sql.COLUMNS[name]) == kind.__struct_fields__


class _Compacting(ParquetLog):
    async def write(self, **rows: object) -> None:  # type: ignore[override]  # passes on whatever it is given
        await super().write(**rows)  # type: ignore[arg-type]  # as above
        self.compact()
        assert not self.trouble
