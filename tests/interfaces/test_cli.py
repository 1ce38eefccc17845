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
from glideslope.engine.views import CheckView
from glideslope.interfaces.cli.exits import Exit, exit_of
from glideslope.interfaces.cli.main import VERBS, glideslope
from glideslope.settings import STATE_FOLDER, Doors, Tls, own_tls

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


def test_waiting_ends_with_the_rollout(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then += [lambda: None, lambda: service.move(ID, phase="promoted", ended=True)]

    result = desk.run("status", ID, "--wait", "--json")

    assert (result.exit_code, json.loads(result.stdout)["phase"]) == (0, "promoted")


def test_waiting_outlasts_a_server_that_restarts(desk: Any, service: Any) -> None:
    applied(desk)

    def broken() -> None:
        service.fail = StoreUnavailable("it restarts")

    desk.then += [broken, lambda: service.move(ID, phase="rolled-back", ended=True)]

    result = desk.run("status", ID, "--wait")

    assert result.exit_code == Exit.ROLLED_BACK, told(result)


def test_waiting_ends_when_its_time_is_up(desk: Any) -> None:
    applied(desk)

    result = desk.run("status", ID, "--wait", "--timeout", "10m")

    assert (result.exit_code, desk.time) == (Exit.TIMED_OUT, 600.0)


@pytest.mark.parametrize("timeout", ["5", "soon", "-1s", "1w"])
def test_a_timeout_is_a_duration(desk: Any, timeout: str) -> None:
    assert desk.run("status", ID, "--wait", "--timeout", timeout).exit_code == Exit.INVALID


def test_watching_prints_each_happening_once_and_ends_with_the_rollout(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then += [
        lambda: service.move(ID, "Advance to s2.", share=2_500),
        lambda: None,
        lambda: service.move(ID, "Roll back.", phase="rolled-back", ended=True, share=0),
    ]

    result = desk.run("watch", "late-arrival")

    assert result.exit_code == Exit.ROLLED_BACK, told(result)
    lines = result.stdout.splitlines()
    assert lines[0] == f"late-arrival  v1 -> v2   {ID}   running at 5% (confirmed)"
    assert lines[1].startswith("[>] canary 5% [ ] canary 25%")
    assert [line.partition("  ")[2] for line in lines[2:5]] == [
        "ada proposed to replace v1 by v2.",
        "Advance to s2.",
        "Roll back.",
    ]
    assert "\x1b" not in result.stdout


def test_watching_as_json_prints_one_line_per_change(desk: Any, service: Any) -> None:
    applied(desk)
    desk.then.append(lambda: service.move(ID, phase="promoted", ended=True))

    result = desk.run("watch", ID, "--json")

    assert [json.loads(line)["phase"] for line in result.stdout.splitlines()] == ["running", "promoted"]


def test_ctrl_c_ends_the_watching_and_says_that_the_rollout_goes_on(desk: Any, service: Any) -> None:
    applied(desk)

    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.then.append(interrupt)

    result = desk.run("watch", ID)

    assert result.exit_code == Exit.INTERRUPTED
    assert f"Stopped watching. {ID} continues. Halt it with: glideslope halt {ID}" in result.stderr
    assert service.rollouts[ID].phase == "running"


def test_watching_outlasts_a_server_that_restarts(desk: Any, service: Any) -> None:
    applied(desk)

    def gone() -> None:
        raise StoreUnavailable("it restarts")

    desk.then += [gone, lambda: service.move(ID, phase="promoted", ended=True)]

    result = desk.run("watch", ID)

    assert result.exit_code == 0, told(result)
    assert "Trying again." in result.stderr


def test_watching_gives_up_on_a_server_that_stays_away(desk: Any) -> None:
    applied(desk)

    def gone() -> None:
        raise StoreUnavailable("it is gone")

    desk.api.stream = lambda _: iter(gone, None)

    result = desk.run("watch", ID)

    assert result.exit_code == Exit.FAILED, told(result)
    assert desk.time > 60


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
        "Nothing was started; traffic is unchanged.  Allowed keys: model, candidate, owner, why, stages, guardrails, metrics, "
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


def test_without_a_server_the_next_command_is_up(desk: Any, tmp_path: Path) -> None:
    (tmp_path / STATE_FOLDER / "address").unlink()

    result = desk.run("ls")

    assert result.exit_code == Exit.INVALID
    assert "Next: glideslope up" in result.stderr


def test_the_doctor_tells_what_is_wrong(desk: Any, service: Any, tmp_path: Path) -> None:
    well = desk.run("doctor")
    service.checks.append(CheckView(name="gateway", ok=False, sentence="It is silent.", next_command="glideslope up"))
    ill = desk.run("doctor")
    service.fail = StoreUnavailable("the disk is full")
    worse = desk.run("doctor")
    (tmp_path / STATE_FOLDER / "address").unlink()
    alone = desk.run("doctor")

    assert [each.exit_code for each in (well, ill, worse, alone)] == [0, 1, 1, 2]
    assert "WRONG  gateway: It is silent.  Next: glideslope up" in ill.stdout
    assert "WRONG  server: There is no server address" in alone.stdout


def test_a_decision_that_comes_out_differently_ends_with_9(desk: Any, service: Any) -> None:
    applied(desk)
    same = desk.run("replay", ID, "2")
    service.same = False

    assert (same.exit_code, desk.run("replay", ID, "2").exit_code) == (0, Exit.NOT_VERIFIED)


def test_long_running_verbs_start_what_they_are_told(desk: Any, tmp_path: Path) -> None:
    desk.run("up")
    desk.run("up", "--state", "s", "--port", "0", "--gateway-port", "0", "--no-gateway")
    desk.run("serve", "--state", "s", "--port", "1", "--no-gateway")
    desk.run("serve", "--state", "s", "--gateway-listen", "h:3", "--prediction-log", "--keep-log", "30d")
    desk.run("gateway", "--state", "s", "--gateway-port", "2")
    desk.run("gateway", "--state", "s", "--server", "h:3", "--credentials", "c", "--silence", "3")
    demo = desk.run("demo", "--json", "--keep", "k")

    here, there = tmp_path / STATE_FOLDER, Path("s")
    assert desk.started == [
        (
            "up",
            {
                "state": here,
                "port": 8787,
                "gateway_port": 8780,
                "gateway": True,
                "gateway_listen": None,
                "keep_log": None,
                "doors": Doors(),
            },
        ),
        (
            "up",
            {
                "state": there,
                "port": 0,
                "gateway_port": 0,
                "gateway": False,
                "gateway_listen": None,
                "keep_log": None,
                "doors": Doors(),
            },
        ),
        (
            "serve",
            {
                "state": there,
                "port": 1,
                "gateway_port": 8780,
                "gateway": False,
                "gateway_listen": None,
                "keep_log": None,
                "doors": Doors(),
            },
        ),
        (
            "serve",
            {
                "state": there,
                "port": 8787,
                "gateway_port": 8780,
                "gateway": True,
                "gateway_listen": ("h", 3),
                "keep_log": 2_592_000.0,
                "doors": Doors(),
            },
        ),
        (
            "gateway",
            {"state": there, "gateway_port": 2, "line": None, "credentials": None, "silence": 1.0, "doors": Doors()},
        ),
        (
            "gateway",
            {
                "state": there,
                "gateway_port": 8780,
                "line": ("h", 3),
                "credentials": Path("c"),
                "silence": 3.0,
                "doors": Doors(),
            },
        ),
        ("demo", {"as_json": True, "keep": Path("k")}),
    ]
    assert demo.exit_code == 9


def test_evaluating_hands_on_what_was_said_and_ends_as_it_went(desk: Any) -> None:
    run = desk.run("evaluate", "e.yaml", "--work", "w", "--again")
    desk.run("evaluate", "--write-split", "s", "--json")

    assert run.exit_code == 1
    assert desk.evaluated == [
        (Path("e.yaml"), {"work": Path("w"), "again": True, "write_split": None, "as_json": False}),
        (Path("evaluation.yaml"), {"work": None, "again": False, "write_split": Path("s"), "as_json": True}),
    ]


def test_where_to_listen_and_in_tls_is_handed_on(desk: Any, tmp_path: Path) -> None:
    desk.run("up", "--host", "192.0.2.1", "--gateway-host", "::", "--tls")
    desk.run("up", "--tls-cert", "c.pem", "--tls-key", "k.pem")
    desk.run("up", "--host", "192.0.2.1", "--insecure-no-tls")
    both = desk.run("up", "--tls", "--tls-cert", "c.pem", "--tls-key", "k.pem")
    open_ = desk.run("up", "--host", "192.0.2.1")

    assert [arguments["doors"] for _, arguments in desk.started] == [
        Doors(host="192.0.2.1", gateway_host="::", tls=own_tls(tmp_path / STATE_FOLDER)),
        Doors(tls=Tls(cert=tmp_path / "c.pem", key=tmp_path / "k.pem")),
        Doors(host="192.0.2.1", insecure=True),
    ]
    assert (both.exit_code, open_.exit_code, "[tls-required]" in open_.stderr) == (2, 2, True)


def test_a_certificate_is_made_for_names(desk: Any, tmp_path: Path) -> None:
    made = desk.run("tls", "create", "models.example")

    assert desk.certified == [(tmp_path / STATE_FOLDER, ("models.example",))]
    assert f"must trust {tmp_path / STATE_FOLDER / 'tls' / 'ca.pem'}." in made.stdout


def test_the_ca_of_the_state_folder_is_trusted_for_its_own_server_only(desk: Any, tmp_path: Path) -> None:
    (tmp_path / STATE_FOLDER / "ca.pem").write_text("x")
    desk.run("ls")
    desk.run("ls", "--server", "https://other.example")
    desk.run("ls", "--ca", "mine.pem")

    assert desk.trusted == [str(tmp_path / STATE_FOLDER / "ca.pem"), "", "mine.pem"]


def test_tokens_are_created_listed_and_revoked(desk: Any) -> None:
    made = desk.run("token", "create", "bob", "--role", "reader")
    listed = desk.run("token", "ls")
    gone = desk.run("token", "revoke", "0")
    unknown = desk.run("token", "revoke", "bob")

    assert made.stdout == "gs_new\n"
    assert "bob" in listed.stdout
    assert "gs_new" not in listed.stdout
    assert (gone.exit_code, unknown.exit_code, desk.secrets) == (0, Exit.INVALID, [])


def test_a_gateway_elsewhere_gets_credentials_and_is_told_where_its_server_is(desk: Any, tmp_path: Path) -> None:
    made = desk.run("credentials", "create", "edge-1", "--out", "c", "--days", "30")
    told = desk.run("credentials", "create", "edge-1", "--out", "c", "--json")
    half = desk.run("gateway", "--state", "s", "--server", "h:3")
    nowhere = desk.run("gateway", "--state", "s", "--server", "h", "--credentials", "c")
    both = desk.run("up", "--no-gateway", "--gateway-listen", "h:3")

    assert desk.started[0] == (
        "credentials",
        {"state": tmp_path / STATE_FOLDER, "name": "edge-1", "out": Path("c"), "days": 30},
    )
    assert "edge-1" in made.stdout
    assert json.loads(told.stdout).keys() == {"name", "folder", "ends"}
    assert [each.exit_code for each in (half, nowhere, both)] == [Exit.INVALID] * 3
    assert "belong together" in half.stderr
    assert "is not HOST:PORT" in nowhere.stderr
    assert "exclude each other" in both.stderr
    assert len(desk.started) == 2, "nothing was started"


def test_a_token_is_made_for_models_and_for_a_time(desk: Any) -> None:
    desk.run("token", "create", "svc", "--role", "source", "--model", "fraud", "--model", "biopsy", "--expires", "90d")

    assert desk.scopes == [{"models": ("fraud", "biopsy"), "all_models": False, "seconds": 90 * 86_400.0}]
    assert "for all models" in desk.run("token", "ls").stdout


def test_init_writes_a_plan_that_works_and_overwrites_nothing(desk: Any) -> None:
    refused = desk.run("init")
    Path("glideslope.yaml").unlink()
    Path(".gitignore").write_text("*.pyc")
    dry = desk.run("init", "--dry-run")
    done = desk.run("init")
    again = Path(".gitignore").read_text()

    assert (refused.exit_code, dry.exit_code, done.exit_code) == (Exit.REFUSED, 0, 0)
    assert "refused[file-exists]" in refused.stderr
    assert again == "*.pyc\n.glideslope/\n"
    text = Path("glideslope.yaml").read_text().replace("my-model", "late-arrival")
    Path("glideslope.yaml").write_text(text)
    assert json.loads(Path("glideslope.schema.json").read_text())["title"] == "glideslope.yaml"
    assert desk.run("plan").exit_code == 0


def test_a_schema_of_ones_own_is_not_overwritten_by_init(desk: Any) -> None:
    Path("glideslope.yaml").unlink()
    Path("glideslope.schema.json").write_text("{}")

    result = desk.run("init")

    assert (result.exit_code, Path("glideslope.yaml").exists()) == (Exit.REFUSED, False)


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
    silent = {"up", "serve", "gateway", "completion", "contract", "facts", "token", "credentials", "tls"}

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


def test_the_worst_disagreements_are_told_with_what_may_be_known_of_the_request(desk: Any) -> None:
    applied(desk)

    result = desk.run("disagreements", "late-arrival")

    assert (result.exit_code, result.stderr) == (0, "")
    heading, line, said = result.stdout.splitlines()
    assert heading.split()[:3] == ["request", "at", "difference"]
    assert [line.split()[k] for k in (0, 2, 3, 4, 5)] == ["0c1d", "0.42", "0.8100", "0.3900", "differently"]
    assert said.strip() == "origin=LGA, carrier=UA, passenger=[personal], from other features"


def test_a_slice_without_disagreements_says_so(desk: Any) -> None:
    applied(desk)

    result = desk.run("disagreements", "late-arrival-1", "--slice", "origin=JFK")

    assert result.exit_code == 0
    assert "nothing was mirrored yet" in result.stdout


def test_disagreements_as_json_are_the_servers(desk: Any) -> None:
    applied(desk)

    found = json.loads(desk.run("disagreements", "late-arrival", "--json").stdout)

    assert [each["request"] for each in found] == ["0c1d"]


def test_slices_are_told_worst_first_and_the_search_says_that_it_moves_nothing(desk: Any) -> None:
    applied(desk)

    result = desk.run("slices", "late-arrival")

    assert (result.exit_code, result.stderr) == (0, "")
    assert "advisory, moves no traffic" in result.stdout
    (found,) = [line for line in result.stdout.splitlines() if "LOOK HERE" in line]
    assert found.split()[:5] == ["log_loss", "origin=BOS|PHL", "arms", "12.5", "0.003"]
    assert "2 outcomes were left out" in result.stdout


def test_slices_as_json_are_the_servers(desk: Any) -> None:
    applied(desk)

    found = json.loads(desk.run("slices", "late-arrival", "--json").stdout)

    assert (found["searched"][0]["slice"], found["search_alpha"], found["left_out"]) == ("origin=BOS|PHL", 0.05, 2)
