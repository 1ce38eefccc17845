"""Thirty records, each found or honestly missing; and a clause map that names only records that exist."""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from glideslope.domain.errors import Invalid
from glideslope.domain.governing import clauses, records
from glideslope.domain.governing.change import Change, Placed, State, look, quote
from glideslope.domain.governing.clauses import Clause, Standing, standing
from glideslope.domain.governing.records import TYPES
from glideslope.engine import packing
from glideslope.engine.pack_page import page
from glideslope.ledger import canonical
from glideslope.ledger.checkpoint import Checkpoint
from glideslope.ledger.entry import Entry

ROOT = Path(__file__).parents[3]
HOSTILE = "</td><script>alert(1)</script>\x1b[2J\u202e\" onload='x'"
PLAN: dict[str, Any] = {
    "model": "delays",
    "incumbent": "v1",
    "incumbent_digest": "sha256:" + "1" * 64,
    "candidate": "v2",
    "candidate_digest": "sha256:" + "2" * 64,
    "owner": "o@example.org",
    "why": HOSTILE,
    "alpha": 0.01,
    "alpha_pass": 0.05,
    "steps": [{"name": "s1", "stage": "canary"}],
    "guardrails": [],
    "approvals": 1,
}


def entry(kind: str, body: dict[str, Any], *, stream: str = "r-0001", version: int = 1) -> Entry:
    return Entry(stream=stream, version=version, at=f"2026-01-31T09:00:0{version}.000Z", kind=kind, body=body)


def change(*more: Entry, plan: dict[str, Any] | None = None) -> Change:
    proposed = entry("rollout-proposed", {"plan": plan or PLAN, "plan_digest": "sha256:" + "3" * 64, "by": "ana"})
    return Change("r-0001", tuple(Placed(10 + k, each) for k, each in enumerate((proposed, *more))))


def states(of: Change) -> dict[int, State]:
    return {one.type.number: one.found.state for one in records.gather(of)}


FACTS = {
    "model": "delays",
    "version": "v2",
    "makers": {"trained_by": ["tim"], "data_by": ["dora"], "evaluated_by": ["eve"], "code_by": ["tim"]},
    "code": {"revision": "a" * 40},
    "environment": {"lock": "sha256:" + "4" * 64},
    "configuration": {"depth": 3},
    "seed": 7,
    "datasets": [{"name": "flights", "use": "training"}],
    "pipelines": [{"name": "features"}],
    "dependencies": [{"name": "numpy", "version": "2"}],
    "intended_use": "late arrivals",
    "limitations": ["winter"],
    "fairness": [{"metric": "wrong"}],
    "failure_modes": [{"name": "no weather"}],
    "validations": [{"name": "second look", "outcome": "passed"}],
}


def recorded(**without: Any) -> Entry:
    facts = {name: value for name, value in FACTS.items() if name not in without}
    return entry("facts-recorded", {"facts": facts, "by": "tim", "why": "as trained"}, stream="model.delays")


def test_the_numbers_are_those_of_the_list_and_each_says_what_it_answers() -> None:
    assert [each.number for each in TYPES] == list(range(1, 31))
    assert len({each.name for each in TYPES}) == 30
    assert all(each.title and each.answers for each in TYPES)


def test_what_is_not_recorded_is_not_evidenced_and_says_what_would_evidence_it() -> None:
    for one in records.gather(change()):
        assert one.found.missing or one.found.state in (State.EVIDENCED, State.NOT_APPLICABLE), one.type.title
        assert one.found.state is not State.EVIDENCED or not one.found.missing
    found = states(change())
    assert [
        n for n in (3, 6, 7, 8, 9, 12, 13, 14, 15, 16, 21, 22, 25, 26, 27, 28) if found[n] is not State.NOT_EVIDENCED
    ] == []
    assert found[20] is State.NOT_APPLICABLE


def test_facts_about_the_candidate_make_their_records() -> None:
    found = states(change(recorded()))
    assert {n: found[n] for n in (6, 7, 8, 12, 17)} == dict.fromkeys((6, 7, 8, 12, 17), State.EVIDENCED)
    assert {n: found[n] for n in (13, 27)} == dict.fromkeys((13, 27), State.PARTLY)
    for gone, number in (("code", 6), ("seed", 7), ("pipelines", 8), ("fairness", 12)):
        assert states(change(recorded(**{gone: None})))[number] is State.PARTLY
    half = {"facts": {**FACTS, "makers": {"trained_by": ["tim"]}}, "by": "tim", "why": "x"}
    assert states(change(entry("facts-recorded", half, stream="model.delays")))[17] is State.PARTLY
    assert states(change(recorded(version=None)))[7] is State.NOT_EVIDENCED  # of no version that is known


def test_facts_about_another_version_say_nothing_of_this_one() -> None:
    other = entry(
        "facts-recorded", {"facts": {**FACTS, "version": "v1"}, "by": "tim", "why": "x"}, stream="model.delays"
    )

    assert states(change(other))[7] is State.NOT_EVIDENCED


def test_who_made_it_and_agreed_is_named() -> None:
    yes = entry("approval-given", {"by": "tim", "granted": True, "plan_digest": "x", "why": "fine"}, version=2)
    found = {one.type.number: one.found for one in records.gather(change(recorded(), yes))}
    computed = {fact.name: fact.value for fact in found[17].facts if fact.entry is None}

    assert computed == {"makers known": ["ana", "dora", "eve", "tim"], "signers": ["tim"], "in both": ["tim"]}


def test_governance_frozen_with_the_plan_shows_in_tier_policy_and_sign_offs() -> None:
    governed = {"organisation": "sha256:" + "5" * 64, "tier": "high", "needs": [["security", 1]], "valid_for": 9}
    yes = entry(
        "approval-given", {"by": "sue", "granted": True, "plan_digest": "x", "why": "y", "functions": ["security"]}
    )
    told = {"rollout": "r-0001", "policy": "sha256:" + "6" * 64, "answers": [{"rule": "a", "answer": "pass"}]}
    examined = entry("examined", told, stream="examination.r-0001")
    found = {
        one.type.number: one.found for one in records.gather(change(yes, examined, plan={**PLAN, "governed": governed}))
    }

    assert (found[16].state, found[15].state) == (State.EVIDENCED, State.EVIDENCED)
    assert "high" in [fact.value for fact in found[2].facts]
    assert ["security"] in [fact.value for fact in found[16].facts]


@pytest.mark.parametrize("pointer", ["/body/plan/owner", "/at", "/body/plan/steps/0/name", "/kind"])
def test_a_quotation_is_what_stands_there(pointer: str) -> None:
    placed = change().proposal

    assert quote(placed, pointer).value == look(
        {"at": placed.entry.at, "kind": placed.entry.kind, "body": placed.entry.body}, pointer
    )
    for wrong in ("/body/nothing", "/body/plan/steps/9", "/body/plan/steps/x"):
        with pytest.raises(Invalid):
            quote(placed, wrong)


def test_every_record_can_be_written_canonically_and_names_its_sources() -> None:
    of = change(recorded())
    for one in records.gather(of):
        written = records.document(one, of)
        assert canonical.decode(canonical.encode(written)) == json.loads(canonical.encode(written))
        assert set(written["sources"]) <= {placed.position for placed in of.entries}


# ---- clauses ----


REGIMES = clauses.read(packing._clause_map())


def test_the_map_names_the_six_regimes_with_a_day_and_how_it_is_known() -> None:
    assert [regime.regime for regime in REGIMES] == [
        "eu-ai-act",
        "nist-ai-rmf",
        "iso-42001",
        "sr-26-2",
        "ss1-23",
        "fda-pccp",
    ]
    for regime in REGIMES:
        assert date(2026, 1, 1) < date.fromisoformat(regime.as_of) <= date(2026, 12, 31)
        assert regime.state
        assert regime.source
        assert len({each.clause for each in regime.clauses}) == len(regime.clauses) > 3


def test_what_was_rescinded_is_named_as_rescinded_and_nowhere_else() -> None:
    texts = [text for regime in REGIMES for text in (regime.title, regime.state, regime.note) if "11-7" in text]

    assert len(texts) == 1
    assert "SR 11-7 was rescinded on 17 April 2026" in texts[0]


def test_each_row_names_records_that_exist_or_states_its_gap() -> None:
    for regime in REGIMES:
        for clause in regime.clauses:
            assert set(clause.records) <= {each.number for each in TYPES}
            assert clause.records or clause.gap
            assert clause.asks
    for row in ({"records": [31]}, {"records": []}, {"records": [0]}):
        changed = [{**json.loads(packing._clause_map())[0], "clauses": [{"clause": "x", "asks": "y", **row}]}]
        with pytest.raises(Invalid):
            clauses.read(json.dumps(changed).encode())


def test_a_clause_is_on_record_only_when_every_record_is_and_no_gap_is_stated() -> None:
    clause = Clause(clause="x", asks="y", records=(1, 2))
    table = [
        (State.EVIDENCED, State.EVIDENCED, Standing.ON_RECORD),
        (State.EVIDENCED, State.NOT_APPLICABLE, Standing.ON_RECORD),
        (State.EVIDENCED, State.PARTLY, Standing.PARTLY),
        (State.EVIDENCED, State.NOT_EVIDENCED, Standing.PARTLY),
        (State.NOT_EVIDENCED, State.NOT_EVIDENCED, Standing.GAP),
    ]
    for first, second, expected in table:
        assert standing(clause, {1: first, 2: second}) is expected
    gap = Clause(clause="x", asks="y", records=(1,), gap="never")
    assert standing(gap, {1: State.EVIDENCED}) is Standing.PARTLY
    assert standing(Clause(clause="x", asks="y", records=(), gap="never"), {}) is Standing.GAP


def test_the_reference_lists_every_record() -> None:
    text = (ROOT / "docs/reference/pack-format.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| `([\w-]+)` \| (.+?) \|$", text, re.MULTILINE)

    assert rows == [(str(each.number), each.name, each.answers) for each in TYPES]


def test_the_reference_lists_every_finding_of_the_verifier() -> None:
    text = (ROOT / "docs/reference/pack-format.md").read_text(encoding="utf-8")
    program = (ROOT / "verifier/glideslope_verify.py").read_text(encoding="utf-8")
    said = set(re.findall(r'(?:self\.bad|Finding)\(\s*"([a-z-]+)"', program))

    assert said == set(re.findall(r"^\| `([a-z-]+)` \| (?!`)", text.partition("## Findings")[2], re.MULTILINE))


# ---- the page ----


def test_nothing_that_people_wrote_is_taken_as_markup() -> None:
    of = change(entry("halted", {"by": HOSTILE, "why": HOSTILE}, version=2), recorded())
    found = records.gather(of)
    shown = page(of, found, clauses.document(REGIMES, found), Checkpoint(origin="x", size=9, root=b"1" * 32)).decode()

    assert "<script" not in shown
    assert "onload='x'" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown
    assert shown.count("NOT EVIDENCED") > 5
    assert len(re.findall(r'<h3 id="r\d+">', shown)) == 30


def test_the_first_screen_tells_sign_offs_that_count_from_those_that_the_change_has_outgrown() -> None:
    """New facts change the change: what was agreed on before is no yes to it, and a yes can be taken back."""
    first, newer = "sha256:" + "a" * 64, "sha256:" + "b" * 64
    yes = {"by": "pia", "granted": True, "functions": ["product"], "why": "read"}
    decision = {"type": "advance", "reasons": ["approved"]}
    of = change(
        entry("approval-given", {**yes, "change": first}, version=2),
        entry("approval-given", {**yes, "change": newer}, version=3),
        entry("approval-given", {"by": "sam", "granted": False, "why": "no"}, version=4),
        entry("approval-withdrawn", {"by": "pia", "why": "again"}, version=5),
        entry("decided", {"by": "g", "decision": decision, "evidence": {"permit": {"change": newer}}}, version=6),
    )
    found = records.gather(of)
    shown = page(of, found, clauses.document(REGIMES, found), Checkpoint(origin="x", size=9, root=b"1" * 32)).decode()

    assert (
        "1 asked for; granted by pia as product (entry 11, to an earlier state of the change), "
        "granted by pia as product (entry 12), denied by sam (entry 13), withdrawn by pia (entry 14)"
    ) in shown


def test_the_page_needs_nothing_from_elsewhere() -> None:
    of = change()
    found = records.gather(of)
    shown = page(of, found, clauses.document(REGIMES, found), Checkpoint(origin="x", size=9, root=b"1" * 32)).decode()

    assert not re.search(r"(src|href)=\"(?!#)", shown)
    assert "default-src 'none'" in shown
    assert "@media print" in shown
    assert "prefers-color-scheme: dark" in shown


def test_a_way_back_is_evidenced_by_a_drill_that_the_machine_measured_and_not_by_one_that_is_told_of() -> None:
    def drill(kind: str, **body: Any) -> Entry:
        return entry(kind, body, stream="drill.delays")

    begun = drill("drill-begun", drill="rollback", by="ops", why="the quarter's")
    measured = drill("drill-ended", passed=True, granted_in=33.0, restored_in=3.4, why="")
    failed = drill("drill-ended", passed=False, why="the line is cut")
    told = drill("drill-told", drill="rollback", held_at=1, passed=True, by="ops", why="in the rehearsal")

    assert states(change())[24] is State.PARTLY
    assert states(change(told))[24] is State.PARTLY
    assert states(change(begun, failed))[24] is State.PARTLY
    assert states(change(begun, measured))[24] is State.EVIDENCED
    (target,) = [one for one in records.gather(change(begun, measured)) if one.type.number == 24]
    assert {"restored_in": 3.4, "passed": True}.items() <= {
        fact.name: fact.value for fact in target.found.facts
    }.items()


def test_the_class_of_a_change_is_evidenced_by_what_its_envelope_answered_and_shows_nothing_of_a_policy() -> None:
    standing_ = {"envelope": "sha256:" + "e" * 64, "name": "monthly", "reviewed_at": 1, "others": []}
    classified = {"engine": "glideslope-envelope/1", "standing": standing_, "answers": []}
    body = {"rollout": "r-0001", "dossier": {}, "answers": [], "classified": classified}
    asked = entry("examined", body, stream="examination.r-0001")
    yes = {"digest": standing_["envelope"], "granted": True, "functions": ["product"], "by": "pia", "why": "read it"}
    agreed = entry("agreement-answered", yes, stream="agreement.envelope.monthly")
    other = entry("agreement-answered", {**yes, "digest": "sha256:" + "f" * 64}, stream="agreement.envelope.monthly")

    assert states(change())[3] is State.NOT_EVIDENCED
    assert states(change(asked))[3] is State.EVIDENCED
    assert states(change(asked))[15] is states(change())[15]
    lane = {"lane": {"envelope": standing_["envelope"], "given": [{"by": "pia", "functions": ["product"]}]}}
    evidence = {"permit": lane}
    begun = entry(
        "decided",
        {"decision": {"type": "advance", "reasons": ["inside-envelope"]}, "evidence": evidence, "by": "glideslope"},
    )
    by_number = {one.type.number: one.found for one in records.gather(change(asked, begun))}
    assert ("given with an envelope", lane["lane"]["given"]) in [(f.name, f.value) for f in by_number[16].facts]
    assert next(f.value for f in by_number[17].facts if f.name == "signers") == ["pia"]
    assert by_number[16].state is not State.NOT_EVIDENCED
    (found,) = [one.found for one in records.gather(change(asked, agreed, other)) if one.type.number == 3]
    told = [(fact.name, fact.value) for fact in found.facts]
    assert told == [
        ("first classified at", asked.at),
        ("first classification", classified),
        ("at", agreed.at),
        ("by", "pia"),
        ("functions", ["product"]),
        ("granted", True),
        ("why", "read it"),
    ]
