"""A click group that knows its verbs by name and one line each, and loads a verb's module when it is chosen."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb's one line of help, the heading it stands under, and whether it is shown."""

    help: str
    heading: str = ""
    hidden: bool = False


class LazyGroup(click.Group):
    """Loads `PACKAGE.VERB` and takes its `command`; runs it by the function `guarded` of the module `boundary`."""

    def __init__(self, *args: Any, package: str, boundary: str, verbs: Mapping[str, Verb], **kwargs: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*args, **kwargs)
        self._package = package
        self._boundary = boundary
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own
        """Return the verbs that are shown."""
        return [name for name, verb in self.verbs.items() if not verb.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's own
        """Load a verb."""
        if cmd_name not in self.verbs:
            return None
        found = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(found, click.Command)  # noqa: S101 - our own modules
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or suggest one."""
        if args and args[0] not in self.verbs and not args[0].startswith("-"):
            from difflib import get_close_matches  # needed for a slip of the hand only

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            ctx.fail(f"There is no verb {args[0]!r}." + (f" Did you mean {close[0]!r}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's own
        """List the verbs without loading them."""
        headings = dict.fromkeys(verb.heading for verb in self.verbs.values() if not verb.hidden)
        for heading in headings:
            with formatter.section(heading):
                rows = [(n, v.help) for n, v in self.verbs.items() if v.heading == heading and not v.hidden]
                formatter.write_dl(rows, col_max=12)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's own
        """Run the verb within the program's boundary, which is loaded only now."""
        return importlib.import_module(self._boundary).guarded(ctx, super().invoke)
