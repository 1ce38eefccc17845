"""A dossier's form: what its schema refuses its reader refuses, and the other way round; and its digests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from glideslope.domain.errors import DossierInvalid
from glideslope.domain.events import Proposed, event_of
from glideslope.domain.governing.dossier import (
    COVERED,
    Dossier,
    advisories_digest,
    change_digest,
    dossier_digest,
    dossier_of,
    plan_figures,
    schema,
    with_moments,
)
from glideslope.domain.governing.policy.damaging import DESTROYED, damages
from glideslope.domain.plan import StageKind
from glideslope.interfaces.cli.shipped import DOSSIER_SCHEMA_FILE, shipped

GOLDEN = Path(__file__).parents[3] / "golden" / "domain" / "v1"


def reads(document: Any) -> bool:
    try:
        dossier_of(document)
    except DossierInvalid:
        return False
    return True


def test_the_schema_and_the_reader_agree_about_every_damage(document: dict[str, Any]) -> None:
    """Both refuse the same, but for what no schema of ours can say."""
    jsonschema.Draft202012Validator.check_schema(dict(schema()))
    validator = jsonschema.Draft202012Validator(dict(schema()))
    assert validator.is_valid(document)

    # Of each list one entry: jsonschema takes its time.
    done = [d for d in damages(document) if d.how in DESTROYED and not any(isinstance(p, int) and p for p in d.path)]
    apart = [
        (damage.where, damage.how, reads(damage.document))
        for damage in done
        if validator.is_valid(damage.document) is not reads(damage.document)
    ]

    # Facts look at their own forms beyond their schema (what goes with what); a number that is none is no JSON to begin with.
    beyond = {(w, h) for w, h, read in apart if read}
    assert beyond == set(), "what the schema refuses is not read"
    for where, how, _ in apart:
        assert how == "not finite" or where.startswith("candidate."), (where, how)


def test_the_shipped_schema_is_that_of_the_code() -> None:
    assert json.loads(shipped(DOSSIER_SCHEMA_FILE)) == json.loads(json.dumps(schema()))


@pytest.mark.parametrize(
    ("where", "drop", "parts"),
    [
        ("format", (), {"format": 2}),
        ("plan.steps.1.share", (), {"plan.steps.1.share": 10_001}),
        ("plan.alpha", (), {"plan.alpha": 1.0}),
        ("change.proposed_at", (), {"change.proposed_at": "2027-01-01"}),
        ("change.digest", (), {"change.digest": "sha256:12"}),
        ("candidate.datasets.0.fields.0.traced", (), {"candidate.datasets.0.fields.0.traced": -1}),
        ("evaluations.0.results.0.rows", (), {"evaluations.0.results.0.rows": -1}),
        ("change", ("change.model",), {}),
    ],
)
def test_what_cannot_be_is_refused_by_its_place(
    where: str, drop: tuple[str, ...], parts: dict[str, Any], made: Callable[..., Dossier]
) -> None:
    with pytest.raises(DossierInvalid) as refused:
        made(*drop, **{path.replace(".", "__"): value for path, value in parts.items()})
    assert refused.value.where == where


def test_an_instant_is_a_number_or_a_time_that_people_write() -> None:
    read = with_moments({"now": "2026-01-31T09:00:00.5Z", "as_of": "2026-01-31", "why": "2026-01-31", "at": "31.1."})

    assert read == {"now": 1769850000500, "as_of": 1769817600000, "why": "2026-01-31", "at": "31.1."}


def test_the_change_digest_covers_what_people_agree_on_and_nothing_that_moves_on(made: Callable[..., Dossier]) -> None:
    whole = made(agreed=False)
    assert whole.change.digest == change_digest(whole)
    for block in COVERED:
        assert change_digest(msgspec.structs.replace(whole, **{block: msgspec.UNSET})) != change_digest(whole)
    for block in ("approvals", "owners", "drills", "reviews", "incidents", "incumbent", "advisories", "denied_by"):
        assert change_digest(msgspec.structs.replace(whole, **{block: msgspec.UNSET})) == change_digest(whole)
        assert dossier_digest(msgspec.structs.replace(whole, **{block: msgspec.UNSET})) != dossier_digest(whole)


def test_the_advisories_of_the_example_are_those_of_their_digest(made: Callable[..., Dossier]) -> None:
    advisories = made().advisories
    assert not isinstance(advisories, msgspec.UnsetType)
    assert advisories_digest(advisories.entries) == advisories.digest


def test_a_dossier_goes_through_json_and_comes_back_the_same(made: Callable[..., Dossier]) -> None:
    whole = made()
    assert dossier_of(json.loads(msgspec.json.encode(whole))) == whole


def test_a_plans_figures_are_taken_from_its_steps() -> None:
    (path, *_) = sorted(GOLDEN.glob("*-rollout-proposed.json"))
    proposed = event_of("rollout-proposed", json.loads(path.read_text("utf-8"))["body"])
    assert isinstance(proposed, Proposed)

    figures = plan_figures(proposed.plan, proposed.plan_digest)

    assert figures.digest == proposed.plan_digest
    assert [step.share for step in figures.steps] == [step.candidate for step in proposed.plan.steps]
    assert figures.guardrails == tuple(dict.fromkeys(g.metric.name for g in proposed.plan.guardrails))
    assert StageKind.CANARY in figures.stages
    assert [step.share for step in figures.canary] == sorted(step.share for step in figures.canary)
