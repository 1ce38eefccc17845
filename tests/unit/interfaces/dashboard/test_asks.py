"""What is asked of whom: a yes that would not count is never asked for, and the reason is said."""

from typing import Any

import pytest

from glideslope.domain.identity import Identity, Role
from glideslope.domain.ids import Actor
from glideslope.engine.governing_views import GovernedView, IncidentView, NeedView
from glideslope.engine.views import DecisionView, RolloutView
from glideslope.interfaces.dashboard.asks import asks, why_not
from glideslope.interfaces.dashboard.door import Visitor

AT = "2026-03-01T09:14:05.250Z"


def visitor(name: str = "grace", role: Role = Role.MEMBER) -> Visitor:
    return Visitor(identity=Identity(Actor(name), role), form="f")


def governed(*missing: str, makers: tuple[str, ...] = ()) -> GovernedView:
    return GovernedView(
        tier="high", needs=(), missing=tuple(NeedView(function=m, count=1) for m in missing), approvals=(), makers=makers,
        withdrawn=(), after_breach="", glass="", blocks=(), policy="",
    )  # fmt: skip


def rollout(**changes: Any) -> RolloutView:
    known: dict[str, Any] = {
        "id": "r-0001", "model": "fraud", "incumbent": "v1", "candidate": "v2", "phase": "proposed", "stage": "", "step": "",
        "share": 0, "confirmed": True, "reasons": (), "sentences": (), "next": "", "owner": "o", "why": "w",
        "proposed_by": "ada", "proposed_at": AT, "changed_at": AT, "ended": False, "approvals_needed": 1, "approved_by": (),
        "denied_by": (), "plan_digest": "", "attempt_of": "", "version": 1, "steps": (), "guardrails": (),
        "candidate_subjects": 0, "rescued": 0, "last": None, "confirmation_ms": None,
    }  # fmt: skip
    return RolloutView(**{**known, **changes})


@pytest.mark.parametrize(
    ("view", "who", "functions", "told"),
    [
        (rollout(), visitor(), None, ""),
        (rollout(), visitor("ada"), None, "You proposed it"),
        (rollout(), visitor("rio", Role.READER), None, "only looks"),
        (rollout(approved_by=("grace",)), visitor(), None, "have approved"),
        (rollout(governed=governed("security")), visitor(), ("security",), ""),
        (
            rollout(governed=governed("security")),
            visitor(),
            ("product",),
            "It waits for security; you approve as product.",
        ),
        (rollout(governed=governed("security")), visitor(), (), "no function"),
        (rollout(governed=governed("security", makers=("grace",))), visitor(), ("security",), "a part in making it"),
        (rollout(governed=governed("product"), approved_by=("grace",)), visitor(), ("security",), "have approved"),
        (rollout(governed=governed("security"), approved_by=("grace",)), visitor(), ("security",), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_yes_that_would_not_count_is_not_asked_for(
    view: RolloutView, who: Visitor, functions: tuple[str, ...] | None, told: str
) -> None:
    reason = why_not(view, who, functions)

    assert told in reason
    assert bool(told) == bool(reason)
    asked = asks([view], [], [], visitor=who, functions=functions)
    assert [ask.page for ask in asked] == ([] if told else ["/approvals#r-0001"])


@pytest.mark.parametrize(
    "view",
    [
        rollout(approved_by=("mia",)),
        rollout(phase="running"),
        rollout(ended=True, phase="promoted", governed=governed("security")),
        rollout(governed=governed()),
        rollout(approvals_needed=0),
    ],
)
def test_nothing_is_asked_where_nothing_is_missing(view: RolloutView) -> None:
    assert asks([view], [], [], visitor=visitor(), functions=("security",)) == []


@pytest.mark.parametrize(
    ("reasons", "asked"),
    [
        (("deadline-passed-hold", "not-enough-evidence"), True),
        (("source-not-credible",), True),
        (("not-enough-evidence",), False),
        (("minimum-time-not-reached",), False),
    ],
)
def test_what_the_machine_cannot_judge_is_asked_of_people(reasons: tuple[str, ...], asked: bool) -> None:
    last = DecisionView(
        rollout="r-0001", version=3, entry=9, at=AT, by="", decision="hold", step="s1", stage="canary", reasons=reasons,
        sentences=("So it is.",), findings=(),
    )  # fmt: skip
    view = rollout(phase="running", last=last, reasons=reasons, sentences=("So it is.",))
    found = asks([view], [], [], visitor=visitor(), functions=None)

    assert [ask.page for ask in found] == (["/rollouts/r-0001"] if asked else [])


def test_a_halt_and_an_open_incident_wait_for_somebody() -> None:
    incident = IncidentView(
        rollout="r-0002", model="fraud", incumbent="v1", candidate="v3", opened_at=AT, sentences=(), breaches=(), step="s1",
        exposed=3, lasted_seconds=1.0, gap="", hypotheses=(), remedies=(), lacking=("a remedy",), closed_by="", closed_at="",
    )  # fmt: skip
    asked = asks([rollout(phase="halted")], [], [incident], visitor=visitor(), functions=None)

    assert [ask.page or ask.command for ask in asked] == ["/rollouts/r-0001#acts", "glideslope incident show r-0002"]
