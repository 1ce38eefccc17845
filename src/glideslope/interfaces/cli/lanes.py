"""How an envelope classifies a change, as lines of text."""

from glideslope.engine.governing_views import LaneView, NeedView


def lane_lines(lane: LaneView | None, *, width: int = 10) -> list[str]:
    """Say whether a change is inside its envelope, which clauses it left, and who must approve it; nothing without one.

    `width` is that of the words before each line.
    """
    if lane is None:
        return []
    rows = [("envelope", f"{lane.envelope or lane.digest[:19]}: {_standing(lane)}")]
    rows += [("left", f"{each.clause}: {each.why} ({each.answer})") for each in lane.left]
    rows += [("given", f"by {each.by} as {', '.join(each.functions)}, with the envelope") for each in lane.given]
    rows.append(("approves", _needed(lane.missing)))
    return [f"  {word:<{width}}{told}" for word, told in rows]


def _standing(lane: LaneView) -> str:
    if not lane.inside:
        return "OUTSIDE, so that its tier's full review is due"
    return f"inside, and closed to it: {lane.closed}" if lane.closed else "inside"


def _needed(needs: tuple[NeedView, ...]) -> str:
    told = ", ".join(n.function if n.count == 1 else f"{n.count} of {n.function}" for n in needs)
    return f"{told} must" if told else "nobody need"
