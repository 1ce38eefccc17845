"""What runs beside the host never fails it, ends when asked, and starts afresh in a forked child."""

import os
import threading
import time

from glideslope.sdk.background import Background


def wait_for(event: threading.Event) -> None:
    assert event.wait(10), "this did not happen in time"


def test_it_acts_again_and_again_until_it_is_stopped_and_then_once_more() -> None:
    acts: list[float] = []
    third = threading.Event()

    def act() -> float:
        acts.append(time.monotonic())
        if len(acts) == 3:
            third.set()
        return 0.001 if len(acts) < 3 else 60.0

    background = Background(act, name="test")
    background.start()
    background.start()
    wait_for(third)

    assert background.stop(timeout=10)
    assert not background.running
    assert len(acts) == 4


def test_an_act_that_fails_is_counted_and_tried_again() -> None:
    again = threading.Event()

    def act() -> float:
        if background.failures == 2:
            again.set()
            return 60.0
        raise RuntimeError("broken")

    background = Background(act, name="test", pause=0.001)
    background.start()
    wait_for(again)

    assert background.stop(timeout=10)
    assert background.failures == 2


def test_a_nudge_does_not_wait() -> None:
    acted = [threading.Event(), threading.Event()]

    def act() -> float:
        acted[0 if not acted[0].is_set() else 1].set()
        return 60.0

    background = Background(act, name="test")
    background.start()
    wait_for(acted[0])
    background.nudge()

    wait_for(acted[1])
    assert background.stop(timeout=10)


def test_stopping_waits_no_longer_than_it_is_told() -> None:
    release = threading.Event()

    def act() -> float:
        release.wait(10)
        return 60.0

    background = Background(act, name="test")
    background.start()
    began = time.monotonic()

    assert not background.stop(timeout=0.05)
    assert time.monotonic() - began < 2
    release.set()
    assert background.stop(timeout=10)


def test_once_stopped_it_does_not_start_again() -> None:
    background = Background(lambda: 60.0, name="test")

    assert background.stop()
    background.start()

    assert not background.running


def test_a_forked_child_starts_a_thread_of_its_own() -> None:
    """Threads do not survive a fork: without a new one the child would fall silent."""
    acted = threading.Event()

    def act() -> float:
        acted.set()
        return 60.0

    background = Background(act, name="test")
    background.forked()
    background.start()
    wait_for(acted)

    assert background.stop(timeout=10)


def test_in_a_real_child_nothing_is_running_until_it_is_started() -> None:
    background = Background(lambda: 60.0, name="test")
    child = os.fork()
    if child == 0:
        background.start()
        os._exit(0 if background.running else 1)

    assert os.waitpid(child, 0)[1] == 0
    assert not background.running
