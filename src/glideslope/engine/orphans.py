"""Things that the record names and that nobody owns who could be reached."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UnsetType

from glideslope.domain.governing.organisation import ArtifactKind, Organisation
from glideslope.domain.ids import VersionName
from glideslope.engine.record import Model, Record


class OrphanView(msgspec.Struct, frozen=True, kw_only=True):
    """A thing without an owner, or whose owner cannot be reached."""

    kind: str
    name: str
    owner: str
    """Whom somebody named and who cannot be reached; empty for nobody."""
    named_by: str
    """What names the thing."""


Thing = tuple[ArtifactKind, str, str, str]
"""Its kind and name, whom the thing's own description names as owner (empty for nobody), and what names the thing."""


def orphans(record: Record, organisation: Organisation) -> Sequence[OrphanView]:
    """Return them, each once: models, what serves or is proposed and what that is made of, metrics of plans under way, policies."""
    found: dict[tuple[ArtifactKind, str], OrphanView] = {}
    for kind, name, stated, named_by in _things(record):
        owner = organisation.owner_of(kind, name) or stated
        if not owner or not organisation.is_reachable(owner):
            view = OrphanView(kind=kind.value, name=name, owner=owner, named_by=named_by)
            found.setdefault((kind, name), view)
    return tuple(found.values())


def _things(record: Record) -> Iterator[Thing]:
    for agreement in record.agreements():
        if agreement.of == "policy" and agreement.in_force is not None:
            yield ArtifactKind.POLICY, agreement.name, "", "it is in force"
    for model in record.models():
        yield ArtifactKind.MODEL, model.name, "", "it is registered"
        if model.incumbent is not None:
            yield from _made_of(model, model.incumbent, f"{model.name} is served by {model.incumbent}")
    for rollout in record.open_rollouts():
        plan = rollout.plan
        yield ArtifactKind.PLAN, rollout.id, plan.owner, "it is under way"
        yield from _made_of(record.model(plan.model), plan.candidate, f"{rollout.id} proposes {plan.candidate}")
        for guardrail in plan.guardrails:
            yield ArtifactKind.METRIC, guardrail.metric.name, "", f"{rollout.id} is judged by it"


def _made_of(model: Model, version: VersionName, named_by: str) -> Iterator[Thing]:
    # A version is its model's: whoever owns the model owns it, unless somebody else is named.
    facts = model.facts.get(version)
    if facts is None:
        return
    for dataset in facts.datasets or ():
        stated = "" if isinstance(dataset.owner, UnsetType) else dataset.owner
        yield ArtifactKind.DATASET, dataset.name, stated, named_by
    for pipeline in facts.pipelines or ():
        stated = "" if isinstance(pipeline.owner, UnsetType) else pipeline.owner
        yield ArtifactKind.FEATURES, pipeline.name, stated, named_by
