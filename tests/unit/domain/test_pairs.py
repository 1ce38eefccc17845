"""What two answers say about each other, and tests of one sample whose guarantee is exact."""

import math
from fractions import Fraction
from itertools import product
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.alphas import pair_alphas
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.evidence import Evidence, Freshness, Pairs
from glideslope.domain.freeze import plan_digest
from glideslope.domain.gate import harm_findings, proof_findings
from glideslope.domain.ids import WHOLE, MetricName, SliceName
from glideslope.domain.metric import Dimension, slice_names, slices_of
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.pairs import (
    RATIO_EDGES,
    SHIFTS,
    Half,
    PairKind,
    PairLimit,
    PairRules,
    compared,
    pair_values,
)
from glideslope.domain.plan import Plan, check_plan
from glideslope.domain.receipt import NO_SLICE, SCORE_LEVELS
from glideslope.domain.tallied import pair_proof_findings
from glideslope.stats.counts import Tally
from glideslope.stats.reals import written
from glideslope.stats.wealth import crossed
from glideslope.testing.examples import plan

RULES = PairRules()
LIMITS = {
    PairKind.DISAGREEMENT: 0.05,
    PairKind.SHIFT: 0.02,
    PairKind.SLOWER: 0.25,
    PairKind.SKEW: 0.001,
}


def limit_of(kind: PairKind, **more: Any) -> PairLimit:
    return PairLimit(kind=kind, limit=LIMITS[kind], **more)


def half(score: float = -1.0, **more: Any) -> Half:
    return Half(1, -1 if score < 0 else round(score * SCORE_LEVELS), **more)


@pytest.mark.parametrize("kind", PairKind)
@pytest.mark.parametrize("pairs", [1, 2, 3])
def test_on_every_distribution_at_the_limit_the_mean_wealth_is_at_most_one(kind: PairKind, pairs: int) -> None:
    """Full enumeration, in fractions: two-point distributions span all that have a mean, and the factor is linear in it."""
    limit = limit_of(kind)
    bound = Fraction(1, 2) if kind is PairKind.SLOWER else written(limit.limit)
    for tests in (harm_tests(limit), proof_tests(limit)):
        for sign, test in zip((1, -1), tests, strict=False):
            bets = test.bets()
            values = [sign * written(value) for value in pair_values(kind)]
            extremes = [values.index(min(values)), values.index(max(values))]
            low, high = (values[k] for k in extremes)
            chance = (bound - low) / (high - low)  # the mean is the bound itself, where both nulls are hardest to keep
            mean = sum(
                weight * math.prod((chance if cell == extremes[1] else 1 - chance) * row[cell] for cell in cells)
                for cells in product(extremes, repeat=pairs)
                for weight, row in zip(bets.prior, bets.factors, strict=True)
            )
            assert mean == 1, (kind, test)


@pytest.mark.parametrize("kind", PairKind)
def test_every_bin_on_the_right_side_of_its_limit_costs_wealth_and_on_the_wrong_side_earns_it(kind: PairKind) -> None:
    limit = limit_of(kind)
    bound = 0.5 if kind is PairKind.SLOWER else limit.limit
    for sign, harm, proof in zip((1, -1), harm_tests(limit), proof_tests(limit), strict=False):
        against, inside = harm.bets().factors, proof.bets().factors
        for k, value in enumerate(pair_values(kind)):
            assert all((row[k] > 1) == (sign * value > bound) for row in against)
            assert all((row[k] > 1) == (sign * value < bound) for row in inside)


@given(st.integers(0, SCORE_LEVELS), st.integers(0, SCORE_LEVELS))
def test_exchanging_the_arms_mirrors_every_comparison(one: int, other: int) -> None:
    first, second = Half(1, one, microseconds=one), Half(1, other, microseconds=other)
    there = compared(RULES, candidate=first, incumbent=second)
    back = compared(RULES, candidate=second, incumbent=first)

    assert SHIFTS[there[PairKind.SHIFT]] == -SHIFTS[back[PairKind.SHIFT]]
    assert {there[PairKind.DISAGREEMENT], back[PairKind.DISAGREEMENT]} in ({0}, {1, 2})
    slower = pair_values(PairKind.SLOWER)
    assert slower[there[PairKind.SLOWER]] == float(one > other)
    assert slower[back[PairKind.SLOWER]] == float(other > one)


@given(st.integers(-SCORE_LEVELS, SCORE_LEVELS))
def test_a_shift_is_counted_in_the_nearest_bin(levels: int) -> None:
    bin_ = compared(RULES, candidate=Half(1, max(levels, 0)), incumbent=Half(1, max(-levels, 0)))[PairKind.SHIFT]
    exact = levels / SCORE_LEVELS

    assert abs(SHIFTS[bin_] - exact) == pytest.approx(min(abs(value - exact) for value in SHIFTS), abs=1e-12)


def test_what_one_half_lacks_is_not_compared() -> None:
    assert compared(RULES, candidate=half(0.4), incumbent=half()) == {}
    assert set(compared(RULES, candidate=half(0.4), incumbent=half(0.6))) == {PairKind.DISAGREEMENT, PairKind.SHIFT}
    assert compared(RULES, candidate=half(features=3), incumbent=half(features=3)) == {PairKind.SKEW: 0}
    assert compared(RULES, candidate=half(features=3), incumbent=half(features=4)) == {PairKind.SKEW: 1}
    assert compared(RULES, candidate=half(0.9, answer="cat"), incumbent=half(0.1)) == {
        PairKind.DISAGREEMENT: 1,
        PairKind.SHIFT: compared(RULES, candidate=half(0.9), incumbent=half(0.1))[PairKind.SHIFT],
    }


def test_classes_decide_where_both_are_known_and_else_the_side_of_the_threshold() -> None:
    same = compared(RULES, candidate=half(0.9, answer="cat"), incumbent=half(0.1, answer="cat"))
    other = compared(RULES, candidate=half(0.9, answer="cat"), incumbent=half(0.8, answer="dog"))
    strict = PairRules(threshold=0.85)

    assert (same[PairKind.DISAGREEMENT], other[PairKind.DISAGREEMENT]) == (0, 3)
    assert compared(RULES, candidate=half(0.9), incumbent=half(0.8))[PairKind.DISAGREEMENT] == 0
    assert compared(strict, candidate=half(0.9), incumbent=half(0.8))[PairKind.DISAGREEMENT] == 1
    assert compared(strict, candidate=half(0.8), incumbent=half(0.9))[PairKind.DISAGREEMENT] == 2


@pytest.mark.parametrize(
    ("candidate", "incumbent", "slower"),
    [(125, 100, 0.0), (127, 100, 1.0), (0, 0, 0.0), (10**9, 0, 1.0), (0, 10**9, 0.0)],
)
def test_slower_means_beyond_the_limit(candidate: int, incumbent: int, slower: float) -> None:
    rules = PairRules(limits=(limit_of(PairKind.SLOWER),))
    bin_ = compared(rules, candidate=half(microseconds=candidate), incumbent=half(microseconds=incumbent))[
        PairKind.SLOWER
    ]

    assert pair_values(PairKind.SLOWER)[bin_] == slower
    assert 0 <= bin_ <= len(RATIO_EDGES)


# --- in a plan ---


def limited(*limits: PairLimit, crosses: Any = msgspec.UNSET, **more: Any) -> Plan:
    return msgspec.structs.replace(plan(), pairs=PairRules(limits=limits, **more), crosses=crosses)


ALL = limited(*map(limit_of, PairKind))


def evidence(**counts: tuple[int, ...]) -> Evidence:
    return Evidence(
        pairs=tuple(Pairs(metric=MetricName(m), slice=WHOLE, differences=c) for m, c in counts.items()),
        freshness=(Freshness(origin="pairs", age=0),),
    )


def test_all_that_is_asked_of_a_plan_shares_one_alpha() -> None:
    spent = sum(written(alpha) for limit in ALL.rules.limits for _, alpha in pair_alphas(ALL, limit))
    guardrails = sum(
        alpha
        for f, alpha in {(f.subject, f.slice): math.exp(-f.line) for f in harm_findings(ALL, Evidence())}.items()
        if f[0] not in LIMITS
    )

    assert (
        written(ALL.alpha) / 2 * (1 - Fraction(1, 10**12)) <= spent <= written(ALL.alpha) / 2
    )  # four limits beside four guardrails of the same weight
    assert guardrails <= ALL.alpha / 2 * 1.001  # lines are shown with four digits
    lines = [f.line for f in harm_findings(ALL, Evidence()) if (f.subject, f.slice) == ("shift", WHOLE)]
    assert sum(math.exp(-line) for line in lines) == pytest.approx(ALL.alpha / 16, rel=1e-3)  # both sides together
    whole = dict(pair_alphas(ALL, ALL.rules.limits[0]))[WHOLE]
    assert whole == pytest.approx(ALL.alpha / 16)


def test_a_shift_down_is_harm_as_a_shift_up_is_and_a_proof_needs_both_sides() -> None:
    up, down, none = ([0] * len(SHIFTS) for _ in range(3))
    up[45], down[15], none[30] = 400, 400, 400
    asked = limited(limit_of(PairKind.SHIFT))

    def told(counts: list[int]) -> tuple[set[str], list[str]]:
        found = evidence(shift=tuple(counts))
        harm = {f.verdict.value for f in harm_findings(asked, found) if f.subject == "shift" and f.slice == WHOLE}
        return harm, [f.verdict.value for f in pair_proof_findings(asked, found)]

    assert told(up) == ({"fail", "inconclusive"}, ["inconclusive", "pass"])
    assert told(down) == ({"fail", "inconclusive"}, ["pass", "inconclusive"])
    assert told(none) == ({"inconclusive"}, ["pass", "pass"])


@pytest.mark.parametrize("counts", [(5,), (5, 0, 0, -1), (1, 2, 3, 4, 5)])
def test_malformed_pairs_prove_nothing_and_are_called_so(counts: tuple[int, ...]) -> None:
    found = evidence(disagreement=counts)

    harm = [f.verdict.value for f in harm_findings(ALL, found) if (f.subject, f.slice) == ("disagreement", WHOLE)]
    assert harm == ["invalid"]
    assert next(f.verdict.value for f in pair_proof_findings(ALL, found)) == "invalid"


def test_the_canary_is_not_asked_about_pairs_again() -> None:
    shadow, canary = ALL.steps[1], ALL.steps[2]

    assert {f.subject for f in proof_findings(ALL, Evidence(), shadow)} >= set(LIMITS)
    assert not {f.subject for f in proof_findings(ALL, Evidence(), canary)} & set(LIMITS)


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (limited(PairLimit(kind=PairKind.SKEW, limit=0.0)), "limited to 0"),
        (limited(PairLimit(kind=PairKind.DISAGREEMENT, limit=1.0)), "limited to 1"),
        (limited(PairLimit(kind=PairKind.SLOWER, limit=math.nan)), "limited to nan"),
        (limited(limit_of(PairKind.SKEW), limit_of(PairKind.SKEW)), "needs one limit"),
        (limited(limit_of(PairKind.SKEW, weight=0)), "weight of at least 1"),
        (limited(threshold=1.0), "threshold is 1"),
        (msgspec.structs.replace(ALL, steps=ALL.steps[2:]), "Only a shadow stage makes pairs"),
        (limited(crosses=(("origin", "carrier"),)), "two different fields"),
        (limited(crosses=(("origin", "origin"),)), "two different fields"),
    ],
)  # fmt: skip
def test_a_plan_whose_pairs_cannot_be_judged_is_refused(broken: Plan, sentence: str) -> None:
    renamed = [msgspec.structs.replace(s, name=f"s{k + 1}") for k, s in enumerate(broken.steps)]
    with pytest.raises(PlanInvalid, match=sentence):
        check_plan(msgspec.structs.replace(broken, steps=tuple(renamed)))


def test_a_plan_that_asks_nothing_of_pairs_has_the_bytes_that_it_had() -> None:
    assert "pairs" not in msgspec.to_builtins(plan())
    assert "crosses" not in msgspec.to_builtins(plan())
    assert plan_digest(plan()) != plan_digest(ALL)


# --- crosses ---

TWO = (Dimension("region", ("eu", "us")), Dimension("tier", ("gold",)), Dimension("os", ("a", "b")))


def test_a_cross_is_every_value_of_one_field_with_every_value_of_the_other() -> None:
    assert slice_names(TWO, [("tier", "region")])[-2:] == ("tier=gold & region=eu", "tier=gold & region=us")
    assert len(set(slice_names(TWO, [("region", "os"), ("tier", "os")]))) == 5 + 4 + 2


@pytest.mark.parametrize(
    ("places", "slices"),
    [
        ((0, 0, 1), ["region=eu", "tier=gold", "os=b", "region=eu & tier=gold"]),
        ((0, NO_SLICE, 1), ["region=eu", "os=b"]),
        ((7, 0, NO_SLICE), ["tier=gold"]),
        ((), []),
    ],
)
def test_a_request_is_in_a_cross_when_both_its_values_are_looked_at(places: tuple[int, ...], slices: list[str]) -> None:
    assert slices_of(TWO, [("region", "tier")], places) == [SliceName(name) for name in slices]


def test_too_many_slices_are_refused_with_what_would_do() -> None:
    many = tuple(Dimension(field, tuple(f"{field}{k}" for k in range(40))) for field in ("a", "b"))
    broken = msgspec.structs.replace(plan(), dimensions=many, crosses=(("a", "b"),))

    with pytest.raises(PlanInvalid, match="1,680 slices; at most 1,000"):
        check_plan(broken)


def test_at_the_line_itself_the_exact_verdict_is_the_same_in_any_order_of_pairs() -> None:
    (test,) = harm_tests(limit_of(PairKind.DISAGREEMENT))
    first = next(n for n in range(1, 100) if crossed(test, Tally((20, n, 0, 0)), 0.01))

    assert crossed(test, Tally((20, 0, first, 0)), 0.01)
    assert crossed(test, Tally((20, 0, 0, first)), 0.01)
    assert not crossed(test, Tally((20, 0, 0, first - 1)), 0.01)
