"""Many simulated rollouts of one plan: how often each end, how many met the candidate until then, how long it took."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import sqrt
from typing import Final

import msgspec

from glideslope.domain.flow import flow_of
from glideslope.domain.freeze import Baseline
from glideslope.domain.plan import DeclaredHarm, Plan
from glideslope.domain.simulation import Course, End, Fate
from glideslope.domain.supposed import foreseen, harms_of, suppose
from glideslope.stats.sampling import Chance

SURE: Final = 1.96
"""Standard errors on either side of a simulated probability: 95 of 100 such intervals hold the true one."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Of some figures the median, 95 of 100, and the mean with its standard error."""

    median: float
    high: float
    mean: float
    error: float


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How often something came about, with the interval (Wilson 1927) that chance leaves."""

    share: float
    low: float
    high: float


class Trials(msgspec.Struct, frozen=True, kw_only=True):
    """What became of all runs that supposed the same."""

    supposing: str
    runs: int
    promoted: Share
    caught: Share
    inconclusive: Share
    spent: Share
    """Of a harm budget."""
    paused: Share
    """Or refused by the offline stage."""
    caught_in: Mapping[str, float]
    """Per step, the share of all runs that were caught there."""
    broke: Mapping[str, float]
    """Per guardrail, the share of all runs that it ended, or whose end for want of a proof it was."""
    exposed: Spread | None
    """Candidate subjects until it was caught; None when it never was."""
    seconds: Spread
    """Until the end, however it ended."""
    seconds_to_catch: Spread | None


def suppositions(plan: Plan) -> tuple[DeclaredHarm | None, ...]:
    """Return what is simulated: a sound candidate, then each harm."""
    return (None, *harms_of(plan))


def course_of(plan: Plan, baseline: Baseline, harm: DeclaredHarm | None, *, starts: float) -> Course:
    """Make one supposition ready to run. Raises ValueError for one that cannot be, and without any traffic."""
    flow = flow_of(baseline, starts=starts)
    if not flow.is_known:
        raise ValueError("no traffic was ever seen, so no time can pass")
    judged = foreseen(plan)
    return Course.of(judged, suppose(judged, baseline, harm), flow)


def fates(course: Course, *, runs: int, chance: Callable[[int], Chance]) -> Iterator[Fate]:
    """Yield each run's end; each has a chance of its own, by its number, so they can be made in any order and anywhere."""
    return (course.run(chance(k)) for k in range(runs))


def summed(supposing: str, found: Sequence[Fate]) -> Trials:
    """Count ends. Raises ValueError without any run."""
    if not found:
        raise ValueError("nothing was run")
    runs = len(found)
    ends = Counter(fate.end for fate in found)
    caught = [fate for fate in found if fate.end is End.CAUGHT]
    return Trials(
        supposing=supposing,
        runs=runs,
        promoted=share(ends[End.PROMOTED], runs),
        caught=share(ends[End.CAUGHT], runs),
        inconclusive=share(ends[End.INCONCLUSIVE], runs),
        spent=share(ends[End.SPENT], runs),
        paused=share(ends[End.PAUSED] + ends[End.REFUSED], runs),
        caught_in={step: n / runs for step, n in sorted(Counter(fate.step for fate in caught).items())},
        broke={
            name: n / runs for name, n in sorted(Counter(fate.guardrail for fate in found if fate.guardrail).items())
        },
        exposed=_spread([float(fate.exposed) for fate in caught]),
        seconds=_spread([fate.seconds for fate in found]) or Spread(median=0.0, high=0.0, mean=0.0, error=0.0),
        seconds_to_catch=_spread([fate.seconds for fate in caught]),
    )


def share(found: int, of: int) -> Share:
    """Return a share with Wilson's interval."""
    p, z2 = found / of, SURE * SURE
    centre = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = SURE / (1 + z2 / of) * sqrt(p * (1 - p) / of + z2 / (4 * of * of))
    return Share(share=p, low=max(0.0, centre - half), high=min(1.0, centre + half))


def _spread(values: Sequence[float]) -> Spread | None:
    if not values:
        return None
    n, ordered = len(values), sorted(values)
    mean = sum(values) / n
    return Spread(
        median=ordered[n // 2],
        high=ordered[min(n - 1, (95 * n) // 100)],
        mean=mean,
        error=sqrt(sum((v - mean) ** 2 for v in values) / max(1, n - 1) / n),
    )
