"""What `init` writes for a kind and tier of model, with each policy, can be used as it is: it passes its own policy's tests and rules."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from glideslope.domain.events import Registered
from glideslope.domain.freeze import Baseline, freeze, plan_digest
from glideslope.domain.governing.approval import Approval, unmet
from glideslope.domain.governing.dossier import dossier_of, plan_figures
from glideslope.domain.governing.organisation import BREACH, Organisation, Right
from glideslope.domain.governing.policy import Fail, NoEvidence, Policy
from glideslope.domain.governing.tiers import tighten
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName
from glideslope.domain.plan import Plan, StageKind
from glideslope.interfaces.cli import templates
from glideslope.interfaces.cli.shipped import POLICIES, shipped
from glideslope.interfaces.document import agreements, policies, reading

OF_THE_PLAN = {"stages_required", "exposure_at_most", "not_faster_than", "error_chance_at_most"}
EVERY = [
    (kind, tier, policy) for policy, tiers in templates.TIERS.items() for tier in tiers for kind in templates.KINDS
]


def version(name: str) -> Registered:
    return Registered(
        model=ModelName("credit"),
        version=VersionName(name),
        digest=Digest("sha256:" + name[-1] * 64),
        url="http://host",
        by=Actor("ada"),
        why="trained",
    )


def frozen(text: str, organisation: Organisation | None) -> Plan:
    draft = reading.read(text, file="glideslope.yaml").draft
    tier = None if organisation is None else organisation.tier_of(draft.model)
    strict = draft if tier is None else tighten(draft, tier)[0]
    return freeze(strict, incumbent=version("v1"), candidate=version("v2"), baseline=Baseline())


@pytest.mark.parametrize(("kind", "tier", "policy"), EVERY)
def test_a_plan_is_as_careful_as_its_tier_and_policy_ask(kind: str, tier: str, policy: str) -> None:
    asked = templates.Asked(model="credit", kind=kind, tier=tier, policy=policy)
    text = templates.plan(asked)
    assert "@" not in text.replace("you@example.com", "")
    if not policy:
        assert frozen(text, None).model == "credit"
        return
    names = tuple(g.metric for g in reading.read(text, file="glideslope.yaml").draft.guardrails)
    document = agreements.read(templates.organisation(asked), file="organisation.yaml")
    organisation = document.agreed
    assert isinstance(organisation, Organisation)
    tier_ = organisation.tier_of(ModelName("credit"))
    assert tier_ is not None
    assert tier_.name == tier
    plan = frozen(text, organisation)
    found = policies.read(shipped(f"policies/{policy}.yaml"), file="policy.yaml").policy
    assert set(found.tiers) == {t.name for t in organisation.tiers}
    written = policies.read_document(shipped("policies/dossier.yaml"), file="dossier.yaml")
    dossier = replace(dossier_of(written), tier=tier, plan=plan_figures(plan, plan_digest(plan)))
    for rule in found.rules:
        if rule.kind() in OF_THE_PLAN:
            answer = rule.answer(dossier, found.tiers)
            assert not isinstance(answer, Fail | NoEvidence), (rule.id, answer)
    owned = {o.name for o in organisation.owned if o.kind.value == "metric"}
    assert set(names) == owned == set(templates.KINDS[kind].metrics)
    assert templates.KINDS[kind].benefit in owned
    assert organisation.is_reachable(plan.owner)


def test_more_care_is_more_care() -> None:
    plans = [
        frozen(templates.plan(templates.Asked(model="credit", kind="classifier", tier=tier, policy="")), None)
        for tier in ("low", "medium", "high")
    ]
    firsts = [next(s.candidate for s in plan.steps if s.stage is StageKind.CANARY) for plan in plans]
    lasting = [sum(s.minimum for s in plan.steps) for plan in plans]
    assert firsts == sorted(firsts, reverse=True)
    assert lasting == sorted(lasting)
    assert len(set(firsts)) == len(set(lasting)) == 3


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_written_passes_its_own_checks(desk: Any, policy: str, tmp_path: Path) -> None:
    (tmp_path / "glideslope.yaml").unlink()

    told = desk.run("init", "--policy", policy, "--model", "credit", "--json")

    files = json.loads(told.stdout)["files"]
    assert {"glideslope.yaml", "organisation.yaml", "threats.yaml", "policy.yaml", "dossier.yaml"} <= set(files)
    for arguments in (
        ("policy", "test"),
        ("policy", "check"),
        ("agree", "check", "organisation.yaml"),
        ("agree", "check", "threats.yaml"),
    ):
        found = desk.run(*arguments)
        assert found.exit_code == 0, found.output
    again = desk.run("init", "--policy", policy)
    assert again.exit_code != 0
    assert "file-exists" in again.stderr
    read = agreements.read((tmp_path / "policy.yaml").read_text(encoding="utf-8"), file="policy.yaml")
    assert isinstance(read.agreed, Policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_after_a_breach_there_are_three_people_who_can_sign_off(policy: str) -> None:
    text = templates.organisation(
        templates.Asked(model="credit", kind="classifier", tier=templates.TIERS[policy][0], policy=policy)
    )
    agreed = agreements.read(text, file="organisation.yaml").agreed
    assert isinstance(agreed, Organisation)

    yeses = [
        Approval(by=p.id, digest=Digest(""), functions=p.functions, at=0)
        for p in agreed.people
        if Right.REVIEW in p.rights
    ]

    assert unmet(BREACH, yeses) == ()


def test_a_tier_of_another_policy_and_a_name_that_cannot_be_are_refused(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "glideslope.yaml").unlink()

    assert "there are sandbox, trial" in desk.run("init", "--policy", "lab", "--tier", "high").stderr
    assert "name-invalid" in desk.run("init", "--kind", "ranker", "--model", "My Model").stderr
    assert list(tmp_path.glob("*.yaml")) == []
    assert "stages:" in desk.run("init", "--kind", "ranker", "--tier", "high").stdout + (
        tmp_path / "glideslope.yaml"
    ).read_text(encoding="utf-8")
