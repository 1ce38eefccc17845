"""Verbs that run something, or set up who may connect to it, hand on what they were told."""

import json
from pathlib import Path
from typing import Any

from tests.interfaces.test_cli import ID, applied

from glideslope.domain.errors import (
    StoreUnavailable,
)
from glideslope.engine.views import CheckView
from glideslope.interfaces.cli.exits import Exit
from glideslope.settings import STATE_FOLDER, Doors, Tls, own_tls
from glideslope.wiring import tokens


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

    assert desk.scopes == [{"models": ("fraud", "biopsy"), "all_models": False, "seconds": 90 * 86_400.0, "acts": ()}]
    assert "for all models" in desk.run("token", "ls").stdout


def test_a_members_token_is_limited_to_acts(desk: Any) -> None:
    made = desk.run(
        "token", "create", "ci", "--role", "member", "--may", "propose", "--may", "stop", "--model", "fraud"
    )

    assert made.exit_code == 0
    assert desk.scopes == [{"models": ("fraud",), "all_models": False, "seconds": None, "acts": ("propose", "stop")}]
    assert desk.run("token", "create", "ci", "--role", "member", "--may", "approve").exit_code == 2


def test_the_list_says_what_a_token_is_limited_to_and_when_it_was_used(desk: Any, tmp_path: Path) -> None:
    state = tmp_path / ".glideslope"
    desk.tokens = lambda: tokens
    desk.run("token", "create", "ci", "--role", "member", "--may", "stop", "--model", "fraud")
    (token_id,) = [each.id for each in tokens.listed(state)]
    (state / "tokens-used.json").write_text(json.dumps({token_id: "2026-01-01T12:00:00Z"}))
    (state / "tokens-used.json").chmod(0o600)

    assert "may only stop  for fraud  used 2026-01-01T12:00:00+00:00" in desk.run("token", "ls").stdout
    (line,) = json.loads(desk.run("token", "ls", "--json").stdout)
    assert (line["acts"], line["models"], line["used_at"][:10]) == (["stop"], ["fraud"], "2026-01-01")


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
