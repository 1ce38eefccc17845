"""What somebody weighs before they answer: what a plan can tell and whom it reaches, and what each answer would do to traffic.

Resuming is decided as if it had been done, by the same `decide` on the evidence of this moment, so that nobody is offered what would only
halt again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from glideslope.domain.decide import decide
from glideslope.domain.decision import Advance, Decision, Hold, Promote, RollBack
from glideslope.domain.errors import SignOffMissing
from glideslope.domain.events import Resumed
from glideslope.domain.forecast import forecast, warnings
from glideslope.domain.ids import NOBODY, RolloutId
from glideslope.domain.rollout import DECIDED, Phase, Rollout, apply, exposure
from glideslope.domain.traffic import FULL
from glideslope.engine.asking import Asking
from glideslope.engine.forecast_views import step_forecast
from glideslope.engine.handlers import Handlers
from glideslope.engine.inbox_views import Act
from glideslope.engine.observer import Observer
from glideslope.engine.record import Record
from glideslope.engine.views import StepForecast, Warning_


class AnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that may be answered, and what it would do."""

    act: str
    """`judge`, `halt`, `resume` or `rollback`."""
    possible: bool
    """False where it would be refused, or change nothing for longer than a moment."""
    share: int
    """The candidate's share afterwards, in basis points."""
    then: str
    """What it would do to traffic, as a sentence."""


class ReachView(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a step exposes at the traffic of the last minute."""

    step: str
    stage: str
    share: int
    """In basis points."""
    subjects: int | None
    """Who meet the candidate in the step's minimum time; None without recent traffic."""


class WeighingView(msgspec.Struct, frozen=True, kw_only=True):
    """What is weighed."""

    rollout: str
    forecast: tuple[StepForecast, ...]
    """What each step can tell from the traffic of the last minute."""
    warnings: tuple[Warning_, ...]
    """What should make a person look twice."""
    traffic_per_second: float | None
    reach: tuple[ReachView, ...]
    answers: tuple[AnswerView, ...]
    """None once it is decided."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """Weighs rollouts of one record. It changes nothing."""

    record: Record
    observer: Observer
    asking: Asking
    handlers: Handlers

    def weigh(self, id_: RolloutId) -> WeighingView:
        """Return what is weighed about a rollout. Raises NotFound."""
        rollout = self.record.rollout(id_)
        plan, baseline = rollout.plan, self.observer.baseline(rollout.plan.model)
        rate = baseline.subjects_per_second
        return WeighingView(
            rollout=id_,
            forecast=tuple(step_forecast(f) for f in forecast(plan, baseline)),
            warnings=tuple(Warning_(code=w.code, sentence=w.sentence) for w in warnings(plan, baseline)),
            traffic_per_second=rate if rate > 0 else None,
            reach=tuple(
                ReachView(
                    step=step.name,
                    stage=step.stage.value,
                    share=step.candidate,
                    subjects=round(rate * step.candidate / FULL * step.minimum / 1_000) if rate > 0 else None,
                )
                for step in plan.steps
                if step.candidate
            ),
            answers=() if rollout.phase in DECIDED else tuple(self._answers(rollout)),
        )

    def _answers(self, rollout: Rollout) -> Iterator[AnswerView]:
        plan, shown = rollout.plan, exposure(rollout)
        share = 0 if shown is None else shown.split.candidate
        lease = f"{plan.lease / 1_000:g} s"
        if rollout.phase in (Phase.RUNNING, Phase.LAPSED):
            stays = f"stays at {share / 100:g} %" if share else "exposes nobody, as now"
            here = "this step" if rollout.step is None else rollout.step.name
            yield AnswerView(
                act=Act.JUDGE.value,
                possible=True,
                share=share,
                then=f"The candidate {stays}. It goes on measuring, and this is not asked again in {here}.",
            )
            yield AnswerView(
                act=Act.HALT.value,
                possible=True,
                share=0,
                then=f"{_from(share)} at once, within {lease} whatever fails. The same subjects come back when it is resumed.",
            )
        if rollout.phase is Phase.HALTED:
            yield self._resumed(rollout)
        yield AnswerView(
            act=Act.ROLL_BACK.value,
            possible=True,
            share=0,
            then=f"{_from(share)} for good: {plan.incumbent} serves everybody. Trying again is a new attempt.",
        )

    def _resumed(self, rollout: Rollout) -> AnswerView:
        """Decide as if it had been resumed."""
        now = self.record.now(rollout.id)
        try:
            self.handlers.check_signed_off(rollout)
        except SignOffMissing as error:
            return AnswerView(
                act=Act.RESUME.value, possible=False, share=0, then=f"It would be refused: {error.sentence}"
            )
        aside = self.handlers.not_credible(rollout)
        after = apply(rollout, Resumed(by=NOBODY, why="", aside=aside or UNSET), at=now)
        counted = self.observer.evidence(after, in_force=False)
        decision = decide(after, replace(counted, permit=self.asking.permit(after)), now=now)
        told = f" What {', '.join(sorted({each.source for each in aside}))} counted is set aside." if aside else ""
        possible, share, then = _after(decision, rollout)
        return AnswerView(act=Act.RESUME.value, possible=possible, share=share, then=f"{then}{told}")


def _after(decision: Decision, rollout: Rollout) -> tuple[bool, int, str]:
    why = " ".join(reason.sentence for reason in decision.reasons)
    match decision:
        case Advance(to=to):
            step = rollout.plan.steps[to]
            return (
                True,
                step.candidate,
                f"The candidate is exposed again at {step.candidate / 100:g} %, to the same subjects. {why}",
            )
        case Hold(exposed=True):
            return True, 0, f"It goes on as it was. {why}"
        case Hold():
            return False, 0, f"It would be halted again at once, for the same evidence counts: {why}"
        case RollBack():
            return False, 0, f"It would be rolled back at once: {why}"
        case Promote():
            return True, FULL, f"It would be promoted. {why}"
        case _:
            assert_never(decision)


def _from(share: int) -> str:
    return f"The candidate goes from {share / 100:g} % to 0 %" if share else "The candidate stays at 0 %"
