"""`ParquetLog`: rows go into a synced journal, the journal becomes Parquet, DuckDB answers.

Measured (`benchmarks/join.py`): 1 million late outcomes joined to 10 million predictions, settled, told apart by subject and
binned, in about 1.6 s of CPU and 300 MB.

Long because it is one adapter of one port: what it asks is in `sql.py`, and its files are `journal.py`.
"""

import asyncio
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import duckdb
import msgspec

from glideslope.adapters.logs.parquet import comparisons, sql
from glideslope.adapters.logs.parquet.journal import Table
from glideslope.adapters.logs.parquet.recounting import counted, give_members, recounted
from glideslope.domain.errors import LogUnavailable
from glideslope.domain.ids import MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.logged import AnswersRow, BlockRow, OutcomeRow, PairRow, PredictionRow, RequestRow
from glideslope.domain.metric import (
    LOG_LOSS_CAP,
)
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import (
    MOST_CONTRADICTIONS,
    Cohort,
    Contradiction,
    Group,
    Join,
    Joined,
    Recount,
    Recounted,
    Recounts,
    Ripeness,
    Silence,
)

T = TypeVar("T")
Row = PredictionRow | RequestRow | OutcomeRow | PairRow | AnswersRow | BlockRow

MOST_BYTES: Final = 32 << 20
"""Of journals, before they become Parquet."""
MOST_JOURNALS: Final = 64
"""Of a table, before they become Parquet: each question closes one."""
MOST_FILES: Final = 64
"""Small Parquet files of a table, before they become one."""
SMALL: Final = 8 << 20
"""Bytes of a Parquet file that may yet be put together with others."""
MEMORY: Final = "320MB"
"""What DuckDB may hold at once; beyond that it spills into the log's folder."""
ROWS_PER_NUMBER: Final = 1 << 32
"""`n` of a row begins with its journal's number, so that it ascends over restarts."""

_KINDS: Final[Mapping[str, type[Row]]] = {
    "predictions": PredictionRow,
    "requests": RequestRow,
    "outcomes": OutcomeRow,
    "pairs": PairRow,
    "answers": AnswersRow,
    "blocks": BlockRow,
}
_STEPS: Final = (
    "said",
    "several",
    "joined",
    "doubled",
    "shared",
    "more",
    "members",
    "told",
    "known",
    "by_receipt",
    "by_join",
    "truths",
    "truth",
    "stood",
    "met",
    "made",
    "made_candidate",
    "made_incumbent",
)
FORMAT: Final = "(FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION v2)"
"""The second version keeps numbers that ascend as differences: a tenth smaller, and quicker to read."""
_NAMES: Final = re.compile(r"\$(\w+)")


@dataclass(slots=True)
class _Answering:
    """DuckDB and what it has been given; one question at a time."""

    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    bins: Mapping[MetricName, Sequence[int]] | None = None
    alike: Sequence[tuple[int, ...]] = ()


class ParquetLog:
    """Keeps the port PredictionLog in a folder that one server owns. Every method may raise LogUnavailable."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES, memory: str = MEMORY, threads: int = 2) -> None:
        """Open or create the log, and repair what a crash left. Raises LogUnavailable."""
        self.folder = folder
        self._most_bytes = most_bytes
        self._writing = threading.Lock()
        self._compacting: asyncio.Task[None] | None = None
        self.trouble = ""
        """Why the journals could not be made Parquet the last time; nothing is lost, and it is tried again."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._tables = {name: Table(folder / name, valid=_validator(kind)) for name, kind in _KINDS.items()}
            self._number = max(table.open() for table in self._tables.values()) + 1
            (folder / "spill").mkdir(exist_ok=True)
        except OSError as error:
            raise LogUnavailable(str(error)) from error
        self._n = self._number * ROWS_PER_NUMBER
        self._answering = _Answering(_connected(folder / "spill", memory=memory, threads=threads))
        self._clock = self._guarded(self._last_received)

    @property
    def torn(self) -> int:
        """Return how many bytes of unacknowledged rows were cut off when the log was opened."""
        return sum(table.torn for table in self._tables.values())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let another server have the folder. What was written is kept."""
        if self._compacting is not None:
            await asyncio.gather(self._compacting, return_exceptions=True)
        with self._writing:
            for table in self._tables.values():
                table.cut()
        with self._answering.lock:
            self._answering.connection.close()

    async def write(
        self,
        *,
        predictions: Sequence[PredictionRow] = (),
        requests: Sequence[RequestRow] = (),
        outcomes: Sequence[OutcomeRow] = (),
        pairs: Sequence[PairRow] = (),
        answers: Sequence[AnswersRow] = (),
        blocks: Sequence[BlockRow] = (),
        now: int,
    ) -> None:
        # Predictions first: an outcome that is kept without its prediction would wait for ever.
        rows: dict[str, Sequence[Row]] = {
            "predictions": predictions,
            "requests": requests,
            "outcomes": outcomes,
            "pairs": pairs,
            "answers": answers,
            "blocks": blocks,
        }
        await asyncio.to_thread(self._write, rows, now)
        if (self._compacting is None or self._compacting.done()) and self._is_due():
            self._compacting = asyncio.create_task(asyncio.to_thread(self.compact))

    def mark(self) -> int:
        return self._n

    async def join(self, asked: Join) -> Joined:
        return await self._ask(lambda: self._join(asked))

    async def silence(self, asked: Silence) -> Sequence[Recounted]:
        return await self._ask(lambda: self._silence(asked))

    async def recount(self, asked: Recount) -> Recounts:
        return await self._ask(lambda: recounted(self._rows, asked))

    async def claims(self, model: ModelName, rollout: RolloutId) -> Mapping[str, str]:
        rows = await self._ask(lambda: self._rows(comparisons.CLAIMS, {"model": model, "rollout": rollout}))
        return {key: cell for (claims,) in rows for key, cell in claims.items()}

    async def cohorts(self, model: ModelName, rollout: RolloutId) -> Sequence[Cohort]:
        asked = {"model": model, "rollout": rollout, "levels": SCORE_LEVELS, "cap": LOG_LOSS_CAP}
        rows = await self._ask(lambda: self._rows(sql.COHORTS, asked))
        return [
            Cohort(
                step=StepName(step),
                arm=Arm(arm),
                hour=hour,
                subjects=subjects,
                labelled=labelled,
                scored=scored,
                wrong=wrong,
                log_loss=log_loss,
                brier=brier,
            )
            for step, arm, hour, subjects, labelled, scored, wrong, log_loss, brier in rows
        ]

    async def ripeness(self, model: ModelName, rollout: RolloutId) -> Sequence[Ripeness]:
        rows = await self._ask(lambda: self._rows(sql.RIPENESS, {"model": model, "rollout": rollout}))
        return [
            Ripeness(step=StepName(step), arm=Arm(arm), slices=slices, subjects=subjects, labelled=labelled)
            for step, arm, slices, subjects, labelled in rows
        ]

    async def forget(self, *, before: int) -> int:
        return await self._ask(lambda: self._forget(before))

    def compact(self) -> None:
        """Make Parquet of the journals; harmless at any time. Keeps trouble for people to see, never raises."""
        try:
            with self._answering.lock:
                for name, table in self._tables.items():
                    with self._writing:
                        table.cut()
                        journals = table.closed()
                    if journals:
                        self._settle(
                            table, [path for _, path in journals], _journal_rows(name, [p for _, p in journals])
                        )
                    small = [path for path in table.parquet() if path.stat().st_size < SMALL]
                    if len(small) > MOST_FILES:
                        # Those after the first large one may not stand beside each other, and a name spans neighbours.
                        files = _neighbours(small, table.parquet())
                        self._settle(table, files, _parquet_rows(files))
            self.trouble = ""
        except (OSError, duckdb.Error, LogUnavailable) as error:
            self.trouble = str(error)

    def _settle(self, table: Table, files: Sequence[Path], rows: str) -> None:
        half = table.half()
        self._answering.connection.execute(
            f"COPY (SELECT * FROM {rows} ORDER BY n) TO {_quoted(half)} {FORMAT}"  # noqa: S608 - our own names
        )
        table.settle(files, half)

    def _write(self, rows: Mapping[str, Sequence[Row]], now: int) -> None:
        with self._writing:
            self._clock = max(self._clock, now)
            try:
                for name, batch in rows.items():
                    if batch:
                        self._append(self._tables[name], batch)
            except OSError as error:
                raise LogUnavailable(error.strerror or str(error)) from error

    def _append(self, table: Table, batch: Sequence[Row]) -> None:
        n = self._n
        lines = [
            msgspec.json.encode(msgspec.structs.replace(row, n=n + k, received=self._clock))
            for k, row in enumerate(batch, 1)
        ]
        if not table.live_bytes:
            self._number += 1
        table.append(lines, number=self._number)
        self._n = n + len(batch)

    def _is_due(self) -> bool:
        """Tell whether the journals have grown long, or many."""
        for table in self._tables.values():
            sizes = [path.stat().st_size for path in table.folder.glob("*.ndjson")]
            if sum(sizes) > self._most_bytes or len(sizes) > MOST_JOURNALS:
                return True
        return False

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.to_thread(self._guarded, question)

    def _guarded(self, question: Callable[[], T]) -> T:
        """Show DuckDB all rows as they are now, and ask; nothing is compacted or forgotten meanwhile."""
        with self._answering.lock:
            try:
                for name, table in self._tables.items():
                    with self._writing:
                        table.cut()
                        journals, parquet = table.closed(), table.parquet()
                    self._show(name, [path for _, path in journals], parquet)
                return question()
            except (OSError, duckdb.Error) as error:
                raise LogUnavailable(str(error).splitlines()[0]) from error
            finally:
                self._drop()

    def _show(self, name: str, journals: Sequence[Path], parquet: Sequence[Path]) -> None:
        columns = sql.COLUMNS[name]
        found = [_journal_rows(name, journals)] if journals else []
        if parquet:
            found.append(_parquet_rows(parquet))
        empty = ", ".join(f'NULL::{type_} AS "{column}"' for column, type_ in columns.items())
        names = ", ".join(f'"{column}"' for column in columns)
        # By name, so that a column which no file knows yet is empty and one that we do not know is left alone.
        parts = " UNION ALL BY NAME ".join([f"SELECT {empty} WHERE false", *(f"FROM {rows}" for rows in found)])
        self._answering.connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {names} FROM ({parts})")  # noqa: S608 - our own names

    def _drop(self) -> None:
        for table in _STEPS:
            with suppress(duckdb.Error):
                self._answering.connection.execute(f"DROP TABLE IF EXISTS {table}")

    def _rows(self, text: str, asked: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Run one statement with those of the values that it names."""
        named = frozenset(_NAMES.findall(text))
        used = {name: value for name, value in asked.items() if name in named}
        found: list[tuple[Any, ...]] = self._answering.connection.execute(text, used).fetchall()
        return found

    def _last_received(self) -> int:
        return max(int(self._rows(f"SELECT coalesce(max(received), 0) FROM {name}", {})[0][0]) for name in self._tables)  # noqa: S608 - our own names

    def _join(self, asked: Join) -> Joined:
        with self._writing:
            # What comes from now on is received no earlier, so that it cannot be due before.
            self._clock = max(self._clock, asked.until)
        values = {"model": asked.model, "rollout": asked.rollout, "until": asked.until, "settle": asked.settle}
        for step in (*sql.SAID, sql.JOINED):
            self._rows(step, values)
        ((waiting, has_doubles),) = self._rows(sql.TALLY, {})
        for step in (*(sql.UNDOUBLED if has_doubles else ()), *sql.SHARED):
            self._rows(step, values)
        give_members(self._rows, "SELECT DISTINCT slices FROM more", asked.members)
        alike = self._give_bins(asked.bins)
        groups = self._rows(sql.GROUPS, values)
        ((contradicted, late, examples),) = self._rows(sql.CONTRADICTED.format(most=MOST_CONTRADICTIONS), {})
        return Joined(
            groups=[
                Group(
                    StepName(step),
                    Arm(arm),
                    asked.members(slices) if slice_ is None else (SliceName(slice_),),
                    {} if which is None else dict(zip(asked.bins, alike[which], strict=True)),
                    count,
                )
                for step, arm, slices, slice_, which, count in groups
            ],
            waiting=waiting,
            contradicted=contradicted,
            late=late,
            contradictions=[Contradiction(**each) for each in examples or ()],
        )

    def _silence(self, asked: Silence) -> list[Recounted]:
        with self._writing:
            self._clock = max(self._clock, asked.until)
        values: dict[str, object] = {
            "model": asked.model,
            "rollout": asked.rollout,
            "until": asked.until,
            "within": asked.within,
        }
        return counted(self._rows, asked.metric, sql.SILENCE, values=values, members=asked.members)

    def _give_bins(self, bins: Mapping[MetricName, Sequence[int]]) -> Sequence[tuple[int, ...]]:
        """Tell which scores and outcomes fall alike in every metric; return the bins of each such set, by its number."""
        if self._answering.bins is not bins:
            sets: dict[tuple[int, ...], int] = {}
            runs: list[tuple[bool, int, int, int]] = []
            for happened in (False, True):
                first = 0
                places = zip(*(each[happened::2] for each in bins.values()), strict=True)
                for alike, run in groupby(places):
                    beyond = first + sum(1 for _ in run)
                    runs.append((happened, first, beyond, sets.setdefault(alike, len(sets))))
                    first = beyond
            columns = zip(*runs, strict=True) if runs else ((), (), (), ())
            self._rows(sql.BINS, dict(zip(("happened", "firsts", "beyonds", "alike"), map(list, columns), strict=True)))
            self._answering.bins, self._answering.alike = bins, tuple(sets)
        return self._answering.alike

    def _forget(self, before: int) -> int:
        """Drop whole Parquet files; a journal becomes one first when it is old."""
        dropped = 0
        for table in self._tables.values():
            for path in table.parquet():
                last, rows = self._rows(f"SELECT max(received), count(*) FROM read_parquet({_quoted(path)})", {})[0]  # noqa: S608 - our own path
                if last is not None and last < before:
                    path.unlink()
                    dropped += rows
        return dropped


def _validator(kind: type[Row]) -> Callable[[bytes], bool]:
    decoder = msgspec.json.Decoder(kind)

    def valid(line: bytes) -> bool:
        try:
            decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return False
        return True

    return valid


def _connected(spill: Path, *, memory: str, threads: int) -> Any:  # noqa: ANN401 - DuckDB's stubs lag behind it
    try:
        connection = duckdb.connect(
            config={
                "memory_limit": memory,
                "threads": threads,
                "temp_directory": str(spill),
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        # It would draw on the server's output.
        connection.execute("SET enable_progress_bar = false")
    except duckdb.Error as error:
        raise LogUnavailable(str(error).splitlines()[0]) from error
    return connection


def _journal_rows(name: str, journals: Sequence[Path]) -> str:
    columns = ", ".join(f"'{column}': '{type_}'" for column, type_ in sql.COLUMNS[name].items())
    files = ", ".join(map(_quoted, journals))
    return f"read_json([{files}], format = 'newline_delimited', columns = {{{columns}}})"


def _parquet_rows(files: Sequence[Path]) -> str:
    # By name, so that files of before a column was added are read beside those of after.
    return f"read_parquet([{', '.join(map(_quoted, files))}], union_by_name = true)"


def _neighbours(small: Sequence[Path], all_of_them: Sequence[Path]) -> list[Path]:
    """Return the longest run of small files that no large one divides."""
    runs: list[list[Path]] = [[]]
    for path in all_of_them:
        if path in small:
            runs[-1].append(path)
        else:
            runs.append([])
    return max(runs, key=len)


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
