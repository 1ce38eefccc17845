"""A search for harm in slices that nobody declared: corrected for the search, advisory, and never read by `decide`.

Searched are the values of declared fields that the plan does not list, and what two fields say together where the plan
does not cross them. How many hypotheses that makes is known from the plan alone, before anything is seen, so that a union
bound over all of them holds at every look. An unlisted value is known by a number only, one of UNLISTED per field.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import combinations
from typing import Final

import msgspec

from glideslope.domain.alphas import is_paired
from glideslope.domain.gate import harm_test
from glideslope.domain.ids import MetricName, SliceName, StepName
from glideslope.domain.metric import Cross, Dimension, Origin, crossed
from glideslope.domain.plan import Guardrail, Plan, StageKind
from glideslope.domain.receipt import NO_SLICE, UNLISTED
from glideslope.domain.tallied import paired_harm
from glideslope.stats.counts import Table, Tally
from glideslope.stats.wealth import TallyTest, Test, anytime_p, log_wealth

SCAN_ALPHA: Final = 0.05
"""Chance that the search ever shows harm, anywhere in a rollout, where there is none."""
MOST_SEARCHED: Final = 2_000
"""Slices that are computed at a look, those with the most subjects; the correction is for all that there could be."""


class Tier(StrEnum):
    """Kinds of hypotheses, each with its part of SCAN_ALPHA: few that are likely must not pay for many that are not."""

    TOGETHER = "together"  # listed values of two fields
    UNLISTED = "unlisted"  # an unlisted value of one field
    BOTH = "both"  # two fields, at least one value unlisted


_SHARES: Final = {Tier.TOGETHER: 2, Tier.UNLISTED: 1, Tier.BOTH: 1}

Places = tuple[int, ...]
"""Per dimension the number of the value, as in a receipt: listed, unlisted, or NO_SLICE."""
Steps = Mapping[StepName, tuple[Sequence[int], Sequence[int]]]
"""Per step the bins of both arms; of pairs those of the differences alone."""


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """One slice that nobody declared, under one metric's test of harm."""

    metric: MetricName
    slice: SliceName
    tier: Tier
    paired: bool
    wealth: float
    """Natural logarithm of the e-value."""
    p: float
    """Anytime p-value, corrected for the whole search: at or below SCAN_ALPHA it would be harm."""
    candidate: int
    incumbent: int

    @property
    def found(self) -> bool:
        """Tell whether the search found harm here."""
        return self.p <= SCAN_ALPHA


def searched_slices(
    dimensions: Sequence[Dimension], crosses: Sequence[Cross], places: Places
) -> list[tuple[Tier, tuple[tuple[int, int], ...]]]:
    """Return the undeclared slices that a request is in: each as (dimension, number) pairs."""
    known = [(k, n) for k, (d, n) in enumerate(zip(dimensions, places, strict=False)) if _is_known(d, n)]
    declared = {frozenset(cross) for cross in crosses}
    found: list[tuple[Tier, tuple[tuple[int, int], ...]]] = [
        (Tier.UNLISTED, ((k, n),)) for k, n in known if n >= len(dimensions[k].values)
    ]
    for (j, m), (k, n) in combinations(known, 2):
        if m >= len(dimensions[j].values) or n >= len(dimensions[k].values):
            found.append((Tier.BOTH, ((j, m), (k, n))))
        elif frozenset((dimensions[j].field, dimensions[k].field)) not in declared:
            found.append((Tier.TOGETHER, ((j, m), (k, n))))
    return found


def _is_known(dimension: Dimension, place: int) -> bool:
    return place < len(dimension.values) + (UNLISTED if len(dimension.values) + UNLISTED <= NO_SLICE else 0)


def family(plan: Plan) -> Mapping[Tier, int]:
    """Return how many hypotheses each tier may ever have: slices that could be, times the tests that are asked of each."""
    declared = {frozenset(cross) for cross in plan.crosses or ()}
    sizes = [(len(d.values), UNLISTED if _is_known(d, len(d.values)) else 0) for d in plan.dimensions]
    together = both = 0
    for (j, (a, more_a)), (k, (b, more_b)) in combinations(enumerate(sizes), 2):
        fields = frozenset((plan.dimensions[j].field, plan.dimensions[k].field))
        together += 0 if fields in declared else a * b
        both += (a + more_a) * (b + more_b) - a * b
    slices = {Tier.TOGETHER: together, Tier.UNLISTED: sum(more for _, more in sizes), Tier.BOTH: both}
    return {tier: count * len(list(_tests(plan))) for tier, count in slices.items()}


def search(
    plan: Plan,
    counted: Mapping[tuple[MetricName, bool], Mapping[Places, Steps]],
    *,
    names: Mapping[tuple[str, int], str] | None = None,
) -> tuple[Searched, ...]:
    """Return every undeclared slice that was counted, the likeliest harm first. `counted` is by metric and whether in pairs.

    `names` says what is known of the values behind unlisted numbers. Counts that are malformed say nothing.
    """
    sizes = family(plan)
    asked = sum(_SHARES[tier] for tier, size in sizes.items() if size)
    found: list[Searched] = []
    for test in _tests(plan):
        for (tier, parts), steps in _gathered(plan, counted.get((test.guardrail.metric.name, test.paired), {})):
            wealth, candidate, incumbent = test.weigh(plan, steps)
            price = Fraction(sizes[tier] * asked, _SHARES[tier])
            found.append(
                Searched(
                    metric=test.guardrail.metric.name,
                    slice=_name(plan.dimensions, parts, names or {}),
                    tier=tier,
                    paired=test.paired,
                    wealth=round(wealth, 4),
                    p=min(1.0, float(price) * anytime_p(wealth)),
                    candidate=candidate,
                    incumbent=incumbent,
                )
            )
    return tuple(sorted(found, key=lambda each: (each.p, -each.wealth, each.metric, each.slice)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One guardrail's test of harm, under the coin or on pairs.

    Without credit for overshoot, which is computed for one alpha: a p-value is for all of them. Without strata, like every slice.
    """

    guardrail: Guardrail
    paired: bool
    test: Test | TallyTest

    def weigh(self, plan: Plan, steps: Steps) -> tuple[float, int, int]:
        """Return the logarithm of the wealth and how many stand behind it."""
        rows = steps.values()
        candidate, incumbent = sum(sum(c) for c, _ in rows), sum(sum(i) for _, i in rows)
        try:
            if self.paired:
                tally = Tally(tuple(map(sum, zip(*(c for c, _ in rows), strict=True))))
                return log_wealth(self.test, tally), candidate, candidate  # type: ignore[arg-type]  # a TallyTest
            coins = {s.name: s.split.weights() for s in plan.steps if s.has_coin}
            tables = [
                Table(coins[step].candidate, coins[step].control, tuple(c), tuple(i))
                for step, (c, i) in sorted(steps.items())
                if step in coins
            ]
            return log_wealth(self.test, tables), candidate, incumbent  # type: ignore[arg-type]  # a Test
        except ValueError:
            return 0.0, candidate, incumbent


def _tests(plan: Plan) -> Iterable[_Asked]:
    shadowed = any(s.stage is StageKind.SHADOW for s in plan.steps)
    for g in plan.guardrails:
        if g.metric.origin is not Origin.OUTCOME or not g.spends_alpha:
            continue
        try:
            yield _Asked(g, paired=False, test=harm_test(g))
            if shadowed and is_paired(g.metric):
                yield _Asked(g, paired=True, test=paired_harm(g))
        except ValueError:
            continue  # a kind that is not judged by a comparison under a coin


def _gathered(
    plan: Plan, counted: Mapping[Places, Steps]
) -> list[tuple[tuple[Tier, tuple[tuple[int, int], ...]], dict[StepName, tuple[list[int], list[int]]]]]:
    """Add up what was counted jointly, per slice that is searched; those with the most subjects, at most MOST_SEARCHED."""
    found: dict[tuple[Tier, tuple[tuple[int, int], ...]], dict[StepName, tuple[list[int], list[int]]]] = {}
    for places, steps in counted.items():
        for slice_ in searched_slices(plan.dimensions, plan.crosses or (), places):
            mine = found.setdefault(slice_, {})
            for step, arms in steps.items():
                sums = mine.setdefault(step, ([0] * len(arms[0]), [0] * len(arms[1])))
                for total, bins in zip(sums, arms, strict=True):
                    total[:] = [a + b for a, b in zip(total, bins, strict=True)]
    size = {slice_: sum(sum(c) + sum(i) for c, i in steps.values()) for slice_, steps in found.items()}
    return sorted(found.items(), key=lambda each: (-size[each[0]], each[0]))[:MOST_SEARCHED]


def _name(
    dimensions: Sequence[Dimension], parts: tuple[tuple[int, int], ...], names: Mapping[tuple[str, int], str]
) -> SliceName:
    told = []
    for k, place in parts:
        dimension = dimensions[k]
        number = place - len(dimension.values)
        value = dimension.values[place] if number < 0 else names.get((dimension.field, number), f"?{number}")
        told.append(SliceName(f"{dimension.field}={value}"))
    return told[0] if len(told) == 1 else crossed(told[0], told[1])
