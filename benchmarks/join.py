"""Late outcomes at scale: 1 million statements about ids of callers' own joined to 10 million predictions, and outcomes by receipt.

Goals: the join within 2 s and 512 MB; 200,000 outcomes by receipt a second. `peak` is the largest resident set of a fresh process
that opens the log and joins once (getrusage). Beside it, the same question as plain SQL over the same files, and in pandas-like
Python dictionaries on a tenth of the rows.
"""

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from glideslope.adapters.logs.parquet import sql
from glideslope.adapters.logs.parquet.log import FORMAT, ParquetLog
from glideslope.domain.ids import MetricName, ModelName, RolloutId
from glideslope.domain.metric import BUILT_IN
from glideslope.domain.receipt import NO_SLICE, SCORE_LEVELS, Receipt, ReceiptKey, mint, model_hash, read
from glideslope.domain.traffic import Arm
from glideslope.engine.log_desk import bins_of, members_of
from glideslope.engine.prediction_log import Join

MODEL, ROLLOUT = ModelName("delays"), RolloutId("r-0001")
FILES = 10
START = 1_800_000_000_000


def make(folder: Path, predictions: int, outcomes: int) -> None:
    """Write predictions of a day in as many files, and outcomes of a sample of them: shuffled, 5 % of them corrected once."""
    log = ParquetLog(folder)
    asyncio.run(log.close())
    per = predictions // FILES
    every = predictions // outcomes
    with duckdb.connect(config={"memory_limit": "800MB", "preserve_insertion_order": False}) as c:
        c.execute("SET enable_progress_bar = false")
        for k in range(FILES):
            c.execute(
                f"""COPY (SELECT {1 << 32} + i AS n, {START} + i // 100 AS received, '{MODEL}' AS model, 'svc' AS source,
                1::BIGINT AS epoch, i AS number, 'order-' || hash(i) AS prediction,
                (hash('order-' || hash(i)) >> 1)::BIGINT AS key, {START} + i // 100 AS "at", '{ROLLOUT}' AS rollout,
                's' || (1 + i % 2) AS step, CASE WHEN hash(i * 7) % 4 = 0 THEN 'candidate' ELSE 'incumbent' END AS arm,
                (hash(i) >> 30)::BIGINT AS request, (hash(i * 3) >> 2)::BIGINT AS subject,
                '{{"origin":"' || ['EWR', 'JFK', 'LGA'][1 + (hash(i * 11) % 3)::INTEGER] || '"}}' AS slices,
                (hash(i * 13) % 65536)::INTEGER AS score, MAP{{}}::MAP(VARCHAR, DOUBLE) AS metrics,
                MAP{{}}::MAP(VARCHAR, VARCHAR) AS attributes FROM range({k * per}, {(k + 1) * per}) t(i))
                TO '{folder}/predictions/{2 * k + 1:010d}-{2 * k + 2:010d}.parquet' {FORMAT}"""  # noqa: S608
            )
        c.execute(
            f"""COPY (SELECT row_number() OVER () AS n, * FROM (SELECT {START} + 86400000 + j * 30000 AS received,
            '{MODEL}' AS model, 'order-' || hash(i) AS prediction, (hash('order-' || hash(i)) >> 1)::BIGINT AS key,
            {START} + j AS "at", (hash(i * 17) % 10 < 3) <> (j = 1) AS happened, 'ada' AS by, false AS counted, '' AS rollout,
            '' AS step, 'incumbent' AS arm, 0::BIGINT AS unit, '{{}}' AS slices, -1 AS score
            FROM range(0, {predictions}, {every}) t(i), range(0, 1 + (hash(i) % 20 = 0)::INTEGER) u(j) ORDER BY hash(i)))
            TO '{folder}/outcomes/{1:010d}-{2:010d}.parquet' {FORMAT}"""  # noqa: S608 - our own numbers
        )


def question() -> Join:
    """Ask for everything."""
    metrics = tuple(m for m in BUILT_IN.values() if m.loss is not None)
    return Join(
        model=MODEL,
        rollout=ROLLOUT,
        until=START + 10 * 86_400_000,
        settle=60_000,
        bins=bins_of(metrics),
        members=members,
    )


def members(text: str) -> Any:  # noqa: ANN401 - slices
    """Return the slices of a prediction's fields."""
    from glideslope.domain.metric import Dimension

    return members_of((Dimension("origin", ("EWR", "JFK", "LGA")),), (), text)


def join(folder: str, told: Any) -> None:  # noqa: ANN401 - a queue
    """Join in this fresh process."""

    async def run() -> dict[str, float]:
        asked = question()
        async with ParquetLog(Path(folder)) as log:
            wall, cpu = time.perf_counter(), time.process_time()
            found = await log.join(asked)
            first = time.perf_counter() - wall, time.process_time() - cpu
            wall, cpu = time.perf_counter(), time.process_time()
            await log.join(asked)
            again = time.perf_counter() - wall, time.process_time() - cpu
        return {
            "joined": sum(g.count for g in found.groups if "all" in g.slices),
            "contradicted": found.contradicted,
            "first_s": first[0],
            "first_cpu_s": first[1],
            "again_s": again[0],
            "again_cpu_s": again[1],
        }

    told.put({**asyncio.run(run()), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def plain(folder: str, told: Any) -> None:  # noqa: ANN401 - a queue
    """Join by ids as text, with one window over each, as one would write it down first."""
    with duckdb.connect(config={"memory_limit": "480MB", "temp_directory": f"{folder}/spill", "threads": 2}) as c:
        c.execute("SET enable_progress_bar = false")
        wall, cpu = time.perf_counter(), time.process_time()
        rows = c.execute(
            f"""WITH o AS (SELECT * FROM read_parquet('{folder}/outcomes/*.parquet')
            QUALIFY row_number() OVER (PARTITION BY prediction ORDER BY "at" DESC, n DESC) = 1),
            j AS (SELECT p.step, p.arm, p.slices, p.score, o.happened FROM read_parquet('{folder}/predictions/*.parquet') p
                JOIN o USING (prediction) QUALIFY row_number() OVER (PARTITION BY p.step, p.subject ORDER BY o.received) = 1)
            SELECT step, arm, slices, score * 32 // 65536, happened, count(*) FROM j GROUP BY ALL"""  # noqa: S608 - our own folder
        ).fetchall()
        took = time.perf_counter() - wall, time.process_time() - cpu
    told.put(
        {
            "joined": sum(row[-1] for row in rows),
            "first_s": took[0],
            "first_cpu_s": took[1],
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
    )


def recount(folder: str, told: Any) -> None:  # noqa: ANN401 - a queue
    """Recompute the same rollout, in full."""
    from glideslope.engine.prediction_log import Recount

    async def run() -> dict[str, float]:
        asked = question()
        metrics = [m for m in BUILT_IN.values() if m.loss is not None]
        async with ParquetLog(Path(folder)) as log:
            wall, cpu = time.perf_counter(), time.process_time()
            found = await log.recount(
                Recount(
                    model=MODEL,
                    rollout=ROLLOUT,
                    services={},
                    gateways={},
                    mark=0,
                    until=asked.until,
                    settle=asked.settle,
                    metrics=metrics,
                    members=members,
                )
            )
            return {
                "joined": sum(c.count for c in found.counts if c.metric == MetricName("outcome")),
                "first_s": time.perf_counter() - wall,
                "first_cpu_s": time.process_time() - cpu,
            }

    told.put({**asyncio.run(run()), "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})


def apart(what: Callable[[str, Any], None], folder: Path) -> dict[str, float]:
    """Run in a process of its own, so that its peak is its own."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    process = context.Process(target=what, args=(str(folder), told))
    process.start()
    found: dict[str, float] = told.get()
    process.join()
    return found


def receipts(count: int) -> float:
    """Return how many receipts are read and verified per CPU-second; each carries what the join would have found."""
    key = ReceiptKey(id=1, secret=bytes(32))
    ids = [
        mint(
            Receipt(
                model=model_hash(MODEL),
                rollout=1,
                step=1 + k % 2,
                arm=Arm.CANDIDATE if k % 4 == 0 else Arm.INCUMBENT,
                at=1_800_000_000,
                slices=(k % 3, NO_SLICE, NO_SLICE),
                score=k * 7919 % (SCORE_LEVELS + 1),
                request=k,
                subject=k + 1,
            ),
            key=key,
        )
        for k in range(count)
    ]
    keys = {1: key}
    began = time.process_time()
    for id_ in ids:
        read(id_, keys=keys)
    return count / (time.process_time() - began)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the rows")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, help="keep the files here, and use those that are there")
    arguments = parser.parse_args()
    predictions, outcomes = (500_000, 50_000) if arguments.quick else (10_000_000, 1_000_000)
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made) / "log"
        if not (folder / "outcomes").exists():
            # In a process of its own too: a child begins with the peak of its parent.
            maker = multiprocessing.get_context("spawn").Process(target=make, args=(folder, predictions, outcomes))
            maker.start()
            maker.join()
        size = sum(path.stat().st_size for path in folder.rglob("*.parquet")) / 1e6
        found = {"join": apart(join, folder), "recount": apart(recount, folder), "plain SQL": apart(plain, folder)}
    result = {
        "predictions": predictions,
        "outcomes": outcomes,
        "files_mb": round(size, 1),
        "columns": len(sql.COLUMNS["predictions"]),
        **{name: {k: round(v, 3) for k, v in figures.items()} for name, figures in found.items()},
        "receipts_per_cpu_second": round(receipts(20_000 if arguments.quick else 200_000)),
    }
    print(json.dumps(result, indent=None if arguments.json else 2))


if __name__ == "__main__":
    main()
