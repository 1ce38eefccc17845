"""Whatever is logged is one line, says where it belongs, and gives no secret away."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from glideslope.testing.traffic import SOUND
from glideslope.testing.world import World, draft
from glideslope.wiring import log_lines
from glideslope.wiring.log_lines import FORMAT, LEVEL, Lines, LogUnknown, configure, tell

TOKEN = "gs_" + "A1b2-_" * 7


def record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    found = logging.LogRecord("glideslope.x", logging.WARNING, "x.py", 1, message, arguments, None)
    vars(found).update(extra, created=1_767_268_800.1234)
    return found


@pytest.fixture
def quiet() -> Iterator[None]:
    """Leave the loggers of this process as they were."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    root.setLevel(level)


def test_json_has_what_is_known_and_nothing_else() -> None:
    line = Lines(as_json=True).format(record("%s went", "r-0001", code="lapsed", rollout="r-0001", entry=0, model=""))

    assert json.loads(line) == {
        "time": "2026-01-01T12:00:00.123Z",
        "level": "warning",
        "logger": "glideslope.x",
        "message": "r-0001 went",
        "code": "lapsed",
        "rollout": "r-0001",
        "entry": 0,
    }


def test_text_is_one_line_with_the_same() -> None:
    lines = Lines(as_json=False, trace=lambda: ("abc", "def"))

    assert lines.format(record("first\nsecond", part="notary")) == (
        "2026-01-01T12:00:00.123Z warning glideslope.x: first\\nsecond (part=notary trace_id=abc span_id=def)"
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_an_exception_is_in_the_line_and_a_token_never(as_json: bool) -> None:
    found = record("with %s", TOKEN)
    error = ValueError(f"Authorization: Bearer {TOKEN}")
    found.exc_info = (ValueError, error, None)
    line = Lines(as_json=as_json).format(found)

    assert "ValueError" in line
    assert "(hidden)" in line
    assert TOKEN[:12] not in line
    assert "\n" not in line


@pytest.mark.parametrize(("name", "text"), [(FORMAT, "xml"), (LEVEL, "loud"), (LEVEL, "INFO")])
def test_a_word_that_is_not_known_is_refused_with_those_that_are(name: str, text: str) -> None:
    with pytest.raises(LogUnknown, match=name):
        configure({name: text})


@pytest.mark.usefixtures("quiet")
def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    configure({FORMAT: "json"})
    logging.getLogger("glideslope.y").info("not this")
    logging.getLogger("a.library").warning("but this")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "but this"


async def test_every_entry_and_every_trouble_is_told_once_and_reasons_of_people_are_not(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "LOOK_EVERY", 0.0)
    caplog.set_level(logging.INFO, logger="glideslope")
    world = World(seed=2)
    await world.serves("delays", v1=SOUND, v2=SOUND)
    app: Any = world.app
    telling = asyncio.create_task(tell(app))
    await asyncio.sleep(0)
    rollout = await world.propose(draft("delays", "v2"))
    await world.until(rollout, step="s1", within=20)
    for trouble, code in (("the store does not answer", "trouble"), ("", "trouble-over")):
        app.governor.trouble = trouble
        async with asyncio.timeout(10):
            while code not in {getattr(line, "code", "") for line in caplog.records}:  # noqa: ASYNC110 - a log sets no event
                await asyncio.sleep(0)
    telling.cancel()

    told = [vars(line) for line in caplog.records if line.name == "glideslope"]
    entries = [line for line in told if line.get("entry", "") != ""]
    mine = [line for line in entries if line["rollout"] == rollout]
    assert [line["entry"] for line in entries] == list(range(entries[0]["entry"], app.record.read))
    assert [line["code"] for line in mine][:2] == ["rollout-proposed", "decided"]
    assert "advance (approved)" in mine[1]["message"]
    troubles = [(line["code"], line["part"]) for line in told if line.get("part")]
    assert troubles == [("trouble", "governor"), ("trouble-over", "governor")]
    assert "Retrained with October" not in caplog.text
