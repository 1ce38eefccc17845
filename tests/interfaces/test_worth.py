"""Budgets as gauges, outcomes as money, formulas in full: what terminals show of them, and how facts come in from a file."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interfaces.fake_rollouts import guardrail

from glideslope.engine.views import BudgetView, ValueView
from glideslope.interfaces.cli.exits import Exit

ID = "late-arrival-1"

PLAN = """\
model: late-arrival
candidate: v2
owner: o@example.com
why: better
attributes: {amount: number}
metrics:
  lost: {expression: "amount if happened else 0", cap: 500}
value: {currency: EUR, hit: 20, miss: -200}
guardrails:
  - {metric: errors, margin: 0.5pp, base_rate: 0.02}
  - {metric: lost, margin: 10.0}
harm_budget: [{metric: errors, count: 100}, {metric: errors, excess: 30}, {metric: value, excess: 5000}]
"""


def proposed(desk: Any, service: Any, **changes: object) -> None:
    Path("glideslope.yaml").write_text("model: late-arrival\ncandidate: v2\nowner: o@example.com\nwhy: better\n")
    assert desk.run("apply").exit_code == 0
    service.move(ID, phase="running", **changes)


def money(slice_: str = "all") -> ValueView:
    return ValueView(
        slice=slice_,
        currency="EUR",
        per=1_000,
        incumbent=-2_950.0,
        candidate=-4_120.0,
        low=-2_010.4,
        high=-330.1,
        candidate_count=2_120,
        incumbent_count=2_094,
    )


@pytest.mark.parametrize("verb", ["status", "show"])
def test_a_budget_is_a_gauge_and_value_is_money(desk: Any, service: Any, verb: str) -> None:
    budget = BudgetView(metric="value", measure="excess", spent=2_480.0, size=5_000.0, unit="EUR", waiting=214)
    lost = BudgetView(metric="errors", measure="count", spent=None, size=10.0, unit="", waiting=0)
    proposed(desk, service, budgets=(budget, lost), values=(money(), money("origin=JFK")))

    shown = desk.run(verb, ID).stdout

    assert (
        "  budget    value [#########...........] 2,480 of 5,000 EUR above the incumbent; outcomes of 214 more subjects may come"
        in shown
    )
    assert "  budget    errors: unknown, the counts are malformed" in shown
    assert (
        "  value  EUR per 1,000: incumbent -2,950.00, candidate -4,120.00, difference -1,170.00 [-2,010.40, -330.10], "
        "2,120/2,094 subjects" in shown
    )
    assert "  value origin=JFK  EUR per 1,000" in shown
    values = json.loads(desk.run("status", ID, "--json").stdout)["values"]
    assert [each["slice"] for each in values] == ["all", "origin=JFK"]


def test_a_price_stands_beside_its_metric(desk: Any, service: Any) -> None:
    priced = msgspec.structs.replace(guardrail("errors"), worth=-4.5)
    proposed(desk, service, guardrails=(priced, guardrail("latency")))

    lines = desk.run("show", ID).stdout.splitlines()

    heading = next(line for line in lines if "guardrail" in line and "verdict" in line)
    assert heading.endswith("worth per 1,000")
    assert next(line for line in lines if line.startswith("  errors")).endswith("-4.50")
    assert next(line for line in lines if line.startswith("  latency")).endswith("-")


def test_a_plan_shows_its_formulas_with_types_and_its_budgets_with_what_spends_them(desk: Any) -> None:
    Path("glideslope.yaml").write_text(PLAN)

    shown = desk.run("plan").stdout

    assert "  metric      lost = amount if happened else 0   (amount number, happened boolean)" in shown
    assert (
        "  metric      value = (20.0 if happened else 0.0) if prediction >= 0.5 else (-200.0 if happened else 0.0)"
        in shown
    )


def test_facts_come_from_json_lines_and_from_columns_that_name_their_type(desk: Any, service: Any) -> None:
    Path("o.jsonl").write_text(
        '{"prediction": "abcd", "outcome": 34.5, "attributes": {"vip": true, "channel": "web"}}\n'
    )
    Path("o.csv").write_text(
        "prediction,happened,amount:number,complained:boolean,channel:text,outcome:text\n"
        "abcd,true,12.5,0,web,fraud\n"
        "efgh,,,true,,\n"
    )

    assert desk.run("outcomes", "o.jsonl").exit_code == 0
    assert desk.run("outcomes", "o.csv").exit_code == 0

    (line,), (full, sparse) = (batch.outcomes for batch in service.reported)
    assert (line.outcome, line.attributes) == (34.5, {"vip": True, "channel": "web"})
    assert (full.happened, full.outcome) == (True, "fraud")
    assert full.attributes == {"amount": 12.5, "complained": False, "channel": "web"}
    assert sparse.attributes == {"complained": True}
    assert not sparse.happened


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("prediction,amount\na,1\n", 1),
        ("prediction,amount:money\na,1\n", 1),
        ("prediction,:number\na,1\n", 1),
        ("prediction\na\n", 1),
        ("prediction,a:number,a:number\nb,1,2\n", 1),
        ("prediction,amount:number\na,1\na,nan\n", 3),
        ("prediction,amount:number\na,1e999\n", 2),
        ("prediction,vip:boolean\na,maybe\n", 2),
        ("prediction,happened,vip:boolean\na,,\n", 2),
    ],
)
def test_a_column_or_fact_that_cannot_be_read_is_named(desk: Any, content: str, line: int) -> None:
    Path("o.csv").write_text(content)

    result = desk.run("outcomes", "o.csv")

    assert result.exit_code == Exit.INVALID
    assert f"o.csv:{line}:" in result.stderr
