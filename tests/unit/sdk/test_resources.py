"""A process knows what it uses, and never fails to say so."""

import mmap
import os
import time
from pathlib import Path

import msgspec
import pytest

from glideslope.sdk.briefed import Briefed
from glideslope.sdk.resources import GPU_EVERY, CpuTime, Meter
from glideslope.sdk.service import Service
from glideslope.sdk.stamps import NO_STAMPS


def test_memory_and_cpu_are_those_of_this_process() -> None:
    meter = Meter(price=0.5)
    before = meter.read()
    with mmap.mmap(-1, 50_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as held:  # the heap may have room left
        held.write(b"x" * len(held))
        sum(range(200_000))
        after = meter.read()

        assert after["memory_bytes"] - before["memory_bytes"] > 0.8 * len(held)
    assert after["cpu_seconds"] > before["cpu_seconds"]
    assert after["seconds"] > before["seconds"]
    assert after["price_per_hour"] == 0.5


def test_without_proc_memory_is_left_out(tmp_path: Path) -> None:
    assert "memory_bytes" not in Meter(proc=tmp_path).read()


def test_a_service_counts_its_predictions() -> None:
    service = Service("m")
    for _ in range(3):
        service.predicted(NO_STAMPS)

    assert service.meter.read()["predictions"] == 3


def test_what_a_process_uses_is_told_to_a_server_that_hears_it_and_to_no_other() -> None:
    """An older server refuses a message with a word that it does not know, and all counts in it."""
    service = Service("m")
    told, untold = [], []
    for briefed in (Briefed(), Briefed(tag="old"), Briefed(tag="new", usage=True, numbered=True)):
        service.briefed = briefed
        service.observer.follow(briefed)
        message, _ = service.observer._message()
        told.append(message.usage is not msgspec.UNSET)
        untold.append(service.untold)

    assert told == [False, False, True]
    assert untold == [(), ("usage", "unlisted"), ()]


def test_a_block_is_timed_by_its_threads_cpu_and_not_by_the_clock() -> None:
    with CpuTime() as idle:
        time.sleep(0.05)
    with CpuTime() as busy:
        sum(i * i for i in range(300_000))

    assert busy.ms > idle.ms
    assert idle.ms < 40


@pytest.mark.parametrize(
    ("says", "bytes_"),
    [("1, 7\nOURS, 100\nOURS, 28\n", 128 * 2**20), ("No devices were found\n", 0), ("x, y\n", 0)],
)
def test_a_gpus_driver_is_asked_now_and_then(
    says: str, bytes_: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    listed = says.replace("OURS", str(os.getpid()))
    program.write_text(f"#!/bin/sh\nprintf '%s' '{listed}'\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    meter = Meter()
    meter.look_at_gpu(now=100.0)
    assert meter.read().get("gpu_memory_bytes", 0) == bytes_

    program.unlink()
    meter.look_at_gpu(now=100.0 + GPU_EVERY / 2)
    assert meter.read().get("gpu_memory_bytes", 0) == bytes_
