"""Policies and dossiers as people write them: read with a position for everything that is wrong, and the JSON Schemas of both files."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from glideslope.domain.errors import DossierInvalid, PlanInvalid, PolicyInvalid
from glideslope.domain.governing import dossier as dossiers
from glideslope.domain.governing.dossier import Dossier, check_dossier, dossier_of, with_moments
from glideslope.domain.governing.policy import Policy, check_policy
from glideslope.domain.governing.policy.examining import FORMAT
from glideslope.domain.governing.policy.trying import Case, Cases
from glideslope.interfaces.document import tree
from glideslope.interfaces.document.structs import converted, place
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Tree

LARGEST: Final = 1 << 20
"""Characters of a policy or a dossier."""
POLICY_SCHEMA_FILE: Final = "policy.schema.json"
DOSSIER_SCHEMA_FILE: Final = "dossier.schema.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
CASES: Final = "cases"


class PolicyRefused(PolicyInvalid, DocumentInvalid):
    """What is wrong with a policy or its cases, at its place in a file."""


class DossierRefused(DossierInvalid, DocumentInvalid):
    """What is wrong with a dossier, at its place in a file."""


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy with the cases that are written into its file."""

    policy: Policy
    cases: tuple[Case, ...]
    tree: Tree


def read(text: str, *, file: str) -> PolicyDocument:
    """Read a policy as written. Raises PolicyRefused."""
    found = _tree(text, file=file, what="policy", error=PolicyRefused)
    if "policy" not in found.value:
        raise found.source.refusal(
            f"`policy` is missing; a policy begins with its format, `policy: {FORMAT}`", found.span(())
        )
    policy = converted(found, Policy, without=CASES)
    try:
        check_policy(policy)
    except PolicyInvalid as error:
        raise _at_its_place(error, found) from None
    cases = converted(found, Cases, prepared=_alone).cases if CASES in found.value else ()
    return PolicyDocument(policy=policy, cases=cases, tree=found)


def read_cases(text: str, *, file: str) -> tuple[Case, ...]:
    """Read the cases that stand in a file of their own. Raises PolicyRefused."""
    return converted(_tree(text, file=file, what="list of cases", error=PolicyRefused), Cases).cases


def _alone(document: dict[str, Any]) -> dict[str, Any]:
    return {CASES: document[CASES]}


def read_document(text: str, *, file: str) -> dict[str, Any]:
    """Read a dossier's plain values, for cases that change some of them. Raises DossierRefused."""
    if file.endswith(".json"):
        quick = _json(text)
        if quick is not None:
            return quick
    return dict(_tree(text, file=file, what="dossier", error=DossierRefused).value)


def read_dossier(text: str, *, file: str) -> Dossier:
    """Read a dossier as written, in YAML or JSON. Raises DossierRefused."""
    if file.endswith(".json"):
        quick = _json(text)
        try:
            if quick is not None:
                return dossier_of(quick)
        except DossierInvalid:
            pass  # read again with places, to say where
    found = _tree(text, file=file, what="dossier", error=DossierRefused)
    dossier = converted(found, Dossier, prepared=with_moments)
    try:
        check_dossier(dossier)
    except DossierInvalid as error:
        raise _at_its_place(error, found) from None
    return dossier


def policy_schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of a policy's file, with the cases that may stand in it."""
    (root, cases), parts = msgspec.json.schema_components((Policy, Cases), ref_template="#/$defs/{name}")
    del root, cases
    policy = parts.pop("Policy")
    beside = parts.pop("Cases")
    policy["properties"]["policy"] = {"const": FORMAT, "description": "The format of this file."}
    policy["properties"][CASES] = beside["properties"][CASES]
    policy["required"] = ["policy", *policy["required"]]
    return {
        "$schema": DIALECT,
        "$id": "urn:glideslope:policy:1",
        **policy,
        "title": "policy.yaml",
        "$defs": dict(sorted(parts.items())),
    }


def dossier_schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of a dossier."""
    return dossiers.schema()


def _tree(text: str, *, file: str, what: str, error: type[DocumentInvalid]) -> Tree:
    return tree.read(Source(text=text, file=file, what=what, error=error), largest=LARGEST)


def _at_its_place(error: PlanInvalid, found: Tree) -> DocumentInvalid:
    # What is wrong with a key is shown at the key.
    key = error.sentence.startswith(f"`{error.where.rpartition('.')[2]}` is no ")
    return found.source.refusal(error.sentence, found.span(place(found, error.where), key=key), where=error.where)


def _json(text: str) -> dict[str, Any] | None:
    """Read JSON quickly; None for what is none, or has a key twice."""
    try:
        value = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is written twice")
    return found
