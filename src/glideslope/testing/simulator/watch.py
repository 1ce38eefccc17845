"""The witness of a run: sees every act as it happens, holds it against the promises, and keeps what was broken first.

It shares no code with the engine, the ledger or the data plane that it watches; of the rules it calls `decide` alone,
since "the recorded decision is what `decide` says on the recorded evidence" is about nothing else.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from glideslope.engine.ports import Lease, Total
from glideslope.testing.simulator.checks.chain import Chain
from glideslope.testing.simulator.checks.commands import Answer, Commands
from glideslope.testing.simulator.checks.counting import Counting
from glideslope.testing.simulator.checks.exposures import Exposures
from glideslope.testing.simulator.checks.judging import Judging
from glideslope.testing.simulator.checks.leasing import Leasing
from glideslope.testing.simulator.checks.violation import Violation


@dataclass(slots=True)
class Watch:
    """What was seen, and what it means. Times are true seconds since the start, whatever any host believes."""

    exposures: Exposures
    leasing: Leasing
    chain: Chain = field(default_factory=Chain)
    judging: Judging = field(default_factory=Judging)
    counting: Counting = field(default_factory=Counting)
    commands: Commands = field(default_factory=Commands)
    store_down: bool = False
    trace: list[tuple[float, str]] = field(default_factory=list)
    broken: Violation | None = None
    """The first promise that was broken."""
    failed: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Keep a violation instead of raising it: it may happen inside the engine, which would handle it as its own error."""
        try:
            yield
        except Violation as violation:
            self.fail(violation)

    def fail(self, violation: Violation) -> None:
        """Keep the first violation, and end the run."""
        if self.broken is None:
            self.broken = violation
            self.note(asyncio.get_running_loop().time(), f"VIOLATION {violation}")
            self.failed.set()

    def note(self, at: float, what: str) -> None:
        """Keep a line for the trace of a failing run."""
        self.trace.append((at, what))

    def recorded(self, entries: Sequence[bytes], *, at: float, gateways: Mapping[str, Mapping[str, str]]) -> None:
        """Take what the ledger has grown by, and what each gateway exposes now, rollout to step."""
        read = [self.chain.take(data) for data in entries]
        self.chain.whole(read)
        for entry in read:
            self.note(at, f"  {entry['stream']}@{entry['version']} {entry['kind']} {_gist(entry)}")
            self.commands.take(entry, at=at)
            if entry["kind"] == "rollout-proposed":
                self.counting.proposed(entry["stream"], entry["body"]["plan"]["model"])
            self.exposures.take(entry, at=at)
            self.leasing.take(entry, at=at, gateways=gateways)
            self.judging.take(entry)
            if entry["kind"] == "decided" and entry["body"]["by"] == "glideslope":
                self.counting.judge(entry, at=at)

    def acknowledged(self, positions: Sequence[int]) -> None:
        """Take what a server was told is recorded."""
        with self.asking():
            for position in positions:
                self.chain.acknowledged(position)

    def answered(self, mark: str, answer: Answer, *, asked: float, at: float, doubtful: bool) -> None:
        """Take what became of a command, which was sent for the last time at `asked`."""
        self.note(at, f"{mark} {answer}{', after doubt' if doubtful else ''}")
        with self.asking():
            self.commands.answered(mark, answer, asked=asked)
            if doubtful:
                self.commands.doubted(mark)

    def thawed(self, at: float, *, after: float) -> None:
        """Note that a host that hung for `after` seconds goes on: what it was about to do, it does now."""
        self.exposures.thawed(at, after=after)
        self.leasing.thawed(at, after=after)
        self.counting.thawed(at, after=after)

    def reached_store(self, at: float) -> None:
        """Note that some server reached the store."""
        self.exposures.reached_store = at

    def taken(self, lease: Lease, *, at: float) -> None:
        """The store gave the right to govern."""
        if lease.epoch > self.leasing.epoch:
            self.counting.took_over()
        self.leasing.taken(lease, at=at)

    def saved(self, totals: Sequence[Total]) -> None:
        """Note what a server was told is kept."""
        self.counting.saved({(t.source, t.epoch, t.cell): t.count for t in totals})

    def read(self, prefix: str, totals: Sequence[Total]) -> None:
        """Note what the store answers to whoever asks for earlier counts."""
        with self.asking():
            self.counting.read(prefix, {(t.source, t.epoch, t.cell): t.count for t in totals})

    def loaded(self, host: str, prefix: str, totals: Sequence[Total]) -> None:
        """Note what a server read of earlier counts."""
        with self.asking():
            self.counting.loaded(host, prefix, {(t.source, t.epoch, t.cell): t.count for t in totals})


def _gist(entry: Mapping[str, object]) -> str:
    body = entry["body"]
    if not isinstance(body, Mapping):
        return ""
    decision = body.get("decision")
    if isinstance(decision, Mapping):
        to = f" to {decision['to']}" if "to" in decision else ""
        return f"{decision['type']}{to} ({', '.join(decision['reasons'])}) by {body['by']}"
    return " ".join(str(body[key]) for key in ("step", "exposed", "why", "by") if body.get(key) not in (None, ""))
