"""What is missing or ruined blocks: nine documents that let other engines' gates open, and every field of a dossier in turn."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.governing.dossier import dossier_of
from glideslope.domain.governing.policy import KINDS, AnyRule, NotApplicable, Policy, examine
from glideslope.domain.governing.policy.answers import Beside, Missing, Shown, Wrong, outcome
from glideslope.domain.governing.policy.damaging import REPLACED, damages, score
from glideslope.domain.governing.policy.trying import Case, as_agreed, edited

BANK, TEAM = "regulated-bank", "product-team"


def damaged(document: Mapping[str, Any], *, drop: tuple[str, ...] = (), **parts: Any) -> dict[str, Any]:
    changes = {path.replace("__", "."): value for path, value in parts.items()}
    return edited(document, Case(name="damage", dossier="-", drop=drop, set=changes, passes=False))


NINE: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "lineage missing": (("candidate.datasets",), {}),
    "evaluation missing": (("evaluations",), {}),
    "evaluation has no digest": (("evaluations.0.of",), {}),
    "risk missing, one sign-off": (("tier", "approvals.1", "approvals.2"), {}),
    "risk High, one sign-off": (("approvals.1", "approvals.2"), {"tier": "High"}),
    "required slices empty": ((), {"evaluations__0__results": []}),
    "tags null on one field": ((), {"candidate__datasets__0__fields__0__tags": None}),
    "sign-offs missing": (("approvals",), {}),
    "sign-offs empty": ((), {"approvals": []}),
}
"""reference/governance.md, 4.3."""


@pytest.mark.parametrize("name", [BANK, TEAM])
@pytest.mark.parametrize("damage", NINE)
@pytest.mark.parametrize("agreed", [False, True], ids=["as it was agreed", "agreed like this"])
def test_each_of_the_nine_damaged_documents_is_blocked(
    damage: str, name: str, agreed: bool, document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    drop, parts = NINE[damage]
    try:
        dossier = dossier_of(damaged(document, drop=drop, **parts))
    except DossierInvalid:
        return
    if agreed:
        dossier = as_agreed(dossier)
    blocking = [answer.rule for answer in examine(shipped[name], dossier) if answer.blocks]
    assert blocking
    assert blocking != ["AGREED"], "a rule that looks at the damage itself must see it"


def test_a_policy_that_requires_no_slice_is_refused() -> None:
    """The seventh hole, an empty list of required slices, is in the policy here, and cannot be written."""
    with pytest.raises(msgspec.ValidationError, match="length >= 1"):
        msgspec.convert({"id": "S", "kind": "slices_evaluated", "slices": [], "min_rows": 1}, AnyRule)  # type: ignore[call-overload]  # a union


def test_of_a_bank_every_damage_to_every_field_is_noticed(
    document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    found = score(shipped[BANK], document)

    assert [(each.where, each.how) for each in found.survived] == []
    assert found.done > 1_000
    assert found.share == 1.0


def test_of_a_bank_every_other_value_of_what_people_agreed_on_is_noticed(
    document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    """Where a value could be one, the digest to which approvals are bound tells; what moves on by itself is not covered by it."""
    found = score(shipped[BANK], document, ways=(REPLACED,))

    blocks = {str(each.path[0]) for each in found.survived}
    assert blocks <= {"now", "approvals", "owners", "drills", "reviews", "advisories", "incidents"}


def test_of_a_team_what_survives_is_what_no_rule_of_it_asks(
    document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    """It asks for two functions, owners of models and datasets, no reviews and no time of a drill: damage to the rest is no matter."""
    found = score(shipped[TEAM], document)

    asked_for_nowhere = ("approvals.2", "owners.", "drills.0.restored_in", "reviews")
    assert [each.where for each in found.survived if not each.where.startswith(asked_for_nowhere)] == []
    owned = {0, 2, 3}
    assert not [e.where for e in found.survived if e.path[0] == "owners" and len(e.path) > 1 and e.path[1] in owned]


BLOCKS: Mapping[str, tuple[str, ...]] = {
    "change_described": ("change.why",),
    "change_is_what_was_agreed": ("change", "plan", "candidate", "evaluations", "contract", "policy"),
    "facts_are_of_these_bytes": ("candidate",),
    "rollback_target_known": ("incumbent",),
    "evaluation_is_of_these_bytes": ("evaluations",),
    "slices_evaluated": ("evaluations",),
    "evaluation_passed": ("evaluations",),
    "evaluated_within": ("evaluations",),
    "nothing_skipped": ("evaluations", "candidate"),
    "validated_independently": ("candidate",),
    "fairness_within": ("candidate",),
    "failure_modes_tested": ("candidate",),
    "no_training_field_tagged": ("candidate",),
    "licences_allowed": ("candidate",),
    "data_resides_in": ("candidate",),
    "data_access_granted": ("candidate",),
    "data_fresh_within": ("candidate",),
    "makers_may_not_approve": ("candidate", "approvals"),
    "approved_by": ("approvals", "denied_by"),
    "drilled_within": ("drills",),
    "owned": ("owners", "candidate", "plan"),
    "reviewed_within": ("reviews",),
    "no_open_incident": ("incidents",),
    "stages_required": ("plan",),
    "exposure_at_most": ("plan",),
    "not_faster_than": ("plan",),
    "error_chance_at_most": ("plan",),
    "signed": ("candidate",),
    "model_card_complete": ("candidate",),
    "schema_compatible": ("contract", "candidate"),
    "no_known_advisory": ("advisories", "candidate"),
    "rebuildable": ("candidate",),
}


def test_a_rule_alone_blocks_when_the_block_that_it_looks_at_is_gone(
    document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    """Not the policy as a whole: each rule by itself, so that one may be left out without opening another."""
    bank = shipped[BANK]
    tried = set()
    for rule in bank.rules:
        for block in BLOCKS[rule.kind()]:
            try:
                dossier = dossier_of(damaged(document, drop=(block,)))
            except DossierInvalid:
                continue
            answer = rule.answer(dossier, bank.tiers)
            assert not isinstance(answer, NotApplicable)
            assert msgspec.structs.replace(examine(bank, dossier)[0], outcome=answer).blocks, (rule.id, block)
            tried.add(rule.kind())
    assert tried == {kind.kind() for kind in KINDS} - {"cel", "opa"}


def test_nothing_applies_no_longer_because_something_is_missing(
    document: dict[str, Any], shipped: Mapping[str, Policy]
) -> None:
    """A rule is not applicable for what the dossier says, never for what it does not say."""
    for policy in (shipped[BANK], shipped[TEAM]):
        before = {a.rule for a in examine(policy, dossier_of(document)) if isinstance(a.outcome, NotApplicable)}
        for damage in damages(document):
            if damage.how != "taken away":
                continue
            try:
                answers = examine(policy, dossier_of(damage.document))
            except DossierInvalid:
                continue
            assert {a.rule for a in answers if isinstance(a.outcome, NotApplicable)} <= before, damage.where


def test_a_rule_that_saw_nothing_does_not_pass() -> None:
    assert outcome([]).__struct_config__.tag == "no-evidence"
    assert outcome([Shown("x"), Missing("y")]).__struct_config__.tag == "no-evidence"
    assert outcome([Shown("x"), Missing("y"), Wrong("z")]).__struct_config__.tag == "fail"
    assert outcome([Beside("x"), Wrong("z")]).__struct_config__.tag == "fail"
    assert outcome([Beside("x"), Missing("z")]).__struct_config__.tag == "no-evidence"


def test_a_dossier_that_does_not_pass_is_not_damaged(document: dict[str, Any], shipped: Mapping[str, Policy]) -> None:
    """Where all is blocked, all damage is noticed, and a score would say nothing."""
    with pytest.raises(DossierInvalid, match="blocked already, by APPROVED"):
        score(shipped[BANK], damaged(document, drop=("approvals.2",)))
