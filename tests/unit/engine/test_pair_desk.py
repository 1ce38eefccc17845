"""The worst disagreements: a bounded number, the same whatever the order in which they come, one per subject."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from glideslope.engine.pair_desk import MOST_KEPT, Worst
from glideslope.engine.views import DisagreementView


def example(request: str, difference: float) -> DisagreementView:
    return DisagreementView(
        request=request,
        at="2026-11-25T19:00:00.000Z",
        difference=difference,
        disagree=True,
        candidate="",
        incumbent="",
        candidate_ms=None,
        incumbent_ms=None,
        other_features=None,
        slices=(),
        attributes={},
    )


offers = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 6), st.integers(0, 3)), max_size=80, unique_by=lambda o: (o[0], o[2])
)
"""Who, how far apart in tenths, and which request of theirs."""


@given(offers, st.integers(0, 10))
def test_the_same_are_kept_in_whatever_order_they_come(offered: list[tuple[int, int, int]], seed: int) -> None:
    shuffled = offered.copy()
    Random(seed).shuffle(shuffled)
    kept = []
    for order in (offered, shuffled):
        worst = Worst()
        for who, tenths, nth in order:
            worst.offer(example(f"{who}-{nth}", tenths / 10), who=f"{who}")
        kept.append([(e[3].request, e[3].difference) for e in worst.found])

    best: dict[int, tuple[float, str]] = {}
    for who, tenths, nth in offered:
        best[who] = min(best.get(who, (0.0, "")), (-tenths / 10, f"{who}-{nth}"))
    expected = [(request, -minus) for minus, request in sorted(best.values())][:MOST_KEPT]
    assert kept == [expected, expected]
