"""Every accepted command took effect exactly once, a refused one never, and one without an answer at most once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from glideslope.testing.simulator.checks.violation import Violation

PROMISE: Final = "every accepted command takes effect exactly once"


class Answer(StrEnum):
    """What became of a command, as its sender knows it."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Commands:
    """Each command carries a mark of its own in its reason, by which its effects are found in the ledger."""

    answers: dict[str, Answer] = field(default_factory=dict)
    _effects: Counter[str] = field(default_factory=Counter)
    _since: dict[str, float] = field(default_factory=dict)
    """When each took effect, in true seconds."""

    def take(self, entry: Mapping[str, Any], *, at: float) -> None:
        """Take the next entry. Raises Violation for a second effect of one command."""
        kind, body = entry["kind"], entry["body"]
        mark = body["plan"]["why"] if kind == "rollout-proposed" else body.get("why", "")
        if kind == "incumbent-installed" or not mark.startswith("act-"):
            return
        self._effects[mark] += 1
        self._since.setdefault(mark, at)
        if self._effects[mark] > 1:
            raise Violation(PROMISE, f"{mark} took effect again in {entry['stream']}@{entry['version']}")

    def answered(self, mark: str, answer: Answer, *, asked: float) -> None:
        """Note what its sender was told in the end, asking for the last time at `asked`. Raises Violation."""
        self.answers[mark] = answer
        if answer is Answer.REFUSED and self._since.get(mark, asked) < asked:
            raise Violation(PROMISE, f"{mark} had taken effect and was refused when it was sent again")

    def doubted(self, mark: str) -> None:
        """Note that earlier sendings may still be under way, so that a refusal says nothing of what is to come."""
        if self.answers[mark] is Answer.REFUSED:
            self.answers[mark] = Answer.UNKNOWN

    def settle(self) -> None:
        """At the end, compare. Raises Violation."""
        for mark, answer in self.answers.items():
            effects = self._effects[mark]
            if answer is Answer.ACCEPTED and effects != 1:
                raise Violation(PROMISE, f"{mark} was accepted and took effect {effects} times")
            if answer is Answer.REFUSED and effects:
                raise Violation(PROMISE, f"{mark} was refused and took effect")
