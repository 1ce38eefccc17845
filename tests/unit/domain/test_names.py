"""Names, reasons, errors and times: closed lists with a sentence each, and one way to write them."""

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain import errors
from glideslope.domain.errors import EventUnknown, GlideslopeError, Invalid, NameInvalid
from glideslope.domain.events import event_of, instant, rfc3339
from glideslope.domain.ids import digest, metric_name, model_name, version_name
from glideslope.domain.reasons import Reason

KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")
TEN_THOUSAND = 253_402_300_799_999
"""The last millisecond of the year 9999."""


@pytest.mark.parametrize("make", [model_name, version_name, metric_name])
@pytest.mark.parametrize("text", ["a", "7", "delays", "v1.2.3", "a-b", "a" * 64])
def test_names_that_are_accepted(make: Callable[[str], str], text: str) -> None:
    assert make(text) == text


@pytest.mark.parametrize("make", [model_name, version_name, metric_name])
@pytest.mark.parametrize(
    "text", ["", "-a", "a-", ".a", "a.", "A", "a b", "a/b", "ä", "a\n", "a" * 65, "../x", "a\x00b", "a:b"]
)
def test_names_that_are_refused(make: Callable[[str], str], text: str) -> None:
    with pytest.raises(NameInvalid):
        make(text)


def test_a_metric_may_hold_underscores_and_a_model_may_not() -> None:
    assert metric_name("log_loss") == "log_loss"
    with pytest.raises(NameInvalid, match="log_loss"):
        model_name("log_loss")
    with pytest.raises(NameInvalid, match="'_x'"):
        metric_name("_x")


def test_digests() -> None:
    text = "sha256:" + "0" * 64

    assert digest(text) == text
    for wrong in ("", "0" * 64, text[:-1], text + "0", text.upper(), text + "\n", "sha512:" + "0" * 64):
        with pytest.raises(NameInvalid):
            digest(wrong)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_code_and_a_sentence(reason: Reason) -> None:
    assert KEBAB.fullmatch(reason.value)
    assert reason.sentence[0].isupper()
    assert reason.sentence.endswith(".")
    assert "\n" not in reason.sentence


def test_no_two_reasons_say_the_same() -> None:
    assert len({reason.sentence for reason in Reason}) == len(Reason)


def refusals() -> Iterator[type[GlideslopeError]]:
    return (
        found
        for _, found in inspect.getmembers(errors, inspect.isclass)
        if issubclass(found, GlideslopeError) and found.__module__ == errors.__name__
    )


def example(kind: type[GlideslopeError]) -> GlideslopeError:
    """Make one with some value for each field that it needs."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    for parameter in inspect.signature(kind).parameters.values():
        value = 8080 if parameter.annotation in (int, float) else "something"
        if parameter.default is not parameter.empty:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY:
            named[parameter.name] = value
        else:
            positional.append(value)
    return kind(*positional, **named)


ALL = tuple(refusals())


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_of_its_own(kind: type[GlideslopeError]) -> None:
    """`Conflict` and the like say what the caller should do; those below them say what happened."""
    assert KEBAB.fullmatch(kind.code)
    assert [other for other in ALL if other.code == kind.code] == [kind]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_says_what_happened_in_sentences(kind: type[GlideslopeError]) -> None:
    """And whether traffic changed; what to type next can be pasted as it is."""
    error = example(kind)
    for text in (error.sentence, error.traffic):
        assert text == "something" or text.endswith(".")
        assert "  " not in text
        assert not text.endswith("..")
    assert error.next_command == "" or error.next_command.startswith("glideslope ")
    assert str(error) == error.sentence


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_error_is_one_of_six(kind: type[GlideslopeError]) -> None:
    """What the caller should do is told by the branch of the tree; the drawing at its top names all six."""
    branches = [branch for branch in GlideslopeError.__subclasses__() if branch.__module__ == errors.__name__]

    assert kind is GlideslopeError or any(issubclass(kind, branch) for branch in branches)
    assert all(branch.__name__ in (errors.__doc__ or "") for branch in branches)
    assert len(branches) == 6


@given(at=st.integers(0, TEN_THOUSAND))
def test_times_come_back_as_they_were_written(at: int) -> None:
    text = rfc3339(at)

    assert instant(text) == at
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)


def test_a_time_as_it_is_written() -> None:
    assert rfc3339(1_769_850_000_000) == "2026-01-31T09:00:00.000Z"
    assert rfc3339(-1) == "1969-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-31",
        "2026-01-31T09:00:00Z",
        "2026-01-31T09:00:00.0Z",
        "2026-01-31T09:00:00.000000Z",
        "2026-1-31T09:00:00.000Z",
        "2026-01-31T09:00:00.000+00:00",
        "2026-01-31 09:00:00.000Z",
        "2026-02-30T09:00:00.000Z",
        "2026-01-31T09:00:60.000Z",
        "2026-01-31T24:00:00.000Z",
    ],
)
def test_a_time_in_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        instant(text)


def test_an_event_of_an_unknown_kind_says_to_upgrade() -> None:
    with pytest.raises(EventUnknown, match="Upgrade"):
        event_of("teleported", {})


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        None,
        "halted",
        {"by": "ada"},
        {"by": 1, "why": ""},
        {"by": "ada", "why": None},
        {"by": "ada", "why": "", "more": 1},
    ],
)
def test_a_body_that_is_not_of_its_kind_is_refused(body: object) -> None:
    with pytest.raises(Invalid):
        event_of("halted", body)
