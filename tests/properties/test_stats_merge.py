"""Totals are a lattice and wealth a function of the sum: no order, shard, duplicate or re-send can change a verdict."""

from itertools import pairwise
from math import log

from hypothesis import given
from hypothesis import strategies as st

from glideslope.stats.counts import Table, Tally, Totals, merge, total
from glideslope.stats.guard import RateGuard
from glideslope.stats.label import BinsHarm, EventHarm, EventHarmBeyond, RatioPass
from glideslope.stats.paired import PairedHarm
from glideslope.stats.score import DifferencePass, ScoreHarm
from glideslope.stats.wealth import crossed, log_wealth

MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["edge-1", "edge-2", "edge-3"]),
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.sampled_from(["good", "bad", "late"]), st.integers(0, 1000), max_size=3),
    ),
    max_size=12,
)

Message = tuple[str, str, dict[str, int]]


def absorbed(messages: list[Message]) -> Totals[str]:
    totals = Totals[str]()
    for source, epoch, counts in messages:
        totals.absorb(source, epoch=epoch, counts=dict(counts))
    return totals


@given(MESSAGES, st.randoms(use_true_random=False))
def test_messages_may_come_in_any_order_and_twice(messages: list[Message], rng: object) -> None:
    again = messages + messages[: len(messages) // 2]
    rng.shuffle(again)  # type: ignore[attr-defined] # a random.Random, which Hypothesis types as object

    assert absorbed(again) == absorbed(messages)
    assert absorbed(again).sum() == absorbed(messages).sum()


@given(MESSAGES, MESSAGES, MESSAGES)
def test_merging_is_associative_commutative_and_idempotent(
    a: list[Message], b: list[Message], c: list[Message]
) -> None:
    x, y, z = absorbed(a), absorbed(b), absorbed(c)

    assert merge(merge(x, y), z) == merge(x, merge(y, z)) == absorbed(a + b + c)
    assert merge(x, y) == merge(y, x)
    assert merge(x, x) == x
    assert total([x, y, z, x]) == absorbed(a + b + c).sum()


@given(MESSAGES)
def test_sums_only_grow_and_growth_adds_up(messages: list[Message]) -> None:
    totals = Totals[str]()
    sums, grown = [totals.sum()], Totals[str]().sum()
    for source, epoch, counts in messages:
        grown.update(totals.absorb(source, epoch=epoch, counts=dict(counts)))
        sums.append(totals.sum())

    assert grown == totals.sum()
    assert all(before <= after for before, after in pairwise(sums))


COINS = st.sampled_from([(1, 99), (1, 19), (500, 9500), (1, 3), (2500, 7500), (1, 1), (9, 1)])


def tables(*, bins: int) -> st.SearchStrategy[list[Table]]:
    row = st.tuples(*[st.integers(0, 5000)] * bins)
    return st.lists(st.builds(lambda coin, a, b: Table(coin[0], coin[1], a, b), COINS, row, row), max_size=6)


def shards(table: Table) -> list[Table]:
    """Cut one table in two, and write the second half's coin in other units."""
    half = [tuple(count // 2 for count in row) for row in (table.candidate, table.incumbent)]
    rest = [
        tuple(count - part for count, part in zip(row, piece, strict=True))
        for row, piece in zip((table.candidate, table.incumbent), half, strict=True)
    ]
    return [
        Table(table.candidate_weight, table.control_weight, half[0], half[1]),
        Table(7 * table.candidate_weight, 7 * table.control_weight, rest[0], rest[1]),
    ]


BINARY = [
    EventHarm(0.01),
    EventHarmBeyond(0.1),
    RatioPass(0.5),
    DifferencePass(0.01, base_rate=0.01),
]
ORDERED = [
    BinsHarm((500, 300, 100), edges=(10.0, 40.0)),
    ScoreHarm((0.0, 0.25, 1.0), centre=0.1),
]


def check_any_order(test: EventHarm, evidence: list[Table], rng: object) -> None:
    pieces = [piece for table in evidence for piece in shards(table)]
    rng.shuffle(pieces)  # type: ignore[attr-defined] # as above

    # Identical, not approximately equal: the ledger compares bytes.
    assert log_wealth(test, pieces).hex() == log_wealth(test, evidence).hex()
    for alpha in (0.2, 0.05, 0.001):
        assert crossed(test, pieces, alpha) == crossed(test, evidence, alpha)


@given(st.sampled_from(BINARY), tables(bins=2), st.randoms(use_true_random=False))
def test_any_sharding_and_order_gives_the_identical_float_and_verdict(
    test: EventHarm, evidence: list[Table], rng: object
) -> None:
    check_any_order(test, evidence, rng)


@given(st.sampled_from(ORDERED), tables(bins=3), st.randoms(use_true_random=False))
def test_any_sharding_and_order_of_ordered_bins_gives_the_identical_float_and_verdict(
    test: EventHarm, evidence: list[Table], rng: object
) -> None:
    check_any_order(test, evidence, rng)


@given(tables(bins=2), st.integers(1, 50))
def test_more_bad_candidates_never_lower_the_wealth_and_more_bad_incumbents_never_raise_it(
    evidence: list[Table], more: int
) -> None:
    test = EventHarm(0.01)
    wealth = log_wealth(test, evidence)

    assert log_wealth(test, [*evidence, Table(1, 3, (0, more), (0, 0))]) >= wealth
    assert log_wealth(test, [*evidence, Table(1, 3, (0, 0), (0, more))]) <= wealth


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from([0.5, 0.05, 0.01, 1e-6]))
def test_a_verdict_agrees_with_its_wealth_unless_they_are_too_close_to_tell(good: int, bad: int, alpha: float) -> None:
    tally = Tally((good, bad))
    gap = log_wealth(RateGuard(0.05), tally) - log(1 / alpha)

    if abs(gap) > 1e-6:
        assert crossed(RateGuard(0.05), tally, alpha) == (gap > 0)


@given(st.tuples(*[st.integers(0, 10**5)] * 4))
def test_agreeing_pairs_never_matter_to_paired_harm(counts: tuple[int, int, int, int]) -> None:
    assert log_wealth(PairedHarm(), Tally(counts)) == log_wealth(PairedHarm(), Tally((0, counts[1], counts[2], 0)))
