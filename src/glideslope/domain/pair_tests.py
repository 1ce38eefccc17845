"""The tests that limits on pairs are put to. A pair is one draw, so these are tests of one sample: no coin is involved.

Each limit has a test of harm, whose null is that the limit is kept, and one of proof, whose null is that it is broken or
just reached. A shift is limited both ways: harm to either side spends half of its alpha, and a proof needs both.
"""

from functools import lru_cache

from glideslope.domain.pairs import PairKind, PairLimit, pair_values
from glideslope.stats.paired import PairedScoreHarm, PairedScorePass
from glideslope.stats.wealth import TallyTest

_HALF = 0.5
"""A candidate is slower than its limit when it exceeds it on more than half of the requests: a sign test of the median."""


@lru_cache(maxsize=256)
def harm_tests(limit: PairLimit) -> tuple[TallyTest, ...]:
    """Return the tests of harm, which share the limit's alpha equally. Raises ValueError for a limit that none can hold."""
    values, most = pair_values(limit.kind), _most(limit)
    return tuple(PairedScoreHarm(values=side, margin=most) for side in _sides(limit, values))


@lru_cache(maxsize=256)
def proof_tests(limit: PairLimit) -> tuple[TallyTest, ...]:
    """Return the tests that must all pass. Raises ValueError as above."""
    values, most = pair_values(limit.kind), _most(limit)
    return tuple(PairedScorePass(values=side, margin=most) for side in _sides(limit, values))


def _most(limit: PairLimit) -> float:
    # The candidate's times were divided by 1 + limit before they were compared.
    return _HALF if limit.kind is PairKind.SLOWER else limit.limit


def _sides(limit: PairLimit, values: tuple[float, ...]) -> tuple[tuple[float, ...], ...]:
    return (values, tuple(-value for value in values)) if limit.kind is PairKind.SHIFT else (values,)
