"""Proofs of means stake on how the incumbent's values spread, where that is known or can be guessed; older plans as they did."""

import msgspec
import pytest

from glideslope.domain.draft import Draft, GuardrailDraft, MetricDraft
from glideslope.domain.events import Registered
from glideslope.domain.freeze import TRUST, Baseline, freeze
from glideslope.domain.gate import proof_asked
from glideslope.domain.ids import Actor, Digest, MetricName, ModelName, VersionName
from glideslope.domain.metric import LOG_LOSS, Kind
from glideslope.domain.plan import Guardrail, Margin, MarginKind
from glideslope.stats.scaled import ScaledPass, usual_values
from glideslope.stats.score import ScorePass
from glideslope.testing.examples import CANDIDATE, INCUMBENT

TOKENS = MetricName("tokens")


def registered(version: str, digest: Digest) -> Registered:
    return Registered(
        model=ModelName("m"), version=VersionName(version), digest=digest, url="http://m", by=Actor("ada"), why="w"
    )


def guardrail(
    *,
    histogram: tuple[int, ...] = (),
    base_rate: float | None = None,
    metric: MetricName = TOKENS,
    margin: Margin | None = None,
) -> Guardrail:
    plan = freeze(
        Draft(
            model=ModelName("m"),
            candidate=VersionName("v2"),
            owner="o",
            why="w",
            metrics=(MetricDraft(name=TOKENS, kind=Kind.MEAN, cap=2_000.0),) if metric == TOKENS else (),
            guardrails=(
                GuardrailDraft(metric=metric, margin=margin or Margin(MarginKind.RELATIVE, 0.25), base_rate=base_rate),
            ),
        ),
        incumbent=registered("v1", INCUMBENT),
        candidate=registered("v2", CANDIDATE),
        baseline=Baseline(histograms={metric: histogram} if histogram else {}),
    )
    (found,) = plan.guardrails
    return found


def counted() -> tuple[int, ...]:
    size = guardrail().metric.bins
    return tuple(1_000 if k == size // 8 else 10 for k in range(size))


def test_what_was_counted_before_sizes_the_bets_and_tells_the_mean() -> None:
    g = guardrail(histogram=counted())
    test = proof_asked(g, 1.0)
    mean = sum(v * n for v, n in zip(g.metric.values, counted(), strict=True)) / sum(counted())

    assert g.reference == counted()
    assert g.base_rate == pytest.approx(mean)
    assert isinstance(test, ScaledPass)
    assert (test.reference, test.trust) == (counted(), TRUST)


def test_of_a_mean_alone_an_exponential_shape_is_taken() -> None:
    g = guardrail(base_rate=300.0)
    mean = sum(v * n for v, n in zip(g.metric.values, g.reference, strict=True)) / sum(g.reference)

    assert mean == pytest.approx(300.0, rel=0.001)
    assert list(g.reference[1:-1]) == sorted(g.reference[1:-1], reverse=True)
    assert g.trust == TRUST


def test_nothing_is_trusted_where_nothing_is_known() -> None:
    g = guardrail()

    assert g.reference == ()
    assert g.trust is msgspec.UNSET
    assert "trust" not in msgspec.to_builtins(g)


def test_a_histogram_of_other_bins_or_of_nothing_but_zeros_tells_nothing() -> None:
    assert guardrail(histogram=(5, 5)).reference == ()
    zeros = (100, *[0] * (guardrail().metric.bins - 1))
    assert guardrail(histogram=zeros).base_rate == guardrail().base_rate


def test_a_plan_without_trust_bets_as_it_did() -> None:
    g = guardrail(histogram=counted())
    old = msgspec.structs.replace(g, trust=msgspec.UNSET)
    expected = ScaledPass(values=g.metric.values, centre=g.base_rate, factor=1.25, reference=counted())

    assert proof_asked(old, 1.0) == expected
    assert proof_asked(g, 1.0) != expected


def test_a_score_is_proven_by_its_histogram_too_and_without_trust_as_before() -> None:
    histogram = tuple(100 - k for k in range(LOG_LOSS.bins))
    g = guardrail(histogram=histogram, metric=LOG_LOSS.name, margin=Margin(MarginKind.ABSOLUTE, 0.05))
    old = msgspec.structs.replace(g, trust=msgspec.UNSET)
    test, before = proof_asked(g, 1.0), proof_asked(old, 1.0)

    assert isinstance(test, ScorePass)
    assert isinstance(before, ScorePass)
    assert (test.reference, test.trust) == (histogram, TRUST)
    assert (before.reference, before.trust) == ((), None)


@pytest.mark.parametrize("mean", [0.0, 2.0, -1.0])
def test_no_shape_has_a_mean_beyond_its_values(mean: float) -> None:
    assert usual_values(mean, values=(0.0, 1.0, 2.0)) == ()


def test_what_is_trusted_is_a_part() -> None:
    with pytest.raises(ValueError, match="a part of the wealth"):
        ScaledPass((0.0, 1.0, 2.0), centre=0.5, factor=1.25, reference=(5, 3, 2), trust=1.0)
