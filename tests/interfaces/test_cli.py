"""Each verb asks the API for what it says, prints data on stdout and refusals on stderr, and ends with its documented status."""

import json
from pathlib import Path
from typing import Any

import pytest

from glideslope.domain.errors import (
    Conflict,
    Denied,
    GlideslopeError,
    Invalid,
    NotFound,
    Refused,
    StoreUnavailable,
    Unavailable,
)
from glideslope.interfaces.cli.exits import Exit, exit_of
from glideslope.interfaces.cli.main import VERBS, glideslope

DIGEST = "sha256:" + "3" * 64
ID = "late-arrival-1"


def applied(desk: Any, *, approvals: int = 0) -> None:
    Path("glideslope.yaml").write_text(
        f"model: late-arrival\ncandidate: v2\nowner: o@example.com\nwhy: better\napprovals: {approvals}\n"
    )
    assert desk.run("apply").exit_code == 0


def told(result: Any) -> str:
    """Return what was printed, so that a failing comparison of statuses shows it."""
    return f"{result.exit_code}\n{result.stdout}\n{result.stderr}\n{result.exception!r}"


def test_a_plan_is_shown_with_what_each_step_can_detect_and_nothing_changes(desk: Any, service: Any) -> None:
    result = desk.run("plan")

    assert result.exit_code == 0, told(result)
    assert "late-arrival: v1 (sha256:11111111) -> v2 (sha256:22222222)" in result.stdout
    assert "s1    canary  5%     20%      10m    7d    hold" in result.stdout
    assert "s1    errors     0.0123   14m       4,200              310" in result.stdout
    assert "warning W-HOLDOUT: The holdout shares days with the training." in result.stdout
    assert result.stdout.endswith("Nothing has changed yet. Next: glideslope apply\n")
    assert service.rollouts == {}


def test_a_plan_has_changes_until_it_is_carried_out(desk: Any) -> None:
    before = desk.run("plan", "--exit-code")
    applied(desk)
    Path("glideslope.yaml").write_text(
        "model: late-arrival\ncandidate: v2\nowner: o@example.com\nwhy: better\napprovals: 0\n"
    )
    after = desk.run("plan", "--exit-code")

    assert (before.exit_code, after.exit_code) == (Exit.CHANGES, Exit.DONE)


def test_the_defaults_of_a_plan_are_printed_as_a_plan(desk: Any) -> None:
    shown = desk.run("plan", "--show-defaults").stdout
    Path("full.yaml").write_text(shown)

    assert "alpha_pass: 0.05" in shown
    assert desk.run("plan", "full.yaml", "--show-defaults").stdout == shown


def test_apply_proposes_exactly_the_plan_that_it_shows(desk: Any, service: Any) -> None:
    result = desk.run("apply")

    digest = service.rollouts[ID].plan_digest
    assert result.exit_code == 0, told(result)
    assert f"plan {digest}" in result.stdout
    assert f"Next: glideslope watch {ID}" in result.stdout
    sent = json.loads(desk.api.calls[-1][2])
    assert (sent["plan_digest"], desk.api.calls[-1][3]) == (digest, {"Idempotency-Key": "cli-1"})


def test_apply_refuses_when_the_plan_is_not_the_one_that_was_seen(desk: Any, service: Any) -> None:
    result = desk.run("apply", "--digest", DIGEST)

    assert (result.exit_code, service.rollouts) == (Exit.REFUSED, {})
    assert result.stderr.splitlines()[-2].startswith("refused[digest-changed]:")


def test_approvals_are_bound_to_the_digest_that_is_shown(desk: Any, service: Any) -> None:
    applied(desk, approvals=1)
    pending = desk.run("status", ID)
    own = desk.run("approve", ID, "-m", "fine")
    desk.http.headers["Authorization"] = "Bearer gs_member"
    result = desk.run("approve", "late-arrival", "-m", "looked at it")

    assert (pending.exit_code, own.exit_code, result.exit_code) == (Exit.PENDING, Exit.REFUSED, Exit.DONE), told(result)
    assert "self-approval" in own.stderr
    assert "1 of 1 approvals are given" in result.stdout
    assert service.rollouts[ID].approved_by == ("mia",)


def test_a_no_is_recorded_as_a_no(desk: Any, service: Any) -> None:
    applied(desk, approvals=1)
    desk.http.headers["Authorization"] = "Bearer gs_member"

    result = desk.run("approve", ID, "--deny", "-m", "not yet")

    assert (result.exit_code, service.rollouts[ID].denied_by) == (0, ("mia",))


def test_people_halt_resume_roll_back_and_retry(desk: Any, service: Any) -> None:
    applied(desk)

    outputs = [
        desk.run("halt", "late-arrival", "-m", "holiday"),
        desk.run("status", ID),
        desk.run("resume", ID, "-m", "back"),
        desk.run("status", ID),
        desk.run("rollback", ID, "-m", "complaints"),
        desk.run("status", ID),
        desk.run("retry", ID, "-m", "fixed", "-f", "glideslope.yaml"),
    ]

    assert [each.exit_code for each in outputs] == [0, Exit.HALTED, 0, 0, 0, Exit.ROLLED_BACK, 0], outputs[-1].output
    assert "the candidate has 0% of the traffic, confirmed by the data plane" in outputs[0].stdout
    assert service.rollouts["late-arrival-2"].attempt_of == ID


@pytest.mark.parametrize(
    "arguments",
    [
        ["register", "m", "v", "--url", "http://x", "--digest", DIGEST],
        ["approve", ID],
        ["halt", ID],
        ["resume", ID],
        ["rollback", ID],
        ["retry", ID],
    ],
    ids=lambda arguments: arguments[0],
)
def test_every_act_needs_a_reason(desk: Any, arguments: list[str]) -> None:
    result = desk.run(*arguments)

    assert (result.exit_code, desk.api.calls) == (Exit.INVALID, [])
    assert "'-m' / '--message'" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["register", "late-arrival", "v3", "--url", "http://x", "--digest", DIGEST, "-m", "w"],
        ["apply"],
        ["approve", ID, "-m", "w"],
        ["halt", ID, "-m", "w"],
        ["resume", ID, "-m", "w"],
        ["rollback", ID, "-m", "w"],
        ["retry", ID, "-m", "w"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_dry_run_sends_nothing_that_changes_anything(desk: Any, service: Any, arguments: list[str]) -> None:
    applied(desk)
    before = (dict(service.rollouts), dict(service.models["late-arrival"]), len(desk.api.calls))

    result = desk.run(*arguments, "--dry-run", "--json")

    assert result.exit_code == 0, told(result)
    assert json.loads(result.stdout)["sent"] is False
    assert (service.rollouts, service.models["late-arrival"]) == before[:2]
    assert all(method == "GET" or path == "/v1/plan" for method, path, _, _ in desk.api.calls[before[2] :])


def test_a_version_is_registered_by_the_digest_of_its_folder(desk: Any, service: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)
    evaluation = [{"metric": "auc", "holdout": "by-day", "incumbent": 0.66, "candidate": 0.65, "count": 3984}]
    Path("evaluation.json").write_text(json.dumps(evaluation))

    result = desk.run(
        *["register", "late-arrival", "v3", "--url", "http://127.0.0.1:9003", "--folder", "model"],
        *["--evaluation", "evaluation.json", "-m", "fresher"],
    )

    assert result.exit_code == 0, told(result)
    known = service.models["late-arrival"]["v3"]
    assert (known.digest, known.evaluations[0].count, known.why) == (DIGEST, 3984, "fresher")
    assert desk.kept == [(tmp_path / ".glideslope", Path("model"))]


@pytest.mark.parametrize("option", [["--no-copy"], ["--dry-run"], ["--server", "http://elsewhere:8787"]])
def test_no_copy_is_kept_when_none_is_wanted_or_none_could_be_found(
    desk: Any, tmp_path: Path, option: list[str]
) -> None:
    """The state folder here is not that of a server elsewhere; and what changes nothing keeps nothing."""
    folder = tmp_path / "model"
    folder.mkdir()
    for name in "abc":
        (folder / name).write_text(name)

    result = desk.run("register", "late-arrival", "v3", "--url", "http://x", "--folder", "model", "-m", "w", *option)

    assert (result.exit_code, desk.kept) == (0, []), told(result)


@pytest.mark.parametrize("more", [[], ["--folder", "x", "--digest", DIGEST]])
def test_a_version_is_either_a_folder_or_a_digest(desk: Any, more: list[str]) -> None:
    result = desk.run("register", "m", "v", "--url", "http://x", "-m", "w", *more)

    assert (result.exit_code, desk.api.calls) == (Exit.INVALID, [])


def test_a_broken_evaluation_file_is_named(desk: Any) -> None:
    Path("e.json").write_text('[{"metric": 1}]')

    result = desk.run("register", "m", "v", "--url", "u", "--digest", DIGEST, "--evaluation", "e.json", "-m", "w")

    assert (result.exit_code, desk.api.calls) == (Exit.INVALID, [])
    assert "e.json" in result.stderr


def test_outcomes_are_sent_from_json_lines_and_csv(desk: Any, service: Any) -> None:
    Path("o.jsonl").write_text(
        '{"prediction": "abcd", "happened": true}\n\n{"prediction": "efgh", "happened": false}\n'
    )
    Path("o.csv").write_text("prediction,happened\nabcd,1\nx,false\n")

    lines, table = desk.run("outcomes", "o.jsonl"), desk.run("outcomes", "o.csv")
    piped = desk.run("outcomes", "-", "--json", stdin='{"prediction": "abcd", "happened": true}\n')

    assert (lines.exit_code, table.exit_code, piped.exit_code) == (0, Exit.REFUSED, 0), told(piped)
    assert "2 outcomes: 2 counted" in lines.stdout
    assert "x: too short [receipt-invalid]" in table.stderr
    assert json.loads(piped.stdout)["counted"] == 1
    assert [(o.prediction, o.happened) for o in service.reported[1].outcomes] == [("abcd", True), ("x", False)]


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("o.jsonl", b'{"prediction": "abcd", "happened": true}\n{"prediction": 1}\n', 2),
        ("o.jsonl", b"\xff\n", 1),
        ("o.csv", b"id,happened\na,1\n", 1),
        ("o.csv", b"prediction,happened\nabcd,1\nabcd,maybe\n", 3),
        ("o.csv", b"prediction,happened\nabcd\n", 2),
        ("o.csv", b"", 1),
    ],
)
def test_a_bad_line_of_outcomes_is_named(desk: Any, name: str, content: bytes, line: int) -> None:
    Path(name).write_bytes(content)

    result = desk.run("outcomes", name)

    assert result.exit_code == Exit.INVALID, told(result)
    assert f"{name}:{line}:" in result.stderr


def test_looking_shows_what_there_is(desk: Any) -> None:
    applied(desk)

    listing, rollout, model, server = (
        desk.run("ls"),
        desk.run("show", ID),
        desk.run("show", "late-arrival"),
        desk.run("status"),
    )

    assert [each.exit_code for each in (listing, rollout, model, server)] == [0, 0, 0, 0], told(rollout)
    assert "late-arrival  v1         2         12.5        late-arrival-1" in listing.stdout
    assert "errors     all" in rollout.stdout
    assert "#2 (entry 8)  advance [guardrails-passed]" in rollout.stdout
    assert "ada proposed to replace v1 by v2." in rollout.stdout
    assert "v2       registered  sha256:2222" in model.stdout
    assert "42 entries in the ledger" in server.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "--show-defaults"],
        ["ls"],
        ["show", ID],
        ["show", "late-arrival"],
        ["status"],
        ["status", ID],
        ["doctor"],
        ["replay", ID, "2"],
        ["halt", ID, "-m", "w"],
        ["rollback", ID, "-m", "w"],
        ["explain"],
        ["explain", "plan-invalid"],
        ["schema"],
        ["token", "ls"],
        ["token", "create", "bob", "--role", "reader"],
    ],
    ids=" ".join,
)
def test_with_json_stdout_is_one_document(desk: Any, arguments: list[str]) -> None:
    applied(desk)

    result = desk.run(*arguments, "--json")

    assert result.exit_code in {0, Exit.HALTED}, told(result)
    json.loads(result.stdout)


def test_an_error_as_json_goes_to_stderr_with_all_its_fields(desk: Any) -> None:
    Path("glideslope.yaml").write_text("model: late-arrival\ncandidat: v2\n")

    result = desk.run("plan", "--json")

    found = json.loads(result.stderr)
    assert (result.exit_code, result.stdout) == (Exit.INVALID, "")
    assert (found["code"], found["line"], found["suggestion"], found["exit"]) == ("plan-invalid", 2, "`candidate`", 2)


def test_an_error_in_a_plan_is_shown_with_a_caret(desk: Any) -> None:
    Path("glideslope.yaml").write_text("model: late-arrival\ncandidat: v2\nowner: o\nwhy: w\n")

    result = desk.run("plan")

    assert result.exit_code == Exit.INVALID
    assert result.stderr == (
        "error[plan-invalid]: unknown key `candidat`\n"
        "  --> glideslope.yaml:2:1\n"
        "2 | candidat: v2\n"
        "  | ^^^^^^^^ did you mean `candidate`?\n"
        "Nothing was started; traffic is unchanged.  Allowed keys: model, candidate, owner, why, proposal, stages, guardrails, metrics, "
        "slices, harms, attributes, value, harm_budget, cross, pairs, alpha, alpha_pass, approvals, lease, stale_after, "
        "outcomes_stale_after, maturity, recompute, logged.  Next: glideslope schema  "
        "More: glideslope explain plan-invalid\n"
    )


def test_a_plan_that_is_not_text_is_refused_before_anything_is_sent(desk: Any) -> None:
    Path("glideslope.yaml").write_bytes(b"model: late-arrival\nwhy: caf\xe9\n")

    result = desk.run("plan")

    assert (result.exit_code, desk.api.calls) == (Exit.INVALID, [])
    assert "glideslope.yaml:2:9" in result.stderr


def test_terminal_codes_in_a_file_are_shown_and_not_obeyed(desk: Any) -> None:
    Path("glideslope.yaml").write_text("model: late-arrival\ncandidat: \x1b[2Jv2\n")

    assert "\x1b" not in desk.run("plan").stderr


@pytest.mark.parametrize(
    ("name", "error", "status"),
    [
        ("internal", RuntimeError("hunter2"), Exit.FAILED),
        ("store-unavailable", StoreUnavailable("the disk is full"), Exit.FAILED),
    ],
)
def test_what_fails_inside_the_server_ends_with_1(
    desk: Any, service: Any, name: str, error: Exception, status: Exit
) -> None:
    service.fail = error

    result = desk.run("ls")

    assert result.exit_code == status
    assert f"error[{name}]" in result.stderr
    assert "hunter2" not in result.stderr


def test_whoever_is_unknown_is_denied(desk: Any) -> None:
    desk.http.headers["Authorization"] = "Bearer nobody"

    result = desk.run("ls")

    assert result.exit_code == Exit.DENIED
    assert result.stderr.startswith("denied[token-unknown]:")


def test_what_is_not_there_ends_with_2(desk: Any) -> None:
    names = [
        ["show", "nothing"],
        ["halt", "nothing", "-m", "w"],
        ["plan", "no.yaml"],
        ["explain", "no-code"],
        ["outcomes", "no"],
    ]

    results = [desk.run(*arguments) for arguments in names]

    assert [each.exit_code for each in results] == [Exit.INVALID] * len(names)
    assert all(each.stderr.startswith("error[not-found]:") for each in results)


def test_server_and_token_come_from_options_then_the_environment_then_the_folder(
    desk: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    desk.run("ls")
    monkeypatch.setenv("GLIDESLOPE_SERVER", "http://environment")
    monkeypatch.setenv("GLIDESLOPE_TOKEN", "gs_environment")
    desk.run("ls")
    desk.run("ls", "--server", "http://option", "--token", "gs_option")
    monkeypatch.delenv("GLIDESLOPE_TOKEN")
    desk.run("ls")

    assert desk.connected == [
        ("http://127.0.0.1:8787", "gs_admin"),
        ("http://environment", "gs_environment"),
        ("http://option", "gs_option"),
        ("http://environment", ""),  # the folder's token is for the folder's server
    ]


def test_codes_are_explained_offline(desk: Any) -> None:
    assert "nobody is exposed" in desk.run("explain", "halted").stdout
    assert "Next: glideslope explain plan-invalid" in desk.run("explain", "plan-invalit").stderr
    assert desk.api.calls == []


def test_a_slip_of_the_hand_gets_a_suggestion(desk: Any) -> None:
    result = desk.run("paln")

    assert result.exit_code == Exit.INVALID
    assert "Did you mean 'plan'?" in result.stderr


def test_a_mistake_of_ours_is_told_without_a_stack_trace(desk: Any) -> None:
    desk.then.append(lambda: 1 / 0)
    applied(desk)

    result = desk.run("watch", ID)

    assert result.exit_code == Exit.FAILED
    assert result.stderr.startswith("error[internal]: ZeroDivisionError")
    assert "Traceback" not in result.stderr


def test_every_verb_says_in_the_list_what_it_says_itself(desk: Any) -> None:
    """Each has help, and its module names it as the list does."""
    for name in VERBS:
        result = desk.run(name, "--help")
        assert result.exit_code == 0, told(result)
        command = glideslope.get_command(None, name)  # type: ignore[arg-type]  # our group needs no context
        assert command is not None
        assert command.name == name
        assert command.help


def test_every_verb_that_answers_offers_json(desk: Any) -> None:
    silent = {
        "up",
        "serve",
        "browse",
        "gateway",
        "completion",
        "contract",
        "document",
        "drill",
        "facts",
        "signature",
        "account",
        "advisories",
        "agree",
        "break-glass",
        "channel",
        "incident",
        "monitoring",
        "policy",
        "people",
        "token",
        "credentials",
        "tls",
    }

    without = [name for name in VERBS if name not in silent and "--json" not in desk.run(name, "--help").stdout]

    assert without == []


def test_the_status_of_an_error_is_that_of_its_branch() -> None:
    errors = [
        Invalid("x"),
        NotFound(what="a", name="b"),
        Conflict("x"),
        Refused("x"),
        Denied("x"),
        Unavailable("x"),
        GlideslopeError("x"),
    ]

    assert [int(exit_of(error)) for error in errors] == [2, 2, 3, 3, 4, 1, 1]
