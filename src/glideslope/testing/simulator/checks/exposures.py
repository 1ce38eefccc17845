"""Exposure is leased: never above what the ledger allows, and back at the incumbent one lease after its governor died."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glideslope.testing.simulator.checks.violation import Violation

PROMISE: Final = "exposure is leased, never granted"


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the ledger lets a data plane expose, since when (true seconds)."""

    since: float
    rollout: str
    step: str
    candidate: int
    control: int
    mirror: int


@dataclass(slots=True)
class _Rollout:
    plan: Mapping[str, Any]
    position: int = -1
    decided: str = ""
    """`promote` or `roll-back`, once that was decided."""


@dataclass(slots=True)
class Exposures:
    """Reads nothing but kinds and bodies of entries, and what is really in force at each gateway.

    `lag` is how long the network and a late gateway may keep a message; `prompt` how long an order may take to be obeyed in a
    run in which nothing goes wrong, or None where something may.
    """

    lag: float
    prompt: float | None
    reached_store: float = 0.0
    lease: float = 0.0
    _rollouts: dict[str, _Rollout] = field(default_factory=dict)
    _history: dict[str, list[Allowed]] = field(default_factory=dict)
    _installed: dict[str, str] = field(default_factory=dict)
    _thawed: list[tuple[float, float]] = field(default_factory=list)

    def thawed(self, at: float, *, after: float) -> None:
        """Note that a host that hung for `after` seconds goes on: what it was about to send, it sends now."""
        self._thawed.append((at, after))

    def take(self, entry: Mapping[str, Any], *, at: float) -> None:
        """Take the next entry."""
        stream, kind, body = entry["stream"], entry["kind"], entry["body"]
        if kind == "incumbent-installed":
            self._installed[body["model"]] = body["version"]
        if kind == "rollout-proposed":
            self._rollouts[stream] = _Rollout(body["plan"])
            self.lease = max(self.lease, body["plan"]["lease"] / 1000)
        rollout = self._rollouts.get(stream)
        if rollout is None:
            return
        exposed: bool | None = None
        match kind:
            case "decided":
                exposed = _exposes(rollout, body["decision"])
            case "halted" | "lease-lapsed" | "stream-closed":
                # While promoting a lapse changes nothing: the candidate becomes the incumbent.
                exposed = False if rollout.decided != "promote" or kind == "stream-closed" else None
            case _:
                pass
        if exposed is not None:
            self._history.setdefault(rollout.plan["model"], []).append(_allowed(stream, rollout, exposed, at))

    def installed(self, model: str) -> str:
        """Return the incumbent that the ledger names; empty before the first."""
        return self._installed.get(model, "")

    def look(self, model: str, *, rollout: str, step: str, candidate: int, mirror: int, at: float, where: str) -> None:
        """Hold what a gateway exposes now against the ledger. Raises Violation."""
        shown = f"{where} exposes {model} {rollout} {step} at {candidate} bp, mirrors {mirror} bp"
        hung = max((after for until, after in self._thawed if until > at - self.lag - self.lease), default=0.0)
        silent = at - self.reached_store
        if silent > self.lease + self.lag + hung:
            raise Violation(PROMISE, f"{shown}, {silent:.2f} s after a governor was last heard")
        window = self.prompt if self.prompt is not None else self.lease + self.lag + hung
        history = self._history.get(model, [])
        for k in range(len(history) - 1, -1, -1):
            one = history[k]
            if (one.rollout, one.step) == (rollout, step) and candidate <= one.candidate and mirror <= one.mirror:
                return
            if one.since <= at - window:
                break
        raise Violation(
            PROMISE, f"{shown}; the ledger allowed {history[-1] if history else 'nothing'} for {window:.2f} s"
        )


def _exposes(rollout: _Rollout, decision: Mapping[str, Any]) -> bool | None:
    """Return whether the decision exposes anybody; None when it changes nothing."""
    match decision["type"]:
        case "advance":
            rollout.position = decision["to"]
            return True
        case "hold":
            return None if decision["exposed"] else False
        case "promote":
            rollout.decided = "promote"
            return None
        case _:
            rollout.decided = "roll-back"
            return False


def _allowed(stream: str, rollout: _Rollout, exposed: bool, at: float) -> Allowed:
    step = rollout.plan["steps"][rollout.position] if exposed and rollout.position >= 0 else None
    if step is None:
        return Allowed(since=at, rollout=stream, step="", candidate=0, control=0, mirror=0)
    return Allowed(
        since=at,
        rollout=stream,
        step=step["name"],
        candidate=step["candidate"],
        control=step["control"],
        mirror=step["mirror"],
    )
