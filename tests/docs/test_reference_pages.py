"""The reference of events, evidence, metrics, the sdk and the gateway's limits says what the code says."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from glideslope import sdk
from glideslope.adapters.drivers.envoy.limits import Limits
from glideslope.adapters.logs.parquet import sql
from glideslope.domain import (
    budget,
    contract,
    decision,
    doubt,
    events,
    evidence,
    formula,
    metric,
    pairs,
    plan,
    recomputation,
    said,
    stakes,
    value,
)
from glideslope.domain.governing import (
    agreement,
    approval,
    drill,
    envelope,
    examined,
    facts,
    glass,
    governed,
    incident,
)
from glideslope.domain.metric import BUILT_IN, Kind
from glideslope.domain.reasons import Reason
from glideslope.settings import API_PORT, GATEWAY_PORT

EVENTS: Final = (
    events.Registered,
    events.Installed,
    events.ContractAgreed,
    agreement.AgreementTabled,
    agreement.AgreementAnswered,
    agreement.AgreementInForce,
    agreement.AgreementReviewed,
    events.Proposed,
    events.Approved,
    events.Withdrawn,
    examined.Examined,
    drill.DrillBegun,
    drill.DrillEnded,
    drill.DrillTold,
    events.AdvisoriesRecorded,
    incident.IncidentOpened,
    incident.IncidentNoted,
    incident.IncidentClosed,
    incident.Breach,
    incident.Remedy,
    events.Escalated,
    said.MoreAsked,
    said.Replied,
    said.Judged,
    glass.GlassAsked,
    glass.GlassBroken,
    glass.GlassReviewed,
    events.Decided,
    events.Halted,
    events.Resumed,
    events.Lapsed,
    events.Confirmed,
    events.Closed,
    events.PersonDescribed,
    events.PersonErased,
    decision.Advance,
    decision.Hold,
    decision.RollBack,
    decision.Promote,
    decision.Finding,
    decision.Spending,
    doubt.Aside,
    plan.Plan,
    plan.Rationale,
    governed.Governed,
    envelope.Classification,
    envelope.Standing,
    approval.Need,
    plan.Guardrail,
    stakes.Stakes,
    stakes.Credit,
    stakes.Strata,
    plan.Margin,
    plan.Step,
    plan.DeclaredHarm,
    plan.Criterion,
    plan.Evaluation,
    metric.Metric,
    metric.Dimension,
    formula.Expression,
    formula.Plugin,
    formula.Attribute,
    budget.Budget,
    value.ValueModel,
    value.Price,
    contract.Contract,
    contract.FeatureRule,
    pairs.PairRules,
    pairs.PairLimit,
    events.FactsRecorded,
    facts.Facts,
    facts.Makers,
    facts.Code,
    facts.Environment,
    facts.Dataset,
    facts.DataField,
    facts.Upstream,
    facts.Pipeline,
    facts.Dependency,
    facts.Measured,
    facts.FairnessGap,
    facts.FailureMode,
    facts.Validation,
    facts.Signature,
)
EVIDENCE: Final = (
    evidence.Evidence,
    governed.Permit,
    governed.Block,
    governed.Lane,
    governed.Window,
    evidence.Counts,
    evidence.Pairs,
    evidence.Exposed,
    evidence.Maturity,
    evidence.Freshness,
    evidence.Serving,
    doubt.Doubt,
    recomputation.Recomputation,
    recomputation.Difference,
)


def test_the_prediction_logs_columns_are_those_of_its_files(root: Path) -> None:
    text = page(root, "prediction-log.md")
    for name, columns in sql.COLUMNS.items():
        (body,) = re.findall(rf"^## {name}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
        rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", body, flags=re.MULTILINE)
        assert rows == list(columns.items())


def page(root: Path, name: str) -> str:
    return (root / "docs" / "reference" / name).read_text(encoding="utf-8")


def tables(text: str) -> dict[str, list[str]]:
    """Return under each heading the first column of its table, without the backticks."""
    found: dict[str, list[str]] = {}
    for heading, body in re.findall(r"^##+ (.+?)\n(.*?)(?=^#|\Z)", text, flags=re.MULTILINE | re.DOTALL):
        found[heading.strip("`")] = re.findall(r"^\| `([^`]+)` \|", body, flags=re.MULTILINE)
    return found


def name_of(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag or kind.__name__)


@pytest.mark.parametrize("kind", EVENTS, ids=name_of)
def test_each_event_and_all_that_stands_in_it_has_its_members_on_the_page(
    kind: type[msgspec.Struct], root: Path
) -> None:
    assert list(kind.__struct_fields__) == tables(page(root, "events.md"))[name_of(kind)]


def test_no_event_is_missing_from_the_page_and_none_is_made_up(root: Path) -> None:
    assert set(events._KINDS) <= set(tables(page(root, "events.md")))
    assert set(tables(page(root, "events.md"))) == {name_of(kind) for kind in EVENTS}


@pytest.mark.parametrize("kind", EVIDENCE, ids=name_of)
def test_each_part_of_the_evidence_has_its_members_on_the_page(kind: type[msgspec.Struct], root: Path) -> None:
    assert list(kind.__struct_fields__) == tables(page(root, "evidence-format.md"))[name_of(kind)]


def test_the_example_of_evidence_is_evidence(root: Path) -> None:
    text = page(root, "evidence-format.md")
    (example,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)

    assert msgspec.json.decode(example, type=evidence.Evidence).in_force


def test_each_built_in_metric_stands_on_the_page_with_its_bins_and_loss(root: Path) -> None:
    rows = [
        f"| `{m.name}` | {m.kind.value} | {m.origin.value} | {m.bins} | {f'{m.edges[-1]:g}' if m.edges else '-'} | "
        f"{m.loss.value if m.loss else '-'} |"
        for m in BUILT_IN.values()
    ]
    lines = page(root, "metrics.md").splitlines()

    assert [row for row in rows if row not in lines] == []
    assert {kind.value for kind in Kind} <= set(
        re.findall(r"^\*\*([\w-]+)\*\*:", page(root, "metrics.md"), re.MULTILINE)
    )


def test_the_page_on_deciding_knows_every_reason_and_no_other(root: Path) -> None:
    text = (root / "docs" / "explanation" / "how-a-decision-is-made.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| \d+ \|", line)]
    named = {code for row in rows for code in re.findall(r"`([a-z]+(?:-[a-z]+)+|approved|baked|halted)`", row)}

    assert {reason.value for reason in Reason} == named | {Reason.ORDERED.value}


def test_each_public_name_of_the_sdk_has_a_heading(root: Path) -> None:
    headings = re.findall(r"^### `(\w+)`$", page(root, "sdk.md"), flags=re.MULTILINE)

    assert sorted(sdk.__all__) == sorted(headings)


def test_ports_and_limits_are_those_of_the_code(root: Path) -> None:
    text, limits = page(root, "settings.md"), Limits()

    assert re.findall(r"^\| (?:server|gateway) \| (\d+)", text, flags=re.MULTILINE) == [
        str(API_PORT),
        str(GATEWAY_PORT),
    ]
    figures = dict(re.findall(r"^\| ([^|]+?) \| ([\d.,]+)[^|]*\|$", text, flags=re.MULTILINE))
    shown = [float(number.replace(",", "")) for what, number in figures.items() if what not in {"server", "gateway"}]
    assert shown == [
        limits.timeout.total_seconds(),
        limits.attempt.total_seconds(),
        limits.concurrent,
        limits.retries,
        limits.shadow_requests,
        limits.body / 2**20,
    ]
