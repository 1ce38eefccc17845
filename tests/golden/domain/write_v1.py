"""Write the golden entries of format 1, once: `python tests/golden/domain/write_v1.py`. What was released is never rewritten.

Before the first release: remove the folder `v1` and run it again. Five streams: a rollout that is promoted, one that is
rolled back on harm, one that a person stops, one that is denied, and their model.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from glideslope.domain.decision import RollBack
from glideslope.domain.events import (
    Approved,
    Closed,
    Confirmed,
    Decided,
    Event,
    Halted,
    Installed,
    Lapsed,
    Proposed,
    Registered,
    Resumed,
    body_of,
    kind_of,
    rfc3339,
)
from glideslope.domain.evidence import NOTHING, Evidence
from glideslope.domain.freeze import plan_digest
from glideslope.domain.ids import MACHINE, Actor, RolloutId, StepName
from glideslope.domain.plan import Plan
from glideslope.domain.reasons import Reason
from glideslope.domain.replay import DECIDERS
from glideslope.domain.rollout import Rollout, apply, begin
from glideslope.ledger import merkle
from glideslope.ledger.entry import Entry, encode
from glideslope.ledger.manifest import body as manifest_body
from glideslope.ledger.manifest import of as manifest_of
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, OWNER, USUAL

FOLDER = Path(__file__).parent / "v1"
NINE = 1_769_850_000_000
"""2026-01-31T09:00:00.000Z."""


@dataclass
class Writer:
    """Appends to one stream, and remembers the rollout that it tells of."""

    stream: str
    entries: list[Entry]
    at: int = NINE
    version: int = 0
    rollout: Rollout | None = None
    decider: int = 1
    frontier: merkle.Frontier = field(default_factory=merkle.Frontier)

    def add(self, event: Event) -> None:
        self.version += 1
        entry = Entry(
            stream=self.stream, version=self.version, at=rfc3339(self.at), kind=kind_of(event), body=body_of(event)
        )
        self.entries.append(entry)
        self.frontier.append(merkle.leaf_hash(encode(entry)))
        if isinstance(event, Proposed):
            self.rollout = begin(RolloutId(self.stream), event, at=self.at)
        elif self.rollout is not None:
            self.rollout = apply(self.rollout, event, at=self.at)

    def propose(self, plan: Plan, *, attempt_of: str = "", learned: str = "") -> None:
        self.add(
            Proposed(
                plan=plan,
                plan_digest=plan_digest(plan),
                by=OWNER,
                attempt_of=RolloutId(attempt_of),
                learned=learned,
            )
        )

    def approve(self, by: Actor = APPROVER, *, granted: bool = True) -> None:
        assert self.rollout is not None
        self.add(Approved(by=by, granted=granted, plan_digest=self.rollout.plan_digest, why="Looked at it."))

    def decide(self, evidence: Evidence = NOTHING, *, after: int = 2 * MINUTE) -> None:
        assert self.rollout is not None
        self.at += after
        decision = DECIDERS[self.decider](self.rollout, evidence, now=self.at)
        self.add(Decided(decision=decision, evidence=evidence, decider=self.decider, by=MACHINE))

    def confirm(self, *, exposed: bool) -> None:
        assert self.rollout is not None
        self.at += 12
        step = self.rollout.step
        name = step.name if step else StepName("")
        self.add(Confirmed(exposed=exposed, step=name, milliseconds=11.75))

    def close(self) -> None:
        manifest = manifest_body(manifest_of(self.frontier))
        self.add(msgspec.convert({**manifest, "kind": "stream-closed"}, type=Closed))


def entries() -> list[Entry]:
    """Return the golden entries, in the order of one ledger."""
    found: list[Entry] = []
    plan = examples.plan()
    model = Writer("model.delays", found)
    for version, digest in ((plan.incumbent, plan.incumbent_digest), (plan.candidate, plan.candidate_digest)):
        model.add(
            Registered(
                model=plan.model,
                version=version,
                digest=digest,
                url="http://127.0.0.1:9001",
                by=OWNER,
                why="First flight ✈",
                evaluations=plan.evaluations,
            )
        )
    model.add(Installed(model=plan.model, version=plan.incumbent, by=OWNER, why="It serves already."))

    good = Writer("r-delays-1", found)
    good.propose(plan)
    good.decide(after=1)
    good.approve()
    good.decide(after=1)
    for k in range(1, len(plan.steps) + 1):
        step = f"s{k}"
        if step == "s3":
            good.decide(examples.evidence(plan, step, size=100), after=MINUTE + 1)
            good.add(Lapsed(step=StepName(step), why="The server was gone for 3 s."))
            good.decide(examples.evidence(plan, step, size=100), after=7)
        if step == "s4":
            good.add(Halted(by=APPROVER, why="Looks odd."))
            good.decide(examples.evidence(plan, step, size=2_000), after=1)
            good.confirm(exposed=False)
            good.add(Resumed(by=APPROVER, why="It was the dashboard."))
            good.decide(examples.evidence(plan, step, size=2_000), after=1)
        if k > 1:
            good.confirm(exposed=True)
        good.decide(examples.evidence(plan, step))
    good.confirm(exposed=False)
    good.close()
    model.at = good.at
    model.add(Installed(model=plan.model, version=plan.candidate, by=MACHINE, rollout=RolloutId("r-delays-1")))

    bad = Writer("r-delays-2", found, at=NINE + 60 * MINUTE)
    bad.propose(plan, attempt_of="r-delays-1", learned="It was promoted.")
    bad.approve()
    for step in ("s1", "s1", "s2"):
        bad.decide(NOTHING if step == "s1" else examples.evidence(plan, step))
    bad.decide(examples.evidence(plan, "s3", candidate_in_slice={"wrong": 0.6}), after=9)
    bad.confirm(exposed=False)
    bad.close()

    stopped = Writer("r-delays-3", found, at=NINE + 120 * MINUTE)
    stopped.propose(plan)
    stopped.approve()
    stopped.decide()
    stopped.decide()
    stopped.decide(examples.evidence(plan, "s2", candidate={**USUAL, "wrong": 0.2}), after=1)
    stopped.add(
        Decided(
            decision=RollBack(reasons=(Reason.ORDERED,)),
            evidence=NOTHING,
            decider=1,
            by=APPROVER,
            why="A holiday begins.",
        )
    )
    stopped.confirm(exposed=False)
    stopped.close()

    denied = Writer("r-delays-4", found, at=NINE + 180 * MINUTE)
    denied.propose(plan)
    denied.approve(Actor("joan"), granted=False)
    denied.decide()
    denied.confirm(exposed=False)
    denied.close()
    return found


def write(folder: Path, entries: list[Entry]) -> int:
    """Write what is not there yet; refuse to change what is."""
    folder.mkdir(exist_ok=True)
    for position, entry in enumerate(entries):
        path = folder / f"{position:03}-{entry.kind}.json"
        data = encode(entry)
        if path.exists() and path.read_bytes() != data:
            sys.stderr.write(f"{path.name} is there with other bytes; released entries are never rewritten\n")
            return 1
        path.write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(write(FOLDER, entries()))
