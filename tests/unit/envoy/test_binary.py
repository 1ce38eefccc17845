"""Envoy is found by who brought it, since two distributions share the package name `envoy`."""

from importlib.metadata import Distribution
from pathlib import Path

import pytest

from glideslope.adapters.drivers.envoy.binary import binary_of, find_binary
from glideslope.domain.errors import DriverUnavailable

SERVER = ("envoy/__init__.py", "envoy/_bin/envoy")
MESSAGES = ("envoy/__init__.py", "envoy/service/discovery/v3/discovery_pb2.py")


def install(site: Path, name: str, files: tuple[str, ...]) -> None:
    """Lay out a distribution as an installer does: its files and the list of them."""
    listed = [*files, f"{name}.dist-info/RECORD", f"{name}.dist-info/METADATA"]
    for file in listed:
        path = site / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (site / f"{name}.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (site / f"{name}.dist-info" / "RECORD").write_text("".join(f"{file},,\n" for file in listed))


def installed(site: Path, name: str) -> Distribution:
    return Distribution.at(site / f"{name}.dist-info")


@pytest.mark.parametrize("order", [("server", "messages"), ("messages", "server")])
def test_it_is_found_whichever_was_installed_last(tmp_path: Path, order: tuple[str, str]) -> None:
    for name in order:
        install(tmp_path, name, SERVER if name == "server" else MESSAGES)

    assert tmp_path / "envoy/_bin/envoy" == binary_of(installed(tmp_path, "server"))


def test_an_incomplete_wheel_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "server", SERVER)
    (tmp_path / "envoy/_bin/envoy").unlink()

    with pytest.raises(DriverUnavailable, match="without its executable"):
        binary_of(installed(tmp_path, "server"))


@pytest.mark.envoy
def test_the_real_one_is_found_beside_the_real_messages() -> None:
    assert find_binary().name == "envoy"
