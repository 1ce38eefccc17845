"""What is told is written so that another implementation reads the same numbers back, in both formats."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from glideslope.engine.telemetry.families import Definition, Family, Kind
from glideslope.engine.telemetry.meters import Histogram
from glideslope.interfaces.api.exposition import OPENMETRICS, TEXT, wanted, write

LABELS = some.text(some.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
NUMBERS = some.floats(allow_nan=False) | some.integers(0, 2**53)


def readers() -> dict[str, Any]:
    """Return the parsers of prometheus_client, which Prometheus itself is tested with."""
    text = pytest.importorskip("prometheus_client.parser", reason="`make test` installs it")
    opened = pytest.importorskip("prometheus_client.openmetrics.parser")
    return {TEXT: text.text_string_to_metric_families, OPENMETRICS: opened.text_string_to_metric_families}


def read_back(written: bytes, media: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = [sample for family in readers()[media](written.decode()) for sample in family.samples]
    return {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}


@pytest.mark.parametrize("media", [TEXT, OPENMETRICS])
@given(label=LABELS, value=NUMBERS, told=LABELS)
def test_whatever_a_label_or_a_sentence_holds_the_number_comes_back(
    media: str, label: str, value: float, told: str
) -> None:
    family = Family(Definition(name="glideslope_depth", kind=Kind.GAUGE, help=told, labels=("model",)))
    family.add(value, label)

    assert read_back(write([family], media=media), media) == {("glideslope_depth", (("model", label),)): value}


@pytest.mark.parametrize("media", [TEXT, OPENMETRICS])
@given(values=some.lists(some.floats(0, 20), max_size=50))
def test_a_histogram_is_cumulative_and_holds_everything(media: str, values: list[float]) -> None:
    seen = Histogram((0.1, 1.0, 10.0))
    for value in values:
        seen.see(value)
    family = Family(Definition(name="glideslope_took_seconds", kind=Kind.HISTOGRAM, help="Long."))
    family.add(seen)

    found = read_back(write([family], media=media), media)

    for edge in (0.1, 1.0, 10.0):
        at_most = sum(value <= edge for value in values)
        assert found["glideslope_took_seconds_bucket", (("le", repr(edge)),)] == at_most
    assert found["glideslope_took_seconds_bucket", (("le", "+Inf"),)] == len(values)
    assert found["glideslope_took_seconds_count", ()] == len(values)
    assert math.isclose(found["glideslope_took_seconds_sum", ()], sum(values), abs_tol=1e-9)


def test_the_two_formats_name_counters_and_infos_each_in_its_own_way() -> None:
    counter = Family(Definition(name="glideslope_acts_total", kind=Kind.COUNTER, help="Acts."))
    counter.add(3)
    info = Family(Definition(name="glideslope_build_info", kind=Kind.INFO, help="Release.", labels=("version",)))
    info.add(1, "1.2")

    assert write([counter, info], media=TEXT) == (
        b"# HELP glideslope_acts_total Acts.\n# TYPE glideslope_acts_total counter\nglideslope_acts_total 3\n"
        b"# HELP glideslope_build_info Release.\n# TYPE glideslope_build_info gauge\n"
        b'glideslope_build_info{version="1.2"} 1\n'
    )
    assert write([counter, info], media=OPENMETRICS) == (
        b"# HELP glideslope_acts Acts.\n# TYPE glideslope_acts counter\nglideslope_acts_total 3\n"
        b"# HELP glideslope_build Release.\n# TYPE glideslope_build info\n"
        b'glideslope_build_info{version="1.2"} 1\n# EOF\n'
    )


def test_what_could_not_be_measured_is_absent_and_not_zero() -> None:
    family = Family(Definition(name="glideslope_depth", kind=Kind.GAUGE, help="Deep.", labels=("model",)))
    family.add(None, "fraud")

    assert write([family], media=TEXT) == b""


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/html", TEXT),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8; q=0", TEXT),
        ("application/openmetrics-text;q=0.2,text/plain;q=0.9", TEXT),
        ("application/openmetrics-text;q=x", TEXT),
        # What Prometheus 2.42 sends.
        ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", OPENMETRICS),
    ],
)
def test_the_caller_chooses_the_format(accept: str, media: str) -> None:
    assert wanted(accept) == media
