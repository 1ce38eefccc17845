"""What is staked on an event, and by which strata it is judged, stands in the plan; a plan without either bets as of old."""

import msgspec
import pytest

from glideslope.domain.alphas import harm_alphas
from glideslope.domain.decision import Question, Verdict
from glideslope.domain.draft import Draft, GuardrailDraft, StrataDraft
from glideslope.domain.errors import PlanInvalid
from glideslope.domain.events import Registered
from glideslope.domain.evidence import Counts, Evidence
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import harm_asked, harm_findings, harm_test, proof_asked, proof_findings
from glideslope.domain.ids import WHOLE, Actor, Digest, MetricName, ModelName, SliceName, StepName, VersionName
from glideslope.domain.metric import Dimension
from glideslope.domain.plan import HarmNull, Margin, MarginKind, Plan
from glideslope.domain.stakes import Stakes
from glideslope.stats.counts import Table
from glideslope.stats.credit import StakedHarm, chance_of_alarm
from glideslope.stats.label import EventHarm
from glideslope.stats.score import StrataMean
from glideslope.stats.strata import OddsHarm, Stratified
from glideslope.testing.examples import CANDIDATE, INCUMBENT

RISK = Dimension("risk", ("low", "high"))
BY_RISK = StrataDraft(by="risk", usual=(("high", 0.45), ("low", 0.05)))


def registered(version: str, digest: Digest) -> Registered:
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def frozen(*guardrails: GuardrailDraft, slices: tuple[Dimension, ...] = ()) -> Plan:
    return freeze(
        Draft(
            model=ModelName("m"), candidate=VersionName("v2"), owner="o", why="w", guardrails=guardrails, slices=slices
        ),
        incumbent=registered("v1", INCUMBENT),
        candidate=registered("v2", CANDIDATE),
        baseline=Baseline(),
    )


def errors(rate: float, *, harm: HarmNull | None = None) -> GuardrailDraft:
    return GuardrailDraft(
        metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.01), base_rate=rate, harm=harm
    )


def wrong(strata: StrataDraft | None = BY_RISK) -> GuardrailDraft:
    return GuardrailDraft(
        metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.05), base_rate=0.2, strata=strata
    )


def stakes_in(plan: Plan) -> Stakes:
    found = plan.guardrails[0].stakes
    assert found is not msgspec.UNSET
    return found


def test_a_rare_event_is_bet_on_by_its_bad_outcomes_with_credit_under_the_first_coin() -> None:
    plan = frozen(errors(0.01))
    stakes = stakes_in(plan)
    (credit,) = stakes.credits
    first = plan.steps[0].split.weights()

    assert not stakes.goods
    assert sum(stakes.stakes) < 1 < sum(credit.stakes)
    assert (credit.candidate, credit.control) == (first.candidate, first.control)
    assert credit.alpha == plan.alpha
    coin = (credit.candidate, credit.control)
    assert chance_of_alarm(stakes.ratios, stakes.stakes, credit.stakes, coin=coin, alpha=credit.alpha) <= plan.alpha


def test_the_test_changes_with_the_coin_and_with_an_alpha_for_which_no_credit_was_computed() -> None:
    plan = frozen(errors(0.01))
    (g,) = plan.guardrails
    stakes = stakes_in(plan)
    coin = (stakes.credits[0].candidate, stakes.credits[0].control)
    early, late = Table(*coin, (90, 3), (300, 4)), Table(1, 1, (90, 1), (80, 0))

    assert harm_asked(g, WHOLE, alpha=plan.alpha, over=[early]) == StakedHarm(stakes.ratios, stakes.credits[0].stakes)
    assert harm_asked(g, WHOLE, alpha=plan.alpha, over=[early, late]) == StakedHarm(stakes.ratios, stakes.stakes)
    assert harm_asked(g, WHOLE, alpha=0.002, over=[early]) == StakedHarm(stakes.ratios, stakes.stakes)
    assert harm_asked(g, WHOLE, alpha=plan.alpha, over=None) == StakedHarm(stakes.ratios, stakes.credits[0].stakes)


def test_a_frequent_event_is_bet_on_by_good_outcomes_too() -> None:
    plan = frozen(errors(0.2))
    stakes = stakes_in(plan)

    assert stakes.goods
    assert not stakes.credits
    assert sum(stakes.stakes) == pytest.approx(1)
    assert harm_asked(plan.guardrails[0], WHOLE, alpha=0.01, over=()) == EventHarm(
        0.2, ratios=stakes.ratios, prior=stakes.stakes
    )


def test_every_alpha_with_which_a_slice_is_asked_has_its_credit() -> None:
    plan = frozen(
        GuardrailDraft(metric=MetricName("wrong"), margin=Margin(MarginKind.ABSOLUTE, 0.01), base_rate=0.02),
        slices=(RISK,),
    )

    assert {c.alpha for c in stakes_in(plan).credits} == set(harm_alphas(plan, plan.guardrails[0]))
    assert len(stakes_in(plan).credits) == 2


def test_a_plan_without_stakes_bets_as_it_did() -> None:
    plan = frozen(errors(0.01))
    old = msgspec.structs.replace(plan.guardrails[0], stakes=msgspec.UNSET)

    assert harm_asked(old, WHOLE, alpha=plan.alpha, over=()) is harm_test(old)
    assert "stakes" not in msgspec.to_builtins(old)
    assert "strata" not in msgspec.to_builtins(old)
    beyond = frozen(errors(0.01, harm=HarmNull.BEYOND_MARGIN)).guardrails[0]
    assert beyond.stakes is msgspec.UNSET


def counts(slice_: str, candidate: tuple[int, int], incumbent: tuple[int, int], step: str = "s1") -> Counts:
    return Counts(
        step=StepName(step),
        metric=MetricName("wrong"),
        slice=SliceName(slice_),
        candidate=candidate,
        incumbent=incumbent,
    )


WORSE = (
    # Everywhere one in twenty more; and five whose risk nobody told.
    counts("all", (1505, 505), (6400, 1600)),
    counts("risk=low", (900, 100), (3800, 200)),
    counts("risk=high", (600, 400), (2600, 1400)),
)
"""Usual are 5 % and 35 %."""


def judged(plan: Plan, rows: tuple[Counts, ...]) -> tuple[Verdict, float]:
    (found,) = [f for f in harm_findings(plan, Evidence(counts=rows)) if f.slice == WHOLE]
    assert found.question is Question.HARM
    return found.verdict, found.wealth


def test_strata_find_what_the_whole_does_not() -> None:
    by_risk = frozen(wrong(StrataDraft(by="risk", usual=(("high", 0.35), ("low", 0.05)))), slices=(RISK,))
    plain = frozen(wrong(None), slices=(RISK,))

    assert judged(by_risk, WORSE)[0] is Verdict.FAIL
    assert judged(by_risk, WORSE)[1] > judged(plain, WORSE)[1] + 1.5


def test_strata_are_in_the_order_of_the_fields_values_and_last_comes_who_has_none() -> None:
    plan = frozen(wrong(), slices=(RISK,))
    (g,) = plan.guardrails
    test = harm_asked(g, WHOLE, alpha=0.01, over=())

    assert isinstance(test, Stratified)
    assert [part.usual for part in test.parts if isinstance(part, OddsHarm)] == [0.05, 0.45, 0.2]
    assert proof_asked(g, 1.0) == StrataMean((0.0, 1.0), (0.05, 0.45, 0.2), 0.05, proof=True)
    assert g.strata is not msgspec.UNSET
    first = msgspec.structs.replace(g, strata=msgspec.structs.replace(g.strata, whole=msgspec.UNSET))
    assert isinstance(proof_asked(first, 1.0), Stratified)
    assert "whole" not in msgspec.to_builtins(first)["strata"]
    assert not isinstance(harm_asked(g, SliceName("risk=low"), alpha=0.01, over=()), Stratified)


def test_strata_that_hold_more_than_the_whole_are_malformed() -> None:
    plan = frozen(wrong(), slices=(RISK,))
    rows = (WORSE[0], counts("risk=low", (900, 600), (3800, 200)))

    assert judged(plan, rows)[0] is Verdict.INVALID
    proofs = proof_findings(plan, Evidence(counts=rows), plan.steps[0])
    assert [f.verdict for f in proofs] == [Verdict.INVALID]


def test_a_step_may_have_no_outcome_in_a_stratum() -> None:
    plan = frozen(wrong(), slices=(RISK,))

    assert judged(plan, (WORSE[0], WORSE[1]))[0] in {Verdict.FAIL, Verdict.INCONCLUSIVE}
    assert judged(plan, ())[0] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("guardrail", "slices", "says"),
    [
        (wrong(), (), "no such field is under slices"),
        (wrong(StrataDraft(by="risk", usual=(("low", 0.1),))), (RISK,), "its values are low, high"),
        (wrong(StrataDraft(by="risk", usual=(("low", 0.1), ("high", 1.5)))), (RISK,), "base rate must lie in"),
        (
            GuardrailDraft(metric=MetricName("errors"), margin=Margin(MarginKind.ABSOLUTE, 0.05), strata=BY_RISK),
            (RISK,),
            "only a loss that is counted when outcomes arrive",
        ),
    ],
    ids=["no field", "a value missing", "no rate", "of the gateway"],
)
def test_strata_that_cannot_be_are_refused(guardrail: GuardrailDraft, slices: tuple[Dimension, ...], says: str) -> None:
    with pytest.raises(PlanInvalid, match=says):
        frozen(guardrail, slices=slices)
