"""Single keys on a terminal, while something is watched. A terminal that cannot be read so is left as it is, and Ctrl-C works as ever."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether to stop reading."""
QUIT: Final = "q"


@contextmanager
def keys(acts: Mapping[str, Callable[[], object]]) -> Iterator[bool]:
    """Call what belongs to each key; `q` is Ctrl-C. Yields whether keys are read."""
    try:
        import termios
        import tty

        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
    except (ImportError, OSError, ValueError, AttributeError):
        yield False
        return
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            ready, _, _ = select.select([number], [], [], LOOK_EVERY)
            if not ready:
                continue
            key = os.read(number, 1).decode(errors="replace")
            if key in ("", QUIT):
                if key:
                    os.kill(os.getpid(), signal.SIGINT)
                return
            act = acts.get(key)
            if act is not None:
                act()

    reader = threading.Thread(target=read, name="keys", daemon=True)
    try:
        tty.setcbreak(number)
        reader.start()
        yield True
    finally:
        stop.set()
        reader.join(timeout=1)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
