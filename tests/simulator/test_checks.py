"""Each check of the simulator says no to what it is there for, told by hand."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from glideslope.ledger import checkpoint, merkle
from glideslope.testing.memory import MemorySigner
from glideslope.testing.simulator.checks.chain import Chain
from glideslope.testing.simulator.checks.commands import Answer, Commands
from glideslope.testing.simulator.checks.counting import Counting
from glideslope.testing.simulator.checks.exposures import Exposures
from glideslope.testing.simulator.checks.leasing import Leasing
from glideslope.testing.simulator.checks.violation import Violation
from glideslope.testing.simulator.shrinking import minimal

STEPS = [
    {"name": "s1", "stage": "canary", "candidate": 1_000, "control": 1_000, "mirror": 0},
    {"name": "s2", "stage": "canary", "candidate": 5_000, "control": 5_000, "mirror": 0},
]
PLAN = {"model": "m", "candidate": "v2", "lease": 2_000, "steps": STEPS, "why": "act-1"}


def entry(
    kind: str, *, version: int = 1, stream: str = "r-0001", at: str = "2026-01-01T00:00:00.000Z", **body: Any
) -> dict[str, Any]:
    return {"at": at, "body": body, "format": 1, "kind": kind, "stream": stream, "version": version}


def encoded(*entries: dict[str, Any]) -> Sequence[bytes]:
    return [json.dumps(each).encode() for each in entries]


def decided(kind: str, **more: Any) -> dict[str, Any]:
    return entry("decided", decision={"type": kind, **more}, by="glideslope", evidence={"in_force": True})


class TestChain:
    def test_a_gap_in_a_stream_is_seen(self) -> None:
        chain = Chain()
        chain.take(encoded(entry("halted"))[0])

        with pytest.raises(Violation, match="follows version 1"):
            chain.take(encoded(entry("halted", version=3))[0])

    def test_time_that_runs_back_is_seen(self) -> None:
        chain = Chain()
        chain.take(encoded(entry("halted"))[0])

        with pytest.raises(Violation, match="earlier"):
            chain.take(encoded(entry("halted", version=2, at="2025-01-01T00:00:00.000Z"))[0])

    def test_an_edit_is_seen(self) -> None:
        chain = Chain()
        (data,) = encoded(entry("halted"))
        chain.take(data)

        with pytest.raises(Violation):
            chain.unchanged([data.replace(b"r-0001", b"r-0002")])

    @pytest.mark.parametrize("size", range(1, 18))
    def test_its_tree_is_that_of_the_ledger(self, size: int) -> None:
        """Two programs that share no line come to the same root, and to another one when a leaf differs."""
        chain, signer = Chain(), MemorySigner()
        entries = encoded(*(entry("halted", version=k + 1) for k in range(size)))
        frontier = merkle.Frontier()
        for data in entries:
            chain.take(data)
            frontier.append(merkle.leaf_hash(data))
        head = checkpoint.Checkpoint(origin=signer.name, size=size, root=frontier.root())
        public_key = signer.verifier.public_key

        chain.signed(signer.sign(checkpoint.format(head).encode()), public_key=public_key)

        wrong = checkpoint.Checkpoint(origin=signer.name, size=size, root=merkle.leaf_hash(b"another"))
        with pytest.raises(Violation, match="another root"):
            chain.signed(signer.sign(checkpoint.format(wrong).encode()), public_key=public_key)
        stranger = MemorySigner(seed=b"x" * 32)
        with pytest.raises(Violation, match="not signed"):
            chain.signed(stranger.sign(checkpoint.format(head).encode()), public_key=public_key)


class TestExposures:
    def watching(self) -> Exposures:
        exposures = Exposures(lag=1.0, prompt=None, reached_store=10.0)
        exposures.take(entry("rollout-proposed", plan=PLAN), at=0.0)
        exposures.take(decided("advance", to=0), at=1.0)
        return exposures

    def look(self, exposures: Exposures, *, at: float, candidate: int = 1_000, step: str = "s1") -> None:
        exposures.look("m", rollout="r-0001", step=step, candidate=candidate, mirror=0, at=at, where="g0")

    def test_what_is_allowed_passes(self) -> None:
        self.look(self.watching(), at=9.0)

    @pytest.mark.parametrize(("candidate", "step"), [(1_001, "s1"), (1_000, "s2")])
    def test_more_than_the_step_is_seen(self, candidate: int, step: str) -> None:
        with pytest.raises(Violation, match="the ledger allowed"):
            self.look(self.watching(), at=9.0, candidate=candidate, step=step)

    def test_after_a_halt_a_lease_and_no_more_may_pass(self) -> None:
        exposures = self.watching()
        exposures.take(entry("halted", by="grace", why="odd"), at=5.0)

        self.look(exposures, at=7.9)
        with pytest.raises(Violation):
            self.look(exposures, at=8.1)

    def test_exposure_without_a_governor_is_seen(self) -> None:
        with pytest.raises(Violation, match="last heard"):
            self.look(self.watching(), at=13.1)


class TestLeasing:
    def exposing(self) -> Leasing:
        leasing = Leasing(lag=1.0, candid=True)
        leasing.take(entry("rollout-proposed", plan=PLAN), at=0.0, gateways={})
        leasing.take(decided("advance", to=0), at=1.0, gateways={})
        leasing.seen("g0", {"r-0001": "s1"}, at=1.5)
        return leasing

    def test_what_lapsed_and_comes_back_by_itself_is_seen(self) -> None:
        leasing = self.exposing()
        leasing.seen("g0", {}, at=4.0)

        with pytest.raises(Violation, match="without a fresh decision"):
            leasing.seen("g0", {"r-0001": "s1"}, at=5.0)

    def test_a_fresh_decision_brings_it_back(self) -> None:
        leasing = self.exposing()
        leasing.seen("g0", {}, at=4.0)
        leasing.take(decided("advance", to=0), at=4.5, gateways={})

        leasing.seen("g0", {"r-0001": "s1"}, at=5.0)

    def test_a_confirmation_that_is_not_true_is_seen(self) -> None:
        with pytest.raises(Violation, match="still expose"):
            self.exposing().take(
                entry("traffic-confirmed", exposed=False, step="s1"), at=2.0, gateways={"g0": {"r-0001": "s1"}}
            )

    def test_a_decision_by_who_does_not_govern_is_seen(self) -> None:
        leasing = self.exposing()
        leasing.committing = "s1.2"

        with pytest.raises(Violation, match="while nobody governs"):
            leasing.take(decided("hold", exposed=True), at=2.0, gateways={})

    def test_evidence_in_force_that_was_not_is_seen(self) -> None:
        with pytest.raises(Violation, match="not lately"):
            self.exposing().take(decided("advance", to=1), at=9.0, gateways={"g0": {}})


class TestCommands:
    def test_a_second_effect_is_seen(self) -> None:
        commands = Commands()
        commands.take(entry("halted", by="grace", why="act-7"), at=1.0)

        with pytest.raises(Violation, match="again"):
            commands.take(entry("halted", by="grace", why="act-7"), at=2.0)

    @pytest.mark.parametrize(("answer", "effects"), [(Answer.ACCEPTED, 0), (Answer.REFUSED, 1)])
    def test_an_answer_that_is_not_true_is_seen(self, answer: Answer, effects: int) -> None:
        commands = Commands()
        commands.answered("act-7", answer, asked=0.0)
        for _ in range(effects):
            commands.take(entry("halted", by="grace", why="act-7"), at=1.0)

        with pytest.raises(Violation):
            commands.settle()

    def test_no_answer_goes_with_one_effect_and_with_none(self) -> None:
        commands = Commands()
        commands.answered("act-7", Answer.UNKNOWN, asked=0.0)
        commands.settle()
        commands.take(entry("halted", by="grace", why="act-7"), at=1.0)
        commands.settle()


class TestCounting:
    PLACE = ("r-0001", "s1", "candidate")

    def test_outcomes_that_were_acknowledged_and_are_gone_are_seen(self) -> None:
        counting = Counting()
        counting.sent(self.PLACE, "u1")
        counting.acknowledged(self.PLACE, "u1")

        with pytest.raises(Violation, match="1 were acknowledged"):
            counting.settle({})

    def test_totals_that_were_kept_and_are_not_read_back_are_seen(self) -> None:
        counting = Counting()
        counting.saved({("gateway", 1, "r-0001/s1/candidate/exposure/all/0"): 5})

        with pytest.raises(Violation, match="kept at 5"):
            counting.read("r-0001/", {("gateway", 1, "r-0001/s1/candidate/exposure/all/0"): 4})


@pytest.mark.parametrize("needed", [set(), {"3"}, {"0", "9"}, {"2", "3", "7"}])
def test_shrinking_leaves_what_is_needed_and_nothing_else(needed: set[str]) -> None:
    parts = [str(k) for k in range(10)]

    found = minimal(parts, lambda some: needed <= set(some), left=lambda: True)

    assert set(found) == needed
