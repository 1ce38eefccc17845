"""Joins the shadow's answers to the incumbent's outcomes by request, whichever comes first; each pair once, in the bins it counts in."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.ids import WHOLE, RolloutId, SliceName
from glideslope.domain.metric import Cell, Metric, loss_of, pair_bin, pair_metric, slices_of
from glideslope.domain.observation import Outcome
from glideslope.domain.plan import Plan, StageKind
from glideslope.domain.plugin import Plugins
from glideslope.domain.receipt import SCORE_LEVELS, Receipt
from glideslope.domain.rollout import Rollout
from glideslope.domain.traffic import Arm
from glideslope.engine.formulas import chance, value_for

MOST_WAITING: Final = 500_000
"""Answers or outcomes that wait for their other half; the oldest give way, in both arms alike."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms' answers to one request, and the truth."""

    receipt: Receipt
    candidate_score: int
    outcome: Outcome


class Pairing:
    """Waiting halves, bounded. They are lost at a restart: fewer pairs, no bias."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[RolloutId, int], int] = OrderedDict()
        self._outcomes: OrderedDict[tuple[RolloutId, int], tuple[Receipt, Outcome]] = OrderedDict()

    def answer(self, rollout: RolloutId, request: int, score: int) -> Pair | None:
        """Take the shadow's answer; return the pair if the outcome was waiting for it."""
        waiting = self._outcomes.pop((rollout, request), None)
        if waiting is not None:
            return Pair(receipt=waiting[0], candidate_score=score, outcome=waiting[1])
        self._answers[(rollout, request)] = score
        if len(self._answers) > MOST_WAITING:
            self._answers.popitem(last=False)
        return None

    def outcome(self, rollout: RolloutId, receipt: Receipt, outcome: Outcome) -> Pair | None:
        """Take an outcome; return the pair if the shadow's answer was waiting for it."""
        score = self._answers.pop((rollout, receipt.request), None)
        if score is not None:
            return Pair(receipt=receipt, candidate_score=score, outcome=outcome)
        self._outcomes[(rollout, receipt.request)] = (receipt, outcome)
        if len(self._outcomes) > MOST_WAITING:
            self._outcomes.popitem(last=False)
        return None

    def forget(self, rollout: RolloutId) -> None:
        """Drop what waits for a rollout that has ended."""
        for waiting in (self._answers, self._outcomes):
            for key in [k for k in waiting if k[0] == rollout]:
                waiting.pop(key)


_TRUTHS: Final = {truth: Outcome(prediction="", happened=truth) for truth in (False, True)}


def kept_of(plan: Plan, outcome: Outcome) -> Outcome | None:
    """Return what of an outcome a pair is judged by, None where it says nothing of that: many wait, so no more is kept."""
    if any(g.metric.paired is True for g in plan.guardrails):
        return outcome
    return None if outcome.happened is msgspec.UNSET else _TRUTHS[outcome.happened]


def pair_claims(rollout: Rollout, pair: Pair, *, plugins: Plugins) -> dict[str, Cell]:
    """Count a subject's first pair: whoever comes again disagrees again, and would be believed each time."""
    step = next(s.name for s in rollout.plan.steps if s.stage is StageKind.SHADOW)
    claims: dict[str, Cell] = {}
    for g in rollout.plan.guardrails:
        if not is_paired(g.metric) or (bin_ := _bin(rollout.plan, g.metric, pair, plugins=plugins)) is None:
            continue
        for slice_ in slices_in(rollout, pair.receipt):
            key = f"p/{rollout.id}/{who(pair.receipt)}/{g.metric.name}/{slice_}"
            claims[key] = Cell(rollout.id, step, Arm.CANDIDATE, pair_metric(g.metric.name), slice_, bin_)
    return claims


def _bin(plan: Plan, metric: Metric, pair: Pair, *, plugins: Plugins) -> int | None:
    """Return the bin of a pair; None where the outcome does not say what either answer is worth."""
    scores = (pair.candidate_score, pair.receipt.score)
    if metric.loss is not None:
        if pair.outcome.happened is msgspec.UNSET:
            return None
        candidate, incumbent = (
            loss_of(metric.loss, probability=score / SCORE_LEVELS, happened=pair.outcome.happened) for score in scores
        )
        return pair_bin(metric, candidate=candidate, incumbent=incumbent)
    mine, theirs = (
        value_for(plan, metric, replace(pair.receipt, score=score), pair.outcome, plugins=plugins) for score in scores
    )
    if mine is None or theirs is None:
        return None
    return pair_bin(metric, candidate=mine, incumbent=theirs, chance=chance(pair.receipt, metric.name))


def who(receipt: Receipt) -> str:
    """Return what counts once: the subject, or the request of who named none."""
    return f"{receipt.subject:x}" if receipt.subject else f"r{receipt.request:x}"


def slices_in(rollout: Rollout, receipt: Receipt) -> Sequence[SliceName]:
    """Return the slices that a receipt is in, the whole first."""
    return (WHOLE, *slices_of(rollout.plan.dimensions, rollout.plan.crosses or (), receipt.slices))
