"""Who has approved enough: a table of cases, and two laws of the matching."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.governing.approval import Approval, Need, standing, together, unmet
from glideslope.domain.ids import Actor, Digest

PLAN, OTHER = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)


def yes(by: str, *functions: str, at: int = 100, digest: Digest = PLAN) -> Approval:
    return Approval(by=Actor(by), digest=digest, functions=functions, at=at)


PRODUCT, SECURITY = Need("product"), Need("security")


@pytest.mark.parametrize(
    ("needs", "given_", "left"),
    [
        ((), [], ()),
        ((PRODUCT,), [], (PRODUCT,)),
        ((PRODUCT,), [yes("ann", "product")], ()),
        ((PRODUCT, SECURITY), [yes("ann", "product", "security")], (SECURITY,)),
        ((PRODUCT, SECURITY), [yes("ann", "product", "security"), yes("bob", "product")], ()),
        ((Need("product", 2),), [yes("ann", "product"), yes("ann", "product")], (Need("product", 1),)),
        ((PRODUCT,), [yes("ann", "legal")], (PRODUCT,)),
    ],
)
def test_what_is_still_needed(needs: tuple[Need, ...], given_: list[Approval], left: tuple[Need, ...]) -> None:
    assert sum(n.count for n in unmet(needs, given_)) == sum(n.count for n in left)


@pytest.mark.parametrize(
    ("approval", "counts"),
    [
        (yes("ann", "product"), True),
        (yes("ann", "product", digest=OTHER), False),
        (yes("mia", "product"), False),
        (yes("ann", "product", at=49), False),
        (yes("ann", "product", at=1_000), False),
        (yes("ann", "product", at=99), False),
    ],
    ids=["given", "of another plan", "by a maker", "expired", "in the future", "before what asks for it anew"],
)
def test_which_approvals_count(approval: Approval, counts: bool) -> None:
    found = standing([approval], digest=PLAN, barred={Actor("mia")}, valid_for=100, since=100, now=150)
    assert (found == (approval,)) is counts


FUNCTIONS = ("product", "security", "compliance")
GIVEN = st.lists(st.sets(st.sampled_from(FUNCTIONS), min_size=1).map(lambda f: tuple(sorted(f))), max_size=4)
NEEDS = st.dictionaries(st.sampled_from(FUNCTIONS), st.integers(1, 2)).map(
    lambda d: tuple(Need(f, n) for f, n in d.items())
)


@given(needs=NEEDS, functions=GIVEN)
def test_nobodys_yes_is_used_up_where_anothers_would_have_done(
    needs: tuple[Need, ...], functions: list[tuple[str, ...]]
) -> None:
    """The matching is as good as the best of all ways to let each person count once."""
    slots = [n.function for n in needs for _ in range(n.count)]
    people = [*functions, *[()] * max(0, len(slots) - len(functions))]
    best = max(
        (sum(slot in person for slot, person in zip(slots, order, strict=False)) for order in permutations(people)),
        default=0,
    )
    left = unmet(needs, [yes(f"p{k}", *f) for k, f in enumerate(functions)])
    assert len(slots) - sum(n.count for n in left) == best


@given(needs=NEEDS, functions=GIVEN, more=st.sampled_from(FUNCTIONS))
def test_one_more_yes_never_makes_more_needed(
    needs: tuple[Need, ...], functions: list[tuple[str, ...]], more: str
) -> None:
    before = [yes(f"p{k}", *f) for k, f in enumerate(functions)]
    fewer = unmet(needs, [*before, yes("another", more)])
    assert sum(n.count for n in fewer) <= sum(n.count for n in unmet(needs, before))


def test_together_asks_for_the_larger_of_each() -> None:
    assert together((Need("a", 2), Need("b")), (Need("a"), Need("c"))) == (Need("a", 2), Need("b"), Need("c"))
