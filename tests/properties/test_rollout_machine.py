"""A rollout under any history and any evidence, however malformed, keeps its promises: a state machine looks for a way out."""

from dataclasses import replace
from functools import lru_cache

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from glideslope.domain.alphas import is_paired
from glideslope.domain.decide import decide
from glideslope.domain.decision import DECIDER, Advance, Decision, Promote, Question, RollBack, Verdict
from glideslope.domain.errors import Invalid
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
    Resumed,
    body_of,
    event_of,
    kind_of,
)
from glideslope.domain.evidence import NOTHING, Counts, Evidence, Exposed, Freshness, Maturity, Pairs, Serving
from glideslope.domain.freeze import plan_digest
from glideslope.domain.gate import harm_findings, harm_found, harm_test, proof_findings, proof_test
from glideslope.domain.ids import MACHINE, Actor, Digest, MetricName, ModelName, SliceName, StepName, VersionName
from glideslope.domain.metric import Kind, Origin
from glideslope.domain.plan import AtMaximum, Evaluation, Plan, StageKind
from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import DECIDED, ENDED, Phase, Rollout, apply, exposure, fold
from glideslope.domain.said import Judged, MoreAsked, Replied
from glideslope.domain.tables import tables_of
from glideslope.domain.traffic import FULL, TOTAL, Arm
from glideslope.ledger import canonical
from glideslope.stats.wealth import log_wealth
from glideslope.testing import examples
from glideslope.testing.examples import MINUTE, OWNER, USUAL

PEOPLE = tuple(map(Actor, ("ada", "grace", "joan", "mary")))
STEPS = tuple(StepName(f"s{k}") for k in range(9))  # s0 and s8 are in no plan
WORSE: tuple[dict[str, float], ...] = (
    {},
    {"errors": 0.08},
    {"latency": 0.1},
    {"wrong": 0.5},
    {"log_loss": 0.5},
    {"errors": 0.0},
)

PLANS = (
    examples.plan(),
    examples.plan(approvals=0, at_maximum=AtMaximum.EXTEND),
    examples.plan(approvals=2, at_maximum=AtMaximum.ROLL_BACK),
    examples.plan(evaluations=()),
    examples.plan(evaluations=[Evaluation(metric="auc", holdout="days", incumbent=0.9, candidate=0.1, count=10)]),
)


@lru_cache(maxsize=512)
def sound(plan: int, step: str, size: int, worse: int, slice_: int) -> Evidence:
    return examples.evidence(
        PLANS[plan], step, size=size, candidate={**USUAL, **WORSE[worse]}, candidate_in_slice=WORSE[slice_]
    )


counts = st.lists(
    st.one_of(st.integers(0, 50), st.sampled_from((-1, 10**6, 2**53, 10**400))), min_size=0, max_size=4
).map(tuple)
ages = st.sampled_from((-1, 0, 10, 6_000, 10**9, 10**30, -(10**9)))
some = st.integers(-2, 10**5)
steps = st.sampled_from(STEPS)
metrics = st.sampled_from(tuple(map(MetricName, ("errors", "latency", "wrong", "log_loss", "unheard-of"))))
slices = st.sampled_from(tuple(map(SliceName, ("all", "origin=LGA", "origin=Mars"))))

junk = st.builds(
    Evidence,
    counts=st.lists(
        st.builds(Counts, step=steps, metric=metrics, slice=slices, candidate=counts, incumbent=counts), max_size=4
    ).map(tuple),
    pairs=st.lists(st.builds(Pairs, metric=metrics, slice=slices, differences=counts), max_size=2).map(tuple),
    exposed=st.lists(st.builds(Exposed, step=steps, candidate=some, incumbent=some), max_size=3).map(tuple),
    maturity=st.lists(st.builds(Maturity, step=steps, candidate=some, incumbent=some), max_size=3).map(tuple),
    freshness=st.lists(
        st.builds(Freshness, origin=st.sampled_from((*Origin, "rumour")).map(str), age=ages), max_size=4
    ).map(tuple),
    serving=st.lists(
        st.builds(
            Serving,
            arm=st.sampled_from(Arm),
            version=st.sampled_from(tuple(map(VersionName, ("v1", "v2", "v9")))),
            digest=st.sampled_from((examples.INCUMBENT, examples.CANDIDATE, Digest(""))),
        ),
        max_size=2,
    ).map(tuple),
    in_force=st.booleans(),
)

FIELDS = ("counts", "pairs", "exposed", "maturity", "freshness", "serving", "in_force")


@st.composite
def evidences(draw: st.DrawFn, *, plan: int, step: str) -> Evidence:
    """Sound, of an earlier or later step, with a few fields exchanged for junk or missing, or junk alone."""
    if draw(st.integers(0, 9)) == 0:
        return draw(junk)
    found = sound(
        plan,
        draw(st.sampled_from((step, step, step, "s3", "s5"))),
        draw(st.sampled_from((20_000, 20_000, 300))),
        draw(st.sampled_from((0, 0, 0, *range(len(WORSE))))),
        draw(st.sampled_from((0, 0, 0, 3))),
    )
    if draw(st.booleans()):
        return found
    other = draw(st.one_of(junk, st.just(NOTHING)))
    exchanged = draw(st.sets(st.sampled_from(FIELDS), min_size=1, max_size=2))
    return msgspec.structs.replace(found, **{name: getattr(other, name) for name in exchanged})


def written(decision: Decision) -> bytes:
    return canonical.encode(msgspec.to_builtins(decision))


class RolloutMachine(RuleBasedStateMachine):
    """People, the machine and the world act in any order; evidence and time are whatever they are."""

    @initialize(which=st.integers(0, len(PLANS) - 1), agreed=st.sampled_from((True, True, True, False)))
    def propose(self, which: int, *, agreed: bool) -> None:
        self.which = which
        self.proven: set[str] = set()
        self.now = 1_000_000
        self.rollout = examples.proposed(PLANS[which], at=self.now)
        self.history: list[tuple[int, Event]] = [
            (self.now, Proposed(plan=PLANS[which], plan_digest=plan_digest(PLANS[which]), by=OWNER))
        ]
        for by in PEOPLE[1:3] if agreed else ():
            self.take(Approved(by=by, granted=True, plan_digest=self.rollout.plan_digest, why=""))

    @property
    def step(self) -> str:
        return self.rollout.step.name if self.rollout.step else "s1"

    def take(self, event: Event) -> bool:
        """Apply an event; tell whether it could follow."""
        before = self.rollout
        try:
            self.rollout = apply(before, event, at=self.now)
        except Invalid:
            return False
        self.history.append((self.now, event))
        if before.phase in ENDED:
            assert isinstance(event, Closed), "nothing but its closing follows a rollout's end"
        if before.phase in DECIDED:
            assert self.rollout.phase in DECIDED, "what was decided stays decided"
        return True

    @rule(data=st.data(), minutes=st.sampled_from((1, 2, 2, 2, 11, 31, -7, 10**6)))
    def tick(self, data: st.DataObject, minutes: int) -> None:
        self.now = max(0, self.now + minutes * MINUTE)
        evidence = data.draw(evidences(plan=self.which, step=self.step))

        decision = decide(self.rollout, evidence, now=self.now)

        again = decide(self.rollout, msgspec.structs.replace(evidence), now=self.now)
        assert written(decision) == written(again), "the same values give the same bytes"
        self.check(decision, evidence)
        if self.rollout.phase in DECIDED:
            assert decision.reasons == (Reason.ENDED,)
        else:
            event = Decided(decision=decision, evidence=evidence, decider=DECIDER, by=MACHINE)
            assert self.take(event), "what the rules decide can always follow"

    @rule(times=st.integers(1, 4), confirmed=st.booleans())
    def all_is_well(self, times: int, *, confirmed: bool) -> None:
        """Without this the machine would seldom get far: time passes, and the evidence could not be better."""
        for _ in range(times):
            self.now += 2 * MINUTE
            evidence = sound(self.which, self.step, 20_000, 0, 0)
            decision = decide(self.rollout, evidence, now=self.now)
            self.check(decision, evidence)
            if self.rollout.phase not in DECIDED:
                assert self.take(Decided(decision=decision, evidence=evidence, decider=DECIDER, by=MACHINE))
            elif confirmed:
                self.take(Confirmed(exposed=False, step=StepName(self.step), milliseconds=1.0))

    def check(self, decision: Decision, evidence: Evidence) -> None:
        rollout = self.rollout
        plan = rollout.plan
        if isinstance(decision, Promote):
            assert rollout.position == len(plan.steps) - 1
        if isinstance(decision, Promote | Advance) and rollout.position >= 0:
            assert rollout.phase in (Phase.RUNNING, Phase.LAPSED)
        if isinstance(decision, Advance):
            assert decision.to == rollout.position + (rollout.phase is not Phase.LAPSED)
            if rollout.position < 0:
                assert len(rollout.granted - {OWNER}) >= plan.approvals
        moves = isinstance(decision, Promote) or (isinstance(decision, Advance) and decision.to > rollout.position)
        step = rollout.step
        if moves and step is not None:
            assert self.now - rollout.entered_at >= step.minimum
            if step.stage is not StageKind.OFFLINE:
                self.check_proof(decision, evidence)

    def check_proof(self, decision: Decision, evidence: Evidence) -> None:
        """Good news was proven, on evidence that is there, fresh, confirmed and mature."""
        plan, step = self.rollout.plan, self.rollout.step
        assert step is not None
        assert evidence.in_force
        gateway = [f.age for f in evidence.freshness if f.origin == Origin.GATEWAY]
        assert gateway
        assert all(0 <= age <= plan.stale_after for age in gateway)
        assert all(f.verdict is Verdict.PASS for f in decision.findings)
        required = {g.metric.name for g in plan.guardrails if g.required}
        proven = {f.subject for f in decision.findings if f.question is Question.PROOF}
        if step.stage is StageKind.SHADOW:
            assert proven
            return
        if step.has_coin:
            assert proven == required
            self.proven = proven
        else:
            assert self.proven == required, "without a coin nothing can be proven, so it was proven before"
        exposed = next(e for e in evidence.exposed if e.step == step.name)
        assert exposed.candidate > 0
        if step.has_coin:
            assert exposed.incumbent > 0
            outcomes = [f.age for f in evidence.freshness if f.origin == Origin.OUTCOME]
            assert outcomes
            assert all(0 <= age <= plan.outcomes_stale_after for age in outcomes)
            arrived = next(m for m in evidence.maturity if m.step == step.name)
            assert arrived.candidate >= plan.maturity * exposed.candidate
            assert arrived.incumbent >= plan.maturity * exposed.incumbent

    @rule(by=st.sampled_from(PEOPLE), granted=st.sampled_from((*(True,) * 9, False)), right=st.integers(0, 9))
    def approve(self, by: Actor, *, granted: bool, right: int) -> None:
        digest = self.rollout.plan_digest if right else Digest("sha256:other")
        taken = self.take(Approved(by=by, granted=granted, plan_digest=digest, why=""))
        assert taken == (right > 0 and self.rollout.phase not in DECIDED)

    @rule(by=st.sampled_from(PEOPLE), question=st.integers(1, 12))
    def say(self, by: Actor, question: int) -> None:
        """Whatever people ask, reply or judge moves nothing."""
        before = self.rollout
        judged = Judged(by=by, step=StepName(self.step), about=("x",), why="")
        for event in (MoreAsked(by=by, why=""), Replied(by=by, question=question, why=""), judged):
            self.take(event)
        after = self.rollout
        assert (after.phase, after.position, after.order, exposure(after)) == (
            before.phase, before.position, before.order, exposure(before),
        )  # fmt: skip

    @rule(by=st.sampled_from(PEOPLE))
    def halt(self, by: Actor) -> None:
        if self.take(Halted(by=by, why="")):
            assert exposure(self.rollout) is None

    @rule(by=st.sampled_from(PEOPLE))
    def resume(self, by: Actor) -> None:
        self.take(Resumed(by=by, why=""))
        if self.rollout.phase is Phase.LAPSED:
            assert exposure(self.rollout) is None, "a person's word alone exposes nobody"

    @rule()
    def lapse(self) -> None:
        before = self.rollout.phase
        self.take(Lapsed(step=StepName(self.step), why=""))
        if before is Phase.HALTED:
            assert self.rollout.phase is Phase.HALTED, "a lapse does not lift a halt"

    @rule(exposed=st.booleans())
    def confirm(self, *, exposed: bool) -> None:
        before = self.rollout
        self.take(Confirmed(exposed=exposed, step=StepName(self.step), milliseconds=1.0))
        if self.rollout.phase is Phase.ROLLED_BACK and before.phase is Phase.ROLLING_BACK:
            assert not exposed, "a rollback is confirmed by the absence of exposure"

    @rule(kind=st.integers(0, 1))
    def stray(self, kind: int) -> None:
        """Events of other streams cannot follow."""
        version = VersionName("v2")
        other: Event = (
            Installed(model=ModelName("delays"), version=version, by=OWNER)
            if kind
            else Proposed(plan=PLANS[0], plan_digest=plan_digest(PLANS[0]), by=OWNER)
        )
        assert not self.take(other)

    @rule(to=st.integers(-1, 9), who=st.sampled_from(PEOPLE))
    def jump(self, to: int, who: Actor) -> None:
        """Whoever asks: no step is skipped, and none re-entered without a lapse."""
        before = self.rollout
        decision = Advance(to=to, reasons=(Reason.ORDERED,))
        self.proven = {g.metric.name for g in before.plan.guardrails if g.required}  # on that person's word
        if self.take(Decided(decision=decision, evidence=NOTHING, decider=DECIDER, by=who)):
            assert self.rollout.position == before.position + (before.phase is not Phase.LAPSED)

    # Late, so that rollouts live long enough to be interesting.
    @precondition(lambda self: len(self.history) > 8)
    @rule(by=st.sampled_from(PEOPLE))
    def order_rollback(self, by: Actor) -> None:
        possible = self.rollout.phase not in DECIDED
        order = Decided(decision=RollBack(reasons=(Reason.ORDERED,)), evidence=NOTHING, decider=DECIDER, by=by)
        assert self.take(order) == possible, "rolling back is always possible until something was decided"
        if possible:
            assert exposure(self.rollout) is None

    @rule()
    def close(self) -> None:
        assert self.take(Closed(count=len(self.history), root="")) == (self.rollout.phase in ENDED)

    @invariant()
    def exposure_never_exceeds_the_step(self) -> None:
        rollout = getattr(self, "rollout", None)
        if rollout is None:
            return
        granted = exposure(rollout)
        if rollout.phase not in (Phase.RUNNING, Phase.PROMOTING):
            assert granted is None
        if granted is not None:
            step = rollout.step
            assert (granted.step, granted.split, granted.mirror) == (step.name, step.split, step.mirror)
            weights = granted.split.weights()
            assert weights.candidate * FULL <= step.candidate * TOTAL
            assert weights.candidate + weights.control + weights.rest == TOTAL

    @invariant()
    def the_history_tells_it_all(self) -> None:
        if history := getattr(self, "history", None):
            assert fold(self.rollout.id, history) == self.rollout

    def teardown(self) -> None:
        """Every event that happened can be written and read back."""
        for _, event in getattr(self, "history", []):
            if not any(isinstance(c, int) and c > 2**53 for c in _integers(event)):
                assert event_of(kind_of(event), body_of(event)) == event


def _integers(event: Event) -> list[int]:
    if not isinstance(event, Decided):
        return []
    return [n for c in event.evidence.counts for n in (*c.candidate, *c.incumbent)] + [
        n for p in event.evidence.pairs for n in p.differences
    ]


TestRolloutMachine = RolloutMachine.TestCase
TestRolloutMachine.settings = settings(stateful_step_count=30)


@st.composite
def moments(draw: st.DrawFn) -> tuple[Rollout, Evidence, int]:
    """Any rollout, evidence and time."""
    which = draw(st.integers(0, len(PLANS) - 1))
    position = draw(st.integers(-1, len(PLANS[which].steps) - 1))
    rollout = replace(
        examples.proposed(PLANS[which]), phase=draw(st.sampled_from(Phase)), position=position, entered_at=10**9
    )
    evidence = draw(evidences(plan=which, step=f"s{max(position, 0) + 1}"))
    return rollout, evidence, 10**9 + draw(st.sampled_from((-1, 0, MINUTE, 2 * MINUTE, 10**9, -(10**9))))


@given(moments())
def test_decide_answers_every_state_evidence_and_time_with_the_same_bytes(
    moment: tuple[Rollout, Evidence, int],
) -> None:
    """Also for a plan that was read back from bytes: nothing hangs on the identity of objects."""
    rollout, evidence, now = moment
    again = replace(rollout, plan=msgspec.json.decode(msgspec.json.encode(rollout.plan), type=Plan))

    assert written(decide(rollout, evidence, now=now)) == written(decide(again, evidence, now=now))


@given(moments())
def test_harm_wins_over_everything_else(moment: tuple[Rollout, Evidence, int]) -> None:
    rollout, evidence, now = moment
    decision = decide(rollout, evidence, now=now)

    begun = rollout.phase not in DECIDED and rollout.phase is not Phase.PROPOSED and rollout.position >= 0
    harmed = any(f.verdict is Verdict.FAIL for f in harm_found(rollout.plan, evidence))

    # A comparison that means nothing blames nobody; the exposure ends all the same.
    doubted = {(Reason.SPLIT_BROKEN,), (Reason.SOURCE_DOUBTED,), (Reason.LOPSIDED,)}
    if begun and harmed:
        assert isinstance(decision, RollBack) or (decision.reasons in doubted and not decision.exposed)
    assert isinstance(decision, RollBack) or decision.reasons != (Reason.BREACHED,)
    assert (begun and harmed) or decision.reasons != (Reason.BREACHED,)


@given(moments())
def test_what_is_found_is_what_is_asked(moment: tuple[Rollout, Evidence, int]) -> None:
    """The short form that `decide` reads and the long form that people read are the same findings."""
    rollout, evidence, _ = moment
    told = tuple(f for f in harm_findings(rollout.plan, evidence) if f.verdict is not Verdict.INCONCLUSIVE)

    assert harm_found(rollout.plan, evidence) == told


@given(moments())
def test_every_finding_tells_the_wealth_of_its_test_to_four_places(moment: tuple[Rollout, Evidence, int]) -> None:
    """However it was reached: the number in the ledger is that of the definition, and the verdict follows from it."""
    rollout, evidence, _ = moment
    plan = rollout.plan
    for found in harm_findings(plan, evidence):
        g = next(g for g in plan.guardrails if g.metric.name == found.subject)
        tables = tables_of(plan, evidence, g, found.slice)
        if found.verdict is Verdict.INVALID or tables is None or is_paired(g.metric):
            continue
        assert found.wealth.hex() == round(log_wealth(harm_test(g), tables), 4).hex()
        assert (found.verdict is Verdict.FAIL) == (found.wealth >= found.line) or abs(found.wealth - found.line) < 1e-3
        assert (found.candidate, found.incumbent) == tuple(
            sum(sum(row) for row in rows) for rows in ([t.candidate for t in tables], [t.incumbent for t in tables])
        )
    step = plan.steps[2]
    told = proof_findings(plan, evidence, step, awaiting=False)
    for found, waiting in zip(told, proof_findings(plan, evidence, step), strict=True):
        g = next(g for g in plan.guardrails if g.metric.name == found.subject)
        tables = tables_of(plan, evidence, g, found.slice)
        if tables is None or g.metric.kind is Kind.LATENCY:
            continue
        assert found.wealth.hex() == round(log_wealth(proof_test(g, step.loosen), tables), 4).hex()
        if waiting.verdict is not Verdict.INVALID:
            assert waiting.wealth <= found.wealth
            assert (waiting.wealth == found.wealth) or waiting.awaited


@given(
    worse=st.integers(0, len(WORSE) - 1),
    row=st.integers(0, 10**6),
    more=st.sampled_from((1, 10, 1_000, 10**5)),
    size=st.sampled_from((300, 2_000, 20_000)),
    position=st.integers(2, 6),
)
def test_more_bad_outcomes_of_the_candidate_never_help_it(
    worse: int, row: int, more: int, size: int, position: int
) -> None:
    """They never turn a rollback into exposure (at most into a pause, when they cannot be true), and nothing into an advance."""
    before = sound(0, f"s{position + 1}", size, worse, 0)
    index = row % len(before.counts)
    counts = before.counts[index]
    candidate = list(counts.candidate)
    candidate[-1] += more
    after = msgspec.structs.replace(
        before,
        counts=(
            *before.counts[:index],
            msgspec.structs.replace(counts, candidate=tuple(candidate)),
            *before.counts[index + 1 :],
        ),
    )
    rollout = replace(examples.proposed(PLANS[0]), phase=Phase.RUNNING, position=position)
    was, now = (decide(rollout, evidence, now=2 * MINUTE) for evidence in (before, after))

    assert not isinstance(was, RollBack) or isinstance(now, RollBack) or now.exposed is False  # type: ignore[union-attr]  # the next line rules the others out
    assert not isinstance(now, Advance | Promote) or isinstance(was, Advance | Promote)


@given(
    counts=st.lists(
        st.builds(
            Counts,
            step=st.sampled_from(tuple(map(StepName, ("s1", "s2", "s6", "s7", "s99", "")))),
            metric=metrics,
            slice=slices,
            candidate=counts,
            incumbent=counts,
        ),
        max_size=5,
    ).map(tuple)
)
def test_only_steps_with_a_coin_tell_of_harm(counts: tuple[Counts, ...]) -> None:
    known = sound(0, "s5", 2_000, 0, 0)
    more = msgspec.structs.replace(known, counts=known.counts + counts)

    assert harm_findings(PLANS[0], more) == harm_findings(PLANS[0], known)
