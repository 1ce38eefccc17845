"""A policy, and what it says about a dossier. Pure: the same two values, the same answers, on every machine and in every year."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Final

import msgspec

from glideslope.domain.errors import PolicyInvalid
from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.policy.answers import Answer, NoEvidence, Outcome
from glideslope.domain.governing.policy.forms import misformed
from glideslope.domain.governing.policy.kinds import AnyRule, Cel, Opa
from glideslope.domain.governing.policy.rule import Name, Rule, Text, Tier
from glideslope.domain.ids import Digest
from glideslope.ledger import canonical

FORMAT: Final = 1
"""Of a policy; a file must say it."""
ENGINE: Final = "glideslope-policy/1"
"""By which a record of answers names how they were made. A rule that would answer otherwise is another engine's."""
MOST_RULES: Final = 200


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is required of a change."""

    policy: int = 1
    """The format of the document."""
    name: Name
    says: Text | msgspec.UnsetType = msgspec.UNSET
    """What it is for."""
    tiers: Annotated[tuple[Tier, ...], msgspec.Meta(min_length=1, max_length=20)]
    """From the least careful to the most. A change of any other tier is blocked."""
    rules: Annotated[tuple[AnyRule, ...], msgspec.Meta(min_length=1, max_length=MOST_RULES)]


class Examination(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers, with all that it takes to make them again and to hold them against these."""

    engine: str
    policy: Digest
    dossier: Digest
    answers: tuple[Answer, ...]

    @property
    def passed(self) -> bool:
        """Tell whether the change may go on."""
        return bool(self.answers) and not any(answer.blocks for answer in self.answers)


def policy_digest(policy: Policy) -> Digest:
    """Return SHA-256 over the policy's canonical bytes (RFC 8785)."""
    return Digest(f"sha256:{sha256(canonical.encode(msgspec.to_builtins(policy))).hexdigest()}")


def examine(policy: Policy, dossier: Dossier, told: Mapping[str, Outcome] | None = None) -> tuple[Answer, ...]:
    """Ask every rule about a dossier, in the policy's order.

    `told` has what others answered to the rules that are theirs, by the rule's id; a rule of theirs that nobody answered is no
    evidence. Of a rule of ours nothing that was told is believed.
    """
    return tuple(Answer(rule=rule.id, outcome=_outcome(rule, policy, dossier, told or {})) for rule in policy.rules)


def _outcome(rule: Rule, policy: Policy, dossier: Dossier, told: Mapping[str, Outcome]) -> Outcome:
    if isinstance(rule, (Cel, Opa)) and rule.id in told and rule.concerns(dossier, policy.tiers):
        unmet = tuple(each.what for each in rule.unmet(dossier)) if isinstance(rule, Cel) else ()
        return NoEvidence(unmet) if unmet else told[rule.id]
    return rule.answer(dossier, policy.tiers)


def examined(policy: Policy, dossier: Dossier, told: Mapping[str, Outcome] | None = None) -> Examination:
    """Return the answers as they are recorded."""
    return Examination(
        engine=ENGINE,
        policy=policy_digest(policy),
        dossier=dossier_digest(dossier),
        answers=examine(policy, dossier, told),
    )


def check_policy(policy: Policy) -> None:
    """Refuse what could not decide. Raises PolicyInvalid with `where` naming the part: `rules.3.need`."""
    if policy.policy != FORMAT:
        raise PolicyInvalid(f"this reads policies of format {FORMAT}", where="policy")
    for path, expected in misformed(policy):
        written = path[-1] if isinstance(path[-1], str) else path[-2]
        raise PolicyInvalid(f"`{written}` must be {expected}", where=".".join(map(str, path)))
    if len(set(policy.tiers)) != len(policy.tiers):
        raise PolicyInvalid("a tier is listed twice", where="tiers")
    seen: set[str] = set()
    for number, rule in enumerate(policy.rules):
        if rule.id in seen:
            raise PolicyInvalid(f"`{rule.id}` names two rules", where=f"rules.{number}.id")
        seen.add(rule.id)
        _check_tiers(rule, policy.tiers, where=f"rules.{number}")


_OTHER_KEYS: Final = frozenset({("reviewed_within", "of")})
"""Parameters by something else than tier."""


def _check_tiers(rule: Rule, tiers: tuple[Tier, ...], *, where: str) -> None:
    concerned = tiers if isinstance(rule.tiers, msgspec.UnsetType) else rule.tiers
    if not concerned:
        raise PolicyInvalid("a rule that concerns no tier asks nothing", where=f"{where}.tiers")
    for tier in concerned:
        if tier not in tiers:
            raise PolicyInvalid(f"`{tier}` is no tier of this policy", where=f"{where}.tiers")
    for name in rule.__struct_fields__:
        value: Any = getattr(rule, name)
        if not isinstance(value, dict) or (rule.kind(), name) in _OTHER_KEYS:
            continue
        for tier in value:
            if tier not in tiers:
                raise PolicyInvalid(f"`{tier}` is no tier of this policy", where=f"{where}.{name}.{tier}")
        for tier in concerned:
            if tier not in value:
                raise PolicyInvalid(f"`{name}` says nothing about the tier {tier}", where=f"{where}.{name}")
