"""A command that needs an extra says which, instead of calling it a mistake of ours."""

import click
import pytest
from click.testing import CliRunner

from glideslope.interfaces.cli.boundary import EXTRAS, guarded
from glideslope.interfaces.cli.exits import Exit


@click.command()
@click.argument("module")
@click.pass_context
def needy(ctx: click.Context, module: str) -> None:
    """Fail as an import of what is not installed does."""

    def run(_: click.Context) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    guarded(ctx, run)


@pytest.mark.parametrize("module", sorted(EXTRAS))
def test_a_module_of_an_extra_is_told_with_the_command_that_installs_it(module: str) -> None:
    result = CliRunner().invoke(needy, [f"{module}.part"], obj=object())

    assert result.exit_code == Exit.FAILED
    assert "extra-missing" in result.stderr
    assert f'pip install "glideslope[{EXTRAS[module]}]"' in result.stderr


def test_a_module_of_ours_that_is_missing_is_a_mistake_of_ours() -> None:
    result = CliRunner().invoke(needy, ["glideslope.nothing"], obj=object())

    assert "error[internal]" in result.stderr
