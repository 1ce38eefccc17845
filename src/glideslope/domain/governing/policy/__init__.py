"""Policy as data: rules of a closed set of kinds over a dossier, each answered by one of four words.

What was not shown blocks. The same policy and dossier are answered alike for ever, so that anybody can make the answers again.
"""

from glideslope.domain.governing.policy.answers import Answer, Fail, NoEvidence, NotApplicable, Outcome, Pass
from glideslope.domain.governing.policy.examining import (
    ENGINE,
    Examination,
    Policy,
    check_policy,
    examine,
    examined,
    policy_digest,
)
from glideslope.domain.governing.policy.kinds import KINDS, AnyRule, Cel, Opa
from glideslope.domain.governing.policy.rule import Rule

__all__ = [
    "ENGINE",
    "KINDS",
    "Answer",
    "AnyRule",
    "Cel",
    "Examination",
    "Fail",
    "NoEvidence",
    "NotApplicable",
    "Opa",
    "Outcome",
    "Pass",
    "Policy",
    "Rule",
    "check_policy",
    "examine",
    "examined",
    "policy_digest",
]
