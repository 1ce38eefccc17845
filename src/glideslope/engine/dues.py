"""What comes round: reviews of what is in force, and drills of models, with when each is due and whether that is past."""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import UnsetType

from glideslope.domain.events import rfc3339
from glideslope.domain.governing.agreement import Agreement
from glideslope.domain.governing.drill import DrillKind, HeldDrill
from glideslope.domain.governing.kinds import REVIEWED
from glideslope.domain.governing.organisation import Organisation, Tier
from glideslope.domain.ids import Actor, ModelName
from glideslope.engine.record import Record


class DueView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that comes round."""

    what: str
    """`review` or `drill`."""
    of: str
    """What is reviewed (`access`, `policy`, `threat-model`, ...), or the kind of drill."""
    name: str
    """Of the agreement, or the model; empty where there is none of the kind."""
    last: str
    """When it was last done; empty for never."""
    by: str
    due: str
    """Until when it must be done again; empty where it never was."""
    overdue: bool
    next_command: str


def page_of(due: DueView) -> str:
    """Return the page of the dashboard on which it is done; empty where there is nothing yet, so that only a command begins it."""
    if not due.name:
        return ""
    return f"/drills/{due.name}" if due.what == "drill" else f"/agreements/{REVIEWED[due.of]}/{due.name}"


def dues(record: Record, organisation: Organisation, *, now: int) -> Sequence[DueView]:
    """Return all that comes round by the organisation's word, overdue things first and then by their day."""
    found = [*_reviews(record, organisation, now=now), *_drills(record, organisation, now=now)]
    return sorted(found, key=lambda due: (not due.overdue, due.due, due.of, due.name))


def last_review(agreement: Agreement) -> tuple[Actor, int] | None:
    """Return who last stood by what is in force, and when; whoever said yes to it did so when it came into force."""
    if agreement.in_force is None:
        return None
    if agreement.reviewed_by is not None:
        return agreement.reviewed_by, agreement.reviewed_at
    granted = agreement.in_force.granted
    return (granted[-1].by, agreement.since) if granted else None


def last_drill(record: Record, model: ModelName) -> HeldDrill | None:
    """Return a model's last drill of going back, if that passed."""
    held = record.drills(model).last(DrillKind.ROLLBACK)
    return held if held is not None and held.passed else None


def drill_overdue(record: Record, model: ModelName, tier: Tier | None, *, now: int) -> str:
    """Say why a model's tier asks for a drill before anything else begins; empty when it does not."""
    if tier is None or isinstance(tier.drill_within, UnsetType):
        return ""
    last = last_drill(record, model)
    if last is None:
        return f"tier {tier.name} asks for a rollback drill of {model}, and none has passed"
    if now - last.held_at > tier.drill_within:
        return f"tier {tier.name} asks for a rollback drill of {model} more often; the last was held {rfc3339(last.held_at)[:10]}"
    return ""


def _reviews(record: Record, organisation: Organisation, *, now: int) -> Iterator[DueView]:
    for of, within in (organisation.reviews or {}).items():
        kind = REVIEWED[of]
        in_force = [a for a in record.agreements() if a.of == kind and a.in_force is not None]
        for agreement in in_force:
            last = last_review(agreement)
            due = None if last is None else last[1] + within
            yield DueView(
                what="review",
                of=of,
                name=agreement.name,
                last="" if last is None else rfc3339(last[1]),
                by="" if last is None else last[0],
                due="" if due is None else rfc3339(due),
                overdue=due is None or due < now,
                next_command=f"glideslope agree review {_named(agreement)} -m WHY",
            )
        if not in_force:
            yield DueView(
                what="review",
                of=of,
                name="",
                last="",
                by="",
                due="",
                overdue=True,
                next_command=f"glideslope agree schema {kind}",
            )


def _named(agreement: Agreement) -> str:
    """Return what a command calls it; of a kind of which there is one, its kind alone."""
    return agreement.of if agreement.of == agreement.name else f"{agreement.of} {agreement.name}"


def _drills(record: Record, organisation: Organisation, *, now: int) -> Iterator[DueView]:
    for model in record.models():
        tier = organisation.tier_of(model.name)
        if tier is None or isinstance(tier.drill_within, UnsetType) or model.incumbent is None:
            continue
        last = last_drill(record, model.name)
        yield DueView(
            what="drill",
            of=DrillKind.ROLLBACK.value,
            name=model.name,
            last="" if last is None else rfc3339(last.held_at),
            by="" if last is None else last.by,
            due="" if last is None else rfc3339(last.held_at + tier.drill_within),
            overdue=bool(drill_overdue(record, model.name, tier, now=now)),
            next_command=f"glideslope drill run {model.name} -m WHY",
        )
