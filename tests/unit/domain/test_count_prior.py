"""What the harm of a count stakes on each alternative stands in the plan; plans of older releases are judged as they were."""

from fractions import Fraction

import msgspec

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.events import Registered
from glideslope.domain.freeze import Baseline, freeze
from glideslope.domain.gate import harm_test
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import Kind
from glideslope.domain.plan import Guardrail, HarmNull, Margin, MarginKind
from glideslope.stats.counted import PRIOR, CountHarm
from glideslope.testing.examples import CANDIDATE, INCUMBENT

RETRIES = MetricName("retries")


def registered(version: str, digest: Digest) -> Registered:
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def guardrail(*, harm: HarmNull | None = None) -> Guardrail:
    plan = freeze(
        Draft(
            model=ModelName("m"),
            candidate=VersionName("v2"),
            owner="o",
            why="w",
            metrics=(MetricDraft(name=RETRIES, kind=Kind.COUNT),),
            guardrails=(
                GuardrailDraft(metric=RETRIES, margin=Margin(MarginKind.RELATIVE, 0.5), base_rate=0.2, harm=harm),
            ),
        ),
        incumbent=registered("v1", INCUMBENT),
        candidate=registered("v2", CANDIDATE),
        baseline=Baseline(),
    )
    (found,) = plan.guardrails
    return found


def asked(g: Guardrail) -> CountHarm:
    test = harm_test(g)
    assert isinstance(test, CountHarm)
    return test


def test_a_new_plan_says_what_is_staked_on_counts() -> None:
    g = guardrail()

    assert g.prior == PRIOR
    assert asked(g).bets(Fraction(1, 4)).prior == tuple(Fraction(str(part)) for part in PRIOR)


def test_a_plan_of_an_older_release_bets_two_parts_on_tilts_and_one_on_all_else() -> None:
    old = msgspec.structs.replace(guardrail(), prior=msgspec.UNSET)

    assert "prior" not in msgspec.to_builtins(old)
    assert asked(old).bets(Fraction(1, 4)).prior == (Fraction(2, 15),) * 4 + (Fraction(1, 15),) * 7


def test_who_asks_for_harm_beyond_a_margin_asks_about_the_mean_and_stakes_nothing_on_loops() -> None:
    assert guardrail(harm=HarmNull.BEYOND_MARGIN).prior is msgspec.UNSET
