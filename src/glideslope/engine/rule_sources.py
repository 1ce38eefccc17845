"""Rules that something else answers: asked here, so that `examine` itself stays a function of values."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Cel, NoEvidence, Opa, Outcome, Policy


class RuleSource(Protocol):
    """Answers rules of one kind. It may block, for as long as a rule allows; it never raises."""

    def answer(self, rule: Cel | Opa, dossier: Dossier) -> Outcome:
        """Return the answer; whatever keeps it from one is no evidence."""
        ...


def theirs(policy: Policy, dossier: Dossier) -> Iterator[Cel | Opa]:
    """Yield the rules that others answer and that concern this change."""
    return (rule for rule in policy.rules if isinstance(rule, (Cel, Opa)) and rule.concerns(dossier, policy.tiers))


def told(policy: Policy, dossier: Dossier, sources: Mapping[str, RuleSource]) -> dict[str, Outcome]:
    """Ask about every rule that is not ours, by its kind. Hand the result to `examine`, and keep it with the answers."""
    found: dict[str, Outcome] = {}
    for rule in theirs(policy, dossier):
        source = sources.get(rule.kind())
        found[rule.id] = nobody(rule) if source is None else source.answer(rule, dossier)
    return found


def nobody(rule: Cel | Opa) -> Outcome:
    """Return what a rule says that nobody here can answer."""
    return NoEvidence((f"anybody who answers rules of the kind {rule.kind()}",))
