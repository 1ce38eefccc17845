"""What a siege must have left whole, judged by what callers were answered and by what the ledger says; by nothing else."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from glideslope.domain.traffic import Arm, Split, assign
from glideslope.ledger.entry import Entry
from glideslope.testing.promises import PromiseBroken

SLACK: Final = 0.25
"""Seconds by which an exposure may be seen to outlive its lease, on a machine that is not late itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request as its caller saw it. Times are the machine's wall clock; `by` is empty when there was no answer."""

    sent: float
    came: float
    subject: str
    status: int
    by: str
    arm: str
    rollout: str
    step: str


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL, or SIGSTOP when it was `frozen` for so many seconds."""

    what: str
    at: float
    exposed: bool
    """A candidate had answered within the second before."""
    frozen: float = 0.0


@dataclass(slots=True)
class Scene:
    """Everything that was seen in one siege."""

    answers: list[Answer] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    """What the API said yes to: a version that was registered, a rollout that was proposed or rolled back."""
    lags: list[tuple[float, float]] = field(default_factory=list)
    """When this machine let somebody oversleep, and by how many seconds."""


def judge(scene: Scene, entries: Sequence[Entry], rollouts: Sequence[Any], *, lease: float) -> None:
    """Hold what was seen against the promises. `lease` in seconds. Raises PromiseBroken."""
    nothing_acknowledged_is_lost(scene, entries)
    nothing_took_effect_twice(entries)
    nobody_is_exposed_beyond_the_step(scene, entries, rollouts)
    no_exposure_outlives_its_lease(scene, entries, lease=lease)
    nobody_was_failed_by_a_living_gateway(scene)


def nothing_acknowledged_is_lost(scene: Scene, entries: Sequence[Entry]) -> None:
    """Every yes is in the ledger. Raises PromiseBroken."""
    recorded = {("registered", str(e.body["version"])) for e in entries if e.kind == "version-registered"}
    recorded |= {("rollout-proposed", e.stream) for e in entries if e.kind == "rollout-proposed"}
    recorded |= {("rolled-back", e.stream) for e in entries if e.kind == "decided" and _kind(e) == "roll-back"}
    if lost := scene.acknowledged - recorded:
        raise PromiseBroken(f"Acknowledged, and not in the ledger: {sorted(lost)[:5]}")


def nothing_took_effect_twice(entries: Sequence[Entry]) -> None:
    """Nobody asked twice for a version, so none is registered twice. Raises PromiseBroken."""
    registered = Counter(str(e.body["version"]) for e in entries if e.kind == "version-registered")
    if twice := [version for version, count in registered.items() if count > 1]:
        raise PromiseBroken(f"Registered more than once: {twice[:5]}")


def nobody_is_exposed_beyond_the_step(scene: Scene, entries: Sequence[Entry], rollouts: Sequence[Any]) -> None:
    """Each answer of the candidate was inside the range of a step that had been decided when it came."""
    splits = {
        (r["id"], s["name"]): Split(candidate=s["candidate"], control=s["control"])
        for r in rollouts
        for s in r["steps"]
    }
    decided: dict[tuple[str, str], float] = {}
    for entry in entries:
        if entry.kind == "decided" and _kind(entry) == "advance":
            decided.setdefault((entry.stream, f"s{int(_decision(entry)['to']) + 1}"), _instant(entry))
    for answer in scene.answers:
        if answer.by == "v2" and answer.arm != Arm.CANDIDATE:
            raise PromiseBroken(f"The candidate answered somebody outside its arm: {answer}")
        if answer.arm != Arm.CANDIDATE:
            continue
        where = (answer.rollout, answer.step)
        if where not in splits or where not in decided or decided[where] > answer.came + 0.001:
            raise PromiseBroken(f"{answer} came before its step was decided")
        if assign(answer.subject, salt=answer.rollout, weights=splits[where].weights()).arm is not Arm.CANDIDATE:
            raise PromiseBroken(f"{answer} lies outside its step's range")


def no_exposure_outlives_its_lease(scene: Scene, entries: Sequence[Entry], *, lease: float) -> None:
    """After the server's death no request that came later than the lease met the candidate, until one decided afresh.

    A server that is frozen for longer than that is as good as dead. Where this machine itself was late, so may Envoy be.
    """
    fresh = _fresh(entries)
    met = sorted((a for a in scene.answers if a.by == "v2"), key=lambda a: a.sent)
    sent = [a.sent for a in met]
    for kill in scene.kills:
        allowed = lease + SLACK + 2 * lateness(scene, since=kill.at, until=kill.at + lease + 2)
        if kill.what != "server" or (kill.frozen and kill.frozen <= allowed):
            continue
        if kill.frozen and any(kill.at - 0.2 < at <= kill.at for at in fresh):
            continue  # it may have been frozen between deciding and committing, and commits when it wakes
        until = next((at for at in fresh if at > kill.at), math.inf)
        late = [a for a in met[bisect_right(sent, kill.at + allowed) :] if a.came < until]
        if late:
            raise PromiseBroken(f"{kill}: {len(late)} exposed more than {allowed:.2f} s later, such as {late[0]}")


def nobody_was_failed_by_a_living_gateway(scene: Scene) -> None:
    """Requests fail only between a kill of Envoy and its first answer after. Raises PromiseBroken."""
    dead = gateway_dead(scene)
    failed = [
        a
        for a in scene.answers
        if a.status != 200 and not any(a.came >= begin and a.sent <= end for begin, end in dead)
    ]
    if failed:
        raise PromiseBroken(f"{len(failed)} requests failed while Envoy lived, such as {failed[:3]}")


def gateway_dead(scene: Scene) -> Sequence[tuple[float, float]]:
    """From each kill of Envoy to its first answer to a request sent after."""
    good = sorted((a.sent, a.came) for a in scene.answers if a.status == 200)
    sent = [at for at, _ in good]
    return [
        (kill.at, min((came for _, came in good[bisect_right(sent, kill.at) :][:1000]), default=math.inf))
        for kill in scene.kills
        if kill.what == "envoy"
    ]


def lateness(scene: Scene, *, since: float, until: float) -> float:
    """Return by how many seconds this machine was late at most in a while."""
    return max((late for at, late in scene.lags if since <= at <= until), default=0.0)


def told(scene: Scene, entries: Sequence[Entry], verified: Mapping[str, Any], *, lease: float) -> str:
    """Say in a few lines what happened."""
    killed = Counter(kill.what for kill in scene.kills if not kill.frozen)
    frozen = Counter(kill.what for kill in scene.kills if kill.frozen)
    outlived = [
        max((a.came for a in scene.answers if a.by == "v2" and kill.at < a.came < kill.at + lease + 2), default=kill.at)
        - kill.at
        for kill in scene.kills
        if kill.what == "server" and kill.exposed and not kill.frozen
    ]
    failed = sum(a.status != 200 for a in scene.answers)
    return (
        f"killed {dict(killed)}, frozen {dict(frozen)}, {sum(k.exposed for k in scene.kills)} of {len(scene.kills)} while a "
        f"candidate was exposed; {len(scene.answers):,} requests, {sum(a.by == 'v2' for a in scene.answers):,} by the "
        f"candidate, {failed} failed while Envoy was dead; after a server's death the last answer of a candidate came "
        f"after {max(outlived, default=0.0):.2f} s at most; this machine was late by "
        f"{max((late for _, late in scene.lags), default=0.0):.2f} s at most; {len(scene.acknowledged):,} acknowledgements, "
        f"{len(entries):,} entries, {verified['decisions']:,} decisions replayed, "
        f"{sum(e.kind == 'lease-lapsed' for e in entries)} lapses, {verified['rollouts']} rollouts"
    )


def _fresh(entries: Sequence[Entry]) -> Sequence[float]:
    """Return when an exposure was decided."""
    return sorted(
        _instant(e) for e in entries if e.kind == "decided" and _kind(e) in {"advance", "hold"} and _exposes(e)
    )


def _decision(entry: Entry) -> Any:  # noqa: ANN401 - JSON
    return entry.body["decision"]


def _kind(entry: Entry) -> str:
    return str(_decision(entry)["type"])


def _exposes(entry: Entry) -> bool:
    return _kind(entry) == "advance" or bool(_decision(entry).get("exposed"))


def _instant(entry: Entry) -> float:
    return datetime.fromisoformat(entry.at).timestamp()
