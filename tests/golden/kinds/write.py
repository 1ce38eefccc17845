"""Wrote `kinds.json` once: a plan with every kind of metric, evidence, and what is found in it. Not to be run again on it."""

import json
import sys
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from random import Random

import msgspec

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.events import Registered
from glideslope.domain.evidence import Counts, Evidence, Pairs
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import harm_findings, harm_test, proof_findings, proof_test
from glideslope.domain.ids import WHOLE, Actor, MetricName, ModelName, VersionName
from glideslope.domain.metric import RANKED, Better, Kind, differences
from glideslope.domain.plan import HarmNull, Margin, MarginKind, Plan
from glideslope.domain.tallied import calibration_test, limit_findings, paired_harm, paired_proof
from glideslope.ledger import canonical
from glideslope.testing.examples import CANDIDATE, INCUMBENT

RELATIVE, ABSOLUTE = MarginKind.RELATIVE, MarginKind.ABSOLUTE


def metric(name: str, kind: Kind, **more: object) -> MetricDraft:
    return MetricDraft(name=MetricName(name), kind=kind, **more)  # type: ignore[arg-type]  # as written


def guardrail(name: str, kind: MarginKind, size: float, **more: object) -> GuardrailDraft:
    return GuardrailDraft(metric=MetricName(name), margin=Margin(kind, size), **more)  # type: ignore[arg-type]  # as written


METRICS = (
    metric("retries", Kind.COUNT),
    metric("warnings", Kind.COUNT, edges=(0.0, 3.0, 10.0)),
    metric("tokens", Kind.MEAN, cap=1000.0),
    metric("revenue", Kind.MEAN, floor=-10.0, cap=50.0, better=Better.HIGHER),
    metric("sales", Kind.MEAN, cap=50.0, better=Better.HIGHER),
    metric("claim", Kind.UNBOUNDED, unit=0.01),
    metric("queue_ms", Kind.LATENCY),
)
GUARDRAILS = (
    guardrail("retries", RELATIVE, 0.5, base_rate=0.2),
    guardrail("warnings", ABSOLUTE, 0.2, base_rate=0.4, harm=HarmNull.BEYOND_MARGIN),
    guardrail("tokens", RELATIVE, 0.25, base_rate=200.0),
    guardrail("revenue", ABSOLUTE, 2.0, base_rate=12.0),
    guardrail("sales", RELATIVE, 0.2, base_rate=12.0),
    guardrail("claim", ABSOLUTE, 5.0),
    guardrail("queue_ms", RELATIVE, 0.25, quantile=0.95, base_rate=19.3),
    guardrail("latency", RELATIVE, 0.25, quantile=0.999),
    guardrail("calibration", ABSOLUTE, 0.05),
    guardrail("auc", ABSOLUTE, 0.05),
    guardrail("average_precision", ABSOLUTE, 0.05),
)


def registered(version: str) -> Registered:
    digest = INCUMBENT if version == "v1" else CANDIDATE
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def plan() -> Plan:
    draft = Draft(
        model=ModelName("m"), candidate=VersionName("v2"), owner="o", why="w", metrics=METRICS, guardrails=GUARDRAILS
    )
    histogram = tuple(Random(1).randrange(2_000) if 8 < k < 30 else 0 for k in range(41))
    return freeze(
        draft,
        incumbent=registered("v1"),
        candidate=registered("v2"),
        baseline=Baseline(histograms={MetricName("latency"): histogram}),
    )


def evidence(made: Plan) -> Evidence:
    random, counts, pairs = Random(2), [], []
    for g in made.guardrails:
        if g.metric.kind in RANKED:
            drawn = [random.randrange(6) for _ in differences(g.metric)]
            pairs.append(Pairs(metric=g.metric.name, slice=WHOLE, differences=tuple(drawn)))
        for step in made.steps[:2]:
            rows = [tuple(random.randrange(30) for _ in range(g.metric.bins)) for _ in range(2)]
            counts.append(
                Counts(step=step.name, metric=g.metric.name, slice=WHOLE, candidate=rows[0], incumbent=rows[1])
            )
    return Evidence(counts=tuple(counts), pairs=tuple(pairs))


def found(made: Plan, told: Evidence) -> dict[str, object]:
    asked = {
        "harm": harm_findings(made, told),
        "proof": proof_findings(made, told, made.steps[0]),
        "limit": limit_findings(made, told),
    }
    return {question: msgspec.to_builtins(findings) for question, findings in asked.items()}


def staked(made: Plan) -> dict[str, str]:
    """Return a hash of all that each test stakes, to the last fraction, under a coin of one in four."""
    found = {}
    for g in made.guardrails:
        tests: list[object] = []
        if g.metric.kind is Kind.CALIBRATION:
            tests = [calibration_test(g).bets()]
        elif g.metric.kind in RANKED:
            tests = [paired_harm(g).bets(), paired_proof(g, 1.0).bets()]
        elif g.spends_alpha:
            tests = [harm_test(g).bets(Fraction(1, 4)), proof_test(g, 1.0).bets(Fraction(1, 4))]
        text = repr([(bets.prior, bets.factors) for bets in tests])  # type: ignore[attr-defined]  # they are bets
        found[g.metric.name] = sha256(text.encode()).hexdigest()
    return found


if __name__ == "__main__":
    made = plan()
    told = evidence(made)
    body = {"plan": msgspec.to_builtins(made), "evidence": msgspec.to_builtins(told), "bets": staked(made)}
    body |= found(made, told)
    path = Path(sys.argv[1])
    path.write_bytes(canonical.encode(body) + b"\n")
    json.loads(path.read_bytes())
