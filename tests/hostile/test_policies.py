"""Policies, dossiers and what an OPA server answers, from anybody: a value, or an error of ours at its place."""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from glideslope.adapters.rules.opa import _outcome
from glideslope.domain.errors import GlideslopeError
from glideslope.domain.governing.policy import Fail, NoEvidence, Pass, examine
from glideslope.interfaces.document import policies
from glideslope.interfaces.document.text import DocumentInvalid
from glideslope.testing.hostile import changed

SEEDS = st.integers(0, 2**64)

POLICY = b"""policy: 1
name: small
tiers: [low, high]
rules:
  - {id: A, kind: evaluated_within, within: {low: 90d, high: 30d}}
  - {id: B, kind: fairness_within, limits: [{metric: m, attribute: a, at_most: 0.03}], min_rows: 10}
  - {id: C, kind: reviewed_within, of: {policy: 365d}, tiers: [high]}
  - {id: D, kind: exposure_at_most, first: 5%}
cases:
  - {name: c, dossier: d.yaml, set: {tier: low}, expect: {A: pass}}
"""
DOSSIER = b"""format: 1
now: 2026-11-20T09:00:00Z
tier: high
change: {model: m, candidate: v2, candidate_digest: "sha256:%b", incumbent: v1, incumbent_digest: "sha256:%b",
  proposer: ana, proposed_at: 2026-11-18, digest: "sha256:%b"}
plan: {digest: "sha256:%b", alpha: 0.01, alpha_pass: 0.05, guardrails: [errors], steps: [{stage: canary, share: 100, minimum: 5}]}
reviews: [{of: policy, by: x, reviewed_at: 2026-06-02}]
""" % (b"1" * 64, b"2" * 64, b"3" * 64, b"4" * 64)
PLAIN = policies.read(POLICY.decode(), file="p.yaml").policy


@given(seed=SEEDS)
@settings(max_examples=150)
def test_a_changed_policy_is_read_or_refused_at_its_place(seed: int) -> None:
    text = changed(POLICY, Random(seed)).decode(errors="replace")
    try:
        policies.read(text, file="p.yaml")
    except DocumentInvalid as error:
        assert error.line >= 1  # noqa: PT017 - most are read
        assert len(str(error)) < 20_000  # noqa: PT017 - as above


@given(seed=SEEDS)
@settings(max_examples=150)
def test_a_changed_dossier_is_answered_or_refused_at_its_place(seed: int) -> None:
    """Whatever it says, every rule answers, and no answer is an exception."""
    text = changed(DOSSIER, Random(seed)).decode(errors="replace")
    try:
        dossier = policies.read_dossier(text, file="d.yaml")
    except DocumentInvalid as error:
        assert error.line >= 1  # noqa: PT017 - most are read
    else:
        assert len(examine(PLAIN, dossier)) == len(PLAIN.rules)


@given(st.binary(max_size=300) | SEEDS)
@settings(max_examples=150)
def test_whatever_an_opa_server_says_is_an_answer(said: bytes | int) -> None:
    good = b'{"result": {"passes": true, "findings": ["a", ""]}}'
    body = changed(good, Random(said)) if isinstance(said, int) else said
    try:
        found = _outcome(body, "a/b")
    except GlideslopeError as error:
        raise AssertionError(error) from error
    assert isinstance(found, (Pass, Fail, NoEvidence))
