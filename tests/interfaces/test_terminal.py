"""What somebody else wrote is shown on a reader's terminal and never drives it: no escape sequence, no forged line."""

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.engine.views import CheckView
from glideslope.interfaces.cli.saying import shown, visible
from glideslope.interfaces.cli.telling import told
from glideslope.ledger import bundle, note

CLEARS = "\x1b[2J\x1b]0;owned\x07"
TURNS = "\u202etxt.exe\u2066"
HIDES = "ad\u200bmin\u00ad\ufeff"
EIGHT_BITS = "\x9b31m"
FORGES = "fine\r\nlate-arrival-1  PROMOTED by grace\n"
EVIL = CLEARS + TURNS + HIDES + EIGHT_BITS + FORGES


def is_safe(text: str) -> bool:
    return text.replace("\n", "").isprintable()


@pytest.fixture
def watched(desk: Any, service: Any) -> str:
    """A rollout of which every text that a person or a machine may write is hostile."""
    text = json.dumps({"text": f"model: late-arrival\ncandidate: v2\nowner: me\nwhy: {json.dumps(EVIL)}\n"})
    id_ = str(desk.http.post("/v1/rollouts", content=text).json()["id"])
    service.move(
        id_,
        EVIL,
        why=EVIL,
        owner=EVIL,
        proposed_by=EVIL,
        denied_by=(EVIL,),
        sentences=(EVIL,),
        next=EVIL,
        reasons=(EVIL,),
        phase="rolled-back",
        ended=True,
    )
    service.checks = [CheckView(name="state", ok=False, sentence=EVIL, next_command=EVIL)]
    return id_


@pytest.mark.parametrize(
    "arguments", [("ls",), ("show", "ID"), ("show", "late-arrival"), ("status", "ID"), ("watch", "ID", "--plain"), ("doctor",)]
)  # fmt: skip
def test_no_text_from_elsewhere_reaches_the_terminal_as_it_is(
    desk: Any, watched: str, arguments: tuple[str, ...]
) -> None:
    words = [watched if word == "ID" else word for word in arguments]

    ended = desk.run(*words)
    as_json = desk.run(*[word for word in words if word != "--plain"], "--json")

    assert is_safe(ended.output), ended.output
    assert not any(line.startswith("late-arrival-1  PROMOTED") for line in ended.output.splitlines())
    assert is_safe(as_json.output)
    for line in as_json.output.splitlines():
        json.loads(line)


def test_json_is_the_same_document_whatever_it_holds(desk: Any, service: Any, watched: str) -> None:
    found = json.loads(desk.run("show", watched, "--json").output)

    assert found["rollout"] == json.loads(msgspec.json.encode(service.rollouts[watched]))
    assert found["rollout"]["why"] == EVIL


def test_an_error_is_shown_and_not_obeyed(desk: Any, tmp_path: Path) -> None:
    name = os.fsdecode(b"\x1b[2J\xff\n.yaml")
    (tmp_path / name).write_text(f"model: {json.dumps(EVIL)}\n")

    for verb in ("plan", "apply"):
        ended = desk.run(verb, name)
        assert (ended.exit_code, is_safe(ended.output)) == (2, True), ended.output


def test_a_refused_outcome_is_shown_and_not_obeyed(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "truth.jsonl").write_text(json.dumps({"prediction": "\x1b[", "happened": True}))

    people, programs = desk.run("outcomes", "truth.jsonl"), desk.run("outcomes", "truth.jsonl", "--json")

    assert is_safe(people.output)
    assert json.loads(programs.output)["refused"][0]["prediction"] == "\x1b["


def test_a_ledger_from_anybody_cannot_move_the_auditors_cursor(desk: Any, tmp_path: Path) -> None:
    signer = note.Signer("example.com/ledger", b"\x07" * 32)
    root = b64encode(bytes(32)).decode()
    checkpoint = note.sign(f"\x9b2J\u202e{'x' * 20}\n0\n{root}\n", signer)
    path = tmp_path / "ledger.bundle"
    path.write_bytes(b"".join(bundle.format(checkpoints=[checkpoint], entries=[])))

    ended = desk.run("verify", str(path), "--key", signer.verifier.vkey)

    assert (ended.exit_code, is_safe(ended.output)) == (9, True), ended.output


def test_a_page_on_the_terminal_holds_no_escape_of_others(desk: Any, watched: str) -> None:
    from rich.console import Console

    from glideslope.engine.views import HappeningView, RolloutView
    from glideslope.interfaces.cli import screen
    from glideslope.interfaces.cli.session import at, read

    view = read(desk.api.call("GET", at("rollouts", watched)), RolloutView)
    story = read(desk.api.call("GET", at("rollouts", watched, "story")), tuple[HappeningView, ...])
    console = Console(width=100, color_system=None, force_terminal=False, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123 - closed with the console
    with console.capture() as captured:
        console.print(screen.page(view, story, width=100))
    console.file.close()

    assert is_safe(captured.get()), captured.get()


@pytest.mark.parametrize(
    "answer", [b"", b"\xff", b"[]", b"{}", b"[" * 100_000, b'{"a":' * 100_000, b'{"vkey":1}', b"<html>", b"1e999", b"NaN"]
)  # fmt: skip
@pytest.mark.parametrize(
    "arguments", [("ls",), ("show", "r"), ("status", "r"), ("plan",), ("doctor",), ("verify",), ("replay", "r", "1")]
)
def test_a_server_that_is_none_is_said_to_be_none(
    desk: Any, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], answer: bytes
) -> None:
    monkeypatch.setattr(desk.api, "call", lambda *_, **__: answer)
    monkeypatch.setattr(desk.api, "stream", lambda *_, **__: iter([answer]))

    ended = desk.run(*arguments)

    assert ended.exit_code in {1, 9} or (arguments, answer) == (("doctor",), b"[]"), ended.output
    assert "mistake in Glideslope" not in ended.output


@pytest.mark.parametrize(
    "place", [{"line": 10**30}, {"column": 10**30}, {"width": 10**30}, {"column": "x"}, {"allowed": 1}]
)
def test_a_refusal_with_an_absurd_place_is_still_one_of_few_words(place: dict[str, Any]) -> None:
    assert (
        len(
            told({"code": "x", "detail": "y", "line": 1, "column": 1, "width": 1, "source": "s", **place}, word="error")
        )
        < 500
    )


@given(st.text())
def test_what_is_visible_is_left_alone_and_all_else_is_one_json_text(text: str) -> None:
    shown = visible(text)

    assert is_safe(shown)
    assert (shown == text) == is_safe(text)
    document = json.dumps({"a": [text]}, ensure_ascii=False)
    assert json.loads(visible(document)) == {"a": [text]}


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_is_shown_is_shown_and_visible(value: object) -> None:
    def texts(node: object) -> list[str]:
        match node:
            case str():
                return [node]
            case list():
                return [text for each in node for text in texts(each)]
            case dict():
                return [text for each in node.values() for text in texts(each)]
            case _:
                return []

    assert all(is_safe(text) and "\n" not in text for text in texts(shown(value)))


def test_everything_that_is_printed_goes_through_one_door() -> None:
    """Three places print what is ours alone: the door itself, an error with its colour, a script for a shell."""
    folder = Path(__file__).parents[2] / "src" / "glideslope" / "interfaces" / "cli"

    doors = {
        path.name for path in folder.rglob("*.py") if "click.echo(" in path.read_text() or "print(" in path.read_text()
    }

    assert doors == {"saying.py", "telling.py", "completion.py"}
