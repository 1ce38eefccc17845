"""Durations as options of the command line take them."""

import re
from typing import Final

import click

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Seconds(click.ParamType[float]):
    """A duration as in a plan."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `90s`, `10m`, `2h`."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)", str(value))
        if match is None:
            self.fail(f"{value!r} is not a duration like 30s, 10m or 2h.", param, ctx)
        return float(match[1]) * _UNITS[match[2]]
