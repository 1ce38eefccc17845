"""What a shadow will tell of limits on pairs, held against pairs that are really drawn."""

from itertools import count
from random import Random

import msgspec
import pytest

from glideslope.domain.alphas import pair_alphas
from glideslope.domain.experience import Experience
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Origin
from glideslope.domain.pair_foresight import pair_prospects, unseen_in_shadow
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.pairs import PairKind, PairLimit, PairRules, answers_metric, pair_values
from glideslope.domain.plan import Plan
from glideslope.stats.counts import Tally
from glideslope.stats.wealth import crossed
from glideslope.testing import examples

BASELINE = Baseline(subjects_per_second=10.0)


def limited(*limits: PairLimit) -> Plan:
    return msgspec.structs.replace(examples.plan(), pairs=PairRules(limits=limits))


def drawn(rng: Random, tests: tuple, ones: float, *, alpha: float, every: bool) -> int:
    """Return after how many pairs that differ so often the tests have spoken."""
    said: set[int] = set()
    differ = 0
    for n in count(1):
        differ += rng.random() < ones
        if n % 5 == 0:
            said |= {k for k, t in enumerate(tests) if crossed(t, Tally((n - differ, differ, 0, 0)), alpha)}
            if len(said) == len(tests) if every else said:
                return n
    raise AssertionError


def test_the_medians_are_those_of_pairs_that_are_drawn() -> None:
    """Disagreement of at most 10 %, 41 rollouts each: within a third of the foreseen median."""
    limit = PairLimit(kind=PairKind.DISAGREEMENT, limit=0.1)
    plan = limited(limit)
    (found,) = pair_prospects(plan, BASELINE, starts=0.0)
    alpha = next(a for slice_, a in pair_alphas(plan, limit) if slice_ == WHOLE)
    rng = Random(11)

    proofs = sorted(drawn(rng, proof_tests(limit), found.sound, alpha=plan.alpha_pass, every=True) for _ in range(41))
    catches = sorted(drawn(rng, harm_tests(limit), found.bad, alpha=alpha, every=False) for _ in range(41))

    assert (found.sound, found.bad) == (0.05, 0.2)
    assert found.pairs_to_proof == pytest.approx(proofs[20], rel=0.34)
    assert found.pairs_to_catch == pytest.approx(catches[20], rel=0.34)
    assert found.seconds_to_proof == pytest.approx((found.pairs_to_proof or 0) / 10.0, rel=0.01)


@pytest.mark.parametrize("kind", PairKind)
def test_a_tighter_limit_takes_more_pairs_and_a_fraction_of_the_requests_more_time(kind: PairKind) -> None:
    tight, wide = (
        pair_prospects(limited(PairLimit(kind=kind, limit=size)), BASELINE, starts=0.0)[0] for size in (0.1, 0.3)
    )

    assert (tight.pairs_to_proof or 0) > (wide.pairs_to_proof or 0) > 0
    assert (tight.pairs_to_catch or 0) > (wide.pairs_to_catch or 0) > 0


def test_an_earlier_shadow_teaches_how_answers_differ_unless_it_broke_the_limit() -> None:
    kind = PairKind.DISAGREEMENT
    plan = limited(PairLimit(kind=kind, limit=0.1))

    def taught(*counts: int) -> Baseline:
        return msgspec.structs.replace(BASELINE, experience=Experience(pairs={answers_metric(kind): counts}))

    (rarely,) = pair_prospects(plan, taught(990, 4, 6, 0), starts=0.0)
    (often,) = pair_prospects(plan, taught(500, 250, 250, 0), starts=0.0)

    assert (rarely.sound, rarely.learned) == (0.01, True)
    assert (often.sound, often.learned) == (0.05, False)


def test_what_is_only_watched_is_caught_and_not_proven_and_without_traffic_nothing_has_a_time() -> None:
    (found,) = pair_prospects(
        limited(PairLimit(kind=PairKind.SKEW, limit=0.01, required=False)), Baseline(), starts=0.0
    )

    assert found.pairs_to_proof is None
    assert (found.pairs_to_catch or 0) > 0
    assert (found.seconds_to_proof, found.seconds_to_catch) == (None, None)


def test_a_shift_is_proven_on_both_sides_and_its_supposition_has_no_mean() -> None:
    (found,) = pair_prospects(limited(PairLimit(kind=PairKind.SHIFT, limit=0.02)), BASELINE, starts=0.0)

    assert found.sound == 0.0
    assert found.bad == pytest.approx(0.04, abs=1e-6)
    assert len(pair_values(PairKind.SHIFT)) == 61
    assert (found.pairs_to_proof or 0) > 0


def test_what_the_shadow_compares_nothing_for_is_named() -> None:
    assert unseen_in_shadow(examples.plan()) == ()
    counted = msgspec.structs.replace(examples.plan().guardrails[0].metric, name="fallback_used", origin=Origin.SERVICE)
    plan = examples.plan()
    own = msgspec.structs.replace(plan.guardrails[0], metric=counted, limit=None)

    (said,) = unseen_in_shadow(msgspec.structs.replace(plan, guardrails=(*plan.guardrails, own)))

    assert said.startswith("fallback_used cannot be compared in the shadow, where services count nothing")
