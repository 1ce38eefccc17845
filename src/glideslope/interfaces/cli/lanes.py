"""How an envelope classifies a change, as lines of text."""

from glideslope.engine.governing_views import LaneView, NeedView


def lane_lines(lane: LaneView | None) -> list[str]:
    """Say whether a change is inside its envelope, which clauses it left, and who must approve it; nothing without one."""
    if lane is None:
        return []
    lines = [f"  envelope    {lane.envelope or lane.digest[:19]}: {_standing(lane)}"]
    lines += [f"  left        {each.clause}: {each.why} ({each.answer})" for each in lane.left]
    lines += [f"  given       by {each.by} as {', '.join(each.functions)}, with the envelope" for each in lane.given]
    lines.append(f"  to approve  {_needed(lane.missing)}")
    return lines


def _standing(lane: LaneView) -> str:
    if not lane.inside:
        return "OUTSIDE, so that its tier's full review is due"
    return f"inside, and closed to it: {lane.closed}" if lane.closed else "inside"


def _needed(needs: tuple[NeedView, ...]) -> str:
    return ", ".join(n.function if n.count == 1 else f"{n.count} of {n.function}" for n in needs) or "nobody any more"
