"""Joins both arms' answers to one request before its outcome is known: counts what they say of each other, keeps the worst.

The counts are the gateway's kind: in memory, saved each second, a subject once per step. The examples are for people; they
stand in no ledger and in no store, and are lost at a restart.
"""

from bisect import insort
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from glideslope.domain.errors import Invalid
from glideslope.domain.events import rfc3339
from glideslope.domain.ids import WHOLE, RolloutId, SliceName
from glideslope.domain.logged import named_slices
from glideslope.domain.metric import slices_of
from glideslope.domain.pairs import Half, Halves, PairKind, compared
from glideslope.domain.plan import Plan
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.rollout import Rollout, exposure
from glideslope.domain.traffic import Arm
from glideslope.engine.observer import Observer
from glideslope.engine.record import Record
from glideslope.engine.requests import Met
from glideslope.engine.views import DisagreementView

MOST_WAITING: Final = 20_000
"""Answers per arm that wait for their other half; the oldest give way. Where only a part is mirrored, most never find one."""
MOST_KEPT: Final = 10
"""Examples per slice."""
MOST_ROLLOUTS: Final = 5
"""Rollouts whose examples are kept, the newest; each may have a thousand slices."""

_DIGITS: Final = 6


@dataclass(slots=True)
class Worst:
    """The pairs of one slice that differ most, one per subject. Whatever the order in which they come, the same are kept."""

    found: list[tuple[float, str, str, DisagreementView]] = field(default_factory=list)
    """Ascending by minus the difference, then the request's id: the worst first."""

    def offer(self, example: DisagreementView, *, who: str) -> None:
        """Keep an example if it is among the worst."""
        place = (-example.difference, example.request, who, example)
        if len(self.found) >= MOST_KEPT and place[:2] > self.found[-1][:2]:
            return
        mine = next((k for k, other in enumerate(self.found) if other[2] == who), None)
        if mine is not None:
            if self.found[mine][:2] <= place[:2]:
                return
            del self.found[mine]
        insort(self.found, place, key=lambda each: each[:2])
        del self.found[MOST_KEPT:]


_Waiting = OrderedDict[tuple[RolloutId, int], Half]


class PairDesk:
    """Takes halves of pairs as they come, from either arm's services."""

    def __init__(self, *, record: Record, observer: Observer) -> None:
        self._record = record
        self._observer = observer
        self._waiting: dict[Arm, _Waiting] = {arm: OrderedDict() for arm in Arm}
        self._worst: OrderedDict[RolloutId, dict[SliceName, Worst]] = OrderedDict()

    def waiting(self) -> int:
        """Return how many answers wait for their other half."""
        return sum(map(len, self._waiting.values()))

    def take(self, halves: Halves) -> None:
        """Join answers with those of the other arm. Raises NotFound, Invalid.

        What comes when nothing is mirrored any more is of no use, and passed over.
        """
        rollout = self._record.rollout(halves.rollout)
        if rollout.plan.model != halves.model:
            raise Invalid(f"{rollout.id} is about {rollout.plan.model}, not {halves.model}.")
        wanted = exposure(rollout)
        if wanted is None or not wanted.mirror:
            return
        other = Arm.INCUMBENT if halves.arm is Arm.CANDIDATE else Arm.CANDIDATE
        mine, theirs = self._waiting[halves.arm], self._waiting[other]
        for half in halves.halves:
            key = (rollout.id, half.request)
            met = theirs.pop(key, None)
            if met is None:
                mine[key] = half
                if len(mine) > MOST_WAITING:
                    mine.popitem(last=False)
            elif halves.arm is Arm.CANDIDATE:
                self._pair(rollout, candidate=half, incumbent=met)
            else:
                self._pair(rollout, candidate=met, incumbent=half)

    def worst(self, rollout: RolloutId, slice_: SliceName) -> Sequence[DisagreementView]:
        """Return the pairs that differ most, the worst first. Raises NotFound, and Invalid for a slice that the plan has not."""
        plan = self._record.rollout(rollout).plan
        if slice_ not in (WHOLE, *plan.slices):
            raise Invalid(f"{rollout} does not look at the slice {slice_}.")
        kept = self._worst.get(rollout, {}).get(slice_)
        return [] if kept is None else [each[3] for each in kept.found]

    def forget(self, rollout: RolloutId) -> None:
        """Drop what waits for a rollout that has ended; its examples stay while there is room."""
        for waiting in self._waiting.values():
            for key in [key for key in waiting if key[0] == rollout]:
                del waiting[key]

    def _pair(self, rollout: Rollout, *, candidate: Half, incumbent: Half) -> None:
        plan, step = rollout.plan, rollout.step
        if step is None:
            return
        bins = compared(plan.rules, candidate=candidate, incumbent=incumbent)
        # Both saw the same request; the incumbent's word counts, as it does for the outcome.
        slices = [WHOLE, *slices_of(plan.dimensions, plan.crosses or (), incumbent.slices or candidate.slices)]
        subject = incumbent.subject or candidate.subject
        who = f"{subject:x}" if subject else f"r{incumbent.request:x}"
        met = None
        if plan.is_kept:
            met = Met(
                model=plan.model,
                rollout=rollout.id,
                step=step.name,
                unit=subject or -1 - incumbent.request,
                slices=named_slices(plan.dimensions, incumbent.slices or candidate.slices),
                candidate=candidate,
                incumbent=incumbent,
            )
        self._observer.paired(rollout.id, step.name, slices, bins, who=who, met=met)
        example = _example(plan, bins, candidate=candidate, incumbent=incumbent, at=self._record.now(rollout.id))
        if example.difference > 0:
            kept = self._of(rollout.id)
            for slice_ in slices:
                kept.setdefault(slice_, Worst()).offer(example, who=who)

    def _of(self, rollout: RolloutId) -> dict[SliceName, Worst]:
        found = self._worst.get(rollout)
        if found is None:
            found = self._worst[rollout] = {}
            if len(self._worst) > MOST_ROLLOUTS:
                self._worst.popitem(last=False)
        return found


def _example(plan: Plan, bins: dict[PairKind, int], *, candidate: Half, incumbent: Half, at: int) -> DisagreementView:
    disagree = bins.get(PairKind.DISAGREEMENT, 0) > 0
    scored = PairKind.SHIFT in bins
    difference = abs(candidate.score - incumbent.score) / SCORE_LEVELS if scored else float(disagree)
    return DisagreementView(
        request=incumbent.id or candidate.id or f"{incumbent.request:x}",
        at=rfc3339(at),
        difference=round(difference, _DIGITS),
        disagree=disagree,
        candidate=candidate.answer or _score(candidate),
        incumbent=incumbent.answer or _score(incumbent),
        candidate_ms=_milliseconds(candidate),
        incumbent_ms=_milliseconds(incumbent),
        other_features=bins[PairKind.SKEW] > 0 if PairKind.SKEW in bins else None,
        slices=tuple(slices_of(plan.dimensions, (), incumbent.slices or candidate.slices)),
        attributes={**candidate.attributes, **incumbent.attributes},
    )


def _score(half: Half) -> str:
    return f"{half.score / SCORE_LEVELS:.4f}" if half.score >= 0 else ""


def _milliseconds(half: Half) -> float | None:
    return half.microseconds / 1000 if half.microseconds >= 0 else None
