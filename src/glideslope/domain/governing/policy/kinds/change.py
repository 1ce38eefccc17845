"""Rules about the change itself: that it is described, that it is what people agreed on, and that one knows what it goes back to."""

from collections.abc import Iterator
from typing import Final, Literal

from msgspec import UNSET

from glideslope.domain.governing.dossier import Change, Dossier, change_digest
from glideslope.domain.governing.facts import Facts
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import FACTS, Rule, known, listed

Part = Literal["why", "benefit", "benefit_metric", "risks", "rollback_plan", "intended_use_changed"]


_IN_WORDS: Final[dict[Part, str]] = {
    "why": "why",
    "benefit": "what should get better",
    "benefit_metric": "by which metric one will see it",
    "risks": "what may get worse",
    "rollback_plan": "how to go back",
    "intended_use_changed": "whether the intended use changes",
}


class ChangeDescribed(Rule, frozen=True, kw_only=True, tag="change_described"):
    """The proposal says why, what should get better and by which metric, what may get worse, and how to go back."""

    parts: tuple[Part, ...] = ("why", "benefit", "benefit_metric", "risks", "rollback_plan", "intended_use_changed")
    """What must be said."""

    def __post_init__(self) -> None:
        """Refuse a rule that asks for nothing."""
        if not self.parts:
            raise ValueError("`parts` names at least one")

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        for part in self.parts:
            said = getattr(dossier.change, part)
            if said is UNSET or said == ():
                yield Missing(f"`{part}` of the change")
            else:
                yield Shown(part)

    def asks(self) -> str:
        return f"The proposal says {listed(tuple(_IN_WORDS[part] for part in self.parts))}."

    def mend(self) -> str:
        return "Say it in the proposal, then ask for approvals."


class ChangeIsWhatWasAgreed(Rule, frozen=True, kw_only=True, tag="change_is_what_was_agreed"):
    """The digest to which approvals are bound is that of model, data, evaluation, policy and plan as they are now."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        made = change_digest(dossier)
        if made == dossier.change.digest:
            yield Shown(f"change {made[7:19]}")
        else:
            yield Wrong(f"what was proposed is {dossier.change.digest[7:19]}, and what is here is {made[7:19]}")

    def asks(self) -> str:
        return "Model, data, evaluation, policy and plan are exactly those that were proposed."

    def mend(self) -> str:
        return "Propose the change as it is now; earlier approvals do not hold for it."


class FactsAreOfTheseBytes(Rule, frozen=True, kw_only=True, tag="facts_are_of_these_bytes"):
    """What is stated about the candidate is stated about exactly these bytes."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts, change = known(dossier.candidate), dossier.change
        if facts is None:
            yield FACTS
        else:
            yield from _same(facts, change, version=change.candidate, digest=change.candidate_digest)

    def asks(self) -> str:
        return "The facts are about this model, this version and these bytes."

    def mend(self) -> str:
        return "Record the facts of the version that is proposed, with its digest."


class RollbackTargetKnown(Rule, frozen=True, kw_only=True, tag="rollback_target_known"):
    """The version to go back to is known by its bytes, and is another than the candidate."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts, change = known(dossier.incumbent), dossier.change
        if change.incumbent_digest == change.candidate_digest:
            yield Wrong("the candidate has the incumbent's bytes")
        if facts is None:
            yield Missing("facts of the incumbent")
        else:
            yield from _same(facts, change, version=change.incumbent, digest=change.incumbent_digest)

    def asks(self) -> str:
        return "The version to go back to is known by its bytes, and differs from the candidate."

    def mend(self) -> str:
        return "Record the facts of the version that serves now, with its digest."


def _same(facts: Facts, change: Change, *, version: str, digest: str) -> Iterator[Sight]:
    if facts.model != change.model or facts.version != version:
        yield Wrong(f"the facts are about {facts.model} {facts.version}, not {change.model} {version}")
    if facts.digest is UNSET:
        yield Missing(f"the digest of {version} in its facts")
    elif facts.digest != digest:
        yield Wrong(f"the facts are about {str(facts.digest)[7:19]}, and {version} is {digest[7:19]}")
    else:
        yield Shown(f"facts of {version}, {digest[7:19]}")
