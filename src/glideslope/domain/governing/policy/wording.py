"""A policy, its answers and an edit of it, in sentences: what a risk officer reads."""

from collections.abc import Iterable, Iterator
from typing import assert_never

import msgspec

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


def differences(old: Policy, new: Policy) -> Iterator[str]:
    """Yield in sentences what an edit changes; nothing where it changes nothing."""
    if old.name != new.name:
        yield f"The policy {old.name} is named {new.name}."
    if old.tiers != new.tiers:
        yield f"The tiers were {listed(old.tiers)}, and are {listed(new.tiers)}."
    if known(old.says) != known(new.says):
        yield f"It said: {known(old.says) or 'nothing'} It says: {known(new.says) or 'nothing'}"
    before, after = {rule.id: rule for rule in old.rules}, {rule.id: rule for rule in new.rules}
    for name, rule in before.items():
        if name not in after:
            yield f"{name} is asked no more: {asked(rule)}"
    for name, rule in after.items():
        if name not in before:
            yield f"{name} is new: {asked(rule)}"
        elif rule != before[name]:
            yield from _changed(before[name], rule)
    kept = [name for name in before if name in after]
    if kept != [name for name in after if name in before]:
        yield "The rules stand in another order; they are asked alike."


def _changed(old: Rule, new: Rule) -> Iterator[str]:
    if asked(old) != asked(new):
        yield f"{new.id} asked: {asked(old)} Now it asks: {asked(new)}"
        return
    was, now = msgspec.to_builtins(old), msgspec.to_builtins(new)
    for key in dict.fromkeys((*was, *now)):
        if was.get(key) != now.get(key):
            yield f"{new.id}: `{key}` was {was.get(key, 'not said')}, and is {now.get(key, 'not said')}."
