"""Five promises, asked of the record and the data plane by somebody who shares no code with the engine that made them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from glideslope.domain.governing.drill import SHARE, STEP
from glideslope.domain.ids import ModelName
from glideslope.domain.replay import replay, replay_decision
from glideslope.domain.traffic import Exposure
from glideslope.engine.drill_player import LEASE
from glideslope.ledger import entry as ledger_entry
from glideslope.ledger.entry import Entry
from glideslope.ledger.note import Verifier
from glideslope.ledger.verify import verify


class PromiseBroken(AssertionError):
    """A promise was broken; the message says which and how."""


@dataclass(slots=True)
class _Allowed:
    """What the ledger says about one rollout, read from nothing but kinds and bodies."""

    plan: Mapping[str, Any]
    position: int = -1
    exposed: bool = False
    over: bool = False
    lease: float = 0.0

    @property
    def share(self) -> tuple[int, int]:
        """Return candidate and mirror in basis points that may be exposed now."""
        if not self.exposed or self.position < 0:
            return (0, 0)
        step = self.plan["steps"][self.position]
        return (step["candidate"], step["mirror"])


@dataclass(slots=True)
class Promises:
    """Look after each step of a world; raises PromiseBroken."""

    verifier: Verifier
    _entries: list[Entry] = field(default_factory=list)
    _streams: dict[str, list[Entry]] = field(default_factory=dict)
    _rollouts: dict[str, _Allowed] = field(default_factory=dict)
    _drilled: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Per model the drill under way, by what its exposure is known, and how many there were."""
    _earlier: dict[str, list[tuple[float, tuple[int, int]]]] = field(default_factory=dict)
    """Per model what was allowed, and since when."""

    @property
    def size(self) -> int:
        """Return how many entries have been read."""
        return len(self._entries)

    @property
    def entries(self) -> Sequence[Entry]:
        """Return what has been read."""
        return self._entries

    def read(self, grown: Sequence[bytes], *, now: float) -> None:
        """Take what the ledger has grown by since `size`; check each new decision. `now` in monotonic seconds."""
        for data in grown:
            entry = ledger_entry.decode(data)
            self._entries.append(entry)
            self._streams.setdefault(entry.stream, []).append(entry)
            self._take(entry, now=now)

    def exposure(
        self, model: ModelName, found: Exposure | None, *, now: float, healthy: bool, silent: float = 0.0
    ) -> None:
        """Ask that exposure is never above the ledger's step, nor outlives its governor by a lease.

        While the line to the data plane is cut (not `healthy`) it may lag behind the ledger by a lease. `silent` is the
        time in seconds since a governor last acted.
        """
        if found is None:
            return
        if found.step == STEP:
            self._drill(model, found, healthy=healthy, silent=silent)
            return
        lease = self._rollouts[found.rollout].lease
        if silent > lease:
            raise PromiseBroken(f"{model}: {found} is in force {silent:.2f} s after the governor's last act.")
        history = self._earlier.get(model, [])
        allowed = [history[-1][1]] if history else []
        if not healthy:
            # What was allowed until less than a lease ago.
            allowed += [share for (_, share), (until, _) in pairwise(history) if until > now - lease]
        most, mirrored = (max(shares, default=0) for shares in ([a[0] for a in allowed], [a[1] for a in allowed]))
        if found.split.candidate > most or found.mirror > mirrored:
            raise PromiseBroken(f"{model}: {found} is in force, but the ledger allows {allowed}.")

    def _drill(self, model: ModelName, found: Exposure, *, healthy: bool, silent: float) -> None:
        """Ask that what a drill moves is what the ledger says, and no more. What it exposes is the incumbent."""
        under_way, _ = self._drilled.get(model, ("", 0))
        over = found.rollout != under_way and healthy
        if over or found.split != SHARE or found.mirror:
            raise PromiseBroken(f"{model}: {found} is in force, and the drill under way is {under_way or 'none'}.")
        if silent > LEASE:
            raise PromiseBroken(f"{model}: {found} is in force {silent:.2f} s after the governor's last act.")

    def every_decision_replays(self) -> None:
        """Recompute all of them, and hold the record against its own rules."""
        report = replay(self._entries)
        if report.findings:
            raise PromiseBroken("; ".join(f"{f.stream}@{f.version}: {f.sentence}" for f in report.findings))

    def a_stranger_can_check(self, bundle: Sequence[bytes]) -> None:
        """Verify the exported bundle with nothing but the public key."""
        report = verify(bundle, trusted=[self.verifier])
        if not report.ok:
            raise PromiseBroken("; ".join(f.sentence for f in report.findings))
        ended = {name for name, r in self._rollouts.items() if r.over}
        if report.entries != len(self._entries) or ended - report.closed:
            raise PromiseBroken(
                f"The bundle holds {report.entries} of {len(self._entries)} entries, closed {report.closed}."
            )

    def _take(self, entry: Entry, *, now: float) -> None:
        body: Mapping[str, Any] = entry.body
        if entry.kind == "rollout-proposed":
            plan = body["plan"]
            self._rollouts[entry.stream] = _Allowed(plan, lease=plan["lease"] / 1000)
        model = entry.stream.removeprefix("drill.")
        if entry.kind == "drill-begun":
            number = self._drilled.get(model, ("", 0))[1] + 1
            self._drilled[model] = (f"d-{number:04d}", number)
        elif entry.kind == "drill-ended":
            self._drilled[model] = ("", self._drilled[model][1])
        rollout = self._rollouts.get(entry.stream)
        if rollout is None:
            return
        match entry.kind:
            case "decided":
                self._decided(entry, rollout, body)
            case "halted" | "lease-lapsed":
                rollout.exposed = False
            case "stream-closed":
                rollout.over = True
            case _:
                pass
        self._earlier.setdefault(rollout.plan["model"], []).append((now, rollout.share))

    def _decided(self, entry: Entry, rollout: _Allowed, body: Mapping[str, Any]) -> None:
        if not replay_decision(self._streams[entry.stream], stream=entry.stream, version=entry.version).same:
            raise PromiseBroken(f"{entry.stream}@{entry.version} cannot be recomputed.")
        decision = body["decision"]
        kind = decision["type"]
        if kind == "advance":
            if rollout.over:
                raise PromiseBroken(f"{entry.stream}@{entry.version} advances after the end.")
            if decision["to"] > rollout.position:
                _require_proof(entry, rollout, body)
            rollout.position, rollout.exposed = decision["to"], True
        elif kind == "promote":
            _require_proof(entry, rollout, body)
        elif kind == "roll-back" or not decision["exposed"]:
            rollout.exposed = False


def _require_proof(entry: Entry, rollout: _Allowed, body: Mapping[str, Any]) -> None:
    """No step ends well but by proof, on evidence that was there and fresh and of traffic that was confirmed."""
    if rollout.position < 0:
        return
    where = f"{entry.stream}@{entry.version}"
    step = rollout.plan["steps"][rollout.position]
    findings, evidence = body["decision"]["findings"], body["evidence"]
    # Once everybody is on the candidate nothing is compared any more; the proof of the last coin stands.
    compared = step["stage"] not in ("full", "bake")
    if compared and (not findings or any(f["verdict"] != "pass" for f in findings)):
        raise PromiseBroken(f"{where} leaves {step['name']} without a proof: {findings}")
    if step["stage"] == "offline":
        return
    if any(f["wealth"] < f["line"] - 1e-3 for f in findings):
        raise PromiseBroken(f"{where} calls a proof what is below its line: {findings}")
    if not evidence["in_force"]:
        raise PromiseBroken(f"{where} leaves {step['name']}, whose traffic nobody confirmed.")
    ages = {f["origin"]: f["age"] for f in evidence["freshness"]}
    gateway = step["stage"] != "shadow"
    if gateway and not 0 <= ages["gateway"] <= rollout.plan["stale_after"]:
        raise PromiseBroken(f"{where} leaves {step['name']} on a gateway that is silent: {ages}")
