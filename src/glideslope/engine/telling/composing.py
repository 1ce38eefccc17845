"""From an entry of the ledger to the message that tells of it; None for what nobody needs to be told.

The same entry makes the same message at every channel and at any time, so nothing that is on its way needs to be kept.
"""

from collections import OrderedDict
from hashlib import sha256
from typing import Final, assert_never

import msgspec
from msgspec import UnsetType

from glideslope.domain.events import (
    AdvisoriesRecorded,
    Approved,
    Closed,
    Confirmed,
    ContractAgreed,
    Decided,
    Escalated,
    FactsRecorded,
    Halted,
    Installed,
    Lapsed,
    PersonDescribed,
    PersonErased,
    Proposed,
    Registered,
    Resumed,
    Withdrawn,
)
from glideslope.domain.governing.agreement import AgreementEvent
from glideslope.domain.governing.drill import DrillEvent
from glideslope.domain.governing.examined import Examined
from glideslope.domain.governing.glass import GlassEvent, GlassReviewed
from glideslope.domain.governing.incident import IncidentEvent
from glideslope.domain.rollout import Phase, Rollout
from glideslope.domain.said import Judged, MoreAsked, Replied
from glideslope.domain.telling.message import Announced, Audience, Happening, Matter, Message
from glideslope.engine.announcing import stands
from glideslope.engine.record import Record
from glideslope.engine.stories import actor_of
from glideslope.engine.telling import governance, rollouts
from glideslope.engine.telling.moment import Moment, Moments, in_thread, thread_of
from glideslope.engine.telling.said import Said

MOST_KEPT: Final = 512
"""Messages that are kept: channels that keep up ask for the same ones."""


TRANSITIONS: Final = frozenset(
    {
        Happening.PROPOSED,
        Happening.ADVANCED,
        Happening.ROLLED_BACK,
        Happening.PROMOTED,
        Happening.HALTED,
        Happening.RESUMED,
        Happening.LAPSED,
    }
)
"""What changes who meets which version, or is about to."""


class Composer:
    """Makes messages of a record."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._moments = Moments(record)
        self._kept: OrderedDict[int, tuple[Message | None, Moment, Message | None]] = OrderedDict()
        """The message, the moment, and what the moment alone tells."""

    def compose(self, position: int) -> tuple[Message | None, Moment]:
        """Return the message of an entry, or None, and the moment that it tells of. Raises NotFound."""
        if position not in self._kept:
            alone, moment = self._alone(position)
            self._kept[position] = (None if alone is None else self._following(alone, position), moment, alone)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        found, moment, _ = self._kept[position]
        return found, moment

    def _alone(self, position: int) -> tuple[Message | None, Moment]:
        moment = self._moments.at(position)
        return message(moment), moment

    def _following(self, found: Message, position: int) -> Message:
        """Address what takes or settles a matter to whom that was asked of: nobody is left waiting for what was decided elsewhere."""
        if not (found.settled or found.matter in (Matter.TAKEN, Matter.SETTLED)):
            return found
        earlier: list[Message] = []
        for entry in reversed(in_thread(self._record, found.thread, after=-1, below=position)):
            before = self._kept[entry][2] if entry in self._kept else self._alone(entry)[0]
            if before is None or before.matter is Matter.NONE:
                continue
            if before.matter is Matter.SETTLED:
                break
            earlier.append(before)
        if not earlier:
            return found
        told = [found.audience, *(each.audience for each in reversed(earlier))]
        return msgspec.structs.replace(
            found,
            settles=max((each.severity for each in earlier), key=lambda each: each.rank),
            audience=Audience(
                people=tuple(dict.fromkeys(name for each in told for name in each.people)),
                functions=tuple(dict.fromkeys(name for each in told for name in each.functions)),
                owners=found.audience.owners,
            ),
        )


def message(moment: Moment) -> Message | None:
    """Return what is told of a moment."""
    told = _said(moment)
    if told is None:
        return None
    recorded = moment.recorded
    return Message(
        id=message_id(recorded.stream, str(recorded.version), str(recorded.at)),
        entry=recorded.entry,
        at=recorded.at,
        happening=told.happening,
        severity=told.severity,
        thread=thread_of(recorded),
        model=moment.model,
        rollout=moment.rollout,
        by=actor_of(recorded.event),
        title=_subject(moment, told.title),
        happened=told.happened,
        done=told.done,
        asked=told.asked,
        settled=told.settled,
        matter=told.matter,
        page=_page(moment),
        audience=Audience(
            people=tuple(dict.fromkeys(each for each in told.people if each)),
            functions=told.functions,
            owners=moment.owners,
        ),
        announced=_announced(moment.after, told.happening),
    )


def _announced(rollout: Rollout | None, happening: Happening) -> Announced | None:
    if rollout is None or happening not in TRANSITIONS:
        return None
    plan, said = rollout.plan, rollout.plan.proposal
    benefit, risks = ("", ()) if isinstance(said, UnsetType) else (said.benefit or "", said.risks or ())
    if rollout.phase is Phase.PROMOTED or rollout.phase is Phase.PROMOTING:
        back = f"Going back to {plan.incumbent} is a proposal like this one."
    elif rollout.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
        back = f"It went back to {plan.incumbent}."
    else:
        back = f"All traffic returns to {plan.incumbent} when a limit is broken, when a person says so, or by itself."
    page = f"/rollouts/{rollout.id}/announcement"
    return Announced(why=plan.why, benefit=benefit, risks=risks, stands=stands(rollout), back=back, page=page)


def message_id(*parts: str) -> str:
    """Return a name that is the same for the same parts, and for no others."""
    return f"msg_{sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"


def _said(moment: Moment) -> Said | None:
    event, before, after = moment.recorded.event, moment.before, moment.after
    if isinstance(event, AgreementEvent):
        return governance.agreement(event, moment)
    if isinstance(event, IncidentEvent):
        return governance.incident(event, moment)
    if isinstance(event, DrillEvent):
        return governance.drill(event, moment)
    if isinstance(event, GlassEvent):
        return None if after is None else rollouts.glass(event, moment)
    match event:
        case Registered() | Installed() | FactsRecorded() | ContractAgreed() | AdvisoriesRecorded() | GlassReviewed():
            return governance.of_model(event, moment)
        case Proposed():
            return rollouts.proposed(event, moment, _there(after))
        case Approved() | Withdrawn() | Escalated():
            return rollouts.answered(event, moment, _there(after))
        case MoreAsked() | Replied() | Judged():
            return rollouts.spoken(event, _there(after))
        case Decided():
            return rollouts.decided(event, moment, before, _there(after))
        case Halted() | Resumed() | Lapsed():
            return rollouts.moved(event, moment, _there(after))
        case Confirmed():
            return rollouts.confirmed(event, moment, _there(after))
        case Closed() | Examined() | PersonDescribed() | PersonErased():
            # The end of a stream is told by what ended it, an examination by the decision on it; who somebody is is not told at all.
            return None
        case _:
            assert_never(event)


def _there(rollout: Rollout | None) -> Rollout:
    assert rollout is not None  # noqa: S101 - these events stand in a rollout's stream alone
    return rollout


def _subject(moment: Moment, title: str) -> str:
    if moment.after is not None:
        plan = moment.after.plan
        return f"{plan.model} {plan.incumbent} to {plan.candidate} ({moment.rollout}): {title}"
    about = " ".join(each for each in (moment.model, f"({moment.rollout})" if moment.rollout else "") if each)
    return f"{about}: {title}" if about else title


def _page(moment: Moment) -> str:
    if moment.rollout:
        return f"/rollouts/{moment.rollout}"
    if moment.model:
        return f"/models/{moment.model}"
    return f"/ledger/{moment.recorded.entry}"
