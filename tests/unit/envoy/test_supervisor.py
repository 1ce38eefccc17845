"""The supervisor keeps trying, not too fast, and keeps a log that cannot fill the disk."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from glideslope.adapters.drivers.envoy import supervisor
from glideslope.adapters.drivers.envoy.bootstrap import Gateway
from glideslope.adapters.drivers.envoy.layout import Folder
from glideslope.adapters.drivers.envoy.process import Running, running
from glideslope.adapters.drivers.envoy.supervisor import run_gateway
from glideslope.domain.errors import DriverUnavailable


async def test_an_envoy_that_dies_at_once_is_started_ever_more_slowly(tmp_path: Path) -> None:
    stopping = asyncio.Event()
    broken = tmp_path / "envoy"
    broken.write_text(f"#!{sys.executable}\nprint('started', flush=True)\nraise SystemExit(3)\n")
    broken.chmod(0o700)
    task = asyncio.create_task(run_gateway(tmp_path / "gw", Gateway(port=0), stopping=stopping, binary=broken))
    loop = asyncio.get_running_loop()
    starts: list[float] = []

    async with asyncio.timeout(20):
        while len(starts) < 5:
            log = Folder.at(tmp_path / "gw").log
            if log.exists() and log.read_text().count("started") > len(starts):
                starts.append(loop.time())
            await asyncio.sleep(0.005)
    stopping.set()
    await task

    assert starts[-1] - starts[0] > 0.1 + 0.2 + 0.4
    assert running(tmp_path / "gw") is None


def test_a_log_that_has_grown_is_cut_and_its_end_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LOG_LIMIT", 10)
    log = tmp_path / "envoy.log"
    with log.open("ab") as writer:
        writer.write(b"much has been said\n")
        writer.flush()

        supervisor._rotate(log)
        writer.write(b"and more\n")

    assert log.read_bytes() == b"and more\n"
    assert (tmp_path / "envoy.log.1").read_bytes() == b"much has been said\n"


def test_a_process_number_that_was_given_away_is_not_our_envoy(tmp_path: Path) -> None:
    """The file names this very process, but one that started at another time."""
    folder = Folder.at(tmp_path)
    mistaken = Running(pid=os.getpid(), started=1, host="127.0.0.1", port=1)
    folder.pid.write_text(f'{{"pid":{mistaken.pid},"started":1,"host":"127.0.0.1","port":1}}')

    assert running(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{}",
        b"\xff",
        b'{"pid":"x"}',
        b'{"pid":0,"started":1,"host":"","port":1}',
        b'{"pid":-1,"started":1,"host":"","port":1}',
        b'{"pid":99999999999,"started":1,"host":"","port":1}',
        b'{"pid":1,"started":1,"host":"\xff","port":1}',
    ],
)
def test_a_damaged_process_file_names_nobody(tmp_path: Path, content: bytes) -> None:
    Folder.at(tmp_path).pid.write_bytes(content)

    assert running(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        b'{"static_resources":[]}',
        b'{"static_resources":{"listeners":[{"address":{"socket_address":{"port_value":70000}}}]}}',
        b'{"static_resources":{"listeners":[{"address":{"socket_address":{"port_value":-1}}}]}}',
        b'{"static_resources":{"listeners":[{"address":{"socket_address":{"port_value":1e999}}}]}}',
    ],
)
async def test_a_damaged_bootstrap_does_not_keep_the_gateway_from_starting(tmp_path: Path, content: bytes) -> None:
    """It is what the gateway serves the incumbent from while no server lives; it is written again, on any free port."""
    home = Folder.at(tmp_path / "gw")
    home.create()
    home.bootstrap.write_bytes(content)
    stopping = asyncio.Event()
    stopping.set()

    await run_gateway(home.path, Gateway(port=0), stopping=stopping, binary=Path("/bin/true"), drain=0.1)

    assert 0 < supervisor._last_address(home)[1] < 65_536


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DriverUnavailable, match="too long"):
        Folder.at(tmp_path / ("x" * 120))
