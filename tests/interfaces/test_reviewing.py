"""What a reviewer is shown: what waits for them, and on one page what a change promises, risks, and what stands against it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interfaces.test_agreeing import ORGANISATION
from tests.interfaces.test_cli import ID, applied

from glideslope.engine.access import AccessView
from glideslope.engine.governing_views import (
    AgreementView,
    EditionView,
    GovernedView,
    GrantView,
    IncidentView,
    NeedView,
    RuleView,
    VoidView,
)
from glideslope.engine.views import RationaleView, RolloutView
from glideslope.interfaces.cli.awaited import awaited
from glideslope.interfaces.cli.reviewing import proposal_lines, rule_lines, standing_lines

AT = "2026-11-20T09:00:00.000Z"
WHY = "an evaluation on new_customer"
GOVERNED = GovernedView(
    tier="high",
    needs=(NeedView(function="product", count=1), NeedView(function="security", count=1)),
    missing=(NeedView(function="security", count=1),),
    approvals=(GrantView(by="pia", functions=("product",), at=AT, until="2026-12-04T09:00:00.000Z"),),
    makers=("lin",),
    withdrawn=(),
    after_breach="",
    glass="",
    blocks=(f"EVAL-SLICES: {WHY} (no-evidence)", "winter, until 2027-01-04 (hold)"),
    policy="",
    rules=(RuleView(rule="EVAL-SLICES", answer="no-evidence", why=WHY, asks="Measured on all.", mend="Measure it."),),
    asked=19,
    void=(VoidView(by="sam", functions=("security",), at=AT, why="the change is no longer what was approved"),),
)
SAID = RationaleView(
    benefit="Fewer are turned away.",
    benefit_metric="log_loss",
    risks=("Those without a history.", "Night shifts."),
    rollback_plan="",
    intended_use_changed=True,
)
PAGE = """\
  benefit   Fewer are turned away. (to be seen by log_loss)
  risk      Those without a history.
  risk      Night shifts.
  way back  not said
  use       OTHER than the incumbent's
"""
STANDING = """\
  tier      high
  approved  by pia as product, until 2026-12-04T09:00:00.000Z
  void      by sam as security, 2026-11-20T09:00:00.000Z: the change is no longer what was approved
  needs     1 x security
  barred    ada, lin: proposed it or had a part in making it
  policy    1 of its 19 rules block this change
  forbidden EVAL-SLICES: an evaluation on new_customer (no-evidence)
            asks: Measured on all.
            mend: Measure it.
  forbidden winter, until 2027-01-04 (hold)
"""


def person(actor: str, *, rights: tuple[str, ...] = ("review",), functions: tuple[str, ...] = ()) -> AccessView:
    return AccessView(
        actor=actor, team="", rights=rights, functions=functions, reviews_as=functions, delegations=(), owns=()
    )


@pytest.fixture
def view(desk: Any, service: Any) -> RolloutView:
    applied(desk, approvals=1)
    found: RolloutView = msgspec.structs.replace(
        service.rollouts[ID], governed=GOVERNED, proposal=SAID, phase="proposed", proposed_at=AT
    )
    service.rollouts[ID] = found
    return found


@pytest.mark.usefixtures("view")
@pytest.mark.parametrize(
    "command", [("show", ID), ("approve", ID, "-m", "read it", "--dry-run")], ids=["show", "approve"]
)
def test_one_page_says_what_is_proposed_and_what_stands_against_it(desk: Any, command: tuple[str, ...]) -> None:
    shown = desk.run(*command).stdout

    assert PAGE in shown
    assert STANDING in shown


@pytest.mark.usefixtures("view")
def test_a_no_says_beforehand_that_it_ends_the_proposal(desk: Any) -> None:
    shown = desk.run("approve", ID, "--deny", "-m", "show me the slice", "--dry-run").stdout

    assert "A no ends this proposal for good" in shown
    assert "glideslope owners late-arrival --kind model" in shown
    assert "ends this proposal" not in desk.run("approve", ID, "-m", "yes", "--dry-run").stdout


@pytest.mark.usefixtures("view")
def test_who_takes_an_approval_back_reads_that_nobody_is_exposed(desk: Any, service: Any, view: RolloutView) -> None:
    taken = msgspec.structs.replace(GOVERNED, withdrawn=("ada",))
    service.rollouts[ID] = msgspec.structs.replace(view, governed=taken, phase="running")

    shown = desk.run("withdraw", ID, "-m", "an advisory").stdout

    assert "1 x security is missing since an approval was taken back, so nobody is exposed any more" in shown


def test_a_change_that_says_nothing_and_is_governed_by_nothing_has_no_such_lines(desk: Any) -> None:
    applied(desk)

    shown = desk.run("show", ID).stdout

    assert "risk " not in shown
    assert "barred" not in shown


def agreement(*, by: str = "op", granted: tuple[str, ...] = (), need: str = "compliance") -> AgreementView:
    grants = tuple(GrantView(by=each, functions=("compliance",), at=AT, until="") for each in granted)
    tabled = EditionView(digest="d", text="", by=by, why="", at="2026-11-19T09:00:00.000Z", granted=grants, denied=())
    return AgreementView(
        of="policy",
        name="bank",
        in_force=None,
        since="",
        reviewed_at="",
        tabled=tabled,
        needs=(NeedView(function=need, count=1),),
        former=(),
    )


INCIDENT = IncidentView(
    rollout="r-0009",
    model="m",
    incumbent="v1",
    candidate="v2",
    opened_at="2026-11-18T09:00:00.000Z",
    sentences=(),
    breaches=(),
    step="s1",
    exposed=1,
    lasted_seconds=1.0,
    gap="",
    hypotheses=(),
    remedies=(),
    lacking=("a hypothesis why",),
    closed_by="",
    closed_at="",
)

CASES = {
    "anybody": (None, ["close", "answer", "approve"]),
    "the function that is missing": (person("sam", functions=("security",)), ["close", "approve"]),
    "who has approved already": (person("pia", functions=("product", "security")), ["close"]),
    "a maker": (person("lin", functions=("security",)), ["close"]),
    "the proposer": (person("ada", functions=("security",)), ["close"]),
    "another function": (person("cleo", functions=("compliance",)), ["close", "answer"]),
    "who tabled it": (person("op", functions=("compliance",)), ["close"]),
    "who may not review": (person("olaf", rights=("operate",)), []),
}


@pytest.mark.parametrize("case", CASES)
def test_each_sees_what_they_can_do_today_and_nothing_else(view: RolloutView, case: str) -> None:
    who, expected = CASES[case]

    found = awaited((view,), (agreement(),), (INCIDENT,), who)

    assert [each.what.split()[0] for each in found] == expected


def test_what_is_answered_closed_or_ended_waits_no_more(view: RolloutView) -> None:
    sam = person("sam", functions=("security", "compliance"))
    ended = msgspec.structs.replace(view, ended=True)
    closed = msgspec.structs.replace(INCIDENT, closed_by="sam", closed_at=AT)

    assert awaited((ended,), (agreement(granted=("sam",)),), (closed,), sam) == []


def test_glass_waits_for_a_second_and_then_for_somebody_who_did_not_break_it(view: RolloutView) -> None:
    def waits(who: AccessView, **glass: object) -> list[str]:
        governed = msgspec.structs.replace(GOVERNED, missing=(), **glass)
        return [
            e.what.split(" of ")[0] for e in awaited((msgspec.structs.replace(view, governed=governed),), (), (), who)
        ]

    both = ("operate", "review")
    assert waits(person("cleo", rights=both), glass_asked_by="ada") == ["agree to break the glass"]
    assert waits(person("ada", rights=both), glass_asked_by="ada") == []
    assert waits(person("sam"), glass_owed_by=("ada", "cleo")) == ["review the broken glass"]
    assert waits(person("cleo", rights=both), glass_owed_by=("ada", "cleo")) == []


def test_an_administrator_is_asked_about_the_organisation() -> None:
    mia, found = person("mia", rights=("administer",)), agreement(need="administer")

    assert [each.look for each in awaited((), (found,), (), mia)] == ["glideslope agree diff policy bank"]
    assert awaited((), (found,), (), person("sam", functions=("security",))) == []


def test_waiting_is_a_table_or_a_document(desk: Any, service: Any, view: RolloutView, tmp_path: Any) -> None:
    file = tmp_path / "organisation.yaml"
    file.write_text(ORGANISATION.replace("functions: [product]", "functions: [security]"))
    desk.run("agree", "table", str(file), "-m", "so it is")
    service.rollouts[ID] = view

    assert "approve late-arrival-1 late-arrival v1 -> v2" in desk.run("waiting").stdout
    (found,) = json.loads(desk.run("waiting", "mia", "--json").stdout)
    assert (found["needs"], found["look"]) == ("1 x security", f"glideslope show {ID}")
    assert desk.run("waiting", "ada").stdout == "Nothing waits for ada.\n"
    nobody = desk.run("waiting", "zoe")
    assert (nobody.exit_code, "zoe" in nobody.stderr) == (2, True)


def test_the_page_for_reviewers_shows_what_is_printed(view: RolloutView) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "how-to" / "review-a-change.md").read_text(encoding="utf-8")
    said = RationaleView(
        benefit="Fewer good applicants are turned away.",
        benefit_metric="log_loss",
        risks=("Applicants without a history may be judged by less.",),
        rollback_plan="All traffic returns to v1; its servers stay up for 30 days.",
        intended_use_changed=False,
    )
    rule = RuleView(
        rule="EVAL-SLICES",
        answer="no-evidence",
        why=WHY,
        asks="The candidate was measured on all and new_customer, each on at least 500 rows.",
        mend="Evaluate on the slices that are missing, with more rows where they are too few.",
    )
    at, void = "2026-11-26T02:56:06.389Z", "the change is no longer what was approved"
    governed = msgspec.structs.replace(
        GOVERNED,
        missing=(NeedView(function="product", count=1), NeedView(function="security", count=1)),
        approvals=(),
        makers=("ada", "ben"),
        blocks=GOVERNED.blocks[:1],
        rules=(rule,),
        void=(VoidView(by="pia", functions=("product",), at=at, why=void),),
    )
    shown = msgspec.structs.replace(view, proposal=said, governed=governed)

    printed = [*proposal_lines(shown), *standing_lines(shown), *rule_lines(shown)]

    assert "```text\n" + "\n".join(printed) + "\n```" in page
