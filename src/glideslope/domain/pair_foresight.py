"""What a shadow will tell of each limit on pairs: after how many pairs, and when, a sound candidate is proven and a bad one caught.

As in `foresight`, log wealth is a walk whose first passage is inverse Gaussian (`stats.passage`). How answers will differ nobody
knows: they are supposed to differ as in an earlier shadow whose limit was kept, else half as much as the plan allows.
"""

import math
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired, pair_alphas
from glideslope.domain.flow import Flow, flow_of
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import WHOLE
from glideslope.domain.metric import Origin
from glideslope.domain.pair_tests import harm_tests, proof_tests
from glideslope.domain.pairs import SHIFTS, PairKind, PairLimit, answers_metric, pair_values
from glideslope.domain.plan import Plan, StageKind, Step
from glideslope.domain.tilting import tilted
from glideslope.domain.traffic import FULL
from glideslope.stats.passage import Pace, Walk
from glideslope.stats.reals import ln
from glideslope.stats.wealth import TallyTest, held_pairs

KEPT: Final = 0.5
"""A sound candidate differs by this part of its limit, where no earlier shadow tells."""
BROKEN: Final = 2.0
"""A bad one by so many limits, or half of the way from its limit to everything."""

TYPICAL_SHIFT: Final = 0.05
"""Mean size of a difference of scores between two sound versions, taken where no earlier shadow tells."""
TYPICAL_TIMES: Final = 0.4
"""Standard deviation of the logarithm of two versions' times on one request, likewise."""

EVEN: Final = 0.5
MOST_PAIRS: Final = 1 << 40
"""Beyond which no proof is waited for."""


class PairProspect(msgspec.Struct, frozen=True, kw_only=True):
    """One limit in the plan's first shadow step. Pairs are of a subject the first; times in seconds from the step's beginning."""

    kind: str
    """`disagreement`, `shift`, `slower` or `skew`."""
    limit: float
    """As the plan has it."""
    sound: float
    """How a sound candidate is supposed to differ: of slower the share of requests beyond the limit, else in the limit's unit."""
    learned: bool
    """From an earlier shadow."""
    pairs_to_proof: int | None
    """Until a proof is as likely given as not; None where none is asked for or no number is enough."""
    seconds_to_proof: float | None
    """None without traffic, or if it is not before the step's most time has passed."""
    bad: float
    """How a bad candidate is supposed to differ, in the unit of `sound`."""
    pairs_to_catch: int | None
    seconds_to_catch: float | None


def pair_prospects(plan: Plan, baseline: Baseline, *, starts: float) -> tuple[PairProspect, ...]:
    """Foresee each limit on pairs; nothing for a plan without. `starts` in seconds after Monday at midnight, UTC."""
    step = next((s for s in plan.steps if s.stage is StageKind.SHADOW), None)
    if step is None:
        return ()
    entered = sum(s.minimum for s in plan.steps[: plan.steps.index(step)]) / 1000
    flow = flow_of(baseline, starts=starts)
    return tuple(_prospect(plan, limit, baseline, flow, step, entered=entered) for limit in plan.rules.limits)


def unseen_in_shadow(plan: Plan) -> tuple[str, ...]:
    """Name the required guardrails that a plan's shadow compares nothing for, other than what the gateway measures."""
    if not any(s.stage is StageKind.SHADOW for s in plan.steps):
        return ()
    return tuple(
        f"{g.metric.name} cannot be compared in the shadow, "
        f"{'where services count nothing' if g.metric.origin is Origin.SERVICE else 'since it compares no two answers'}: "
        "it is not waited for there, and is judged from the canary on."
        for g in plan.guardrails
        if g.required and g.metric.origin is not Origin.GATEWAY and not is_paired(g.metric)
    )


def _prospect(
    plan: Plan, limit: PairLimit, baseline: Baseline, flow: Flow, step: Step, *, entered: float
) -> PairProspect:
    sound, learned = _sound(limit, baseline)
    bad = _bad(limit, sound)
    tests = harm_tests(limit)
    alpha = next(alpha for slice_, alpha in pair_alphas(plan, limit) if slice_ == WHOLE) / len(tests)
    proof = _needed(proof_tests(limit), sound, line=-ln(plan.alpha_pass), every=True) if limit.required else None
    catch = _needed(tests, bad, line=-ln(alpha), every=False)
    values = pair_values(limit.kind)
    return PairProspect(
        kind=limit.kind.value,
        limit=limit.limit,
        sound=_mean(sound, values),
        learned=learned,
        pairs_to_proof=proof,
        seconds_to_proof=_seconds(flow, step, proof, entered=entered),
        bad=_mean(bad, values),
        pairs_to_catch=catch,
        seconds_to_catch=_seconds(flow, step, catch, entered=entered),
    )


def _mean(cells: tuple[float, ...], values: tuple[float, ...]) -> float:
    return round(math.fsum(p * v for p, v in zip(cells, values, strict=True)), 6)


def _seconds(flow: Flow, step: Step, pairs: int | None, *, entered: float) -> float | None:
    if pairs is None or not flow.is_known or not step.mirror:
        return None
    seconds = flow.when(entered, pairs * FULL / step.mirror) - entered
    return seconds if seconds <= step.maximum / 1000 else None


def _sound(limit: PairLimit, baseline: Baseline) -> tuple[tuple[float, ...], bool]:
    """Return per bin how likely a sound candidate's answer differs so, and whether an earlier shadow taught it."""
    values = pair_values(limit.kind)
    counted = baseline.experience.pairs.get(answers_metric(limit.kind), ())
    # Times were divided by what that plan tolerated, which need not be what this one does.
    if len(counted) == len(values) and sum(counted) > 1 and limit.kind is not PairKind.SLOWER:
        seen = tuple(count / sum(counted) for count in counted)
        if abs(_mean(seen, values)) < limit.limit:
            return seen, True
    match limit.kind:
        case PairKind.DISAGREEMENT | PairKind.SKEW:
            return _split(values, KEPT * limit.limit), False
        case PairKind.SHIFT:
            # A difference of no mean; bins grow with their distance, and stand for as much of the density.
            raw = [math.exp(-abs(v) / TYPICAL_SHIFT) * (abs(v) ** 0.5 + 1 / 60) for v in SHIFTS]
            return tuple(w / math.fsum(raw) for w in raw), False
        case PairKind.SLOWER:
            return _split(values, _beyond(math.log1p(limit.limit))), False


def _bad(limit: PairLimit, sound: tuple[float, ...]) -> tuple[float, ...]:
    values = pair_values(limit.kind)
    if limit.kind is PairKind.SLOWER:
        return _split(values, _beyond(-math.log1p(limit.limit)))
    most = min(BROKEN * limit.limit, (1.0 + limit.limit) / 2)
    return tilted(sound, values=values, mean=most) if limit.kind is PairKind.SHIFT else _split(values, most)


def _beyond(margin: float) -> float:
    """Return how likely the candidate's time exceeds the tolerated one, with this margin left in logarithms."""
    return 0.5 * math.erfc(margin / TYPICAL_TIMES / math.sqrt(2.0))


def _split(values: tuple[float, ...], part: float) -> tuple[float, ...]:
    """Put so much of a distribution evenly on the bins that count 1, and the rest on those that count 0."""
    ones = sum(values)
    return tuple(part / ones if v else (1.0 - part) / (len(values) - ones) for v in values)


def _needed(tests: tuple[TallyTest, ...], cells: tuple[float, ...], *, line: float, every: bool) -> int | None:
    """Return after how many pairs it is as likely as not that all tests, or any of them, have spoken."""
    paces = [Pace.of(held_pairs(test), cells=cells) for test in tests]

    def likely(pairs: int) -> bool:
        chances = [Walk.start(pace).after(pace, pairs).reached(line) for pace in paces]
        return (math.prod(chances) if every else max(chances)) >= EVEN

    high = 1
    while not likely(high):
        high *= 2
        if high > MOST_PAIRS:
            return None
    low = high // 2
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if likely(middle) else (middle, high)
    return high
