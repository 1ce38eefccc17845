"""What is otherwise about a rollout than when somebody looked, as sentences: a yes is to what was seen."""

from collections.abc import Collection, Iterator

from glideslope.domain.rollout import Rollout


def moved(then: Rollout, now: Rollout, *, blocks: Collection[str] = ()) -> tuple[str, ...]:
    """Return what changed from `then` to `now` that bears on a yes; others' yeses do not.

    `blocks` are the parts of the dossier that are others by now.
    """
    return tuple(_moved(then, now, blocks))


def _moved(then: Rollout, now: Rollout, blocks: Collection[str]) -> Iterator[str]:
    if blocks:
        yield f"What stands behind it is not what it was: {', '.join(sorted(blocks))}."
    if (then.phase, then.position) != (now.phase, now.position):
        step = f" in {now.step.name}" if now.step is not None else ""
        yield f"It was {then.phase.value} and is {now.phase.value}{step}."
    for who in sorted(now.denied - then.denied):
        yield f"{who} denied it."
    for who in sorted(now.withdrawn - then.withdrawn):
        yield f"{who} took the approval back."
    known = {more.version: more for more in then.said.asked}
    for more in now.said.asked:
        if more.version not in known:
            yield f"{more.by} asks for more: {more.why}"
        if more.replied_by is not None and (more.version not in known or known[more.version].replied_by is None):
            yield f"{more.replied_by} replied to {more.by}: {more.reply}"
    if now.glass is not None and now.glass != then.glass:
        yield "Somebody asked to break the glass, or broke it."
