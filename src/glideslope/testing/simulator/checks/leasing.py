"""One governor at a time, and nothing comes back by itself: who leases, and what the gateways make of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glideslope.engine.ports import Lease
from glideslope.testing.simulator.checks.violation import Violation

PROMISE: Final = "exposure is leased, never granted"

LEARNS_WITHIN: Final = 3.0
"""Seconds after which a governor that lost its lease knows it, besides what messages take."""

BELIEVED: Final = 3.0
"""Seconds for which a look at the traffic may be believed."""

GOVERNING: Final = frozenset({"decided", "lease-lapsed", "traffic-confirmed"})
"""What only a governor records; a person's decision is told by whose it is."""

Stretch = tuple[str, str, str]
"""Gateway, rollout, step."""


@dataclass(slots=True)
class Leasing:
    """Times in true seconds. `lag` is how long messages may take; `candid` says that nothing delays or falsifies an answer."""

    lag: float
    candid: bool
    epoch: int = 0
    holder: str = ""
    """The process that may govern."""
    committing: str = ""
    """The process whose entries are committed now."""
    _epochs: dict[str, int] = field(default_factory=dict)
    """The last epoch in which each process governed."""
    _knows: dict[int, float] = field(default_factory=dict)
    """Epochs whose governors were told that they lost."""
    _since: float = 0.0
    _hung: list[tuple[float, float]] = field(default_factory=list)
    _began: dict[Stretch, float] = field(default_factory=dict)
    _seen: dict[Stretch, float] = field(default_factory=dict)
    _last: dict[Stretch, float] = field(default_factory=dict)
    _over: set[Stretch] = field(default_factory=set)
    _advanced: dict[str, float] = field(default_factory=dict)
    _lied: dict[str, float] = field(default_factory=dict)
    _steps: dict[str, str] = field(default_factory=dict)
    _plans: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def thawed(self, at: float, *, after: float) -> None:
        """Note that a host that hung for `after` seconds goes on."""
        self._hung.append((at, after))

    def released(self, lease: Lease) -> None:
        """The store took the right to govern back."""
        if (lease.holder, lease.epoch) == (self.holder, self.epoch):
            self.holder = ""

    def taken(self, lease: Lease, *, at: float) -> None:
        """The store gave the right to govern in this epoch."""
        self.holder = lease.holder
        self._epochs[lease.holder] = lease.epoch
        if lease.epoch > self.epoch:
            self.epoch, self._since = lease.epoch, at

    def refused(self, holder: str, *, at: float) -> None:
        """The store said no to a process that asked for the right to govern: from now on it knows that it lost."""
        if holder in self._epochs:
            self._knows.setdefault(self._epochs[holder], at)

    def told(self, epoch: int, *, at: float, where: str, exposing: bool) -> None:
        """A gateway was told by a governor of this epoch. Raises Violation for one that should know that it lost."""
        if exposing and at - self._knows.get(epoch, at) > 1.0 + self.lag + self._longest_hang(at):
            raise Violation(PROMISE, f"{where} is told to expose by epoch {epoch}, which was refused the lease before")
        patience = LEARNS_WITHIN + self.lag + self._longest_hang(at)
        if epoch < self.epoch and at - self._since > patience:
            raise Violation(
                PROMISE, f"{where} is leased by epoch {epoch}, {at - self._since:.2f} s after {self.epoch} began"
            )

    def lied(self, gateway: str, *, at: float) -> None:
        """A gateway says what it was told now, true or not."""
        self._lied[gateway] = at

    def restarted(self, gateway: str) -> None:
        """A gateway lost its leases and may be given them again."""
        for stretch in [each for each in self._seen if each[0] == gateway]:
            self._over.discard(stretch)
            del self._seen[stretch], self._began[stretch]

    def seen(self, gateway: str, exposed: Mapping[str, str], *, at: float) -> None:
        """Take what a gateway exposes, rollout to step. Raises Violation for what came back without a fresh decision."""
        for rollout, step in exposed.items():
            stretch = (gateway, rollout, step)
            if stretch in self._over:
                self._over.discard(stretch)
                if self._advanced.get(rollout, -1.0) <= self._began[stretch]:
                    raise Violation(PROMISE, f"{gateway} exposes {rollout} {step} again without a fresh decision")
                self._began[stretch] = at
            self._began.setdefault(stretch, at)
            self._seen[stretch] = self._last[stretch] = at
        for stretch in self._seen:
            if stretch[0] == gateway and exposed.get(stretch[1]) != stretch[2]:
                self._over.add(stretch)

    def take(self, entry: Mapping[str, Any], *, at: float, gateways: Mapping[str, Mapping[str, str]]) -> None:
        """Take the next entry, and what each gateway exposes at this moment. Raises Violation."""
        stream, kind, body = entry["stream"], entry["kind"], entry["body"]
        where = f"{stream}@{entry['version']}"
        governs = kind in GOVERNING and body.get("by", "glideslope") == "glideslope"
        if governs and self.committing != self.holder:
            raise Violation(PROMISE, f"{where} {kind} is of {self.committing}, while {self.holder or 'nobody'} governs")
        match kind:
            case "rollout-proposed":
                self._plans[stream] = body["plan"]
            case "traffic-confirmed" if body["exposed"]:
                self._require_obeyed(where, stream, body["step"], gateways=gateways)
            case "decided":
                decision = body["decision"]
                if decision["type"] in ("advance", "promote"):
                    onward = stream in self._steps and decision["type"] == "promote"
                    onward |= decision["type"] == "advance" and self._is_onward(stream, decision["to"])
                    if onward and body["evidence"]["in_force"]:
                        self._require_true(where, stream, at=at, gateways=gateways)
                if decision["type"] == "advance":
                    step = self._plans[stream]["steps"][decision["to"]]
                    self._steps[stream] = step["name"] if step["candidate"] or step["mirror"] else ""
                    self._advanced[stream] = at
            case "traffic-confirmed" if not body["exposed"] and self.candid:
                if still := [name for name, exposed in gateways.items() if stream in exposed]:
                    raise Violation(PROMISE, f"{where} confirms that nobody is exposed; {still} still expose it")
            case _:
                pass

    def _require_obeyed(self, where: str, stream: str, step: str, *, gateways: Mapping[str, Mapping[str, str]]) -> None:
        """A confirmation must be true of every gateway at some moment since the decision. Raises Violation."""
        decided = self._advanced.get(stream, 0.0)
        for gateway in gateways if self._steps.get(stream) == step else ():
            if self._lied.get(gateway, -1e9) < decided and self._last.get((gateway, stream, step), -1e9) < decided:
                raise Violation(PROMISE, f"{where} confirms {step}, which {gateway} does not expose")

    def _is_onward(self, stream: str, to: int) -> bool:
        names = [step["name"] for step in self._plans[stream]["steps"]]
        return self._steps.get(stream, "") in names[:to]

    def _require_true(self, where: str, stream: str, *, at: float, gateways: Mapping[str, Mapping[str, str]]) -> None:
        """Evidence that says "in force" must have been true a moment ago. Raises Violation."""
        step = self._steps[stream]
        patience = BELIEVED + self.lag + self._longest_hang(at)
        for gateway in gateways if step else ():
            if at - self._lied.get(gateway, -1e9) <= patience:
                continue
            if at - self._last.get((gateway, stream, step), -1e9) > patience:
                raise Violation(
                    PROMISE, f"{where} rests on {step} being in force at {gateway}, which it was not lately"
                )

    def _longest_hang(self, at: float) -> float:
        return max((after for until, after in self._hung if until > at - self.lag - LEARNS_WITHIN), default=0.0)
