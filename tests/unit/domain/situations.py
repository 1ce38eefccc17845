"""A rollout at some step, and what is known there: the situations about which `decide` is asked."""

from dataclasses import replace

import msgspec

from glideslope.domain.budget import Budget, Measure
from glideslope.domain.doubt import Claim, Doubt
from glideslope.domain.evidence import Counts, Evidence, Freshness, Serving
from glideslope.domain.governing.approval import Approval, Need
from glideslope.domain.governing.governed import Answered, Block, Freeze, Governed, Lane, Permit, Window
from glideslope.domain.ids import WHOLE, Actor, Digest, MetricName, StepName, VersionName
from glideslope.domain.plan import AtMaximum, Evaluation, Plan
from glideslope.domain.recomputation import Recomputation, Recompute
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.testing import examples
from glideslope.testing.examples import APPROVER, MINUTE, USUAL

ENTERED = 1_000_000_000
PLAN = examples.plan()

S1, S2, S3, S4, S5, S6, S7 = range(7)
"""Offline, shadow, three canary steps, full, bake."""


def at_step(position: int, *, plan: Plan = PLAN, phase: Phase = Phase.RUNNING) -> Rollout:
    return replace(
        examples.proposed(PLAN),
        plan=plan,
        phase=phase,
        position=position,
        entered_at=ENTERED,
        granted=frozenset({APPROVER}),
    )


def waiting(*, granted: set[Actor] | None = None, denied: set[Actor] | None = None, plan: Plan = PLAN) -> Rollout:
    return replace(examples.proposed(PLAN), plan=plan, granted=frozenset(granted or ()), denied=frozenset(denied or ()))


def known(position: int, **changes: object) -> Evidence:
    """Good evidence at a step, with some of its fields replaced."""
    return msgspec.structs.replace(examples.evidence(PLAN, f"s{position + 1}"), **changes)


AGREES = Recomputation(age=0, cells=9, differing=0)


NEEDS = Governed(organisation=Digest("sha256:" + "7" * 64), needs=(Need("security"),), valid_for=60 * MINUTE)
PERMIT = Permit()


def governed(position: int, *, given: bool = True, phase: Phase = Phase.RUNNING, **changes: object) -> Rollout:
    """A rollout that security must have approved."""
    approval = Approval(by=APPROVER, digest=examples.proposed(PLAN).plan_digest, functions=("security",), at=ENTERED)
    under = msgspec.structs.replace(NEEDS, **changes)
    plan = msgspec.structs.replace(PLAN, governed=under)
    found = at_step(position, plan=plan, phase=phase)
    return replace(found, approvals=(approval,) if given else ())


def permitted(evidence: Evidence | None = None, **changes: object) -> Evidence:
    """Good evidence, or other, with what governance says."""
    permit = msgspec.structs.replace(PERMIT, **changes)
    return msgspec.structs.replace(known(S4) if evidence is None else evidence, permit=permit)


def frozen(asks: Freeze) -> Evidence:
    return permitted(window=Window(name="end of year", asks=asks, until=ENTERED + 60 * MINUTE))


BLOCK = Block(rule="DATA-01", answer=Answered.NO_EVIDENCE, why="the tags of claims.email are not known")

ENVELOPE = Digest("sha256:" + "e" * 64)
LANE = Lane(
    envelope=ENVELOPE,
    name="monthly",
    given=(Approval(by=APPROVER, digest=ENVELOPE, functions=("security",), at=ENTERED - 9_000 * MINUTE),),
    falls_away=(Need("security"),),
)
OUTSIDE = msgspec.structs.replace(LANE, left=(BLOCK,))


def twice(position: int) -> Rollout:
    """A rollout whose plan asks for the second count."""
    return at_step(position, plan=msgspec.structs.replace(PLAN, recompute=Recompute.REQUIRED))


def again(evidence: Evidence | None = None, **changes: object) -> Evidence:
    """Good evidence, or other, counted again with some of the outcome replaced."""
    found = msgspec.structs.replace(AGREES, **changes)
    return msgspec.structs.replace(known(S4) if evidence is None else evidence, recomputation=found)


def harmful(position: int, **worse: float) -> Evidence:
    return examples.evidence(PLAN, f"s{position + 1}", candidate={**USUAL, **worse})


def broken_at_both(position: int, **worse: float) -> Evidence:
    both = {**USUAL, **worse}
    return examples.evidence(PLAN, f"s{position + 1}", candidate=both, incumbent=both)


def from_source(origin: str, *, age: int) -> Evidence:
    kept = tuple(f for f in known(S4).freshness if f.origin != origin)
    return known(S4, freshness=(*kept, Freshness(origin=origin, age=age)))


def doubting(*, claim: Claim = Claim.SHRANK, said: int = 5, age: int = 0) -> Evidence:
    doubt = Doubt(
        claim=claim,
        actor=Actor("web"),
        source="web-1",
        epoch=1,
        step=StepName("s4"),
        arm=Arm.CANDIDATE,
        metric=MetricName("wrong"),
        slice=WHOLE,
        bin=1,
        said=said,
        against=4,
        first=1,
        second=2,
        age=age,
        metrics=(MetricName("wrong"),),
    )
    return known(S4, format=2, doubts=(doubt,))


def serving(arm: Arm, version: str, digest: str) -> Evidence:
    return known(S4, serving=(Serving(arm=arm, version=VersionName(version), digest=Digest(digest)),))


def counted(**changes: object) -> Evidence:
    """Evidence at s4 with something wrong in its first row."""
    first, *rest = known(S4).counts
    return known(S4, counts=(msgspec.structs.replace(first, **changes), *rest))


def exposed_as(*, candidate: int, incumbent: int) -> Evidence:
    *before, now = known(S4).exposed
    return known(S4, exposed=(*before, msgspec.structs.replace(now, candidate=candidate, incumbent=incumbent)))


def matured(*, candidate: float, incumbent: float) -> Evidence:
    *before, now = known(S4).maturity
    part = msgspec.structs.replace(
        now, candidate=int(now.candidate * candidate), incumbent=int(now.incumbent * incumbent)
    )
    return known(S4, maturity=(*before, part))


def thinned(*, candidate: float = 1.0, incumbent: float = 1.0) -> Evidence:
    """Evidence at s4 where of each arm's outcomes only a part arrived."""

    def part(row: Counts) -> Counts:
        if row.metric != "wrong":
            return row
        return msgspec.structs.replace(
            row,
            candidate=tuple(int(n * candidate) for n in row.candidate),
            incumbent=tuple(int(n * incumbent) for n in row.incumbent),
        )

    return known(S4, counts=tuple(map(part, known(S4).counts)))


def budgeted(*, count: float | None = None, excess: float | None = None, metric: str = "errors") -> Plan:
    """The plan with a budget of harm."""
    measure, size = (Measure.COUNT, count) if count is not None else (Measure.EXCESS, excess)
    return msgspec.structs.replace(
        PLAN, budgets=(Budget(metric=MetricName(metric), measure=measure, size=float(size or 0)),)
    )


def errors_of(candidate: tuple[int, int], incumbent: tuple[int, int], **changes: object) -> Evidence:
    """Evidence at s4 with these (good, bad) requests in s3, and nothing else."""
    row = Counts(
        step=StepName("s3"), metric=MetricName("errors"), slice=WHOLE, candidate=candidate, incumbent=incumbent
    )
    return known(S4, **{"counts": (row,), **changes})


def measured(*values: float, count: int = 100, holdout: str = "days") -> Plan:
    """A plan whose candidate reached these values offline, where the incumbent reached 0.69 and 0.01 less is tolerated."""
    return examples.plan(
        evaluations=[
            Evaluation(metric="auc", holdout=holdout, incumbent=0.69, candidate=v, count=count) for v in values
        ]
    )


def at_most(way: AtMaximum) -> Rollout:
    return at_step(S4, plan=examples.plan(at_maximum=way))
