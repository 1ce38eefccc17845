"""A plan that cannot detect its own margin by its deadline, and the smallest change that would do, tried by the forecast itself."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Final

import msgspec

from glideslope.domain.draft import DAY, HOUR, MINUTE, Draft, StageDraft
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.flow import Flow, flow_of
from glideslope.domain.foresight import EVEN, Prospect, deadline, is_sighted, prospect, subjects_to_even
from glideslope.domain.freeze import Baseline
from glideslope.domain.ids import MetricName, StepName
from glideslope.domain.metric import Kind
from glideslope.domain.plan import Guardrail, Margin, MarginKind, Plan, StageKind
from glideslope.domain.supposed import counted_of, foreseen, suppose
from glideslope.domain.traffic import FULL

LONGEST: Final = 90 * DAY
"""Nobody is advised to wait longer."""

_TIMES: Final = (
    *(k * MINUTE for k in (1, 2, 3, 5, 10, 15, 20, 30, 45)),
    *(k * HOUR for k in (1, 2, 3, 4, 6, 8, 12, 18)),
    *(k * DAY for k in (1, 2, 3, 4, 5, 7, 10, 14, 21, 30, 45, 60, 90)),
)
_SHARES: Final = tuple(
    int(k * 100) for k in (1, 2, 3, 4, 5, 7.5, 10, 12.5, 15, 20, 25, 30, 35, 40, 45, 50, 60, 75, 100)
)
_FACTORS: Final = (1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


class Blind(msgspec.Struct, frozen=True, kw_only=True):
    """A step by whose deadline a sound candidate's guardrail is less likely proven than not."""

    step: StepName
    guardrail: MetricName
    by_deadline: float
    """How likely a sound candidate is proven by then."""
    needs: float
    """Candidate subjects by which a proof is as likely as not; infinite where none is."""
    gets: int
    """Candidate subjects expected by the deadline."""


def blind(plan: Plan, baseline: Baseline, *, starts: float) -> Blind | None:
    """Return the first such step; None where there is none, and where nothing is known of the traffic or of the values."""
    if _is_sighted(plan, baseline, starts=starts):
        return None
    found = _healthy(plan, baseline, starts=starts)
    if found is None:
        return None
    judged, flow, seen = found
    entered = 0.0
    for step, each in zip(judged.steps, seen.steps, strict=True):
        for proof in each.proofs:
            if proof.by_deadline >= EVEN or not _is_known(_rail(judged, proof.guardrail), baseline):
                continue
            supposed = suppose(judged, baseline, None)
            needs = subjects_to_even(judged, supposed, flow, seen=seen, step=step, g=_rail(judged, proof.guardrail))
            share = (step.candidate or step.mirror) / FULL
            return Blind(
                step=step.name,
                guardrail=proof.guardrail,
                by_deadline=proof.by_deadline,
                needs=needs * share,
                gets=int(flow.subjects(entered, entered + deadline(step)) * share),
            )
        entered += each.seconds
    return None


def remedies(
    draft: Draft, spot: Blind, refreeze: Callable[[Draft], Plan], baseline: Baseline, *, starts: float
) -> Generator[None, None, tuple[str, ...]]:
    """Return the smallest changes of which each alone lets the step tell: more time, more share, a wider margin.

    Each was tried: with it, a sound candidate is more likely proven than not by the step's deadline. Yields after each try,
    which takes about a tenth of a second, so that others have their turn.
    """

    def does(changed: Draft) -> bool:
        try:
            plan = refreeze(changed)
        except GlideslopeError:
            return False
        found = _healthy(plan, baseline, starts=starts)
        if found is None:
            return False
        each = next((s for s in found[2].steps if s.step == spot.step), None)
        return each is not None and any(p.guardrail == spot.guardrail and p.by_deadline >= EVEN for p in each.proofs)

    def can_be(changed: Draft) -> bool:
        try:
            refreeze(changed)
        except GlideslopeError:
            return False
        return True

    said: tuple[str, ...] = ()
    for options in (_longer(draft, spot), _larger(draft, spot), _wider(draft, spot)):
        tried = list(options)
        while tried and not can_be(tried[-1][1]):
            tried.pop()  # wider than the values can differ, say
        found = yield from _smallest(tried, does)
        said = (*said, found) if found else said
    return said


def _smallest(options: Sequence[tuple[str, Draft]], does: Callable[[Draft], bool]) -> Generator[None, None, str]:
    """Return the first that does, by bisection: what does with less does with more."""
    yield
    if not options or not does(options[-1][1]):
        return ""
    low, high = -1, len(options) - 1
    while high - low > 1:
        yield
        middle = (low + high) // 2
        low, high = (low, middle) if does(options[middle][1]) else (middle, high)
    return options[high][0]


def _healthy(plan: Plan, baseline: Baseline, *, starts: float) -> tuple[Plan, Flow, Prospect] | None:
    flow = flow_of(baseline, starts=starts)
    if not flow.is_known:
        return None
    try:
        judged = foreseen(plan)
        return judged, flow, prospect(judged, suppose(judged, baseline, None), flow)
    except ValueError:
        return None


def _is_sighted(plan: Plan, baseline: Baseline, *, starts: float) -> bool:
    flow = flow_of(baseline, starts=starts)
    try:
        judged = foreseen(plan)
        return not flow.is_known or is_sighted(judged, suppose(judged, baseline, None), flow)
    except ValueError:
        return True


def _is_known(g: Guardrail, baseline: Baseline) -> bool:
    """Tell whether the incumbent's values were ever seen: what rests on a guess refuses nobody."""
    return sum(counted_of(g.metric, baseline)) > 1


def _rail(plan: Plan, name: MetricName) -> Guardrail:
    return next(g for g in plan.guardrails if g.metric.name == name)


def _place(draft: Draft, step: StepName) -> tuple[int, int]:
    """Return the stage that a step comes from, and which of its shares it is."""
    legs = [(k, n) for k, stage in enumerate(draft.stages) for n in range(max(1, len(stage.shares)))]
    return legs[int(step[1:]) - 1]


def _with_stage(draft: Draft, at: int, stage: StageDraft) -> Draft:
    return msgspec.structs.replace(draft, stages=(*draft.stages[:at], stage, *draft.stages[at + 1 :]))


def _longer(draft: Draft, spot: Blind) -> Iterator[tuple[str, Draft]]:
    at, _ = _place(draft, spot.step)
    stage = draft.stages[at]
    for time in _TIMES:
        if stage.maximum < time <= LONGEST:
            changed = msgspec.structs.replace(stage, maximum=time)
            yield (
                f"at_most: {_time(time)} instead of {_time(stage.maximum)} in the stage {stage.stage.value}",
                _with_stage(draft, at, changed),
            )


def _larger(draft: Draft, spot: Blind) -> Iterator[tuple[str, Draft]]:
    at, n = _place(draft, spot.step)
    stage = draft.stages[at]
    if stage.stage is StageKind.SHADOW:
        for share in _SHARES:
            if share > stage.mirror:
                changed = msgspec.structs.replace(stage, mirror=share)
                yield f"mirror: {share / 100:g}% instead of {stage.mirror / 100:g}%", _with_stage(draft, at, changed)
        return
    after = stage.shares[n + 1] if n + 1 < len(stage.shares) else FULL
    for share in _SHARES:
        # A control must be left.
        if stage.shares[n] < share < after:
            changed = msgspec.structs.replace(stage, shares=(*stage.shares[:n], share, *stage.shares[n + 1 :]))
            yield (
                f"share: {share / 100:g}% instead of {stage.shares[n] / 100:g}% in {spot.step}",
                _with_stage(draft, at, changed),
            )


def _wider(draft: Draft, spot: Blind) -> Iterator[tuple[str, Draft]]:
    at = next(k for k, g in enumerate(draft.guardrails) if spot.guardrail.startswith(g.metric))
    rail = draft.guardrails[at]
    for factor in _FACTORS:
        size = float(f"{rail.margin.size * factor:.2g}")
        if size > rail.margin.size:
            margin = Margin(rail.margin.kind, size)
            changed = msgspec.structs.replace(rail, margin=margin)
            rails = (*draft.guardrails[:at], changed, *draft.guardrails[at + 1 :])
            own = next((m.kind for m in draft.metrics if m.name == rail.metric), None)
            event = own is Kind.EVENT or rail.metric in {"errors", "wrong"}
            yield (
                f"margin: {_margin(margin, event=event)} instead of {_margin(rail.margin, event=event)} for {rail.metric}",
                msgspec.structs.replace(draft, guardrails=rails),
            )


def _margin(margin: Margin, *, event: bool) -> str:
    if margin.kind is MarginKind.RELATIVE:
        return f"{margin.size * 100:.4g}%"
    return f"{margin.size * 100:.4g}pp" if event else f"{margin.size:.4g}"


def _time(milliseconds: int) -> str:
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1_000)):
        if milliseconds >= size and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"
