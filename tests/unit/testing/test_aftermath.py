"""The judge of kill loops calls each broken promise by its name, and excuses only what is excused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from glideslope.domain.traffic import Arm, Split, assign
from glideslope.ledger.entry import Entry
from glideslope.testing.aftermath import Answer, Kill, Scene, judge
from glideslope.testing.promises import PromiseBroken

BEGAN = 1_790_000_000.0
SPLIT = Split(candidate=1_000, control=1_000)
ROLLOUTS = [{"id": "r-0001", "steps": [{"name": "s1", "candidate": 1_000, "control": 1_000}]}]


def entry(kind: str, body: Any, *, after: float, stream: str = "r-0001", version: int = 1) -> Entry:
    at = datetime.fromtimestamp(BEGAN + after, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Entry(stream=stream, version=version, at=at, kind=kind, body=body)


def registered(version: str, *, number: int) -> Entry:
    return entry("version-registered", {"version": version}, after=0, stream="model.fraud", version=number)


def decided(after: float, **decision: Any) -> Entry:
    return entry("decided", {"decision": decision}, after=after)


LEDGER = (
    registered("v1", number=1),
    registered("w1", number=2),
    entry("rollout-proposed", {}, after=0.5),
    decided(1.0, type="advance", to=0),
    decided(20.0, type="hold", exposed=True),
)
CHOSEN = next(
    f"u{n}" for n in range(1_000) if assign(f"u{n}", salt="r-0001", weights=SPLIT.weights()).arm is Arm.CANDIDATE
)
OTHER = next(
    f"u{n}" for n in range(1_000) if assign(f"u{n}", salt="r-0001", weights=SPLIT.weights()).arm is not Arm.CANDIDATE
)


def answer(after: float, *, by: str = "v2", subject: str = CHOSEN, status: int = 200) -> Answer:
    arm = Arm.CANDIDATE if by == "v2" else ""
    at = BEGAN + after
    return Answer(at, at + 0.01, subject, status, by, arm, "r-0001" if arm else "", "s1" if arm else "")


def scene(*answers: Answer, kills: Sequence[Kill] = (), lags: Sequence[tuple[float, float]] = ()) -> Scene:
    acknowledged = {("registered", "w1"), ("rollout-proposed", "r-0001")}
    return Scene(answers=list(answers), kills=list(kills), acknowledged=acknowledged, lags=list(lags))


def kill(what: str, after: float = 5.0, *, frozen: float = 0.0) -> Kill:
    return Kill(what, BEGAN + after, exposed=True, frozen=frozen)


def judged(seen: Scene, ledger: Sequence[Entry] = LEDGER) -> None:
    judge(seen, ledger, ROLLOUTS, lease=1.0)


NOBODY = answer(5.1, by="", status=0)

SOUND = [
    scene(answer(2.0), answer(3.0, by="v1", subject=OTHER)),
    scene(answer(5.9), answer(20.5), kills=[kill("server")]),
    scene(answer(6.0), answer(6.5), kills=[kill("server", frozen=0.9)]),
    scene(answer(6.6), kills=[kill("server")], lags=[(BEGAN + 6.0, 0.2)]),
    scene(NOBODY, answer(5.3, by="v1"), answer(6.0, by="v1"), kills=[kill("envoy")]),
]

BROKEN = [
    ("came before its step was decided", scene(answer(0.9))),
    ("outside its step's range", scene(answer(2.0, subject=OTHER))),
    ("outside its arm", scene(replace(answer(2.0), arm=""))),
    ("1 exposed more than 1.25 s later", scene(answer(6.3), kills=[kill("server")])),
    ("1 exposed more than 1.25 s later", scene(answer(6.3), kills=[kill("server", frozen=3.0)])),
    ("1 requests failed while Envoy lived", scene(NOBODY)),
    ("1 requests failed while Envoy lived", scene(NOBODY, kills=[kill("gateway")])),
    (
        "1 requests failed while Envoy lived",
        scene(answer(5.2, by="v1"), answer(7.0, by="", status=503), answer(8.0, by="v1"), kills=[kill("envoy")]),
    ),
]


@pytest.mark.parametrize("seen", SOUND)
def test_what_keeps_the_promises_is_let_pass(seen: Scene) -> None:
    judged(seen)


@pytest.mark.parametrize(("named", "seen"), BROKEN)
def test_what_breaks_one_is_named(named: str, seen: Scene) -> None:
    with pytest.raises(PromiseBroken, match=named):
        judged(seen)


def test_a_lost_acknowledgement_is_named() -> None:
    with pytest.raises(PromiseBroken, match=r"not in the ledger: .*w1"):
        judged(scene(), [e for e in LEDGER if e.body.get("version") != "w1"])


def test_what_took_effect_twice_is_named() -> None:
    with pytest.raises(PromiseBroken, match=r"more than once: .*w1"):
        judged(scene(), [*LEDGER, registered("w1", number=3)])
