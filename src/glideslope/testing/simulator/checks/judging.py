"""Deciding is pure, and missing evidence is never a yes: each decision is made again, and no advance goes without its proof."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from glideslope.domain.decide import decide
from glideslope.domain.events import Decided, event_of, instant
from glideslope.domain.ids import MACHINE, RolloutId
from glideslope.domain.rollout import Rollout, apply, begin
from glideslope.testing.simulator.checks.violation import Violation

PURE: Final = "deciding is pure"
PROVEN: Final = "missing evidence is never a yes"

DOUBTED: Final = "source-not-credible"

SLACK: Final = 1e-3
"""By which a recorded logarithm may miss its line: it was rounded to be read."""


@dataclass(slots=True)
class Judging:
    """Every rollout so far."""

    decisions: int = 0
    reached: dict[str, int] = field(default_factory=dict)
    """How often each kind of decision was made."""
    _rollouts: dict[str, Rollout] = field(default_factory=dict)

    def take(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry. Raises Violation."""
        stream = entry["stream"]
        if not stream.startswith("r-"):
            return
        event, at = event_of(entry["kind"], entry["body"]), instant(entry["at"])
        before = self._rollouts.get(stream)
        if before is not None and isinstance(event, Decided):
            self._decided(entry, event, before, at=at)
        self._rollouts[stream] = (
            begin(RolloutId(stream), event, at=at) if before is None else apply(before, event, at=at)
        )

    def _decided(self, entry: Mapping[str, Any], event: Decided, before: Rollout, *, at: int) -> None:
        where = f"{entry['stream']}@{entry['version']}"
        body = entry["body"]
        decision = body["decision"]
        self.decisions += 1
        self.reached[decision["type"]] = self.reached.get(decision["type"], 0) + 1
        if DOUBTED in decision["reasons"]:
            raise Violation("an honest source is believed", f"{where} doubts {decision['findings']}")
        if event.by != MACHINE:
            if decision["type"] != "roll-back":
                raise Violation(PROVEN, f"{where}: a person ordered {decision['type']}")
            return
        again = msgspec.to_builtins(decide(before, event.evidence, now=at))
        if json.loads(json.dumps(again)) != decision:
            raise Violation(PURE, f"{where} says {decision}, but the evidence says {again}")
        onward = decision["type"] == "promote" or (decision["type"] == "advance" and decision["to"] > before.position)
        if onward and before.position >= 0:
            _require_proof(where, msgspec.to_builtins(before.plan), before.position, body)


def _require_proof(where: str, plan: Mapping[str, Any], position: int, body: Mapping[str, Any]) -> None:
    """No step ends well but by proof, on evidence that was there and fresh, of traffic that was confirmed. Raises Violation."""
    step, evidence, findings = plan["steps"][position], body["evidence"], body["decision"]["findings"]
    stage = step["stage"]
    if stage in ("offline", "shadow", "canary"):
        proven = (
            {f["subject"] for f in findings if f["verdict"] == "pass" and f["slice"] == "all"} if findings else set()
        )
        failed = [f for f in findings if f["verdict"] != "pass"]
        if not findings or failed:
            raise Violation(PROVEN, f"{where} leaves {step['name']} without a pass: {failed or 'no findings at all'}")
        if stage == "canary":
            required = {g["metric"]["name"] for g in plan["guardrails"] if g["required"]}
            if missing := required - {f["subject"] for f in findings}:
                raise Violation(PROVEN, f"{where} leaves {step['name']} without a word on {sorted(missing)} ({proven})")
        if short := [f for f in findings if stage != "offline" and f["wealth"] < f["line"] - SLACK]:
            raise Violation(PROVEN, f"{where} calls a pass what is below its line: {short}")
    if stage == "offline":
        return
    if not evidence["in_force"]:
        raise Violation(PROVEN, f"{where} leaves {step['name']}, whose traffic nobody confirmed")
    ages = {f["origin"]: f["age"] for f in evidence["freshness"]}
    needed = (
        {g["metric"]["origin"] for g in plan["guardrails"] if g["required"]} if stage in ("shadow", "canary") else set()
    )
    if stage != "shadow":
        needed |= {"gateway"}
        mine = [e for e in evidence["exposed"] if e["step"] == step["name"]]
        if not mine or mine[0]["candidate"] < 1:
            raise Violation(PROVEN, f"{where} leaves {step['name']}, in which nobody was seen to be exposed")
    for origin in sorted(needed):
        patience = plan["outcomes_stale_after"] if origin == "outcome" else plan["stale_after"]
        if not 0 <= ages.get(origin, -1) <= patience:
            raise Violation(PROVEN, f"{where} leaves {step['name']} on evidence of {origin} aged {ages.get(origin)} ms")
