"""An evaluation from beginning to end, with servers that it starts: measured, judged, reported, resumed after kill -9."""

import base64
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import UNSET

from glideslope.domain.decision import Verdict
from glideslope.domain.governing.facts import Ending
from glideslope.domain.plan import Evaluation
from glideslope.evaluate import reporting
from glideslope.evaluate.conducting import conduct
from glideslope.evaluate.journal import NAME, EvaluationChanged
from glideslope.evaluate.reporting import schema
from glideslope.evaluate.results import Report
from glideslope.evaluate.serving import ServerNotReady
from glideslope.interfaces.document import measured
from glideslope.ledger import canonical


def run(folder: Path, *, again: bool = False, text: str | None = None) -> tuple[int, dict[str, Any]]:
    if text is not None:
        (folder / "evaluation.yaml").write_text(text)
    status = conduct(folder / "evaluation.yaml", work=None, again=again, write_split=None, as_json=False)
    return status, json.loads((folder / "evaluation.work" / "report.json").read_text())


@pytest.fixture
def small(document: str) -> str:
    return document.replace("cases: 20", "cases: 6").replace("seasons: [weekday]\n", "")


def test_a_sound_candidate_meets_all_and_the_report_is_what_its_digest_says(
    folder: Path, small: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, report = run(folder, text=small)
    content = (folder / "evaluation.work" / "report.json").read_bytes()
    registered = msgspec.json.decode(
        (folder / "evaluation.work" / "evaluations.json").read_bytes(), type=list[Evaluation]
    )

    assert (status, report["met"], report["failed"], report["inconclusive"]) == (0, True, 0, 0)
    assert "All is met." in capsys.readouterr().out
    jsonschema.validate(report, schema())
    assert canonical.encode(report) == content
    quality = "sha256:" + hashlib.sha256(canonical.encode(report["quality"])).hexdigest()
    assert report["quality_digest"] == quality
    assert {each.report for each in registered} == {"sha256:" + hashlib.sha256(content).hexdigest()}
    assert (registered[0].metric, registered[0].candidate, registered[0].verdict) == ("unmet", 0.0, Verdict.PASS)
    loss = next(each for each in registered if each.metric == "log_loss")
    assert isinstance(loss.low, float)
    assert isinstance(loss.high, float)
    assert loss.low <= loss.candidate - loss.incumbent <= loss.high
    facts = measured.read((folder / "evaluation.work" / "measured.json").read_bytes(), file="measured.json")
    assert {each.report for each in facts.evaluations} == {each.report for each in registered}
    assert {(each.of, each.against) for each in facts.evaluations} == {(UNSET, UNSET)}, "no folder is declared"
    arms = {
        arm: {**report[arm], "digest": "sha256:" + number * 64}
        for arm, number in (("candidate", "2"), ("incumbent", "1"))
    }
    of_bytes = reporting.measured(msgspec.convert({**report, **arms}, Report)).evaluations
    assert {(each.of, each.against) for each in of_bytes} == {
        (arms["candidate"]["digest"], arms["incumbent"]["digest"])
    }
    stated = {(each.metric, each.slice): each for each in facts.evaluations}
    assert stated["log_loss", "all"].value == loss.candidate
    assert stated["log_loss", "all"].verdict is loss.verdict
    checks = {f"leakage {each['check']}": each["skipped"] for each in report["quality"]["leakage"]}
    checks |= {f"scenario {each['name']}": each["skipped"] for each in report["quality"]["scenarios"]}
    assert {each.name: each.outcome is Ending.SKIPPED for each in facts.validations} == checks


@pytest.mark.parametrize("behaviour", ["fails", "dies"])
def test_a_server_that_fails_on_spoilt_input_is_found_out(folder: Path, small: str, behaviour: str) -> None:
    """It answers every row of the holdout: only the scenarios tell. One that dies is started again for the next."""
    status, report = run(folder, text=small.replace('"1.0", good', f'"1.0", {behaviour}'))
    found = {each["name"]: each for each in report["quality"]["scenarios"]}

    assert status == 1
    assert report["quality"]["unanswered_candidate"] == 0
    assert {n for n, each in found.items() if each["verdict"] != "pass"} == {
        "missing", "absent", "corrupted", "out_of_range", "unseen",
    }  # fmt: skip
    assert found["missing"]["incumbent"]["broken"] == 0
    checks = measured.read(
        (folder / "evaluation.work" / "measured.json").read_bytes(), file="measured.json"
    ).validations
    assert {each.name.removeprefix("scenario ") for each in checks if each.outcome is Ending.FAILED} == {
        n for n, each in found.items() if each["verdict"] != "pass" and not each["skipped"]
    }
    assert found["missing"]["candidate"]["crashes"] == (behaviour == "dies")
    assert found["missing"]["candidate"]["examples"]


KINDS = {
    "regression": (
        '{"prediction": 100 + 2 * slope * x}',
        "kind: regression",
        "mae: {limit: 5, margin: 1}\n  r2: {margin: 0.1, slices: 0.3}\n",
        "raise: x, by: 1.0",
        lambda row: 100 + 2 * row["x"] + (0.5 if row["code"] == "b" else 0.0),
    ),
    "multiclass": (
        '{"probabilities": {"low": (1 - probability) / 2, "mid": (1 - probability) / 2, "high": probability}}',
        "kind: multiclass, classes: [low, mid, high]",
        "log_loss: {limit: 1.5, margin: 0.5}\n  recall: {limit: 1%}\n  accuracy: {margin: 0.1}\n",
        "raise: x, by: 1.0, of: high",
        lambda row: "high" if row["x"] > 0 else "mid" if row["code"] == "b" else "low",
    ),
}
"""Of each other kind: what the server answers, what the data is, what is asked, which way it must go, and the truth."""


@pytest.mark.parametrize("kind", list(KINDS))
def test_other_kinds_of_outcome_are_measured_sliced_tried_and_reported(
    folder: Path, small: str, rows: Callable[..., list[dict[str, Any]]], kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    answer, data, targets, raised, truth = KINDS[kind]
    serve = (folder / "serve.py").read_text()
    (folder / "serve.py").write_text(serve.replace('{"probability": probability}', answer))
    drawn = [{**row, "happened": truth(row)} for row in rows()]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in drawn))
    text = small.replace("positive: true", data).replace("raise: x, by: 1.0", raised)
    text = text.replace("log_loss: {limit: 0.7, margin: 0.1}\n  auc: {margin: 0.01}\n", targets)

    status, report = run(folder, text=text + "leakage: {target: 100%}\n")

    page = (folder / "evaluation.work" / "report.html").read_text()
    jsonschema.validate(report, schema())
    comparisons = report["quality"]["comparisons"]
    assert "positives" not in report["quality"]
    assert {s["name"] for s in report["quality"]["scenarios"] if s["verdict"] != "pass"} == set()
    assert {leak["check"] for leak in report["quality"]["leakage"] if leak["verdict"] != "pass"} == set()
    assert "code=a" in {c["slice"] for c in comparisons}
    if kind == "multiclass":
        assert report["quality"]["outcomes"].keys() == {"low", "mid", "high"}
        recall = {c["slice"]: c["candidate"]["value"] for c in comparisons if c["metric"] == "recall"}
        assert recall["happened=high"] > 0.9
        # Of "low" and "mid", to which it gives equal probabilities, the first is told: "mid" never, which is found.
        assert (recall["happened=mid"], status) == (0.0, 1)
        assert "<h2>Classes</h2>" in page
    else:
        assert (report["quality"]["outcomes"]["least"], status) == (min(r["happened"] for r in drawn[-150:]), 0)
        assert next(c for c in comparisons if c["metric"] == "r2")["candidate"]["value"] > 0.9
        assert "All is met." in capsys.readouterr().out
    # What was answered is kept: nobody is asked again, and the same bytes come out.
    content = (folder / "evaluation.work" / "report.json").read_bytes()
    (folder / "serve.py").unlink()
    run(folder)
    assert (folder / "evaluation.work" / "report.json").read_bytes() == content


def test_a_worse_candidate_fails_its_targets(folder: Path, small: str) -> None:
    status, report = run(folder, text=small.replace('"1.0", good', '"-0.5", good'))
    verdicts = {
        c["metric"]: [b["verdict"] for b in c["bounds"]]
        for c in report["quality"]["comparisons"]
        if c["slice"] == "all"
    }

    assert status == 1
    assert verdicts["log_loss"] == ["fail", "fail"]
    assert verdicts["auc"] == ["fail"]
    assert next(s for s in report["quality"]["scenarios"] if s["name"] == "direction: x +1")["verdict"] == "fail"


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool], *, within: float = 300.0) -> bool:
    deadline = time.monotonic() + within
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


@pytest.fixture
def killed(folder: Path, small: str) -> tuple[list[int], list[bytes]]:
    """Begin an evaluation in a process of its own and kill it with half of it done; return its servers and what was on disk."""
    (folder / "evaluation.yaml").write_text(small)
    process = subprocess.Popen(
        [sys.executable, "-m", "glideslope", "evaluate", "evaluation.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    journal = folder / "evaluation.work" / NAME
    try:
        assert until(lambda: journal.exists() and b"scenario/missing/candidate" in journal.read_bytes())
        servers = children_of(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return servers, journal.read_bytes().splitlines()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the servers on Linux only")
def test_after_kill_9_no_server_is_left_and_what_was_finished_is_not_measured_again(
    folder: Path, killed: tuple[list[int], list[bytes]]
) -> None:
    servers, before = killed
    assert len(servers) == 2
    assert until(lambda: not any(is_running(pid) for pid in servers))
    assert not (folder / "evaluation.work" / "report.json").exists()

    status, resumed = run(folder)
    after = (folder / "evaluation.work" / NAME).read_bytes().splitlines()
    parts = [json.loads(line)["part"] for line in after[1:]]

    assert status == 0
    assert after[: len(before)] == before
    assert len(parts) == len(set(parts))
    assert run(folder, again=True)[1]["quality_digest"] == resumed["quality_digest"]


def test_ctrl_c_ends_the_servers_keeps_what_was_finished_and_says_how_to_go_on(folder: Path, small: str) -> None:
    (folder / "evaluation.yaml").write_text(small)
    process = subprocess.Popen(
        [sys.executable, "-m", "glideslope", "evaluate", "evaluation.yaml"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        # As at a terminal: whoever runs these tests in the background has them ignore it, and their children with them.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - this process has one thread when it forks
    )
    journal = folder / "evaluation.work" / NAME
    try:
        assert until(lambda: journal.exists() and b"answers/candidate/0" in journal.read_bytes())
        servers = children_of(process.pid)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=300)
    finally:
        process.kill()

    assert process.returncode == 130
    assert "Interrupted; the servers are ended" in said
    assert until(lambda: not any(is_running(pid) for pid in servers))
    assert run(folder)[0] == 0


def test_a_finished_evaluation_asks_nobody_and_gives_the_same_bytes(folder: Path, small: str) -> None:
    run(folder, text=small)
    content = (folder / "evaluation.work" / "report.json").read_bytes()
    (folder / "serve.py").unlink()

    run(folder)

    assert (folder / "evaluation.work" / "report.json").read_bytes() == content


def test_other_targets_are_judged_without_asking_again_and_other_rows_are_refused(
    folder: Path, small: str, rows: Callable[..., list[dict[str, Any]]]
) -> None:
    run(folder, text=small)
    (folder / "serve.py").unlink()
    status, report = run(folder, text=small.replace("limit: 0.7", "limit: 0.1"))
    assert (status, report["failed"]) == (1, 1)

    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(seed=6)))
    with pytest.raises(EvaluationChanged, match=r"the rows of rows\.jsonl"):
        run(folder)


def test_versions_that_answer_otherwise_than_before_are_refused(folder: Path, small: str) -> None:
    """The command and the file are the same; what they serve is not."""
    run(folder, text=small)
    (folder / "serve.py").write_text((folder / "serve.py").read_text().replace("-slope * x", "-2 * slope * x"))

    with pytest.raises(EvaluationChanged, match="what the candidate answers"):
        run(folder, text=small.replace("cases: 6", "cases: 7"))


def test_a_server_that_does_not_come_up_is_told_with_what_it_said(folder: Path, small: str) -> None:
    (folder / "serve.py").write_text("raise SystemExit('no model here')")

    with pytest.raises(ServerNotReady, match="no model here"):
        run(folder, text=small)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("request: {", "request: {answer: score, ", "nothing at score"),
        ("[x, code], known_at: {x: known}", "[x]", "422"),
    ],
)
def test_a_server_that_answers_no_row_is_refused_with_what_it_said(
    folder: Path, small: str, old: str, new: str, words: str
) -> None:
    with pytest.raises(ServerNotReady, match="of the first 50 rows it answered none") as refused:
        run(folder, text=small.replace(old, new))

    assert words in refused.value.sentence


def test_a_command_without_the_port_is_told_of_it(folder: Path, small: str) -> None:
    with pytest.raises(ServerNotReady, match=r"does not say \{port\}, so it must listen on \$PORT"):
        run(folder, text=small.replace('"{port}", "1.0"', 'nowhere, "1.0"'))


class Page(HTMLParser):
    """Collects what a page asks a browser for."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.policy = ""
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.asked += [
            (name, value or "") for name, value in attrs if name in ("src", "href", "style") or name.startswith("on")
        ]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "svg":
            self.images.append(values)


def test_the_page_needs_nothing_else_and_takes_no_markup_from_anybody(folder: Path, small: str) -> None:
    text = small.replace("holdout: days", 'holdout: "<script>alert(1)</script>"').replace(
        "scenarios: {", 'scenarios: {skip: {unseen: "<img src=x onerror=alert(1)>"}, '
    )
    run(folder, text=text + "load: {levels: [20], for: 500ms, rounds: 1, carried: 50%}\n")
    html = (folder / "evaluation.work" / "report.html").read_text()
    page = Page()
    page.feed(html)

    assert page.asked == []
    assert {"script", "img", "link", "iframe"} & set(page.tags) == set()
    style = html.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.policy == f"default-src 'none'; style-src 'sha256-{digest}'"
    assert "prefers-color-scheme: dark" in style
    assert len(page.images) == 3
    assert all(image["role"] == "img" and image["aria-label"] for image in page.images)
    assert page.tags.count("table") == page.tags.count("caption") >= 6


def test_load_is_part_of_the_report_and_of_the_verdict(folder: Path, small: str) -> None:
    text = small.replace(
        "auc: {margin: 0.01}",
        "throughput: {limit: 40}, latency_p50: {limit: 4s}, cost: {limit: 1000}".replace(", ", "\n  "),
    )
    text += "load: {levels: [40], for: 1s, rounds: 1, carried: 50%, replay: true}\ncost: {per_cpu_hour: 1.0}\n"
    status, report = run(folder, text=text)

    assert status == 0, report["service_comparisons"]
    assert [level["name"] for level in report["service"]] == ["40/s", "replay"]
    assert {each["metric"] for each in report["service_comparisons"]} == {
        "latency_p50", "latency_p95", "latency_p99", "throughput", "cost",
    }  # fmt: skip
