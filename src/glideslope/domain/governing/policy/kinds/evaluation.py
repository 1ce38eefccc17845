"""Rules about what was measured before anybody met the candidate: of which bytes, on whom, how many, how recently, with what result."""

from collections.abc import Iterator
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.decision import Verdict
from glideslope.domain.governing.dossier import Dossier
from glideslope.domain.governing.facts import Ending, FairnessGap, Validation
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import (
    ByTier,
    Count,
    Duration,
    Rule,
    Text,
    Words,
    evaluations_of,
    known,
    listed,
    of_tier,
    per_tier,
    spoken,
    too_old,
)

EVALUATION = Missing("an evaluation of these bytes")


class EvaluationIsOfTheseBytes(Rule, frozen=True, kw_only=True, tag="evaluation_is_of_these_bytes"):
    """Every evaluation measured exactly the candidate's bytes, against exactly the incumbent's."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        change = dossier.change
        for each in known(dossier.evaluations) or ():
            if each.of != change.candidate_digest:
                yield Wrong(f"the evaluation on {each.holdout} measured {each.of[7:19]}, another candidate")
            elif each.against != change.incumbent_digest:
                yield Wrong(f"the evaluation on {each.holdout} compared with {each.against[7:19]}, another incumbent")
            else:
                yield Shown(f"evaluation on {each.holdout}, report {each.report[7:19]}")
        if not known(dossier.evaluations):
            yield EVALUATION

    def asks(self) -> str:
        return "Every evaluation measured exactly these bytes, beside exactly the version that serves now."

    def mend(self) -> str:
        return "Evaluate the version that is proposed, beside the one that serves."


class SlicesEvaluated(Rule, frozen=True, kw_only=True, tag="slices_evaluated"):
    """Each required slice was measured on enough rows."""

    slices: ByTier[Words]
    """As the evaluation names them: `all`, `region=EU`."""
    min_rows: ByTier[Count]
    """Rows that each needs, of every metric that was measured on it."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        slices, enough = of_tier(self.slices, dossier), of_tier(self.min_rows, dossier)
        if slices is None or enough is None:
            yield Missing("what the policy asks of this tier")
            return
        results = [result for each in evaluations_of(dossier) for result in each.results]
        if not results:
            yield EVALUATION
        for name in slices:
            rows = min((result.rows for result in results if result.slice == name), default=None)
            if rows is None:
                yield Missing(f"an evaluation on {name}")
            elif rows < enough:
                yield Wrong(f"{name} was measured on {rows:,} rows, fewer than {enough:,}")
            else:
                yield Shown(f"{name}: {rows:,} rows")

    def asks(self) -> str:
        return (
            f"The candidate was measured on {per_tier(self.slices, listed)}, "
            f"each on at least {per_tier(self.min_rows, lambda n: f'{n:,}')} rows."
        )

    def mend(self) -> str:
        return "Evaluate on the slices that are missing, with more rows where they are too few."


class EvaluationPassed(Rule, frozen=True, kw_only=True, tag="evaluation_passed"):
    """Each named metric was judged on all of the data and passed, and nothing that was judged failed on any slice."""

    metrics: Words

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        results = [result for each in evaluations_of(dossier) for result in each.results]
        for result in results:
            if result.verdict in {Verdict.FAIL, Verdict.INVALID}:
                yield Wrong(f"{result.metric} on {result.slice}: {result.verdict.value}")
            elif result.verdict is Verdict.INCONCLUSIVE:
                yield Missing(f"{result.metric} on {result.slice}, which was inconclusive")
        passed = {r.metric for r in results if r.slice == "all" and r.verdict is Verdict.PASS}
        for metric in self.metrics:
            yield Shown(metric) if metric in passed else Missing(f"a pass of {metric} on all of the data")

    def asks(self) -> str:
        return f"The offline evaluation passed for {listed(self.metrics)}, and failed on no slice."

    def mend(self) -> str:
        return "Improve the candidate, or measure on more rows what was inconclusive."


class EvaluatedWithin(Rule, frozen=True, kw_only=True, tag="evaluated_within"):
    """The evaluation is not too old."""

    within: ByTier[Duration]

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        within = of_tier(self.within, dossier)
        if within is None:
            yield Missing("what the policy asks of this tier")
            return
        for each in evaluations_of(dossier):
            yield too_old(f"the evaluation on {each.holdout}", each.measured_at, within, dossier)

    def asks(self) -> str:
        return f"The evaluation is at most {per_tier(self.within, spoken)} old."

    def mend(self) -> str:
        return "Evaluate again."


class NothingSkipped(Rule, frozen=True, kw_only=True, tag="nothing_skipped"):
    """No check that was asked for was left out, and the named validations were done and passed."""

    validations: Words | UnsetType = UNSET
    """Validations that must be among the facts, by name."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        evaluations, facts = evaluations_of(dossier), known(dossier.candidate)
        for each in evaluations:
            yield from (Wrong(f"{name} was left out of the evaluation on {each.holdout}") for name in each.skipped)
            if not each.skipped:
                yield Shown(f"the evaluation on {each.holdout} left nothing out")
        if not evaluations:
            yield EVALUATION
        done = None if facts is None else known(facts.validations)
        if done is None:
            yield Missing("the validations of the candidate")
        for validation in done or ():
            yield Shown(validation.name) if validation.outcome is Ending.PASSED else Wrong(_ended(validation))
        names = {validation.name for validation in done or ()}
        yield from (Missing(f"the validation {name}") for name in known(self.validations) or () if name not in names)

    def asks(self) -> str:
        named = known(self.validations)
        among = f", and {listed(named)} {'was' if len(named) == 1 else 'were'} done" if named else ""
        return f"No validation was skipped or failed{among}."

    def mend(self) -> str:
        return "Run what was left out."


def _ended(validation: Validation) -> str:
    return f"the validation {validation.name} was {validation.outcome.value}"


class ValidatedIndependently(Rule, frozen=True, kw_only=True, tag="validated_independently"):
    """Somebody who did not make the version validated it, and it passed."""

    at_least: Count = 1
    """How many such people."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        if facts is None or not facts.makers_known:
            yield Missing("who made the candidate")
            return
        makers = known(facts.makers)
        own = (frozenset() if makers is None else makers.everybody()) | {dossier.change.proposer}
        passed = [v for v in known(facts.validations) or () if v.outcome is Ending.PASSED]
        others = dict.fromkeys(str(v.by) for v in passed if known(v.by) is not None and v.by not in own)
        if len(others) >= self.at_least:
            yield Shown(f"validated by {listed(tuple(others))}")
        else:
            yield Missing(f"a validation passed by {self.at_least} who did not make it; there are {len(others)}")

    def asks(self) -> str:
        return f"{'Somebody' if self.at_least == 1 else f'At least {self.at_least} people'} who had no part in making it validated it."

    def mend(self) -> str:
        return "Let somebody validate it who had no part in it, and record that among its facts."


class FairnessLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far apart groups may be in one metric."""

    metric: Text
    attribute: Text
    at_most: Annotated[float, msgspec.Meta(ge=0)]
    """In the metric's own unit, either way."""


class FairnessWithin(Rule, frozen=True, kw_only=True, tag="fairness_within"):
    """The whole interval of each gap between groups lies within its limit, on enough rows of each group."""

    limits: Annotated[tuple[FairnessLimit, ...], msgspec.Meta(min_length=1)]
    min_rows: Count = 1
    """Rows of each group."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        gaps = (None if facts is None else known(facts.fairness)) or ()
        for limit in self.limits:
            found = [gap for gap in gaps if (gap.metric, gap.attribute) == (limit.metric, limit.attribute)]
            if not found:
                yield Missing(f"the gap of {limit.metric} by {limit.attribute}")
            for gap in found:
                yield self._judged(gap, limit)

    def _judged(self, gap: FairnessGap, limit: FairnessLimit) -> Sight:
        name = f"{gap.metric} of {gap.attribute}={gap.group} against {gap.reference}"
        low, high, rows = known(gap.low), known(gap.high), known(gap.rows)
        if rows is None or low is None or high is None:
            return Missing(f"the interval and the rows of {name}")
        if rows < self.min_rows:
            return Wrong(f"{name} was measured on {rows:,} rows, fewer than {self.min_rows:,}")
        if min(abs(low), abs(high)) > limit.at_most and low * high > 0:
            return Wrong(f"{name} differs by {gap.gap:+g}, more than {limit.at_most:g}")
        if max(abs(low), abs(high)) > limit.at_most:
            return Wrong(f"{name} may differ by up to {max(abs(low), abs(high)):g}, more than {limit.at_most:g}")
        return Shown(f"{name}: {gap.gap:+g}")

    def asks(self) -> str:
        each = tuple(f"{limit.metric} by {limit.attribute} by at most {limit.at_most:g}" for limit in self.limits)
        return (
            f"Groups differ in {listed(each)}, all of the interval, each measured on at least {self.min_rows:,} rows."
        )

    def mend(self) -> str:
        return "Measure the gap on more rows, or mend the candidate for the group that it serves worse."


class FailureModesTested(Rule, frozen=True, kw_only=True, tag="failure_modes_tested"):
    """The ways in which it may fail are listed, and each has a test that passed."""

    at_least: Count = 1
    """How many must be listed."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        modes = None if facts is None else known(facts.failure_modes)
        if modes is None:
            yield Missing("the failure modes of the candidate")
            return
        if len(modes) < self.at_least:
            yield Missing(f"at least {self.at_least} failure modes; there are {len(modes)}")
        for mode in modes:
            if mode.test is UNSET or mode.result is UNSET:
                yield Missing(f"a test of {mode.name}")
            elif mode.result is not Ending.PASSED:
                yield Wrong(f"the test of {mode.name} was {mode.result.value}")
            else:
                yield Shown(mode.name)

    def asks(self) -> str:
        return f"The ways in which it may fail are listed, at least {self.at_least}, and each is tested and passes."

    def mend(self) -> str:
        return "List the failure mode among the facts, with the test that would show it."


__all__ = [
    "EvaluatedWithin",
    "EvaluationIsOfTheseBytes",
    "EvaluationPassed",
    "FailureModesTested",
    "FairnessWithin",
    "NothingSkipped",
    "SlicesEvaluated",
    "ValidatedIndependently",
]
