"""Writes what is told in the two formats that Prometheus reads: its own text 0.0.4, and OpenMetrics 1.0.0.

https://prometheus.io/docs/instrumenting/exposition_formats/ and https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
from collections.abc import Iterator
from typing import Final

from glideslope.engine.telemetry.families import Definition, Family, Kind, Telling
from glideslope.engine.telemetry.meters import Histogram

TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_ASKED: Final = "application/openmetrics-text"
_ESCAPED: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def wanted(accept: str) -> str:
    """Return the format that an Accept header asks for: OpenMetrics where it is named, with no less weight than text."""
    weights = {TEXT: 0.0, OPENMETRICS: 0.0}
    for part in accept.split(","):
        media, *parameters = (each.strip() for each in part.split(";"))
        weight = _weight(parameters)
        if media.lower() == _ASKED:
            weights[OPENMETRICS] = max(weights[OPENMETRICS], weight)
        elif media.lower() in ("text/plain", "text/*"):
            weights[TEXT] = max(weights[TEXT], weight)
    return OPENMETRICS if weights[OPENMETRICS] > 0 and weights[OPENMETRICS] >= weights[TEXT] else TEXT


def write(telling: Telling, *, media: str) -> bytes:
    """Return all families that have numbers, in one of the two formats."""
    is_open = media == OPENMETRICS
    lines: list[str] = []
    for family in telling:
        if family.samples:
            lines += _headed(family.definition, is_open=is_open)
            lines += _numbers(family)
    if is_open:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _headed(found: Definition, *, is_open: bool) -> Iterator[str]:
    name, kind = found.name, found.kind.value
    if is_open:
        name = name.removesuffix("_total" if found.kind is Kind.COUNTER else "_info" if found.kind is Kind.INFO else "")
    elif found.kind is Kind.INFO:
        kind = Kind.GAUGE.value  # the older format knows no info
    told = found.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {told}"
    yield f"# TYPE {name} {kind}"
    if is_open and found.unit and found.kind is not Kind.INFO:
        yield f"# UNIT {name} {found.unit}"


def _numbers(family: Family) -> Iterator[str]:
    name, labels = family.definition.name, family.definition.labels
    for values, number in family.samples:
        # (A label that is empty is one that is absent, in both formats.)
        told = [f'{key}="{_label(value)}"' for key, value in zip(labels, values, strict=True) if value]
        if not isinstance(number, Histogram):
            yield f"{name}{_braced(told)} {_number(number)}"
            continue
        for edge, count in number.cumulative():
            within = [*told, f'le="{_number(edge)}"']
            yield f"{name}_bucket{_braced(within)} {count}"
        everything = [*told, 'le="+Inf"']
        yield f"{name}_bucket{_braced(everything)} {number.count}"
        yield f"{name}_sum{_braced(told)} {_number(number.total)}"
        yield f"{name}_count{_braced(told)} {number.count}"


def _braced(labels: list[str]) -> str:
    return "{" + ",".join(labels) + "}" if labels else ""


def _label(value: str) -> str:
    return value.translate(_ESCAPED)


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(float(value)) if isinstance(value, float) else str(int(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.lower().startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
