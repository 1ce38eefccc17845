"""The dashboards and alerts that come with the package ask only for what a server tells, and Grafana can import them anywhere."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from glideslope.engine.telemetry.families import Kind
from glideslope.engine.telemetry.names import DEFINITIONS
from glideslope.interfaces.cli.shipped import shipped
from glideslope.interfaces.cli.verbs.monitoring import FILES

ROOT = Path(__file__).resolve().parents[3]
SELECTOR = re.compile(r"\b((?:glideslope|process)_\w+|up)\b(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|on) \(([^)]*)\)")
OF_PROMETHEUS = {"job", "instance"}
NAMES = {each.name: each for each in DEFINITIONS}
DASHBOARDS = [name for name in FILES if name.endswith(".json")]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "tools" / "dashboards.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a dataclass asks for the module that it is of
    spec.loader.exec_module(module)
    return module


def dashboard(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(shipped(f"monitoring/{name}"))
    return found


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(shipped("monitoring/rules.yaml"))
    return [rule for group in found["groups"] for rule in group["rules"]]


def queries() -> Iterator[str]:
    for name in DASHBOARDS:
        found = dashboard(name)
        yield from (target["expr"] for panel in found["panels"] for target in panel["targets"])
        yield from (each["expr"] for each in found["annotations"]["list"])
        yield from (each["query"]["query"] for each in found["templating"]["list"] if each["type"] == "query")
    yield from (rule["expr"] for rule in rules())


def test_the_files_are_what_the_tool_writes(tool: ModuleType) -> None:
    for name, found in tool.DASHBOARDS.items():
        assert shipped(f"monitoring/dashboard-{name}.json") == tool.written(found), "run tools/dashboards.py"
    assert {f"dashboard-{name}.json" for name in tool.DASHBOARDS} == set(DASHBOARDS)


def test_every_query_asks_for_a_family_that_is_told_and_for_labels_that_it_has() -> None:
    asked = 0
    for query in queries():
        grouped = {label.strip() for labels in GROUPED.findall(query) for label in labels.split(",")}
        known: set[str] = set()
        for name, matchers in SELECTOR.findall(query):
            if name == "up":
                continue
            stem = name if name in NAMES else re.sub(r"_(bucket|sum|count)$", "", name)
            assert stem in NAMES, f"{name} in {query}"
            assert (stem == name) is (NAMES[stem].kind is not Kind.HISTOGRAM), f"{name} in {query}"
            labels = {*NAMES[stem].labels, *OF_PROMETHEUS, *(["le"] if name.endswith("_bucket") else [])}
            known |= labels
            assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= labels, query
            asked += 1
        assert grouped <= known, query
    assert asked > 60


def test_every_family_but_a_few_is_looked_at_somewhere() -> None:
    """What is told and nobody is shown would be told for nothing; where a family is only for people who ask, it is named here."""
    shown = " ".join(queries())
    unshown = {name for name in NAMES if not re.search(rf"\b{name}(_bucket|_sum|_count)?\b", shown)}

    assert unshown == {
        "glideslope_guardrails_computed_timestamp_seconds",
        "glideslope_ledger_last_checkpoint_timestamp_seconds",
        "glideslope_model_gpu_memory_bytes",
        "glideslope_model_info",
        "glideslope_rollback_duration_seconds",
        "glideslope_slices_left_out",
        "glideslope_source_dropped",
        "process_start_time_seconds",
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_imported_anywhere(name: str) -> None:
    """No data source of ours is named, ids are unique, panels lie side by side and not over each other."""
    found = dashboard(name)
    ids = [panel["id"] for panel in found["panels"]]
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in found["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert found["templating"]["list"][0] == {
        "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"
    }  # fmt: skip
    assert re.fullmatch(r"glideslope-[a-z]{1,29}", found["uid"])
    assert "id" not in found
    assert len(set(ids)) == len(ids)
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) <= 23
    sources = [panel["datasource"] for panel in found["panels"]]
    sources += [target["datasource"] for panel in found["panels"] for target in panel["targets"]]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def test_every_alert_says_what_happened_what_it_means_and_whether_to_wake_somebody() -> None:
    found = rules()
    assert len({rule["alert"] for rule in found}) == len(found)
    for rule in found:
        assert rule["alert"].startswith("Glideslope")
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}


def test_the_scrape_configuration_loads_the_rules_and_shows_a_token() -> None:
    found = yaml.safe_load(shipped("monitoring/prometheus.yaml"))

    assert found["rule_files"] == ["rules.yaml"]
    (job,) = found["scrape_configs"]
    assert job["job_name"] == "glideslope"
    assert job["authorization"] == {"credentials_file": "glideslope.token"}
