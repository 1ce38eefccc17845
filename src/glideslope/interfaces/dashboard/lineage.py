"""From what a version was made, and what became of it: a graph in fixed columns, drawn here, with a table that says the same.

Ranks are given by what a thing is, so the layout needs no solver: a column for each kind, rows by the mean of what leads there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final
from urllib.parse import quote, urlencode

from markupsafe import Markup
from msgspec import UnsetType

from glideslope.engine.governing_views import IncidentView
from glideslope.engine.version_record import AttemptView, VersionRecordView

COLUMNS: Final = ("data", "features", "code", "training", "version", "plan", "rollout", "decision", "incident")
MOST: Final = 12
"""Nodes of one column that are drawn; the table has all."""
_WIDTH, _GAP, _HEIGHT, _ROW, _HEAD = 128, 30, 40, 54, 24
_CHARACTERS: Final = 17


@dataclass(frozen=True, slots=True)
class Node:
    """One thing: of which kind, its name, what else there is to say, where it leads. `said` is false where nothing is recorded."""

    id: str
    column: str
    name: str
    about: str = ""
    href: str = ""
    said: bool = True


@dataclass(frozen=True, slots=True)
class Lineage:
    """All nodes, those of a column in the order in which they are drawn, and what leads where, by ids."""

    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]

    def column(self, name: str) -> tuple[Node, ...]:
        """Return the nodes of one kind."""
        return tuple(node for node in self.nodes if node.column == name)

    def into(self, node: Node) -> tuple[Node, ...]:
        """Return what leads to a node."""
        before = {start for start, end in self.edges if end == node.id}
        return tuple(each for each in self.nodes if each.id in before)


@dataclass(slots=True)
class _Drawing:
    nodes: list[Node] = field(default_factory=list)
    edges: list[tuple[str, str]] = field(default_factory=list)

    def add(self, node: Node, *after: str) -> str:
        if all(each.id != node.id for each in self.nodes):
            self.nodes.append(node)
        self.edges += [(start, node.id) for start in after if (start, node.id) not in self.edges]
        return node.id


def lineage(known: VersionRecordView, incidents: Mapping[str, IncidentView]) -> Lineage:
    """Return what led to a version and what it led to, as the record says it. `incidents` are by their rollouts."""
    drawing = _Drawing()
    made = _made(known, drawing)
    version = drawing.add(
        Node(
            "version",
            "version",
            f"{known.model} {known.version}",
            f"{known.digest.removeprefix('sha256:')[:12]}, registered by {known.registered.by}",
            f"/models/{quote(known.model)}/versions/{quote(known.version)}",
        ),
        *made,
    )
    for attempt in known.attempts:
        _attempted(attempt, incidents.get(attempt.rollout), drawing, after=version)
    return _ordered(Lineage(tuple(drawing.nodes), tuple(drawing.edges)))


def _made(known: VersionRecordView, drawing: _Drawing) -> Sequence[str]:
    view = known.facts
    if view is None:
        unsaid = "glideslope facts record says how it was made"
        nodes = [Node(f"{name}-unsaid", name, "not recorded", unsaid, said=False) for name in ("data", "code")]
        run = Node("run", "training", "not recorded", unsaid, said=False)
        return [drawing.add(run, *(drawing.add(node) for node in nodes))]
    facts, entry = view.facts, f"/ledger/{view.entry}"
    datasets = () if isinstance(facts.datasets, UnsetType) else facts.datasets
    data = [
        drawing.add(
            Node(
                f"data-{each.name}-{each.use.value}",
                "data",
                each.name,
                f"for {each.use.value}{'' if isinstance(each.version, UnsetType) else f', version {each.version}'}",
                f"/ledger?{urlencode({'q': f'dataset:{each.name}'})}",
            )
        )
        for each in datasets
    ] or [drawing.add(Node("data-unsaid", "data", "not said", "the facts name no dataset", entry, said=False))]
    pipelines = () if isinstance(facts.pipelines, UnsetType) else facts.pipelines
    features = [
        drawing.add(
            Node(
                f"pipeline-{each.name}",
                "features",
                each.name,
                "computes its features" + ("" if isinstance(each.version, UnsetType) else f", version {each.version}"),
                entry,
            ),
            *data,
        )
        for each in pipelines
    ]
    if not isinstance(facts.contract, UnsetType):
        asked = f"/ledger?{urlencode({'q': f'stream:model.{known.model} kind:contract-agreed'})}"
        features.append(
            drawing.add(Node("contract", "features", f"contract {facts.contract}", "its input", asked), *data)
        )
    if isinstance(facts.code, UnsetType):
        code = drawing.add(Node("code-unsaid", "code", "not said", "the facts name no code", entry, said=False))
    else:
        clean = {True: ", nothing else in the tree", False: ", with changes that are in no commit"}
        about = clean.get(facts.code.clean, "") if isinstance(facts.code.clean, bool) else ""
        code = drawing.add(Node("code", "code", facts.code.revision[:12], f"{facts.code.revision}{about}", entry))
    seed = "" if isinstance(facts.seed, UnsetType) else f"seed {facts.seed}"
    trained = _trained_by(known)
    run = Node(
        "run", "training", f"run {facts.short}", ", ".join(filter(None, (trained, seed))) or "as recorded", entry
    )
    return [drawing.add(run, *(features or data), code)]


def _trained_by(known: VersionRecordView) -> str:
    makers = None if known.facts is None else known.facts.facts.makers
    if makers is None or isinstance(makers, UnsetType) or isinstance(makers.trained_by, UnsetType):
        return ""
    return f"trained by {', '.join(makers.trained_by)}"


def _attempted(attempt: AttemptView, incident: IncidentView | None, drawing: _Drawing, *, after: str) -> None:
    name, plan = attempt.rollout, attempt.plan
    planned = drawing.add(
        Node(
            f"plan-{name}",
            "plan",
            f"{len(plan.steps)} steps",
            f"proposed by {attempt.proposed.by} against {plan.incumbent}",
            f"/ledger/{attempt.proposed.entry}",
        ),
        after,
    )
    shown = Node(f"rollout-{name}", "rollout", name, attempt.phase.replace("-", " "), f"/rollouts/{name}")
    rollout = drawing.add(shown, planned)
    if attempt.last is None:
        return
    last = attempt.last
    decided = Node(
        f"decision-{name}",
        "decision",
        last.what.partition(".")[0],
        f"entry {last.entry}",
        f"/rollouts/{name}?as_of={last.entry}",
    )
    decision = drawing.add(decided, rollout)
    if incident is not None:
        state = "closed" if incident.closed_by else "open"
        href = f"/incidents/{name}"
        drawing.add(
            Node(f"incident-{name}", "incident", f"incident, {state}", "; ".join(incident.sentences), href), decision
        )


def _ordered(found: Lineage) -> Lineage:
    """Put each column in the order of the mean place of what leads there, so that few lines cross."""
    places: dict[str, int] = {}
    nodes: list[Node] = []
    for name in COLUMNS:
        column = sorted(found.column(name), key=partial(_place, found, places))
        places |= {node.id: place for place, node in enumerate(column)}
        nodes += column
    return replace(found, nodes=tuple(nodes))


def _place(found: Lineage, places: Mapping[str, int], node: Node) -> float:
    before = [places[each.id] for each in found.into(node) if each.id in places]
    return sum(before) / len(before) if before else 0.0


def drawn(found: Lineage) -> Markup:
    """Draw it as SVG: a column for each kind that has anything, a link and a title for each node."""
    columns = [name for name in COLUMNS if found.column(name)]
    # Code stands below the data, since what comes from the data passes its column.
    above = max(min(MOST, len(found.column(name))) for name in ("data", "features"))
    most = max(min(MOST, len(found.column(name))) + (above if name == "code" else 0) for name in columns)
    height = _HEAD + most * _ROW
    at: dict[str, tuple[int, float]] = {}
    for x, name in enumerate(columns):
        shown = found.column(name)[:MOST]
        top = _HEAD + (above * _ROW if name == "code" else (most - len(shown)) * _ROW / 2)
        at |= {node.id: (1 + x * (_WIDTH + _GAP), top + row * _ROW) for row, node in enumerate(shown)}
    width = len(columns) * (_WIDTH + _GAP) - _GAP + 2
    parts = [
        *(
            Markup('<text class="tick" x="{}" y="14">{}{}</text>').format(
                1 + x * (_WIDTH + _GAP), name, _more(len(found.column(name)))
            )
            for x, name in enumerate(columns)
        ),
        *(_line(at[start], at[end]) for start, end in found.edges if start in at and end in at),
        *(_box(node, at[node.id]) for node in found.nodes if node.id in at),
    ]
    return Markup(
        '<svg class="chart lineage" viewBox="0 0 {} {}" width="{}" height="{}" role="group" '
        'aria-label="Lineage; the table below says the same">{}</svg>'
    ).format(width, height, width, height, Markup("").join(parts))


def _more(count: int) -> str:
    return f", {MOST} of {count}" if count > MOST else ""


def _line(start: tuple[int, float], end: tuple[int, float]) -> Markup:
    x, y = start[0] + _WIDTH, start[1] + _HEIGHT / 2
    to, down = end[0], end[1] + _HEIGHT / 2
    middle = (x + to) / 2
    return Markup('<path class="edge" d="M{:g} {:g}C{:g} {:g} {:g} {:g} {:g} {:g}"/>').format(
        x, y, middle, y, middle, down, to, down
    )


def _box(node: Node, at: tuple[int, float]) -> Markup:
    x, y = at
    inner = Markup(
        '<title>{}: {}{}</title><rect class="{}" x="{:g}" y="{:g}" width="{}" height="{}" rx="5"/>'
        '<text x="{:g}" y="{:g}">{}</text><text class="tick" x="{:g}" y="{:g}">{}</text>'
    ).format(
        node.column, node.name, f", {node.about}" if node.about else "",
        "node" if node.said else "node unsaid", x, y, _WIDTH, _HEIGHT,
        x + 8, y + 17, _cut(node.name), x + 8, y + 32, _cut(node.about),
    )  # fmt: skip
    return Markup('<a href="{}">{}</a>').format(node.href, inner) if node.href else Markup("<g>{}</g>").format(inner)


def _cut(text: str) -> str:
    return text if len(text) <= _CHARACTERS else f"{text[: _CHARACTERS - 1]}…"


def told(found: Lineage) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """Yield each node with what leads to it, for the table."""
    for node in found.nodes:
        yield node, found.into(node)
