"""Who speaks for whom: names bound to tokens, what was kept before they were, and sources set aside."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.doubt import Aside
from glideslope.domain.errors import Invalid
from glideslope.domain.ids import WHOLE, Actor, MetricName, RolloutId, StepName
from glideslope.domain.traffic import Arm
from glideslope.engine.scopes import Scope
from glideslope.engine.sources import NOBODY, bound, parted

KEY = "r-0001/s1/candidate/clicked/all/1"
ADA, EVE = Actor("ada"), Actor("eve")


def count(scope: Scope) -> int:
    bins = scope.bins(StepName("s1"), MetricName("clicked"), WHOLE, Arm.CANDIDATE, size=2)
    assert min(bins) >= 0
    return bins[1]


def told(*messages: tuple[str, int, int]) -> Scope:
    scope = Scope(RolloutId("r-0001"))
    for source, epoch, total in messages:
        scope.absorb(source, epoch=epoch, totals={KEY: total})
    return scope


@given(st.text(), st.text())
def test_a_bound_name_is_read_back_and_no_two_are_alike(actor: str, name: str) -> None:
    """Whatever actors and names hold: what cannot be told apart is refused."""
    try:
        source = bound(Actor(actor), name)
    except Invalid:
        assert not (actor and actor.isprintable() and name.isprintable())
    else:
        assert parted(source) == (actor, name)


def test_what_was_kept_under_a_name_alone_is_nobodys() -> None:
    assert parted("web/1") == (NOBODY, "web/1")


def test_another_token_takes_nothing_from_a_source_of_the_same_name() -> None:
    """Neither more, less nor another epoch: each speaks for itself."""
    assert count(told((bound(ADA, "web"), 1, 10), (bound(EVE, "web"), 1, 3))) == 13
    assert count(told((bound(ADA, "web"), 1, 10), (bound(EVE, "web"), 1, 50), (bound(ADA, "web"), 1, 20))) == 70


BEFORE = ("web", 1, 90)
AFTER = ((bound(ADA, "web"), 1, 95), (bound(ADA, "web"), 1, 100))


@pytest.mark.parametrize("order", list(permutations((BEFORE, *AFTER))))
def test_a_service_that_goes_on_while_names_are_bound_is_counted_once(order: tuple[tuple[str, int, int], ...]) -> None:
    """Its totals from before are those with which it goes on, in whatever order they are read back."""
    assert count(told(*order)) == 100


def test_what_is_known_of_a_service_is_not_forgotten_before_it_speaks_again() -> None:
    assert count(told(BEFORE, (bound(ADA, "web"), 1, 60))) == 90


def test_a_new_start_of_the_service_begins_beside_what_was() -> None:
    assert count(told(BEFORE, (bound(ADA, "web"), 2, 10))) == 100


def test_who_sends_the_name_and_epoch_of_an_old_source_neither_shadows_it_nor_adds_more_than_it_says() -> None:
    assert count(told(BEFORE, (bound(EVE, "web"), 1, 5))) == 90
    assert count(told(BEFORE, (bound(EVE, "web"), 1, 5), (bound(ADA, "web"), 1, 100))) == 105


messages = st.tuples(
    st.sampled_from(["web", bound(ADA, "web"), bound(EVE, "web")]), st.integers(1, 2), st.integers(0, 9)
)


@given(st.lists(messages, max_size=8).flatmap(lambda given: st.tuples(st.just(given), st.permutations(given))))
def test_any_order_gives_the_sum_that_the_rule_says(given: tuple[list[tuple[str, int, int]], ...]) -> None:
    said, shuffled = given
    most: dict[tuple[str, int], int] = {}
    for source, epoch, total in said:
        most[source, epoch] = max(total, most.get((source, epoch), 0))
    expected = sum(
        max(most.get(("web", e), 0), sum(most.get((bound(a, "web"), e), 0) for a in (ADA, EVE))) for e in (1, 2)
    )

    assert count(told(*said)) == count(told(*shuffled, *shuffled)) == expected


def test_a_source_set_aside_is_not_used_and_its_next_start_is() -> None:
    scope = told((bound(ADA, "web"), 1, 10), (bound(EVE, "web"), 1, 50), (bound(EVE, "web"), 2, 60))

    for _ in range(2):
        scope.set_aside({Aside(actor=EVE, source="web", epoch=2)})
        assert count(scope) == 10
    scope.absorb(bound(EVE, "web"), epoch=2, totals={KEY: 70})
    scope.absorb(bound(EVE, "web"), epoch=1, totals={KEY: 70})
    assert count(scope) == 10
    scope.absorb(bound(EVE, "web"), epoch=3, totals={KEY: 4})
    scope.absorb(bound(ADA, "web"), epoch=1, totals={KEY: 11})
    assert count(scope) == 15


@given(st.lists(messages, max_size=8), st.sampled_from([ADA, EVE]), st.integers(1, 2), st.integers(0, 8))
def test_when_it_is_set_aside_does_not_matter(
    said: list[tuple[str, int, int]], actor: Actor, epoch: int, when: int
) -> None:
    aside = {Aside(actor=actor, source="web", epoch=epoch)}
    early = told(*said[:when])
    early.set_aside(aside)
    for source, of, total in said[when:]:
        early.absorb(source, epoch=of, totals={KEY: total})
    late = told(*said)
    late.set_aside(aside)

    left = [one for one in said if not (one[0] == bound(actor, "web") and one[1] <= epoch)]
    assert count(early) == count(late) == count(told(*left))
