"""Which passwords are refused, and that nothing else is: no composition, any sign, any language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glideslope.domain.errors import PasswordWeak
from glideslope.domain.ids import Actor
from glideslope.domain.password import LONGEST, SHORTEST, check_password, normalised

COMMON = frozenset({"password", "qwerty123", "iloveyou", "1q2w3e4r5t6y7u8i", "dragon"})


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("", "0 characters"),
        ("Tr0ub4dor&3", "11 characters"),
        ("x" * (LONGEST + 1), "is the most"),
        ("aabbaabbaabbccaabb", "fewer than 5"),
        ("hunter2hunter2hunter2", "repeats one piece"),
        ("abcdefghijklmnopq", "runs along"),
        ("9876543210987654", "runs along"),
        ("12345678901234567", "runs along"),
        ("1Q2w3e4r5t6y7u8i", "everybody tries"),
        ("iloveyouqwerty123", "everybody tries"),
        ("PasswordIloveyou", "everybody tries"),
        ("Grace.Hopper2026", "everybody tries"),
        ("glideslope-glideslope!", "everybody tries"),
        ("gracedragonhopper", "everybody tries"),
    ],
)
def test_what_would_be_guessed_is_refused_with_why(password: str, told: str) -> None:
    with pytest.raises(PasswordWeak, match=told):
        check_password(password, actor=Actor("grace.hopper@example.org"), common=COMMON)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "aller anfang ist schwer",
        "ночь улица фонарь аптека",
        "    spaces count too     ",
        "🐢🦊🐝🦉🐙🦀🐳🦋🐞🦔🦇🐌🦎🐊🦓",
        "dragon password iloveyou moon",
    ],
)
def test_length_alone_makes_a_good_one(password: str) -> None:
    assert check_password(password, actor=Actor("grace"), common=COMMON) == normalised(password)


def test_the_same_keys_mean_the_same_wherever_they_are_pressed() -> None:
    composed, apart = "caf\u00e9 au lait le matin", "cafe\u0301 au lait le matin"

    assert check_password(composed, actor=Actor("g"), common=()) == check_password(apart, actor=Actor("g"), common=())


@given(st.text(max_size=40))
def test_whatever_is_written_is_taken_or_refused(password: str) -> None:
    try:
        taken = check_password(password, actor=Actor("grace"), common=COMMON)
    except PasswordWeak:
        return
    assert SHORTEST <= len(taken) <= LONGEST
