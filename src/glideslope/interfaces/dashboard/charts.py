"""Charts as SVG, drawn here: they need no script, print as they look, and each has a table beside it that says the same.

Colours and strokes are classes of the style sheet, so a chart follows the theme. Lengths are in the units of its view box.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup

from glideslope.domain.plan import Plan
from glideslope.domain.traffic import FULL
from glideslope.engine.baselines import UsualView
from glideslope.engine.courses import CourseView, LookView
from glideslope.engine.live import LiveSeries, LiveSlice
from glideslope.engine.views import GuardrailView

WIDTH = 320
TALL = 150
"""From this height on, what the lines are is written at them."""


@dataclass(frozen=True, slots=True)
class _Scale:
    """Maps values onto an axis from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return round(self.start + min(1.0, max(0.0, part)) * (self.end - self.start), 1)


def interval(view: GuardrailView) -> Markup:
    """Draw the interval of one comparison against its margin; an open side runs to the edge."""
    none = 1.0 if view.kind == "ratio" else 0.0
    scale = _axis([view.low, view.estimate, view.high, view.margin, none], start=8, end=WIDTH - 8)
    margin, zero = scale.at(view.margin), scale.at(none)
    worse_right = view.margin >= none
    shade = (margin, WIDTH - margin) if worse_right else (0, margin)
    parts = [
        Markup('<rect class="beyond" x="{}" y="0" width="{}" height="34"/>').format(shade[0], round(shade[1], 1)),
        Markup('<line class="null" x1="{0}" x2="{0}" y1="2" y2="34"/>').format(zero),
        Markup('<line class="margin" x1="{0}" x2="{0}" y1="0" y2="34"/>').format(margin),
    ]
    if view.low is not None or view.high is not None:
        low = 0.0 if view.low is None else scale.at(view.low)
        high = float(WIDTH) if view.high is None else scale.at(view.high)
        band = Markup('<rect class="band" x="{}" y="11" width="{}" height="12" rx="2"/>')
        parts.append(band.format(low, max(1.0, round(high - low, 1))))
    if view.estimate is not None:
        parts.append(
            Markup('<line class="estimate" x1="{0}" x2="{0}" y1="7" y2="27"/>').format(scale.at(view.estimate))
        )
    return _svg(
        parts, height=34, label=f"{view.metric} on {view.slice}: the interval against its margin", kind="interval"
    )


def looks(
    found: Sequence[LookView], now: GuardrailView, *, until: str, width: float = WIDTH, height: float = 76
) -> Markup:
    """Draw the interval of a guardrail at each decision, and at the instant `until`; nothing for fewer than two moments."""
    mine = [look for look in found if look.kind == now.kind]
    seen = [(look.at, f"entry {look.entry}", look.low, look.estimate, look.high) for look in mine]
    seen.append((until, "now", now.low, now.estimate, now.high))
    rows = [
        (at, when, low, middle, high)
        for at, when, low, middle, high in seen
        if middle is not None and (low is not None or high is not None)
    ]
    if len(rows) < 2:
        return Markup("")
    none = 1.0 if now.kind == "ratio" else 0.0
    # An early interval may be a hundred times as wide as the last: what is beyond the frame runs out of it.
    late = rows[len(rows) // 2 :]
    values = [value for _, _, low, middle, high in late for value in (low, middle, high)]
    scale = _axis([*values, now.margin, none], start=height - 4, end=4)
    upper, lower, line, dots = [], [], [], []
    for x, (_, when, low, middle, high) in zip(_times([row[0] for row in rows], width), rows, strict=True):
        y = scale.at(middle)
        upper.append((x, 0.0 if high is None else scale.at(high)))
        lower.append((x, height if low is None else scale.at(low)))
        line.append((x, y))
        told = f"{when}: {middle:.3g} [{_end(low)}, {_end(high)}]"
        dots.append(Markup('<circle class="look" cx="{}" cy="{}" r="4"><title>{}</title></circle>').format(x, y, told))
    across = Markup('<line class="{}" x1="0" x2="{}" y1="{}" y2="{}"/>')
    parts = [
        Markup('<polygon class="band" points="{}"/>').format(_points([*upper, *reversed(lower)])),
        across.format("null", width, scale.at(none), scale.at(none)),
        across.format("margin", width, scale.at(now.margin), scale.at(now.margin)),
        Markup('<polyline class="estimate" points="{}"/>').format(_points(line)),
        *dots,
    ]
    if height >= TALL:
        parts += [
            Markup('<text class="tick" x="10" y="{}">{}</text>').format(round(scale.at(value) - 5, 1), text)
            for value, text in ((none, "no difference"), (now.margin, "margin"))
        ]
        lasted = _seconds(until) - _seconds(rows[0][0])
        parts.append(
            Markup('<text class="tick end" x="{}" y="{}">{}</text>').format(width - 10, height - 6, _elapsed(lasted))
        )
    label = f"{now.metric}: its interval at each of {len(rows)} looks, the last is now"
    return _svg(parts, height=height, width=width, label=label, kind="looks")


def arms(found: Sequence[LookView], now: GuardrailView, *, until: str, width: float = WIDTH) -> Markup:
    """Draw what each arm showed by itself at each decision, and at `until`; nothing where it was never seen of both."""
    mine = [look for look in found if look.kind == now.kind]
    seen = [(look.at, f"entry {look.entry}", look.candidate, look.incumbent) for look in mine]
    seen.append((until, "now", now.candidate, now.incumbent))
    rows = [(at, when, a, b) for at, when, a, b in seen if a is not None and b is not None]
    if len(rows) < 2:
        return Markup("")
    scale = _axis([value for _, _, a, b in rows for value in (a, b)], start=52, end=6)
    xs = _times([row[0] for row in rows], width)
    dots = [
        Markup(
            '<circle class="look" cx="{}" cy="{}" r="4"><title>{}: candidate {:.3g}, incumbent {:.3g}</title></circle>'
        ).format(x, scale.at(a), when, a, b)
        for x, (_, when, a, b) in zip(xs, rows, strict=True)
    ]
    parts = [
        Markup('<polyline class="incumbent" points="{}"/>').format(
            _points([(x, scale.at(b)) for x, (*_, b) in zip(xs, rows, strict=True)])
        ),
        Markup('<polyline class="estimate" points="{}"/>').format(
            _points([(x, scale.at(a)) for x, (_, _, a, _) in zip(xs, rows, strict=True)])
        ),
        *dots,
    ]
    label = f"{now.metric}: each arm by itself at {len(rows)} looks, the last is now"
    return _svg(parts, height=58, width=width, label=label, kind="looks")


def _times(instants: Sequence[str], width: float) -> list[float]:
    """Return the places of instants along a chart, each at its time."""
    seconds = [_seconds(each) for each in instants]
    scale = _Scale(seconds[0], max(seconds), 8, width - 8)
    return [scale.at(each) for each in seconds]


def _end(value: float | None) -> str:
    return "open" if value is None else f"{value:.3g}"


def evidence(wealth: float, line: float, *, tone: str) -> Markup:
    """Draw how far evidence is on its way to its line."""
    part = max(0.0, min(1.0, wealth / line)) if line > 0 and math.isfinite(wealth) else 0.0
    parts = [
        Markup('<rect class="ground" x="0" y="0" width="100" height="6" rx="3"/>'),
        Markup('<rect class="{}" x="0" y="0" width="{}" height="6" rx="3"/>').format(tone, round(100 * part, 1)),
    ]
    return Markup(
        '<svg class="evidence" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    ).format(Markup("").join(parts))


def percent_of_line(wealth: float, line: float) -> str:
    """Say the same in words: 64 % of what a verdict needs."""
    if line <= 0 or not math.isfinite(wealth):
        return "–"
    return f"{max(0, round(100 * min(1.0, wealth / line)))} %"


def exposure(plan: Plan, course: CourseView) -> Markup:
    """Draw the planned share (were each step as short as it may be) and the actual one, from the first exposure on."""
    exposed = course.exposed
    if not exposed:
        return Markup("")
    start = _seconds(next((each.at for each in exposed if each.step), exposed[0].at))
    end = max(_seconds(course.until), _seconds(exposed[-1].at), start + 1)
    planned, reached = [(0.0, 0)], 0.0
    for step in plan.steps:
        planned.append((reached, step.candidate))
        reached += step.minimum / 1000
    planned.append((reached, plan.steps[-1].candidate))
    actual = [(max(0.0, _seconds(each.at) - start), each.share) for each in exposed]
    actual.append((end - start, actual[-1][1]))
    width = 640
    across = _Scale(0.0, max(reached, end - start), 44, width - 8)
    up = _Scale(0.0, float(FULL), 128, 10)
    grid = [
        Markup(
            '<line class="grid" x1="44" x2="{0}" y1="{1}" y2="{1}"/><text x="38" y="{2}" class="tick end">{3} %</text>'
        ).format(width - 8, up.at(level), up.at(level) + 4, level // 100)
        for level in (0, 5_000, 10_000)
    ]
    marks = [
        Markup('<text x="44" y="146" class="tick">start</text>'),
        Markup('<text x="{}" y="146" class="tick end">{}</text>').format(width - 8, _elapsed(across.high)),
    ]
    parts = [
        *grid,
        Markup('<polyline class="planned" points="{}"/>').format(_points(_stairs(planned, across, up))),
        Markup('<polyline class="actual" points="{}"/>').format(_points(_stairs(actual, across, up))),
        *marks,
    ]
    return _svg(
        parts, height=152, width=width, label="Candidate's share over time: planned and actual", kind="exposure"
    )


def day(view: UsualView) -> Markup:
    """Draw a series over its hours, over the band of the same hours in earlier weeks; flagged hours carry a mark."""
    values = [value for hour in view.hours for value in (hour.seen, hour.low, hour.high)]
    if sum(hour.seen is not None for hour in view.hours) < 2:
        return Markup("")
    up = _axis([*values, 0.0], start=72, end=4)
    step = (WIDTH - 16) / max(1, len(view.hours) - 1)
    xs = [round(8 + k * step, 1) for k in range(len(view.hours))]
    known = [
        (x, up.at(hour.low), up.at(hour.high), up.at(hour.usual))
        for x, hour in zip(xs, view.hours, strict=True)
        if hour.low is not None and hour.high is not None and hour.usual is not None
    ]
    seen = [(x, up.at(hour.seen), hour) for x, hour in zip(xs, view.hours, strict=True) if hour.seen is not None]
    band = [*((x, high) for x, _, high, _ in known), *((x, low) for x, low, _, _ in reversed(known))]
    parts = [
        Markup('<polygon class="usual" points="{}"/>').format(_points(band)),
        Markup('<polyline class="planned" points="{}"/>').format(_points([(x, middle) for x, _, _, middle in known])),
        Markup('<polyline class="actual" points="{}"/>').format(_points([(x, y) for x, y, _ in seen])),
        *(
            Markup('<circle class="{}" cx="{}" cy="{}" r="4"><title>{} UTC: {:.4g}{}</title></circle>').format(
                "flag" if hour.flagged else "look", x, y, hour.at[11:16], hour.seen, ", flagged" if hour.flagged else ""
            )
            for x, y, hour in seen
        ),
    ]
    label = f"{view.series}: its last {len(view.hours)} hours against the same hours of earlier weeks"
    return _svg(parts, height=76, label=label, kind="looks")


def minutes(series: LiveSeries) -> Markup:
    """Draw both arms over the last minutes, over the band of the same hour in earlier weeks; the last point of each has its own mark."""
    height = 92
    values = [*(value for arm in series.arms for value in arm.points), series.low, series.high]
    if sum(value is not None for arm in series.arms for value in arm.points) < 2:
        return Markup("")
    up = _axis([*values, *([] if series.unit == "mean" else [0.0])], start=height - 4, end=14)
    count = max(len(arm.points) for arm in series.arms)
    xs = [round(8 + k * (WIDTH - 16) / max(1, count - 1), 1) for k in range(count)]
    parts = []
    if series.low is not None and series.high is not None and series.usual is not None:
        top, bottom = up.at(series.high), up.at(series.low)
        band = Markup('<rect class="usual" x="0" width="{}" y="{}" height="{}"/>')
        parts.append(band.format(WIDTH, top, max(1.0, round(bottom - top, 1))))
        middle = Markup('<line class="planned" x1="0" x2="{0}" y1="{1}" y2="{1}"/>')
        parts.append(middle.format(WIDTH, up.at(series.usual)))
    for arm in sorted(series.arms, key=lambda arm: arm.arm, reverse=True):  # the candidate above
        known = [(x, up.at(value)) if value is not None else None for x, value in zip(xs, arm.points, strict=True)]
        parts += [
            Markup('<polyline class="of-{}" points="{}"/>').format(arm.arm, _points(run))
            for run in _runs(known)
            if len(run) > 1
        ]
        parts += [_mark(arm.arm, run[-1]) for run in _runs(known)[-1:]]
    ends = [value for value in (*values, *([] if series.unit == "mean" else [0.0])) if value is not None]
    for value in sorted({max(ends), min(ends)}):
        y = min(height - 6, max(11, up.at(value) + 4))
        parts.append(Markup('<text class="tick" x="4" y="{}">{:.3g}</text>').format(y, value * _SHOWN[series.unit]))
    return _svg(parts, height=height, label=f"{series.name}: both arms over the last minutes", kind="looks")


_SHOWN: Final = {"share": 100.0, "a second": 1.0, "ms": 1.0, "mean": 1.0}
"""By what a value is multiplied to be written: a share is written in per cent."""


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """Return stretches without a gap: a line over what nobody saw would say that somebody did."""
    found: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            found.append([])
        else:
            found[-1].append(point)
    return [run for run in found if run]


def _mark(arm: str, at: tuple[float, float]) -> Markup:
    """Mark a place: a circle for the candidate, a square for the incumbent, so that they can be told apart without colour."""
    x, y = at
    if arm == "candidate":
        return Markup('<circle class="mark-candidate" cx="{}" cy="{}" r="4"/>').format(x, y)
    return Markup('<rect class="mark-incumbent" x="{}" y="{}" width="7" height="7"/>').format(
        round(x - 3.5, 1), round(y - 3.5, 1)
    )


def side_by_side(each: LiveSlice, among: Sequence[LiveSlice]) -> Markup:
    """Draw both arms of a slice on one line; rows of one metric share their scale."""
    values = [arm.value for other in among for arm in other.arms]
    if not any(arm.value is not None for arm in each.arms):
        return Markup("")
    scale = _axis(values, start=8, end=192)
    found = [(arm.arm, scale.at(arm.value)) for arm in each.arms if arm.value is not None]
    parts = [Markup('<line class="grid" x1="0" x2="200" y1="9" y2="9"/>')]
    if len(found) == 2:
        low, high = sorted(x for _, x in found)
        parts.append(Markup('<line class="whisker" x1="{}" x2="{}" y1="9" y2="9"/>').format(low, high))
    parts += [_mark(arm, (x, 9.0)) for arm, x in sorted(found, reverse=True)]
    return _svg(parts, height=18, width=200, label="", kind="forest")


def forest(view: GuardrailView, among: Sequence[GuardrailView]) -> Markup:
    """Draw one row of a forest plot; rows of one metric share their scale."""
    none = 1.0 if view.kind == "ratio" else 0.0
    mine = [each for each in among if each.metric == view.metric and each.kind == view.kind]
    values = [value for each in mine for value in (each.low, each.estimate, each.high)]
    scale = _axis([*values, view.margin, none], start=4, end=196)
    parts = [
        Markup('<line class="null" x1="{0}" x2="{0}" y1="0" y2="18"/>').format(scale.at(none)),
        Markup('<line class="margin" x1="{0}" x2="{0}" y1="0" y2="18"/>').format(scale.at(view.margin)),
    ]
    if view.estimate is not None:
        low = 0.0 if view.low is None else scale.at(view.low)
        high = 200.0 if view.high is None else scale.at(view.high)
        parts += [
            Markup('<line class="whisker" x1="{}" x2="{}" y1="9" y2="9"/>').format(low, high),
            Markup('<rect class="box" x="{}" y="5" width="8" height="8"/>').format(
                round(scale.at(view.estimate) - 4, 1)
            ),
        ]
    return _svg(parts, height=18, width=200, label="", kind="forest")


def _axis(values: Sequence[float | None], *, start: float, end: float) -> _Scale:
    known = [value for value in values if value is not None and math.isfinite(value)]
    low, high = min(known), max(known)
    room = (high - low) * 0.15 or abs(high) * 0.5 or 1.0
    return _Scale(low - room, high + room, start, end)


def _stairs(points: Sequence[tuple[float, int]], across: _Scale, up: _Scale) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for x, y in points:
        if found:
            found.append((across.at(x), found[-1][1]))
        found.append((across.at(x), up.at(y)))
    return found


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _seconds(instant: str) -> float:
    return datetime.fromisoformat(instant).timestamp()


def _elapsed(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"+{seconds / size:.3g} {unit}"
    return f"+{seconds:.0f} s"


def _svg(parts: Sequence[Markup], *, height: float, label: str, kind: str, width: float = WIDTH) -> Markup:
    told = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="chart {}" viewBox="0 0 {} {}" {}>{}</svg>').format(
        kind, width, height, told, Markup("").join(parts)
    )
