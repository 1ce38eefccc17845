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
    sources: dict[str, RuleSource] = {"cel": CelSource()}
    if opa:
        sources["opa"] = OpaSource(opa, token=token)
    return asked(policy, dossier, sources)
