"""A tier makes a plan stricter than it was written, never looser, and says what it changed."""

from collections.abc import Iterable

from msgspec import UnsetType
from msgspec.structs import replace

from glideslope.domain.draft import DEFAULT_STAGES, Draft, StageDraft
from glideslope.domain.governing.organisation import Tier
from glideslope.domain.plan import STAGE_ORDER, StageKind
from glideslope.domain.traffic import FULL


def tighten(draft: Draft, tier: Tier) -> tuple[Draft, tuple[str, ...]]:
    """Return the draft as strict as its tier asks, and a sentence for each change."""
    told: list[str] = []
    after = draft
    for name in ("alpha", "alpha_pass"):
        most = getattr(tier, name)
        if not isinstance(most, UnsetType) and getattr(after, name) > most:
            told.append(f"{name} is {most:g} instead of {getattr(after, name):g}.")
            after = replace(after, **{name: most})
    if tier.margin_scale < 1:
        told.append(f"Every margin is multiplied by {tier.margin_scale:g}.")
        after = replace(
            after,
            guardrails=tuple(
                replace(g, margin=type(g.margin)(g.margin.kind, g.margin.size * tier.margin_scale))
                for g in after.guardrails
            ),
        )
    after = replace(after, stages=tuple(_stages(after.stages, tier, told)))
    return after, tuple(told)


def _stages(stages: tuple[StageDraft, ...], tier: Tier, told: list[str]) -> Iterable[StageDraft]:
    present = {s.stage for s in stages}
    usual = {s.stage: s for s in DEFAULT_STAGES}
    added = [usual.get(kind, StageDraft(stage=kind)) for kind in STAGE_ORDER if kind in {*tier.stages} - present]
    told += [f"The stage {stage.stage.value} is added." for stage in added]
    ordered = sorted([*stages, *added], key=lambda s: STAGE_ORDER.index(s.stage))
    canaries = [k for k, stage in enumerate(ordered) if stage.stage is StageKind.CANARY]
    reached = 0
    for k, stage in enumerate(ordered):
        if k in canaries:
            after = _canary(stage, tier, told, reached=reached, last=k == canaries[-1])
            reached = max(reached, *after.shares, 0)
            yield after
        else:
            yield stage


def _canary(stage: StageDraft, tier: Tier, told: list[str], *, reached: int, last: bool) -> StageDraft:
    after = stage
    if stage.minimum < tier.minimum:
        told.append(f"Each canary step takes at least {_span(tier.minimum)}.")
        after = replace(after, minimum=tier.minimum, maximum=max(after.maximum, tier.minimum))
    shares = tuple(_ladder(after.shares, tier, reached=reached, last=last))
    if shares != after.shares:
        steps = ", ".join(f"{share / 100:g}%" for share in shares)
        told.append(f"The canary goes by {steps}.")
        after = replace(after, shares=shares)
    return after


def _span(milliseconds: int) -> str:
    for size, unit in ((3_600_000, "hour"), (60_000, "minute"), (1_000, "second")):
        if milliseconds >= size:
            number = milliseconds / size
            return f"{number:g} {unit}{'' if number == 1 else 's'}"
    return f"{milliseconds} milliseconds"


def _ladder(shares: tuple[int, ...], tier: Tier, *, reached: int, last: bool) -> Iterable[int]:
    """Put steps in between until none is wider than the tier lets the one before it grow, the step to everybody included."""
    for share in shares:
        while not _allowed(reached, share, tier):
            reached = _most(reached, share, tier)
            yield reached
        reached = share
        yield share
    while last and reached and not _allowed(reached, FULL, tier):
        reached = _most(reached, FULL, tier)
        yield reached


def _allowed(reached: int, share: int, tier: Tier) -> bool:
    return share <= _most(reached, share, tier)


def _most(reached: int, share: int, tier: Tier) -> int:
    if not reached:
        return share if isinstance(tier.first_share, UnsetType) else tier.first_share
    return share if isinstance(tier.growth, UnsetType) else min(FULL, max(reached + 1, int(reached * tier.growth)))
