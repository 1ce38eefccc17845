"""The search of slices that nobody declared: bounded, corrected for all it could look at, and heard by no decision."""

import math
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glideslope.domain.evidence import Evidence
from glideslope.domain.ids import MetricName, SliceName, StepName
from glideslope.domain.metric import WRONG, Dimension
from glideslope.domain.plan import Plan
from glideslope.domain.receipt import NO_SLICE, UNLISTED, unlisted_place
from glideslope.domain.scan import SCAN_ALPHA, Places, Tier, family, search, searched_slices
from glideslope.testing.examples import plan

TWO = (Dimension("origin", ("EWR", "JFK")), Dimension("carrier", ("AA", "UA", "DL")))
STEP = StepName("s4")
"""A quarter of the subjects to each arm."""


def sliced(*dimensions: Dimension, crosses: tuple[tuple[str, str], ...] = ()) -> Plan:
    return msgspec.structs.replace(plan(), dimensions=dimensions, crosses=crosses or msgspec.UNSET)


def counted(plan_: Plan, rates: dict[Places, tuple[tuple[int, int], tuple[int, int]]]) -> dict:  # type: ignore[type-arg]
    del plan_
    return {(WRONG.name, False): {places: {STEP: arms} for places, arms in rates.items()}}


def test_a_request_is_searched_in_every_undeclared_slice_that_it_is_in_and_no_other() -> None:
    found = [(t.value, parts) for t, parts in searched_slices(TWO, (), (1, 2))]
    crossed = searched_slices(TWO, (("carrier", "origin"),), (1, 2))
    unlisted = [(t.value, parts) for t, parts in searched_slices(TWO, (("carrier", "origin"),), (1, 3 + 4))]

    assert found == [("together", ((0, 1), (1, 2)))]
    assert crossed == []
    assert unlisted == [("unlisted", ((1, 7),)), ("both", ((0, 1), (1, 7)))]
    assert searched_slices(TWO, (), (NO_SLICE, 2)) == []
    assert searched_slices(TWO, (), (NO_SLICE, 3 + UNLISTED)) == []


@settings(max_examples=15)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.booleans())
def test_the_family_holds_every_slice_that_could_ever_be_searched(listed: list[int], crossed: bool) -> None:
    dimensions = tuple(Dimension(f"f{k}", tuple(f"v{n}" for n in range(size))) for k, size in enumerate(listed))
    crosses = (("f0", "f1"),) if crossed and len(listed) > 1 else ()
    chance = Random(sum(listed))
    seen: dict[Tier, set[object]] = {tier: set() for tier in Tier}
    ranges = [[*range(size + UNLISTED), NO_SLICE] for size in listed]
    for _ in range(4_000):
        for tier, parts in searched_slices(dimensions, crosses, tuple(chance.choice(r) for r in ranges)):
            seen[tier].add(parts)

    sizes = family(sliced(*dimensions, crosses=crosses))
    tests = 4  # two metrics of outcomes, each under the coin and on pairs
    assert all(len(seen[tier]) * tests <= sizes[tier] for tier in Tier)
    assert len(seen[Tier.UNLISTED]) * tests == sizes[Tier.UNLISTED]
    assert len(seen[Tier.TOGETHER]) * tests == sizes[Tier.TOGETHER]


def test_all_thresholds_together_spend_no_more_than_the_alpha_of_the_search() -> None:
    """The price of each hypothesis is known before anything is seen; their inverses sum to at most one."""
    of = sliced(*TWO)
    sizes = family(of)
    spent = 0.0
    for tier, parts in ((Tier.TOGETHER, (0, 0)), (Tier.UNLISTED, (NO_SLICE, 3)), (Tier.BOTH, (0, 3))):
        arms = ((40, 60), (95, 5))
        each = next(
            one
            for one in search(of, counted(of, {parts: arms}))
            if one.tier is tier and not one.paired and one.metric == "wrong"
        )
        assert each.p < 1
        spent += sizes[tier] * math.exp(-each.wealth) / each.p
    assert spent == pytest.approx(1.0, rel=1e-3)


def test_harm_that_no_declared_slice_shows_is_found_where_it_is() -> None:
    of = sliced(*TWO)
    fine, bad = ((950, 50), (950, 50)), ((700, 300), (950, 50))
    rates = {(a, b): bad if (a, b) == (1, 2) else fine for a in range(2) for b in range(3)}
    rates[0, 3 + 9] = bad

    found = [(one.slice, one.tier) for one in search(of, counted(of, rates)) if one.found]

    assert ("origin=JFK & carrier=DL", Tier.TOGETHER) in found
    assert ("carrier=?9", Tier.UNLISTED) in found
    assert "origin=EWR & carrier=AA" not in dict(found)
    named = search(of, counted(of, rates), names={("carrier", 9): "B6|WN"})
    assert SliceName("carrier=B6|WN") in {one.slice for one in named if one.found}


def test_harm_is_looked_for_in_one_direction_only_and_a_slice_with_one_subject_says_nothing() -> None:
    of = sliced(*TWO)
    better, one = ((990, 10), (700, 300)), ((0, 1), (0, 0))

    assert not any(each.found for each in search(of, counted(of, {(0, 0): better, (1, 1): one})))


@pytest.mark.parametrize("arms", [((1, 2, 3), (1, 2)), ((-5, 5), (1, 1))])
def test_counts_that_are_malformed_say_nothing(arms: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    of = sliced(*TWO)

    assert {each.wealth for each in search(of, {(WRONG.name, False): {(0, 0): {STEP: arms}}})} == {0.0}


def test_the_order_of_counting_changes_nothing() -> None:
    of = sliced(*TWO)
    rates: dict[Places, tuple[tuple[int, int], tuple[int, int]]] = {
        (a, b): ((90 + a, 10 + b), (95, 5)) for a in range(2 + UNLISTED) for b in range(3)
    }
    backwards = dict(reversed(rates.items()))

    assert search(of, counted(of, rates)) == search(of, counted(of, backwards))


def test_a_field_with_nearly_as_many_values_as_a_receipt_can_carry_has_no_numbers_left() -> None:
    many = Dimension("tail", tuple(f"N{k}" for k in range(245)))

    assert unlisted_place("N999", listed=245) == NO_SLICE
    assert 3 <= unlisted_place("B6", listed=3) < 3 + UNLISTED
    assert family(sliced(many))[Tier.UNLISTED] == 0
    assert searched_slices((many,), (), (250,)) == []


def test_nothing_that_is_searched_is_evidence() -> None:
    """What `decide` reads has no place for it."""
    assert not [name for name in Evidence.__struct_fields__ if "sca" in name or "search" in name]
    assert 0 < SCAN_ALPHA < 1
    assert MetricName("scan.wrong") not in {g.metric.name for g in plan().guardrails}
