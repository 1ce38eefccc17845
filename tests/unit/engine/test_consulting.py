"""What others answer to rules of policies in force: asked beside the loop, believed for a while, and never waited for."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import msgspec
import pytest

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, NoEvidence, Opa, Outcome, Pass, Policy
from glideslope.domain.ids import RolloutId
from glideslope.engine.consulting import AGAIN_AFTER, GOOD_FOR, Consulting
from glideslope.interfaces.cli.shipped import DOSSIER_FILE, shipped
from glideslope.interfaces.document import policies
from glideslope.testing.clock import ManualClock

ROLLOUT = RolloutId("r-0001")
YES = Pass(("yes",))
OPA = Opa(id="O", says="s", path="a/b", within="1h")
CEL = Cel(id="C", says="s", findings="[]", needs=("plan",))
POLICY = Policy(name="p", tiers=("low", "medium", "high"), rules=(OPA,))
BOTH = msgspec.structs.replace(POLICY, rules=(OPA, CEL))


@pytest.fixture(scope="module")
def dossier() -> Dossier:
    return policies.read_dossier(shipped(f"policies/{DOSSIER_FILE}"), file=DOSSIER_FILE)


class Source:
    """Answers what it is told to answer."""

    def __init__(self, act: Callable[[], Outcome] = lambda: YES) -> None:
        self.act = act
        self.rules: list[Cel | Opa] = []

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        del dossier
        self.rules.append(rule)
        return self.act()


def consulting(clock: ManualClock, **sources: Source) -> Consulting:
    return Consulting(sources, clock=clock, wake=lambda: None)


async def test_an_answer_counts_for_the_change_it_was_asked_about_and_for_so_long(dossier: Dossier) -> None:
    clock, source = ManualClock(), Source()
    asked = consulting(clock, opa=source)
    first = asked.consult(ROLLOUT, (POLICY,), dossier)
    assert (first.told, first.pending) == (({},), True)
    await asked.settle()

    later = msgspec.structs.replace(dossier, now=dossier.now + 1_000)
    found = asked.consult(ROLLOUT, (POLICY,), later)
    assert (found.told, found.pending) == (({"O": YES},), False)
    assert found.dossier is dossier, "the answer is about what was sent"

    denied = msgspec.structs.replace(later, denied_by=("eve",))
    assert asked.consult(ROLLOUT, (POLICY,), denied).told == ({},), "another change"
    assert asked.consult(ROLLOUT, (BOTH,), later).told == ({},), "another policy"
    assert asked.consult(RolloutId("r-0002"), (POLICY,), later).told == ({},)

    await clock.advance(GOOD_FOR - 0.1)
    assert asked.consult(ROLLOUT, (POLICY,), later).told == ({"O": YES},)
    await clock.advance(0.1)
    assert asked.consult(ROLLOUT, (POLICY,), later).told == ({},), "it is too old"


async def test_while_it_matters_it_is_asked_again_and_what_comes_then_replaces_what_was(dossier: Dossier) -> None:
    clock, source = ManualClock(), Source()
    asked = consulting(clock, opa=source)
    asked.consult(ROLLOUT, (POLICY,), dossier)
    await asked.settle()
    asked.consult(ROLLOUT, (POLICY,), dossier)
    await asked.settle()
    assert len(source.rules) == 1, "not at every look"

    source.act = lambda: NoEvidence(("it has gone",))
    await clock.advance(AGAIN_AFTER)
    asked.consult(ROLLOUT, (POLICY,), dossier)
    await asked.settle()

    assert asked.consult(ROLLOUT, (POLICY,), dossier).told == ({"O": NoEvidence(("it has gone",))},)


async def test_an_answer_that_never_comes_is_pending_for_a_while_only(dossier: Dossier) -> None:
    clock = ManualClock()
    asked = consulting(clock, opa=Source())
    assert asked.consult(ROLLOUT, (POLICY,), dossier).pending
    await clock.advance(GOOD_FOR)
    assert not asked.consult(ROLLOUT, (POLICY,), dossier).pending


@pytest.fixture
def hanging() -> Iterator[Source]:
    """A source that answers nobody until the test is over."""
    over = threading.Event()

    def hang() -> Outcome:
        over.wait()
        return YES

    yield Source(hang)
    over.set()


async def test_who_hangs_keeps_neither_the_loop_nor_others_from_their_work(dossier: Dossier, hanging: Source) -> None:
    woken = asyncio.Event()
    cel = Source()
    asked = Consulting({"opa": hanging, "cel": cel}, clock=ManualClock(), wake=woken.set)
    running = asyncio.create_task(asked.run())
    for number in range(20):
        asked.consult(RolloutId(f"r-{number}"), (POLICY,), dossier)
    asked.consult(ROLLOUT, (msgspec.structs.replace(POLICY, rules=(CEL,)),), dossier)

    await asyncio.wait_for(woken.wait(), timeout=10)

    assert asked.consult(ROLLOUT, (msgspec.structs.replace(POLICY, rules=(CEL,)),), dossier).told == ({"C": YES},)
    assert 0 < len(hanging.rules) <= 4, "not a thread for each that waits"
    running.cancel()


async def test_the_server_waits_for_less_than_a_rule_allows_and_a_source_that_raises_has_not_answered(
    dossier: Dossier,
) -> None:
    def fail() -> Outcome:
        raise RuntimeError("broken")

    opa = Source(fail)
    asked = consulting(ManualClock(), opa=opa)
    asked.consult(ROLLOUT, (BOTH,), dossier)
    await asked.settle()

    (told,) = asked.consult(ROLLOUT, (BOTH,), dossier).told
    assert told == {
        "O": NoEvidence(("an answer of opa: RuntimeError: broken",)),
        "C": NoEvidence(("anybody who answers rules of the kind cel",)),
    }
    assert [rule.within for rule in opa.rules if isinstance(rule, Opa)] == ["10s"]


async def test_a_change_that_no_outside_rule_concerns_asks_nobody(dossier: Dossier) -> None:
    source = Source()
    asked = consulting(ManualClock(), opa=source)
    other = msgspec.structs.replace(POLICY, rules=(msgspec.structs.replace(OPA, tiers=("low",)),))
    assert dossier.tier != "low"

    found = asked.consult(ROLLOUT, (other,), dossier)
    await asked.settle()

    assert (found.told, found.pending, source.rules) == (({},), False, [])
