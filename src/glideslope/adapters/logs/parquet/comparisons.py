"""SQL that compares again what was compared: formulas' values, both arms' losses and answers on one request, and their orders.

Formulated otherwise than the counters on purpose: areas from ranks instead of pairs of scores, shifts from whole numbers
instead of square roots, the first of a subject by windows instead of sets.
"""

from typing import Final

from glideslope.adapters.logs.parquet.sql import BINNED, LOSS, UNIT

POINT: Final = """CASE WHEN below < 0 THEN 0 WHEN below >= $last THEN $last
    ELSE below + (coalesce(toss, 0::DOUBLE) < (value - ($edges::DOUBLE[])[below + 1])
        / (($edges::DOUBLE[])[below + 2] - ($edges::DOUBLE[])[below + 1]))::INTEGER END"""
BELOW: Final = "len(list_filter($edges::DOUBLE[], lambda e: e <= value)) - 1 AS below"
"""The point of a grid at or below a value, from 0; and which of the two beside it the logged toss chooses."""

FORMULA_BIN: Final = {
    "event": "(value > 0)",
    "score": BINNED,
    "mean": POINT,
    "unbounded-mean": POINT,
}

TOLD: Final = """SELECT first, step, arm, unit, slices, happened, facts, chances,
        CASE WHEN score >= 0 THEN score::DOUBLE / $levels::DOUBLE END AS prediction
    FROM by_receipt"""
"""What formulas are asked about."""

FORMULA: Final = """WITH told AS ({told}),
    valued AS (SELECT *, {value} AS value FROM told),
    firsts AS (SELECT step, arm, slice, chances[$metric] AS toss, value, {below} FROM valued JOIN members USING (slices)
        WHERE value IS NOT NULL QUALIFY row_number() OVER (PARTITION BY step, unit, slice ORDER BY first) = 1)
    SELECT step, arm, slice, ({bin})::INTEGER AS bin, count(*) FROM firsts GROUP BY ALL"""

PAIRS: Final = """CREATE OR REPLACE TEMP TABLE met AS
    SELECT n AS first, step, unit, slices, happened, facts, chances,
        candidate::DOUBLE / $levels::DOUBLE AS candidate, incumbent::DOUBLE / $levels::DOUBLE AS incumbent
    FROM pairs WHERE model = $model AND rollout = $rollout AND n <= $mark"""
PAIRED_SLICES: Final = "SELECT DISTINCT slices FROM met"

_MIDDLE: Final = """CASE WHEN mine > theirs THEN $middle + steps ELSE $middle - steps END"""
PAIR_BIN: Final = {
    "event": "(mine > 0)::INTEGER + 2 * (theirs > 0)::INTEGER",
    "score": _MIDDLE,
    "mean": "least($middle * 2, floor(spot) + (chances[$metric] < spot - floor(spot))::INTEGER)",
}
PAIR: Final = """WITH valued AS (SELECT first, step, unit, slices, chances, {mine} AS mine, {theirs} AS theirs FROM ({met})),
    firsts AS (SELECT step, slice, chances, mine, theirs,
            round_even(abs(greatest(0, least(mine, $cap)) - greatest(0, least(theirs, $cap))) / $cap * $middle, 0) AS steps,
            $middle + $middle * $sign * (greatest($floor, least(mine, $cap)) - greatest($floor, least(theirs, $cap)))
                / ($cap - $floor) AS spot
        FROM valued JOIN members USING (slices) WHERE mine IS NOT NULL AND theirs IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY unit, slice ORDER BY first) = 1)
    SELECT step, slice, ({bin})::INTEGER AS bin, count(*) FROM firsts GROUP BY ALL"""
"""`mine` is the candidate's value, `theirs` the incumbent's."""


def loss_of(loss: str, score: str) -> str:
    """Return SQL for the loss of a score, a column of 0 to 1, once it is known what happened."""
    p = f"(CASE WHEN happened THEN {score} ELSE 1::DOUBLE - {score} END)"
    return f"CASE WHEN happened IS NOT NULL THEN list_transform([{p}], lambda p: {LOSS[loss]})[1] END"


ANSWERS: Final = """WITH marks AS (SELECT unnest($sources) AS source, unnest($epochs) AS epoch, unnest($marks) AS mark),
    met AS (SELECT a.* FROM answers a JOIN marks m ON a.source = m.source AND a.epoch = m.epoch
        WHERE a.model = $model AND a.rollout = $rollout AND a.number <= m.mark
        QUALIFY row_number() OVER (PARTITION BY a.source, a.epoch, a.step, a.unit ORDER BY a.number) = 1)
    SELECT step, slices, kind, bin::INTEGER, count(*) FROM (
        SELECT step, slices, 'disagreement' AS kind, CASE
            WHEN candidate_answer <> 0 AND incumbent_answer <> 0 THEN 3 * (candidate_answer <> incumbent_answer)::INTEGER
            WHEN candidate_score >= 0 AND incumbent_score >= 0 THEN CASE
                WHEN (candidate_score >= $yes) = (incumbent_score >= $yes) THEN 0
                WHEN candidate_score >= $yes THEN 1 ELSE 2 END END AS bin FROM met
        UNION ALL SELECT step, slices, 'shift', CASE WHEN candidate_score >= 0 AND incumbent_score >= 0 THEN
            30 + sign(candidate_score - incumbent_score) * len(list_filter(range(30),
                lambda k: 1800 * abs(candidate_score - incumbent_score) > $levels * (2 * k * k + 2 * k + 1))) END FROM met
        UNION ALL SELECT step, slices, 'slower', CASE WHEN candidate_us >= 0 AND incumbent_us >= 0 THEN
            len(list_filter($ratios::DOUBLE[],
                lambda e: e < (candidate_us + 1)::DOUBLE / ((incumbent_us + 1)::DOUBLE * (1::DOUBLE + $tolerance)))) END FROM met
        UNION ALL SELECT step, slices, 'skew', CASE WHEN candidate_features <> 0 AND incumbent_features <> 0 THEN
            (candidate_features <> incumbent_features)::INTEGER END FROM met)
    WHERE bin IS NOT NULL GROUP BY ALL"""
"""A shift is on the point nearest in value: beyond the middle of (k/30)^2 and ((k+1)/30)^2, that is in whole numbers."""

BLOCKS: Final = (
    """CREATE OR REPLACE TEMP TABLE truth AS
    SELECT step, unit, arm, slices, score, happened FROM by_receipt WHERE happened IS NOT NULL AND score >= 0
    QUALIFY row_number() OVER (PARTITION BY step, unit ORDER BY first) = 1""",
    # A block whose outcomes are not all known, in its slice, and in no earlier block of it, is none.
    """CREATE OR REPLACE TEMP TABLE stood AS
    WITH places AS (SELECT n, step, slice, len(units) AS size, unnest(units) AS unit, unnest(range(len(units))) AS place
            FROM blocks WHERE model = $model AND rollout = $rollout AND n <= $mark),
        once AS (SELECT *, row_number() OVER (PARTITION BY step, slice, unit ORDER BY n, place) AS turn FROM places),
        known AS (SELECT o.n, o.step, o.slice, o.size, o.place, o.turn, t.arm, t.score, t.happened
            FROM once o JOIN truth t ON t.step = o.step AND t.unit = o.unit
            JOIN members m ON m.slices = t.slices AND m.slice = o.slice)
    SELECT n, step, slice, place, arm, score, happened FROM known
    QUALIFY count(*) OVER (PARTITION BY n) = size AND max(turn) OVER (PARTITION BY n) = 1""",
)
ORDERS: Final = {
    "auc": """WITH ranked AS (SELECT n, step, slice, arm, happened, rank() OVER (PARTITION BY n, arm ORDER BY score)
            + (count(*) OVER (PARTITION BY n, arm, score) - 1) / 2::DOUBLE AS place FROM stood),
        parts AS (SELECT n, step, slice, arm, count(*) FILTER (happened) AS did, count(*) FILTER (NOT happened) AS others,
            sum(place) FILTER (happened) AS total FROM ranked GROUP BY ALL),
        worth AS (SELECT n, step, slice, arm, (total - did * (did + 1) / 2::DOUBLE) / (did * others)::DOUBLE AS worth
            FROM parts WHERE did > 0 AND others > 0)""",
    "average-precision": """WITH turned AS (SELECT n, step, slice, arm, score, happened,
            row_number() OVER (PARTITION BY n, arm, happened ORDER BY place) AS turn FROM stood),
        sizes AS (SELECT n, arm, count(*) FILTER (happened) AS did, count(*) FILTER (NOT happened) AS others
            FROM stood GROUP BY ALL),
        least_of AS (SELECT n, min(did) AS did, min(others) AS others FROM sizes GROUP BY n HAVING count(*) = 2),
        kept AS (SELECT t.* FROM turned t JOIN least_of l ON l.n = t.n
            WHERE l.did > 0 AND l.others > 0 AND t.turn <= CASE WHEN happened THEN l.did ELSE l.others END),
        reached AS (SELECT n, step, slice, arm, happened, (count(*) FILTER (happened) OVER above)::DOUBLE
            / (count(*) OVER above)::DOUBLE AS precision
            FROM kept WINDOW above AS (PARTITION BY n, arm ORDER BY score DESC)),
        worth AS (SELECT n, step, slice, arm, avg(precision) FILTER (happened) AS worth FROM reached GROUP BY ALL)""",
}
GAPS: Final = """{orders},
    gaps AS (SELECT c.n, c.step, c.slice, (i.worth - c.worth + 1::DOUBLE) * $middle AS spot
        FROM worth c JOIN worth i ON i.n = c.n AND c.arm = 'candidate' AND i.arm = 'incumbent')
    SELECT g.step, g.slice, least(2 * $middle,
        greatest(floor(spot), 0) + (b.chances[$metric] < spot - floor(spot))::INTEGER)::INTEGER AS bin, count(*)
    FROM gaps g JOIN blocks b ON b.n = g.n GROUP BY ALL"""

SILENT: Final = """WITH answers AS (SELECT p.n, p.key, p.received, p.step, p.arm, p.slices, {unit} AS unit
        FROM predictions p WHERE p.model = $model AND p.rollout = $rollout),
    due AS (SELECT * FROM (SELECT * FROM answers QUALIFY row_number() OVER (PARTITION BY step, unit ORDER BY n) = 1)
        WHERE received + $within < $until),
    told AS (SELECT * FROM outcomes WHERE model = $model AND happened IS NOT NULL),
    heard AS (SELECT d.step, d.unit FROM due d JOIN answers a ON a.step = d.step AND a.unit = d.unit
            JOIN told t ON t.key = a.key WHERE t.received <= d.received + $within
        UNION SELECT d.step, d.unit FROM due d JOIN told t ON t.counted AND t.rollout = $rollout
            AND t.step = d.step AND t.unit = d.unit WHERE t.received <= d.received + $within)
    SELECT d.step, d.arm, d.slices, (h.unit IS NULL)::INTEGER AS bin, count(*)
    FROM due d LEFT JOIN heard h ON h.step = d.step AND h.unit = d.unit GROUP BY ALL""".replace("{unit}", UNIT)
"""Who heard nothing in time: each outcome against each deadline, where `SILENCE` takes the first of every subject."""

MADE: Final = """CREATE OR REPLACE TEMP TABLE {name} AS
    SELECT unnest($numbers::BIGINT[]) AS first, unnest($made::DOUBLE[]) AS {name}"""
"""What a plug-in made of rows, by the row's number."""

CLAIMS: Final = """SELECT claims FROM pairs WHERE model = $model AND rollout = $rollout
    UNION ALL SELECT claims FROM blocks WHERE model = $model AND rollout = $rollout"""
