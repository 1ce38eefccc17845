"""What a process uses: CPU and memory from /proc, a GPU's memory where there is one; and what one request's thread used.

The first is a signal for people: processes are not assigned by the coin, so no comparison of them can be a verdict. The
second is a value per request like any other, and may be a guardrail's metric.
"""

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

GPU_EVERY: Final = 10.0
"""Seconds between two questions about the GPU: each starts a process."""
_GPU_PATIENCE: Final = 5.0
_SELF: Final = Path("/proc/self")


class CpuTime:
    """Times a block by the CPU that its own thread used: `with CpuTime() as cpu: ...`, then `cpu.ms`, in milliseconds.

    What other threads do for it (a pool, a GPU) is not in it, nor is waiting.
    """

    __slots__ = ("_began", "ms")

    def __init__(self) -> None:
        self.ms = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        """Begin."""
        self._began = time.thread_time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, however it ended."""
        self.ms = 1000 * (time.thread_time() - self._began)


class Meter:
    """Reads what this process uses, and counts its predictions. Never raises; what cannot be read is left out.

    `price` is what an hour of this process costs, in any currency; 0 when nobody says.
    """

    def __init__(self, *, price: float = 0.0, proc: Path = _SELF) -> None:
        self._price = price
        self._proc = proc
        self._page = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
        self._gpu = 0.0
        self._asked = -GPU_EVERY
        self._lock = threading.Lock()
        self._predictions = 0

    def predicted(self) -> None:
        """Count one prediction."""
        with self._lock:
            self._predictions += 1

    def read(self) -> Mapping[str, float]:
        """Return `seconds` of wall time and `cpu_seconds` since some beginning, `memory_bytes`, `predictions`; more if known."""
        told = {
            "seconds": time.monotonic(),
            "cpu_seconds": time.process_time(),
            "predictions": float(self._predictions),
        }
        with suppress(OSError, ValueError, IndexError):  # no /proc here: memory is not known
            pages = float(self._proc.joinpath("statm").read_text(encoding="ascii").split()[1])
            told["memory_bytes"] = pages * self._page
        if self._gpu:
            told["gpu_memory_bytes"] = self._gpu
        if self._price > 0:
            told["price_per_hour"] = self._price
        return told

    def look_at_gpu(self, *, now: float) -> None:
        """Ask the driver how much of a GPU's memory this process holds, now and then; slow, so for a thread of its own."""
        if now - self._asked < GPU_EVERY:
            return
        self._asked = now
        import shutil  # a service without a GPU's driver should not pay for these
        import subprocess

        program = shutil.which("nvidia-smi")
        if program is None:
            return
        query = [program, "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
        try:
            found = subprocess.run(query, capture_output=True, text=True, timeout=_GPU_PATIENCE, check=True).stdout
            rows = [line.split(",") for line in found.splitlines() if "," in line]
            self._gpu = sum(float(mib) * 2**20 for pid, mib in rows if int(pid) == os.getpid())
        except (OSError, ValueError, subprocess.SubprocessError):
            self._gpu = 0.0
