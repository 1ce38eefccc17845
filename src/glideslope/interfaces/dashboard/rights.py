"""What the organisation lets a visitor do, so that nobody is offered what would be refused. The engine decides again when they act."""

from glideslope.domain.errors import NotFound
from glideslope.domain.governing.organisation import Right
from glideslope.engine.access import AccessView
from glideslope.engine.service import Service
from glideslope.interfaces.dashboard.door import Visitor


async def access_of(service: Service, visitor: Visitor) -> AccessView | None:
    """Return what somebody may do; None where no organisation is in force, so that their token alone says it."""
    try:
        found = await service.access(who=visitor.actor, right="", function="")
    except NotFound:
        return None
    nothing = AccessView(
        actor=visitor.actor, team="", rights=(), functions=(), reviews_as=(), delegations=(), owns=()
    )  # whom it does not name may look
    return found[0] if found else nothing


def without(access: AccessView | None, right: Right) -> str:
    """Say that somebody lacks a right; empty where they have it, or nobody needs one."""
    if access is None or right.value in access.rights:
        return ""
    return f"The organisation does not give you the right to {right.value}."


def no_reviewer(access: AccessView | None) -> str:
    """Say that somebody cannot stand by an agreement; empty where they can."""
    if access is None or access.reviews_as or Right.ADMINISTER.value in access.rights:
        return ""
    return "The organisation gives you no function to review in."
