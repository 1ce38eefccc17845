"""Joins the shadow's answers to the incumbent's outcomes by request, whichever comes first; each pair once."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from glideslope.domain.ids import RolloutId
from glideslope.domain.receipt import Receipt

MOST_WAITING: Final = 500_000
"""Answers or outcomes that wait for their other half; the oldest give way, in both arms alike."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Both arms' answers to one request, and the truth."""

    receipt: Receipt
    candidate_score: int
    happened: bool


class Pairing:
    """Waiting halves, bounded. They are lost at a restart: fewer pairs, no bias."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[RolloutId, int], int] = OrderedDict()
        self._outcomes: OrderedDict[tuple[RolloutId, int], tuple[Receipt, bool]] = OrderedDict()

    def answer(self, rollout: RolloutId, request: int, score: int) -> Pair | None:
        """Take the shadow's answer; return the pair if the outcome was waiting for it."""
        waiting = self._outcomes.pop((rollout, request), None)
        if waiting is not None:
            return Pair(receipt=waiting[0], candidate_score=score, happened=waiting[1])
        self._answers[(rollout, request)] = score
        if len(self._answers) > MOST_WAITING:
            self._answers.popitem(last=False)
        return None

    def outcome(self, rollout: RolloutId, receipt: Receipt, *, happened: bool) -> Pair | None:
        """Take an outcome; return the pair if the shadow's answer was waiting for it."""
        score = self._answers.pop((rollout, receipt.request), None)
        if score is not None:
            return Pair(receipt=receipt, candidate_score=score, happened=happened)
        self._outcomes[(rollout, receipt.request)] = (receipt, happened)
        if len(self._outcomes) > MOST_WAITING:
            self._outcomes.popitem(last=False)
        return None

    def forget(self, rollout: RolloutId) -> None:
        """Drop what waits for a rollout that has ended."""
        for waiting in (self._answers, self._outcomes):
            for key in [k for k in waiting if k[0] == rollout]:
                waiting.pop(key)
