"""The edge of the program: a refusal becomes text and a status, and so does what nobody expected."""

import os
from collections.abc import Callable
from typing import Any, Final

import click

from glideslope.domain.errors import GlideslopeError
from glideslope.interfaces.cli.telling import tell

AS_JSON: Final = "glideslope.as_json"
"""Key in the context's meta: whether the caller asked for JSON, also of errors."""


class InternalError(GlideslopeError):
    """Nobody expected this; what it was is shown when GLIDESLOPE_DEBUG is set."""

    code = "internal"


def guarded(ctx: click.Context, run: Callable[[click.Context], Any]) -> Any:  # noqa: ANN401 - whatever a command returns
    """Run a command; what it raises ends the program with the status of its branch."""
    if callable(ctx.obj):
        ctx.obj = ctx.obj()  # the outside, which `--help` does without
    try:
        return run(ctx)
    except GlideslopeError as error:
        ctx.exit(tell(error, as_json=bool(ctx.meta.get(AS_JSON))))
    except (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, KeyboardInterrupt, BrokenPipeError):
        raise
    except Exception as error:  # the boundary of the program: no stack trace for people, unless they ask
        if os.environ.get("GLIDESLOPE_DEBUG"):
            raise
        told = InternalError(
            f"{type(error).__name__}: {error}. This is a mistake in Glideslope.",
            traffic="The command line moves no traffic by itself.",
            next_command="GLIDESLOPE_DEBUG=1 glideslope ...",
        )
        ctx.exit(tell(told, as_json=bool(ctx.meta.get(AS_JSON))))
