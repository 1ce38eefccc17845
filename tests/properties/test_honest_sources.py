"""Honest sources are never called liars, whatever network, gateway and server do; a liar is, beyond a stated tolerance.

A false alarm would stop a healthy rollout, so the model below is unkind: replicas that all meet every subject, first good
then bad; messages that are lost, doubled, reordered and late by a minute; sources that start anew; requests that the gateway
reports when they end, or never, while the line is cut; a server that is killed, and loses what it had not saved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.doubt import PATIENCE, Claim, Doubt, allowed, is_settled
from glideslope.domain.ids import WHOLE, Actor, MetricName, ModelName, RolloutId, StepName
from glideslope.domain.metric import EXPOSURE, Cell, Kind, Metric, Origin
from glideslope.domain.observation import Briefing, Totals
from glideslope.domain.plan import Guardrail
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.doubts import Doubts
from glideslope.engine.scopes import GATEWAY, Scope
from glideslope.engine.sources import bound
from glideslope.sdk.briefed import NOT_BRIEFED, briefed
from glideslope.sdk.errors import ServerUnreachable
from glideslope.sdk.observe import Observer
from glideslope.sdk.stamps import Stamps
from glideslope.testing import examples

CLICKED: Final = Metric(name=MetricName("clicked"), kind=Kind.EVENT, origin=Origin.SERVICE)
LENGTH: Final = Metric(name=MetricName("length"), kind=Kind.SCORE, origin=Origin.SERVICE, edges=(1.0, 2.0, 3.0))
LEASE: Final = 2
"""Seconds, as in the example's plan."""


def given_plan() -> Rollout:
    plan = examples.plan()
    own = tuple(replace_metric(g, metric) for g, metric in zip(plan.guardrails[:2], (CLICKED, LENGTH), strict=True))
    plan = type(plan)(
        **{f: getattr(plan, f) for f in plan.__struct_fields__} | {"guardrails": (*plan.guardrails, *own)}
    )
    return replace(examples.proposed(plan), id=RolloutId("r-0001"), phase=Phase.RUNNING, position=-1)


def replace_metric(g: Guardrail, metric: Metric) -> Guardrail:
    return type(g)(**{f: getattr(g, f) for f in g.__struct_fields__} | {"metric": metric, "reference": ()})


ROLLOUT: Final = given_plan()
FIRST: Final = next(k for k, step in enumerate(ROLLOUT.plan.steps) if step.has_coin)
LAST: Final = max(k for k, step in enumerate(ROLLOUT.plan.steps) if step.candidate)


@dataclass
class Source:
    """One start of one replica, counting as the sdk does."""

    name: str
    epoch: int
    totals: dict[str, int] = field(default_factory=dict)
    sequence: int = 0

    def count(self, step: StepName, arm: Arm, subjects: int, chance: Random) -> None:
        bad = chance.randint(0, subjects)
        again = chance.randint(0, subjects - bad)  # first good, and bad when they came again
        self._add(step, arm, CLICKED, 0, subjects - bad)
        self._add(step, arm, CLICKED, 1, bad + again)
        self._add(step, arm, LENGTH, chance.randrange(3), subjects)

    def _add(self, step: StepName, arm: Arm, metric: Metric, bin_: int, count: int) -> None:
        key = Cell(ROLLOUT.id, step, arm, metric.name, WHOLE, bin_).key()
        self.totals[key] = self.totals.get(key, 0) + count


@dataclass
class Server:
    """What one start of a server knows: nothing but what was saved before it."""

    rollout: Rollout
    saved: dict[tuple[str, int], dict[str, int]]
    epoch: int
    now: float
    scope: Scope = field(default_factory=lambda: Scope(ROLLOUT.id))
    doubts: Doubts = field(default_factory=lambda: Doubts(in_process=False))
    own: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for (source, epoch), totals in self.saved.items():
            self.scope.absorb(source, epoch=epoch, totals=totals)
        self.doubts.watch(self.rollout)

    def heard(self, source: str, epoch: int, sequence: int, totals: dict[str, int], *, now: float) -> None:
        kept = self.saved.setdefault((source, epoch), {})
        for key, total in totals.items():
            kept[key] = max(total, kept.get(key, 0))
        grown = self.scope.absorb(source, epoch=epoch, totals=totals)
        self.doubts.numbered(ROLLOUT.id, source, totals, epoch=epoch, sequence=sequence)
        self.doubts.weigh(self.rollout, self.scope, source, grown, epoch=epoch, now=now, elapsed=int(now))

    def served(self, step: StepName, arm: Arm, subjects: int, *, now: float) -> None:
        cell = Cell(ROLLOUT.id, step, arm, EXPOSURE, WHOLE, 0)
        self.scope.add(cell, subjects)
        self.own[cell.key()] = self.own.get(cell.key(), 0) + subjects
        self.doubts.served(ROLLOUT.id, step, arm, now=now, subjects=subjects)

    def flush(self) -> None:
        self.saved[GATEWAY, self.epoch] = dict(self.own)

    def found(self, *, now: float) -> tuple[Doubt, ...]:
        return self.doubts.of(self.rollout, self.scope, now=now)


class Model:
    """Seconds pass; what was said and found in them is kept."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.now = 0.0
        self.rollout = ROLLOUT
        self.server: Server | None = Server(self.rollout, {}, 1, self.now)
        self.lag = self.chance.choice([0, 1, 15])
        self.replicas = [Source(f"web-{k}", 1) for k in range(self.chance.randint(1, 3))]
        self.reports: list[tuple[float, StepName, Arm, int]] = []
        self.messages: list[tuple[float, Source, int, dict[str, int]]] = []
        self.rate = 0
        self.starts = 1
        self.enter(FIRST)

    def enter(self, position: int) -> None:
        self.rollout = replace(self.rollout, position=position, phase=Phase.RUNNING)
        self.rate = self.chance.choice([0, 5, 300, 3_000])
        if self.server is not None:
            self.server.rollout = self.rollout

    def seconds(self, count: int, *, exposed: bool = True, line: bool = True) -> None:
        for _ in range(count):
            self.now += 1
            if exposed:
                self.serve()
            self.say()
            self.arrive(line=line)
            if self.server is not None:
                settled = [doubt for doubt in self.server.found(now=self.now) if is_settled(doubt)]
                assert settled == []
                self.server.flush()

    def serve(self) -> None:
        step = self.rollout.plan.steps[self.rollout.position].name
        for arm in Arm:
            subjects = round(self.rate * self.chance.uniform(0.5, 1.0))
            for source in self.replicas:
                source.count(step, arm, subjects if self.chance.random() < 0.5 else subjects // 2, self.chance)
            self.reports.append((self.now + self.lag, step, arm, subjects))

    def say(self) -> None:
        for source in self.replicas:
            source.sequence += 1
            for _ in range(self.chance.choice([0, 1, 1, 1, 2])):
                delay = self.chance.choice([0, 0, 0, 1, 5, 60])
                self.messages.append((self.now + delay, source, source.sequence, dict(source.totals)))

    def arrive(self, *, line: bool) -> None:
        due = [r for r in self.reports if r[0] <= self.now]
        self.reports = [r for r in self.reports if r[0] > self.now]
        told = [m for m in self.messages if m[0] <= self.now]
        if self.server is None:
            return  # the report is lost; a message is sent again, or waits on its way
        self.messages = [m for m in self.messages if m[0] > self.now]
        for _, step, arm, subjects in due if line else ():
            self.server.served(step, arm, subjects, now=self.now)
        self.chance.shuffle(told)
        for _, source, sequence, totals in told:
            who = bound(Actor("flights"), source.name)
            self.server.heard(who, source.epoch, sequence, totals, now=self.now)

    def cut(self, seconds: int) -> None:
        """The gateway's line is down; beyond a lease the exposure ends, and is decided afresh when the line is up."""
        self.seconds(min(seconds, LEASE), line=False)
        if seconds > LEASE:
            self.seconds(seconds - LEASE, exposed=False, line=False)
            self.lapse()
        self.seconds(7)

    def kill(self, down: int) -> None:
        assert self.server is not None
        saved = self.server.saved
        self.server = None
        self.seconds(min(down, LEASE))
        self.seconds(max(0, down - LEASE), exposed=False)
        self.starts += 1
        self.server = Server(self.rollout, saved, self.starts, self.now)
        self.lapse()

    def lapse(self) -> None:
        assert self.server is not None
        self.server.doubts.watch(replace(self.rollout, phase=Phase.LAPSED))

    def restart_source(self) -> None:
        k = self.chance.randrange(len(self.replicas))
        self.replicas[k] = Source(self.replicas[k].name, self.replicas[k].epoch + 1)

    def advance(self) -> None:
        if self.rollout.position < LAST:
            self.enter(self.rollout.position + 1)


happenings = st.lists(
    st.one_of(
        st.tuples(st.just("seconds"), st.integers(1, 40)),
        st.tuples(st.just("cut"), st.integers(1, 6)),
        st.tuples(st.just("kill"), st.integers(0, 20)),
        st.tuples(st.just("advance"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=8,
)


def lived(seed: int, happened: Sequence[tuple[str, int]]) -> Model:
    model = Model(seed)
    for what, seconds in happened:
        match what:
            case "seconds":
                model.seconds(seconds)
            case "cut":
                model.cut(seconds)
            case "kill":
                model.kill(seconds)
            case "advance":
                model.advance()
            case _:
                model.restart_source()
    model.seconds(70)
    return model


@given(st.integers(0, 2**32), happenings)
def test_no_honest_source_is_ever_found_not_credible(seed: int, happened: list[tuple[str, int]]) -> None:
    """The assertion is in `Model.seconds`: after every second."""
    lived(seed, happened)


def busy(seed: int) -> Model:
    model = Model(seed)
    model.lag, model.rate = 0, 3_000
    return model


def quiet(model: Model) -> None:
    """The step is left, so what the gateway missed of it is never made up for."""
    model.advance()
    model.rate = 0
    model.seconds(70)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_killed_server_had_not_saved_is_held_against_nobody(seed: int) -> None:
    model = busy(seed)
    model.serve()

    model.kill(20)
    quiet(model)


@pytest.mark.parametrize("seed", range(5))
def test_what_the_gateway_could_not_report_within_a_lease_is_held_against_nobody(seed: int) -> None:
    model = busy(seed)
    model.seconds(1)

    model.seconds(LEASE, line=False)
    quiet(model)


@given(st.integers(0, 2**32), happenings, st.sampled_from([CLICKED, LENGTH]), st.sampled_from(list(Arm)))
def test_a_liar_beyond_the_tolerance_is_found_and_nobody_else(
    seed: int, happened: list[tuple[str, int]], metric: Metric, arm: Arm
) -> None:
    """In the first step that is seen from its beginning, half a minute after it spoke."""
    model = lived(seed, happened)
    server = model.server
    assert server is not None
    if model.rollout.position == LAST:
        return
    model.advance()
    model.seconds(5)
    step = model.rollout.plan.steps[model.rollout.position].name
    seen = server.scope.bins(step, EXPOSURE, WHOLE, arm, size=1)[0]
    coming = 40 * model.rate  # what is served until it is judged
    lie = 1 + allowed(seen=seen + coming, peak=model.rate, lease=LEASE * 1000)
    key = Cell(ROLLOUT.id, step, arm, metric.name, WHOLE, 1).key()
    liar = bound(Actor("mallory"), "web-0")
    server.heard(liar, 1, 1, {key: lie}, now=model.now)
    assert [is_settled(d) for d in server.found(now=model.now)][-1:] == [False]

    # The clock of the judge goes on; what the honest do meanwhile is told above.
    (found,) = (d for d in server.found(now=model.now + PATIENCE / 1000) if d.actor == "mallory")

    assert is_settled(found)
    assert (found.claim, found.source, found.said, found.step) == (Claim.BEYOND_TRAFFIC, "web-0", lie, step)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=6), st.data())
def test_a_total_that_shrank_is_found_in_whatever_order_it_is_heard(totals: list[int], data: st.DataObject) -> None:
    """And what grew is not: the merged maximum is what the message with the highest number said, or there is a doubt."""
    key = Cell(ROLLOUT.id, StepName("s3"), Arm.CANDIDATE, CLICKED.name, WHOLE, 0).key()
    order = data.draw(st.permutations(range(len(totals))))
    server = Server(ROLLOUT, {}, 1, 0.0)

    for k in [*order, *order]:
        server.heard("x", 1, k + 1, {key: totals[k]}, now=1.0)

    found = [d for d in server.found(now=1.0) if d.claim is Claim.SHRANK]
    if totals == sorted(totals):
        assert found == []
    elif max(totals) > totals[-1]:
        (doubt,) = found
        assert doubt.first < doubt.second
        assert doubt.said > doubt.against
        assert (totals[doubt.first - 1], totals[doubt.second - 1]) == (doubt.said, doubt.against)


@pytest.mark.parametrize("numbers", [(5, 5), (0, 0)], ids=["numbered", "not numbered"])
def test_two_messages_of_one_number_say_the_same(numbers: tuple[int, int]) -> None:
    """Who numbers nothing is merged as ever."""
    key = Cell(ROLLOUT.id, StepName("s3"), Arm.CANDIDATE, CLICKED.name, WHOLE, 0).key()
    doubts = Doubts(in_process=False)
    for number, total in zip(numbers, (9, 4), strict=True):
        if number:
            doubts.numbered(ROLLOUT.id, "x", {key: total}, epoch=1, sequence=number)

    assert len(doubts.of(ROLLOUT, Scope(ROLLOUT.id), now=1.0)) == (1 if numbers[0] else 0)


BRIEFING: Final = Briefing(
    model=ModelName("m"),
    grant=None,
    rollouts={ROLLOUT.id: 1},
    metrics=(CLICKED, LENGTH),
    dimensions=(),
    key_id=1,
    key=b"k",
    tag="t",
)
deeds = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["s3", "s4"]), st.sampled_from(["", "anna", "ben"]), st.sampled_from([0, 1])),
        st.sampled_from(["sent", "lost", "unacknowledged", "rollout unknown", "rollout known"]),
    ),
    max_size=40,
)


@given(deeds, st.randoms(use_true_random=False))
def test_the_sdk_never_contradicts_itself(happened: list[object], chance: Random) -> None:
    """Not even where one server names a rollout that another does not know yet: its totals go on."""
    arrived: list[Totals] = []
    fate = "sent"

    def send(message: Totals) -> None:
        if fate != "lost":
            arrived.append(message)
        if fate != "sent":
            raise ServerUnreachable(url="http://nowhere", why=fate)

    observer = Observer(ModelName("m"), source="a", epoch=1, send=send)
    observer.follow(briefed(BRIEFING))
    for deed in happened:
        if isinstance(deed, tuple):
            step, subject, clicked = deed
            stamps = Stamps(rollout=ROLLOUT.id, step=StepName(step), arm=Arm.CANDIDATE, subject=subject)
            observer.observe(stamps, clicked=clicked, length=clicked)
        elif deed == "rollout unknown":
            observer.follow(NOT_BRIEFED)
        elif deed == "rollout known":
            observer.follow(briefed(BRIEFING))
        else:
            fate = str(deed)
            observer.send_totals()
    server = Server(ROLLOUT, {}, 1, 0.0)

    doubled = [*arrived, *arrived]
    chance.shuffle(doubled)
    for message in doubled:
        assert message.sequence > 0
        server.heard("a", 1, message.sequence, dict(message.counts), now=1.0)

    assert [d for d in server.found(now=1.0) if d.claim is Claim.SHRANK] == []
