"""What a reviewer is shown: what waits for them, and on one page what a change promises, risks, and what stands against it."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interfaces.fake_rollouts import digest_of
from tests.interfaces.test_agreeing import ORGANISATION
from tests.interfaces.test_cli import ID, applied

from glideslope.engine.governing_views import (
    GovernedView,
    GrantView,
    NeedView,
    RuleView,
    VoidView,
)
from glideslope.engine.views import DecisionView, RationaleView, RolloutView
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
    assert f"glideslope ask {ID}" in shown
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


def test_an_inbox_is_a_list_or_a_document(desk: Any, service: Any, view: RolloutView, tmp_path: Any) -> None:
    file = tmp_path / "organisation.yaml"
    file.write_text(ORGANISATION.replace("functions: [product]", "functions: [security]"))
    desk.run("agree", "table", str(file), "-m", "so it is")
    service.rollouts[ID] = view

    everybody = desk.run("inbox", "--everybody").stdout
    assert "approval  late-arrival v1 → v2\n  Approve or deny late-arrival-1, proposed by ada" in everybody
    assert "silence is never consent" in everybody
    (found,) = json.loads(desk.run("inbox", "mia", "--json").stdout)["items"]
    assert (found["needs"], found["command"]) == ([{"function": "security", "count": 1}], f"glideslope show {ID}")
    assert (found["why_me"], found["allowed"]) == ("You approve as security.", ["approve", "deny", "ask"])
    # The token of the desk is ada's, who proposed it.
    mine = desk.run("inbox").stdout
    assert mine.startswith("Nothing waits for ada.\n")
    assert "1 waits for others" in mine
    nobody = desk.run("inbox", "zoe")
    assert (nobody.exit_code, "zoe" in nobody.stderr) == (2, True)
    assert desk.run("inbox", "mia", "--everybody").exit_code == 2


def test_a_reviewer_asks_and_the_proposer_replies_at_the_terminal(desk: Any, service: Any, view: RolloutView) -> None:
    service.rollouts[ID] = view
    desk.http.headers = {"Authorization": "Bearer gs_member"}
    asked = desk.run("ask", ID, "-m", "the slice?")
    assert (asked.exit_code, f"glideslope reply {ID}" in asked.stdout) == (0, True), asked.output

    desk.http.headers = {"Authorization": "Bearer gs_admin"}
    assert "asks for more about late-arrival-1: the slice?" in desk.run("inbox").stdout
    assert "the slice?" in desk.run("show", ID).stdout
    replied = desk.run("reply", "late-arrival", "-m", "it is there")
    assert replied.stdout == "Replied. Nothing else is asked.\n"
    again = desk.run("reply", ID, "-m", "it is there")
    assert (again.exit_code, "without a reply" in again.stderr) == (2, True)
    assert desk.run("reply", ID, "99", "-m", "what?").exit_code == 3
    assert "it is there" in desk.run("show", ID).stdout


def test_a_judgement_names_what_is_asked_and_is_refused_where_nothing_is(desk: Any, service: Any) -> None:
    applied(desk)
    nothing = desk.run("judge", ID, "-m", "looked")
    assert (nothing.exit_code, "judgement" in nothing.stderr) == (2, True)
    last = DecisionView(
        rollout=ID, version=3, entry=9, at=AT, by="", decision="hold", step="s1", stage="canary", reasons=("deadline-passed-hold",),
        sentences=(), findings=(),
    )  # fmt: skip
    service.move(ID, "Holds.", phase="running", step="s1", reasons=("deadline-passed-hold",), last=last)

    told = desk.run("judge", ID, "-m", "a holiday").stdout
    assert "deadline-passed-hold is not asked again in s1" in told
    assert service.rollouts[ID].judged[0].why == "a holiday"


def test_an_approval_says_as_of_what_it_was_seen(desk: Any, service: Any, view: RolloutView) -> None:
    service.rollouts[ID] = msgspec.structs.replace(
        view, governed=msgspec.structs.replace(GOVERNED, change=digest_of("7"))
    )
    desk.run("approve", ID, "-m", "read it")

    sent = json.loads(desk.api.calls[-1][2])
    assert (sent["seen"], sent["change"]) == (view.version, digest_of("7"))


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
