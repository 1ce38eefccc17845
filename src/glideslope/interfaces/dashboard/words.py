"""What states, decisions and verdicts are called on pages: a word, a tone and a shape each, so that none rests on colour alone."""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from glideslope.domain.reasons import Reason
from glideslope.domain.rollout import Phase
from glideslope.engine.inbox import needs_approval
from glideslope.engine.views import DecisionView, RolloutView


@dataclass(frozen=True, slots=True)
class Word:
    """A word, its tone (`good`, `bad`, `open`, `quiet`) and the icon before it."""

    word: str
    tone: str
    icon: str


_CALM: Final = frozenset({Reason.MINIMUM_TIME, Reason.NOT_ENOUGH, Reason.IMMATURE})
_DECISIONS: Final = {
    "advance": Word("advance", "good", "forward"),
    "promote": Word("promote", "good", "check"),
    "hold": Word("hold", "open", "pause"),
    "roll-back": Word("roll back", "bad", "back"),
}
_VERDICTS: Final = {
    "proven": Word("proven within its margin", "good", "check"),
    "harm": Word("harm", "bad", "cross"),
    "beyond its limit": Word("beyond its limit", "bad", "cross"),
    "watching": Word("not told apart yet", "open", "eye"),
    "no evidence": Word("no evidence", "quiet", "dash"),
    "not in a shadow": Word("judged from the canary on", "quiet", "dash"),
    "shown": Word("shown, not judged", "quiet", "eye"),
    "pass": Word("pass", "good", "check"),
    "fail": Word("fail", "bad", "cross"),
    "no-evidence": Word("no evidence", "open", "dash"),
    "not-applicable": Word("not applicable", "quiet", "dash"),
    "done": Word("done", "good", "check"),
    "to be done": Word("to be done", "open", "dash"),
    "works": Word("works", "good", "check"),
    "wrong": Word("wrong", "bad", "cross"),
    "inside": Word("inside", "good", "check"),
    "outside": Word("outside", "open", "warn"),
    "inconclusive": Word("inconclusive", "open", "dash"),
    "invalid": Word("invalid", "bad", "cross"),
}


def state(view: RolloutView) -> Word:
    """Say how a rollout stands."""
    match Phase(view.phase):
        case Phase.PROPOSED:
            return Word("waits for approval" if needs_approval(view) else "waits to start", "open", "person")
        case Phase.RUNNING if view.last is not None and view.last.decision == "hold" and not is_calm(view.last):
            return Word(f"holds at {view.share / 100:g} %" if view.share else "holds", "open", "pause")
        case Phase.RUNNING:
            return Word(
                f"measures at {view.share / 100:g} %" if view.share else "measures, nobody exposed", "good", "forward"
            )
        case Phase.LAPSED:
            return Word("lease lapsed", "bad", "warn")
        case Phase.HALTED:
            return Word("halted", "bad", "stop")
        case Phase.ROLLING_BACK:
            return Word("rolls back", "bad", "back")
        case Phase.ROLLED_BACK if Reason.DENIED in view.reasons and not view.candidate_subjects:
            return Word("denied", "quiet", "cross")  # nobody had met it, so nothing went back
        case Phase.ROLLED_BACK:
            return Word("rolled back", "bad", "back")
        case Phase.PROMOTING:
            return Word("is promoted", "good", "forward")
        case Phase.PROMOTED:
            return Word("promoted", "good", "check")
        case _ as never:
            assert_never(never)


def is_calm(found: DecisionView) -> bool:
    """Tell whether a hold only waits for what has to come: time, evidence, outcomes. Nothing is wrong then."""
    return set(found.reasons) <= _CALM


def decision(found: DecisionView) -> Word:
    """Say a decision; one that only waits is said quietly."""
    word = _DECISIONS[found.decision]
    return replace(word, tone="quiet") if found.decision == "hold" and is_calm(found) else word


def verdict(word: str) -> Word:
    """Say what a guardrail or a finding shows; an unknown word is shown as it came."""
    return _VERDICTS.get(word, Word(word, "quiet", "dash"))


def urgency(word: Word) -> int:
    """Return the place of a word among others when what needs attention comes first."""
    return ("bad", "open", "good", "quiet").index(word.tone)
