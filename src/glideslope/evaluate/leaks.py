"""Checks of the rows themselves: does the holdout know what it should not? A check that cannot be asked is inconclusive, not passed."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, assert_never

import numpy as np
import numpy.typing as npt

from glideslope.domain.decision import Verdict
from glideslope.evaluate.declared import Evaluation, Kind
from glideslope.evaluate.results import Leak
from glideslope.evaluate.rows import Part, Prepared, moment
from glideslope.evaluate.spelling import Value

Floats = npt.NDArray[np.float64]

_WHAT: Final[Mapping[Kind, str]] = {
    "binary": "an AUC",
    "multiclass": "a mean AUC of each class against the rest",
    "regression": "a concordance",
}
PAIRED: Final = 2_000
"""Rows of whose pairs the concordance with a number is taken."""
SHOWN: Final = 3
"""Examples of a leak."""
BINS: Final = 20
FEWEST: Final = 50
"""Rows with which a feature's hold on the outcome can be told at all."""


def check_leaks(written: Evaluation, prepared: Prepared) -> tuple[Leak, ...]:
    """Ask every check of the rows that is not skipped."""
    checks: Mapping[str, Callable[[Evaluation, Prepared], Leak]] = {
        "target": _target,
        "overlap": _overlap,
        "future": _future,
        "groups": _groups,
        "order": _order,
    }
    return tuple(
        Leak(check=name, verdict=Verdict.INCONCLUSIVE, skipped=True, sentence=written.leakage.skip[name])
        if name in written.leakage.skip
        else check(written, prepared)
        for name, check in checks.items()
    )


def _target(written: Evaluation, prepared: Prepared) -> Leak:
    """Look for a feature that by itself nearly determines the outcome.

    Each feature is cut into categories (its values, or 20 bins of a number, missing being one), and scored on one half of the rows by
    the other half's mean outcome: so a feature with a value of its own for each row is not taken for the outcome. Of several classes
    it is the mean of each against the rest. Of a number it is the share of pairs of rows that the feature orders as the outcome does,
    which is the AUC where the outcome is one of two.
    """
    part = prepared.test
    if len(part) < FEWEST:
        return _unknown("target", f"{len(part)} rows are too few to tell; {FEWEST} are needed.")
    kind = written.data.kind
    found = sorted(((single_feature_auc(part, name, kind=kind), name) for name in part.features), reverse=True)
    worst, name = found[0]
    leaking = [f"{each} alone has {_WHAT[kind]} of {auc:.4f}" for auc, each in found if auc >= written.leakage.target]
    line = written.leakage.target
    if leaking:
        sentence = (
            f"{len(leaking)} of {len(found)} features nearly determine the outcome ({_WHAT[kind]} of {line:g} or more)."
        )
        return _leak("target", sentence, leaking)
    return _clean(
        "target",
        f"The most telling of {len(found)} features, {name}, has {_WHAT[kind]} of {worst:.4f}; {line:g} would be too much.",
    )


def single_feature_auc(part: Part, name: str, *, kind: Kind = "binary") -> float:
    """Return the AUC of one feature as the only predictor, from 0.5; the larger of its rank's and its categories'."""
    match kind:
        case "binary":
            return _hold(part, name, part.outcome.astype(np.float64), _auc)
        case "multiclass":
            rest = [(part.outcome == each).astype(np.float64) for each in np.unique(part.outcome)]
            return float(np.mean([_hold(part, name, one, _auc) for one in rest]))
        case "regression":
            return _hold(part, name, part.outcome.astype(np.float64), _concordance)
        case _:
            assert_never(kind)


def _hold(part: Part, name: str, outcome: Floats, concordance: Callable[[Floats, Floats], float]) -> float:
    numbers = part.numeric.get(name)
    found = [0.5]
    codes: npt.NDArray[np.int64]
    if numbers is not None:
        present = ~np.isnan(numbers)
        auc = concordance(numbers[present], outcome[present])
        found.append(max(auc, 1.0 - auc))
        edges = np.unique(np.quantile(numbers[present], np.arange(1, BINS) / BINS))
        codes = np.where(present, np.searchsorted(edges, np.nan_to_num(numbers)) + 1, 0)
    else:
        texts = np.array(["\0" if v is None else f"{type(v).__name__} {v}" for v in part.columns[name]], dtype=object)
        _, codes = np.unique(texts, return_inverse=True)
    for half in (0, 1):
        learned, asked = np.arange(len(codes)) % 2 == half, np.arange(len(codes)) % 2 != half
        size = int(codes.max()) + 1
        positives = np.bincount(codes[learned], outcome[learned], minlength=size)
        counts = np.bincount(codes[learned], minlength=size)
        # Towards the mean by one row, so that what was not seen says nothing.
        scores = (positives + outcome[learned].mean()) / (counts + 1)
        found.append(concordance(scores[codes[asked]], outcome[asked]))
    return max(found)


def _concordance(scores: Floats, outcome: Floats) -> float:
    """Return the share of pairs with different outcomes that the scores order as the outcomes, ties counting half.

    Of at most PAIRED rows, evenly spread: the pairs of more would not fit into memory, and tell no more.
    """
    rows = np.unique(np.linspace(0, len(scores) - 1, min(len(scores), PAIRED)).astype(np.int64))
    order = np.sign(outcome[rows][:, None] - outcome[rows])
    pairs = np.abs(order).sum()
    if not pairs:
        return 0.5
    return float(0.5 + (np.sign(scores[rows][:, None] - scores[rows]) * order).sum() / pairs / 2)


def _auc(scores: Floats, outcome: Floats) -> float:
    happened = outcome > 0
    positives, negatives = int(happened.sum()), int((~happened).sum())
    if not positives or not negatives:
        return 0.5
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[happened].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def _overlap(written: Evaluation, prepared: Prepared) -> Leak:
    test, train = prepared.test, prepared.train
    if train is None:
        return _unknown("overlap", "Nobody said which rows the candidate learned from (`data.train`).")
    known = set(train.digests)
    shared = [k for k, digest in enumerate(test.digests) if digest in known]
    allowed = written.leakage.overlap
    sentence = f"{len(shared):,} of {len(test):,} held-out rows are among the {len(train):,} training rows; {allowed * 100:g}% may be."
    if len(shared) > allowed * len(test):
        return _leak("overlap", sentence, [f"row {k}: {_shown(test, k)}" for k in shared])
    return _clean("overlap", sentence)


def _future(written: Evaluation, prepared: Prepared) -> Leak:
    known_at = written.data.known_at
    if written.data.time is None:
        return _unknown("future", "Nobody said when a prediction is made (`data.time`).")
    if not known_at:
        return _unknown("future", "Nobody said when the features' values were known (`data.known_at`).")
    found: list[str] = []
    late = 0
    parts = {"held-out": prepared.test} | ({"training": prepared.train} if prepared.train else {})
    for where, part in parts.items():
        assert part.time is not None  # noqa: S101 - a time is declared
        for feature, column in known_at.items():
            for k, value in enumerate(part.columns[column]):
                if value is None:
                    continue
                known = moment(value, where=f"{column}, {where} row {k + 1}")
                if known > part.time[k]:
                    late += 1
                    if len(found) < SHOWN:
                        found.append(
                            f"{where} row {k}: {feature} was known at {_at(known)}, asked at {_at(part.time[k])}"
                        )
    if late:
        return _leak("future", f"{late:,} values were not known yet when the prediction was made.", found)
    return _clean("future", f"Every value of {', '.join(known_at)} was known when the prediction was made.")


def _groups(written: Evaluation, prepared: Prepared) -> Leak:
    test, train = prepared.test, prepared.train
    if written.data.group is None:
        return _unknown("groups", "Nobody said what rows have in common (`data.group`).")
    if train is None:
        return _unknown("groups", "Nobody said which rows the candidate learned from (`data.train`).")
    shared = sorted(set(test.keys) & set(train.keys))
    if shared:
        sentence = f"{len(shared):,} of {len(test.keys):,} groups of `{written.data.group}` are on both sides."
        return _leak("groups", sentence, [f"{written.data.group} {key}" for key in shared])
    return _clean(
        "groups",
        f"No group of `{written.data.group}` is on both sides ({len(test.keys):,} held out, {len(train.keys):,} not).",
    )


def _order(written: Evaluation, prepared: Prepared) -> Leak:
    """A model meets only what comes after its training. Whether that was so here is a fact; only a split by time promises it."""
    test, train = prepared.test, prepared.train
    if written.data.time is None:
        return _unknown("order", "Nobody said when a prediction is made (`data.time`).")
    if train is None or train.time is None or test.time is None:
        return _unknown("order", "Nobody said which rows the candidate learned from (`data.train`).")
    first = test.time.min()
    gap = written.split.gap / 1000 if written.split is not None else 0.0
    later = np.flatnonzero(train.time >= first - gap if gap else train.time >= first)
    if len(later):
        sentence = (
            f"{len(later):,} of {len(train):,} training rows are not older than the first held-out row ({_at(first)})."
        )
        return _leak("order", sentence, [f"training row {k}: {_at(train.time[k])}" for k in later[:SHOWN]])
    return _clean("order", f"All training rows are older than {_at(first)}, the first held-out row.")


def _shown(part: Part, k: int) -> str:
    cells: list[tuple[str, Value]] = [(name, part.columns[name][k]) for name in part.identity[:4]]
    return ", ".join(f"{name}={value}" for name, value in cells) + (", ..." if len(part.identity) > 4 else "")


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(float(seconds), UTC).isoformat().replace("+00:00", "Z")


def _leak(check: str, sentence: str, examples: Sequence[str]) -> Leak:
    return Leak(check=check, verdict=Verdict.FAIL, skipped=False, sentence=sentence, examples=tuple(examples[:SHOWN]))


def _clean(check: str, sentence: str) -> Leak:
    return Leak(check=check, verdict=Verdict.PASS, skipped=False, sentence=sentence)


def _unknown(check: str, what: str) -> Leak:
    sentence = f"{what} Say it, or skip the check: leakage.skip.{check} with a reason."
    return Leak(check=check, verdict=Verdict.INCONCLUSIVE, skipped=False, sentence=sentence)
