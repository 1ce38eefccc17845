"""A plan of every kind of metric and what was found in its evidence stay what they were when they were released, bit for bit."""

import importlib.util
import json
from pathlib import Path

import msgspec

from glideslope.domain.evidence import Evidence
from glideslope.domain.gate import harm_findings, proof_findings
from glideslope.domain.metric import Kind
from glideslope.domain.plan import Plan, check_plan
from glideslope.domain.tallied import limit_findings
from glideslope.ledger import canonical

TEXT = (Path(__file__).parent / "kinds.json").read_bytes()
BODY = json.loads(TEXT)
PLAN = msgspec.convert(BODY["plan"], Plan, strict=True)
EVIDENCE = msgspec.convert(BODY["evidence"], Evidence, strict=True)


def test_the_plan_reads_back_to_the_same_bytes_and_has_every_kind() -> None:
    check_plan(PLAN)

    assert canonical.encode(msgspec.to_builtins(PLAN)) == canonical.encode(BODY["plan"])
    assert {g.metric.kind for g in PLAN.guardrails} == set(Kind) - {Kind.EVENT, Kind.SCORE}


def test_every_test_answers_as_it_did() -> None:
    asked = {
        "harm": harm_findings(PLAN, EVIDENCE),
        "proof": proof_findings(PLAN, EVIDENCE, PLAN.steps[0]),
        "limit": limit_findings(PLAN, EVIDENCE),
    }

    for question, findings in asked.items():
        assert canonical.encode(msgspec.to_builtins(findings)) == canonical.encode(BODY[question])
    assert len(asked["harm"]) == 9
    assert len(asked["proof"]) == 9
    assert len(asked["limit"]) == 1


def test_every_test_stakes_what_it_staked() -> None:
    """Also where no finding shows it: a plan that runs must not be judged by other bets than it was proposed with."""
    spec = importlib.util.spec_from_file_location("golden_kinds_write", Path(__file__).parent / "write.py")
    assert spec is not None
    assert spec.loader is not None
    write = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(write)

    assert write.staked(PLAN) == BODY["bets"]
