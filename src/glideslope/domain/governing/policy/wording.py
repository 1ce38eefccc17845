"""A policy and its answers in sentences: what a risk officer reads. What an edit changes is said by `comparing`."""

from collections.abc import Iterable, Iterator
from typing import assert_never

from glideslope.domain.governing.edits import Said
from glideslope.domain.governing.governed import Answered, Block
from glideslope.domain.governing.policy.answers import Answer, Fail, NoEvidence, NotApplicable, Outcome, Pass
from glideslope.domain.governing.policy.examining import Policy
from glideslope.domain.governing.policy.rule import Rule, known, listed


def word(outcome: Outcome) -> str:
    """Return the one word of an answer."""
    return str(outcome.__struct_config__.tag)


def because(outcome: Outcome) -> tuple[str, ...]:
    """Return what an answer rests on: what was seen, found, or not there."""
    match outcome:
        case Pass(seen=seen):
            return seen
        case Fail(findings=findings):
            return findings
        case NoEvidence(what=what):
            return what
        case NotApplicable(why=why):
            return (why,)
        case _:
            assert_never(outcome)


def blocks(answers: Iterable[Answer]) -> tuple[Block, ...]:
    """Return what a permit says about answers: the rules that do not let a change go on, each with its reasons."""
    return tuple(
        Block(rule=answer.rule, answer=Answered(word(answer.outcome)), why="; ".join(because(answer.outcome)))
        for answer in answers
        if answer.blocks
    )


def sentence(answer: Answer) -> str:
    """Write an answer as a sentence."""
    told = "; ".join(because(answer.outcome))
    match answer.outcome:
        case Pass():
            return f"holds: {told}"
        case Fail():
            return f"does not hold: {told}"
        case NoEvidence():
            return f"was not shown, for want of {told}"
        case NotApplicable():
            return f"does not apply: {told}"
        case _:
            assert_never(answer.outcome)


def explained(policy: Policy) -> Iterator[str]:
    """Yield a policy in sentences."""
    said = known(policy.says)
    yield f"{policy.name}{f': {said}' if said else ''}"
    yield f"Tiers, from the least careful to the most: {listed(policy.tiers)}. A change of any other tier is blocked."
    yield "A change goes on when each of these is shown to hold. What is not known is not shown, and blocks."
    yield ""
    for rule in policy.rules:
        yield f"{rule.id}: {asked(rule)}"


def asked(rule: Rule) -> str:
    """Write what a rule asks, and of whom."""
    tiers, said = known(rule.tiers), known(rule.says)
    whom = f" (Only at the tier{'' if len(tiers) == 1 else 's'} {listed(tiers)}.)" if tiers is not None else ""
    words = f" [{said}]" if said and said.rstrip(".") not in rule.asks() else ""
    return f"{rule.asks()}{whom}{words}"


def says(policy: Policy) -> Iterator[Said]:
    """Yield a policy part by part, as beside its text."""
    if said := known(policy.says):
        yield Said("", "says", said)
    yield Said(
        "", "tiers", f"{listed(policy.tiers)}, from the least careful to the most; a change of any other is blocked"
    )
    for rule in policy.rules:
        yield Said("rules", rule.id, asked(rule))
