"""What each rule of a policy says about a change and why, of what is in force and of what is tabled; nothing is decided by it."""

from collections.abc import Iterator, Mapping

import msgspec

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.agreement import Agreement, Edition
from glideslope.domain.governing.dossier import Dossier, dossier_digest
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.kinds import restored
from glideslope.domain.governing.policy import Answer, Outcome, Policy, examine
from glideslope.domain.governing.policy.wording import asked, because, word
from glideslope.domain.ids import RolloutId
from glideslope.domain.rollout import ENDED
from glideslope.engine.asking import Asking
from glideslope.engine.record import Record, examination_stream


class RuleAnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """A rule, and what it says about the change."""

    rule: str
    kind: str
    answer: str
    """`pass`, `fail`, `no-evidence` or `not-applicable`."""
    blocks: bool
    why: tuple[str, ...]
    """What was seen, found, or not there."""
    asks: str
    mend: str


class PolicyAnswerView(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, and what its rules say."""

    name: str
    digest: str
    tabled: bool
    """It is not in force: this is what it would say."""
    blocking: int
    answers: tuple[RuleAnswerView, ...]


class ExplanationView(msgspec.Struct, frozen=True, kw_only=True):
    """What policies say about a change. Nothing was decided by it, and nothing recorded."""

    rollout: str
    model: str
    candidate: str
    tier: str
    dossier: str
    """Digest of what they were shown."""
    at: str
    """As of when."""
    recorded: bool
    """The change has ended: they were shown the dossier of its last examination, as it was recorded."""
    policies: tuple[PolicyAnswerView, ...]


class Explaining:
    """Asks policies about changes, for people who want to know."""

    def __init__(self, record: Record, asking: Asking) -> None:
        self._record = record
        self._asking = asking

    def explain(self, id_: RolloutId) -> ExplanationView:
        """Return what every policy says, in force or tabled. Raises NotFound, Conflict where no organisation is in force."""
        rollout = self._record.rollout(id_)
        found, told = self._examined(id_) if rollout.phase in ENDED else (None, {})
        if found is None and rollout.phase not in ENDED:
            asked_now = self._asking.ask(rollout, now=self._record.now(id_)).examined
            found, told = (None, {}) if asked_now is None else (asked_now.dossier, _told(asked_now))
        dossier = self._asking.dossier(rollout) if found is None else found
        return ExplanationView(
            rollout=id_,
            model=rollout.plan.model,
            candidate=rollout.plan.candidate,
            tier=dossier.tier or "",
            dossier=dossier_digest(dossier),
            at=rfc3339(dossier.now),
            recorded=rollout.phase in ENDED and found is not None,
            policies=tuple(self._policies(dossier, told)),
        )

    def _examined(self, id_: RolloutId) -> tuple[Dossier | None, Mapping[str, Outcome]]:
        """Return what the policies of then were shown last, and what they answered."""
        for r in reversed(self._record.history(examination_stream(id_))):
            if isinstance(r.event, Examined):
                return r.event.dossier, _told(r.event)
        return None, {}

    def _policies(self, dossier: Dossier, told: Mapping[str, Outcome]) -> Iterator[PolicyAnswerView]:
        agreements = [each for each in self._record.agreements() if each.of == "policy"]
        for agreement in agreements:
            for edition, tabled in _editions(agreement):
                policy = restored("policy", edition.document)
                if isinstance(policy, Policy):
                    # What others answered is known of the policy that they were asked about.
                    answers = examine(policy, dossier, {} if tabled else told)
                    yield _answered(policy, edition, answers, tabled=tabled)


def _editions(agreement: Agreement) -> Iterator[tuple[Edition, bool]]:
    if agreement.in_force is not None:
        yield agreement.in_force, False
    if agreement.tabled is not None:
        yield agreement.tabled, True


def _told(examined: Examined) -> Mapping[str, Outcome]:
    """Return answers by rule; `examine` takes of them those to the rules of others alone."""
    return {answer.rule: answer.outcome for answer in examined.answers}


def _answered(policy: Policy, edition: Edition, answers: tuple[Answer, ...], *, tabled: bool) -> PolicyAnswerView:
    rules = {rule.id: rule for rule in policy.rules}
    return PolicyAnswerView(
        name=policy.name,
        digest=edition.digest,
        tabled=tabled,
        blocking=sum(answer.blocks for answer in answers),
        answers=tuple(
            RuleAnswerView(
                rule=answer.rule,
                kind=rules[answer.rule].kind(),
                answer=word(answer.outcome),
                blocks=answer.blocks,
                why=because(answer.outcome),
                asks=asked(rules[answer.rule]),
                mend=rules[answer.rule].mend(),
            )
            for answer in answers
        ),
    )
