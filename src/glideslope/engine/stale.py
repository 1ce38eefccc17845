"""Whether what somebody looked at is still so when they act on it: tags of views, and what to say when it is not."""

from collections.abc import Callable, Sequence
from typing import Final

from msgspec import UnsetType

from glideslope.domain.errors import PageStale
from glideslope.domain.events import rfc3339
from glideslope.domain.ids import Digest
from glideslope.domain.rollout import Rollout
from glideslope.engine.record import Record, Recorded
from glideslope.engine.stories import sentence

TOLD: Final = 5
"""How many of the entries since are told."""
_SHOWN: Final = slice(len("sha256:"), len("sha256:") + 12)


def rollout_tag(rollout: Rollout, change: Digest | UnsetType) -> str:
    """Return what stands for a rollout as acts rest on it: its version, and the change to which approvals are bound.

    A policy or a fact that is replaced changes the second alone, and what an approval would be bound to with it.
    """
    return str(rollout.version) if isinstance(change, UnsetType) else f"{rollout.version}-{change[_SHOWN]}"


def require_rollout(
    record: Record, rollout: Rollout, *, seen: str, change: Callable[[Rollout], Digest | UnsetType]
) -> None:
    """Let an act through that rests on the rollout as it is; an empty `seen` asks nothing. Raises PageStale."""
    if not seen:
        return
    current = rollout_tag(rollout, change(rollout))
    if seen == current:
        return
    told = [f"{rfc3339(r.at)} {sentence(r.event, plan=rollout.plan)}" for r in _since(record.history(rollout.id), seen)]
    if not told and seen.partition("-")[0] == str(rollout.version):
        told = ["What approvals are bound to has changed: policy, facts, evaluation or lane."]
    raise PageStale(
        what=rollout.id, seen=seen, current=current, changes=told, next_command=f"glideslope show {rollout.id}"
    )


def require_stream(record: Record, stream: str, *, seen: str, what: str, next_command: str) -> None:
    """The same about an incident or an agreement, whose tag is its stream's version. Raises PageStale."""
    current = str(record.version(stream))
    if seen in ("", current):
        return
    told = [
        f"{rfc3339(r.at)} {str(r.event.__struct_config__.tag).replace('-', ' ')} by {getattr(r.event, 'by', 'the machine')}."
        for r in _since(record.history(stream), seen)
    ]
    raise PageStale(what=what, seen=seen, current=current, changes=told, next_command=next_command)


def _since(history: Sequence[Recorded], seen: str) -> Sequence[Recorded]:
    version = seen.partition("-")[0]
    return history[int(version) :][:TOLD] if version.isascii() and version.isdigit() else ()
