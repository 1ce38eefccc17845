"""Rules about the plan: through which stages, to how many, how fast, and with what chance of error."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import (
    ByTier,
    Duration,
    Rule,
    Share,
    basis_points,
    known,
    listed,
    milliseconds,
    of_tier,
    per_tier,
    percent,
    spoken,
)
from glideslope.domain.plan import StageKind

PLAN = Missing("the plan")
TIER = Missing("what the policy asks of this tier")
Chance = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Growth = Annotated[float, msgspec.Meta(gt=1)]


class StagesRequired(Rule, frozen=True, kw_only=True, tag="stages_required"):
    """The plan leaves none of these stages out."""

    stages: ByTier[Annotated[tuple[StageKind, ...], msgspec.Meta(min_length=1)]]

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        plan, stages = known(dossier.plan), of_tier(self.stages, dossier)
        if plan is None or stages is None:
            yield PLAN if plan is None else TIER
            return
        for stage in stages:
            yield Shown(stage.value) if stage in plan.stages else Wrong(f"the plan has no stage {stage.value}")

    def asks(self) -> str:
        return f"The plan goes through {per_tier(self.stages, lambda s: listed(tuple(e.value for e in s)))}."

    def mend(self) -> str:
        return "Add the stage to the plan."


class ExposureAtMost(Rule, frozen=True, kw_only=True, tag="exposure_at_most"):
    """Few meet the candidate at first, and not too many before it is proven."""

    first: ByTier[Share] | UnsetType = UNSET
    """Of the first step in which anybody meets it."""
    largest: ByTier[Share] | UnsetType = UNSET
    """Of any step of a canary."""

    def __post_init__(self) -> None:
        """Refuse a rule that asks for nothing."""
        if known(self.first) is None and known(self.largest) is None:
            raise ValueError("`first` or `largest` is expected")

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        plan = known(dossier.plan)
        if plan is None:
            yield PLAN
            return
        exposing = [step.share for step in plan.steps if step.share > 0]
        if not exposing:
            yield Missing("a step in which anybody meets the candidate")
            return
        canary = max((step.share for step in plan.canary), default=exposing[0])
        for name, limits, share in (("first", self.first, exposing[0]), ("largest canary", self.largest, canary)):
            if isinstance(limits, UnsetType):
                continue
            limit = of_tier(limits, dossier)
            if limit is None:
                yield TIER
            elif share > basis_points(limit):
                yield Wrong(f"the {name} step exposes {percent(share)}, more than {limit}")
            else:
                yield Shown(f"the {name} step exposes {percent(share)}")

    def asks(self) -> str:
        first, largest = known(self.first), known(self.largest)
        asked = [f"at most {per_tier(first, str)} meet it first"] if first is not None else []
        asked += [f"a canary reaches at most {per_tier(largest, str)}"] if largest is not None else []
        sentence = listed(tuple(asked))
        return f"{sentence[0].upper()}{sentence[1:]}."

    def mend(self) -> str:
        return "Make the shares of the plan smaller."


class NotFasterThan(Rule, frozen=True, kw_only=True, tag="not_faster_than"):
    """Every step of a canary takes its time, and is not too much wider than the one before."""

    minimum: ByTier[Duration]
    """How long each step takes at least."""
    growth: ByTier[Growth] | UnsetType = UNSET
    """By how much a step may be wider than the one before it: 5 allows 1 %, 5 %, 25 %."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        plan, minimum = known(dossier.plan), of_tier(self.minimum, dossier)
        growth = None if isinstance(self.growth, UnsetType) else of_tier(self.growth, dossier)
        if plan is None or minimum is None:
            yield PLAN if plan is None else TIER
            return
        if growth is None and not isinstance(self.growth, UnsetType):
            yield TIER
        if not plan.canary:
            yield Missing("a canary in the plan")
        before = None
        for number, step in enumerate(plan.canary, start=1):
            wrong = []
            if step.minimum < milliseconds(minimum):
                wrong.append(
                    f"canary step {number} takes {step.minimum / 60_000:g} minutes, less than {spoken(minimum)}"
                )
            if growth is not None and before is not None and step.share > growth * before.share:
                wrong.append(f"canary step {number} goes from {percent(before.share)} to {percent(step.share)} at once")
            yield from map(Wrong, wrong) if wrong else [Shown(f"canary step {number}")]
            before = step

    def asks(self) -> str:
        growth = known(self.growth)
        wider = (
            f", and is at most {per_tier(growth, lambda g: f'{g:g}')} times as wide as the one before" if growth else ""
        )
        return f"Each step of the canary takes at least {per_tier(self.minimum, spoken)}{wider}."

    def mend(self) -> str:
        return "Give the steps of the plan more time, or put steps between them."


class ErrorChanceAtMost(Rule, frozen=True, kw_only=True, tag="error_chance_at_most"):
    """The plan's tests err seldom enough: in rolling a good candidate back, and above all in passing a bad one."""

    alpha: ByTier[Chance]
    """Of rolling back a candidate that is not worse."""
    alpha_pass: ByTier[Chance]
    """Of a proof for one that is too much worse."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        plan = known(dossier.plan)
        if plan is None:
            yield PLAN
            return
        for name, limits, chance in (
            ("alpha", self.alpha, plan.alpha),
            ("alpha_pass", self.alpha_pass, plan.alpha_pass),
        ):
            limit = of_tier(limits, dossier)
            if limit is None:
                yield TIER
            elif chance > limit:
                yield Wrong(f"{name} is {chance:g}, more than {limit:g}")
            else:
                yield Shown(f"{name} is {chance:g}")

    def asks(self) -> str:
        return (
            f"The chance of rolling back a good candidate is at most {per_tier(self.alpha, lambda a: f'{a:g}')}, and that "
            f"of passing a bad one at most {per_tier(self.alpha_pass, lambda a: f'{a:g}')}."
        )

    def mend(self) -> str:
        return "Lower `alpha` and `alpha_pass` in the plan; it will need more subjects."


__all__ = ["ErrorChanceAtMost", "ExposureAtMost", "NotFasterThan", "StagesRequired"]
