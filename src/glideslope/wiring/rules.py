"""Who answers the rules that are not ours."""

from collections.abc import Mapping

from glideslope.adapters.rules.cel import CelSource
from glideslope.adapters.rules.opa import OpaSource
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.policy import Outcome, Policy
from glideslope.engine.rule_sources import RuleSource
from glideslope.engine.rule_sources import told as asked


def told(policy: Policy, dossier: Dossier, opa: str, token: str) -> Mapping[str, Outcome]:
    """Return what CEL and, where an address is given, an OPA server say. Raises Invalid for an address that is none."""
    return asked(policy, dossier, sources(opa, token))


def sources(opa: str, token: str) -> Mapping[str, RuleSource]:
    """Return who answers, by the kind of rule. Raises Invalid for an address that is none."""
    found: dict[str, RuleSource] = {"cel": CelSource()}
    if opa:
        found["opa"] = OpaSource(opa, token=token)
    return found
