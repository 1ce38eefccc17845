"""Draw power and exposure of the shipped test of harm, before and now, for docs/explanation/closer-to-the-limit.md.

Run with ``python benchmarks/curves.py``. Computed without chance by `limit.course`; written as SVG that is readable on light and dark.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log
from pathlib import Path

import numpy as np

import limit
from glideslope.stats.label import EventHarmBeyond
from glideslope.stats.planning import information

WEIGHTS = (1, 4)
BASE = 0.01
ALPHA = 0.01
FOLDER = Path(__file__).parent.parent / "docs" / "explanation"
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 52

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-weight: 600 } .grid { stroke: #8884 } .axis { stroke: #777 }
.line { fill: none; stroke-width: 2 } .c0 { stroke: #b45309; fill: #b45309 } .c1 { stroke: #1d4ed8; fill: #1d4ed8 }
.c2 { stroke: #555; fill: #555; stroke-dasharray: 5 4 } text.c0, text.c1, text.c2 { stroke: none }
@media (prefers-color-scheme: dark) { text { fill: #ddd } .c0 { stroke: #fbbf24; fill: #fbbf24 } .c1 { stroke: #93c5fd; fill: #93c5fd }
.c2 { stroke: #bbb; fill: #bbb } }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve with its name."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis with its ticks, from the first to the last of them."""

    name: str
    ticks: Sequence[float]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Return where a value is between the ends, 0 to 1."""
        low, high = self.ticks[0], self.ticks[-1]
        if self.logarithmic:
            return log(value / low) / log(high / low)
        return (value - low) / (high - low)


def drawing(title: str, *, x: Axis, y: Axis, lines: Sequence[Line]) -> str:
    """Return an SVG of curves."""

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = LEFT + x.place(point[0]) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - y.place(point[1]) * (HEIGHT - TOP - BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title><style>{STYLE}</style>",
        f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>',
    ]
    for tick in x.ticks:
        a, _ = at((tick, y.ticks[0]))
        parts.append(f'<line class="grid" x1="{a:.1f}" x2="{a:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>')
        parts.append(f'<text x="{a:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,g}</text>')
    for tick in y.ticks:
        _, b = at((x.ticks[0], tick))
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{b:.1f}" y2="{b:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{b + 4:.1f}" text-anchor="end">{tick:,g}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 12}" text-anchor="end">{escape(x.name)}</text>')
    parts.append(f'<text x="{LEFT}" y="{TOP - 6}">{escape(y.name)}</text>')
    for number, line in enumerate(lines):
        inside = [at(p) for p in line.points if x.ticks[0] <= p[0] <= x.ticks[-1] and y.ticks[0] <= p[1] <= y.ticks[-1]]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in inside)
        parts.append(f'<polyline class="line c{number}" points="{path}" style="fill:none"/>')
        parts.append(
            f'<text class="c{number}" x="{WIDTH - RIGHT - 8}" y="{HEIGHT - BOTTOM - 12 - 18 * number}" text-anchor="end">'
            f"{escape(line.name)}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"


def before(rate: float, *, most: int) -> limit.Course:
    """Return the course of the bets of plans without stakes, on bad outcomes alone."""
    pi = WEIGHTS[0] / sum(WEIGHTS)
    chance = pi * rate / (pi * rate + (1 - pi) * BASE)
    rows = limit.rows_of(EventHarmBeyond(0.0), WEIGHTS)
    return limit.course(rows, None, chance=chance, alpha=ALPHA, most=most)


def now(rate: float, *, most: int) -> limit.Course:
    return limit.now_course(WEIGHTS, base=BASE, rate=rate, alpha=ALPHA, most=most)


def per_bad(rate: float) -> float:
    """Return for how many candidate subjects a bad outcome of either arm stands, on average."""
    pi = WEIGHTS[0] / sum(WEIGHTS)
    return pi / (pi * rate + (1 - pi) * BASE)


def power() -> str:
    lines = []
    rate = 2 * BASE
    for name, found in (("before", before(rate, most=400)), ("with credit", now(rate, most=400))):
        n = np.arange(1, len(found.crossed) + 1)
        reached = np.cumsum(found.crossed)
        lines.append(Line(name, [(float(a * per_bad(rate)), float(b)) for a, b in zip(n, reached, strict=True)]))
    limit_at = log(1 / ALPHA) / information(BASE, candidate_rate=rate, pi=WEIGHTS[0] / sum(WEIGHTS))
    lines.append(Line("the limit of the mean", [(limit_at, 0.0), (limit_at, 1.0)]))
    return drawing(
        "Chance to have found a doubled error rate (1 % to 2 %, alpha 0.01, coin 1 : 4)",
        x=Axis("candidate subjects", (0, 1000, 2000, 3000, 4000, 5000)),
        y=Axis("chance", (0, 0.25, 0.5, 0.75, 1)),
        lines=lines,
    )


def exposure() -> str:
    ratios = (1.2, 1.35, 1.6, 2.0, 2.7, 4.0, 6.5, 11.0, 20.0)
    found: dict[str, list[tuple[float, float]]] = {"before": [], "with credit": [], "the limit": []}
    for ratio in ratios:
        rate = ratio * BASE
        most = 12_000 if ratio < 1.5 else 3_000
        nats = information(BASE, candidate_rate=rate, pi=WEIGHTS[0] / sum(WEIGHTS))
        found["before"].append((ratio, before(rate, most=most).mean * per_bad(rate)))
        found["with credit"].append((ratio, now(rate, most=most).mean * per_bad(rate)))
        found["the limit"].append((ratio, log(1 / ALPHA) / nats))
    return drawing(
        "Candidate subjects exposed before harm is found, on average (1 % base, alpha 0.01, coin 1 : 4)",
        x=Axis("times as many errors", (1, 2, 5, 10, 20), logarithmic=True),
        y=Axis("candidate subjects", (10, 100, 1_000, 10_000, 100_000), logarithmic=True),
        lines=[Line(name, points) for name, points in found.items()],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="as ever: nothing here is left to chance")
    parser.add_argument("--json", action="store_true", help="say where the drawings are, for machines")
    options = parser.parse_args()
    written = []
    for name, draw in (("power", power), ("exposure", exposure)):
        path = FOLDER / f"closer-to-the-limit-{name}.svg"
        path.write_text(draw(), encoding="utf-8")
        written.append(str(path))
    print(json.dumps({"written": written}) if options.json else "\n".join(written))


if __name__ == "__main__":
    main()
