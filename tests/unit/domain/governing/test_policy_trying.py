"""A policy is tried before it is in force: its cases, an edit in words, and the edit over changes that were."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.edits import told
from glideslope.domain.governing.governed import Answered
from glideslope.domain.governing.policy import (
    KINDS,
    Answer,
    Cel,
    Examination,
    Fail,
    NoEvidence,
    NotApplicable,
    Opa,
    Pass,
    Policy,
    examine,
    examined,
    policy_digest,
)
from glideslope.domain.governing.policy.comparing import OTHERWISE, SENSES, changes
from glideslope.domain.governing.policy.trying import Case, Past, PathUnknown, dry_run, edited, tried
from glideslope.domain.governing.policy.wording import blocks, explained
from glideslope.interfaces.cli.shipped import DOSSIER_FILE, POLICIES
from glideslope.interfaces.cli.shipped import shipped as file
from glideslope.interfaces.document import policies


def policy_of(*rules: dict[str, Any]) -> Policy:
    return msgspec.convert({"name": "p", "tiers": ["low", "medium", "high"], "rules": list(rules)}, Policy)


WITHIN = {"id": "FRESH", "kind": "evaluated_within", "within": "30d"}


@pytest.mark.parametrize("name", POLICIES)
def test_each_shipped_policy_passes_its_own_tests(name: str) -> None:
    written = policies.read(file(f"policies/{name}.yaml"), file=name)
    document = policies.read_document(file(f"policies/{DOSSIER_FILE}"), file=DOSSIER_FILE)

    assert len(written.cases) >= 5
    assert {case.passes for case in written.cases} >= {True, False}
    for case in written.cases:
        assert tried(written.policy, case, document).wrong == (), case.name


def test_a_case_that_is_answered_otherwise_says_in_what(document: dict[str, Any]) -> None:
    policy = policy_of(WITHIN)

    def wrong(**case: Any) -> tuple[str, ...]:
        return tried(policy, Case(name="c", dossier="-", **case), document).wrong

    assert wrong(expect={"FRESH": "pass"}, passes=True) == ()
    assert wrong(expect={"FRESH": "fail"}) == ("FRESH answers pass, expected fail",)
    assert wrong(expect={"OTHER": "pass"}) == ("the policy has no rule OTHER",)
    assert wrong(passes=False) == ("it passes, expected to be blocked",)
    assert wrong(drop=("evaluations",), passes=True) == ("it is blocked by FRESH, expected to pass",)
    assert wrong(drop=("change.model",), passes=False) == ()
    assert "the dossier is refused" in wrong(drop=("change.model",), passes=True)[0]


@pytest.mark.parametrize(
    "path", ["nobody", "plan.steps.9", "plan.steps.x", "change.model.letter", "approvals.0.by.who"]
)
def test_a_case_that_changes_what_is_not_there_is_no_case(path: str, document: dict[str, Any]) -> None:
    with pytest.raises(PathUnknown):
        edited(document, Case(name="c", dossier="-", drop=(path,), passes=True))


def test_entries_of_a_list_are_dropped_by_the_number_that_they_had(document: dict[str, Any]) -> None:
    found = edited(document, Case(name="c", dossier="-", drop=("approvals.0", "approvals.2"), passes=True))

    assert [approval["by"] for approval in found["approvals"]] == ["sara"]
    assert len(document["approvals"]) == 3


def test_an_edit_is_told_in_words(shipped: Mapping[str, Policy]) -> None:
    old = policy_of(WITHIN, {"id": "REBUILD", "kind": "rebuildable"})
    new = policy_of({**WITHIN, "within": "7d"}, {"id": "SIGNED", "kind": "signed"})

    assert list(told(changes(old, new))) == [
        "looser: REBUILD is asked no more: All is known that it takes to make it again: revision, environment, configuration, seed, and data by digest.",  # noqa: E501 - a sentence
        "stricter: FRESH asked: The evaluation is at most 30 days old. Now it asks: The evaluation is at most 7 days old.",
        "stricter: SIGNED is new: Its files are signed, over exactly these bytes.",
    ]
    assert list(changes(old, old)) == []
    bank = shipped["regulated-bank"]
    assert list(told(changes(bank, msgspec.structs.replace(bank, tiers=("low", "high"))))) == [
        "stricter: The tiers were low, medium and high, and are low and high."
    ]
    accepted = {"id": "ADV", "kind": "no_known_advisory"}
    assert len(list(changes(policy_of(accepted), policy_of({**accepted, "as_of_within": "1d"})))) == 1


def test_every_difference_of_two_policies_is_told(shipped: Mapping[str, Policy]) -> None:
    """No parameter can be edited unseen: each rule of the bank with one parameter less strict or gone is told of."""
    bank = shipped["regulated-bank"]
    for number, rule in enumerate(bank.rules):
        for name in rule.__struct_fields__:
            written = msgspec.to_builtins(rule)
            if name in {"id", "kind"} or name not in written:
                continue
            del written[name]
            try:
                other = msgspec.convert(written, type(rule))
            except msgspec.ValidationError:
                continue
            if other != rule:
                rules = (*bank.rules[:number], other, *bank.rules[number + 1 :])
                assert list(changes(bank, msgspec.structs.replace(bank, rules=rules))), (rule.id, name)


def test_it_is_known_of_every_parameter_what_more_of_it_means() -> None:
    named = {(kind.kind(), name) for kind in KINDS for name in kind.__struct_fields__ if name != "id"}

    assert {name for _, name in named} == set(SENSES)
    assert named >= set(OTHERWISE)


def test_which_way_an_edit_goes_is_told_by_parameter_and_tier() -> None:
    """More of one thing is stricter and more of another looser; both at once go neither way."""
    rows: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"kind": "evaluated_within", "within": "30d"}, {"within": "720h"}, "other"),
        ({"kind": "evaluated_within", "within": "30d"}, {"within": "31d"}, "looser"),
        ({"kind": "evaluated_within", "within": {"low": "9d", "high": "3d"}}, {"within": {"low": "8d", "high": "4d"}}, "other"),
        ({"kind": "evaluated_within", "within": "9d"}, {"within": {"low": "9d", "high": "3d"}}, "stricter"),
        ({"kind": "slices_evaluated", "slices": ["all"], "min_rows": 10}, {"slices": ["all", "a=b"]}, "stricter"),
        ({"kind": "approved_by", "need": ["product"]}, {"need": ["product", "product"]}, "stricter"),
        ({"kind": "approved_by", "need": ["product"]}, {"need": ["security"]}, "other"),
        ({"kind": "licences_allowed", "allowed": ["MIT"]}, {"allowed": ["MIT", "BSD-3-Clause"]}, "looser"),
        ({"kind": "signed", "by": ["a"]}, {"by": None}, "looser"),
        ({"kind": "no_open_incident"}, {"unless_agreed_by": ["security"]}, "looser"),
        ({"kind": "reviewed_within", "of": {"policy": "90d"}}, {"of": {"policy": "90d", "access": "30d"}}, "stricter"),
        ({"kind": "rebuildable"}, {"tiers": ["high"]}, "looser"),
        ({"kind": "rebuildable"}, {"says": "so it is"}, "other"),
        ({"kind": "rebuildable"}, {"kind": "schema_compatible"}, "other"),
        ({"kind": "exposure_at_most", "first": "5%"}, {"largest": "50%"}, "stricter"),
        (
            {"kind": "fairness_within", "limits": [{"metric": "auc", "attribute": "sex", "at_most": 0.1}]},
            {"limits": [{"metric": "auc", "attribute": "sex", "at_most": 0.05}]},
            "stricter",
        ),
    ]  # fmt: skip
    for rule, edit, expected in rows:
        after = {key: value for key, value in {**rule, **edit}.items() if value is not None}
        found = changes(policy_of({"id": "R", **rule}), policy_of({"id": "R", **after}))
        assert {way.value for way, _ in found} == {expected}, (rule, edit)


def test_an_edit_over_changes_that_were_names_those_it_would_have_decided_otherwise(
    made: Callable[..., Dossier],
) -> None:
    pasts = [
        Past("credit-1", made()),
        Past("credit-2", made(evaluations__0__measured_at="2026-10-30")),
        Past("credit-3", made("evaluations")),
    ]
    old, new = policy_of(WITHIN), policy_of({**WITHIN, "within": "14d"})

    found = dry_run(new, pasts, old=old)

    assert (found.changes, found.passed_before, found.blocked) == (3, 2, 2)
    assert [(s.name, s.blocked, s.rules) for s in found.shifts] == [("credit-2", True, ("FRESH",))]
    assert "21 days ago" in found.shifts[0].reasons[0]
    back = dry_run(old, pasts, old=new)
    assert [(s.name, s.blocked) for s in back.shifts] == [("credit-2", False)]
    assert (back.passed_before, dry_run(new, pasts).passed_before) == (1, 3)
    assert [s.name for s in dry_run(new, pasts).shifts] == ["credit-2", "credit-3"]


def test_answers_are_made_again_from_their_record(made: Callable[..., Dossier], shipped: Mapping[str, Policy]) -> None:
    """Policy, dossier and answers go through JSON, as a ledger keeps them, and give the same bytes again."""
    policy, dossier = shipped["regulated-bank"], made("drills")
    record = examined(policy, dossier)
    assert not record.passed

    policy_again = msgspec.json.decode(msgspec.json.encode(policy), type=Policy)
    dossier_again = msgspec.json.decode(msgspec.json.encode(dossier), type=Dossier)
    record_again = msgspec.json.decode(msgspec.json.encode(record), type=Examination)

    assert record_again == record == examined(policy_again, dossier_again)
    assert msgspec.json.encode(examined(policy_again, dossier_again)) == msgspec.json.encode(record)
    assert policy_digest(policy_again) == record.policy
    assert not Examination(engine="e", policy=record.policy, dossier=record.dossier, answers=()).passed


def test_what_others_were_asked_counts_for_their_rules_alone(made: Callable[..., Dossier]) -> None:
    cel = {
        "id": "C",
        "kind": "cel",
        "says": "s",
        "findings": "[]",
        "needs": ["plan.steps", "candidate.datasets.fields.name"],
    }
    policy = policy_of(WITHIN, cel, {"id": "O", "kind": "opa", "says": "s", "path": "a", "tiers": ["high"]})
    answered = {"FRESH": Fail(("no",)), "C": Pass(("yes",)), "O": Pass(("yes",))}

    def words(dossier: Dossier) -> list[str]:
        return [type(answer.outcome).__name__ for answer in examine(policy, dossier, answered)]

    assert words(made()) == [
        "Pass",
        "NoEvidence",
        "Pass",
    ]  # the holdout's fields are not known, so CEL saw less than it needs
    assert words(made("candidate.datasets.1")) == ["Pass", "Pass", "Pass"]
    assert words(made(plan__steps=[])) == ["Pass", "NoEvidence", "Pass"]
    assert words(made(tier="High")) == ["NoEvidence", "NoEvidence", "NoEvidence"]
    assert words(made("candidate.datasets.1", tier="low")) == ["Pass", "Pass", "NotApplicable"]
    assert [type(a.outcome) for a in examine(policy, made("candidate.datasets.1"))][1:] == [NoEvidence, NoEvidence]
    assert {Cel.kind(), Opa.kind()} == {"cel", "opa"}


def test_a_permit_is_told_what_blocks_and_why() -> None:
    answers = (
        Answer(rule="A", outcome=Pass(("x",))),
        Answer(rule="B", outcome=Fail(("x", "y"))),
        Answer(rule="C", outcome=NoEvidence(("z",))),
        Answer(rule="D", outcome=NotApplicable("w")),
    )

    assert [(b.rule, b.answer, b.why) for b in blocks(answers)] == [
        ("B", Answered.FAIL, "x; y"),
        ("C", Answered.NO_EVIDENCE, "z"),
    ]
    assert json.loads(msgspec.json.encode(answers))[1]["outcome"] == {"answer": "fail", "findings": ["x", "y"]}


def test_a_policy_is_explained_rule_by_rule(shipped: Mapping[str, Policy]) -> None:
    for policy in shipped.values():
        lines = list(explained(policy))
        assert [line.split(":", maxsplit=1)[0] for line in lines[4:]] == [rule.id for rule in policy.rules]
        assert not [line for line in lines if "{" in line or "UNSET" in line]
