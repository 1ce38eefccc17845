"""A policy is agreed on by others than its author, and so is each edit of it; what is in force is named by the policy's own digest."""

from typing import Any

import pytest
from msgspec.structs import replace

from glideslope.domain.commands import AnswerAgreement, TableAgreement
from glideslope.domain.errors import AgreementInvalid, SelfApproval
from glideslope.domain.governing.kinds import agreed_of, document_of
from glideslope.domain.governing.organisation import Organisation, Person, Right
from glideslope.domain.governing.policy import Policy, policy_digest
from glideslope.domain.ids import Actor
from glideslope.interfaces.cli.shipped import shipped
from glideslope.interfaces.document import agreements
from glideslope.testing.world import ADA, World

CAT = Actor("cat")
ORGANISATION = Organisation(
    people=(
        Person(id=ADA, functions=("data-science",), rights=(Right.PROPOSE, Right.ADMINISTER)),
        Person(id=CAT, functions=("compliance",), rights=(Right.REVIEW,)),
    ),
)


async def table(world: World, of: str, name: str, document: Any) -> Any:
    command = TableAgreement(of=of, name=name, document=document, text="as written", by=ADA, why="so it is", admin=True)
    return await world.app.table(command, key=world.key())


async def answer(world: World, digest: Any, *, by: Actor) -> Any:
    command = AnswerAgreement(of="policy", name="lab", digest=digest, granted=True, by=by, why="read it")
    return await world.app.answer(command, key=world.key())


async def test_a_policy_and_each_edit_of_it_is_agreed_on() -> None:
    world = World(seed=901)
    await world.start()
    await table(world, "organisation", "organisation", document_of(ORGANISATION))
    text = shipped("policies/lab.yaml")
    tabled = agreements.read(text, file="policy.yaml")
    assert isinstance(tabled.agreed, Policy)

    await table(world, "policy", tabled.name, document_of(tabled.agreed))
    assert world.app.record.agreement("policy", "lab").in_force is None
    with pytest.raises(SelfApproval):
        await answer(world, policy_digest(tabled.agreed), by=ADA)
    await answer(world, policy_digest(tabled.agreed), by=CAT)

    in_force = world.app.record.agreement("policy", "lab").in_force
    assert in_force.digest == policy_digest(tabled.agreed)
    assert agreed_of("policy", in_force.document) == tabled.agreed

    edited = replace(tabled.agreed, rules=tabled.agreed.rules[:-1])
    await table(world, "policy", "lab", document_of(edited))
    assert world.app.record.agreement("policy", "lab").in_force.digest == policy_digest(tabled.agreed), "not yet"
    await answer(world, policy_digest(edited), by=CAT)
    assert world.app.record.agreement("policy", "lab").in_force.digest == policy_digest(edited)

    with pytest.raises(AgreementInvalid, match="names two rules"):
        await table(world, "policy", "lab", document_of(replace(edited, rules=(*edited.rules, edited.rules[0]))))
