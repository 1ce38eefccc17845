"""An envelope's clauses: what lies inside, what does not, with both values, and what was not shown, which is outside as well.

Long because each clause has a row for each way in which it is left.
"""

import math
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace
from tests.scenarios.enveloped import REPORT, envelope, made

from glideslope.domain.decision import Verdict
from glideslope.domain.errors import AgreementInvalid, Invalid
from glideslope.domain.governing.approval import Need
from glideslope.domain.governing.dossier import (
    Change,
    Dossier,
    Evaluated,
    Figure,
    Guard,
    PlanFigures,
    Proof,
    Result,
)
from glideslope.domain.governing.envelope import Classification, Envelope, Standing, again, check_envelope, classify
from glideslope.domain.governing.envelope.document import (
    DAY,
    Architecture,
    Band,
    Bound,
    Features,
    Ladder,
    Proven,
    Window,
)
from glideslope.domain.governing.envelope.wording import blocks, changes, explained
from glideslope.domain.governing.facts import Code, Dataset, Dependency, Facts, Pipeline, Use
from glideslope.domain.governing.policy.wording import word
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.domain.plan import Margin, MarginKind, StageKind
from glideslope.testing.world import content

NOW = 1_800_000_000_000
ENVELOPE = envelope(now=NOW)
STANDING = Standing(envelope=Digest("sha256:" + "e" * 64), name="delays-monthly", reviewed_at=NOW)


PROOF = Proof(
    guards=(
        Guard(metric="errors", kind=MarginKind.ABSOLUTE, margin=0.05, required=True),
        Guard(metric="latency", kind=MarginKind.RELATIVE, margin=0.25, required=True),
        Guard(metric="log_loss", kind=MarginKind.ABSOLUTE, margin=0.15, required=True),
    ),
    maturity=0.9,
    slices=("origin",),
)


def dossier(*, ours: Facts | Any = None, theirs: Facts | Any = None, **changes: Any) -> Dossier:
    ours, theirs = ours or made("v2", now=NOW), theirs or made("v1", now=NOW)
    usual = Dossier(
        now=NOW,
        change=Change(
            model=ModelName("delays"),
            candidate=VersionName("v2"),
            candidate_digest=content("delays", "v2"),
            incumbent=VersionName("v1"),
            incumbent_digest=content("delays", "v1"),
            proposer=Actor("ada"),
            proposed_at=NOW,
            digest=Digest("sha256:" + "c" * 64),
            intended_use_changed=False,
        ),
        plan=plan(1_000, 5_000),
        candidate=ours,
        incumbent=theirs,
        evaluations=(evaluated(0.78),),
    )
    return replace(usual, **changes)


def plan(*shares: int, minimum: int = 5_000, more: tuple[Figure, ...] = ()) -> PlanFigures:
    steps = tuple(Figure(stage=StageKind.CANARY, share=share, minimum=minimum) for share in shares)
    everybody = Figure(stage=StageKind.FULL, share=10_000, minimum=5_000)
    digest = Digest("sha256:" + "d" * 64)
    return PlanFigures(
        digest=digest,
        alpha=0.01,
        alpha_pass=0.05,
        steps=(*more, *steps, everybody),
        guardrails=("errors",),
        proof=PROOF,
    )


def proving(*, alpha_pass: float = 0.05, guard: Guard | None = None, **changes: Any) -> Dossier:
    """Return a dossier whose plan proves something else; of its guardrails `guard` takes the first one's place."""
    guards = (guard or PROOF.guards[0], *PROOF.guards[1:])
    return dossier(
        plan=replace(plan(1_000, 5_000), alpha_pass=alpha_pass, proof=replace(PROOF, guards=guards, **changes))
    )


def evaluated(value: Any, *, incumbent: Any = UNSET, rows: int = 5_000, **changes: Any) -> Evaluated:
    result = Result(metric="auc", slice="all", rows=rows, verdict=Verdict.PASS, candidate=value, incumbent=incumbent)
    usual = Evaluated(
        report=REPORT,
        of=content("delays", "v2"),
        against=content("delays", "v1"),
        holdout="held",
        measured_at=NOW,
        results=(result,),
        skipped=(),
    )
    return replace(usual, **changes)


def trained_on(facts: Facts, **changes: Any) -> Facts:
    assert isinstance(facts.datasets, tuple)
    return replace(facts, datasets=tuple(replace(each, **changes) for each in facts.datasets))


def fields(facts: Facts, change: Callable[[Any], Any]) -> Facts:
    assert isinstance(facts.datasets, tuple)
    (data,) = facts.datasets
    return trained_on(facts, fields=change(data.fields))


def left(found: Classification) -> dict[str, tuple[str, str]]:
    return {block.rule: (block.answer.value, block.why) for block in blocks(found)}


V1, V2 = made("v1", now=NOW), made("v2", now=NOW)


def test_a_retraining_as_agreed_on_is_inside_and_every_clause_says_what_it_saw() -> None:
    found = classify(ENVELOPE, STANDING, dossier())
    assert found.inside, left(found)
    assert [a.rule for a in found.answers] == [
        "until", "review", "alone", "features", "architecture", "settings", "data", "rest", "metrics", "exposure", "proof", "use",
    ]  # fmt: skip
    assert {word(a.outcome) for a in found.answers} == {"pass"}


def ours(**changes: Any) -> Dossier:
    return dossier(ours=replace(V2, **changes))


def data(**changes: Any) -> Dossier:
    return dossier(ours=trained_on(V2, **changes))


def of_fields(change: Callable[[Any], Any]) -> Dossier:
    return dossier(ours=fields(V2, change))


YES_FOR_ONE = dossier(
    ours=replace(V2, configuration={"trees": True, "depth": 6}),
    theirs=replace(V1, configuration={"trees": 1, "depth": 6}),
)

LEFT: list[tuple[str, Dossier, str, str, tuple[str, ...]]] = [
    ("ended", dossier(now=ENVELOPE.until), "until", "fail", ("it ended",)),
    ("a new field", of_fields(lambda f: (*f, replace(f[0], name="carrier"))), "features", "fail", ("carrier is new",)),
    ("a field gone", of_fields(lambda f: f[:1]), "features", "fail", ("origin is gone",)),
    (
        "another type",
        of_fields(lambda f: (replace(f[0], type="float"), f[1])),
        "features",
        "fail",
        ("was int and is float",),
    ),
    (
        "a type unknown",
        of_fields(lambda f: (replace(f[0], type=UNSET), f[1])),
        "features",
        "no-evidence",
        ("the type of the field hour",),
    ),
    ("fields unknown", data(fields=UNSET), "features", "no-evidence", ("the fields of flights",)),
    (
        "another pipeline",
        ours(pipelines=(Pipeline(name="features", version="5"),)),
        "features",
        "fail",
        ("was 4 and is 5",),
    ),
    ("pipelines unknown", ours(pipelines=UNSET), "features", "no-evidence", ("the pipelines",)),
    ("another architecture", ours(architecture="mlp"), "architecture", "fail", ("was gradient-boosting and is mlp",)),
    ("architecture unknown", ours(architecture=UNSET), "architecture", "no-evidence", ("of the candidate",)),
    (
        "a bound setting beyond",
        ours(configuration={"trees": 400, "depth": 9}),
        "settings",
        "fail",
        ("depth is 9", "3 to 8"),
    ),
    (
        "a setting that is fixed",
        ours(configuration={"trees": 401, "depth": 6}),
        "settings",
        "fail",
        ("trees was 400 and is 401",),
    ),
    ("yes for one", YES_FOR_ONE, "settings", "fail", ("trees was 1 and is True",)),
    ("a setting by a word", ours(configuration={"trees": 400, "depth": "6"}), "settings", "fail", ("depth is 6",)),
    ("a setting not there", ours(configuration={"trees": 400}), "settings", "no-evidence", ("the setting depth",)),
    (
        "settings unknown",
        dossier(theirs=replace(V1, configuration=UNSET)),
        "settings",
        "no-evidence",
        ("of both versions",),
    ),
    ("other data", data(name="trains"), "data", "fail", ("trained on trains", "flights")),
    (
        "old data",
        data(since=NOW - 200 * DAY, fresh_at=NOW - 45 * DAY - 1),
        "data",
        "fail",
        ("before the proposal", "45 days"),
    ),
    ("a long window", data(since=NOW - 420 * DAY - 1), "data", "fail", ("30 days to 400 days",)),
    ("a window ahead", data(fresh_at=NOW + 1), "data", "no-evidence", ("lies ahead",)),
    ("a window unknown", data(since=UNSET), "data", "no-evidence", ("from when",)),
    (
        "other code",
        ours(code=Code(revision="a" * 40, clean=True)),
        "rest",
        "fail",
        ("the code was 9f2c4d6e8a0b and is aaaaaaaaaaaa",),
    ),
    ("edited code", ours(code=replace(V2.code, clean=False)), "rest", "no-evidence", ("clean revision",)),
    (
        "other dependencies",
        ours(dependencies=(Dependency(name="numpy", version="3.0"),)),
        "rest",
        "fail",
        ("numpy 2.3.4", "numpy 3.0"),
    ),
    ("another base", ours(base="v0"), "rest", "fail", ("the base was none and is v0",)),
    ("task unknown", ours(task=UNSET), "rest", "no-evidence", ("the task of both versions",)),
    ("a figure below", dossier(evaluations=(evaluated(0.699),)), "metrics", "fail", ("is 0.699", "0.7 to 0.9")),
    (
        "one of two below",
        dossier(evaluations=(evaluated(0.78), evaluated(0.6, holdout="other"))),
        "metrics",
        "fail",
        ("(other) is 0.6",),
    ),
    ("few rows", dossier(evaluations=(evaluated(0.78, rows=999),)), "metrics", "fail", ("999 rows", "1,000")),
    (
        "of other bytes",
        dossier(evaluations=(evaluated(0.78, of=content("delays", "v1")),)),
        "metrics",
        "no-evidence",
        ("auc on all",),
    ),
    (
        "against another",
        dossier(evaluations=(evaluated(0.78, against=REPORT),)),
        "metrics",
        "no-evidence",
        ("the incumbent's",),
    ),
    ("not measured", dossier(evaluations=UNSET), "metrics", "no-evidence", ("auc on all",)),
    ("not a number", dossier(evaluations=(evaluated(math.nan),)), "metrics", "no-evidence", ("finite number",)),
    ("infinite", dossier(evaluations=(evaluated(math.inf),)), "metrics", "no-evidence", ("finite number",)),
    ("a wide first step", dossier(plan=plan(1_001, 5_000)), "exposure", "fail", ("first step exposes 10.01%", "10%")),
    ("a wide step", dossier(plan=plan(1_000, 5_001)), "exposure", "fail", ("50.01%", "50%")),
    ("a leap", dossier(plan=plan(1_000)), "exposure", "fail", ("from 10% to 100%", "5 times")),
    ("a short step", dossier(plan=plan(1_000, 5_000, minimum=4_999)), "exposure", "fail", ("asks for",)),
    ("no canary", dossier(plan=plan()), "exposure", "fail", ("everybody meets it at once",)),
    ("a wide margin", proving(guard=replace(PROOF.guards[0], margin=0.0501)), "proof", "fail", ("is 0.0501", "0.05")),
    ("of another kind", proving(guard=replace(PROOF.guards[0], kind=MarginKind.RELATIVE)), "proof", "fail", ("is 5%",)),
    ("not finite", proving(guard=replace(PROOF.guards[0], margin=math.nan)), "proof", "fail", ("is nan",)),
    ("only watched", proving(guard=replace(PROOF.guards[0], required=False)), "proof", "fail", ("only watched",)),
    (
        "a guardrail gone",
        proving(guard=replace(PROOF.guards[0], metric="e")),
        "proof",
        "fail",
        ("no guardrail errors",),
    ),
    ("a proof by chance", proving(alpha_pass=0.051), "proof", "fail", ("0.051", "0.05")),
    ("not separately", proving(slices=()), "proof", "fail", ("origin",)),
    ("proof unknown", dossier(plan=replace(plan(1_000, 5_000), proof=UNSET)), "proof", "no-evidence", ("the plan",)),
    ("another use", dossier(change=replace(dossier().change, intended_use_changed=True)), "use", "fail", ("changes",)),
    (
        "use not said",
        dossier(change=replace(dossier().change, intended_use_changed=UNSET)),
        "use",
        "no-evidence",
        ("intended_use_changed",),
    ),
]


@pytest.mark.parametrize(("told", "clause", "answer", "words"), [row[1:] for row in LEFT], ids=[row[0] for row in LEFT])
def test_exactly_the_clause_that_was_left_is_named_with_both_values(
    told: Dossier, clause: str, answer: str, words: tuple[str, ...]
) -> None:
    found = classify(ENVELOPE, STANDING, told)
    assert not found.inside
    assert left(found).keys() == {clause}
    said, why = left(found)[clause]
    assert said == answer
    assert all(each in why for each in words), why


def test_without_a_plan_neither_exposure_nor_proof_is_shown() -> None:
    found = left(classify(ENVELOPE, STANDING, dossier(plan=UNSET)))
    assert {clause: answer for clause, (answer, _) in found.items()} == {
        "exposure": "no-evidence",
        "proof": "no-evidence",
    }


def test_outcomes_that_are_not_waited_for_are_named() -> None:
    asked = replace(ENVELOPE, proof=replace(ENVELOPE.proof, maturity=0.95))
    assert left(classify(asked, STANDING, dossier())) == {
        "proof": ("fail", "it waits for 0.9 of the outcomes; the envelope asks for 0.95")
    }
    assert classify(replace(asked, proof=replace(asked.proof, maturity=0.9)), STANDING, dossier()).inside


def test_facts_that_nobody_stated_leave_every_clause_that_rests_on_them() -> None:
    for block in ("candidate", "incumbent"):
        found = left(classify(ENVELOPE, STANDING, dossier(**{block: UNSET})))
        assert found.keys() == {"features", "architecture", "settings", "data", "rest"}
        assert {answer for answer, _ in found.values()} == {"no-evidence"}


def test_no_part_of_a_dossier_can_be_taken_away_and_leave_a_change_inside() -> None:
    """Each topic, member and block that the clauses read, one at a time."""
    whole = msgspec.to_builtins(dossier())
    taken = [("evaluations",), ("plan",), ("candidate",), ("incumbent",), ("change", "intended_use_changed")]
    read = ("code", "environment", "dependencies", "task", "base", "contract", "licences", "intended_use",
            "out_of_scope", "architecture", "configuration", "datasets", "pipelines")  # fmt: skip
    taken += [(block, topic) for block in ("candidate", "incumbent") for topic in read]
    for path in taken:
        damaged = msgspec.json.decode(msgspec.json.encode(whole))
        holder = damaged
        for part in path[:-1]:
            holder = holder[part]
        del holder[path[-1]]
        assert not classify(ENVELOPE, STANDING, msgspec.convert(damaged, Dossier)).inside, path


def test_ends_are_inside_and_are_read_as_people_write_them() -> None:
    within = replace(ENVELOPE, metrics=(Band(metric="auc", within=0.02),))
    edges: list[tuple[Envelope, Dossier]] = [
        (ENVELOPE, dossier(evaluations=(evaluated(0.7),))),
        (ENVELOPE, dossier(evaluations=(evaluated(0.9),))),
        # 0.3 - 0.28 is 0.020000000000000018 in binary.
        (within, dossier(evaluations=(evaluated(0.3, incumbent=0.28),))),
        (within, dossier(evaluations=(evaluated(0.28, incumbent=0.3),))),
        (ENVELOPE, dossier(ours=replace(V2, configuration={"trees": 400.0, "depth": 3}))),
        (ENVELOPE, dossier(ours=trained_on(V2, since=NOW - 75 * DAY, fresh_at=NOW - 45 * DAY))),
        (ENVELOPE, dossier(now=ENVELOPE.until - 1)),
    ]
    for asked, told in edges:
        assert classify(asked, STANDING, told).inside, left(classify(asked, STANDING, told))
    beyond = classify(within, STANDING, dossier(evaluations=(evaluated(0.3001, incumbent=0.28),)))
    assert "0.3001 against 0.28" in left(beyond)["metrics"][1]
    unknown = classify(within, STANDING, dossier(evaluations=(evaluated(0.3),)))
    assert left(unknown)["metrics"][0] == "no-evidence"


def test_what_is_suddenly_much_better_is_outside_too() -> None:
    within = replace(ENVELOPE, metrics=(Band(metric="auc", within=0.02),))
    found = classify(within, STANDING, dossier(evaluations=(evaluated(0.99, incumbent=0.78),)))
    assert left(found)["metrics"][0] == "fail"


def test_what_may_change_may_change_and_nothing_else_with_it() -> None:
    wide = replace(
        ENVELOPE,
        features=Features(add=("carrier",), drop=("origin",), pipelines=("features",)),
        architecture=Architecture(among=("mlp",), settings={"depth": Bound(among=(6, "auto"))}),
        data=replace(ENVELOPE.data, datasets=("trains",)),
        free=("code", "dependencies", "base"),
    )
    other = replace(
        fields(V2, lambda f: (f[0], replace(f[0], name="carrier"))),
        pipelines=(Pipeline(name="features", version="5"),),
        architecture="mlp",
        configuration={"trees": 400, "depth": "auto"},
        code=Code(revision="a" * 40),
        dependencies=UNSET,
        base="v0",
    )
    told = dossier(ours=trained_on(other, name="trains"))
    assert classify(wide, STANDING, told).inside, left(classify(wide, STANDING, told))
    assert left(classify(wide, STANDING, replace(told, candidate=replace(other, task="other")))).keys() == {"rest"}


def test_data_by_which_it_was_chosen_counts_as_data_that_it_was_trained_on() -> None:
    secret = Dataset(
        name="secret", use=Use.VALIDATION, since=NOW - 90 * DAY, fresh_at=NOW, fields=V2.datasets[0].fields
    )
    found = classify(ENVELOPE, STANDING, dossier(ours=replace(V2, datasets=(*V2.datasets, secret))))
    assert left(found)["data"][0] == "fail"


def test_an_unreviewed_one_and_one_of_two_speak_for_nothing() -> None:
    reviewed = replace(ENVELOPE, review_every=90 * DAY)
    assert classify(reviewed, replace(STANDING, reviewed_at=NOW - 90 * DAY + 1), dossier()).inside
    late = classify(reviewed, replace(STANDING, reviewed_at=NOW - 90 * DAY), dossier())
    assert left(late).keys() == {"review"}
    ahead = classify(reviewed, replace(STANDING, reviewed_at=NOW + 1), dossier())
    assert left(ahead)["review"][0] == "no-evidence"
    two = classify(ENVELOPE, replace(STANDING, others=("delays-new",)), dossier())
    assert "delays-new" in left(two)["alone"][1]


def test_a_thousand_things_that_changed_are_told_in_few_words() -> None:
    many = fields(V2, lambda f: (*f, *(replace(f[0], name=f"x{k}") for k in range(1_000))))
    found = classify(ENVELOPE, STANDING, dossier(ours=many))
    assert left(found)["features"][1].endswith("and 980 more")


def test_what_facts_say_stays_on_one_line_of_a_sentence() -> None:
    found = classify(ENVELOPE, STANDING, dossier(ours=replace(V2, architecture="x\nrest: (pass)" + "y" * 500)))
    why = left(found)["architecture"][1]
    assert "\n" not in why
    assert len(why) < 300


def test_a_classification_is_made_again_from_its_record() -> None:
    for told in (dossier(), *(row[1] for row in LEFT if "finite" not in row[4][0])):
        found = classify(ENVELOPE, STANDING, told)
        read = msgspec.json.decode(msgspec.json.encode(found), type=Classification)
        assert again(read, ENVELOPE, told) == found
    with pytest.raises(Invalid, match="glideslope-envelope/9"):
        again(replace(found, engine="glideslope-envelope/9"), ENVELOPE, told)


@given(st.floats(), st.floats(), st.floats())
def test_no_number_is_inside_a_band_that_it_does_not_lie_in(least: float, most: float, value: float) -> None:
    band = replace(ENVELOPE, metrics=(Band(metric="auc", least=least, most=most),))
    inside = classify(band, STANDING, dossier(evaluations=(evaluated(value),))).inside
    assert inside == (math.isfinite(value) and least <= value <= most)


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("name", {"name": "Monthly"}),
    ("models", {"models": ()}),
    ("models", {"tiers": ("high",)}),
    ("models.1", {"models": (ModelName("delays"), ModelName("delays"))}),
    ("says", {"says": "one\ntwo"}),
    ("until", {"until": -1}),
    ("review_every", {"review_every": 0}),
    ("falls_away", {"falls_away": ()}),
    ("falls_away.0", {"falls_away": (Need("product", 0),)}),
    ("remains.0", {"remains": (Need("product"),)}),
    ("features.add.0", {"features": Features(add=(" ",))}),
    ("architecture.settings.depth", {"architecture": Architecture(settings={"depth": Bound()})}),
    ("architecture.settings.depth", {"architecture": Architecture(settings={"depth": Bound(least=1, among=(1,))})}),
    ("architecture.settings.depth.among", {"architecture": Architecture(settings={"depth": Bound(among=())})}),
    ("architecture.settings.depth.among", {"architecture": Architecture(settings={"depth": Bound(among=(math.nan,))})}),
    ("architecture.settings.depth.least", {"architecture": Architecture(settings={"depth": Bound(least=math.nan)})}),
    ("architecture.settings.depth.most", {"architecture": Architecture(settings={"depth": Bound(least=2, most=1)})}),
    ("data.newest", {"data": Window(newest=0, longest=1)}),
    ("data.longest", {"data": Window(newest=1, longest=1, shortest=2)}),
    ("metrics", {"metrics": ()}),
    ("metrics.0", {"metrics": (Band(metric="auc"),)}),
    ("metrics.0.least", {"metrics": (Band(metric="auc", least=math.nan),)}),
    ("metrics.0.most", {"metrics": (Band(metric="auc", most=math.inf),)}),
    ("metrics.0.most", {"metrics": (Band(metric="auc", least=0.9, most=0.8),)}),
    ("metrics.0.within", {"metrics": (Band(metric="auc", within=-0.1),)}),
    ("metrics.0.rows", {"metrics": (Band(metric="auc", least=0.1, rows=0),)}),
    ("metrics.1", {"metrics": (Band(metric="auc", least=0.1), Band(metric="auc", most=0.9))}),
    ("exposure.first", {"exposure": Ladder(first=0, most=1, step=0)}),
    ("exposure.first", {"exposure": Ladder(first=2, most=1, step=0)}),
    ("exposure.first", {"exposure": Ladder(first=2, most=10_000, step=0)}),
    ("exposure.step", {"exposure": Ladder(first=1, most=2, step=-1)}),
    ("exposure.growth", {"exposure": Ladder(first=1, most=2, step=0, growth=math.nan)}),
    ("exposure.growth", {"exposure": Ladder(first=1, most=2, step=0, growth=1.0)}),
    ("proof.guardrails", {"proof": Proven(guardrails={}, alpha_pass=0.05)}),
    ("proof.guardrails.e", {"proof": Proven(guardrails={"e": Margin(MarginKind.ABSOLUTE, math.nan)}, alpha_pass=0.05)}),
    ("proof.guardrails.e", {"proof": Proven(guardrails={"e": Margin(MarginKind.ABSOLUTE, -0.1)}, alpha_pass=0.05)}),
    ("proof.alpha_pass", {"proof": replace(ENVELOPE.proof, alpha_pass=math.nan)}),
    ("proof.alpha_pass", {"proof": replace(ENVELOPE.proof, alpha_pass=1.0)}),
    ("proof.maturity", {"proof": replace(ENVELOPE.proof, maturity=1.1)}),
]


@pytest.mark.parametrize(("where", "change"), WRONG)
def test_what_says_nothing_or_cannot_be_is_refused_where_it_stands(where: str, change: dict[str, Any]) -> None:
    check_envelope(ENVELOPE)
    with pytest.raises(AgreementInvalid) as refused:
        check_envelope(replace(ENVELOPE, **change))
    assert refused.value.where == where


def guarding(**margins: Margin) -> dict[str, Any]:
    """Return an edit by which some guardrails have other margins."""
    return {"proof": replace(ENVELOPE.proof, guardrails={**ENVELOPE.proof.guardrails, **margins})}


EDITS: list[tuple[str, str, dict[str, Any]]] = [
    ("looser", "it lets these fields come: carrier", {"features": Features(add=("carrier",))}),
    ("looser", "gives the approval of 1 of compliance", {"falls_away": (*ENVELOPE.falls_away, Need("compliance"))}),
    ("stricter", "gives the approval of 0 of security; it was 1", {"falls_away": (Need("product"),)}),
    ("stricter", "leaves to be approved by 1 of data-science", {"remains": (Need("data-science"),)}),
    ("stricter", "it ends", {"until": ENVELOPE.until - DAY}),
    ("looser", "it ends", {"until": ENVELOPE.until + DAY}),
    ("stricter", "is reviewed every 90 days; it was never", {"review_every": 90 * DAY}),
    (
        "looser",
        "the setting depth is 2 to 8",
        {"architecture": Architecture(settings={"depth": Bound(least=2, most=8)})},
    ),
    (
        "other",
        "the setting depth is 4 to 9",
        {"architecture": Architecture(settings={"depth": Bound(least=4, most=9)})},
    ),
    ("looser", "the setting depth is 3 or more", {"architecture": Architecture(settings={"depth": Bound(least=3)})}),
    ("stricter", "the setting depth may not change", {"architecture": Architecture()}),
    ("looser", "data as old as 46 days", {"data": replace(ENVELOPE.data, newest=46 * DAY)}),
    ("looser", "as short as 0 days", {"data": replace(ENVELOPE.data, shortest=0)}),
    ("looser", "auc on all is 0.6 to 0.9", {"metrics": (Band(metric="auc", least=0.6, most=0.9, rows=1_000),)}),
    ("looser", "rest on rows: 10", {"metrics": (replace(ENVELOPE.metrics[0], rows=10),)}),
    ("stricter", "differ from the incumbent's by 0.1", {"metrics": (replace(ENVELOPE.metrics[0], within=0.1),)}),
    ("stricter", "it asks that loss on all", {"metrics": (*ENVELOPE.metrics, Band(metric="loss", most=1.0))}),
    ("stricter", "steps of 40%", {"exposure": replace(ENVELOPE.exposure, most=4_000)}),
    ("looser", "growth of any size", {"exposure": replace(ENVELOPE.exposure, growth=UNSET)}),
    ("stricter", "asks for the stages shadow", {"exposure": replace(ENVELOPE.exposure, stages=(StageKind.SHADOW,))}),
    ("looser", "leaves free code", {"free": ("code",)}),
    ("looser", "alpha_pass 0.1; it was 0.05", {"proof": replace(ENVELOPE.proof, alpha_pass=0.1)}),
    ("stricter", "asks for outcomes: 0.9", {"proof": replace(ENVELOPE.proof, maturity=0.9)}),
    ("looser", "asks to look at origin no more", {"proof": replace(ENVELOPE.proof, slices=())}),
    ("stricter", "margin of errors is 0.04 at most", guarding(errors=Margin(MarginKind.ABSOLUTE, 0.04))),
    ("other", "margin of errors is 4% at most", guarding(errors=Margin(MarginKind.RELATIVE, 0.04))),
    ("stricter", "asks for a proof of cost", guarding(cost=Margin(MarginKind.ABSOLUTE, 0.04))),
]


@pytest.mark.parametrize(("way", "words", "change"), EDITS, ids=[edit[1] for edit in EDITS])
def test_an_edit_says_which_way_it_goes(way: str, words: str, change: dict[str, Any]) -> None:
    edited = replace(ENVELOPE, **change)
    ((found, sentence),) = changes(ENVELOPE, edited)
    assert found == way
    assert words in sentence
    opposite = {"looser": "stricter", "stricter": "looser", "other": "other"}[way]
    assert [each for each, _ in changes(edited, ENVELOPE)] == [opposite]
    assert not list(changes(ENVELOPE, ENVELOPE))


def test_an_envelope_is_said_in_sentences_with_all_that_it_asks() -> None:
    said = "\n".join(explained(ENVELOPE))
    for words in (
        "product, security",
        "depth is 3 to 8",
        "45 days old",
        "auc on all is 0.7 to 0.9",
        "10% first",
        "5 times",
    ):
        assert words in said
