"""Rules that something else answers: asked here, so that `examine` itself stays a function of values."""

from collections.abc import Mapping
from typing import Protocol

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, NoEvidence, Opa, Outcome, Policy


class RuleSource(Protocol):
    """Answers rules of one kind. It may block, for as long as a rule allows; it never raises."""

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        """Return the answer; whatever keeps it from one is no evidence."""
        ...


def told(policy: Policy, dossier: Dossier, sources: Mapping[str, RuleSource]) -> dict[str, Outcome]:
    """Ask about every rule that is not ours, by its kind. Hand the result to `examine`, and keep it with the answers."""
    found: dict[str, Outcome] = {}
    for rule in policy.rules:
        if isinstance(rule, (Cel, Opa)) and rule.concerns(dossier, policy.tiers):
            source = sources.get(rule.kind())
            found[rule.id] = (
                NoEvidence((f"anybody who answers rules of the kind {rule.kind()}",))
                if source is None
                else source.answer(rule, dossier)
            )
    return found
