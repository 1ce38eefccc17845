"""One question of a gate: a test, what it is asked over, and what its answer means."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from glideslope.domain.decision import Finding, Question, Verdict
from glideslope.domain.ids import SliceName
from glideslope.domain.tables import sizes
from glideslope.stats.counts import Table, Tally
from glideslope.stats.reals import ln
from glideslope.stats.wealth import TallyTest, Test, crossed, weighed

_PLACES: Final = 4
"""Digits after the point of a finding's logarithms."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question: a test, what it is asked over (None is malformed), and what crossing its line means."""

    question: Question
    crossing: Verdict
    subject: str
    slice: SliceName
    test: Test | TallyTest
    alpha: float
    over: tuple[Table, ...] | Tally | None
    awaited: tuple[int, int] = (0, 0)
    """How many of both arms' answers in it are still to come, and were only supposed."""

    def is_told(self) -> bool:
        """Tell whether the answer is more than INCONCLUSIVE, without the finding."""
        return self.over is None or crossed(self.test, self.over, self.alpha)  # type: ignore[arg-type]  # asked over what it reads

    def finding(self) -> Finding:
        verdict, wealth = Verdict.INVALID, 0.0
        (candidate, incumbent), (ours, theirs) = sizes(self.over), self.awaited
        candidate, incumbent = candidate - ours, incumbent - theirs
        if self.over is not None:
            reached, wealth = weighed(self.test, self.over, self.alpha, places=_PLACES)  # type: ignore[arg-type]  # as above
            # Silence of one arm can carry a bet over its line; it proves nothing.
            heard = self.crossing is not Verdict.PASS or (candidate > 0 and incumbent > 0)
            verdict = self.crossing if reached and heard else Verdict.INCONCLUSIVE
        return Finding(
            question=self.question,
            verdict=verdict,
            subject=self.subject,
            slice=self.slice,
            wealth=wealth,
            line=_line(self.alpha),
            candidate=candidate,
            incumbent=incumbent,
            awaited=ours + theirs or msgspec.UNSET,
        )


@lru_cache(maxsize=4096)
def _line(alpha: float) -> float:
    return round(-ln(alpha), _PLACES)


def told(questions: Iterable[Asked]) -> tuple[Finding, ...]:
    return tuple(asked.finding() for asked in questions if asked.is_told())
