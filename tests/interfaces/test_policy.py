"""`glideslope policy` as people and pipelines use it; no server is asked."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from glideslope.interfaces.cli.exits import Exit
from glideslope.interfaces.cli.shipped import POLICIES
from glideslope.interfaces.document import policies
from glideslope.ledger import bundle, entry


@pytest.fixture
def bank(desk: Any) -> Any:
    """A folder with a bank's policy."""
    assert desk.run("policy", "new", "regulated-bank").exit_code == 0
    return desk


def edit(path: str, before: str, after: str, *, to: str = "") -> None:
    text = Path(path).read_text(encoding="utf-8")
    assert before in text
    Path(to or path).write_text(text.replace(before, after, 1), encoding="utf-8")


@pytest.mark.parametrize("kind", POLICIES)
def test_each_template_passes_its_own_tests(desk: Any, kind: str) -> None:
    assert desk.run("policy", "new", kind).exit_code == 0
    assert desk.run("policy", "new", kind).exit_code == Exit.REFUSED  # nothing is overwritten

    result = desk.run("policy", "test")

    assert result.exit_code == 0, result.output
    assert "FAILED" not in result.output


def test_a_test_that_fails_says_in_what(bank: Any) -> None:
    edit("policy.yaml", "valid_for: 14d", "valid_for: 1h")

    result = bank.run("policy", "test")

    assert result.exit_code == Exit.FAILED
    assert "FAILED  a change with everything goes on" in result.output
    assert "it is blocked by APPROVED, expected to pass" in result.output
    assert json.loads(bank.run("policy", "test", "--json").stdout)["failed"] >= 1


def test_a_change_that_may_not_go_on_ends_with_3_and_says_what_to_do(bank: Any) -> None:
    assert bank.run("policy", "examine", "--dossier", "dossier.yaml").exit_code == 0
    edit("dossier.yaml", "passed: true", "passed: false")

    result = bank.run("policy", "examine", "--dossier", "dossier.yaml")

    assert result.exit_code == Exit.REFUSED
    assert "DRILLED: does not hold: the last rollback drill failed" in result.output
    assert "Hold the drill: glideslope drill run MODEL" in result.output
    assert "credit v7 may not go on: 1 of 32 rules block it." in result.output
    found = json.loads(bank.run("policy", "examine", "--dossier", "dossier.yaml", "--json").stdout)
    assert found["passed"] is False
    assert [a["rule"] for a in found["answers"] if a["outcome"]["answer"] == "fail"] == ["DRILLED"]
    assert found["policy"] == json.loads(bank.run("policy", "check", "--json").stdout)["digest"]


def test_a_damaged_dossier_is_refused_with_a_caret(bank: Any) -> None:
    edit("dossier.yaml", "verdict: pass", "verdict: passed")

    result = bank.run("policy", "examine", "--dossier", "dossier.yaml")

    assert result.exit_code == Exit.INVALID
    assert "error[dossier-invalid]: `verdict` cannot be `passed`" in result.output
    assert "^^^^^^ did you mean `pass`?" in result.output


def test_an_edit_is_told_in_words_and_tried_over_changes_that_were(bank: Any) -> None:
    edit("policy.yaml", "metrics: [auc, calibration]", "metrics: [auc, cost]", to="new.yaml")
    Path("past").mkdir()
    edit("dossier.yaml", "restored_in: 1800", "restored_in: 1700", to="past/c1.yaml")
    edit("dossier.yaml", "restored_in: 1800", "restored_in: 1900", to="past/c2.yaml")
    edit("dossier.yaml", "passed: true", "passed: false", to="past/c3.yaml")

    told = bank.run("policy", "diff", "policy.yaml", "new.yaml").output
    dry = bank.run("policy", "dry-run", "new.yaml", "--over", "past").output
    beside = json.loads(
        bank.run("policy", "dry-run", "new.yaml", "--over", "past", "--old", "policy.yaml", "--json").stdout
    )

    assert "EVAL-PASSED asked: The offline evaluation passed for auc and calibration" in told
    assert "passed for auc and cost" in told
    assert dry.startswith("regulated-bank would have blocked 3 of 3 changes.")
    assert [(each["name"], each["rules"]) for each in beside["shifts"]] == [
        ("c1", ["EVAL-PASSED"]),
        ("c2", ["EVAL-PASSED"]),
    ]
    assert (beside["changes"], beside["passed_before"], beside["blocked"]) == (3, 2, 3)
    told = bank.run("policy", "dry-run", "new.yaml", "--over", "past", "--old", "policy.yaml").output
    assert told.startswith("This edit would have blocked 2 of 2 changes that regulated-bank let pass, of 3 in all.")


def test_an_edit_names_what_it_would_have_blocked_in_a_ledger(bank: Any, tmp_path: Path) -> None:
    """Dossiers that a ledger holds, in whatever entry, the last one of each change."""
    found = json.loads(bank.run("policy", "examine", "--dossier", "dossier.yaml", "--json").stdout)
    assert found["passed"]
    edit("policy.yaml", "within: 180d}\n  # Who", "within: 30d}\n  # Who", to="new.yaml")

    result = bank.run("policy", "dry-run", "new.yaml", "--over", str(ledger_of(tmp_path)), "--old", "policy.yaml")

    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "This edit would have blocked 1 of 1 change that regulated-bank let pass.",
        "  credit-1  DATA-FRESH: claims is from 51 days ago",
    ]


def ledger_of(folder: Path) -> Path:
    """Write a bundle whose entries hold a dossier: of one stream an older one that would be blocked, and the last one."""
    text = Path("dossier.yaml").read_text("utf-8")
    dossiers = [
        policies.read_dossier(text.replace("passed: true", f"passed: {word}"), file="dossier.yaml")
        for word in ("false", "true")
    ]
    entries = [
        entry.encode(
            entry.Entry(
                stream="examination.credit-1",
                version=number,
                at="2026-11-20T09:00:00.000Z",
                kind="examined",
                body={"dossier": json.loads(msgspec.json.encode(dossier))},
            )
        )
        for number, dossier in enumerate(dossiers, start=1)
    ]
    path = folder / "ledger.bundle"
    path.write_bytes(b"".join(bundle.format(checkpoints=[], entries=entries)))
    return path


def test_damage_that_a_policy_does_not_notice_is_named(bank: Any) -> None:
    edit("policy.yaml", "  - {id: WAY-BACK, kind: rollback_target_known}\n", "")

    result = bank.run("policy", "damage", "--dossier", "dossier.yaml")

    assert result.exit_code == Exit.FAILED
    assert "not noticed: incumbent, taken away" in result.output
    assert "damages are noticed" in result.output


def test_a_policy_without_cases_is_no_tested_policy(bank: Any) -> None:
    text = Path("policy.yaml").read_text("utf-8")
    Path("bare.yaml").write_text(text[: text.index("cases:")], encoding="utf-8")

    assert bank.run("policy", "test", "bare.yaml").exit_code == Exit.INVALID
    Path("bare.cases.yaml").write_text(text[text.index("cases:") :], encoding="utf-8")
    assert bank.run("policy", "test", "bare.yaml").exit_code == 0


def test_advisories_come_from_a_file(bank: Any) -> None:
    record = {
        "id": "GHSA-1",
        "affected": [{"package": {"name": "NumPy"}, "versions": ["2.3.4"]}],
        "database_specific": {"severity": "HIGH"},
    }
    whole = {"as_of": "2026-11-19", "source": "osv.dev", "advisories": [record]}
    Path("osv.json").write_text(json.dumps(whole), encoding="utf-8")
    Path("none.json").write_text("[", encoding="utf-8")

    result = bank.run("policy", "examine", "--dossier", "dossier.yaml", "--advisories", "osv.json")

    assert result.exit_code == Exit.REFUSED
    assert "ADVISORIES: does not hold: NumPy 2.3.4: GHSA-1, high" in result.output
    none = bank.run("policy", "examine", "--dossier", "dossier.yaml", "--advisories", "none.json")
    assert none.exit_code == Exit.INVALID


def test_rules_in_cel_are_asked(bank: Any) -> None:
    rule = (
        "  - id: SMALL\n    kind: cel\n    says: Every slice has many rows.\n    needs: [evaluations.results]\n"
        "    findings: evaluations[0].results.filter(r, r.rows < 5000).map(r, r.slice)\n"
    )
    edit("policy.yaml", "rules:\n", f"rules:\n{rule}")

    result = bank.run("policy", "examine", "--dossier", "dossier.yaml")

    assert result.exit_code == Exit.REFUSED
    assert "SMALL: does not hold: new_customer=yes" in result.output


def test_an_opa_server_that_is_not_there_blocks(bank: Any) -> None:
    edit(
        "policy.yaml",
        "rules:\n",
        "rules:\n  - {id: OURS, kind: opa, says: As the house asks., path: house/credit, within: 1s}\n",
    )

    for more in ([], ["--opa", "http://127.0.0.1:9"]):
        result = bank.run("policy", "examine", "--dossier", "dossier.yaml", *more)
        assert result.exit_code == Exit.REFUSED
        assert "OURS: was not shown, for want of" in result.output
    assert bank.run("policy", "examine", "--dossier", "dossier.yaml", "--opa", "x").exit_code == Exit.INVALID


@pytest.mark.parametrize("arguments", [["check"], ["explain"], ["diff", "policy.yaml", "policy.yaml"]])
def test_with_json_it_is_one_document(bank: Any, arguments: list[str]) -> None:
    result = bank.run("policy", *arguments, "--json")

    assert result.exit_code == 0
    json.loads(result.stdout)
