"""The log's questions in SQL (DuckDB's; ClickHouse has all of it under the same or similar names).

Each answer is made in a few small steps, each a temporary table: so that the memory of one is free before the next, and
because most ids have one statement and most subjects one outcome, the costly ordering is only done for those with more.
Bound values are written as $name; what stands in braces is put in by `log.py` and never comes from outside.
"""

from typing import Final

COLUMNS: Final = {
    "predictions": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "source": "VARCHAR",
        "epoch": "BIGINT",
        "number": "BIGINT",
        "prediction": "VARCHAR",
        "key": "BIGINT",
        "at": "BIGINT",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "arm": "VARCHAR",
        "request": "BIGINT",
        "subject": "BIGINT",
        "slices": "VARCHAR",
        "score": "INTEGER",
        "metrics": "MAP(VARCHAR, DOUBLE)",
        "attributes": "MAP(VARCHAR, VARCHAR)",
    },
    "requests": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "source": "VARCHAR",
        "epoch": "BIGINT",
        "number": "BIGINT",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "arm": "VARCHAR",
        "subject": "BIGINT",
        "status": "INTEGER",
        "latency_us": "BIGINT",
        "rescued": "BOOLEAN",
        "stream": "BIGINT",
        "in_flight": "BOOLEAN",
    },
    "outcomes": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "prediction": "VARCHAR",
        "key": "BIGINT",
        "at": "BIGINT",
        "happened": "BOOLEAN",
        "by": "VARCHAR",
        "counted": "BOOLEAN",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "arm": "VARCHAR",
        "unit": "BIGINT",
        "slices": "VARCHAR",
        "score": "INTEGER",
        "facts": "VARCHAR",
        "chances": "MAP(VARCHAR, DOUBLE)",
    },
    "pairs": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "unit": "BIGINT",
        "slices": "VARCHAR",
        "candidate": "INTEGER",
        "incumbent": "INTEGER",
        "happened": "BOOLEAN",
        "facts": "VARCHAR",
        "chances": "MAP(VARCHAR, DOUBLE)",
        "claims": "MAP(VARCHAR, VARCHAR)",
    },
    "answers": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "source": "VARCHAR",
        "epoch": "BIGINT",
        "number": "BIGINT",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "unit": "BIGINT",
        "slices": "VARCHAR",
        "candidate_score": "INTEGER",
        "incumbent_score": "INTEGER",
        "candidate_answer": "BIGINT",
        "incumbent_answer": "BIGINT",
        "candidate_us": "BIGINT",
        "incumbent_us": "BIGINT",
        "candidate_features": "BIGINT",
        "incumbent_features": "BIGINT",
    },
    "blocks": {
        "n": "BIGINT",
        "received": "BIGINT",
        "model": "VARCHAR",
        "rollout": "VARCHAR",
        "step": "VARCHAR",
        "slice": "VARCHAR",
        "units": "BIGINT[]",
        "chances": "MAP(VARCHAR, DOUBLE)",
        "claims": "MAP(VARCHAR, VARCHAR)",
    },
}

# What counts once per step: as `_unit` of the fakes and `OutcomeRow.unit` have it.
UNIT: Final = """CASE WHEN p.subject <> 0 THEN p.subject & 281474976710655
    WHEN p.request <> 0 THEN -1 - p.request
    ELSE -4611686018427387904 - (p.key & 2305843009213693951) END"""

SAID: Final = (
    """CREATE OR REPLACE TEMP TABLE said AS
    SELECT key, min(received) AS first, count(*) AS statements, bool_or(happened) AS happened
    FROM outcomes WHERE model = $model AND NOT counted GROUP BY key""",
    """CREATE OR REPLACE TEMP TABLE several AS
    SELECT key, s.first, any_value(o.prediction) AS prediction, count(*) AS statements,
        bool_or(o.happened) AND NOT bool_and(o.happened) AS contradicted,
        arg_max(o.happened, row(o."at", o.n)) FILTER (o.received <= s.first + $settle) AS happened,
        arg_max(o.happened, row(o."at", o.n)) AS last_word
    FROM outcomes o JOIN said s USING (key)
    WHERE s.statements > 1 AND o.model = $model AND NOT o.counted GROUP BY key, s.first""",
)
# A right join keeps what waits for its prediction, with nothing on the left: it need not be counted again, nor looked for.
_ONTO_SAID: Final = """SELECT p.key, p.rollout = $rollout AS ours, p.step, p.arm, p.slices, p.score, {unit} AS unit,
        greatest(s.first + $settle, p.received) AS due, s.happened
    FROM ({predictions}) p {how} (SELECT key, first, happened FROM said WHERE statements = 1
        UNION ALL SELECT key, first, happened FROM several) s ON p.key = s.key"""
JOINED: Final = """CREATE OR REPLACE TEMP TABLE joined AS {select}""".format(
    select=_ONTO_SAID.format(unit=UNIT, predictions="FROM predictions WHERE model = $model", how="RIGHT JOIN")
)
TALLY: Final = """SELECT count(*) - count(key), count(key) > (SELECT count(*) FROM said) - (count(*) - count(key))
    FROM joined"""
"""How many outcomes wait for their prediction, and whether any has more than one."""
# An id that was given to two predictions means the first; a prediction that was sent twice has one id as well.
# There are none as a rule, and then nobody asks which row was the first.
UNDOUBLED: Final = (
    """CREATE OR REPLACE TEMP TABLE doubled AS
    SELECT key, min(n) AS n
    FROM predictions SEMI JOIN (SELECT key FROM joined GROUP BY key HAVING count(*) > 1) USING (key)
    WHERE model = $model GROUP BY key""",
    "DELETE FROM joined USING doubled d WHERE joined.key = d.key",
    """INSERT INTO joined {select}""".format(
        select=_ONTO_SAID.format(
            unit=UNIT,
            predictions="SELECT p.* FROM predictions p JOIN doubled USING (key, n) WHERE model = $model",
            how="JOIN",
        )
    ),
)
SHARED: Final = (
    """CREATE OR REPLACE TEMP TABLE shared AS
    SELECT step, unit FROM joined WHERE ours AND due < $until GROUP BY step, unit HAVING count(*) > 1""",
    """CREATE OR REPLACE TEMP TABLE more AS
    SELECT * FROM joined SEMI JOIN shared USING (step, unit) WHERE ours AND due < $until""",
)
MEMBERS: Final = """CREATE OR REPLACE TEMP TABLE members AS
    SELECT unnest($texts) AS slices, unnest($slices) AS slice"""
BINS: Final = """CREATE OR REPLACE TEMP TABLE bins AS
    SELECT happened, unnest(range(first, beyond))::INTEGER AS score, alike
    FROM (SELECT unnest($happened) AS happened, unnest($firsts) AS first, unnest($beyonds) AS beyond, unnest($alike) AS alike)"""
# Of a subject's outcomes the first due, then the lower key: both in one number, since a window over all of them would hold all of them.
GROUPS: Final = """WITH turns AS (
        SELECT step, unit, slice, arm, 2 * score + happened::INTEGER AS place, due::HUGEINT * 18446744073709551616 + key AS turn
        FROM more JOIN members USING (slices)),
    firsts AS (
        SELECT step, arm, slices, NULL AS slice, score, happened FROM joined ANTI JOIN shared USING (step, unit)
        WHERE ours AND due < $until
        UNION ALL
        SELECT step, arm, NULL, slice, place >> 1, place & 1 = 1
        FROM (SELECT step, slice, arg_min(arm, turn) AS arm, arg_min(place, turn) AS place FROM turns GROUP BY step, unit, slice))
    SELECT step, arm, slices, slice, alike, count(*) FROM firsts LEFT JOIN bins USING (score, happened) GROUP BY ALL"""
CONTRADICTED: Final = """SELECT count(*), count(*) FILTER (late), min_by(contradiction, prediction, {most})
    FROM (SELECT prediction, last_word <> happened AS late,
            {{'prediction': prediction, 'statements': statements, 'counted': happened, 'late': late}} AS contradiction
        FROM several SEMI JOIN (FROM joined WHERE ours) USING (key) WHERE contradicted)"""

# Events as the counters have them: a subject's first value, and once more its first bad one when that was good.
EVENTS: Final = """WITH marks AS (SELECT unnest($sources) AS source, unnest($epochs) AS epoch, unnest($marks) AS mark),
    seen AS (SELECT p.source, p.epoch, p.number, p.step, p.arm, {slices},
            CASE WHEN p.subject <> 0 THEN p.subject ELSE -p.number END AS unit, {bad} AS bad
        FROM {table} p JOIN marks m ON p.source = m.source AND p.epoch = m.epoch
        WHERE p.model = $model AND p.rollout = $rollout AND p.number <= m.mark AND {has}),
    told AS (SELECT bad, row_number() OVER (PARTITION BY source, epoch, step, unit ORDER BY number) AS place,
            row_number() OVER (PARTITION BY source, epoch, step, unit, bad ORDER BY number) AS place_among, step, arm, slices
        FROM seen)
    SELECT step, arm, slices, bad::INTEGER AS bin, count(*)
    FROM told WHERE CASE WHEN bad THEN place_among = 1 ELSE place = 1 END GROUP BY ALL"""

FIRST_VALUES: Final = """WITH marks AS (SELECT unnest($sources) AS source, unnest($epochs) AS epoch, unnest($marks) AS mark),
    seen AS (SELECT p.source, p.epoch, p.number, p.step, p.arm, {in_flight} AS in_flight, {slices}, {unit} AS unit,
            {value} / CASE WHEN p.arm = 'candidate' THEN 1::DOUBLE + $tolerance::DOUBLE ELSE 1::DOUBLE END AS value, {toss} AS toss
        FROM {table} p JOIN marks m ON p.source = m.source AND p.epoch = m.epoch
        WHERE p.model = $model AND p.rollout = $rollout AND p.number <= m.mark AND {has}),
    firsts AS (SELECT * FROM seen WHERE {counts}
        QUALIFY row_number() OVER (PARTITION BY source, epoch, step, unit ORDER BY number) = 1)
    SELECT step, arm, slices, ({bin})::INTEGER AS bin, count(*) FROM (SELECT *, {below} FROM firsts) GROUP BY ALL"""
BINNED: Final = "least(len(list_filter($edges::DOUBLE[], lambda e: e < value)), $last)"

MISSING: Final = """WITH marks AS (SELECT unnest($sources) AS source, unnest($epochs) AS epoch, unnest($marks) AS mark)
    SELECT coalesce((SELECT sum(mark) FROM marks), 0)::BIGINT - (SELECT count(DISTINCT (p.source, p.epoch, p.number))
        FROM {table} p JOIN marks m ON p.source = m.source AND p.epoch = m.epoch
        WHERE p.model = $model AND p.rollout = $rollout AND p.number BETWEEN 1 AND m.mark)"""

# Another formulation than JOIN on purpose: windows over statements instead of aggregates, so that a slip in one shows.
OUTCOMES: Final = (
    """CREATE OR REPLACE TEMP TABLE told AS
    SELECT key, n, received, "at", happened, counted, rollout, step, arm, unit, slices, score,
        coalesce(facts, '{}') AS facts, chances FROM outcomes
    WHERE model = $model AND (NOT counted OR (rollout = $rollout AND n <= $mark))""",
    """CREATE OR REPLACE TEMP TABLE known AS
    SELECT p.key, p.received, p.rollout, p.step, p.arm, p.slices, p.score, {unit} AS unit FROM predictions p
    WHERE p.model = $model AND p.key IN (SELECT key FROM told)
    QUALIFY row_number() OVER (PARTITION BY p.key ORDER BY p.n) = 1""".replace("{unit}", UNIT),
    """CREATE OR REPLACE TEMP TABLE by_receipt AS
    SELECT coalesce(k.step, t.step) AS step, coalesce(k.arm, t.arm) AS arm, coalesce(k.slices, t.slices) AS slices,
        coalesce(k.score, t.score) AS score, t.unit, t.happened, t.n AS first, 0 AS second, t.facts, t.chances
    FROM told t LEFT JOIN known k USING (key) WHERE t.counted""",
    """CREATE OR REPLACE TEMP TABLE by_join AS
    WITH timed AS (SELECT *, min(received) OVER (PARTITION BY key) + $settle AS settles FROM told WHERE NOT counted),
    last_words AS (SELECT * FROM timed WHERE received <= settles
        QUALIFY row_number() OVER (PARTITION BY key ORDER BY "at" DESC, n DESC) = 1)
    SELECT k.step, k.arm, k.slices, k.score, k.unit, w.happened, greatest(w.settles, k.received) AS first, key AS second
    FROM last_words w JOIN known k USING (key)
    WHERE k.rollout = $rollout AND greatest(w.settles, k.received) < $until""",
)
TRUTHS: Final = """CREATE OR REPLACE TEMP TABLE truths AS
    SELECT step, arm, slice, score, happened FROM by_receipt JOIN members USING (slices)
    WHERE happened IS NOT NULL QUALIFY row_number() OVER (PARTITION BY step, unit, slice ORDER BY first) = 1
    UNION ALL
    SELECT step, arm, slice, score, happened FROM by_join JOIN members USING (slices)
    QUALIFY row_number() OVER (PARTITION BY step, unit, slice ORDER BY first, second) = 1"""
UNMATCHED: Final = "SELECT count(*) FROM told t ANTI JOIN known k USING (key) WHERE t.counted"
SEEN: Final = "SELECT step, arm, count(*) FROM truths WHERE slice = $whole GROUP BY ALL"
LOSSES: Final = """WITH given AS (SELECT step, arm, slice, score::DOUBLE / $levels::DOUBLE AS score, happened
        FROM truths WHERE score >= 0),
    judged AS (SELECT step, arm, slice, CASE WHEN happened THEN score ELSE 1::DOUBLE - score END AS p FROM given),
    lost AS (SELECT step, arm, slice, {loss} AS loss FROM judged)
    SELECT step, arm, slice, {bin}::INTEGER AS bin, count(*) FROM lost GROUP BY ALL"""
JOINT: Final = "2 * least(len(list_filter($edges::DOUBLE[], lambda e: e < score)), $last) + happened::INTEGER"
"""The bin of a score and what happened, for what is counted jointly."""
JOINTLY: Final = """SELECT step, arm, slice, ({bin})::INTEGER AS bin, count(*)
    FROM (SELECT step, arm, slice, score::DOUBLE / $levels::DOUBLE AS score, happened FROM truths WHERE score >= 0)
    GROUP BY ALL""".replace("{bin}", JOINT)
LOSS: Final = {
    "log-loss": "CASE WHEN p <= 0 THEN 1e9::DOUBLE ELSE least(-ln(p), 1e9::DOUBLE) END",
    "brier": "(1::DOUBLE - p) * (1::DOUBLE - p)",
    "wrong": "(p < 0.5::DOUBLE)::INTEGER::DOUBLE",
}
BIN: Final = {
    "event": "(loss > 0)",
    "score": "least(len(list_filter($edges::DOUBLE[], lambda e: e < loss)), $last)",
}

SILENCE: Final = """WITH answers AS (SELECT p.n, p.key, p.received, p.step, p.arm, p.slices, {unit} AS unit
        FROM predictions p WHERE p.model = $model AND p.rollout = $rollout),
    subjects AS (SELECT step, unit, min(received) AS received, arg_min(arm, n) AS arm, arg_min(slices, n) AS slices
        FROM answers GROUP BY step, unit),
    said AS (SELECT key, min(received) AS received FROM outcomes
        WHERE model = $model AND happened IS NOT NULL GROUP BY key),
    heard AS (SELECT a.step, a.unit, s.received FROM answers a JOIN said s USING (key)
        UNION ALL SELECT step, unit, received FROM outcomes
        WHERE model = $model AND rollout = $rollout AND counted AND happened IS NOT NULL),
    came AS (SELECT step, unit, min(received) AS received FROM heard GROUP BY step, unit)
    SELECT s.step, s.arm, s.slices, (c.received IS NULL OR c.received > s.received + $within)::INTEGER AS bin, count(*)
    FROM subjects s LEFT JOIN came c ON c.step = s.step AND c.unit = s.unit
    WHERE s.received + $within < $until GROUP BY ALL""".replace("{unit}", UNIT)

COHORTS: Final = """WITH firsts AS (SELECT p.n, p.key, p.received, p.step, p.arm, p.score, {unit} AS unit
        FROM predictions p WHERE p.model = $model AND p.rollout = $rollout),
    labels AS (SELECT DISTINCT step, unit FROM firsts
        WHERE key IN (SELECT key FROM outcomes WHERE model = $model AND happened IS NOT NULL)),
    subjects AS (SELECT * FROM firsts QUALIFY row_number() OVER (PARTITION BY step, unit ORDER BY n) = 1),
    rated AS (SELECT s.received // 3600000 * 3600000 AS hour, s.step, s.arm, l.unit IS NOT NULL AS labelled,
            CASE WHEN s.score >= 0 THEN s.score::DOUBLE / $levels::DOUBLE END AS p
        FROM subjects s LEFT JOIN labels l ON l.step = s.step AND l.unit = s.unit)
    SELECT step, arm, hour, count(*), count(*) FILTER (labelled), count(p),
        coalesce(sum(least(p, 1 - p)), 0)::DOUBLE,
        coalesce(sum(CASE WHEN p > 0 AND p < 1 THEN p * least(-ln(p), $cap) + (1 - p) * least(-ln(1 - p), $cap) ELSE 0 END),
            0)::DOUBLE,
        coalesce(sum(p * (1 - p)), 0)::DOUBLE
    FROM rated GROUP BY step, arm, hour ORDER BY hour, step, arm""".replace("{unit}", UNIT)

RIPENESS: Final = """WITH firsts AS (SELECT p.n, p.key, p.step, p.arm, p.slices, {unit} AS unit
        FROM predictions p WHERE p.model = $model AND p.rollout = $rollout),
    labels AS (SELECT DISTINCT step, unit FROM firsts
        WHERE key IN (SELECT key FROM outcomes WHERE model = $model AND happened IS NOT NULL)),
    subjects AS (SELECT * FROM firsts QUALIFY row_number() OVER (PARTITION BY step, unit ORDER BY n) = 1)
    SELECT s.step, s.arm, s.slices, count(*), count(l.unit)
    FROM subjects s LEFT JOIN labels l ON l.step = s.step AND l.unit = s.unit
    GROUP BY ALL ORDER BY s.step, s.arm, s.slices""".replace("{unit}", UNIT)
