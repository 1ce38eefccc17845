"""The documents about a version: model card, evaluation report, rollback plan, failure modes. Each figure names its ledger entry."""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final

from msgspec import UNSET, UnsetType

from glideslope.domain.errors import NotFound
from glideslope.domain.events import rfc3339
from glideslope.domain.governing.card import missing, untested
from glideslope.domain.governing.facts import Dataset, Facts, Measured
from glideslope.domain.plan import Evaluation
from glideslope.engine.facts import FactsView
from glideslope.engine.version_record import AttemptView, VersionRecordView
from glideslope.interfaces.document.paper import Block, Entry, Items, Lacks, Paper, Section, Table, Text

_CLEAN: Final[Mapping[bool | UnsetType, str]] = {
    True: ", clean",
    False: ", with changes that are in no commit",
    UNSET: "",
}


def card(known: VersionRecordView, *, people: str = "", file: str = "") -> Paper:
    """Return the model card; `people` is what they wrote beside the facts, in a Markdown file of that name."""
    view = known.facts
    sections: list[Section] = []
    if view is None:
        sections.append(
            Section("Complete?", [Lacks([f"facts about {known.model} {known.version}: none are recorded"])])
        )
    else:
        lacks = missing(view.facts)
        sections.append(
            Section("Complete?", [Lacks(lacks)] if lacks else [Text("It lacks nothing that a card must say.")])
        )
        sections += _of_facts(view)
    sections.append(Section("Measured offline", [*_measured(known)]))
    sections.append(Section("Measured on live traffic", [*_live(known.attempts)]))
    if view is not None:
        sections.append(Section("Failure modes", [*_failures(view)]))
    if people:
        sections += _of_people(people, file)
    return _paper(f"{known.model} {known.version}", "Model card", known, sections)


def evaluation(known: VersionRecordView) -> Paper:
    """Return the evaluation report: what was measured offline, of which bytes, and what live traffic showed."""
    sections = [
        Section("Measured offline", [*_measured(known)]),
        Section("Differences between groups", [*_gaps(known.facts)]),
        Section("Measured on live traffic", [*_live(known.attempts)]),
    ]
    return _paper(f"Evaluation of {known.model} {known.version}", "Evaluation report", known, sections)


def failure_modes(known: VersionRecordView) -> Paper:
    """Return the failure modes, each with its test. Raises NotFound where no facts are recorded."""
    view = _facts_of(known)
    blocks = [*_failures(view)]
    return _paper(
        f"Failure modes of {known.model} {known.version}", "Failure modes", known, [Section("Failure modes", blocks)]
    )


def rollback_plan(known: VersionRecordView, *, incumbent_record: VersionRecordView | None = None) -> Paper:
    """Return how its newest rollout goes back, and how fast earlier ones did. Raises NotFound before it was proposed."""
    if not known.attempts:
        raise NotFound(
            what="rollout of", name=f"{known.model} {known.version}", next_command="glideslope apply glideslope.yaml"
        )
    attempt = known.attempts[-1]
    plan, entry = attempt.plan, attempt.proposed.entry
    target = [
        Text(f"Everybody returns to {plan.incumbent}, whose content is {plan.incumbent_digest}.", entry),
        Text(
            "No step is needed for it: the incumbent serves all along, and what the candidate is given is a lease. A lease that is not "
            "renewed ends by itself, also when the control plane is dead."
        ),
    ]
    if incumbent_record is not None and incumbent_record.installed:
        last = incumbent_record.installed[-1]
        target.append(Text(f"{plan.incumbent} was installed by {last.by} at {last.at}.", last.entry))
    by_machine = [
        Text(f"Harm on {g.metric.name}: evidence beyond the line of its guardrail returns everybody.", entry)
        for g in plan.guardrails
    ]
    by_machine.append(Text(f"A false alarm over the whole rollout has a chance of at most {plan.alpha:g}.", entry))
    by_people = [
        Text(f"glideslope rollback {attempt.rollout} -m WHY: at once and for good."),
        Text(f"glideslope halt {attempt.rollout} -m WHY: nobody is exposed until somebody resumes."),
    ]
    times = [
        (
            (each.rollout, each.phase, "-" if each.returned_in_ms is None else f"{each.returned_in_ms:.0f} ms"),
            each.last.entry,
        )
        for each in known.attempts
        if each.last is not None
    ]
    shown: list[Block] = (
        [Table(("rollout", "phase", "until the data plane confirmed"), times)]
        if times
        else [Lacks(["no rollout of it was ever returned, so no time was measured; drill it"])]
    )
    return _paper(
        f"Rollback of {known.model} {known.version}",
        f"Rollback plan of {attempt.rollout}",
        known,
        [
            Section("To what", target),
            Section("By the machine", [Items(by_machine)]),
            Section("By people", [Items(by_people)]),
            Section("How long it took", shown),
        ],
    )


def _paper(title: str, kind: str, known: VersionRecordView, sections: Sequence[Section]) -> Paper:
    records = [known.registered, *known.installed]
    for attempt in known.attempts:
        records += [attempt.proposed, *([attempt.last] if attempt.last else [])]
    entries = [Entry(entry=e.entry, at=e.at, by=e.by, what=e.what) for e in records]
    if known.facts is not None:
        view = known.facts
        entries.append(Entry(entry=view.entry, at=view.at, by=view.by, what=f"facts {view.facts.short}: {view.why}"))
    return Paper(title=title, subtitle=f"{kind}. Content {known.digest}.", sections=sections, records=entries)


def _facts_of(known: VersionRecordView) -> FactsView:
    if known.facts is None:
        raise NotFound(
            what="facts about",
            name=f"{known.model} {known.version}",
            next_command=f"glideslope facts record {known.model} {known.version} -f facts.yaml -m WHY",
        )
    return known.facts


def _of_facts(view: FactsView) -> Iterator[Section]:
    facts, entry = view.facts, view.entry
    use: list[Block] = []
    if not isinstance(facts.intended_use, UnsetType):
        use.append(Text(facts.intended_use, entry))
    if outside := _listed(facts.out_of_scope):
        use += [Text("Not for:"), Items([Text(each) for each in outside])]
    if limits := _listed(facts.limitations):
        use += [Text("Known limits:"), Items([Text(each) for each in limits])]
    if use:
        yield Section("Intended use", use)
    made = [(cells, entry) for cells in _made(facts)]
    if made:
        yield Section("How it was made", [Table(("what", "value"), made)])
    if not isinstance(facts.datasets, UnsetType):
        rows = [(_dataset(each), entry) for each in facts.datasets]
        heading = ("dataset", "use", "version", "owner", "licence", "until", "rows", "tags")
        yield Section("Data", [Table(heading, rows)] if rows else [Text("No data was used.", entry)])
    yield Section("Differences between groups", [*_gaps(view)])


def _made(facts: Facts) -> Iterator[tuple[str, str]]:
    for name in ("task", "architecture", "base", "seed"):
        value = getattr(facts, name)
        if value is not UNSET:
            yield name, str(value)
    if not isinstance(facts.licences, UnsetType):
        yield "licences", ", ".join(facts.licences)
    if not isinstance(facts.makers, UnsetType):
        for name in facts.makers.__struct_fields__:
            actors = getattr(facts.makers, name)
            if not isinstance(actors, UnsetType):
                yield name.replace("_", " "), ", ".join(actors) or "nobody"
    if not isinstance(facts.code, UnsetType):
        where = "" if isinstance(facts.code.repository, UnsetType) else f" of {facts.code.repository}"
        clean = _CLEAN[facts.code.clean]
        yield "code", f"{facts.code.revision}{where}{clean}"
    if not isinstance(facts.environment, UnsetType):
        for name in facts.environment.__struct_fields__:
            value = getattr(facts.environment, name)
            if value is not UNSET:
                yield f"environment: {name}", str(value)
    for name, setting in (facts.configuration or {}).items():
        yield f"setting: {name}", str(setting).lower() if isinstance(setting, bool) else str(setting)


def _dataset(dataset: Dataset) -> tuple[str, ...]:
    fields = None if isinstance(dataset.fields, UnsetType) else dataset.fields
    tags = {tag for field in fields or () for tag in ([] if isinstance(field.tags, UnsetType) else field.tags)}
    for field in fields or ():
        for origin in () if isinstance(field.upstream, UnsetType) else field.upstream:
            above = () if isinstance(origin.tags, UnsetType) else origin.tags
            tags |= {f"{tag} ({origin.hops} upstream)" for tag in above}
    looked = fields is not None and not any(isinstance(field.tags, UnsetType) for field in fields)
    said = ", ".join(sorted(tags)) or ("none" if looked else "")
    rows = "" if isinstance(dataset.rows, UnsetType) else f"{dataset.rows:,}"
    until = "" if isinstance(dataset.fresh_at, UnsetType) else rfc3339(dataset.fresh_at)[:10]
    plain = ("" if isinstance(each, UnsetType) else each for each in (dataset.version, dataset.owner, dataset.licence))
    return tuple(each or "unknown" for each in (dataset.name, dataset.use.value, *plain, until, rows, said))


def _measured(known: VersionRecordView) -> Iterator[Block]:
    rows: list[tuple[Sequence[str], int | None]] = [
        (_offline(each), known.registered.entry) for each in known.evaluations
    ]
    view = known.facts
    if view is not None and not isinstance(view.facts.evaluations, UnsetType):
        rows += [(_figure(each, known.digest), view.entry) for each in view.facts.evaluations]
    if rows:
        yield Table(("metric", "data", "part", "value", "interval", "rows", "of these bytes"), rows)
    else:
        yield Lacks(["no offline figure is recorded"])


def _offline(each: Evaluation) -> tuple[str, ...]:
    ends = ["open" if end is None else f"{end:g}" for end in (each.low, each.high) if not isinstance(end, UnsetType)]
    interval = f"difference {' to '.join(ends)}" if ends else "unknown"
    value = f"{each.candidate:g} (incumbent {each.incumbent:g})"
    return (each.metric, each.holdout, "all", value, interval, f"{each.count:,}", "as registered")


def _figure(each: Measured, digest: str) -> tuple[str, ...]:
    ends = ["open" if isinstance(end, UnsetType) else f"{end:g}" for end in (each.low, each.high)]
    interval = "unknown" if ends == ["open", "open"] else " to ".join(ends)
    rows = "unknown" if isinstance(each.rows, UnsetType) else f"{each.rows:,}"
    same = "unknown" if isinstance(each.of, UnsetType) else "yes" if each.of == digest else "NO: of other content"
    data = "unknown" if isinstance(each.dataset, UnsetType) else each.dataset
    return (each.metric, data, each.slice, f"{each.value:g}", interval, rows, same)


def _gaps(view: FactsView | None) -> Iterator[Block]:
    if view is None or isinstance(view.facts.fairness, UnsetType):
        yield Lacks(["nobody says how figures differ between groups"])
        return
    rows = []
    for gap in view.facts.fairness:
        ends = ["open" if isinstance(end, UnsetType) else f"{end:g}" for end in (gap.low, gap.high)]
        count = "unknown" if isinstance(gap.rows, UnsetType) else f"{gap.rows:,}"
        group, reference = f"{gap.attribute}={gap.group}", f"{gap.attribute}={gap.reference}"
        rows.append(((gap.metric, group, reference, f"{gap.gap:g}", " to ".join(ends), count), view.entry))
    if rows:
        yield Table(("metric", "group", "held against", "difference", "interval", "rows"), rows)
    else:
        yield Text("No difference was looked for between groups, and somebody said so.", view.entry)


def _live(attempts: Sequence[AttemptView]) -> Iterator[Block]:
    if not attempts:
        yield Text("It has not met live traffic.")
    for attempt in attempts:
        yield Text(f"{attempt.rollout} against {attempt.plan.incumbent}: {attempt.phase}.", attempt.proposed.entry)
        if attempt.last is not None:
            yield Text(attempt.last.what, attempt.last.entry)
            rows = [
                (
                    (
                        v.subject,
                        v.slice,
                        v.verdict.value,
                        f"{v.wealth:.2f} of {v.line:.2f}",
                        f"{v.candidate:,}",
                        f"{v.incumbent:,}",
                    ),
                    attempt.last.entry,
                )
                for v in attempt.verdicts
            ]
            if rows:
                heading = ("guardrail", "part", "verdict", "evidence", "candidate", "incumbent")
                yield Table(heading, rows)


def _failures(view: FactsView) -> Iterator[Block]:
    modes = view.facts.failure_modes
    if isinstance(modes, UnsetType):
        yield Lacks(["nobody says how it may fail"])
        return
    rows = []
    for mode in modes:
        cells = [mode.name]
        said = (mode.effect, mode.mitigation, mode.test, mode.result)
        cells += ["-" if isinstance(each, UnsetType) else str(each) for each in said]
        cells.append("-" if isinstance(mode.tested_at, UnsetType) else rfc3339(mode.tested_at))
        rows.append((tuple(cells), view.entry))
    yield Table(("failure", "effect", "mitigation", "test", "last result", "when"), rows)
    if bare := [f"{mode.name}: {why}" for mode in modes if (why := untested(mode))]:
        yield Lacks(bare)


def _of_people(text: str, file: str) -> Iterator[Section]:
    """Read headings, lists and paragraphs of what people wrote; all else in it is text."""
    digest = sha256(text.encode()).hexdigest()
    title, blocks = "Written by people", [Text(f"From {file}, sha256:{digest}. It stands in no ledger entry.")]
    body: list[Block] = [*blocks]
    for part in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line for line in part.strip("\n").split("\n") if line.strip()]
        if lines and lines[0].startswith("#"):
            yield Section(title, body)
            title, body, lines = lines[0].lstrip("#").strip() or "Untitled", [], lines[1:]
        if lines and all(line.lstrip().startswith(("- ", "* ")) for line in lines):
            body.append(Items([Text(line.lstrip()[2:]) for line in lines]))
        elif lines:
            body.append(Text(" ".join(line.strip() for line in lines)))
    yield Section(title, body)


def _listed(listed: tuple[str, ...] | UnsetType) -> tuple[str, ...]:
    return () if isinstance(listed, UnsetType) else listed
