"""Both prediction logs keep the port's promises, and the one in files keeps them over a restart."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from glideslope.adapters.logs.parquet.log import ParquetLog
from glideslope.testing.contracts.prediction_log import PredictionLogContract
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


class TestParquetLogOfManyFiles(PredictionLogContract):
    """Each write becomes a Parquet file of its own before the next question."""

    @pytest.fixture
    async def log(self, tmp_path: Path) -> AsyncIterator[ParquetLog]:
        async with _Compacting(tmp_path / "log") as log:
            yield log


class _Compacting(ParquetLog):
    async def write(self, **rows: object) -> None:  # type: ignore[override]  # passes on whatever it is given
        await super().write(**rows)  # type: ignore[arg-type]  # as above
        self.compact()
        assert not self.trouble
