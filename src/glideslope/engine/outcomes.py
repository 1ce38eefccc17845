"""Takes outcomes as they come: reads their receipts, counts each once, pairs them with the shadow's answers."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import UNSET

from glideslope.domain.errors import (
    GlideslopeError,
    Invalid,
    NotFound,
    OutcomeIncomplete,
    ReceiptInvalid,
    StoreUnavailable,
)
from glideslope.domain.identity import Identity
from glideslope.domain.ids import MACHINE, WHOLE, Actor, MetricName, ModelName, RolloutId, SliceName, StepName
from glideslope.domain.logged import BlockRow, OutcomeRow, PairRow
from glideslope.domain.metric import (
    BUILT_IN,
    NO_STEP,
    OUTCOME_SEEN,
    RANKED,
    Cell,
    Kind,
    baseline_scope,
    block_size,
    outcome_bin,
    pair_metric,
)
from glideslope.domain.observation import (
    MOST_REFUSALS,
    Outcome,
    OutcomeRefusal,
    Outcomes,
    OutcomesTaken,
    OutcomeUndefined,
    ShadowAnswers,
)
from glideslope.domain.plan import StageKind
from glideslope.domain.plugin import Plugins
from glideslope.domain.receipt import SCORE_LEVELS, Receipt, ReceiptKey, claimed_model, model_hash, read
from glideslope.domain.rollout import Rollout
from glideslope.domain.scan import Places
from glideslope.domain.traffic import Arm
from glideslope.engine.formulas import Worth, check_outcome, worth
from glideslope.engine.log_desk import LogDesk, own_time
from glideslope.engine.observer import Observer
from glideslope.engine.pairing import Pair, Pairing, kept_of, pair_claims, slices_in, who
from glideslope.engine.ports import Counters, Total
from glideslope.engine.ranking import Blocks, Scored, gaps, name_of
from glideslope.engine.receipts import Batch, Receipts, added, elsewhere, grown, new_times, row_of, spelled
from glideslope.engine.record import Model, Record, rollout_id
from glideslope.engine.rows import block_row, outcome_row, pair_row
from glideslope.engine.scopes import OUTCOMES
from glideslope.engine.searching import Searching

MOST_MENDED: Final = 5_000
"""Claims that are counted again in one go, so that others have their turn."""

Claims = dict[str, Cell]
Arrived = dict[str, tuple[Rollout, Receipt, bool]]
"""By its marker an outcome that a ranking asks about."""

_TOLD: Final = MetricName("told")
"""Counted outside any rollout for an outcome without the truth, only to know it again."""
_NONE_TAKEN: Final = OutcomesTaken(counted=0, repeated=0, unmeasured=0)


class OutcomeDesk:
    """Counts outcomes durably before it acknowledges them."""

    def __init__(
        self,
        *,
        record: Record,
        observer: Observer,
        searching: Searching,
        counters: Counters,
        keys: Mapping[int, ReceiptKey],
        log: LogDesk,
        plugins: Plugins,
    ) -> None:
        self._log = log
        self._owed: Claims = {}
        """What is in the prediction log and could not be counted yet: of a subject's outcomes the first logged must count."""
        self._record = record
        self._observer = observer
        self._searching = searching
        self._counters = counters
        self._keys = dict(keys)
        self._receipts = Receipts(record=record, keys=self._keys)
        self._one_by_one: dict[RolloutId, bool] = {}
        """Whether an earlier version began to count a rollout's outcomes, each in its own cells."""
        self._owed_batches: tuple[Batch, ...] = ()
        self._plugins = plugins
        self._derived: dict[ModelName, Mapping[int, ReceiptKey]] = {}
        self._mended: set[RolloutId] = set()
        self._pairing = Pairing()
        self._blocks = Blocks()

    async def take(self, outcomes: Outcomes, *, by: Identity | None = None) -> OutcomesTaken:
        """Count one by one what `take_alike` left.

        One that cannot be counted, or is not `by`'s to tell, is refused by itself; the others do not suffer.
        """
        claims: Claims = {}
        markers: dict[str, bool] = {}
        rows: list[OutcomeRow] = []
        pairs: list[PairRow] = []
        arrived: Arrived = {}
        late: dict[str, tuple[RolloutId, Receipt]] = {}
        places: dict[str, Places] = {}
        refused = []
        undefined: list[OutcomeUndefined] = []
        for outcome in outcomes.outcomes:
            try:
                rows += self._claim(
                    outcome, claims, markers, arrived, undefined, late=late, places=places, pairs=pairs, by=by
                )
            except GlideslopeError as error:
                refused.append(OutcomeRefusal(prediction=outcome.prediction, code=error.code, why=str(error)))
        new = await self._count(claims, rows, pairs=pairs)
        self._scan(claims, new, places)
        kept = sum(not row.counted for row in rows)
        blocks: list[BlockRow] = []
        if filled := self._fill([arrival for marker, arrival in arrived.items() if marker in new], blocks):
            await self._count(filled, blocks=blocks)
        self._observer.delayed(
            Counter(
                (rollout, StepName(f"s{receipt.step}"), receipt.arm, receipt.at)
                for marker, (rollout, receipt) in late.items()
                if marker in new
            )
        )
        measured = [key for key, is_measured in markers.items() if is_measured]
        counted = sum(key in new for key in measured)
        baseline = sum(key in new for key, is_measured in markers.items() if not is_measured)
        return OutcomesTaken(
            counted=counted,
            unmeasured=baseline,
            repeated=len(outcomes.outcomes) - len(refused) - counted - baseline - kept,
            refused=tuple(refused),
            kept=kept,
            undefined=tuple(undefined[:MOST_REFUSALS]),
        )

    async def take_alike(
        self, outcomes: Sequence[Outcome], *, by: Identity | None = None
    ) -> tuple[OutcomesTaken, Sequence[Outcome]]:
        """Count by the batch what can be, and return what is left for `take`."""
        told = spelled(outcomes)
        rollouts = [r for r in self._receipts.rollouts(told) if await self._is_batched(r.id)]
        if not rollouts:
            return _NONE_TAKEN, outcomes
        batch, rest = self._receipts.read(told, rollouts=rollouts, by=by)
        if not batch.keys:
            return _NONE_TAKEN, rest
        has_log = self._log.has_log
        rows = [
            row_of(outcome, key, batch.groups[member], score=score, by=_actor(by))
            for outcome, key, member, score in zip(batch.outcomes, batch.keys, batch.members, batch.scores, strict=True)
            if has_log
        ]
        async with self._observer.counting:
            if rows:
                await self._log.log.write(outcomes=rows, now=self._log.now())
            counted = await self._count_batches(batch)
        return OutcomesTaken(counted=counted, repeated=len(batch.keys) - counted, unmeasured=0), rest

    async def _count_batches(self, *batches: Batch) -> int:
        """Count what is owed, and then these; return how many outcomes of the last were new."""
        waiting, new = (*self._owed_batches, *batches), 0
        for done, batch in enumerate(waiting):
            try:
                new = await self._count_alike(batch)
            except StoreUnavailable:
                self._observer.doubt()
                self._owed_batches = waiting[done:] if self._log.has_log else ()
                raise
        self._owed_batches = ()
        return new

    async def _count_alike(self, batch: Batch) -> int:
        notes = await self._counters.once_alike(batch.keys, batch.members, [group.adds for group in batch.groups])
        sizes = grown(batch, notes)
        cells: Counter[Cell] = Counter()
        for member, size in sizes.items():
            for cell in batch.groups[member].cells:
                cells[cell] += size
        self._scan_alike(batch, sizes)
        keys, places, more = elsewhere(batch, notes)
        if keys:
            notes_of_more = await self._counters.once_alike(keys, places, [added(each) for each in more])
            for place, note in zip(places, notes_of_more, strict=True):
                if note is None:
                    cells.update(more[place])
        self._observer.counted(cells)
        delays: Counter[tuple[RolloutId, StepName, Arm, int]] = Counter()
        for (member, at), size in new_times(batch, notes).items():
            group = batch.groups[member]
            delays[group.rollout.id, group.step, group.arm, at] += size
        self._observer.delayed(delays)
        return sizes.total()

    def _scan_alike(self, batch: Batch, sizes: Mapping[int, int]) -> None:
        joint: Counter[tuple[Cell, bytes]] = Counter()
        asked: dict[tuple[RolloutId, bytes], bool] = {}
        for member, size in sizes.items():
            group = batch.groups[member]
            where = (group.rollout.id, group.places)
            if where not in asked:
                asked[where] = self._searching.asks(group.rollout.plan, tuple(group.places))
            if asked[where]:
                for cell in group.cells:
                    if cell.slice == WHOLE and cell.metric != OUTCOME_SEEN:
                        joint[cell, group.places] += size
        for (cell, places), size in joint.items():
            self._searching.count(cell, tuple(places), growth=size)

    async def _is_batched(self, rollout: RolloutId) -> bool:
        """Tell whether no outcome of a rollout was counted one by one, as earlier versions did."""
        if rollout not in self._one_by_one:
            self._one_by_one[rollout] = await self._counters.has_noted(f"o/{rollout}/")
        return not self._one_by_one[rollout]

    async def answers(self, answers: ShadowAnswers) -> None:
        """Take what the shadowed candidate would have answered. Raises NotFound, Invalid."""
        rollout = self._record.rollout(answers.rollout)
        if rollout.plan.model != answers.model:
            raise Invalid(f"{rollout.id} is about {rollout.plan.model}, not {answers.model}.")
        claims: Claims = {}
        places: dict[str, Places] = {}
        rows: list[PairRow] = []
        for request, score in answers.answers:
            pair = self._pairing.answer(rollout.id, request, max(0, min(SCORE_LEVELS, score)))
            if pair is not None:
                self._pair(rollout, pair, claims, places=places, rows=rows)
        self._scan(claims, await self._count(claims, pairs=rows), places)

    async def mend(self) -> None:
        """Count what was logged and not counted when a server died: nobody else could say again who stood with whom.

        Once for each rollout that this process governs. Raises LogUnavailable, StoreUnavailable.
        """
        for rollout in self._record.open_rollouts():
            if rollout.id in self._mended or not (rollout.plan.is_kept and self._log.has_log):
                continue
            claims = list((await self._log.log.claims(rollout.plan.model, rollout.id)).items())
            for first in range(0, len(claims), MOST_MENDED):
                portion = claims[first : first + MOST_MENDED]
                await self._count({key: Cell.parse(cell) for key, cell in portion})
            self._mended.add(rollout.id)

    def forget(self, rollout: RolloutId) -> None:
        """Drop what waits for a rollout that has ended."""
        self._one_by_one.pop(rollout, None)
        self._mended.discard(rollout)
        self._pairing.forget(rollout)
        self._blocks.forget(rollout)

    def _fill(self, arrivals: Sequence[tuple[Rollout, Receipt, bool]], rows: list[BlockRow]) -> Claims:
        """Put outcomes that were counted just now into blocks, and return what the full ones show; add what is logged of those."""
        claims: Claims = {}
        for rollout, receipt, happened in arrivals:
            step = StepName(f"s{receipt.step}")
            metrics = [g.metric for g in rollout.plan.guardrails if g.metric.kind in RANKED]
            weights = rollout.plan.steps[receipt.step - 1].split.weights()
            size = block_size(candidate=weights.candidate, control=weights.control)
            scored = Scored(receipt.arm, receipt.probability, happened, who(receipt))
            for slice_ in slices_in(rollout, receipt):
                block = self._blocks.add((rollout.id, step, slice_), scored, size=size)
                if block is None:
                    continue
                stem = f"b/{rollout.id}/{step}/{slice_}/{name_of(block)}"
                made = {
                    f"{stem}/{metric}": Cell(rollout.id, step, Arm.CANDIDATE, pair_metric(metric), slice_, bin_)
                    for metric, bin_ in gaps(block, metrics, rollout=rollout.id).items()
                }
                claims |= made
                if made and rollout.plan.is_kept and self._log.has_log:
                    rows.append(block_row(rollout, step, slice_, block, made))
        return claims

    def _claim(
        self,
        outcome: Outcome,
        claims: Claims,
        markers: dict[str, bool],
        arrived: Arrived,
        undefined: list[OutcomeUndefined],
        *,
        late: dict[str, tuple[RolloutId, Receipt]],
        places: dict[str, Places],
        pairs: list[PairRow],
        by: Identity | None,
    ) -> Sequence[OutcomeRow]:
        """Say in which cells an outcome counts, and return what is to be logged of it."""
        check_outcome(outcome)
        own_time(outcome)
        if outcome.model is not UNSET and not self._is_receipt(outcome.prediction):
            known = self._record.model(outcome.model)
            if by is not None:
                by.require(known.name)
            return (self._log.told(outcome, model=known.name, by=_actor(by)),)
        receipt, model = self._read(outcome.prediction)
        if by is not None:
            by.require(model.name)
        rows: Sequence[OutcomeRow] = ()
        happened = None if outcome.happened is UNSET else outcome.happened
        if receipt.rollout == 0:
            marker, made = _baseline_claims(model, receipt, happened=happened)
            markers[marker] = False
            claims |= made
            rollout = self._record.open_rollout_of(model.name)
        else:
            rollout = self._record.rollout(rollout_id(receipt.rollout))
            if rollout.plan.model != model.name:
                # Whoever may sign for one model must not be heard about another's rollout.
                raise ReceiptInvalid(f"{rollout.id} is not about {model.name}")
            worths = worth(rollout.plan, receipt, outcome, plugins=self._plugins)
            marker, made = _measured_claims(rollout, receipt, worths, happened=happened)
            if not made:
                raise OutcomeIncomplete(rollout=rollout.id, why="; ".join(one.why for one in worths.undefined))
            undefined += worths.undefined
            if self._log.has_log and (row := outcome_row(outcome, model.name, rollout, receipt, by=_actor(by))):
                rows = (row,)
            markers[marker] = True
            late[marker] = (rollout.id, receipt)
            # Of a subject's outcomes in one batch the first counts, as it does of those in two.
            fresh = {key: cell for key, cell in made.items() if key not in claims}
            claims |= fresh
            places.update(dict.fromkeys(fresh, receipt.slices))
            if happened is not None and _is_ranked(rollout, receipt):
                arrived.setdefault(marker, (rollout, receipt, happened))
        if rollout is not None and _in_shadow(rollout) and (kept := kept_of(rollout.plan, outcome)) is not None:
            pair = self._pairing.outcome(rollout.id, receipt, kept)
            if pair is not None:
                self._pair(rollout, pair, claims, places=places, rows=pairs)
        return rows

    def _pair(
        self, rollout: Rollout, pair: Pair, claims: Claims, *, places: dict[str, Places], rows: list[PairRow]
    ) -> None:
        made = pair_claims(rollout, pair, plugins=self._plugins)
        # Of a subject's pairs in one batch the first counts, as it does of those in two.
        fresh = {key: cell for key, cell in made.items() if key not in claims}
        claims |= fresh
        places.update(dict.fromkeys(fresh, pair.receipt.slices))
        if made and rollout.plan.is_kept and self._log.has_log:
            rows.append(pair_row(rollout, pair, made))

    def _scan(self, claims: Claims, new: frozenset[str], places: Mapping[str, Places]) -> None:
        """Count what is new by all of its fields at once. In memory, as the gateway's: no decision rests on it."""
        for key in new & places.keys():
            cell = claims[key]
            if cell.slice == WHOLE and cell.metric != OUTCOME_SEEN:
                self._searching.count(cell, places[key])

    def _is_receipt(self, prediction: str) -> bool:
        try:
            self._read(prediction)
        except GlideslopeError:
            return False
        return True

    def _read(self, prediction: str) -> tuple[Receipt, Model]:
        """Return a receipt with the model whose key signed it; two names may share 16 bits. Raises ReceiptInvalid, NotFound."""
        claimed = claimed_model(prediction)
        refusal: GlideslopeError = NotFound(what="model for the prediction", name=f"{claimed:04x}")
        for model in self._record.models():
            if model_hash(model.name) == claimed:
                try:
                    return read(prediction, keys=self._keys_of(model.name)), model
                except ReceiptInvalid as error:
                    refusal = error
        raise refusal

    def _keys_of(self, model: ModelName) -> Mapping[int, ReceiptKey]:
        found = self._derived.get(model)
        if found is None:
            found = self._derived[model] = {id_: key.of(model) for id_, key in self._keys.items()}
        return found

    async def _count(
        self,
        claims: Claims,
        rows: Sequence[OutcomeRow] = (),
        *,
        pairs: Sequence[PairRow] = (),
        blocks: Sequence[BlockRow] = (),
    ) -> frozenset[str]:
        if not claims and not rows:
            return frozenset()
        async with self._observer.counting:
            if rows or pairs or blocks:
                await self._log.log.write(outcomes=rows, pairs=pairs, blocks=blocks, now=self._log.now())
            await self._count_batches()
            claims = claims | self._owed
            keys = list(claims)
            # Of many outcomes few cells are made, and each is written once.
            written = {cell: Total(source=OUTCOMES, epoch=0, cell=cell.key(), count=1) for cell in set(claims.values())}
            totals = [written[claims[key]] for key in keys]
            try:
                flags = await self._counters.once(keys, totals)
            except StoreUnavailable:
                self._observer.doubt()
                self._owed = claims if self._log.has_log else {}
                raise
            self._owed = {}
            new = [key for key, is_new in zip(keys, flags, strict=True) if is_new]
            self._observer.counted(Counter(claims[key] for key in new))
        return frozenset(new)


def _actor(by: Identity | None) -> Actor:
    return MACHINE if by is None else by.actor


def _is_ranked(rollout: Rollout, receipt: Receipt) -> bool:
    """Tell whether a ranking asks about an outcome: chance decided whose it was, and some guardrail is about orders."""
    step = rollout.plan.steps[receipt.step - 1]
    return step.has_coin and any(g.metric.kind in RANKED for g in rollout.plan.guardrails)


def _in_shadow(rollout: Rollout) -> bool:
    return any(s.stage is StageKind.SHADOW for s in rollout.plan.steps)


def _baseline_claims(model: Model, receipt: Receipt, *, happened: bool | None) -> tuple[str, Claims]:
    """Count what tells how good the incumbent is. No plan says what else an outcome's attributes would mean."""
    scope = baseline_scope(model.name)
    stem = f"o/{scope}/{receipt.request:x}-{receipt.subject:x}-{receipt.at:x}"
    marker = f"{stem}/{OUTCOME_SEEN if happened is not None else _TOLD}"
    if happened is None:
        return marker, {marker: Cell(scope, NO_STEP, Arm.INCUMBENT, _TOLD, WHOLE, 0)}
    claims = {marker: Cell(scope, NO_STEP, Arm.INCUMBENT, OUTCOME_SEEN, WHOLE, 0)}
    # One that counts scores and outcomes jointly tells the orders too: all have the same bins.
    for metric in BUILT_IN.values():
        if metric.loss is not None or metric.kind is Kind.CALIBRATION:
            bin_ = outcome_bin(metric, probability=receipt.probability, happened=happened)
            claims[f"{stem}/{metric.name}"] = Cell(scope, NO_STEP, Arm.INCUMBENT, metric.name, WHOLE, bin_)
    return marker, claims


def _measured_claims(rollout: Rollout, receipt: Receipt, worths: Worth, *, happened: bool | None) -> tuple[str, Claims]:
    """Count a subject once per step and metric; who named none is counted per request.

    The marker tells whether an outcome is new: the truth's own where it is told, else that of the first metric that it counts for.
    """
    if not 1 <= receipt.step <= len(rollout.plan.steps):
        raise ReceiptInvalid(f"{rollout.id} has no step {receipt.step}")
    step = StepName(f"s{receipt.step}")
    stem = f"o/{rollout.id}/{step}/{who(receipt)}"
    bins = dict(worths.bins)
    claims: Claims = {}
    if happened is not None:
        claims[f"{stem}/{OUTCOME_SEEN}"] = Cell(rollout.id, step, receipt.arm, OUTCOME_SEEN, WHOLE, 0)
        for metric in rollout.plan.counted:
            if metric.is_of_outcomes:
                bins[metric.name] = outcome_bin(metric, probability=receipt.probability, happened=happened)
    strata = {g.metric.name: g.strata.field for g in rollout.plan.guardrails if g.strata is not UNSET}
    for name, bin_ in bins.items():
        for slice_ in slices_in(rollout, receipt):
            cell = Cell(rollout.id, step, receipt.arm, MetricName(name), slice_, bin_)
            claims[f"{stem}/{name}/{slice_}"] = cell
        if field := strata.get(MetricName(name)):
            # A subject is in one stratum, that of its first outcome, as it counts once in the whole; or in none, and that is
            # counted too, so that it cannot come into one later.
            values = next(d.slices() for d in rollout.plan.dimensions if d.field == field)
            for each in values:
                claims.pop(f"{stem}/{name}/{each}", None)
            mine = next((s for s in slices_in(rollout, receipt) if s in values), SliceName(f"{field}="))
            cell = Cell(rollout.id, step, receipt.arm, MetricName(name), mine, bin_)
            claims[f"{stem}/{name}/{field}"] = cell
    return next(iter(claims), stem), claims
