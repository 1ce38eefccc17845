"""What every PredictionLog promises: rows outlive duplicates and any order, and each question has one answer.

Long because it is one contract: every question that the log answers, asked of the same few rows.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import pytest

from glideslope.domain.ids import WHOLE, Actor, MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.logged import NO_SCORE, TOSS, OutcomeRow, PredictionRow, RequestRow, read_slices
from glideslope.domain.metric import BRIER, ERRORS, LATENCY, LOG_LOSS, WRONG, Kind, Metric, Origin, loss_bin
from glideslope.domain.receipt import SCORE_LEVELS
from glideslope.domain.traffic import Arm
from glideslope.engine.prediction_log import Join, Joined, PredictionLog, Recount, Recounts, Silence

MODEL: Final = ModelName("delays")
ROLLOUT: Final = RolloutId("r-0001")
S1: Final = StepName("s1")
S2: Final = StepName("s2")
NOON: Final = 1_800_000_000_000
SETTLE: Final = 1_000
SOURCE: Final = "ada\x1fsvc"
BINS: Final[Mapping[MetricName, Sequence[int]]] = {
    metric.name: [
        loss_bin(metric, probability=place // 2 / SCORE_LEVELS, happened=bool(place % 2))
        for place in range(2 * SCORE_LEVELS + 2)
    ]
    for metric in (WRONG,)
}
FALLBACK: Final = Metric(name=MetricName("fallback"), kind=Kind.EVENT, origin=Origin.SERVICE)
TOKENS: Final = Metric(name=MetricName("tokens"), kind=Kind.SCORE, origin=Origin.SERVICE, edges=(1.0, 2.0, 4.0))


def prediction(
    name: str,
    *,
    number: int = 1,
    subject: int = 0,
    arm: Arm = Arm.CANDIDATE,
    score: int = NO_SCORE,
    slices: str = "{}",
    rollout: RolloutId = ROLLOUT,
    step: StepName = S1,
    request: int = 0,
    metrics: Mapping[str, float] | None = None,
    epoch: int = 1,
) -> PredictionRow:
    """Return a prediction of the usual source."""
    return PredictionRow(
        model=MODEL,
        source=SOURCE,
        epoch=epoch,
        number=number,
        prediction=name,
        key=key(name),
        at=NOON,
        rollout=rollout,
        step=step,
        arm=arm,
        request=request,
        subject=subject,
        slices=slices,
        score=score,
        metrics=metrics or {},
        attributes={},
    )


def outcome(name: str, happened: bool, *, at: int = 0) -> OutcomeRow:
    """Return a statement about an id of the caller's own."""
    return OutcomeRow(
        model=MODEL, prediction=name, key=key(name), at=at, happened=happened, by=Actor("ada"), counted=False
    )


def receipted(name: str, happened: bool, *, unit: int, score: int, arm: Arm = Arm.CANDIDATE) -> OutcomeRow:
    """Return an outcome that came with its receipt."""
    return OutcomeRow(
        model=MODEL,
        prediction=name,
        key=key(name),
        at=0,
        happened=happened,
        by=Actor("ada"),
        counted=True,
        rollout=ROLLOUT,
        step=S1,
        arm=arm,
        unit=unit,
        score=score,
    )


def request(
    number: int, *, subject: int, status: int = 200, latency_us: int = 1_000, arm: Arm = Arm.CANDIDATE
) -> RequestRow:
    """Return a request that the gateway saw."""
    return RequestRow(
        model=MODEL,
        source="gateway",
        epoch=1,
        number=number,
        rollout=ROLLOUT,
        step=S1,
        arm=arm,
        subject=subject,
        status=status,
        latency_us=latency_us,
        rescued=False,
    )


def key(name: str) -> int:
    """Return a key for an id; any will do, as long as two ids have two."""
    return int.from_bytes(name.encode().ljust(8, b"\0")[:8], signed=True)


def members(text: str) -> Sequence[SliceName]:
    """Return the slices of fields: the whole, and `field=value` for each."""
    return (WHOLE, *(SliceName(f"{field}={value}") for field, value in read_slices(text).items()))


def question(*, until: int, rollout: RolloutId = ROLLOUT) -> Join:
    """Ask what of the usual rollout is due before a time."""
    return Join(model=MODEL, rollout=rollout, until=until, settle=SETTLE, bins=BINS, members=members)


def silence(*, until: int, within: int) -> Silence:
    """Ask of whom nothing was heard in time."""
    return Silence(
        model=MODEL, rollout=ROLLOUT, until=until, within=within, metric=MetricName("silent"), members=members
    )


def _recount(*metrics: Metric, services: int = 0, gateways: int = 0, mark: int = 0, until: int = 0) -> Recount:
    return Recount(
        model=MODEL,
        rollout=ROLLOUT,
        services={(SOURCE, 1): services} if services else {},
        gateways={("gateway", 1): gateways} if gateways else {},
        mark=mark,
        until=until,
        settle=SETTLE,
        metrics=metrics,
        members=members,
        tolerances={LATENCY.name: 0.25},
    )


def _flat(found: Joined) -> dict[tuple[str, str, str, int], int]:
    counts: dict[tuple[str, str, str, int], int] = {}
    for g in found.groups:
        for slice_ in g.slices:
            place = (g.step, g.arm.value, slice_, g.bins.get(WRONG.name, -1))
            counts[place] = counts.get(place, 0) + g.count
    return counts


def _bins(found: Recounts, metric: MetricName, arm: Arm = Arm.CANDIDATE, slice_: SliceName = WHOLE) -> dict[int, int]:
    counts: dict[int, int] = {}
    for c in found.counts:
        if c.metric == metric and c.arm is arm and c.slice == slice_:
            counts[c.bin] = counts.get(c.bin, 0) + c.count
    return counts


HIGH: Final = 60_000
LOW: Final = 5_000


@pytest.mark.asyncio
class PredictionLogContract:
    """Subclass and provide the fixture `log`: empty, and for this test alone."""

    @pytest.fixture
    def log(self) -> PredictionLog:
        raise NotImplementedError("provide the fixture `log`")

    async def test_an_empty_log_answers_with_nothing(self, log: PredictionLog) -> None:
        found = await log.join(question(until=NOON))
        assert (list(found.groups), found.waiting, found.contradicted) == ([], 0, 0)
        assert list((await log.recount(_recount(WRONG))).counts) == []
        assert list(await log.cohorts(MODEL, ROLLOUT)) == []

    async def test_an_outcome_counts_once_it_has_settled(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)
        await log.write(outcomes=[outcome("a", False)], now=NOON + 5)

        assert _flat(await log.join(question(until=NOON + 5 + SETTLE))) == {}
        assert _flat(await log.join(question(until=NOON + 6 + SETTLE))) == {("s1", "candidate", "all", 1): 1}

    async def test_an_outcome_may_come_before_its_prediction(self, log: PredictionLog) -> None:
        await log.write(outcomes=[outcome("a", True)], now=NOON)
        assert (await log.join(question(until=NOON + 10 * SETTLE))).waiting == 1

        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON + 10 * SETTLE)

        assert _flat(await log.join(question(until=NOON + 10 * SETTLE))) == {}
        found = await log.join(question(until=NOON + 10 * SETTLE + 1))
        assert (_flat(found), found.waiting) == ({("s1", "candidate", "all", 0): 1}, 0)

    async def test_what_is_sent_twice_counts_once(self, log: PredictionLog) -> None:
        for _ in range(3):
            await log.write(
                predictions=[prediction("a", subject=1, score=HIGH)], outcomes=[outcome("a", True)], now=NOON
            )

        found = await log.join(question(until=NOON + 2 * SETTLE))
        assert (_flat(found), found.contradicted) == ({("s1", "candidate", "all", 0): 1}, 0)

    async def test_the_latest_correction_by_its_own_time_wins(self, log: PredictionLog) -> None:
        """The one that arrives last was known first; clocks of two tellers need not agree, only their own order counts."""
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)
        await log.write(outcomes=[outcome("a", True, at=10), outcome("a", False, at=30)], now=NOON)
        await log.write(outcomes=[outcome("a", True, at=20)], now=NOON + 1)

        found = await log.join(question(until=NOON + 2 * SETTLE))
        assert _flat(found) == {("s1", "candidate", "all", 1): 1}
        assert [(c.prediction, c.statements, c.counted, c.late) for c in found.contradictions] == [
            ("a", 3, False, False)
        ]

    async def test_of_two_statements_of_one_time_the_last_received_wins(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)
        await log.write(outcomes=[outcome("a", False), outcome("a", True)], now=NOON)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {("s1", "candidate", "all", 0): 1}

    async def test_a_correction_that_comes_too_late_changes_nothing_and_is_named(self, log: PredictionLog) -> None:
        await log.write(
            predictions=[prediction("a", subject=1, score=HIGH)], outcomes=[outcome("a", True, at=1)], now=NOON
        )
        before = _flat(await log.join(question(until=NOON + 2 * SETTLE)))
        await log.write(outcomes=[outcome("a", False, at=2)], now=NOON + 2 * SETTLE)

        found = await log.join(question(until=NOON + 9 * SETTLE))

        assert _flat(found) == before == {("s1", "candidate", "all", 0): 1}
        assert (found.contradicted, found.late) == (1, 1)
        assert [(c.counted, c.late) for c in found.contradictions] == [(True, True)]

    async def test_a_subject_counts_once_per_step_by_its_first_due_outcome(self, log: PredictionLog) -> None:
        rows = [
            prediction("a", number=1, subject=7, score=HIGH),
            prediction("b", number=2, subject=7, score=HIGH),
            prediction("c", number=3, subject=7, score=HIGH, step=S2),
        ]
        await log.write(predictions=rows, now=NOON)
        await log.write(outcomes=[outcome("b", False)], now=NOON + 1)
        await log.write(outcomes=[outcome("a", True), outcome("c", True)], now=NOON + 2)

        found = _flat(await log.join(question(until=NOON + 3 * SETTLE)))

        assert found == {("s1", "candidate", "all", 1): 1, ("s2", "candidate", "all", 0): 1}

    async def test_outcomes_due_at_once_are_ordered_by_key(self, log: PredictionLog) -> None:
        """So that whoever asks, and whenever, the same one of a subject's outcomes counts."""
        rows = [prediction(name, number=k, subject=7, score=HIGH) for k, name in enumerate("bca", 1)]
        await log.write(predictions=rows, now=NOON)
        await log.write(outcomes=[outcome("c", False), outcome("a", True), outcome("b", False)], now=NOON)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {("s1", "candidate", "all", 0): 1}

    async def test_a_subject_counts_once_in_each_slice_that_it_visits(self, log: PredictionLog) -> None:
        rows = [
            prediction("a", number=1, subject=7, score=HIGH, slices='{"origin":"EWR"}'),
            prediction("b", number=2, subject=7, score=LOW, slices='{"origin":"JFK"}'),
            prediction("c", number=3, subject=7, score=HIGH, slices='{"origin":"JFK"}'),
        ]
        await log.write(predictions=rows, now=NOON)
        for k, name in enumerate("abc"):
            await log.write(outcomes=[outcome(name, True)], now=NOON + k)
        expected = {
            ("s1", "candidate", "all", 0): 1,
            ("s1", "candidate", "origin=EWR", 0): 1,
            ("s1", "candidate", "origin=JFK", 1): 1,
        }

        assert _flat(await log.join(question(until=NOON + 9 * SETTLE))) == expected
        found = await log.recount(_recount(WRONG, until=NOON + 9 * SETTLE))
        assert {
            (c.step, c.arm.value, c.slice, c.bin): c.count for c in found.counts if c.metric == WRONG.name
        } == expected

    async def test_who_names_no_subject_counts_per_request_or_per_id(self, log: PredictionLog) -> None:
        rows = [
            prediction("a", number=1, request=5, score=HIGH),
            prediction("b", number=2, request=5, score=HIGH),
            prediction("c", number=3, score=HIGH),
            prediction("d", number=4, score=HIGH),
        ]
        await log.write(predictions=rows, outcomes=[outcome(n, True) for n in "abcd"], now=NOON)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {("s1", "candidate", "all", 0): 3}

    async def test_an_id_that_is_given_twice_means_its_first_prediction(self, log: PredictionLog) -> None:
        await log.write(
            predictions=[prediction("a", number=1, subject=1, score=HIGH, rollout=RolloutId("r-0000"))], now=NOON
        )
        await log.write(predictions=[prediction("a", number=1, subject=2, score=LOW)], now=NOON + 1)
        await log.write(outcomes=[outcome("a", True)], now=NOON + 2)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {}
        earlier = await log.join(question(until=NOON + 2 * SETTLE, rollout=RolloutId("r-0000")))
        assert _flat(earlier) == {("s1", "candidate", "all", 0): 1}

    async def test_an_answer_without_probability_is_counted_without_losses(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=1)], outcomes=[outcome("a", True)], now=NOON)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {("s1", "candidate", "all", -1): 1}

    async def test_slices_and_arms_are_kept_apart(self, log: PredictionLog) -> None:
        rows = [
            prediction("a", number=1, subject=1, score=HIGH, slices='{"origin":"EWR"}'),
            prediction("b", number=2, subject=2, score=HIGH, slices='{"origin":"it\'s \\"X\\""}', arm=Arm.INCUMBENT),
        ]
        await log.write(predictions=rows, outcomes=[outcome("a", True), outcome("b", True)], now=NOON)

        assert _flat(await log.join(question(until=NOON + 2 * SETTLE))) == {
            ("s1", "candidate", "all", 0): 1,
            ("s1", "candidate", "origin=EWR", 0): 1,
            ("s1", "incumbent", "all", 0): 1,
            ("s1", "incumbent", 'origin=it\'s "X"', 0): 1,
        }

    async def test_a_clock_that_is_set_back_makes_nothing_due_before_what_was_counted(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=7, score=HIGH)], outcomes=[outcome("a", True)], now=NOON)
        counted = _flat(await log.join(question(until=NOON + 2 * SETTLE)))

        await log.write(
            predictions=[prediction("b", number=2, subject=7, score=HIGH)],
            outcomes=[outcome("b", False)],
            now=NOON - 99_999,
        )

        assert _flat(await log.join(question(until=NOON + 9 * SETTLE))) == counted == {("s1", "candidate", "all", 0): 1}

    async def test_marks_ascend(self, log: PredictionLog) -> None:
        before = log.mark()
        await log.write(requests=[request(1, subject=1)], now=NOON)
        assert log.mark() > before

    async def test_events_count_a_subject_once_as_good_and_once_as_bad(self, log: PredictionLog) -> None:
        values = {1: (0, 0, 1, 1, 0), 2: (1, 0), 3: (0,)}
        rows = [
            prediction(f"{s}-{k}", subject=s, metrics={"fallback": float(v)})
            for s, told in values.items()
            for k, v in enumerate(told)
        ]
        numbered = [_numbered(row, k) for k, row in enumerate(rows, 1)]
        await log.write(predictions=[*numbered, numbered[0]], now=NOON)

        found = await log.recount(_recount(FALLBACK, services=len(rows)))

        assert (_bins(found, FALLBACK.name), found.missing) == ({0: 2, 1: 2}, 0)

    async def test_scores_count_a_subjects_first_value(self, log: PredictionLog) -> None:
        rows = [
            prediction("a", number=2, subject=1, metrics={"tokens": 0.5}),
            prediction("b", number=1, subject=1, metrics={"tokens": 2.0}),
            prediction("c", number=3, metrics={"tokens": 99.0}),
            prediction("d", number=4, metrics={"other": 1.0}),
        ]
        await log.write(predictions=rows, now=NOON)

        assert _bins(await log.recount(_recount(TOKENS, services=4)), TOKENS.name) == {1: 1, 2: 1}

    async def test_rows_beyond_the_mark_are_left_out_and_those_missing_are_told(self, log: PredictionLog) -> None:
        rows = [prediction(n, number=k, metrics={"fallback": 1.0}) for k, n in ((1, "a"), (2, "b"), (4, "d"))]
        await log.write(predictions=rows, now=NOON)

        found = await log.recount(_recount(FALLBACK, services=3))

        assert (_bins(found, FALLBACK.name), found.missing) == ({1: 2}, 1)

    async def test_requests_are_counted_as_the_gateway_counts_them(self, log: PredictionLog) -> None:
        rows = [
            request(1, subject=1, status=200, latency_us=1_000),
            request(2, subject=1, status=503, latency_us=90_000),
            request(3, subject=1, status=500),
            request(4, subject=2, status=0, latency_us=2_000),
            request(5, subject=0, status=200, latency_us=1_000, arm=Arm.INCUMBENT),
        ]
        await log.write(requests=rows, now=NOON)

        found = await log.recount(_recount(ERRORS, LATENCY, gateways=5))

        assert _bins(found, ERRORS.name) == {0: 1, 1: 2}
        assert _bins(found, LATENCY.name) == {LATENCY.bin(1 / 1.25): 1, LATENCY.bin(2 / 1.25): 1}
        assert _bins(found, LATENCY.name, Arm.INCUMBENT) == {LATENCY.bin(1.0): 1}
        assert _bins(found, MetricName("exposure")) == {0: 2}

    async def test_a_request_in_flight_is_counted_as_late_and_exposed_and_its_end_finds_it_counted(
        self, log: PredictionLog
    ) -> None:
        flying = msgspec.structs.replace(request(1, subject=0, latency_us=9_000_000), in_flight=True, stream=77)
        ended = msgspec.structs.replace(request(2, subject=0, latency_us=9_500_000), stream=77)
        young = msgspec.structs.replace(request(3, subject=5, latency_us=5_000), in_flight=True)
        quick = request(4, subject=5, latency_us=6_250)
        await log.write(requests=[flying, ended, young, quick], now=NOON)

        found = await log.recount(_recount(ERRORS, LATENCY, gateways=4))

        assert _bins(found, LATENCY.name) == {LATENCY.bins - 1: 1, LATENCY.bin(5.0): 1}
        assert _bins(found, ERRORS.name) == {0: 2}
        assert _bins(found, MetricName("exposure")) == {0: 2}

    async def test_outcomes_by_receipt_are_recounted_from_the_logged_prediction(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)
        rows = [
            receipted("a", True, unit=1, score=LOW),  # the log knows better what was answered
            receipted("b", True, unit=2, score=LOW),  # the log does not know it, the receipt does
            receipted("c", False, unit=2, score=LOW),
        ]
        await log.write(outcomes=rows, now=NOON)

        found = await log.recount(_recount(WRONG, LOG_LOSS, BRIER, mark=log.mark()))

        assert (_bins(found, WRONG.name), found.unmatched) == ({0: 1, 1: 1}, 2)
        for metric in (LOG_LOSS, BRIER):
            bins = [loss_bin(metric, probability=s / SCORE_LEVELS, happened=True) for s in (HIGH, LOW)]
            assert _bins(found, metric.name) == {bins[0]: 1, bins[1]: 1}
        assert _bins(found, MetricName("outcome")) == {0: 2}

    async def test_what_is_not_counted_yet_is_not_recounted(self, log: PredictionLog) -> None:
        await log.write(outcomes=[receipted("a", True, unit=1, score=LOW)], now=NOON)
        mark = log.mark()
        await log.write(outcomes=[receipted("b", True, unit=2, score=LOW)], now=NOON)

        assert _bins(await log.recount(_recount(WRONG, mark=mark)), WRONG.name) == {1: 1}

    async def test_the_join_is_recounted_too(self, log: PredictionLog) -> None:
        rows = [prediction(n, number=k, subject=k % 3 + 1, score=HIGH) for k, n in enumerate("abcdef", 1)]
        await log.write(predictions=rows, now=NOON)
        await log.write(outcomes=[outcome(n, n in "ace", at=5) for n in "fedcba"], now=NOON)
        await log.write(outcomes=[outcome("a", False, at=9), outcome("b", True, at=1)], now=NOON + 1)
        await log.write(outcomes=[outcome("c", False, at=9)], now=NOON + 2 * SETTLE)

        joined = await log.join(question(until=NOON + 5 * SETTLE))
        found = await log.recount(_recount(WRONG, until=NOON + 5 * SETTLE))

        by_join = {bin_: count for (_, _, _, bin_), count in _flat(joined).items()}
        assert by_join == _bins(found, WRONG.name)
        assert sum(by_join.values()) == 3

    async def test_cohorts_tell_age_labels_and_what_scores_let_expect(self, log: PredictionLog) -> None:
        hour = 3_600_000
        await log.write(
            predictions=[
                prediction("a", number=1, subject=1, score=SCORE_LEVELS),
                prediction("b", number=2, subject=1, score=LOW),
                prediction("c", number=3, subject=2, score=0),
            ],
            now=NOON,
        )
        await log.write(
            predictions=[prediction("d", number=4, subject=3), prediction("e", number=5, subject=4, score=LOW)],
            now=NOON + hour,
        )
        await log.write(outcomes=[outcome("b", True), outcome("d", True)], now=NOON + hour)

        first, second = await log.cohorts(MODEL, ROLLOUT)

        assert (first.hour, first.subjects, first.labelled, first.scored) == (NOON // hour * hour, 2, 1, 2)
        assert (first.wrong, first.log_loss, first.brier) == (0.0, 0.0, 0.0)
        p = LOW / SCORE_LEVELS
        assert (second.hour - first.hour, second.subjects, second.labelled, second.scored) == (hour, 2, 1, 1)
        assert second.wrong == pytest.approx(p)
        assert second.brier == pytest.approx(p * (1 - p))

    async def test_silence_is_told_of_each_subject_once_its_time_is_over_and_never_changes(
        self, log: PredictionLog
    ) -> None:
        within = 10_000
        await log.write(
            predictions=[
                prediction("a", number=1, subject=1, slices='{"origin":"EWR"}'),
                prediction("b", number=2, subject=2, arm=Arm.INCUMBENT),
                prediction("c", number=3, subject=3),
                prediction("d", number=4, subject=4, slices='{"origin":"JFK"}'),
                prediction("e", number=5, subject=5),
                prediction("a2", number=6, subject=1, arm=Arm.INCUMBENT),
                prediction("x", number=7, subject=1, rollout=RolloutId("r-0002")),
            ],
            now=NOON,
        )
        # The subject's second answer is told of; the second by its receipt, of which the log knows no prediction.
        await log.write(outcomes=[outcome("a2", True), receipted("lost", False, unit=2, score=0)], now=NOON + 5_000)
        await log.write(outcomes=[outcome("c", True)], now=NOON + within)
        await log.write(outcomes=[outcome("d", True)], now=NOON + within + 1)
        await log.write(predictions=[prediction("f", number=8, subject=6)], now=NOON + within + 1)

        early = await log.silence(silence(until=NOON + within, within=within))
        found = {
            (r.arm, r.slice, r.bin): r.count for r in await log.silence(silence(until=NOON + 12_000, within=within))
        }

        assert list(early) == []
        assert found == {
            (Arm.CANDIDATE, WHOLE, 0): 2,
            (Arm.CANDIDATE, "origin=EWR", 0): 1,
            (Arm.INCUMBENT, WHOLE, 0): 1,
            (Arm.CANDIDATE, WHOLE, 1): 2,
            (Arm.CANDIDATE, "origin=JFK", 1): 1,
        }
        # Whatever is received from now on is received after those deadlines, be its clock set back.
        await log.write(outcomes=[outcome("e", True), outcome("d", False)], now=NOON)
        again = {
            (r.arm, r.slice, r.bin): r.count for r in await log.silence(silence(until=NOON + 12_000, within=within))
        }
        assert again == found

    async def test_exposures_that_services_count_are_recounted_in_slices_as_they_count_them(
        self, log: PredictionLog
    ) -> None:
        """Where services are the gateway they count whom they serve as they count all else: in each slice of the first answer."""
        rows = [
            prediction("a", number=1, subject=1, slices='{"origin":"EWR"}', metrics={"exposure": 1.0}),
            prediction("b", number=2, subject=1, slices='{"origin":"JFK"}', metrics={"exposure": 1.0}),
            prediction("c", number=3, subject=2, slices='{"origin":"EWR"}', metrics={"exposure": 1.0}),
        ]
        await log.write(predictions=rows, now=NOON)

        found = await log.recount(_recount(services=3))

        assert {(r.metric, r.slice): r.count for r in found.counts} == {
            ("exposure", WHOLE): 2,
            ("exposure", "origin=EWR"): 2,
        }

    async def test_ripeness_tells_of_each_combination_of_sliced_values_how_many_outcomes_have_come(
        self, log: PredictionLog
    ) -> None:
        """A subject is where its first prediction was, and has its outcome when any of its own in the step has."""
        lga, jfk = '{"origin":"LGA"}', '{"origin":"JFK"}'
        await log.write(
            predictions=[
                prediction("a", number=1, subject=1, slices=lga),
                prediction("b", number=2, subject=1, slices=jfk),
                prediction("c", number=3, subject=2, slices=lga),
                prediction("d", number=4, subject=3, slices=jfk, arm=Arm.INCUMBENT),
                prediction("e", number=5, subject=4, rollout=RolloutId("r-other-1"), slices=lga),
            ],
            now=NOON,
        )
        await log.write(outcomes=[outcome("b", True), outcome("b", False), outcome("e", True)], now=NOON)

        found = await log.ripeness(MODEL, ROLLOUT)

        assert [(r.step, r.arm, r.slices, r.subjects, r.labelled) for r in found] == [
            (S1, Arm.CANDIDATE, lga, 2, 1),
            (S1, Arm.INCUMBENT, jfk, 1, 0),
        ]

    async def test_what_is_old_is_forgotten_and_what_is_new_stays(self, log: PredictionLog) -> None:
        await log.write(predictions=[prediction("a", subject=1, score=HIGH)], now=NOON)

        assert await log.forget(before=NOON) == 0
        assert len(await log.cohorts(MODEL, ROLLOUT)) == 1

    async def test_a_mean_falls_on_the_point_that_its_logged_toss_chose(self, log: PredictionLog) -> None:
        """Below, on and beyond the grid; the candidate's and the incumbent's; of a subject the first."""
        spent = Metric(name=MetricName("spent"), kind=Kind.MEAN, origin=Origin.SERVICE, edges=(0.0, 10.0, 100.0))
        values = ((-5.0, 0.1), (0.0, 0.0), (4.0, 0.39), (4.0, 0.4), (10.0, 0.0), (55.0, 0.6), (100.0, 0.9), (1e9, 0.5))
        rows = [
            prediction(f"p{k}", number=k + 1, subject=k + 1, metrics={"spent": value, f"{TOSS}spent": toss})
            for k, (value, toss) in enumerate(values)
        ]
        again = prediction("again", number=9, subject=3, metrics={"spent": 100.0, f"{TOSS}spent": 0.0})
        await log.write(predictions=[*rows, again], now=NOON)

        found = await log.recount(_recount(spent, services=9))

        expected = [spent.bin(value, chance=toss) for value, toss in values]
        assert _bins(found, spent.name) == {bin_: expected.count(bin_) for bin_ in set(expected)}

    async def test_silence_is_counted_again_alike_by_another_question(self, log: PredictionLog) -> None:
        """Subjects with several answers, outcomes early, late, before their prediction, by receipt and by an own id."""
        for number in range(1, 41):
            await log.write(
                predictions=[
                    prediction(
                        f"p{number}",
                        number=number,
                        subject=1 + number % 17,
                        arm=Arm.CANDIDATE if number % 17 % 2 else Arm.INCUMBENT,
                        slices='{"origin":"JFK"}' if number % 3 else "{}",
                        step=S1 if number < 30 else S2,
                    )
                ],
                now=NOON + 100 * number,
            )
            if number % 4 == 0:
                await log.write(outcomes=[outcome(f"p{number - number % 7}", True)], now=NOON + 100 * number + 50)
            if number % 9 == 0:
                told = receipted(f"p{number}", False, unit=1 + number % 17, score=HIGH)
                await log.write(outcomes=[told], now=NOON + 100 * number + 60)
        metric = Metric(name=MetricName("silent"), kind=Kind.EVENT, origin=Origin.OUTCOME, within=700)
        for until in (NOON + 1_500, NOON + 3_000, NOON + 9_000):
            counted = await log.silence(silence(until=until, within=700))
            again = await log.recount(_recount(metric, until=until, mark=log.mark()))

            assert {c.bin for c in counted} == {0, 1}
            assert sorted(c for c in again.counts if c.metric == "silent") == sorted(counted)


def _numbered(row: PredictionRow, number: int) -> PredictionRow:
    return msgspec.structs.replace(row, number=number)
