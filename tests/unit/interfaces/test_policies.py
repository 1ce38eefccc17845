"""Policies and dossiers as people write them: what is wrong is shown at its place, and what is shipped is what is read."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import glideslope.interfaces.cli
from glideslope.domain.governing.agreement import agreement_digest
from glideslope.domain.governing.kinds import document_of
from glideslope.domain.governing.policy import Policy, policy_digest
from glideslope.interfaces.cli.shipped import DOSSIER_SCHEMA_FILE, POLICIES, POLICY_SCHEMA_FILE, shipped
from glideslope.interfaces.document import agreements, tree
from glideslope.interfaces.document.policies import (
    DossierRefused,
    PolicyRefused,
    dossier_schema,
    policy_schema,
    read,
    read_cases,
    read_dossier,
)
from glideslope.interfaces.document.text import Source

FILES = Path(glideslope.interfaces.cli.__file__).parent / "files" / "policies"
SMALL = "policy: 1\nname: small\ntiers: [low, high]\nrules:\n  - {id: A, kind: evaluated_within, within: {low: 90d, high: 30d}}\n"
DOSSIER = (FILES / "dossier.yaml").read_text(encoding="utf-8")


def test_a_policy_is_read_with_its_cases_apart() -> None:
    found = read(SMALL + "cases:\n  - {name: c, dossier: d.yaml, passes: true}\n", file="p.yaml")

    assert found.policy == read(SMALL, file="p.yaml").policy
    assert [case.name for case in found.cases] == ["c"]
    assert policy_digest(found.policy) == policy_digest(read(SMALL, file="q.yaml").policy)


@pytest.mark.parametrize(
    ("before", "after", "shown", "words", "suggestion"),
    [
        (" within:", " withn:", "withn", "unknown key `withn`", "`within`"),
        ("90d", "90 days", "90 days", "`low` must be a time, like 30s", ""),
        ("high: 30d", "hi: 30d", "hi", "`hi` is no tier", ""),
        (", high: 30d", "", "{", "`within` says nothing about the tier high", ""),
        ("evaluated_within", "evaluated_withing", "evaluated_withing", "`kind` cannot be `evaluated_withing`", "`evaluated_within`"),
        ("kind: evaluated_within, ", "", "{", "`kind` is missing", ""),
        ("id: A, ", "", "{", "`id` is missing", ""),
        ("id: A", "id: a b", "a b", "`id` must be a name", ""),
        ("[low, high]", "[]", "[", "`tiers` needs at least one entry", ""),
        ("policy: 1\n", "", "n", "`policy` is missing", ""),
        ("policy: 1", "policy: 2", "2", "this reads policies of format 1", ""),
        ("name: small", "name: 7", "7", "`name` must be a name", ""),
        ("{low: 90d, high: 30d}", "7", "7", "`within` must be a time", ""),
        ("30d}}", "30d}, tiers: [low, medium]}", "[", "`medium` is no tier", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_shown_at_its_place(before: str, after: str, shown: str, words: str, suggestion: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        read(SMALL.replace(before, after, 1), file="p.yaml")

    error = refused.value
    assert words in error.sentence
    assert error.source[error.column - 1 :].startswith(shown)
    assert error.source in SMALL.replace(before, after, 1).splitlines()
    assert (error.code, error.file, error.suggestion) == ("policy-invalid", "p.yaml", suggestion)


def test_two_rules_of_one_name_and_a_rule_that_asks_nothing_are_refused() -> None:
    twice = SMALL + "  - {id: A, kind: rebuildable}\n"
    nothing = SMALL + "  - {id: B, kind: exposure_at_most}\n"

    with pytest.raises(PolicyRefused, match="`A` names two rules"):
        read(twice, file="p.yaml")
    with pytest.raises(PolicyRefused, match="`first` or `largest` is expected") as refused:
        read(nothing, file="p.yaml")
    assert refused.value.line == 6


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("verdict: pass", "verdict: passed", 104, "`verdict` cannot be `passed`"),
        ("share: 100,", "share: 20000,", 33, "at most 10000 basis points"),
        ("now: 2026-11-20T09:00:00Z", "now: yesterday", 4, "`now` must be a whole number"),
        ("tier: high", "teir: high", 5, "unknown key `teir`"),
        ("  model: credit\n", "", 8, "`model` is missing"),
        ("seed: 17", "seed: 1.5", 49, "`seed` must be a whole number, not `1.5`"),
    ],
)
def test_a_dossier_is_refused_at_its_place(before: str, after: str, line: int, words: str) -> None:
    with pytest.raises(DossierRefused) as refused:
        read_dossier(DOSSIER.replace(before, after, 1), file="d.yaml")

    assert words in refused.value.sentence
    assert refused.value.source == DOSSIER.replace(before, after, 1).splitlines()[refused.value.line - 1]
    assert before.strip().split(":", maxsplit=1)[0] in DOSSIER
    assert abs(refused.value.line - line) <= 12, refused.value.line


def test_json_is_read_as_yaml_is_and_refused_at_its_place() -> None:
    document = tree.read(Source(text=DOSSIER, file="d")).value
    text = json.dumps(document, indent=1)

    assert read_dossier(text, file="d.json") == read_dossier(DOSSIER, file="d.yaml")
    with pytest.raises(DossierRefused) as refused:
        read_dossier(text.replace('"share": 100,', '"share": -1,', 1), file="d.json")
    assert '"share": -1' in refused.value.source
    with pytest.raises(DossierRefused, match="written twice"):
        read_dossier('{"now": 1, "now": 2}', file="d.json")


def test_cases_that_expect_nothing_are_refused() -> None:
    with pytest.raises(PolicyRefused, match="says what it expects"):
        read_cases("cases:\n  - {name: c, dossier: d.yaml}\n", file="c.yaml")


def test_the_shipped_schemas_are_those_of_the_readers_and_accept_what_is_shipped() -> None:
    found = json.loads(shipped(POLICY_SCHEMA_FILE))
    assert found == json.loads(json.dumps(policy_schema()))
    assert json.loads(shipped(DOSSIER_SCHEMA_FILE)) == json.loads(json.dumps(dossier_schema()))
    jsonschema.Draft202012Validator.check_schema(found)
    validator = jsonschema.Draft202012Validator(found)
    for name in POLICIES:
        written: Any = tree.read(Source(text=shipped(f"policies/{name}.yaml"), file=name)).value
        assert [error.message for error in validator.iter_errors(written)] == []
    assert not validator.is_valid({"policy": 1, "name": "x", "tiers": ["a"], "rules": []})
    assert not validator.is_valid({"policy": 1, "name": "x", "tiers": ["a"], "rules": [{"id": "A", "kind": "nope"}]})


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_can_be_agreed_on_and_has_one_digest(name: str) -> None:
    """What `policy check` names is what an agreement names: an edit of a policy is itself a governed proposal."""
    text = shipped(f"policies/{name}.yaml")
    tabled = agreements.read(text, file="policy.yaml")
    policy = read(text, file="policy.yaml").policy

    assert (tabled.of, tabled.name) == ("policy", name)
    assert isinstance(tabled.agreed, Policy)
    assert agreement_digest(document_of(tabled.agreed)) == policy_digest(policy)
