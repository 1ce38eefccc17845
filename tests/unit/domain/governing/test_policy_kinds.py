"""Each kind of rule passes by what it shows, fails by what it finds, and says what it lacks."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.facts import TOPICS
from glideslope.domain.governing.policy import KINDS, AnyRule, Fail, NoEvidence, NotApplicable, Pass
from glideslope.domain.governing.policy.kinds.data import allows
from glideslope.domain.governing.policy.kinds.version import Section
from glideslope.domain.governing.policy.rule import Rule
from glideslope.domain.governing.policy.wording import because

TIERS = ("low", "medium", "high")
OTHER = "sha256:" + "9" * 64

# A rule without its id; what is dropped and set in a dossier with everything; the answer, and words that it must hold.
Row = tuple[dict[str, Any], tuple[str, ...], dict[str, Any], type, str]


def row(kind: str, answer: type, words: str, *drop: str, rule: dict[str, Any] | None = None, **parts: Any) -> Row:
    return {"kind": kind, **(rule or {})}, drop, parts, answer, words


BOUND = {
    "kind": "slices_evaluated",
    "slices": ["all", "new_customer=yes"],
    "min_rows": {"low": 1, "medium": 1, "high": 2000},
}
SLICES = {key: value for key, value in BOUND.items() if key != "kind"}
PII: dict[str, Any] = {"tags": ["pii"], "look_upstream": 2}
GAP: dict[str, Any] = {"limits": [{"metric": "approval_rate", "attribute": "sex", "at_most": 0.03}], "min_rows": 1000}
NEED: dict[str, Any] = {"need": {"low": [], "medium": ["product"], "high": ["product", "security", "compliance"]}}

ROWS: list[Row] = [
    row("change_described", Pass, "why"),
    row("change_described", NoEvidence, "`risks`", "change.risks"),
    row("change_described", NoEvidence, "`risks`", change__risks=[]),
    row("change_is_what_was_agreed", Pass, "change "),
    row("facts_are_of_these_bytes", Pass, "facts of v7"),
    row("facts_are_of_these_bytes", Fail, "credit v8, not credit v7", candidate__version="v8"),
    row("facts_are_of_these_bytes", Fail, "999999", candidate__digest=OTHER),
    row("facts_are_of_these_bytes", NoEvidence, "the digest of v7", "candidate.digest"),
    row("facts_are_of_these_bytes", NoEvidence, "facts of how", "candidate"),
    row("rollback_target_known", Pass, "facts of v6"),
    row("rollback_target_known", NoEvidence, "facts of the incumbent", "incumbent"),
    row("rollback_target_known", Fail, "has the incumbent's bytes", change__incumbent_digest="sha256:" + "1" * 64),
    row("evaluation_is_of_these_bytes", Pass, "claims-holdout"),
    row("evaluation_is_of_these_bytes", Fail, "another candidate", evaluations__0__of=OTHER),
    row("evaluation_is_of_these_bytes", Fail, "another incumbent", evaluations__0__against=OTHER),
    row("evaluation_is_of_these_bytes", NoEvidence, "an evaluation", evaluations=[]),
    row("slices_evaluated", Pass, "new_customer=yes: 3,100 rows", rule=SLICES),
    row("slices_evaluated", Fail, "new_customer=yes was measured on 400 rows", rule=SLICES, evaluations__0__results__2__rows=400),
    row("slices_evaluated", NoEvidence, "an evaluation on new_customer=yes", "evaluations.0.results.2", rule=SLICES),
    row("slices_evaluated", NoEvidence, "an evaluation of these bytes", rule=SLICES, evaluations__0__of=OTHER),
    row("evaluation_passed", Pass, "auc", rule={"metrics": ["auc"]}),
    row("evaluation_passed", Fail, "auc on region=EU: fail", rule={"metrics": ["auc"]}, evaluations__0__results__1__verdict="fail"),
    row("evaluation_passed", NoEvidence, "inconclusive", rule={"metrics": ["auc"]}, evaluations__0__results__1__verdict="inconclusive"),
    row("evaluation_passed", NoEvidence, "a pass of cost", rule={"metrics": ["cost"]}),
    row("evaluated_within", Pass, "days ago", rule={"within": "30d"}),
    row("evaluated_within", Fail, "17 days ago", rule={"within": "10d"}, evaluations__0__measured_at="2026-11-03T09:00:00Z"),
    row("evaluated_within", NoEvidence, "lies ahead", rule={"within": "10d"}, evaluations__0__measured_at="2026-12-01"),
    row("evaluated_within", NoEvidence, "anything", "evaluations", rule={"within": "10d"}),
    row("nothing_skipped", Pass, "challenge"),
    row("nothing_skipped", Fail, "load was left out", evaluations__0__skipped=["load"]),
    row("nothing_skipped", Fail, "challenge was skipped", candidate__validations__0__outcome="skipped"),
    row("nothing_skipped", NoEvidence, "the validation privacy", rule={"validations": ["privacy"]}),
    row("nothing_skipped", NoEvidence, "the validations", "candidate.validations"),
    row("nothing_skipped", NoEvidence, "an evaluation", "evaluations"),
    row("validated_independently", Pass, "vera"),
    row("validated_independently", NoEvidence, "there are 0", candidate__validations__0__by="ben"),
    row("validated_independently", NoEvidence, "who made", "candidate.makers.data_by"),
    row("validated_independently", NoEvidence, "there are 0", candidate__validations__0__outcome="failed"),
    row("fairness_within", Pass, "-0.012", rule=GAP),
    row("fairness_within", Fail, "may differ by up to 0.05", rule=GAP, candidate__fairness__0__low=-0.05),
    row("fairness_within", Fail, "differs by -0.1", rule=GAP, candidate__fairness__0__low=-0.2, candidate__fairness__0__gap=-0.1, candidate__fairness__0__high=-0.08),  # noqa: E501 - a table
    row("fairness_within", Fail, "fewer than 1,000", rule=GAP, candidate__fairness__0__rows=10),
    row("fairness_within", NoEvidence, "the interval", "candidate.fairness.0.high", rule=GAP),
    row("fairness_within", NoEvidence, "the gap of approval_rate by sex", rule=GAP, candidate__fairness=[]),
    row("failure_modes_tested", Pass, "no history"),
    row("failure_modes_tested", Fail, "was failed", candidate__failure_modes__0__result="failed"),
    row("failure_modes_tested", NoEvidence, "a test of no history", "candidate.failure_modes.0.test", "candidate.failure_modes.0.result"),
    row("failure_modes_tested", NoEvidence, "there are 2", rule={"at_least": 3}),
    row("no_training_field_tagged", Pass, "3 fields of claims", rule=PII),
    row("no_training_field_tagged", Fail, "claims.age is tagged pii", rule=PII, candidate__datasets__0__fields__0__tags=["pii"]),
    row("no_training_field_tagged", Fail, "accounts.opened, 2 upstream of claims.tenure, is tagged pii", rule=PII, candidate__datasets__0__fields__2__upstream__0__tags=["pii"]),  # noqa: E501 - a table
    row("no_training_field_tagged", Pass, "claims", rule={**PII, "look_upstream": 1}, candidate__datasets__0__fields__2__upstream__0__tags=["pii"]),  # noqa: E501 - a table
    row("no_training_field_tagged", NoEvidence, "the tags of claims.age", "candidate.datasets.0.fields.0.tags", rule=PII),
    row("no_training_field_tagged", NoEvidence, "the tags of accounts.opened", "candidate.datasets.0.fields.2.upstream.0.tags", rule=PII),
    row("no_training_field_tagged", NoEvidence, "where claims.age comes from", rule=PII, candidate__datasets__0__fields__0__traced=1),
    row("no_training_field_tagged", NoEvidence, "the fields of claims", rule=PII, candidate__datasets__0__fields=[]),
    row("no_training_field_tagged", NoEvidence, "the datasets", rule=PII, candidate__datasets=[]),
    row("licences_allowed", Pass, "numpy 2.3.4", rule={"allowed": ["Apache-2.0", "BSD-3-Clause", "LicenseRef-Own"]}),
    row("licences_allowed", Fail, "numpy 2.3.4 is under BSD-3-Clause", rule={"allowed": ["Apache-2.0", "LicenseRef-Own"]}),
    row("licences_allowed", NoEvidence, "the licence of the dataset claims", "candidate.datasets.0.licence", rule={"allowed": ["Apache-2.0", "BSD-3-Clause", "LicenseRef-Own"]}),  # noqa: E501 - a table
    row("licences_allowed", NoEvidence, "the dependencies", rule={"allowed": ["MIT"], "of": ["dependencies"]}, candidate__dependencies=[]),
    row("data_resides_in", Pass, "claims lies in DE", rule={"regions": ["DE"]}),
    row("data_resides_in", Fail, "claims lies in US", rule={"regions": ["DE"]}, candidate__datasets__0__residency=["DE", "US"]),
    row("data_resides_in", NoEvidence, "where claims lies", "candidate.datasets.0.residency", rule={"regions": ["DE"]}),
    row("data_resides_in", NoEvidence, "where claims lies", rule={"regions": ["DE"]}, candidate__datasets__0__residency=[]),
    row("data_access_granted", Pass, "may be used", rule={"needs": ["purpose:credit"]}),
    row("data_access_granted", Fail, "not tagged purpose:ads", rule={"needs": ["purpose:ads"]}),
    row("data_access_granted", Fail, "is tagged purpose:credit", rule={"forbids": ["purpose:credit"]}),
    row("data_access_granted", NoEvidence, "access tags of claims", "candidate.datasets.0.access", rule={"forbids": ["x"]}),
    row("data_fresh_within", Pass, "claims is from", rule={"within": "90d"}),
    row("data_fresh_within", Fail, "claims is from 51 days ago", rule={"within": "30d"}),
    row("data_fresh_within", NoEvidence, "up to when claims", "candidate.datasets.0.fresh_at", rule={"within": "90d"}),
    row("makers_may_not_approve", Pass, "paul had no part"),
    row("makers_may_not_approve", Fail, "ana approved, and proposed it, trained it and wrote its code", approvals__0__by="ana"),
    row("makers_may_not_approve", NoEvidence, "who evaluated it", "candidate.makers.evaluated_by"),
    row("makers_may_not_approve", NoEvidence, "any approval", approvals=[]),
    row("approved_by", Pass, "carl, compliance", rule=NEED),
    row("approved_by", Fail, "approval by compliance is missing", "approvals.2", rule=NEED),
    row("approved_by", Fail, "ana had a part in making it", rule=NEED, approvals__0__by="ana"),
    row("approved_by", Fail, "before it was proposed", rule=NEED, approvals__0__at="2026-11-01"),
    row("approved_by", Fail, "sara said no", rule=NEED, denied_by=["sara"]),
    row("approved_by", Fail, "is missing", rule=NEED, approvals__1__by="paul"),
    row("approved_by", Fail, "sara said no", rule=NEED, tier="low", denied_by=["sara"]),
    row("approved_by", NotApplicable, "nobody must approve at tier low", rule=NEED, tier="low"),
    row("approved_by", NoEvidence, "any approval", "approvals", rule=NEED),
    row("approved_by", NoEvidence, "whether anybody said no", "denied_by", rule=NEED),
    row("drilled_within", Pass, "rollback drill", rule={"within": "30d", "restored_in": "2s"}),
    row("drilled_within", Fail, "23 days ago", rule={"within": "7d"}),
    row("drilled_within", Fail, "failed", rule={"within": "30d"}, drills__0__passed=False),
    row("drilled_within", Fail, "took 1.8 seconds", rule={"within": "30d", "restored_in": "1s"}),
    row("drilled_within", NoEvidence, "how long", "drills.0.restored_in", rule={"within": "30d", "restored_in": "1s"}),
    row("drilled_within", NoEvidence, "a failover drill", rule={"within": "30d", "drills": ["failover"]}),
    row("owned", Pass, "lending-data", rule={"of": ["dataset", "model", "features", "metric", "policy"]}),
    row("owned", Fail, "cannot be reached", rule={"of": ["model"]}, owners__0__reachable=False),
    row("owned", NoEvidence, "the owner of the dataset claims", "owners.2", rule={"of": ["dataset"]}),
    row("owned", NoEvidence, "which dataset", rule={"of": ["dataset"]}, candidate__datasets=[]),
    row("owned", NoEvidence, "who owns what", "owners", rule={"of": ["model"]}),
    row("reviewed_within", Pass, "threat-model", rule={"of": {"threat-model": "180d"}}),
    row("reviewed_within", Fail, "policy is from 171 days ago", rule={"of": {"policy": "90d"}}),
    row("reviewed_within", NoEvidence, "a review of the access", "reviews.2", rule={"of": {"access": "90d"}}),
    row("no_open_incident", Pass, "look-up of incidents"),
    row("no_open_incident", Fail, "i-7 is open", incidents__open=[{"id": "i-7", "opened_at": 5}]),
    row("no_open_incident", Fail, "security has not agreed", rule={"unless_agreed_by": ["product", "security"]}, incidents__open=[{"id": "i-7", "opened_at": 5, "agreed_by": ["product"]}]),  # noqa: E501 - a table
    row("no_open_incident", Fail, "look-up", incidents__as_of="2026-11-19"),
    row("no_open_incident", NoEvidence, "whether an incident", "incidents"),
    row("stages_required", Pass, "shadow", rule={"stages": ["shadow", "canary", "offline"]}),
    row("stages_required", Fail, "no stage offline", rule={"stages": ["offline"]}, plan__criteria=0),
    row("stages_required", NoEvidence, "the plan", "plan", rule={"stages": ["canary"]}),
    row("exposure_at_most", Pass, "1%", rule={"first": "1%", "largest": "20%"}),
    row("exposure_at_most", Fail, "the first step exposes 1%, more than 0.5%", rule={"first": "0.5%"}),
    row("exposure_at_most", Fail, "largest canary step exposes 20%", rule={"largest": {"low": "50%", "medium": "50%", "high": "10%"}}),
    row("exposure_at_most", NoEvidence, "the plan", "plan", rule={"first": "1%"}),
    row("exposure_at_most", NoEvidence, "a step in which anybody", rule={"first": "1%"}, plan__steps=[]),
    row("not_faster_than", Pass, "canary step 3", rule={"minimum": "4h", "growth": 5}),
    row("not_faster_than", Fail, "takes 240 minutes, less than 5 hours", rule={"minimum": "5h"}),
    row("not_faster_than", Fail, "from 1% to 5% at once", rule={"minimum": "1h", "growth": 4}),
    row("not_faster_than", NoEvidence, "the plan", "plan", rule={"minimum": "1h"}),
    row("not_faster_than", NoEvidence, "a canary", rule={"minimum": "1h"}, plan__steps=[]),
    row("error_chance_at_most", Pass, "alpha is 0.01", rule={"alpha": 0.01, "alpha_pass": 0.05}),
    row("error_chance_at_most", Fail, "alpha_pass is 0.05, more than 0.01", rule={"alpha": 0.01, "alpha_pass": 0.01}),
    row("error_chance_at_most", NoEvidence, "the plan", "plan", rule={"alpha": 0.01, "alpha_pass": 0.05}),
    row("signed", Pass, "signature over", rule={"by": ["CN=release.lending"], "checked_within": "3d"}),
    row("signed", Fail, "is absent", candidate__signature__state="absent"),
    row("signed", Fail, "another version", candidate__signature__digest=OTHER),
    row("signed", Fail, "who may not", rule={"by": ["CN=ops"]}),
    row("signed", Fail, "days ago", rule={"checked_within": "1d"}),
    row("signed", NoEvidence, "what was signed", "candidate.signature.digest"),
    row("signed", NoEvidence, "who signed", "candidate.signature.signer", rule={"by": ["CN=ops"]}),
    row("signed", NoEvidence, "whether", "candidate.signature"),
    row("model_card_complete", Pass, "limitations", rule={"sections": ["limitations"]}),
    row("model_card_complete", NoEvidence, "`limitations`", "candidate.limitations", rule={"sections": ["limitations"]}),
    row("model_card_complete", NoEvidence, "`limitations`", rule={"sections": ["limitations"]}, candidate__limitations=[]),
    row("schema_compatible", Pass, "breaks nothing"),
    row("schema_compatible", Fail, "income is required now", contract__breaking=["income is required now"]),
    row("schema_compatible", Fail, "was made for the contract", candidate__contract="ffffffffffff"),
    row("schema_compatible", NoEvidence, "the data contract that", "candidate.contract"),
    row("schema_compatible", NoEvidence, "how the data contract", "contract"),
    row("no_known_advisory", Pass, "advisories of"),
    row("no_known_advisory", Fail, "pillow 11.0.0: GHSA", candidate__dependencies__0__name="Pillow", candidate__dependencies__0__version="11.0.0"),  # noqa: E501 - a table
    row("no_known_advisory", Fail, "advisories are not those", "advisories.entries.0"),
    row("no_known_advisory", Fail, "from 27 hours ago", rule={"as_of_within": "1d"}),
    row("no_known_advisory", Pass, "advisories", rule={"accepted": ["GHSA-0000-made-up1"]}, candidate__dependencies__0__name="pillow", candidate__dependencies__0__version="11.0.0"),  # noqa: E501 - a table
    row("no_known_advisory", NoEvidence, "a file of advisories", "advisories"),
    row("no_known_advisory", NoEvidence, "the dependencies", candidate__dependencies=[]),
    row("rebuildable", Pass, "seed"),
    row("rebuildable", Fail, "working tree held more", candidate__code__clean=False),
    row("rebuildable", NoEvidence, "working tree", "candidate.code.clean"),
    row("rebuildable", NoEvidence, "its seed", "candidate.seed"),
    row("rebuildable", NoEvidence, "the digest of claims", "candidate.datasets.0.digest"),
    row("rebuildable", NoEvidence, "the lock", "candidate.environment"),
    row("cel", NoEvidence, "an answer of CEL", rule={"says": "s", "findings": "[]", "needs": ["plan"]}),
    row("opa", NoEvidence, "an answer of the OPA server", rule={"says": "s", "path": "a/b"}),
]  # fmt: skip


def rule_of(written: dict[str, Any]) -> AnyRule:
    found: AnyRule = msgspec.convert({"id": "R", **written}, AnyRule)  # type: ignore[arg-type]  # a union
    return found


@pytest.mark.parametrize(
    ("written", "drop", "parts", "answer", "words"),
    ROWS,
    ids=[f"{each[0]['kind']}-{each[3].__name__}-{each[4]}" for each in ROWS],
)
def test_a_rule_answers(  # noqa: PLR0917 - a table's columns
    made: Callable[..., Dossier],
    written: dict[str, Any],
    drop: tuple[str, ...],
    parts: dict[str, Any],
    answer: type,
    words: str,
) -> None:
    found = rule_of(written).answer(made(*drop, **parts), TIERS)

    assert type(found) is answer, found
    assert words in "; ".join(because(found))


def test_every_kind_is_tried_with_what_is_there_and_with_what_is_not() -> None:
    answered = {(each[0]["kind"], each[3]) for each in ROWS}
    outside = {"cel", "opa"}  # answered elsewhere, so here there is never evidence
    never_wrong = {"change_described", "model_card_complete", "change_is_what_was_agreed", "validated_independently"}

    for kind in KINDS:
        assert ((kind.kind(), Pass) in answered) is (kind.kind() not in outside), kind
        assert ((kind.kind(), Fail) in answered) is (kind.kind() not in outside | never_wrong), kind
        assert (kind.kind(), NoEvidence) in answered or kind.kind() == "change_is_what_was_agreed", kind


def test_what_was_agreed_is_all_that_people_saw(made: Callable[..., Dossier]) -> None:
    """Any change to model, data, evaluation, policy, plan or tier after the proposal fails, and voids each approval."""
    agreed, approved = rule_of({"kind": "change_is_what_was_agreed"}), rule_of({"kind": "approved_by", **NEED})
    assert isinstance(agreed.answer(made(agreed=False), TIERS), Pass)

    for part, value in (
        ("change__why", "Because."),
        ("tier", "medium"),
        ("policy", OTHER),
        ("plan__alpha", 0.02),
        ("candidate__seed", 18),
        ("evaluations__0__results__0__rows", 24001),
        ("contract__in_force", "000000000000"),
    ):
        after = made(agreed=False, **{part: value})
        assert isinstance(agreed.answer(after, TIERS), Fail), part
        as_proposed_now = made(**{part: value})
        old = msgspec.structs.replace(as_proposed_now, approvals=after.approvals)
        assert isinstance(approved.answer(old, TIERS), Fail), part


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind())
def test_a_tier_that_is_not_known_is_evidence_of_nothing(kind: type[AnyRule], made: Callable[..., Dossier]) -> None:
    written = next(each[0] for each in ROWS if each[0]["kind"] == kind.kind())
    for dossier, words in ((made("tier"), "the tier"), (made(tier="High"), "`High` is none of")):
        found = rule_of(written).answer(dossier, TIERS)
        assert isinstance(found, NoEvidence), found
        assert words in found.what[0]


def test_a_rule_of_some_tiers_does_not_speak_about_others(made: Callable[..., Dossier]) -> None:
    found = rule_of({"kind": "rebuildable", "tiers": ["low", "medium"]}).answer(made("candidate"), TIERS)

    assert found == NotApplicable("it concerns the tiers low and medium, not high")


def test_a_model_cards_sections_are_the_topics_of_facts() -> None:
    assert set(Section.__args__) == set(TOPICS)  # type: ignore[attr-defined]  # a Literal


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only AND MIT", False),
        ("(GPL-3.0-only OR MIT) AND Apache-2.0", True),
        ("MIT AND", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT Apache-2.0", False),
        ("OR MIT", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT WITH LLVM-exception", False),
        ("", False),
        ("(" * 5000 + "MIT" + ")" * 5000, False),
    ],
)
def test_a_licence_expression_is_met_by_what_is_allowed(expression: str, met: bool) -> None:
    assert allows(expression, frozenset({"MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"})) is met


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind())
def test_each_kind_says_what_it_asks_and_how_to_mend(kind: type[AnyRule]) -> None:
    rule = rule_of(next(each[0] for each in ROWS if each[0]["kind"] == kind.kind()))

    for sentence in (rule.asks(), rule.mend()):
        assert sentence[0].isupper() or sentence[0].islower()
        assert len(sentence) > 10
    assert rule.asks().endswith(".")
    assert (kind.__doc__ or "").strip()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind())
def test_each_kind_defines_all_that_a_rule_says(kind: type[AnyRule]) -> None:
    said = {name for name, value in vars(Rule).items() if getattr(value, "__isabstractmethod__", False)}

    assert said == {"look", "asks", "mend"}
    assert said <= vars(kind).keys()
