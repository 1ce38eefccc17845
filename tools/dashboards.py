"""
Writes the Grafana dashboards that the wheel carries: `python tools/dashboards.py`, after a change here. A test compares.

A dashboard is a list of panels, left to right and top to bottom. A panel is its title, its kind, its width (of 24), its unit, and its
queries, each with what a line is called. Queries are the part that is thought about; everything else is Grafana's form (schema 39).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "src/glideslope/interfaces/cli/files/monitoring"
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
HEIGHT: Final = {"stat": 4, "table": 8, "timeseries": 8}


@dataclass(frozen=True)
class Panel:
    """One panel. `queries` are pairs of an expression and what its lines are called."""

    title: str
    queries: Sequence[tuple[str, str]]
    kind: str = "timeseries"
    width: int = 8
    unit: str = "short"
    says: str = ""
    instant: bool = False


@dataclass(frozen=True)
class Dashboard:
    """One dashboard. `choices` are its variables: a name, and the query of its values."""

    uid: str
    title: str
    says: str
    panels: Sequence[Panel]
    choices: Sequence[tuple[str, str]] = ()
    annotations: Sequence[tuple[str, str]] = field(default_factory=tuple)


OF = 'model="$model",rollout="$rollout"'
WHOLE = f'{OF},slice="all"'


def rate(name: str, *, by: str, of: str = "") -> str:
    """Return what a counter grows by in a second."""
    return f"sum by ({by}) (rate({name}{{{of}}}[$__rate_interval]))".replace("{}", "")


def quantile(q: float, name: str, *, by: str = "", of: str = "") -> str:
    """Return the value that a share `q` of what a histogram saw lies below."""
    return f"histogram_quantile({q}, {rate(f'{name}_bucket', by=f'le, {by}' if by else 'le', of=of)})"


def errors(*, by: str, of: str = "") -> str:
    """Return the share of requests that failed."""
    failed, all_ = (rate(f"glideslope_{name}_total", by=by, of=of) for name in ("request_errors", "requests"))
    return f"{failed} / {all_}"


FLEET = Dashboard(
    uid="glideslope-fleet",
    title="Glideslope: fleet",
    says="All models and rollouts at a glance.",
    annotations=[("Steps entered", "glideslope_rollout_step_entered_timestamp_seconds * 1000")],
    panels=[
        Panel(
            "Under way", [('sum(glideslope_rollouts{phase!~"rolled-back|promoted"})', "rollouts")], kind="stat", width=4
        ),
        Panel(
            "Approvals pending", [("sum(glideslope_approvals_pending) or vector(0)", "approvals")], kind="stat", width=4
        ),
        Panel("Reviews and drills overdue", [("sum(glideslope_overdue)", "overdue")], kind="stat", width=4),
        Panel("Not as usual", [("sum(glideslope_signals_flagged)", "series")], kind="stat", width=4),
        Panel(
            "Stale sources of evidence",
            [("count(glideslope_source_fresh == 0) or vector(0)", "sources")],
            kind="stat",
            width=4,
        ),
        Panel("Parts in trouble", [("sum(glideslope_trouble)", "parts")], kind="stat", width=4),
        Panel("Rollouts", [("glideslope_rollout_info", "")], kind="table", width=24, instant=True),
        Panel(
            "Requests per second",
            [("sum by (model, arm) (rate(glideslope_requests_total[$__rate_interval]))", "{{model}} {{arm}}")],
            unit="reqps",
        ),
        Panel(
            "Errors",
            [(errors(by="model, arm"), "{{model}} {{arm}}")],
            unit="percentunit",
        ),
        Panel(
            "95 % of requests within",
            [(quantile(0.95, "glideslope_request_duration_seconds", by="model, arm"), "{{model}} {{arm}}")],
            unit="s",
        ),
        Panel(
            "Candidates' confirmed share",
            [("glideslope_exposure_confirmed_ratio", "{{model}} {{rollout}}")],
            unit="percentunit",
        ),
        Panel(
            "Decisions in an hour",
            [("sum by (decision) (increase(glideslope_decisions_total[1h]))", "{{decision}}")],
        ),
        Panel("Rollouts by how they stand or ended", [("glideslope_rollouts", "{{phase}}")]),
    ],
)

ROLLOUT = Dashboard(
    uid="glideslope-rollout",
    title="Glideslope: one rollout",
    says="Both arms, exposure, guardrails against their margins, slices. While it is under way.",
    choices=[
        ("model", "label_values(glideslope_rollout_info, model)"),
        ("rollout", 'label_values(glideslope_rollout_info{model="$model"}, rollout)'),
        ("metric", f"label_values(glideslope_guardrail_margin{{{OF}}}, metric)"),
    ],
    annotations=[("Steps entered", f"glideslope_rollout_step_entered_timestamp_seconds{{{OF}}} * 1000")],
    panels=[
        Panel("Where it stands", [(f"glideslope_rollout_info{{{OF}}}", "")], kind="table", width=12, instant=True),
        Panel(
            "Time in this step",
            [
                (f"time() - glideslope_rollout_step_entered_timestamp_seconds{{{OF}}}", "so far"),
                (f"glideslope_rollout_step_maximum_seconds{{{OF}}}", "at most"),
            ],
            kind="stat",
            width=6,
            unit="s",
        ),
        Panel(
            "Subjects who met it", [(f'glideslope_exposed_subjects{{{OF},arm="candidate"}}', "")], kind="stat", width=6
        ),
        Panel(
            "Candidate's share",
            [
                (f"glideslope_exposure_desired_ratio{{{OF}}}", "by the record"),
                (f"glideslope_exposure_confirmed_ratio{{{OF}}}", "as the data plane says"),
            ],
            unit="percentunit",
        ),
        Panel(
            "Requests per second",
            [(f"sum by (arm) (rate(glideslope_requests_total{{{OF}}}[$__rate_interval]))", "{{arm}}")],
            unit="reqps",
        ),
        Panel(
            "Errors",
            [
                (errors(by="arm", of=OF), "{{arm}}"),
                (f"sum(rate(glideslope_requests_rescued_total{{{OF}}}[$__rate_interval]))", "rescued per second"),
            ],
            unit="percentunit",
        ),
        Panel(
            "95 % of requests within",
            [(quantile(0.95, "glideslope_request_duration_seconds", by="arm", of=OF), "{{arm}}")],
            unit="s",
        ),
        Panel(
            "$metric: candidate against incumbent",
            [
                (f'glideslope_guardrail_difference{{{WHOLE},metric="$metric"}}', "estimate"),
                (f'glideslope_guardrail_bound{{{WHOLE},metric="$metric"}}', "{{bound}}"),
                (f'glideslope_guardrail_margin{{{WHOLE},metric="$metric"}}', "margin"),
            ],
            says="The interval holds with 95 % at all times at once.",
        ),
        Panel(
            "$metric: both arms",
            [(f'glideslope_metric_value{{{WHOLE},metric="$metric"}}', "{{arm}}")],
            says="Latencies in seconds, all else in the metric's own unit.",
        ),
        Panel(
            "Evidence on its way to its line",
            [(f"glideslope_guardrail_evidence_ratio{{{WHOLE}}}", "{{metric}} {{question}}")],
            unit="percentunit",
        ),
        Panel(
            "Slices with the most evidence of harm",
            [
                (
                    f'topk(20, glideslope_guardrail_evidence_ratio{{{OF},question="harm",slice!="all"}})',
                    "{{metric}} {{slice}}",
                )
            ],
            kind="table",
            width=8,
            unit="percentunit",
            instant=True,
        ),
        Panel(
            "$metric by slice",
            [(f'glideslope_metric_value{{{OF},metric="$metric",slice!="all"}}', "{{slice}} {{arm}}")],
        ),
        Panel("Behind each value", [(f"glideslope_metric_samples{{{WHOLE}}}", "{{metric}} {{arm}}")]),
        Panel("Worth per subject", [(f"glideslope_value_per_subject{{{WHOLE}}}", "{{arm}} {{currency}}")]),
        Panel(
            "Since a source was last heard",
            [(f"time() - glideslope_source_heard_timestamp_seconds{{{OF}}}", "{{origin}}")],
            unit="s",
        ),
        Panel(
            "Until the exposure would end",
            [(f"glideslope_exposure_lease_remaining_seconds{{{OF}}}", "lease")],
            unit="s",
        ),
        Panel(
            "CPU cores", [('sum by (arm, version) (glideslope_model_cpu_cores{model="$model"})', "{{arm}} {{version}}")]
        ),
        Panel(
            "Memory",
            [('sum by (arm, version) (glideslope_model_memory_bytes{model="$model"})', "{{arm}} {{version}}")],
            unit="bytes",
        ),
        Panel(
            "Outcomes come after",
            [(quantile(0.5, "glideslope_outcome_delay_seconds", of='model="$model"'), "half of them")],
            unit="s",
        ),
    ],
)

TICK = "glideslope_governor_tick_duration_seconds"
MEAN_TICK = f"rate({TICK}_sum[$__rate_interval]) / rate({TICK}_count[$__rate_interval])"
DRILLED = "glideslope_drill_last_success_timestamp_seconds"

OURSELVES = Dashboard(
    uid="glideslope-server",
    title="Glideslope: the server itself",
    says="Does it govern, does it keep up, is the ledger whole.",
    panels=[
        Panel(
            "Servers that govern",
            [("sum(glideslope_governor_acting)", "")],
            kind="stat",
            width=4,
            says="One of them does.",
        ),
        Panel(
            "Ledger whole",
            [("min(glideslope_ledger_chain_valid)", "")],
            kind="stat",
            width=4,
            says="1: every checkpoint's root was found again.",
        ),
        Panel("Entries", [("max(glideslope_ledger_entries)", "")], kind="stat", width=4),
        Panel(
            "Not yet signed",
            [("max(glideslope_ledger_entries - glideslope_ledger_signed_entries)", "")],
            kind="stat",
            width=4,
        ),
        Panel(
            "Since the last tick",
            [("time() - max(glideslope_governor_last_tick_timestamp_seconds)", "")],
            kind="stat",
            width=4,
            unit="s",
        ),
        Panel(
            "Release",
            [("glideslope_build_info", "{{version}} on Python {{python}}")],
            kind="stat",
            width=4,
            instant=True,
        ),
        Panel(
            "Ticks",
            [
                (quantile(0.95, "glideslope_governor_tick_duration_seconds"), "95 % within"),
                (MEAN_TICK, "mean"),
            ],
            unit="s",
        ),
        Panel(
            "Left of a lease when it is renewed, 5 % below",
            [(quantile(0.05, "glideslope_exposure_lease_renewal_left_ratio", by="model"), "{{model}}")],
            unit="percentunit",
        ),
        Panel("Lapses in a day", [("sum by (model) (increase(glideslope_exposure_lapses_total[1d]))", "{{model}}")]),
        Panel("Until another may govern", [("glideslope_governor_lease_remaining_seconds", "lease")], unit="s"),
        Panel("Parts in trouble", [("glideslope_trouble", "{{part}}")]),
        Panel("What waits", [("glideslope_queue_length", "{{queue}}")]),
        Panel(
            "95 % of answers within",
            [(quantile(0.95, "glideslope_http_request_duration_seconds", by="route"), "{{route}}")],
            unit="s",
            says="Event streams and questions that are held back on purpose are among them.",
        ),
        Panel(
            "Answers per second",
            [
                (
                    "sum by (status) (rate(glideslope_http_request_duration_seconds_count[$__rate_interval]))",
                    "{{status}}",
                )
            ],
            unit="reqps",
        ),
        Panel("Being answered", [("glideslope_http_requests_in_flight", "requests")]),
        Panel("CPU", [('rate(process_cpu_seconds_total{job="glideslope"}[$__rate_interval])', "cores")]),
        Panel("Memory", [('process_resident_memory_bytes{job="glideslope"}', "resident")], unit="bytes"),
        Panel("Open files", [('process_open_fds{job="glideslope"}', "descriptors")]),
        Panel(
            "Since the ledger was read back",
            [("time() - glideslope_ledger_chain_checked_timestamp_seconds", "seconds")],
            unit="s",
        ),
        Panel("Putting this together took", [("glideslope_telemetry_duration_seconds", "seconds")], unit="s"),
        Panel(
            "Since a drill worked",
            [
                (
                    "time() - (glideslope_drill_last_success_timestamp_seconds > 0) or glideslope_drill_last_success_timestamp_seconds",
                    "{{model}}",
                )
            ],
            unit="s",
            says="0: never.",
        ),
    ],
)

DASHBOARDS: Final = {"fleet": FLEET, "rollout": ROLLOUT, "server": OURSELVES}


def written(found: Dashboard) -> str:
    """Return a dashboard as Grafana reads it."""
    return json.dumps(_whole(found), indent=1, ensure_ascii=False) + "\n"


def _whole(found: Dashboard) -> dict[str, Any]:
    return {
        "uid": found.uid,
        "title": found.title,
        "description": found.says,
        "tags": ["glideslope"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "refresh": "15s",
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"type": "dashboards", "title": "Glideslope", "tags": ["glideslope"], "asDropdown": False}],
        "annotations": {"list": [_annotation(*each) for each in found.annotations]},
        "templating": {"list": [_source(), *(_choice(*each) for each in found.choices)]},
        "panels": list(_laid_out(found.panels)),
    }


def _source() -> dict[str, Any]:
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "sort": 1,
    }


def _annotation(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": SOURCE,
        "enable": True,
        "expr": query,
        "iconColor": "blue",
        "titleFormat": "{{model}} {{rollout}}",
        "useValueForTime": "on",
    }


def _laid_out(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    x = y = tallest = 0
    for number, panel in enumerate(panels, start=1):
        if x + panel.width > 24:
            x, y, tallest = 0, y + tallest, 0
        height = HEIGHT[panel.kind]
        yield _panel(panel, number, {"x": x, "y": y, "w": panel.width, "h": height})
        x, tallest = x + panel.width, max(tallest, height)


def _panel(panel: Panel, number: int, place: dict[str, int]) -> dict[str, Any]:
    is_table = panel.kind == "table"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
        "options": {} if panel.kind != "stat" else {"textMode": "value_and_name" if panel.instant else "auto"},
        "targets": [
            {
                "refId": "ABCDE"[k],
                "datasource": SOURCE,
                "expr": expression,
                "legendFormat": called or "__auto",
                "instant": panel.instant,
                "range": not panel.instant,
                "format": "table" if is_table else "time_series",
            }
            for k, (expression, called) in enumerate(panel.queries)
        ],
    }


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for name, found in DASHBOARDS.items():
        (FOLDER / f"dashboard-{name}.json").write_text(written(found), encoding="utf-8")


if __name__ == "__main__":
    main()
