"""Carries out an evaluation, part by part: what is finished is in the journal and is not measured again."""

import asyncio
import hashlib
import importlib.metadata
import math
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, assert_never

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from glideslope.evaluate import loading, performing, scenarios, scoring
from glideslope.evaluate.asking import Answer, Asker, Expected, Kind, answered, body_of
from glideslope.evaluate.declared import PER_CLASS, QUALITY, Evaluation
from glideslope.evaluate.journal import Journal
from glideslope.evaluate.leaks import check_leaks
from glideslope.evaluate.loading import Round
from glideslope.evaluate.measures import Scored
from glideslope.evaluate.results import Behaviour, Comparison, Leak, Level, Quality, Reliability, Scenario
from glideslope.evaluate.rows import Part, Prepared, matches
from glideslope.evaluate.serving import Server, ServerNotReady, serving
from glideslope.evaluate.spelling import text_of
from glideslope.ledger import canonical

T = TypeVar("T")

CHUNK: Final = 250
"""Rows whose answers are kept together."""
AT_ONCE: Final = 8
"""Requests in flight while answers are collected; enough to keep a server busy that shares calls."""
COMPARED_AGAIN: Final = 5
"""Answers that are asked for again when an evaluation goes on, to see that the same versions answer."""
WARMED: Final = 50
ARMS: Final = ("candidate", "incumbent")

_IDENTITY: Final = ("model", "candidate", "incumbent", "request", "data", "split", "holdout")
_QUALITY: Final = ("targets", "slices", "seasons", "threshold", "quantile", "confidence", "replicates", "seed")
_SCENARIOS: Final = ("scenarios", "confidence", "seed")
_LOAD: Final = ("load", "seed")

Progress = Callable[[str, int, int], None]
"""Told the part that is finished, its number, and how many there are."""


class _Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to some rows: the number or the numbers of each, null where there was none, and what came instead."""

    probabilities: list[float | list[float] | None]
    instead: dict[int, str]


class _Measured(msgspec.Struct, frozen=True, kw_only=True):
    comparisons: tuple[Comparison, ...]


@dataclass(slots=True)
class Run:
    """One evaluation under way."""

    written: Evaluation
    declared: Mapping[str, object]
    """The same as plain values, with every default."""
    prepared: Prepared
    journal: Journal
    folder: Path
    """Where the document lies: commands run here."""
    work: Path
    progress: Progress
    fresh: int = 0
    """Parts that were measured now."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _servers: dict[str, Server] = field(default_factory=dict)
    _askers: dict[str, Asker] = field(default_factory=dict)
    _done: int = 0
    _total: int = 0

    async def measure(self) -> tuple[Quality, tuple[Level, ...], tuple[Comparison, ...]]:
        """Measure whatever is not in the journal yet. Raises ServerNotReady, EvaluationChanged."""
        try:
            return await self._measure()
        finally:
            for asker in self._askers.values():
                await asker.close()
            self._stack.close()

    async def _measure(self) -> tuple[Quality, tuple[Level, ...], tuple[Comparison, ...]]:
        suite = list(scenarios.suite(self.written, self.prepared.test))
        parts = slice_rows(self.written, self.prepared)
        chunks = math.ceil(len(self.prepared.test) / CHUNK)
        load = self.written.load
        rounds = 0 if load is None else 2 * load.rounds * (len(load.levels) + load.replay)
        self._total = 1 + 2 * chunks + len(parts) + 2 * sum(bool(each.cases) for each in suite) + rounds
        leaks = await self._part("leakage", tuple[Leak, ...], self._leaks, rests_on=("leakage",))
        answers = {arm: await self._predictions(arm, chunks) for arm in ARMS}
        comparisons, bins = await self._quality(answers, parts)
        found = [await self._scenario(asked, answers) for asked in suite]
        levels, service = await self._service()
        test, train = self.prepared.test, self.prepared.train
        unanswered = {arm: sum(a.kind is not Kind.ANSWERED for a in answers[arm]) for arm in ARMS}
        errors = performing.compare_errors(
            self.written.targets.errors,
            (unanswered["candidate"], unanswered["incumbent"]),
            count=len(test),
            confidence=self.written.confidence,
        )
        quality = Quality(
            rows=len(test),
            groups=len(np.unique(test.group)),
            positives=int(test.outcome.sum()) if self.written.data.kind == "binary" else UNSET,
            train_rows=None if train is None else len(train),
            test_digest=test.digest,
            train_digest=None if train is None else train.digest,
            unanswered_candidate=unanswered["candidate"],
            unanswered_incumbent=unanswered["incumbent"],
            comparisons=(errors, *comparisons),
            reliability=bins,
            leakage=leaks,
            scenarios=tuple(found),
            outcomes=outcomes_of(self.written, test),
        )
        return quality, levels, service

    async def _part(self, name: str, kind: Any, measure: Callable[[], Any], *, rests_on: Sequence[str] = ()) -> Any:  # noqa: ANN401 - the type that is asked for
        """Return a part from the journal, or measure it and keep it.

        `rests_on` names the sections of the document that it depends on, beyond what the journal's head holds: with others it is
        another part.
        """
        sections = [self.declared[section] for section in rests_on]
        key = f"{name} {short_digest(sections)}" if rests_on else name
        found = self.journal.get(key, kind)
        if found is None:
            found = measure()
            if asyncio.iscoroutine(found):
                found = await found
            self.journal.put(key, found)
            self.fresh += 1
        self._done += 1
        self.progress(name, self._done, self._total)
        return found

    def _leaks(self) -> tuple[Leak, ...]:
        return check_leaks(self.written, self.prepared)

    async def _predictions(self, arm: str, chunks: int) -> list[Answer]:
        found: list[Answer] = []
        for number in range(chunks):
            name = f"answers/{arm}/{number}"
            rows = range(number * CHUNK, min((number + 1) * CHUNK, len(self.prepared.test)))

            async def ask(rows: Sequence[int] = rows) -> _Answered:
                asker = await self._asker(arm)
                got = await _ask_all(asker, [self._body(k) for k in rows])
                self._servers[arm].revive(doubted=any(a.kind is Kind.BROKEN for a in got))
                return _Answered(
                    probabilities=[_kept(a) for a in got],
                    instead={k: f"{a.kind.value} {a.why}" for k, a in enumerate(got) if a.kind is not Kind.ANSWERED},
                )

            kept: _Answered = await self._part(name, _Answered, ask)
            found += _answers(kept)
        return found

    async def _quality(
        self, answers: dict[str, list[Answer]], parts: dict[str, np.ndarray[Any, np.dtype[np.bool_]]]
    ) -> tuple[list[Comparison], tuple[Reliability, ...]]:
        test, written = self.prepared.test, self.written
        kind, classes = written.data.kind, Expected.of(written.data, written.request).classes
        wide = len(classes) or 1
        missing = (math.nan,) * wide
        scores = {arm: np.array([a.values or missing for a in answers[arm]]).reshape(-1, wide) for arm in ARMS}
        both = ~np.isnan(scores["candidate"][:, 0]) & ~np.isnan(scores["incumbent"][:, 0])
        arms = [scores[arm] if kind == "multiclass" else scores[arm][:, 0] for arm in ARMS]
        scored = Scored(test.outcome, arms[0], arms[1], test.group, kind, classes)
        declared = written.targets.declared()
        found: list[Comparison] = []
        for number, (name, rows) in enumerate(parts.items()):
            chosen = scored.select(rows & both)
            asked = {metric: scoring.bounds_of(declared.get(metric), slices=name != "all") for metric in QUALITY[kind]}
            asked |= {metric: scoring.bounds_of(declared.get(metric)) for metric in PER_CLASS}

            def compare(
                chosen: Scored = chosen,
                asked: scoring.Asked = asked,
                number: int = number,
                name: str = name,
            ) -> _Measured:
                if not len(chosen.happened):
                    return _Measured(comparisons=())
                return _Measured(
                    comparisons=scoring.compare(
                        chosen,
                        slice_name=name,
                        asked=asked,
                        threshold=written.threshold,
                        quantile=written.quantile,
                        outcome=written.data.outcome,
                        confidence=written.confidence,
                        replicates=written.replicates,
                        seed=[written.seed, 1, number],
                    )
                )

            measured: _Measured = await self._part(f"quality/{name}", _Measured, compare, rests_on=_QUALITY)
            found += measured.comparisons or scoring.nothing(
                name, asked, kind=kind, classes=classes, outcome=written.data.outcome
            )
        return found, tuple(scoring.reliability(scored.select(both))) if both.any() else ()

    async def _scenario(self, asked: scenarios.Asked, answers: dict[str, list[Answer]]) -> Scenario:
        if not asked.cases:
            return scenarios.judged(asked, None, None)
        seen = {}
        for arm in ARMS:
            originals = dict(enumerate(answers[arm]))

            async def ask(arm: str = arm, originals: dict[int, Answer] = originals) -> Behaviour:
                asker = await self._asker(arm)
                got = await _ask_all(asker, [case.body for case in asked.cases])
                crashed = self._servers[arm].revive(doubted=any(a.kind is Kind.BROKEN for a in got))
                return scenarios.behaviour(
                    asked,
                    got,
                    originals,
                    crashes=int(crashed),
                    confidence=self.written.confidence,
                    examples=self.written.scenarios.examples,
                )

            seen[arm] = await self._part(f"scenario/{asked.name}/{arm}", Behaviour, ask, rests_on=_SCENARIOS)
        return scenarios.judged(asked, seen["candidate"], seen["incumbent"])

    async def _service(self) -> tuple[tuple[Level, ...], tuple[Comparison, ...]]:
        load, written = self.written.load, self.written
        if load is None:
            return (), ()
        names: list[tuple[str, float]] = [(f"{rate:g}/s", rate) for rate in load.levels]
        if load.replay:
            names.append((performing.REPLAY, load.levels[-1]))
        levels: list[Level] = []
        arms: dict[float, tuple[performing.Arm, performing.Arm]] = {}
        for number, (name, rate) in enumerate(names):
            rounds: dict[str, list[Round]] = {arm: [] for arm in ARMS}
            for k in range(load.rounds):
                # Alternating, so that a machine that grows slower does so for both.
                for arm in ARMS if (k + number) % 2 == 0 else tuple(reversed(ARMS)):
                    part = f"load/{name}/{k}/{arm}"
                    measure = self._loader(arm, name, rate, [number, k])
                    rounds[arm].append(await self._part(part, Round, measure, rests_on=_LOAD))
            pair = [performing.arm_of(rounds[arm], timeout=written.request.timeout, within=load.within) for arm in ARMS]
            seed = [written.seed, 2, number]
            levels.append(
                performing.level_of(
                    name,
                    rate,
                    pair[0],
                    pair[1],
                    load=load,
                    confidence=written.confidence,
                    replicates=written.replicates,
                    seed=seed,
                )
            )
            if name != performing.REPLAY:
                arms[rate] = (pair[0], pair[1])
        found = performing.compare_service(
            written.targets.declared(),
            arms,
            levels,
            load=load,
            cost=written.cost,
            confidence=written.confidence,
            replicates=written.replicates,
            seed=[written.seed, 3],
        )
        return tuple(levels), found

    def _loader(self, arm: str, name: str, rate: float, number: list[int]) -> Callable[[], Any]:
        async def measure() -> Round:
            load = self.written.load
            assert load is not None  # noqa: S101 - its caller has looked
            # The same for both arms: when requests are due, and of which rows they are.
            rng = np.random.default_rng([self.written.seed, 4, *number])
            seconds = load.duration / 1000
            test = self.prepared.test
            if name == performing.REPLAY and test.time is not None:
                due, rows = loading.replayed(test.time, peak=rate, seconds=seconds, rng=rng)
            else:
                due = loading.arrivals(rate, seconds, rng=rng)
                rows = rng.integers(0, len(test), len(due))
            asker = await self._asker(arm)
            server = self._servers[arm]
            found = await loading.load(
                asker,
                [self._body(int(k)) for k in rows],
                due,
                rate=rate,
                seconds=seconds,
                cpu_seconds=server.cpu_seconds,
            )
            server.revive(doubted=not all(found.ok))
            return found

        return measure

    def _body(self, row: int) -> bytes:
        return body_of(list(self.prepared.test.named(row).items()), self.written.request)

    async def _asker(self, arm: str) -> Asker:
        """Return who asks an arm's server, started when it is first needed."""
        server = self._servers.get(arm)
        if server is None:
            served = getattr(self.written, arm)
            server = self._stack.enter_context(
                serving(served, arm=arm, folder=self.folder, log=self.work / f"{arm}.log")
            )
            self._servers[arm] = server
        asker = self._askers.get(arm)
        if asker is None or asker.url != server.url:
            connections = self.written.load.connections if self.written.load else AT_ONCE
            expected = Expected.of(self.written.data, self.written.request)
            asker = Asker(server.url, self.written.request, connections, expected)
            self._askers[arm] = asker
            await self._greet(arm, asker)
        return asker

    async def _greet(self, arm: str, asker: Asker) -> None:
        """Warm a server up, and see that it answers, and as it did when this evaluation was begun.

        Raises EvaluationChanged, and ServerNotReady when no row at all is answered: then the scenarios would tell nothing either.
        """
        warmed = await _ask_all(asker, [self._body(k) for k in range(min(WARMED, len(self.prepared.test)))])
        if all(each.kind is not Kind.ANSWERED for each in warmed):
            request = self.written.request
            raise ServerNotReady(
                arm=arm,
                why=f"of the first {len(warmed)} rows it answered none. To POST {asker.url}{request.path} it said: {warmed[0].why}. "
                f"Is `request` right (path, form, under, answer: {request.answer}), and are these its `data.features`?",
            )
        kept = self.journal.get(f"answers/{arm}/0", _Answered)
        if kept is None:
            return
        again = await _ask_all(asker, [self._body(k) for k in range(min(COMPARED_AGAIN, len(self.prepared.test)))])
        for before, now in zip(_answers(kept), again, strict=False):
            if not scenarios.is_same(before, now):
                raise self.journal.changed(f"what the {arm} answers")


def slice_rows(written: Evaluation, prepared: Prepared) -> dict[str, np.ndarray[Any, np.dtype[np.bool_]]]:
    """Return the rows of the whole, of each declared slice, and of each season that occurs."""
    test = prepared.test
    found = {"all": np.ones(len(test), dtype=bool)}
    for column, values in written.slices.items():
        for value in values:
            found[f"{column}={value}"] = matches(test.columns[column], value)
    if test.time is not None and written.seasons:
        moments = test.time.astype("datetime64[s]")
        days = moments.astype("datetime64[D]")
        seasons = {
            "hour": ((moments - days).astype(np.int64) // 3600, [f"{k:02}" for k in range(24)]),
            # 1 January 1970 was a Thursday.
            "weekday": ((days.astype(np.int64) + 3) % 7, ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]),
            "month": (moments.astype("datetime64[M]").astype(np.int64) % 12, [f"{k:02}" for k in range(1, 13)]),
        }
        for season in written.seasons:
            numbers, names = seasons[season]
            for k in np.unique(numbers):
                found[f"{season}={names[int(k)]}"] = numbers == k
    return found


def outcomes_of(written: Evaluation, test: Part) -> Mapping[str, float] | UnsetType:
    """Return how many rows each class has, or where the numbers lie; nothing of a binary outcome, whose positives are counted."""
    match written.data.kind:
        case "binary":
            return UNSET
        case "multiclass":
            counts = np.bincount(test.outcome.astype(np.int64), minlength=len(written.data.classes or ()))
            return {text_of(each): int(count) for each, count in zip(written.data.classes or (), counts, strict=True)}
        case "regression":
            outcome = test.outcome.astype(np.float64)
            figures = {
                "least": outcome.min(),
                "mean": outcome.mean(),
                "most": outcome.max(),
                "deviation": outcome.std(),
            }
            return {name: float(f"{value:.6g}") for name, value in figures.items()}
        case _:
            assert_never(written.data.kind)


def measured_with() -> dict[str, str]:
    """Say on what this was measured."""
    return {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "glideslope": importlib.metadata.version("glideslope"),
    }


def plain(written: Evaluation) -> dict[str, object]:
    """Return what is declared as plain values, with every default."""
    found: dict[str, object] = msgspec.to_builtins(written.model_dump(by_alias=True))
    return found


def short_digest(value: object) -> str:
    """Return a name for a value; equal values have equal names."""
    return hashlib.sha256(canonical.encode(value)).hexdigest()[:16]


def inputs(written: Evaluation, prepared: Prepared, *, folder: Path, digest: Callable[[Path], str]) -> dict[str, str]:
    """Return the digests of all that goes into an evaluation, by what people call it."""
    declared = plain(written)
    found = {f"`{section}`": short_digest(declared[section]) for section in _IDENTITY}
    found |= {f"the rows of {name}": each for name, each in prepared.files.items()}
    for arm in ARMS:
        served = getattr(written, arm)
        if served.folder is not None:
            found[f"the {arm}'s folder"] = digest(folder / served.folder)
    return found


async def _ask_all(asker: Asker, bodies: Sequence[bytes]) -> list[Answer]:
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(body: bytes) -> Answer:
        async with gate:
            return await asker.ask(body)

    return list(await asyncio.gather(*(one(body) for body in bodies)))


def _kept(answer: Answer) -> float | list[float] | None:
    """Return an answer as the journal keeps it: a single number as such."""
    if answer.kind is not Kind.ANSWERED:
        return None
    return answer.values[0] if len(answer.values) == 1 else list(answer.values)


def _answers(kept: _Answered) -> list[Answer]:
    found = []
    for k, probability in enumerate(kept.probabilities):
        if probability is None:
            kind, _, why = kept.instead[k].partition(" ")
            found.append(Answer(Kind(kind), why=why))
        else:
            found.append(answered(tuple(probability) if isinstance(probability, list) else (probability,)))
    return found
