"""What people say about a rollout that moves nothing: they ask its proposer for more, are answered, and judge what the machine cannot."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import msgspec

from glideslope.domain.ids import Actor, StepName


class MoreAsked(
    msgspec.Struct, frozen=True, kw_only=True, tag="more-asked", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody who is asked for a yes asks for more first. Silence is never consent, so nothing moves by it."""

    by: Actor
    why: str
    """What is asked for."""
    functions: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """In which the person had authority at that moment; absent where no organisation was in force."""


class Replied(
    msgspec.Struct, frozen=True, kw_only=True, tag="reply-given", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody who answers for the change replies."""

    by: Actor
    question: int
    """Version of what was asked, in this stream."""
    why: str


class Judged(
    msgspec.Struct, frozen=True, kw_only=True, tag="judgement-given", tag_field="kind", forbid_unknown_fields=True
):
    """Somebody looked at what the machine cannot judge and lets it go on as it is. To halt or to roll back are other entries."""

    by: Actor
    step: StepName
    about: tuple[str, ...]
    """What was judged: codes of reasons, flags, and guardrails that disagree (`log_loss/errors`). Anything else is asked anew."""
    why: str


SaidEvent = MoreAsked | Replied | Judged


@dataclass(frozen=True, slots=True)
class More:
    """What was asked for, and the reply. Instants in milliseconds since the epoch, UTC."""

    version: int
    by: Actor
    at: int
    why: str
    replied_by: Actor | None = None
    replied_at: int = 0
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What somebody judged, and when."""

    version: int
    by: Actor
    at: int
    step: StepName
    about: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Said:
    """All that was said about one rollout, oldest first."""

    asked: tuple[More, ...] = ()
    judged: tuple[Judgement, ...] = ()

    @property
    def open(self) -> tuple[More, ...]:
        """Return what was asked and has no reply."""
        return tuple(more for more in self.asked if more.replied_by is None)

    def question(self, version: int) -> More | None:
        """Return what was asked by the entry of this version."""
        return next((more for more in self.asked if more.version == version), None)


NOTHING_SAID = Said()


def hear(said: Said, event: SaidEvent, *, at: int, version: int) -> Said | None:
    """Take one more into account; None for a reply to what was not asked, or has its reply."""
    match event:
        case MoreAsked(by=by, why=why):
            return replace(said, asked=(*said.asked, More(version=version, by=by, at=at, why=why)))
        case Replied(by=by, question=question, why=why):
            found = said.question(question)
            if found is None or found.replied_by is not None:
                return None
            replied = replace(found, replied_by=by, replied_at=at, reply=why)
            return replace(said, asked=tuple(replied if more is found else more for more in said.asked))
        case Judged(by=by, step=step, about=about, why=why):
            judgement = Judgement(version=version, by=by, at=at, step=step, about=about, why=why)
            return replace(said, judged=(*said.judged, judgement))
        case _:
            assert_never(event)


def unjudged(said: Said, step: str, about: Sequence[str]) -> tuple[str, ...]:
    """Return what of all this nobody has judged in this step."""
    known = {ground for judgement in said.judged if judgement.step == step for ground in judgement.about}
    return tuple(ground for ground in about if ground not in known)
