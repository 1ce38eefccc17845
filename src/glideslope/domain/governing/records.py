"""The thirty records that an auditor needs for one model change, and how each is found in the ledger.

`TYPES` is the table. A record that nothing produces yet has `nothing(...)` in the last column; whoever makes the ledger
say more puts a function there that takes the `Change` and returns what it `Found`. Nothing here judges: a record is
evidenced when the ledger holds what it asks for, however good or bad that is.

Long because the table and what finds its rows are read side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from glideslope.domain.governing import making
from glideslope.domain.governing.change import (
    Change,
    Fact,
    Found,
    Gather,
    Placed,
    State,
    each,
    look,
    nothing,
    quote,
    quotes,
    when,
)
from glideslope.domain.governing.making import from_facts, told

FORMAT: Final = "glideslope-record/1"
MACHINE: Final = "glideslope"
GLASS: Final = ("glass-asked", "glass-broken")


@dataclass(frozen=True, slots=True)
class RecordType:
    """One row of the table."""

    number: int
    name: str
    title: str
    answers: str
    gather: Gather

    @property
    def file(self) -> str:
        """Return the record's name in the pack."""
        return f"records/{self.number:02d}-{self.name}.json"


@dataclass(frozen=True, slots=True)
class Record:
    """One record of one change."""

    type: RecordType
    found: Found


def gather(change: Change) -> tuple[Record, ...]:
    """Return all records of a change, in the order of their numbers."""
    return tuple(Record(each_type, each_type.gather(change)) for each_type in TYPES)


def document(record: Record, change: Change) -> dict[str, Any]:
    """Return a record as it stands in the pack."""
    found, quoted = record.found, {fact.entry for fact in record.found.facts if fact.entry is not None}
    sources = [placed.entry for placed in change.entries if placed.position in quoted]
    facts = [
        {"name": fact.name, "value": fact.value}
        | ({} if fact.entry is None else {"entry": fact.entry, "pointer": fact.pointer})
        for fact in found.facts
    ]
    return {
        "about": digests(change),
        "actors": sorted({str(entry.body["by"]) for entry in sources if entry.body.get("by")}),
        "answers": record.type.answers,
        "facts": facts,
        "format": FORMAT,
        "id": f"{change.rollout}/{record.type.number:02d}",
        "missing": list(found.missing),
        "note": found.note,
        "number": record.type.number,
        "sources": sorted(quoted),
        "state": found.state.value,
        "times": sorted({entry.at for entry in sources}),
        "title": record.type.title,
        "type": record.type.name,
    }


def digests(change: Change) -> dict[str, Any]:
    """Return what all records of a change are about."""
    plan = change.plan
    return {
        "candidate": plan["candidate_digest"],
        "change": change.digest,
        "incumbent": plan["incumbent_digest"],
        "plan": change.plan_digest,
    }


def _evidenced(*facts: Fact, note: str = "") -> Found:
    return Found(state=State.EVIDENCED, facts=facts, note=note)


def _partly(facts: Sequence[Fact], *missing: str, note: str = "") -> Found:
    return Found(state=State.PARTLY if facts else State.NOT_EVIDENCED, facts=tuple(facts), missing=missing, note=note)


def _request(change: Change) -> Found:
    proposal = change.proposal
    facts = (
        when(proposal, "proposed at"),
        *quotes(proposal, "by", "plan_digest", "attempt_of", "learned"),
        *quotes(proposal, "model", "incumbent", "candidate", "owner", "why", under="/body/plan"),
        *told(change, "intended_use", "out_of_scope"),
    )
    return _partly(facts, "Whether the intended use changes: a statement in the proposal.")


def _inventory(change: Change) -> Found:
    registered = change.of("version-registered", "incumbent-installed", stream=change.model_stream)
    tier = quotes(change.proposal, "tier", under="/body/plan/governed") if change.plan.get("governed") else ()
    missing = ["Purpose and materiality of the model, and how its risk class was derived."]
    if not tier:
        missing.append("The risk class: a tier in an organisation that is in force.")
    return _partly((*tier, *each(registered, "model", "version", "digest", "by", "why")), *missing)


def _classification(change: Change) -> Found:
    """Find by which envelope it was classified, as it was proposed and last; a full review needs no envelope."""
    asked = [p for p in change.of("examined", stream=f"examination.{change.rollout}") if p.entry.body.get("classified")]
    if not asked:
        return Found(
            state=State.NOT_EVIDENCED,
            missing=("An envelope that speaks for the model, by which the change is inside or outside.",),
        )
    facts: tuple[Fact, ...] = ()
    for placed, word in ((asked[0], "first"), *((placed, "last") for placed in asked[1:][-1:])):
        pointer = "/body/classified"
        facts += (when(placed, f"{word} classified at"), quote(placed, pointer, f"{word} classification"))
    name = look(dict(asked[-1].entry.body), "/classified/standing/name")
    agreed = [
        placed
        for placed in change.of("agreement-in-force", "agreement-answered", stream=f"agreement.envelope.{name}")
        if placed.entry.body.get("digest") == look(dict(asked[-1].entry.body), "/classified/standing/envelope")
    ]
    return _evidenced(*facts, *each(agreed, "by", "functions", "granted", "why"))


def _candidate(change: Change) -> Found:
    plan = change.proposal
    registered = change.version(str(change.plan["candidate"]))
    facts = (
        *quotes(plan, "candidate", "candidate_digest", under="/body/plan"),
        *each(registered, "version", "digest", "url", "by", "why"),
        *(signature := told(change, "signature")),
    )
    return _partly(
        facts,
        "The list of files under the root digest.",
        *(() if signature else ("A signature over the model's files that was verified (OpenSSF Model Signing).",)),
        note="The digest is the root digest of OpenSSF Model Signing: SHA-256 over the digests of the files.",
    )


def _baseline(change: Change) -> Found:
    name, start = str(change.plan["incumbent"]), change.proposal.position
    installed = [
        placed
        for placed in change.of("incumbent-installed", stream=change.model_stream)
        if placed.position < start and placed.entry.body.get("version") == name
    ]
    facts = (
        *quotes(change.proposal, "incumbent", "incumbent_digest", under="/body/plan"),
        *each(installed[-1:], "version", "by", "rollout", "why"),
        *each(change.version(name), "version", "digest", "url"),
    )
    if installed:
        return _evidenced(*facts)
    return _partly(facts, "Since when and by which decision it served: an entry that installed it.")


def _contract(change: Change) -> Found:
    agreed = change.of("contract-agreed", stream=change.model_stream)
    return _partly(
        (*each(agreed[-1:], "contract", "by", "why"), *told(change, "datasets", "licences")),
        "The results of checking the training data against the contract.",
        "Quality, licence and consent basis of each dataset.",
    )


def _evaluation_plan(change: Change) -> Found:
    proposal = change.proposal
    asked = ("alpha", "alpha_pass", "guardrails", "dimensions", "criteria", "maturity", "pairs", "budgets", "harms")
    facts = (
        when(proposal, "frozen at"),
        quote(proposal, "/body/plan_digest", "plan_digest"),
        *quotes(proposal, *asked, under="/body/plan"),
    )
    decided = change.of("decided", stream=change.rollout)
    note = "Metrics, margins, slices and error rates were frozen in the ledger before the first decision."
    if decided:
        facts = (*facts, when(decided[0], "first decision at"))
    if change.plan.get("evaluations"):
        return _partly(
            facts,
            "A time before which the offline criteria were fixed: the offline results were registered before the plan was frozen.",
            note=note,
        )
    return _evidenced(*facts, note=note)


def _evaluations(change: Change) -> Found:
    results = change.plan.get("evaluations") or ()
    facts = [quote(change.proposal, f"/body/plan/evaluations/{k}", f"offline {k + 1}") for k in range(len(results))]
    judged = [placed for placed in change.of("decided", stream=change.rollout) if _findings(placed)]
    facts += [fact for placed in judged[-1:] for fact in (when(placed), quote(placed, "/body/decision/findings"))]
    missing = ["Digests of the raw results of each evaluation."]
    if not results:
        missing.append("Offline results: evaluations registered with the candidate.")
    if not judged:
        missing.append("Live results: a decision with findings.")
    return _partly(facts, *missing)


def _findings(placed: Placed) -> list[Any]:
    decision: Any = placed.entry.body.get("decision") or {}
    return list(decision.get("findings") or ())


def _policy(change: Change) -> Found:
    examined = [p for p in change.of("examined", stream=f"examination.{change.rollout}") if p.entry.body.get("policy")]
    governed = change.plan.get("governed") or {}
    facts = quotes(change.proposal, "policy", "organisation", "tier", under="/body/plan/governed") if governed else ()
    in_force = [
        placed for placed in change.of("agreement-in-force") if placed.entry.body["digest"] in governed.values()
    ]
    facts = (*facts, *each(in_force, "digest", "by"))
    permits = [placed for placed in change.of("decided", stream=change.rollout) if _evidence(placed).get("permit")]
    for placed in (*permits[:1], *permits[1:][-1:]):
        facts = (*facts, when(placed), quote(placed, "/body/evidence/permit"))
    if examined:
        told_ = [name for name in examined[-1].entry.body if name not in {"dossier", "classified"}]
        return _evidenced(*facts, *each(examined[-1:], *told_))
    return _partly(facts, "An examination: the policy's digest, and its answer rule by rule.")


def _lanes(change: Change) -> list[Placed]:
    """Return the decisions that rest on what was given with an envelope."""
    return [
        placed
        for placed in change.of("decided", stream=change.rollout)
        if "inside-envelope" in look(dict(placed.entry.body), "/decision/reasons")
    ]


def _sign_offs(change: Change) -> Found:
    given = change.of("approval-given", stream=change.rollout)
    asked = quotes(change.proposal, "approvals", under="/body/plan")
    missing: list[str] = []
    if change.plan.get("governed"):
        asked = (*asked, *quotes(change.proposal, "organisation", "needs", "valid_for", under="/body/plan/governed"))
    else:
        missing += ["The function and the authority in which each signed.", "When each approval expires."]
    lent = tuple(quote(p, "/body/evidence/permit/lane/given", "given with an envelope") for p in _lanes(change))
    if not (given or lent):
        return Found(
            state=State.NOT_EVIDENCED,
            facts=asked,
            missing=("An approval by a person: none was given, and the plan says how many it asks for.", *missing),
        )
    taken_back = change.of("approval-withdrawn", stream=change.rollout)
    own = each(given, "by", "granted", "functions", "plan_digest", "change", "why")
    facts = (*asked, *own, *each(taken_back, "by", "why"), *lent)
    return _partly(facts, *missing) if missing else _evidenced(*facts)


def _separation(change: Change) -> Found:
    given = [placed for placed in change.of("approval-given", stream=change.rollout) if placed.entry.body["granted"]]
    registered = change.version(str(change.plan["candidate"]))
    governed = change.plan.get("governed") or {}
    known = {*making.makers(change), *map(str, governed.get("makers") or ())}
    makers = {str(change.proposal.entry.body["by"]), *(str(placed.entry.body["by"]) for placed in registered), *known}
    lent = tuple(quote(p, "/body/evidence/permit/lane/given", "given with an envelope") for p in _lanes(change))
    # What a maker gave with an envelope counts for others' changes alone.
    brought = {str(approval["by"]) for fact in lent for approval in fact.value} - makers
    signers = {str(placed.entry.body["by"]) for placed in given} | brought
    facts = (
        quote(change.proposal, "/body/by", "proposed by"),
        *(quote(placed, "/body/by", "registered by") for placed in registered),
        *(quote(placed, "/body/by", "approved by") for placed in given),
        *lent,
        *told(change, "makers"),
        Fact(name="makers known", value=sorted(makers)),
        Fact(name="signers", value=sorted(signers)),
        Fact(name="in both", value=sorted(makers & signers)),
    )
    if making.all_makers_known(change):
        return _evidenced(*facts, note="Computed over those who proposed, registered and, as was stated, made it.")
    return _partly(
        facts,
        "Who trained it, who built its data and who evaluated it: the facts of the version.",
        note="Computed over those who proposed and registered; the proposer's own approval never counts.",
    )


def _exceptions(change: Change) -> Found:
    ordered = [placed for placed in change.of("decided", stream=change.rollout) if placed.entry.body["by"] != MACHINE]
    reviewed = [placed for placed in change.of("glass-reviewed") if placed.entry.body.get("rollout") == change.rollout]
    bent = sorted(
        (*ordered, *reviewed, *change.of("halted", "resumed", *GLASS, stream=change.rollout)),
        key=lambda placed: placed.position,
    )
    facts = tuple(
        fact
        for placed in bent
        for fact in (
            quote(placed, "/kind"),
            *each((placed,), "by", "why", "aside", "emergency", "lasting", "until", "justified"),
        )
    )
    note = "" if bent else "No person ordered, halted or resumed anything in this rollout."
    return _partly(
        (*facts, Fact(name="acts of people that bent the course", value=len(bent))),
        "Waivers and break-glass with an end date and a compensating control.",
        note=note,
    )


def _rollout_plan(change: Change) -> Found:
    members = ("steps", "stale_after", "outcomes_stale_after", "lease", "recompute", "approvals")
    return _partly(quotes(change.proposal, *members, under="/body/plan"), "The freeze calendar that was in force.")


def _shadow(change: Change) -> Found:
    if not any(step["stage"] == "shadow" for step in change.plan["steps"]):
        return Found(state=State.NOT_APPLICABLE, note="The plan has no shadow stage.")
    seen = [placed for placed in change.of("decided", stream=change.rollout) if _evidence(placed).get("pairs")]
    facts = [fact for placed in seen[-1:] for fact in (when(placed), quote(placed, "/body/evidence/pairs"))]
    if facts:
        return _evidenced(*facts)
    return _partly((), "Pairs of answers to the same requests: a decision in the shadow stage.")


def _evidence(placed: Placed) -> dict[str, Any]:
    found: Any = placed.entry.body.get("evidence") or {}
    return dict(found)


def _stages(change: Change) -> Found:
    decided = change.of("decided", stream=change.rollout)
    facts = [
        fact
        for placed in decided
        for fact in (
            when(placed),
            *quotes(placed, "by", "decider", "why"),
            quote(placed, "/body/decision/type", "decision"),
            quote(placed, "/body/decision/reasons", "reasons"),
            *quotes(placed, "exposed", "maturity", under="/body/evidence"),
        )
    ]
    if facts:
        note = "Each decision can be made again from the evidence in its entry; `glideslope verify` does."
        return _evidenced(*facts, note=note)
    return _partly((), "A decision: the rollout has not been decided about yet.")


def _serving(change: Change) -> Found:
    told = [placed for placed in change.of("decided", stream=change.rollout) if _evidence(placed).get("serving")]
    facts = [fact for placed in told for fact in (when(placed), quote(placed, "/body/evidence/serving", "serving"))]
    facts += list(quotes(change.proposal, "candidate_digest", "incumbent_digest", under="/body/plan"))
    if told:
        return _evidenced(*facts)
    return Found(
        state=State.NOT_EVIDENCED,
        facts=tuple(facts),
        missing=("The digests that the model servers report: they use the sdk's service.",),
    )


def _brakes(change: Change) -> Found:
    kinds = ("halted", "lease-lapsed", "traffic-confirmed")
    back = [
        placed
        for placed in change.of("decided", stream=change.rollout)
        if quote(placed, "/body/decision/type").value == "roll-back"
    ]
    seen = sorted((*back, *change.of(*kinds, stream=change.rollout)), key=lambda placed: placed.position)
    facts = tuple(
        fact
        for placed in seen
        for fact in (
            quote(placed, "/kind"),
            *each((placed,), "step", "exposed", "milliseconds", "by", "why"),
        )
    )
    count = Fact(
        name="rollbacks, halts and lapses", value=len([p for p in seen if p.entry.kind != "traffic-confirmed"])
    )
    return _evidenced(count, *facts)


def _target(change: Change) -> Found:
    known = quotes(change.proposal, "incumbent", "incumbent_digest", under="/body/plan")
    drilled = change.of("drill-ended", "drill-told")
    members = ("drill", "held_at", "passed", "granted_in", "restored_in", "by", "why")
    facts = (*known, *(fact for placed in drilled for fact in (when(placed), *each((placed,), *members))))
    if any(placed.entry.kind == "drill-ended" and placed.entry.body["passed"] for placed in drilled):
        return _evidenced(*facts)
    return _partly(facts, "A rollback drill that the machine measured and that passed.")


def _incidents(change: Change) -> Found:
    told_ = change.of("incident-opened", "incident-noted", "incident-closed")
    shown = ("rollout", "reasons", "breaches", "exposed", "lasted", "gap", "hypotheses", "remedies", "by", "why")
    facts = (
        Fact(name="incidents opened", value=sum(placed.entry.kind == "incident-opened" for placed in told_)),
        *(fact for placed in told_ for fact in (quote(placed, "/kind"), *each((placed,), *shown))),
    )
    outside = "Complaints, and incidents that no rollback opened."
    still_open = sum({"incident-opened": 1, "incident-closed": -1}.get(placed.entry.kind, 0) for placed in told_)
    if still_open:
        return _partly(facts, "The closing of the incident, with hypotheses and remedies.", outside)
    if not told_ and not change.of("stream-closed", stream=change.rollout):
        return Found(
            state=State.NOT_EVIDENCED,
            missing=("The end of the rollout: until then an incident may be opened.", outside),
        )
    return _partly(facts, outside)


def _complete(change: Change) -> Found:
    closed = change.of("stream-closed", stream=change.rollout)
    own = [placed for placed in change.entries if placed.entry.stream == change.rollout]
    facts = (
        Fact(name="entries in this pack", value=len(change.entries)),
        Fact(name="entries of the rollout", value=len(own)),
        *each(closed, "count", "root"),
    )
    note = "Each entry has a proof of inclusion in the checkpoint."
    if closed:
        return _evidenced(*facts, note=note)
    return _partly(facts, "The closing manifest: the rollout has not ended, so its story goes on.", note=note)


def _clauses(_: Change) -> Found:
    return _evidenced(note="The map is in clauses.json, and in the summary: gaps are shown as gaps.")


TYPES: Final[tuple[RecordType, ...]] = (
    RecordType(1, "change-request", "Change request", "who asked", _request),
    RecordType(2, "inventory", "Inventory extract", "how much care", _inventory),
    RecordType(3, "classification", "Change classification", "which lane", _classification),
    RecordType(4, "candidate", "Candidate identity", "which bytes", _candidate),
    RecordType(5, "baseline", "Baseline identity", "compared with what", _baseline),
    RecordType(
        6,
        "bill-of-materials",
        "Bill of materials",
        "made of what",
        from_facts(
            "code",
            "dependencies",
            "datasets",
            besides=("base", "licences", "environment"),
            missing="The facts of the version: code, libraries, base model and data.",
        ),
    ),
    RecordType(
        7,
        "provenance",
        "Build and training provenance",
        "made how",
        from_facts(
            "makers",
            "code",
            "environment",
            "configuration",
            "seed",
            besides=("architecture", "task"),
            missing="The facts of the version: who, code revision, environment, parameters and seed.",
        ),
    ),
    RecordType(
        8,
        "lineage",
        "Data lineage",
        "from which data",
        from_facts(
            "datasets",
            "pipelines",
            missing="The facts of the version: datasets with versions and digests, tags of their columns, and pipelines.",
        ),
    ),
    RecordType(9, "data-contract", "Data contract, quality, licence and consent", "data fit for use", _contract),
    RecordType(
        10, "evaluation-plan", "Evaluation plan, fixed before the results", "no moving goalposts", _evaluation_plan
    ),
    RecordType(11, "evaluation", "Evaluation results by slice", "is it good", _evaluations),
    RecordType(
        12,
        "fairness",
        "Fairness and safety results, limitations",
        "for whom not",
        from_facts(
            "fairness",
            "limitations",
            "failure_modes",
            missing="Gaps between groups with their bounds, limitations and failure modes, in the facts of the version.",
        ),
    ),
    RecordType(
        13,
        "validation",
        "Independent validation",
        "effective challenge",
        from_facts(
            "validations",
            missing="A validator's findings, in the facts of the version, and the answers to them.",
            never_whole=True,
        ),
    ),
    RecordType(
        14,
        "risk",
        "Risk assessment and residual risk",
        "risk known",
        nothing("Risks and trade-offs in the proposal, and who accepted what remains."),
    ),
    RecordType(15, "policy", "Policy and gate decision", "which rules", _policy),
    RecordType(16, "sign-offs", "Sign-offs", "who agreed", _sign_offs),
    RecordType(17, "separation", "Separation of duties", "independence", _separation),
    RecordType(18, "exceptions", "Exceptions and overrides", "what was bent", _exceptions),
    RecordType(19, "rollout-plan", "Rollout plan", "how it would go", _rollout_plan),
    RecordType(20, "shadow", "Shadow results", "seen on real traffic", _shadow),
    RecordType(21, "stages", "Each stage and decision", "why it went on", _stages),
    RecordType(22, "serving", "Digests reported by serving", "the approved bytes served", _serving),
    RecordType(23, "brakes", "Halts, lapses and rollbacks with times", "did the brake work", _brakes),
    RecordType(24, "rollback-target", "Rollback target and last drill", "could it go back", _target),
    RecordType(
        25,
        "incidents",
        "Incidents and complaints",
        "harm",
        _incidents,
    ),
    RecordType(
        26,
        "monitoring",
        "Monitoring after promotion",
        "what now",
        nothing("What is watched after promotion, and the date of the next review."),
    ),
    RecordType(
        27,
        "model-card",
        "Model card",
        "readable summary",
        from_facts(
            "intended_use",
            "limitations",
            "evaluations",
            missing="A model card whose figures are linked to their records.",
            never_whole=True,
        ),
    ),
    RecordType(
        28,
        "retirement",
        "Retired version",
        "end of life",
        nothing("Where the replaced version is archived, until when, and why."),
    ),
    RecordType(29, "events", "Complete event list with proofs", "nothing changed or left out", _complete),
    RecordType(30, "clause-map", "Clause map", "what this proves", _clauses),
)
