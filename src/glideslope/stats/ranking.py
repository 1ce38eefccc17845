"""How well scores order what happens before what does not, and whose order is worse: within blocks, by the coin alone.

A block is a stretch of outcomes in the order in which they came, formed without looking at arms. Given who is in it, with
their outcomes and what each arm would have said of them, chance alone decided who was whose: so each arm's order of its own
part estimates, without bias, its order of the whole block, and the difference of the two is a bounded loss with the mean
that is asked about. Blocks may differ in any way. The proof is in docs/explanation/metric-kinds.md.
"""

from collections.abc import Sequence

Scored = Sequence[tuple[float, bool]]
"""Scores with what happened, in the order in which they came."""


def auc_of_counts(counts: Sequence[float]) -> float | None:
    """Return the area under the ROC curve of joint counts (2k: did not happen, 2k + 1: did), ties half; None without both.

    The chance that what happened had the higher score (Mann & Whitney 1947).
    """
    below, ordered = 0.0, 0.0
    for k in range(len(counts) // 2):
        not_, did = counts[2 * k], counts[2 * k + 1]
        ordered += did * (below + not_ / 2)
        below += not_
    happened = sum(counts[1::2])
    return ordered / (below * happened) if below and happened else None


def average_precision_of_counts(counts: Sequence[float]) -> float | None:
    """Return the average precision of joint counts, a bin's ties taken together; None if nothing happened."""
    happened = sum(counts[1::2])
    if not happened:
        return None
    hits, seen, total = 0.0, 0.0, 0.0
    for k in reversed(range(len(counts) // 2)):
        not_, did = counts[2 * k], counts[2 * k + 1]
        hits, seen = hits + did, seen + did + not_
        if did:
            total += did * hits / seen
    return total / happened


def auc(scored: Scored) -> float | None:
    """Return the area under the ROC curve; None unless some happened and some did not."""
    happened = [score for score, did in scored if did]
    others = [score for score, did in scored if not did]
    if not happened or not others:
        return None
    ordered = sum((a > b) + (a == b) / 2 for a in happened for b in others)
    return ordered / (len(happened) * len(others))


def average_precision(scored: Scored) -> float | None:
    """Return the mean, over those that happened, of the precision at their score; None unless some did."""
    happened = sum(did for _, did in scored)
    if not happened:
        return None
    total = 0.0
    for score, did in scored:
        if did:
            reached = [other for at, other in scored if at >= score]
            total += sum(reached) / len(reached)
    return total / happened


def auc_gap(candidate: Scored, incumbent: Scored) -> float | None:
    """Return by how much the candidate orders its part of a block worse, -1 to 1; None unless both parts can be ordered."""
    first, second = auc(candidate), auc(incumbent)
    return None if first is None or second is None else second - first


def precision_gap(candidate: Scored, incumbent: Scored) -> float | None:
    """Return the same for the average precision, on as many of each outcome from both arms: it depends on how many.

    The first ones to come are taken. None unless both parts have some that happened and some that did not.
    """
    happened = min(sum(did for _, did in part) for part in (candidate, incumbent))
    others = min(sum(not did for _, did in part) for part in (candidate, incumbent))
    if not happened or not others:
        return None
    first, second = (average_precision(_first(part, happened, others)) for part in (candidate, incumbent))
    return None if first is None or second is None else second - first


def _first(scored: Scored, happened: int, others: int) -> Scored:
    left = {True: happened, False: others}
    kept = []
    for score, did in scored:
        if left[did]:
            left[did] -= 1
            kept.append((score, did))
    return kept
