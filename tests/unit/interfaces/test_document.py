"""`glideslope.yaml` becomes exactly the draft that it says, or a refusal that points at the mistake."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.interfaces.drafts import CRITERIA, DRAFTS

from glideslope.domain.draft import (
    DAY,
    DEFAULT_GUARDRAILS,
    DEFAULT_STAGES,
    HOUR,
    MINUTE,
    SECOND,
    Draft,
    GuardrailDraft,
    MetricDraft,
    StageDraft,
)
from glideslope.domain.errors import Invalid, PlanInvalid
from glideslope.domain.ids import MetricName, ModelName, VersionName
from glideslope.domain.metric import Dimension, Kind
from glideslope.domain.plan import AtMaximum, Criterion, HarmNull, Margin, MarginKind, Rationale, StageKind
from glideslope.interfaces.cli.shipped import EXAMPLE_FILE, SCHEMA_FILE, shipped
from glideslope.interfaces.cli.telling import fields_of, told
from glideslope.interfaces.document import quantities
from glideslope.interfaces.document.reading import read
from glideslope.interfaces.document.showing import schema, show
from glideslope.interfaces.document.text import LARGEST, DocumentInvalid, Source, decode

T = TypeVar("T")

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "document"
FOUR = "model: late-arrival\ncandidate: v2\nowner: flights@example.com\nwhy: Fewer misses in the evening.\n"


def refusal(text: str) -> DocumentInvalid:
    with pytest.raises(DocumentInvalid) as caught:
        read(text, file="glideslope.yaml")
    return caught.value


def test_four_keys_suffice_and_the_rest_has_its_default() -> None:
    draft = read(FOUR, file="glideslope.yaml").draft

    assert draft == Draft(
        model=ModelName("late-arrival"),
        candidate=VersionName("v2"),
        owner="flights@example.com",
        why="Fewer misses in the evening.",
    )
    assert (draft.stages, draft.guardrails) == (DEFAULT_STAGES, DEFAULT_GUARDRAILS)


def test_everything_that_can_be_written_is_read() -> None:
    text = FOUR + (
        "stages:\n"
        "  - offline:\n"
        "      log_loss: {holdout: by-day, margin: 0.0}\n"
        "      auc:\n"
        "        - {holdout: by-day, margin: 0.01, lower_is_better: false}\n"
        "        - {holdout: random, margin: 0.02, lower_is_better: false}\n"
        "  - shadow: {for: 1h, mirror: 12.5%, at_most: 1d}\n"
        "  - canary: {shares: [5%, 25%], for: 10m, at_most: 1d, then: roll-back}\n"
        "  - canary: [50%]\n"
        "  - full: 500ms\n"
        "  - bake: {for: 1.5h, then: extend}\n"
        "guardrails:\n"
        "  - {metric: errors, margin: 0.5pp, harm: beyond-margin, limit: 2%, weight: 3, base_rate: 0.01}\n"
        "  - {metric: latency, margin: 25%, required: false}\n"
        "  - {metric: log_loss, margin: 0.02}\n"
        "  - {metric: fallback_used, margin: 1pp}\n"
        "metrics:\n"
        "  fallback_used: {kind: event}\n"
        "  length: {kind: score, cap: 500}\n"
        "  steps: {kind: score, edges: [1, 2.5]}\n"
        "slices: {origin: [EWR, JFK, NO], '24': ['007', 'true']}\n"
        "alpha: 1%\nalpha_pass: 0.1\napprovals: 2\nlease: 1s\nstale_after: 1m\noutcomes_stale_after: 2d\nmaturity: 80%\n"
    )

    draft = read(text, file="glideslope.yaml").draft

    assert draft == Draft(
        model=ModelName("late-arrival"),
        candidate=VersionName("v2"),
        owner="flights@example.com",
        why="Fewer misses in the evening.",
        stages=(
            StageDraft(stage=StageKind.OFFLINE),
            StageDraft(stage=StageKind.SHADOW, mirror=1_250, minimum=HOUR, maximum=DAY),
            StageDraft(
                stage=StageKind.CANARY,
                shares=(500, 2_500),
                minimum=10 * MINUTE,
                maximum=DAY,
                at_maximum=AtMaximum.ROLL_BACK,
            ),
            StageDraft(stage=StageKind.CANARY, shares=(5_000,)),
            StageDraft(stage=StageKind.FULL, minimum=SECOND // 2),
            StageDraft(stage=StageKind.BAKE, minimum=90 * MINUTE, at_maximum=AtMaximum.EXTEND),
        ),
        guardrails=(
            GuardrailDraft(
                metric=MetricName("errors"),
                margin=Margin(MarginKind.ABSOLUTE, 0.005),
                harm=HarmNull.BEYOND_MARGIN,
                limit=0.02,
                weight=3,
                base_rate=0.01,
            ),
            GuardrailDraft(metric=MetricName("latency"), margin=Margin(MarginKind.RELATIVE, 0.25), required=False),
            GuardrailDraft(metric=MetricName("log_loss"), margin=Margin(MarginKind.ABSOLUTE, 0.02)),
            GuardrailDraft(metric=MetricName("fallback_used"), margin=Margin(MarginKind.ABSOLUTE, 0.01)),
        ),
        metrics=(
            MetricDraft(name=MetricName("fallback_used"), kind=Kind.EVENT),
            MetricDraft(name=MetricName("length"), kind=Kind.SCORE, cap=500.0),
            MetricDraft(name=MetricName("steps"), kind=Kind.SCORE, edges=(1.0, 2.5)),
        ),
        slices=(Dimension("origin", ("EWR", "JFK", "NO")), Dimension("24", ("007", "true"))),
        offline=(
            Criterion(metric="log_loss", holdout="by-day", margin=0.0, lower_is_better=True),
            Criterion(metric="auc", holdout="by-day", margin=0.01, lower_is_better=False),
            Criterion(metric="auc", holdout="random", margin=0.02, lower_is_better=False),
        ),
        alpha=0.01,
        alpha_pass=0.1,
        approvals=2,
        lease=SECOND,
        stale_after=MINUTE,
        outcomes_stale_after=2 * DAY,
        maturity=0.8,
    )


def attempt(act: Callable[[], T]) -> T | DocumentInvalid:
    try:
        return act()
    except DocumentInvalid as error:
        return error


# Each golden file holds the error of one document as people see it.
METRIC = FOUR + "metrics:\n  own: {"

CASES = {
    "unknown-key": FOUR + "guardrails:\n  - {metric: errors, marginn: 0.5pp}\n",
    "unknown-key-at-the-top": FOUR + "guardrail: []\n",
    "unknown-key-like-nothing": FOUR + "zzz: 1\n",
    "unknown-key-in-a-criterion": FOUR + "stages:\n  - offline: {log_loss: {hodlout: by-day, margin: 0.0}}\n",
    "unknown-key-in-a-short-stage": FOUR + "stages:\n  - shadow: {fro: 1h}\n",
    "unknown-stage": FOUR + "stages:\n  - canarry: [5%]\n",
    "two-stages-in-one": FOUR + "stages:\n  - {full: 1h, bake: 1h}\n",
    "stage-that-is-a-word": FOUR + "stages:\n  - full\n",
    "no-stages": FOUR + "stages: []\n",
    "offline-twice": FOUR
    + "stages:\n  - offline: {log_loss: {holdout: a, margin: 0}}\n  - offline: {brier: {holdout: a, margin: 0}}\n",
    "offline-without-criteria": FOUR + "stages:\n  - offline: {}\n",
    "offline-direction-unknown": FOUR + "stages:\n  - offline: {auc: {holdout: by-day, margin: 0.01}}\n",
    "unknown-metric": FOUR + "guardrails:\n  - {metric: latancy, margin: 25%}\n",
    "unknown-metric-beside-own": FOUR
    + "metrics: {fallback_used: {kind: event}}\nguardrails:\n  - {metric: fallback_use, margin: 1pp}\n",
    "a-relative-margin-of-an-own-score": FOUR
    + "metrics: {length: {kind: score, cap: 500}}\nguardrails:\n  - {metric: length, margin: 10%}\n",
    "a-metric-of-no-kind": FOUR + "metrics: {length: {kind: gauge}}\n",
    "a-cap-below-zero": FOUR + "metrics: {length: {kind: score, cap: -1}}\n",
    "unknown-word": FOUR + "guardrails:\n  - {metric: errors, margin: 1pp, harm: wors}\n",
    "unknown-then": FOUR + "stages:\n  - canary: {shares: [5%], then: rollback}\n",
    "missing-key": "model: late-arrival\nowner: o\nwhy: w\n",
    "missing-margin": FOUR + "guardrails:\n  - metric: errors\n    weight: 2\n",
    "missing-shares": FOUR + "stages:\n  - canary: {for: 10m}\n",
    "a-number-for-text": "model: late-arrival\ncandidate: 2\nowner: o\nwhy: w\n",
    "text-for-a-number": FOUR + "approvals: two\n",
    "a-fraction-for-a-number": FOUR + "approvals: 1.5\n",
    "true-for-a-number": FOUR + "approvals: true\n",
    "a-word-for-true": FOUR + "guardrails:\n  - {metric: errors, margin: 1pp, required: yes}\n",
    "a-word-for-a-list": FOUR + "stages: canary\n",
    "a-list-for-a-word": "model: [late-arrival]\ncandidate: v2\nowner: o\nwhy: w\n",
    "a-list-for-keys": FOUR + "slices: [origin]\n",
    "a-bad-name": "model: Late Arrival\ncandidate: v2\nowner: o\nwhy: w\n",
    "an-empty-word": "model: late-arrival\ncandidate: v2\nowner: ''\nwhy: w\n",
    "a-duration-without-a-unit": FOUR + "lease: 2\n",
    "a-duration-in-weeks": FOUR + "stages:\n  - bake: 1w\n",
    "a-duration-in-splinters": FOUR + "lease: 0.0001s\n",
    "a-share-without-percent": FOUR + "stages:\n  - canary: [5]\n",
    "a-share-above-all": FOUR + "stages:\n  - canary: [50%, 101%]\n",
    "a-share-too-fine": FOUR + "stages:\n  - canary: [0.001%]\n",
    "a-margin-that-is-none": FOUR + "guardrails:\n  - {metric: errors, margin: small}\n",
    "a-margin-of-zero": FOUR + "guardrails:\n  - {metric: errors, margin: 0%}\n",
    "an-absolute-margin-of-latency": FOUR + "guardrails:\n  - {metric: latency, margin: 0.1}\n",
    "a-relative-margin-of-a-score": FOUR + "guardrails:\n  - {metric: log_loss, margin: 10%}\n",
    "points-of-a-score": FOUR + "guardrails:\n  - {metric: log_loss, margin: 1pp}\n",
    "a-proof-of-a-calibration": FOUR + "guardrails:\n  - {metric: calibration, margin: 0.05, required: true}\n",
    "a-proof-of-a-mean-without-bounds": FOUR
    + "guardrails:\n  - {metric: spent, margin: 0.5, required: true}\nmetrics:\n  spent: {kind: unbounded-mean, unit: 0.01}\n",
    "a-limit-of-a-score": FOUR + "guardrails:\n  - {metric: log_loss, margin: 0.1, limit: 0.5}\n",
    "a-guardrail-twice": FOUR + "guardrails:\n  - {metric: errors, margin: 1pp}\n  - {metric: errors, margin: 2pp}\n",
    "no-guardrails": FOUR + "guardrails: []\n",
    "alpha-above-one": FOUR + "alpha: 1.5\n",
    "a-weight-of-zero": FOUR + "guardrails:\n  - {metric: errors, margin: 1pp, weight: 0}\n",
    "a-slash-in-a-slice": FOUR + "slices: {ori/gin: [EWR]}\n",
    "a-slice-value-twice": FOUR + "slices: {origin: [EWR, JFK, EWR]}\n",
    "a-number-as-a-slice": FOUR + "slices: {hour: [1, 2]}\n",
    "a-slice-without-values": FOUR + "slices: {origin: []}\n",
    "four-dimensions": FOUR + "slices: {a: [x], b: [x], c: [x], d: [x]}\n",
    "too-many-values": FOUR + "slices:\n  origin:\n" + "".join(f"    - v{k}\n" for k in range(251)),
    "a-key-twice": FOUR + "model: other\n",
    "a-key-without-a-value": FOUR + "alpha:\n",
    "an-entry-without-a-value": FOUR + "stages:\n  -\n",
    "a-tab": FOUR + "stages:\n\t- full: 1h\n",
    "an-anchor": FOUR + "stages: &s [{full: 1h}]\n",
    "an-alias": FOUR + "stages: *s\n",
    "a-merge": FOUR + "<<: {alpha: 1}\n",
    "a-tag": FOUR + "alpha: !!float 1\n",
    "a-key-that-is-no-word": FOUR + "[a]: 1\n",
    "two-documents": FOUR + "---\n" + FOUR,
    "an-empty-file": "",
    "only-a-comment": "# later\n",
    "only-a-marker": "---\n",
    "only-a-word": "late-arrival\n",
    "only-a-list": "- late-arrival\n",
    "an-open-bracket": FOUR + "stages: [\n",
    "an-open-quote": FOUR + 'owner2: "x\n',
    "a-colon-too-many": FOUR + "alpha: a: b\n",
    "too-deep": FOUR + "stages: " + "[" * 40 + "]" * 40 + "\n",
    "a-character-that-cannot-be-printed": FOUR + "alpha: \x07\n",
    "an-input-that-is-not-there": METRIC + "expression: predicton >= 0.8 and not happened}\n",
    "an-expression-that-is-a-text": METRIC + "expression: origin}\nslices: {origin: [EWR, JFK]}\n",
    "an-expression-in-quotes": METRIC + "expression: 'origin == ''EWRR'''}\nslices: {origin: [EWR, JFK]}\n",
    "an-expression-over-lines": FOUR
    + "metrics:\n  own:\n    expression: >-\n      prediction > 0.8\n      && happened\n",
    "an-expression-of-another-kind": METRIC + "expression: prediction > 0.8, kind: score, cap: 1}\n",
    "an-expression-of-nothing": METRIC + "expression: 1 + 1, cap: 2}\n",
    "an-expression-and-a-plugin": METRIC + "expression: happened, plugin: own}\n",
    "an-early-attribute-and-the-truth": METRIC
    + "expression: happened and tokens > 5}\nattributes: {tokens: {type: number, with: prediction}}\n",
    "an-attribute-that-means-something-else": FOUR + "attributes: {happened: number}\n",
    "an-attribute-of-no-type": FOUR + "attributes: {amount: money}\n",
    "a-value-of-nothing": FOUR + "value: {currency: EUR}\n",
    "a-value-without-bounds": FOUR + "value: {currency: EUR, expression: happened * 2}\n",
    "a-value-that-is-true": FOUR + "value: {currency: EUR, expression: happened, floor: 0, cap: 1}\n",
    "a-value-that-is-always-the-same": FOUR + "value: {currency: EUR, quiet: 0}\n",
    "a-currency-of-words": FOUR + "value: {currency: euro cents, hit: 1}\n",
    "a-guardrail-on-no-value": FOUR + "guardrails: [{metric: value, margin: 0.5}]\n",
    "a-budget-of-both": FOUR + "harm_budget: {metric: errors, count: 3, excess: 3.0}\n",
    "a-budget-in-no-metric": FOUR + "harm_budget: [{metric: error, count: 3}]\n",
    "a-budget-of-zero": FOUR + "harm_budget: {metric: errors, count: 0}\n",
}


@pytest.mark.parametrize("name", CASES)
def test_each_mistake_is_told_as_in_its_golden_file(name: str) -> None:
    """The wording is part of the interface: a change of it is looked at, here."""
    error = refusal(CASES[name])

    found = told(fields_of(error), word="error") + "\n"
    assert found == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_what_can_never_be_proven_is_not_required_unless_said_and_is_printed_so() -> None:
    plain = FOUR + "guardrails:\n  - {metric: errors, margin: 1pp}\n  - {metric: calibration, margin: 0.05}\n"

    draft = read(plain, file="glideslope.yaml").draft

    assert [g.required for g in draft.guardrails] == [True, False]
    silent = msgspec.structs.replace(draft.guardrails[1], required=True)  # as a program leaves it
    shown = show(msgspec.structs.replace(draft, guardrails=(draft.guardrails[0], silent)))
    assert read(shown, file="glideslope.yaml").draft == draft


def test_no_golden_file_is_without_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(CASES)


def test_a_file_that_is_too_long_is_not_read() -> None:
    assert "longer than" in refusal(FOUR + "#" * LARGEST).sentence


@pytest.mark.parametrize(
    ("data", "line", "column"), [(b"\xff", 1, 1), (b"model: a\nwhy: caf\xe9\n", 2, 9), (b"model: \xc3", 1, 8)]
)
def test_what_is_not_utf_8_is_refused_where_it_begins(data: bytes, line: int, column: int) -> None:
    with pytest.raises(DocumentInvalid, match="is not UTF-8") as caught:
        decode(data, file="x.yaml")

    assert (caught.value.line, caught.value.column, caught.value.file) == (line, column, "x.yaml")


@pytest.mark.parametrize(
    ("where", "shown"),
    [
        ("alpha", "alpha"),
        ("stages", "stages"),
        ("guardrails", "guardrails"),
        ("guardrails.latency", "latency"),
        ("guardrails.errors", "errors"),
        ("guardrails.brier", "guardrails"),
        ("offline", "offline"),
        ("candidate", "candidate"),
        ("metrics.length", "length"),
        ("slices", "model"),  # not written, so the file as a whole
        ("", "model"),
    ],
)
def test_a_later_refusal_is_shown_where_it_belongs(where: str, shown: str) -> None:
    text = FOUR + (
        "alpha: 0.9\nstages:\n  - offline: {log_loss: {holdout: a, margin: 0.0}}\n  - canary: [5%]\n"
        "guardrails:\n  - {metric: errors, margin: 1pp}\n  - {metric: latency, margin: 25%}\n"
        "metrics:\n  length: {kind: score, cap: 500}\n"
    )

    error = read(text, file="x.yaml").located(PlanInvalid("It cannot be.", where=where, next_command="glideslope plan"))

    assert (error.sentence, error.next_command) == ("It cannot be.", "glideslope plan")
    assert error.source[error.column - 1 :].lstrip("{").startswith(shown)


def test_what_is_located_already_stays_where_it_is() -> None:
    error = refusal(FOUR + "zzz: 1\n")

    assert read(FOUR, file="y.yaml").located(error) is error


# -- any text ----------------------------------------------------------------------------------------------------------

FRAGMENTS = st.sampled_from(
    [
        *(
            "model",
            "candidate",
            "owner",
            "why",
            "stages",
            "guardrails",
            "slices",
            "alpha",
            "canary",
            "shadow",
            "offline",
        ),
        *(
            ": ",
            ":",
            "\n",
            "\n  ",
            "\n  - ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ", ",
            "#",
            "'",
            '"',
            "|\n",
            ">",
            "&a",
            "*a",
            "!!",
            "---\n",
        ),
        *(
            "v2",
            "5%",
            "10m",
            "1.5",
            "true",
            "~",
            "errors",
            "metric",
            "margin",
            "\t",
            "\r",
            "\x85",
            "\u2028",
            "\ufeff",
            "%YAML",
        ),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(FRAGMENTS, max_size=40).map("".join),
    st.tuples(st.just(FOUR), st.lists(FRAGMENTS, max_size=20).map("".join)).map("".join),
    st.tuples(st.integers(0, len(FOUR)), st.text(max_size=5)).map(lambda cut: FOUR[: cut[0]] + cut[1] + FOUR[cut[0] :]),
)


@given(TEXTS)
@example("\ud800")
@example("a: 1e999\n" + FOUR)
@example(FOUR + "alpha: " + "9" * 5000)
@example(FOUR + "? x\n")
@example(FOUR + "...\n%YAML 9.9\n---\n")
@example("\ufeff" + FOUR)
def test_any_text_is_a_draft_or_a_refusal_that_points_into_it(text: str) -> None:
    found = attempt(lambda: read(text, file="any.yaml").draft)

    if isinstance(found, Draft):
        return
    lines = Source(text=text, file="any.yaml").lines
    assert 1 <= found.line <= len(lines)
    assert found.source == lines[found.line - 1]
    assert 1 <= found.column <= len(found.source) + 1
    assert 1 <= found.width <= max(1, len(found.source) + 1 - found.column)
    assert found.sentence


@given(st.binary(max_size=200))
def test_any_bytes_are_text_or_a_refusal_that_points_into_them(data: bytes) -> None:
    found = attempt(lambda: decode(data, file="any.yaml"))

    if isinstance(found, Source):
        assert found.text.encode() == data
    else:
        assert found.line >= 1
        assert found.column == len(found.source) + 1


# -- any draft ---------------------------------------------------------------------------------------------------------


@given(DRAFTS, st.none() | CRITERIA)
def test_a_draft_written_out_reads_back_the_same(draft: Draft, criteria: tuple[Criterion, ...] | None) -> None:
    if criteria is not None:
        stages = (StageDraft(stage=StageKind.OFFLINE), *draft.stages)
        draft = msgspec.structs.replace(draft, stages=stages, offline=criteria)

    assert read(show(draft), file="shown.yaml").draft == draft


def test_a_draft_that_no_file_can_say_is_refused() -> None:
    stage = StageDraft(stage=StageKind.OFFLINE, minimum=HOUR)
    draft = Draft(model=ModelName("m"), candidate=VersionName("v"), owner="o", why="w", stages=(stage,))

    with pytest.raises(Invalid, match="no times"):
        show(draft)


@given(st.integers(0, 366 * DAY))
def test_durations_are_written_exactly(milliseconds: int) -> None:
    assert quantities.duration(quantities.write_duration(milliseconds)) == milliseconds


@pytest.mark.parametrize(
    ("written", "milliseconds"), [("500ms", 500), ("30s", 30_000), ("1.5m", 90_000), ("2h", 7_200_000), ("7d", 7 * DAY)]
)
def test_durations_are_read_in_their_units(written: str, milliseconds: int) -> None:
    assert quantities.duration(written) == milliseconds


@pytest.mark.parametrize(
    "written",
    ["", "s", "5", "5 s", "-5s", "5S", "1e3s", "\N{ARABIC-INDIC DIGIT FIVE}s", "5s\n", "1w", "0x1s", "400d", 5, None],
)
def test_what_is_not_a_duration_is_refused(written: object) -> None:
    with pytest.raises(ValueError, match=r"duration|whole number"):
        quantities.duration(written)


# -- the schema --------------------------------------------------------------------------------------------------------


def test_the_shipped_schema_is_the_one_of_the_reader() -> None:
    assert json.loads(shipped(SCHEMA_FILE)) == schema()


def test_the_schema_is_of_2020_12_knows_every_key_and_no_null() -> None:
    found = schema()

    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["additionalProperties"] is False
    assert set(found["required"]) == {"model", "candidate", "owner", "why"}
    assert all(each.get("description") for each in found["properties"].values())
    assert '"null"' not in json.dumps(found)
    assert '"default": null' not in json.dumps(found)
    definitions = set(found["$defs"])
    assert {part.split('"')[0] for part in json.dumps(found).split("#/$defs/")[1:]} == definitions


def test_the_plan_of_init_says_the_defaults_and_nothing_else() -> None:
    draft = read(shipped(EXAMPLE_FILE), file=EXAMPLE_FILE).draft

    plain = Draft(model=draft.model, candidate=draft.candidate, owner=draft.owner, why=draft.why)
    assert draft == plain


def test_a_line_is_where_yaml_ends_it() -> None:
    source = Source(text="a\r\nb\rc\x85d\u2028e\u2029f\n", file="x")

    assert list(source.lines) == ["a", "b", "c", "d", "e", "f", ""]
    assert list(replace(source, text="").lines) == [""]


def test_what_a_proposal_says_for_itself_is_read_and_written_back_and_nothing_is_added() -> None:
    said = "proposal: {benefit: fewer false alarms, benefit_metric: log_loss, risks: [], intended_use_changed: false}\n"
    draft = read(FOUR + said, file="glideslope.yaml").draft

    assert draft.proposal == Rationale(
        benefit="fewer false alarms", benefit_metric="log_loss", risks=(), intended_use_changed=False
    )
    assert read(show(draft), file="glideslope.yaml").draft == draft
    assert read(FOUR, file="glideslope.yaml").draft.proposal is None
