"""All that a policy looks at for one change at one instant, as values, so that the same dossier is answered alike for ever.

A block that is not there is not known, and what is not known is never a yes. An empty list is a statement ("there are none").
Instants are milliseconds since the epoch, UTC; shares are basis points.
"""

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Verdict
from glideslope.domain.errors import DossierInvalid, FactsInvalid, NameInvalid
from glideslope.domain.governing.approval import Approval
from glideslope.domain.governing.facts import LAST, LONGEST, MOST, Facts, check_facts
from glideslope.domain.ids import Actor, Digest, ModelName, VersionName, digest
from glideslope.domain.plan import MarginKind, Milliseconds, Plan, StageKind
from glideslope.ledger import canonical

FORMAT: Final = 1
ALL: Final = 10_000
"""Basis points of the whole traffic."""


class _Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A part of a dossier; strict."""


class Change(_Block, frozen=True, kw_only=True):
    """What is asked for, and why."""

    model: ModelName
    candidate: VersionName
    candidate_digest: Digest
    incumbent: VersionName
    incumbent_digest: Digest
    proposer: Actor
    proposed_at: int
    digest: Digest
    """Over all that people were asked to agree on, as `change_digest` makes it; approvals are bound to it."""
    why: str | UnsetType = UNSET
    benefit: str | UnsetType = UNSET
    """What should get better."""
    benefit_metric: str | UnsetType = UNSET
    """By which metric one will see it."""
    risks: tuple[str, ...] | UnsetType = UNSET
    rollback_plan: str | UnsetType = UNSET
    intended_use_changed: bool | UnsetType = UNSET


class Figure(_Block, frozen=True, kw_only=True):
    """One step of the plan."""

    stage: StageKind
    share: int = 0
    """The candidate's, in basis points."""
    minimum: Milliseconds
    """How long it takes at least."""


class Guard(_Block, frozen=True, kw_only=True):
    """A guardrail and how much worse it lets the candidate be."""

    metric: str
    kind: MarginKind
    margin: float
    """In the last step in which both arms are compared."""
    required: bool
    """Its proof is needed to go on; else it is only watched for harm."""


class Proof(_Block, frozen=True, kw_only=True):
    """What a plan lets nobody meet the candidate without."""

    guards: tuple[Guard, ...]
    maturity: float
    """The least share of outcomes that must have come before a proof on them counts."""
    slices: tuple[str, ...]
    """Fields by whose values the data is looked at separately."""


class PlanFigures(_Block, frozen=True, kw_only=True):
    """What a policy asks of a plan."""

    digest: Digest
    alpha: float
    alpha_pass: float
    steps: tuple[Figure, ...]
    guardrails: tuple[str, ...]
    criteria: int = 0
    """How many criteria the offline stage has."""
    proof: Proof | UnsetType = UNSET
    """What it proves; absent where no envelope asks for it."""

    @property
    def stages(self) -> frozenset[StageKind]:
        """Return the kinds of stage that it goes through."""
        return frozenset(step.stage for step in self.steps) | (
            frozenset({StageKind.OFFLINE}) if self.criteria else frozenset()
        )

    @property
    def canary(self) -> tuple[Figure, ...]:
        """Return the steps in which some subjects meet the candidate and some do not, in their order."""
        return tuple(step for step in self.steps if step.stage is StageKind.CANARY)


class Result(_Block, frozen=True, kw_only=True):
    """One metric on one slice."""

    metric: str
    slice: str
    rows: int
    verdict: Verdict
    candidate: float | UnsetType = UNSET
    incumbent: float | UnsetType = UNSET


class Evaluated(_Block, frozen=True, kw_only=True):
    """An offline evaluation: of which bytes, on what, by whom, and how it ended."""

    report: Digest
    of: Digest
    """The candidate's bytes that were measured."""
    against: Digest
    """The incumbent's."""
    holdout: str
    measured_at: int
    results: tuple[Result, ...]
    skipped: tuple[str, ...]
    """Checks that it was asked for and left out."""
    by: Actor | UnsetType = UNSET


class InputContract(_Block, frozen=True, kw_only=True):
    """The data contract of the model's live input, by its twelve digits, and how the candidate's differs."""

    in_force: str
    candidate: str
    breaking: tuple[str, ...]
    """What a caller of today would find broken; empty says that somebody compared them."""


class Owner(_Block, frozen=True, kw_only=True):
    """Who answers for a thing."""

    kind: str
    """`model`, `version`, `dataset`, `features`, `metric`, `policy`, `plan`, `playbook`."""
    name: str
    owner: str
    reachable: bool


class Drill(_Block, frozen=True, kw_only=True):
    """A rollback that was practised; measured by the machine, unless somebody tells of it."""

    kind: str
    drilled_at: int
    passed: bool
    restored_in: Milliseconds | UnsetType = UNSET
    """Until all traffic was back at the incumbent."""
    told_by: Actor | UnsetType = UNSET
    """By whose word alone it is known."""


class Advisory(_Block, frozen=True, kw_only=True):
    """A known weakness of a package."""

    id: str
    package: str
    versions: tuple[str, ...]
    """The affected ones, each named; `*` is every version."""
    severity: str
    """`low`, `moderate`, `high`, `critical`, or `unknown`."""


class Advisories(_Block, frozen=True, kw_only=True):
    """A file of advisories, as of when it was asked for."""

    source: str
    as_of: int
    digest: Digest
    """Of its entries, as `advisories_digest` makes it: an entry that was dropped shows."""
    entries: tuple[Advisory, ...]


class Review(_Block, frozen=True, kw_only=True):
    """Somebody looked at something again and stands by it."""

    of: str
    """`policy`, `threat-model`, `access`, or another word that the policy uses."""
    by: Actor
    reviewed_at: int


class OpenIncident(_Block, frozen=True, kw_only=True):
    """An incident of the model that is not closed, and which functions have agreed to go on."""

    id: str
    opened_at: int
    agreed_by: tuple[str, ...] = ()


class Incidents(_Block, frozen=True, kw_only=True):
    """What is open, as of when it was looked up."""

    as_of: int
    open: tuple[OpenIncident, ...]


class Dossier(_Block, frozen=True, kw_only=True):
    """One change at one instant."""

    format: int = FORMAT
    now: int
    change: Change
    tier: str | UnsetType = UNSET
    policy: Digest | UnsetType = UNSET
    """The policy that was in force when the change was proposed."""
    plan: PlanFigures | UnsetType = UNSET
    candidate: Facts | UnsetType = UNSET
    incumbent: Facts | UnsetType = UNSET
    evaluations: tuple[Evaluated, ...] | UnsetType = UNSET
    contract: InputContract | UnsetType = UNSET
    approvals: tuple[Approval, ...] | UnsetType = UNSET
    denied_by: tuple[Actor, ...] | UnsetType = UNSET
    """Whose last word on this change is no."""
    owners: tuple[Owner, ...] | UnsetType = UNSET
    drills: tuple[Drill, ...] | UnsetType = UNSET
    advisories: Advisories | UnsetType = UNSET
    reviews: tuple[Review, ...] | UnsetType = UNSET
    incidents: Incidents | UnsetType = UNSET


COVERED: Final = ("tier", "policy", "plan", "candidate", "evaluations", "contract")
"""The blocks besides the change itself that people agree on. What is not here moves on by itself."""


def change_digest(dossier: Dossier) -> Digest:
    """Return SHA-256 over the canonical bytes of the change and of all that is covered with it.

    An approval of this digest is void as soon as model, data, evaluation, policy or plan are others.
    """
    whole = msgspec.to_builtins(dossier)
    change = {key: value for key, value in whole["change"].items() if key != "digest"}
    covered = {block: whole[block] for block in COVERED if block in whole}
    return _sha256({"change": change, **covered})


def covered_parts(dossier: Dossier) -> Mapping[str, Digest]:
    """Return the digest of each part that people agree on, by its name, so that one can say which of them is another."""
    whole = msgspec.to_builtins(dossier)
    change = {key: value for key, value in whole["change"].items() if key != "digest"}
    return {
        "change": _sha256(change),
        **{block: _sha256(whole[block]) for block in COVERED if block in whole},
    }


def advisories_digest(entries: tuple[Advisory, ...]) -> Digest:
    """Return SHA-256 over the canonical bytes of advisories."""
    return _sha256(msgspec.to_builtins(entries))


def dossier_digest(dossier: Dossier) -> Digest:
    """Return SHA-256 over the canonical bytes of all of it: what a record of answers names."""
    return _sha256(msgspec.to_builtins(dossier))


def _sha256(value: object) -> Digest:
    return Digest(f"sha256:{sha256(canonical.encode(value)).hexdigest()}")


def plan_figures(plan: Plan, plan_digest: Digest) -> PlanFigures:
    """Return what a policy asks of a frozen plan."""
    governed = plan.governed
    return PlanFigures(
        digest=plan_digest,
        alpha=plan.alpha,
        alpha_pass=plan.alpha_pass,
        steps=tuple(Figure(stage=step.stage, share=step.candidate, minimum=step.minimum) for step in plan.steps),
        guardrails=tuple(dict.fromkeys(guardrail.metric.name for guardrail in plan.guardrails)),
        criteria=len(plan.criteria),
        proof=UNSET if isinstance(governed, UnsetType) or isinstance(governed.envelope, UnsetType) else proof_of(plan),
    )


def proof_of(plan: Plan) -> Proof:
    """Return what a plan proves before everybody meets the candidate."""
    loosen = next((step.loosen for step in reversed(plan.steps) if step.has_coin), 1.0)
    return Proof(
        guards=tuple(
            Guard(metric=g.metric.name, kind=g.margin.kind, margin=g.margin.size * loosen, required=g.required)
            for g in plan.guardrails
        ),
        maturity=plan.maturity,
        slices=tuple(dimension.field for dimension in plan.dimensions),
    )


DIGESTS: Final = frozenset(
    {"digest", "candidate_digest", "incumbent_digest", "policy", "report", "of", "against", "lock", "envelope"}
)
"""Members that hold a digest, wherever they stand; `of` of a review does not."""


def is_moment(name: str) -> bool:
    """Tell by its name whether a member is an instant."""
    return name in {"now", "as_of", "at", "since"} or name.endswith("_at")


def is_count(name: str) -> bool:
    """Tell by its name whether a member is a number of something: never below zero."""
    return is_moment(name) or name in {"rows", "share", "minimum", "restored_in", "criteria", "traced", "hops"}


def check_dossier(dossier: Dossier) -> None:
    """Refuse what cannot be. Raises DossierInvalid with `where` naming the part: `evaluations.0.results.2.rows`."""
    if dossier.format != FORMAT:
        raise DossierInvalid(f"this reads dossiers of format {FORMAT}", where="format")
    for block in ("candidate", "incumbent"):
        facts = getattr(dossier, block)
        if isinstance(facts, Facts):
            for name in ("model", "version"):  # which facts themselves are not asked about
                for path, sentence in _wrong_text((block, name), getattr(facts, name)):
                    raise DossierInvalid(sentence, where=".".join(map(str, path)))
            try:
                check_facts(facts)
            except FactsInvalid as error:
                raise DossierInvalid(error.sentence, where=f"{block}.{error.where}") from None
    for path, sentence in _wrong((), dossier):
        raise DossierInvalid(sentence, where=".".join(map(str, path)))


def check_advisories(found: Advisories, *, now: int) -> None:
    """Refuse advisories that cannot be, or that were gathered after `now`. Raises DossierInvalid with `where`."""
    for path, sentence in _wrong(("advisories",), found):
        raise DossierInvalid(sentence, where=".".join(map(str, path)))
    if found.as_of > now:
        raise DossierInvalid("they were gathered after now", where="advisories.as_of")
    if found.digest != advisories_digest(found.entries):
        raise DossierInvalid("the digest is not that of the entries", where="advisories.digest")


def dossier_of(document: object) -> Dossier:
    """Read a dossier from plain values, as JSON or YAML give them. Raises DossierInvalid with `where`.

    An instant may be written as a number of milliseconds or as RFC 3339 in UTC, to the second or finer, or as a day.
    """
    try:
        dossier = msgspec.convert(with_moments(document), Dossier)
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `$")
        raise DossierInvalid(sentence, where=place.strip("`.").replace("[", ".").replace("]", "")) from None
    check_dossier(dossier)
    return dossier


def with_moments(value: Any, name: str = "") -> Any:  # noqa: ANN401 - JSON
    """Return a document with every instant as a number; text that is none stays, and is refused as text."""
    match value:
        case dict():
            return {key: with_moments(each, str(key)) for key, each in value.items()}
        case list() | tuple():
            return [with_moments(each) for each in value]
        case str() if is_moment(name):
            return _milliseconds(value)
        case _:
            return value


_WRITTEN: Final = re.compile(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(\.\d{1,3})?Z)?", re.ASCII)


def _milliseconds(text: str) -> int | str:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return text
    try:
        moment = datetime.fromisoformat(f"{found[1]}T{found[2] or '00:00:00'}+00:00")
    except ValueError:
        return text
    return round(moment.timestamp()) * 1_000 + round(float(found[3] or 0) * 1_000)


_Path = tuple[str | int, ...]


def _wrong(path: _Path, value: Any) -> Iterator[tuple[_Path, str]]:  # noqa: ANN401 - any member's
    match value:
        case Facts():
            return  # checked as facts
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from _wrong((*path, name), getattr(value, name))
            yield from _disordered(path, value)
        case tuple():
            if len(value) > MOST:
                yield path, f"a list has at most {MOST:,} entries"
            for number, each in enumerate(value):
                yield from _wrong((*path, number), each)
        case str():
            yield from _wrong_text(path, value)
        case bool():
            return
        case int():
            name = _name(path)
            if is_count(name) and not 0 <= value <= LAST:
                yield path, "this is no number of something, and no time since 1970"
        case float() if not math.isfinite(value):
            yield path, "a number is finite"


def _disordered(path: _Path, block: msgspec.Struct) -> Iterator[tuple[_Path, str]]:
    match block:
        case Figure(share=share) if share > ALL:
            yield (*path, "share"), f"a share is at most {ALL} basis points"
        case PlanFigures(alpha=alpha) if not 0 < alpha < 1:
            yield (*path, "alpha"), "a chance of error lies between 0 and 1"
        case PlanFigures(alpha_pass=alpha_pass) if not 0 < alpha_pass < 1:
            yield (*path, "alpha_pass"), "a chance of error lies between 0 and 1"
        case Dossier(now=now, change=change) if change.proposed_at > now:
            yield ("change", "proposed_at"), "nothing is proposed after now"


def _wrong_text(path: _Path, text: str) -> Iterator[tuple[_Path, str]]:
    if not 0 < len(text) <= LONGEST or not text.strip():
        yield path, f"a text has 1 to {LONGEST:,} characters"
    elif not all(c.isprintable() or c == "\n" for c in text):
        yield path, "a text has characters that can be printed"
    elif _holds_digest(path):
        try:
            digest(text)
        except NameInvalid:
            yield path, "a digest is sha256: and 64 hexadecimal digits"


def _name(path: _Path) -> str:
    return next((part for part in reversed(path) if isinstance(part, str)), "")


def _holds_digest(path: _Path) -> bool:
    return _name(path) in DIGESTS and path[0] != "reviews"


def schema() -> Mapping[str, Any]:
    """Return the JSON Schema (2020-12) of a dossier: closed, with every text, digest and number in its form.

    An instant is a number of milliseconds, or in a file that people write a time like 2026-01-31T09:00:00Z.
    """
    (root,), parts = msgspec.json.schema_components((Dossier,), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:glideslope:dossier:{FORMAT}",
        "title": "dossier",
        "description": "All that a policy looks at for one change at one instant. Absent is not known; empty is a statement.",
        **root,
        "$defs": {name: _strict(part, name) for name, part in sorted(parts.items())},
    }


_MOMENT: Final = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": LAST},
        {"type": "string", "pattern": r"^\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d{1,3})?Z)?$"},
    ]
}
_CHANCE: Final = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}


def _strict(node: Any, owner: str, name: str = "") -> Any:  # noqa: ANN401 - JSON
    match node:
        case list():
            return [_strict(each, owner, name) for each in node]
        case {"properties": dict(properties), **rest}:
            return {**rest, "properties": {key: _strict(each, owner, key) for key, each in properties.items()}}
        case {"type": "string"} if name in DIGESTS and owner != "Review":
            return {**node, "pattern": "^sha256:[0-9a-f]{64}$"}
        case {"type": "string"}:
            return {**node, "minLength": 1, "maxLength": LONGEST, "pattern": r"\S"}
        case {"type": "number"} if owner == "PlanFigures":
            return dict(_CHANCE)
        case {"type": "integer"} if is_moment(name):
            return dict(_MOMENT)
        case {"type": "integer"} if name == "format":
            return {"const": FORMAT}
        case {"type": "integer"} if is_count(name):
            return {**node, "minimum": 0, "maximum": ALL if name == "share" else LAST}
        case {"type": "array"}:
            return {key: _strict(each, owner, name) for key, each in node.items()} | {"maxItems": MOST}
        case dict() if "enum" not in node:
            return {key: _strict(each, owner, name) for key, each in node.items()}
        case _:
            return node
