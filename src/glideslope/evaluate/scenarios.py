"""Controlled variation of the rows: what is sent, what is expected of the answer, and who kept to it.

A scenario starts from rows of the holdout, drawn by the seed, and spoils or changes them. Of spoilt input no answer is right: a server
answers or refuses (4xx), as was expected, and does not fail. Of changed input the answer is compared with that to the row as it was.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np

from glideslope.domain.decision import Verdict
from glideslope.evaluate import intervals
from glideslope.evaluate.asking import Answer, Kind, Pairs, body_of
from glideslope.evaluate.declared import Direction, Evaluation, Hostile, Invariance, Stability
from glideslope.evaluate.results import Behaviour, Broken, Scenario, figure, rounded
from glideslope.evaluate.rows import Part
from glideslope.evaluate.spelling import text_of

UNSEEN: Final = "glideslope-unseen"
SAME: Final = 2e-6
"""How far an answer to the same question may differ: servers print few digits."""

Judge = Callable[[Answer, Answer | None], tuple[str, float]]
"""From an answer and, where it matters, the one to the row as it was: what is wrong (empty if nothing) and how far it moved."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request of a scenario."""

    row: int
    changed: str
    body: bytes
    judge: Judge


@dataclass(frozen=True, slots=True)
class Asked:
    """A scenario's cases; `why` says why there are none."""

    name: str
    expected: str
    allow: float
    cases: tuple[Case, ...]
    why: str = ""
    skipped: bool = False
    moot: bool = False
    """What it asks cannot happen to this input at all."""


def suite(written: Evaluation, part: Part) -> Iterator[Asked]:
    """Yield every scenario with its cases; the same rows and seed give the same ones."""
    declared = written.scenarios
    rng = np.random.default_rng([written.seed, 7])
    rows = [int(k) for k in np.sort(rng.choice(len(part), min(declared.cases, len(part)), replace=False))]
    maker = _Maker(written, part, rows)
    for name in ("missing", "absent", "corrupted", "out_of_range", "unseen", "duplicated", "reordered", "repeated"):
        hostile: Hostile = getattr(declared, name)
        if hostile.expect is None:
            hostile = hostile.model_copy(update={"expect": _EXPECTED.get(name, "either")})
        expected = _expected(hostile, name)
        if name in declared.skip:
            yield Asked(name, expected, hostile.allow, (), why=declared.skip[name], skipped=True)
            continue
        cases = tuple(getattr(maker, name)(hostile))
        yield Asked(name, expected, hostile.allow, cases, why="" if cases else _NOTHING[name], moot=not cases)
    if declared.stability is not None:
        cases = tuple(maker.stability(declared.stability))
        yield Asked("stability", f"moves at most {declared.stability.tolerance:g}", declared.stability.allow, cases)
    for invariance in declared.invariance:
        cases = tuple(maker.invariance(invariance))
        expected = f"moves at most {invariance.tolerance:g}"
        yield Asked(f"invariance: {invariance.change}", expected, invariance.allow, cases)
    for direction in declared.direction:
        cases = tuple(maker.direction(direction))
        whose = "" if direction.of is None else f"probability of {direction.of} "
        expected = f"{whose}{direction.score.replace('-', ' ')}" + (
            f" by more than {direction.tolerance:g}" if direction.tolerance else ""
        )
        yield Asked(
            f"direction: {direction.raised} +{direction.by:g}",
            expected,
            direction.allow,
            cases,
            why="" if cases else "no row has a number there",
        )


_EXPECTED: Final = {"corrupted": "refuse", "reordered": "answer", "repeated": "answer"}
"""What is expected where nobody says it; elsewhere either will do."""

_NOTHING: Final = {
    "missing": "no feature to spoil",
    "absent": "features of a list have no names",
    "corrupted": "no feature to spoil",
    "out_of_range": "no feature is a number",
    "unseen": "no feature is a category",
    "duplicated": "features of a list have no names",
    "reordered": "features of a list have no names",
    "repeated": "no rows",
}


def behaviour(
    asked: Asked,
    answers: Sequence[Answer],
    originals: Mapping[int, Answer],
    *,
    crashes: int,
    confidence: float,
    examples: int,
) -> Behaviour:
    """Judge the answers to a scenario's cases, in order. `originals` are those to the rows as they were."""
    found: list[Broken] = []
    broken, worst = 0, math.nan
    for case, answer in zip(asked.cases, answers, strict=True):
        wrong, moved = case.judge(answer, originals.get(case.row))
        worst = float(np.fmax(worst, moved))
        if wrong:
            broken += 1
            if len(found) < examples:
                found.append(Broken(row=case.row, changed=case.changed, answer=f"{wrong}: {answer.why}"))
    return Behaviour(
        cases=len(answers),
        answered=sum(a.kind is Kind.ANSWERED for a in answers),
        refused=sum(a.kind is Kind.REFUSED for a in answers),
        broken=broken,
        crashes=crashes,
        share=figure(
            broken / len(answers) if answers else None, intervals.share(broken, len(answers), confidence=confidence)
        ),
        worst=rounded(worst),
        examples=tuple(found),
    )


def judged(asked: Asked, candidate: Behaviour | None, incumbent: Behaviour | None) -> Scenario:
    """Give the candidate's verdict. Where nothing may break, one case that does is a proof; else the exact interval decides."""
    verdict = Verdict.INCONCLUSIVE
    if asked.moot:
        verdict = Verdict.PASS
    elif candidate is not None and candidate.crashes:
        verdict = Verdict.FAIL
    elif candidate is not None and candidate.cases:
        low, high = candidate.share.low, candidate.share.high
        assert low is not None  # noqa: S101 - a share has an interval
        assert high is not None  # noqa: S101 - as above
        if asked.allow == 0.0:
            verdict = Verdict.FAIL if candidate.broken else Verdict.PASS
        elif high <= asked.allow:
            verdict = Verdict.PASS
        elif low > asked.allow:
            verdict = Verdict.FAIL
    return Scenario(
        name=asked.name,
        expected=asked.expected,
        allow=asked.allow,
        verdict=verdict,
        skipped=asked.skipped,
        why=asked.why,
        candidate=candidate,
        incumbent=incumbent,
    )


def _expected(hostile: Hostile, name: str) -> str:
    words = {"either": "answers or refuses", "answer": "answers", "refuse": "refuses"}[hostile.expect or "either"]
    return (
        f"{words}, as before"
        if name in ("duplicated", "reordered", "repeated") and hostile.expect != "refuse"
        else words
    )


def _shown(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:37]}..."


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the cases of each scenario from the same rows."""

    written: Evaluation
    part: Part
    rows: Sequence[int]

    def missing(self, hostile: Hostile) -> Iterator[Case]:
        for row, name in self._spoilt(hostile, self.part.features):
            yield self._case(
                row, f"{name} = null", [(k, None if k == name else v) for k, v in self._pairs(row)], _stays_up(hostile)
            )

    def absent(self, hostile: Hostile) -> Iterator[Case]:
        if self.written.request.form == "list":
            return
        for row, name in self._spoilt(hostile, self.part.features):
            yield self._case(
                row, f"without {name}", [(k, v) for k, v in self._pairs(row) if k != name], _stays_up(hostile)
            )

    def corrupted(self, hostile: Hostile) -> Iterator[Case]:
        wrong: dict[bool, Sequence[object]] = {
            True: ("not a number", [1, 2], {"a": 1}, "\u0000'; --"),
            False: (-1, [1, 2], {"a": 1}, "x" * 5000),
        }
        for number, (row, name) in enumerate(self._spoilt(hostile, self.part.features)):
            choices = wrong[name in self.part.numeric]
            value = choices[number % len(choices)]
            yield self._case(
                row,
                f"{name} = {_shown(value)}",
                [(k, value if k == name else v) for k, v in self._pairs(row)],
                _stays_up(hostile),
            )
        judge = _stays_up(hostile)
        for row in self.rows[:3]:
            whole = body_of(self._pairs(row), self.written.request)
            yield Case(row, "body cut off in the middle", whole[: len(whole) // 2], judge)
            yield Case(row, "empty body", b"", judge)
            yield Case(row, "body is no JSON", b"\xff\xfe<xml/>", judge)
            yield Case(row, "body is nested 500 deep", b"[" * 500 + b"]" * 500, judge)

    def out_of_range(self, hostile: Hostile) -> Iterator[Case]:
        for number, (row, name) in enumerate(self._spoilt(hostile, tuple(self.part.numeric))):
            column = self.part.numeric[name]
            low, high = float(np.nanmin(column)), float(np.nanmax(column))
            reach = 10 * ((high - low) or 1.0)
            value = (high + reach, low - reach, 1e300, -1e300)[number % 4]
            yield self._case(
                row,
                f"{name} = {value:g}",
                [(k, value if k == name else v) for k, v in self._pairs(row)],
                _stays_up(hostile),
            )

    def unseen(self, hostile: Hostile) -> Iterator[Case]:
        texts = [name for name in self.part.features if any(isinstance(v, str) for v in self.part.columns[name])]
        for row, name in self._spoilt(hostile, tuple(texts)):
            yield self._case(
                row,
                f"{name} = {UNSEEN}",
                [(k, UNSEEN if k == name else v) for k, v in self._pairs(row)],
                _stays_up(hostile),
            )

    def duplicated(self, hostile: Hostile) -> Iterator[Case]:
        if self.written.request.form == "list":
            return
        for row, name in self._spoilt(hostile, self.part.features):
            pairs = self._pairs(row)
            again = [*pairs, *(pair for pair in pairs if pair[0] == name)]
            yield self._case(row, f"{name} written twice", again, _as_before(hostile))

    def reordered(self, hostile: Hostile) -> Iterator[Case]:
        if self.written.request.form == "list":
            return
        rng = np.random.default_rng([self.written.seed, 8])
        for row in self.rows:
            pairs = self._pairs(row)
            order = rng.permutation(len(pairs))
            yield self._case(row, "features in another order", [pairs[k] for k in order], _as_before(hostile))

    def repeated(self, hostile: Hostile) -> Iterator[Case]:
        for row in self.rows:
            yield self._case(row, "the same request again", self._pairs(row), _as_before(hostile))

    def stability(self, declared: Stability) -> Iterator[Case]:
        rng = np.random.default_rng([self.written.seed, 9])
        spread = {name: float(np.nanstd(column)) for name, column in self.part.numeric.items()}
        for row in self.rows:
            shaken = [
                (
                    k,
                    v + float(rng.uniform(-1, 1)) * declared.by * spread[k]
                    if isinstance(v, int | float) and k in spread
                    else v,
                )
                for k, v in self._pairs(row)
            ]
            yield self._case(
                row, f"all numbers shaken by {declared.by * 100:g}%", shaken, _moves_at_most(declared.tolerance)
            )

    def invariance(self, declared: Invariance) -> Iterator[Case]:
        for row in self.rows:
            for value in declared.to:
                pairs = [(k, value if k == declared.change else v) for k, v in self._pairs(row)]
                yield self._case(row, f"{declared.change} = {_shown(value)}", pairs, _moves_at_most(declared.tolerance))

    def direction(self, declared: Direction) -> Iterator[Case]:
        sign = 1.0 if declared.score == "must-not-fall" else -1.0
        classes = [text_of(each) for each in self.written.data.classes or ()]
        place = 0 if declared.of is None else classes.index(text_of(declared.of))
        for row in self.rows:
            value = self.part.columns[declared.raised][row]
            if isinstance(value, bool) or not isinstance(value, int | float):
                continue
            by = int(declared.by) if isinstance(value, int) and declared.by.is_integer() else declared.by
            raised = value + by
            pairs = [(k, raised if k == declared.raised else v) for k, v in self._pairs(row)]
            yield self._case(
                row,
                f"{declared.raised} from {value:g} to {raised:g}",
                pairs,
                _goes(sign, declared.tolerance, place=place),
            )

    def _spoilt(self, hostile: Hostile, features: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Give each row one feature to spoil, all features in turn; at least each feature once, however few cases are asked for."""
        chosen = [name for name in features if hostile.features is None or name in hostile.features]
        if not chosen or not self.rows:
            return
        for k in range(max(len(self.rows), len(chosen))):
            yield self.rows[k % len(self.rows)], chosen[k % len(chosen)]

    def _pairs(self, row: int) -> list[tuple[str, object]]:
        return list(self.part.named(row).items())

    def _case(self, row: int, changed: str, pairs: Pairs, judge: Judge) -> Case:
        return Case(row, changed, body_of(pairs, self.written.request), judge)


def _stays_up(hostile: Hostile) -> Judge:
    def judge(answer: Answer, _: Answer | None) -> tuple[str, float]:
        if answer.kind is Kind.BROKEN:
            return "failed", math.nan
        if hostile.expect == "answer" and answer.kind is Kind.REFUSED:
            return "refused", math.nan
        if hostile.expect == "refuse" and answer.kind is Kind.ANSWERED:
            return "answered", math.nan
        return "", math.nan

    return judge


def _as_before(hostile: Hostile) -> Judge:
    stays_up, same = _stays_up(hostile), _moves_at_most(SAME, relative=True)

    def judge(answer: Answer, before: Answer | None) -> tuple[str, float]:
        wrong, _ = stays_up(answer, before)
        return (wrong, math.nan) if wrong or answer.kind is Kind.REFUSED else same(answer, before)

    return judge


def _moves_at_most(tolerance: float, *, relative: bool = False) -> Judge:
    def judge(answer: Answer, before: Answer | None) -> tuple[str, float]:
        if before is None or before.kind is not Kind.ANSWERED:
            return "not comparable", math.nan
        if answer.kind is not Kind.ANSWERED:
            return answer.kind.value, math.nan
        moved = answer.moved(before)
        # A server prints so many digits, not so many behind the point.
        size = max(1.0, *(abs(each) for each in before.values))
        allowed = tolerance * size if relative else tolerance
        return (f"moved by {moved:.4g} from {before.why}" if moved > allowed + 1e-12 * size else ""), moved

    return judge


def is_same(one: Answer, other: Answer) -> bool:
    """Tell whether two answers to the same question are the same, but for the digits that servers print."""
    if one.kind is not other.kind or len(one.values) != len(other.values):
        return False
    size = max((1.0, *(abs(each) for each in one.values)))
    return not one.values or one.moved(other) <= SAME * size


def _goes(sign: float, tolerance: float, *, place: int) -> Judge:
    def judge(answer: Answer, before: Answer | None) -> tuple[str, float]:
        if before is None or before.kind is not Kind.ANSWERED:
            return "not comparable", math.nan
        if answer.kind is not Kind.ANSWERED:
            return answer.kind.value, math.nan
        wrong_way = sign * (before.values[place] - answer.values[place])
        word = "fell" if sign > 0 else "rose"
        return (
            f"{word} by {wrong_way:.4g} from {before.values[place]:g}" if wrong_way > tolerance + 1e-12 else ""
        ), max(0.0, wrong_way)

    return judge
