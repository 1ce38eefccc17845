"""Who is signed in: sessions end by themselves, links work once, and who guesses keeps nobody else out."""

from itertools import count

import pytest

from glideslope.domain.identity import Identity, Means, Role
from glideslope.domain.ids import Actor
from glideslope.interfaces.dashboard import attempts, sessions
from glideslope.interfaces.dashboard.attempts import Attempts
from glideslope.interfaces.dashboard.sessions import IDLE, LASTS, LINK_LASTS, LinkSpent, Sessions


class Clock:
    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


def ada() -> Identity:
    return Identity(Actor("ada"), Role.MEMBER)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Sessions:
    secrets = (f"secret-{number}" for number in count(1))
    return Sessions(monotonic=clock, chance=lambda: next(secrets))


def test_a_session_is_found_by_its_cookie_and_knows_its_own_forms(kept: Sessions) -> None:
    first, second = kept.begin(ada, Means.TOKEN), kept.begin(ada, Means.TOKEN)

    found = kept.find(first)
    assert found is not None
    assert found.proof().actor == "ada"
    assert found.vouches(found.token)
    other = kept.find(second)
    assert other is not None
    assert not found.vouches(other.token)
    assert not found.vouches("")
    assert kept.find("secret-of-nobody") is None


def test_a_session_ends_when_it_is_not_used(kept: Sessions, clock: Clock) -> None:
    secret = kept.begin(ada, Means.TOKEN)
    clock.time += IDLE - 1
    assert kept.find(secret) is not None
    clock.time += IDLE

    assert kept.find(secret) is None
    clock.time -= IDLE
    assert kept.find(secret) is None, "what ended does not come back"


def test_a_session_ends_however_busy_it_is(kept: Sessions, clock: Clock) -> None:
    secret, began = kept.begin(ada, Means.TOKEN), clock.time
    while clock.time - began < LASTS - IDLE / 2:
        clock.time += IDLE / 2
        kept.find(secret)
    clock.time = began + LASTS

    assert kept.find(secret) is None


def test_signing_out_ends_it(kept: Sessions) -> None:
    secret = kept.begin(ada, Means.TOKEN)
    kept.end(secret)

    assert kept.find(secret) is None


def test_beyond_the_most_the_longest_unused_ends(kept: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 2)
    first, second = kept.begin(ada, Means.TOKEN), kept.begin(ada, Means.TOKEN)
    kept.find(first)
    third = kept.begin(ada, Means.TOKEN)

    assert [kept.find(each) is not None for each in (first, second, third)] == [True, False, True]


def test_a_link_signs_in_once(kept: Sessions) -> None:
    code = kept.offer(ada)

    assert kept.look(code)().actor == "ada"
    assert kept.redeem(code)().actor == "ada"
    with pytest.raises(LinkSpent):
        kept.redeem(code)
    with pytest.raises(LinkSpent):
        kept.look(code)


def test_a_link_is_good_for_minutes(kept: Sessions, clock: Clock) -> None:
    code = kept.offer(ada)
    clock.time += LINK_LASTS

    with pytest.raises(LinkSpent):
        kept.redeem(code)


def test_who_guesses_is_asked_to_wait_and_nobody_else_is(clock: Clock) -> None:
    counted = Attempts(monotonic=clock)
    waits = [counted.failed("192.0.2.1") for _ in range(attempts.MOST + 1)]

    assert waits == [0.0] * attempts.MOST + [attempts.WINDOW]
    assert counted.failed("192.0.2.2") == 0.0
    clock.time += attempts.WINDOW
    assert counted.failed("192.0.2.1") == 0.0


def test_all_addresses_of_one_sender_count_together(clock: Clock) -> None:
    counted = Attempts(monotonic=clock)
    for number in range(attempts.MOST):
        counted.failed(f"2001:db8::{number:x}")

    assert counted.failed("2001:db8::ffff") > 0
    assert counted.failed("2001:db8:0:1::1") == 0.0


def test_many_addresses_fill_no_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "MOST_ADDRESSES", 3)
    counted = Attempts(monotonic=clock)
    for number in range(50):
        counted.failed(f"192.0.2.{number}")

    assert len(counted._failed) == 3
