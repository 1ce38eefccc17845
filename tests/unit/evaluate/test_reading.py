"""What is written wrongly is pointed at; what can never be shown is refused before anything is measured; the page says what is so."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from glideslope.evaluate import declared
from glideslope.evaluate.reading import EvaluationInvalid, read, schema
from glideslope.evaluate.reporting import schema as report_schema
from glideslope.interfaces.cli.shipped import EVALUATION_SCHEMA_FILE, REPORT_SCHEMA_FILE, shipped
from glideslope.interfaces.cli.telling import fields_of, told

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("holdout: days", "holdot: days", "unknown key `holdot`"),
        ("holdout: days\n", "", "`holdout` is missing"),
        ("margin: 0.01", "marge: 0.01", "unknown key `marge`"),
        ("margin: 0.01", "margin: none", "'none' is not a margin"),
        ("limit: 0.7", "limit: quick", "'quick' is not a limit"),
        ("auc: {margin: 0.01}", "auc: {slices: 0.1}", "`auc` needs a `limit` or a `margin`"),
        ("auc: {margin: 0.01}", "latency_p99: {limit: 50ms}", "measured under load"),
        ("version: v2", "version: v1", "the same version"),
        ("version: v2", "version: V 2", "cannot be the name of a version"),
        (', command: ["{python}", serve.py, "{port}", "1.0", good], patience: 10m', "", "either a `command`"),
        ("split: {after: 2026-02-15, gap: 1d}", "split: {after: 2026-02-15, share: 10%}", "either what comes `after`"),
        ("split: {after: 2026-02-15, gap: 1d}\n", "", "the two come together"),
        (", time: at", "", "which column is the time"),
        ("seasons: [weekday]", "seasons: [week]", "cannot be `week`"),
        ("direction: [{raise: x, by: 1.0}]", "direction: [{raise: y, by: 1.0}]", "`y` is none of the features"),
        ("direction: [{raise: x, by: 1.0}]", "direction: [{raise: x, by: 0}]", "must be more than 0"),
        ("auc: {margin: 0.01}", "errors: {limit: 0, slices: 0.1}", "not looked at by slice"),
        ("model: toy", "model: toy\nload: {levels: [20, 10]}", "levels ascend"),
        ("model: toy", "model: toy\nload: {levels: [10], latency_at: 5}", "at one of the levels"),
    ],
)
def test_a_mistake_is_refused_where_it_stands(document: str, old: str, new: str, words: str) -> None:
    assert old in document
    with pytest.raises(EvaluationInvalid) as refused:
        read(document.replace(old, new, 1), file="evaluation.yaml")

    error = refused.value
    assert words in error.sentence
    assert error.code == "evaluation-invalid"
    assert document.replace(old, new, 1).splitlines()[error.line - 1] == error.source


def test_a_refusal_has_a_caret_a_suggestion_and_a_next_command(document: str) -> None:
    with pytest.raises(EvaluationInvalid) as refused:
        read(document.replace("targets:", "tragets:"), file="evaluation.yaml")

    lines = told(fields_of(refused.value), word="error").splitlines()
    assert lines[0] == "error[evaluation-invalid]: unknown key `tragets`"
    assert lines[1].strip() == "--> evaluation.yaml:10:1"
    assert lines[3].strip() == "| ^^^^^^^ did you mean `targets`?"
    assert "glideslope schema evaluation" in lines[4]


@pytest.mark.parametrize(
    ("target", "load", "words"),
    [
        ("throughput: {limit: 50}", "{levels: [10, 20]}", "no more than 20 per second are offered"),
        ("latency_p95: {limit: 60s}", "{levels: [10, 20]}", "is a failure"),
        ("cost: {limit: 1}", "{levels: [10, 20]}", "needs `cost` with one price"),
    ],
)
def test_a_target_that_can_never_be_met_is_refused(document: str, target: str, load: str, words: str) -> None:
    text = document.replace("auc: {margin: 0.01}", target) + f"load: {load}\n"

    with pytest.raises(EvaluationInvalid, match=re.escape(words)):
        read(text, file="evaluation.yaml")


def test_an_empty_file_is_no_evaluation() -> None:
    with pytest.raises(EvaluationInvalid, match="empty"):
        read("", file="evaluation.yaml")
    with pytest.raises(EvaluationInvalid, match="an evaluation is a list of keys and values"):
        read("word\n", file="evaluation.yaml")


def test_the_shipped_schemas_are_those_of_the_code() -> None:
    assert json.loads(shipped(EVALUATION_SCHEMA_FILE)) == schema()
    assert json.loads(shipped(REPORT_SCHEMA_FILE)) == report_schema()
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.Draft202012Validator.check_schema(report_schema())


def test_every_key_stands_in_the_reference_with_its_meaning_and_no_other() -> None:
    page = (ROOT / "docs" / "reference" / "evaluation-file.md").read_text(encoding="utf-8")
    models = (
        declared.Evaluation, declared.Served, declared.Request, declared.Data, declared.Split, declared.Target, declared.Load,
        declared.Cost, declared.Scenarios, declared.Hostile, declared.Stability, declared.Invariance, declared.Direction,
        declared.Leakage,
    )  # fmt: skip
    fields = [
        (field.alias or name, field.description) for model in models for name, field in model.model_fields.items()
    ]
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (.+) \|$", page, flags=re.MULTILINE)
    targets = re.findall(r"^\| `(\w+)` \| ([^|]+) \|$", page, flags=re.MULTILINE)

    assert sorted(rows) == sorted(fields)
    assert [name for name, _ in targets if name in declared.Targets.model_fields] == list(declared.Targets.model_fields)
    assert [name for name, _ in targets if name in declared.CHECKS] == list(declared.CHECKS)


def test_the_example_of_the_reference_is_an_evaluation() -> None:
    page = (ROOT / "docs" / "reference" / "evaluation-file.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)

    assert read(text, file="evaluation.yaml")[0].holdout == "half"
