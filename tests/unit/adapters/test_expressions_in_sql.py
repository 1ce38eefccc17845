"""An expression in SQL is worth what the evaluator says it is worth, or as little: the second reading of one language."""

import json
import math
from random import Random

import duckdb
import pytest

from glideslope.adapters.logs.parquet.expressions import value_of
from glideslope.domain.expression import Type, Undefined
from glideslope.domain.formula import Attribute, compile_expression, expression

ATTRIBUTES = (
    Attribute(name="amount", type=Type.NUMBER),
    Attribute(name="kind", type=Type.TEXT),
    Attribute(name="ok", type=Type.BOOLEAN),
)
FIELDS = {"origin": ("JFK", "LGA")}
AMOUNTS = (0, 1, 2, 2.5, 3.5, -1, 1e308, 10**20, 0.1, 1e-320, True, "x", None)
ROWS = 120


@pytest.mark.parametrize(
    "text",
    [
        "prediction >= 0.5 and not happened",
        "amount * abs(happened - prediction)",
        "log(prediction) if happened else log(1 - prediction)",
        "min(amount, 3, prediction) / (amount - 2)",
        "1 if origin == 'JFK' and ok else 0 - amount",
        "round(amount) + max(1, amount) * (kind == 'a{b}')",
        "1 if kind == 'it' else 2 if kind == 'a{b}' else (3 if ok else amount)",
        "1 / amount if ok else 3",
        "ok or 1 / amount > 2",
        "amount" + " * amount" * 50,
        "kind != 'x'",
        "-amount if happened else (1 if ok else (2 if kind == 'x' else 3))",
    ],
)
def test_both_readings_give_the_same_value_or_none(text: str) -> None:
    formula, chance = expression(text, attributes=ATTRIBUTES, fields=FIELDS), Random(text)
    evaluate = compile_expression(formula)
    rows, expected = [], []
    for number in range(ROWS):
        facts = {
            name: chance.choice(among)
            for name, among in (
                ("amount", AMOUNTS),
                ("kind", ("a{b}", "x", 'é"q', "it's", 3)),
                ("ok", (True, False, 1)),
            )
            if chance.random() < 0.9
        }
        facts = {name: fact for name, fact in facts.items() if fact is not None}
        origin, score, happened = chance.choice(("JFK", "LGA", "")), chance.random(), chance.choice((True, False, None))
        slices = json.dumps({"origin": origin} if origin else {})
        rows.append((number, score, happened, slices, json.dumps(facts)))
        value = evaluate({**facts, "origin": origin, "prediction": score, "happened": happened})
        expected.append(None if isinstance(value, (Undefined, str)) else float(value))

    with duckdb.connect() as base:
        base.execute("CREATE TABLE t (n INT, prediction DOUBLE, happened BOOLEAN, slices VARCHAR, facts VARCHAR)")
        base.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
        found = [value for (value,) in base.execute(f"SELECT {value_of(formula)} FROM t ORDER BY n").fetchall()]  # noqa: S608 - our own statement

    assert [value is None for value in found] == [value is None for value in expected]
    for ours, theirs in zip(expected, found, strict=True):
        # The database's logarithm may differ in the last bit.
        assert ours is None or ours == theirs or ("log" in text and math.isclose(ours, theirs, rel_tol=4e-16))
    assert any(value is not None for value in found)
