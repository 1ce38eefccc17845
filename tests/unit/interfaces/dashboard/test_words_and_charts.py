"""How figures, times and states are written on pages, and that a chart shows what is there and nothing else."""

import re

import pytest
from markupsafe import Markup
from msgspec.structs import replace

from glideslope.domain.plan import Margin, MarginKind
from glideslope.engine.baselines import HourView, UsualView
from glideslope.engine.courses import CourseView, ExposedView, LookView
from glideslope.engine.views import DecisionView, GuardrailView
from glideslope.interfaces.dashboard import charts
from glideslope.interfaces.dashboard.ledger import page_of
from glideslope.interfaces.dashboard.planned import changed, margin
from glideslope.interfaces.dashboard.rendering import at, count, figure, in_order, lasting, short, signed, told
from glideslope.interfaces.dashboard.words import decision, verdict
from glideslope.testing.examples import plan

AT = "2026-03-01T09:14:05.250Z"

LATER = "2026-03-01T09:01:00Z"
GUARDRAIL = GuardrailView(
    metric="log_loss",
    slice="all",
    kind="difference",
    incumbent=0.44,
    candidate=0.45,
    low=-0.001,
    estimate=0.009,
    high=0.019,
    margin=0.01,
    harm_wealth=1.2,
    harm_line=6.0,
    proof_wealth=3.0,
    proof_line=6.0,
    word="watching",
    candidate_count=540,
    incumbent_count=550,
)


def test_nobody_turns_the_order_of_our_words() -> None:
    assert in_order("pia \u202edeined\u202c it") == r"pia \u202edeined\u202c it"
    assert in_order(told("<b>\u2066")) == Markup(r"&lt;b&gt;\u2066")
    assert in_order("שלום 13\u202f498") == "שלום 13\u202f498"
    assert in_order(None) is None


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.4421, "0.442"), (13.44, "13.4"), (1234.5, "1234"), (0.0, "0.00"), (-0.5, "−0.500"), (0.0000012, "0.000001")],
)
def test_a_measured_value_has_three_digits(value: float, written: str) -> None:
    assert figure(value) == written


@pytest.mark.parametrize("missing", [None, float("nan"), float("inf")])
def test_what_is_not_known_is_a_dash_and_never_a_number(missing: float | None) -> None:
    assert figure(missing) == "–"
    assert signed(missing, "ratio") == "–"


@pytest.mark.parametrize(
    ("value", "kind", "written"),
    [(1.084, "ratio", "×1.08"), (0.009, "difference", "+0.009"), (-0.02, "paired", "−0.02"), (0.0, "difference", "0")],
)
def test_a_comparison_says_which_way(value: float, kind: str, written: str) -> None:
    assert signed(value, kind) == written


@pytest.mark.parametrize(
    ("milliseconds", "written"),
    [(250, "250 ms"), (20_000, "20 s"), (150_000, "2 min"), (9_000_000, "2 h 30 min"), (180_000_000, "2 d 2 h")],
)
def test_a_length_of_time_is_written_in_its_own_units(milliseconds: float, written: str) -> None:
    assert lasting(milliseconds) == written


def test_counts_do_not_break_across_lines() -> None:
    assert count(13_498) == "13\u202f498"


def test_a_time_keeps_its_exact_instant() -> None:
    assert 'datetime="2026-03-01T09:14:05.250Z"' in at(AT)
    assert "2026-03-01 09:14:05.250 UTC" in at(AT)
    assert at("") == ""


def test_a_sentence_of_the_engine_is_text_with_times_in_it() -> None:
    written = told(f"No earlier than {AT}; <b>not</b> before.")

    assert written.count("<time") == 1
    assert "&lt;b&gt;" in written


def test_a_digest_is_short_and_whole() -> None:
    assert short("sha256:" + "ab" * 32).count("abab") > 1
    assert ">abababababab<" in short("sha256:" + "ab" * 32)


def held(*reasons: str) -> DecisionView:
    return DecisionView(
        rollout="r-1", version=1, entry=1, at=AT, by="", decision="hold", step="", stage="", reasons=reasons, sentences=(), findings=()
    )  # fmt: skip


def test_a_hold_that_only_waits_is_quiet_and_one_that_needs_somebody_is_not() -> None:
    assert decision(held("minimum-time-not-reached", "not-enough-evidence")).tone == "quiet"
    assert decision(held("not-enough-evidence", "evidence-stale")).tone == "open"


def test_an_unknown_verdict_is_shown_as_it_came() -> None:
    assert verdict("asymptotic, advisory").word == "asymptotic, advisory"


def numbers(chart: Markup, name: str) -> dict[str, float]:
    found = re.search(rf'<\w+ class="{name}"([^>]*)/>', chart)
    assert found, chart
    return {key: float(value) for key, value in re.findall(r'(\w+)="([-\d.]+)"', found[1])}


def test_an_interval_lies_where_it_is_and_the_shade_lies_where_it_is_worse() -> None:
    chart = charts.interval(GUARDRAIL)
    band, edge, shade = numbers(chart, "band"), numbers(chart, "margin")["x1"], numbers(chart, "beyond")

    assert band["x"] < edge < band["x"] + band["width"], "the margin lies within the interval"
    assert shade["x"] == edge
    lower_is_worse = charts.interval(replace(GUARDRAIL, margin=-0.01))
    assert numbers(lower_is_worse, "beyond")["x"] == 0


def test_an_open_side_runs_to_the_edge_and_no_interval_is_none() -> None:
    assert numbers(charts.interval(replace(GUARDRAIL, low=None)), "band")["x"] == 0
    assert 'class="band"' not in charts.interval(replace(GUARDRAIL, low=None, high=None))
    assert 'class="estimate"' not in charts.interval(replace(GUARDRAIL, low=None, high=None, estimate=None))


@pytest.mark.parametrize(
    ("wealth", "line", "written"), [(3.0, 6.0, "50 %"), (9.0, 6.0, "100 %"), (-4.0, 6.0, "0 %"), (1.0, 0.0, "–")]
)
def test_evidence_is_told_by_how_far_it_has_come(wealth: float, line: float, written: str) -> None:
    assert charts.percent_of_line(wealth, line) == written


def test_looks_need_two_moments_with_an_interval() -> None:
    look = LookView(
        entry=1, at=AT, step="s1", metric="log_loss", kind="difference", low=-0.1, estimate=0.0, high=0.1, margin=0.01,
        candidate_count=1, incumbent_count=1,
    )  # fmt: skip

    assert charts.looks([], GUARDRAIL, until=LATER) == ""
    assert charts.looks([replace(look, kind="paired")], GUARDRAIL, until=LATER) == ""
    drawn = charts.looks([look], GUARDRAIL, until=LATER)
    assert len(re.findall(r"[\d.]+,[\d.]+", re.findall(r'polyline class="estimate" points="([^"]*)"', drawn)[0])) == 2
    assert charts.looks([look], replace(GUARDRAIL, low=None, high=None), until=LATER) == ""


def test_looks_stand_at_their_times() -> None:
    look = LookView(
        entry=3, at="2026-03-01T09:00:00Z", step="s1", metric="log_loss", kind=GUARDRAIL.kind, low=0.0, estimate=0.1, high=0.2,
        margin=0.1, candidate_count=1, incumbent_count=1,
    )  # fmt: skip
    late = replace(look, entry=4, at="2026-03-01T09:03:00Z")
    drawn = charts.looks([look, late], GUARDRAIL, until="2026-03-01T09:04:00Z", width=416, height=charts.TALL)
    xs = [float(x) for x, _ in re.findall(r"([\d.]+),([\d.]+)", re.findall(r'"estimate" points="([^"]*)"', drawn)[0])]

    assert xs == [8, 308, 408], "three minutes are three times as wide as one"
    assert "+4 min" in drawn


def test_each_arm_is_drawn_where_both_were_seen() -> None:
    look = LookView(
        entry=3, at="2026-03-01T09:00:00Z", step="s1", metric="log_loss", kind=GUARDRAIL.kind, low=None, estimate=None, high=None,
        margin=0.1, candidate_count=9, incumbent_count=9, candidate=0.5, incumbent=0.4,
    )  # fmt: skip
    now = replace(GUARDRAIL, candidate=0.6, incumbent=0.4)

    assert charts.arms([], now, until=LATER) == ""
    assert charts.arms([replace(look, candidate=None)], now, until=LATER) == ""
    drawn = charts.arms([look], now, until=LATER)
    candidate, incumbent = (
        re.findall(rf'class="{name}" points="([^"]*)"', drawn)[0] for name in ("estimate", "incumbent")
    )
    heights = [[float(y) for y in re.findall(r",([\d.]+)", points)] for points in (candidate, incumbent)]
    assert heights[0][1] < heights[0][0] < heights[1][0] == heights[1][1], "higher values stand higher"
    assert "entry 3: candidate 0.5, incumbent 0.4" in drawn


def test_exposure_is_drawn_as_it_was() -> None:
    exposed = [
        ExposedView(at="2026-03-01T09:00:00Z", share=1_000, mirror=0, step="s1", entry=3),
        ExposedView(at="2026-03-01T09:00:30Z", share=0, mirror=0, step="s1", entry=5),
    ]
    course = CourseView(rollout="r-1", until="2026-03-01T09:01:00Z", exposed=tuple(exposed), looks=())
    drawn = charts.exposure(plan(), course)
    heights = [float(y) for y in re.findall(r",([\d.]+)", re.findall(r'class="actual" points="([^"]*)"', drawn)[0])]

    assert heights[0] == heights[1] < heights[2] == heights[-1], "up while exposed, on the ground after"


def test_a_day_is_drawn_over_what_was_usual_and_its_flags_are_marked() -> None:
    known = HourView(at=AT, seen=3.0, low=1.0, usual=2.0, high=4.0, flagged=False)
    hours = (known, replace(known, low=None, usual=None, high=None), replace(known, flagged=True))
    view = UsualView(series="requests", arm="", unit="per minute", weeks=3, hours=hours)
    drawn = charts.day(view)

    assert len(re.findall(r'class="flag"', drawn)) == 1
    assert len(re.findall(r"[\d.]+,[\d.]+", re.findall(r'class="usual" points="([^"]*)"', drawn)[0])) == 4
    assert charts.day(replace(view, hours=(known,))) == "", "one hour is a figure and no chart"


def test_what_changed_between_two_plans_is_named() -> None:
    then, now = plan(), replace(plan(), candidate="v9", lease=5_000)

    assert changed(then, then) == []
    assert {what for what, _, _ in changed(then, now)} == {"candidate", "lease"}
    fewer = replace(then, guardrails=then.guardrails[1:])
    assert (f"guardrail {then.guardrails[0].metric.name}", "none") in [(w, n) for w, _, n in changed(then, fewer)]


def test_a_margin_is_written_as_it_was_set() -> None:
    assert margin(Margin(MarginKind.RELATIVE, 0.25)) == "25 %"
    assert margin(Margin(MarginKind.ABSOLUTE, 0.005)) == "0.005"


def test_a_link_of_the_api_leads_to_a_page() -> None:
    assert page_of("/v1/rollouts/r-0001?as_of=12") == "/rollouts/r-0001?as_of=12"
    assert page_of("/v1/search?q=stream:incident.r-1") == "/ledger?q=stream:incident.r-1"
