"""Counts refuse what is no count, and totals absorb whatever a network does to messages."""

import pytest

from glideslope.stats.counts import Table, Tally, Totals, joined, merge, total


@pytest.mark.parametrize(
    ("candidate", "incumbent"),
    [((-1, 0), (0, 0)), ((1.0, 0), (0, 0)), ((True, 0), (0, 0)), ((float("nan"), 0), (0, 0)), ((1,), (1, 0)), ((), ())],
)
def test_a_table_refuses_what_is_no_count(candidate: tuple[int, ...], incumbent: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected integers|differ in bins|no bins"):
        Table(1, 19, candidate, incumbent)


@pytest.mark.parametrize("weight", [0, -1, 0.5, True, float("inf")])
def test_a_table_refuses_what_is_no_weight(weight: int) -> None:
    for weights in ((weight, 1), (1, weight)):
        with pytest.raises(ValueError, match="weight"):
            Table(*weights, (1, 0), (0, 0))


@pytest.mark.parametrize("counts", [(), (-1,), (0.5, 1), (float("nan"),)])
def test_a_tally_refuses_what_is_no_count(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected integers|no bins"):
        Tally(counts)


def test_the_coin_is_the_chance_among_the_counted() -> None:
    assert float(Table(500, 9500, (0, 0), (0, 0)).coin) == 0.05


def test_steps_with_equal_odds_are_added() -> None:
    tables = [Table(1, 1, (5, 0), (4, 1)), Table(500, 9500, (1, 2), (3, 4)), Table(1, 19, (10, 20), (30, 40))]

    assert joined(tables) == (Table(1, 1, (5, 0), (4, 1)), Table(1, 19, (11, 22), (33, 44)))
    assert joined(tables[:2]) == tables[:2]


def test_sizes_and_tallies_read_the_same_table_differently() -> None:
    tables = [Table(1, 19, (90, 10), (950, 50)), Table(1, 1, (9, 1), (8, 2))]

    assert tables[0].sizes() == Table(1, 19, (100,), (1000,))
    assert Tally.of_candidate(tables) == Tally((99, 11))
    assert Tally.of_incumbent(tables) == Tally((958, 52))
    assert Tally.pooled(tables) == Tally((1057, 63))
    with pytest.raises(ValueError, match="no bins"):
        Tally.pooled([])


def test_tables_are_values() -> None:
    assert len({Table(1, 1, (1, 2), (3, 4)), Table(1, 1, (1, 2), (3, 4))}) == 1


def test_a_message_absorbed_twice_counts_once_and_reports_growth() -> None:
    totals = Totals[str]()

    assert totals.absorb("edge-1", epoch="a", counts={"good": 10, "bad": 0}) == {"good": 10}
    assert totals.absorb("edge-1", epoch="a", counts={"good": 12}) == {"good": 2}
    assert totals.absorb("edge-1", epoch="a", counts={"good": 12}) == {}
    assert totals.absorb("edge-1", epoch="a", counts={"good": 3}) == {}
    assert totals.sum() == {"good": 12}


def test_a_restarted_source_counts_anew_in_its_next_epoch() -> None:
    totals = Totals[str]()
    totals.absorb("edge-1", epoch="a", counts={"bad": 7})
    totals.absorb("edge-1", epoch="b", counts={"bad": 2})
    totals.absorb("edge-2", epoch="a", counts={"bad": 1})

    assert totals.sum() == {"bad": 10}


@pytest.mark.parametrize("count", [-1, 1.5, float("nan"), True])
def test_a_message_with_one_bad_count_changes_nothing(count: int) -> None:
    totals = Totals[str]()

    with pytest.raises(ValueError, match="edge-1"):
        totals.absorb("edge-1", epoch="a", counts={"good": 5, "bad": count})
    assert totals.sum() == {}


def test_merging_leaves_both_sides_as_they_were() -> None:
    a, b = Totals[str](), Totals[str]()
    a.absorb("edge-1", epoch="a", counts={"bad": 1})
    b.absorb("edge-1", epoch="a", counts={"bad": 3})
    both = merge(a, b)

    assert (a.sum(), b.sum(), both.sum()) == ({"bad": 1}, {"bad": 3}, {"bad": 3})
    assert total([a, b, both]) == {"bad": 3}
    assert both == merge(b, a)
    assert both != a
    assert both != "something else"
