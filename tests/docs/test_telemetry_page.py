"""The reference of what is told says what the code says."""

import json
import logging
import re
from pathlib import Path

import pytest

from glideslope.engine.telemetry.names import DEFINITIONS
from glideslope.wiring.log_lines import FIELDS, Lines

ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram|info) \| ([^|]*)\| (.*) \|$", re.MULTILINE)


@pytest.fixture
def page(root: Path) -> str:
    return (root / "docs" / "reference" / "telemetry.md").read_text(encoding="utf-8")


def test_every_family_is_documented_as_it_is_defined_and_no_other(page: str) -> None:
    documented = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)), told) for name, kind, labels, told in ROW.findall(page)
    ]

    assert documented == [(each.name, each.kind.value, each.labels, each.help) for each in DEFINITIONS]


def test_every_field_of_the_log_is_documented(page: str) -> None:
    told = logging.LogRecord("glideslope", logging.INFO, "", 1, "said", None, None)
    vars(told).update(dict.fromkeys(FIELDS, "x"))
    written = json.loads(Lines(as_json=True, trace=lambda: ("t", "s")).format(told))
    section = page.partition("## Log")[2]

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(written)


def test_every_span_and_every_attribute_is_documented_and_no_other(page: str, root: Path) -> None:
    source = "\n".join(
        (root / "src" / "glideslope" / path).read_text(encoding="utf-8")
        for path in (
            "engine/governor.py",
            "engine/record.py",
            "engine/reconciler.py",
            "interfaces/metering.py",
            "sdk/evaluations.py",
        )
    )
    section = page.partition("## Traces")[2].partition("## Health")[0]
    names = set(re.findall(r'span\(\s*"(glideslope\.\w+)"', source))
    attributes = set(re.findall(r'"((?:glideslope|http|url|server|error|feature_flag)\.[\w.]+)"', source))
    attributes -= {*names, "glideslope.sdk", "http.response.start"}  # a logger's name, and ASGI's
    documented = set(re.findall(r"`((?:glideslope|http|url|server|error|feature_flag)\.[\w.]+)`", section))

    assert documented == names | attributes


def test_names_are_conventional() -> None:
    """One prefix, base units, `_total` for counters and `_info` for infos, and for nothing else."""
    for each in DEFINITIONS:
        assert each.name.startswith(("glideslope_", "process_"))
        assert each.name.endswith("_total") is (each.kind.value == "counter"), each.name
        assert each.name.endswith("_info") is (each.kind.value == "info"), each.name
        assert not re.search(r"_(ms|milliseconds|minutes|hours|percent|mb|kb|count|sum|bucket)(_|$)", each.name), (
            each.name
        )
