"""Sample-ratio test: is traffic divided as asked? If not, the coin of every other test is wrong and no verdict counts."""

from dataclasses import dataclass
from fractions import Fraction

from glideslope.stats.betting import equal
from glideslope.stats.reals import written
from glideslope.stats.wealth import Bets

ALPHA = 0.001
"""A broken split invalidates a rollout, so a false alarm must be rare; and it is cheap, since every subject counts."""

ODDS = (1.02, 1.05, 1.12, 1.3, 2.0, 8.0, 100.0)
"""How far the odds of an arm may be off, in either direction."""


@dataclass(frozen=True, slots=True)
class SplitTest:
    """Two-sided test on `Table.sizes()`, one bin per arm. Null: a counted subject goes to the candidate with chance pi.

    The mixture of Dirichlet distributions of Lindon & Malek (2022) is the usual choice; a fixed grid of odds is taken
    because its bets are logarithms of fractions, where the other needs lgamma, which differs between C libraries. Against
    the other with k = 1000 at alpha 0.001 it needs 0.87 (50 % asked, 45 % found) to 1.11 times (5 %, 4.5 %) the subjects.
    Evaluate step by step, to name the step that broke.
    """

    odds: tuple[float, ...] = ODDS

    def __post_init__(self) -> None:
        if not self.odds or not all(written(ratio) > 1 for ratio in self.odds):
            raise ValueError(f"odds must lie above 1, got {self.odds}")

    @property
    def bins(self) -> int:
        return 1

    def bets(self, pi: Fraction) -> Bets:
        upwards = [written(ratio) for ratio in self.odds]
        mixed = [(ratio, pi * ratio + 1 - pi) for ratio in (*upwards, *(1 / ratio for ratio in upwards))]
        return Bets.of(prior=equal(len(mixed)), factors=[(ratio / mean, 1 / mean) for ratio, mean in mixed])
