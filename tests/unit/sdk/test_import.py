"""The sdk costs its host little: names load when they are asked for, and what is heavy only when it is used."""

import subprocess
import sys

import pytest

import glideslope.sdk


def loaded(statement: str) -> set[str]:
    """Return the modules that a fresh interpreter holds after a statement."""
    text = f"import sys; {statement}; print(*sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=60)
    return set(run.stdout.split())


@pytest.mark.parametrize("name", glideslope.sdk.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(glideslope.sdk, name).__name__ == name


def test_a_name_that_is_not_ours_is_not_found() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = glideslope.sdk.nonsense


def test_the_package_alone_loads_none_of_its_modules() -> None:
    assert not {name for name in loaded("import glideslope.sdk") if name.startswith("glideslope.sdk.")}


@pytest.mark.parametrize("module", ["calls", "client", "following", "middleware", "observe", "requests", "service"])
def test_only_who_asks_loads_what_answers_look_like(module: str) -> None:
    assert not {name for name in loaded(f"import glideslope.sdk.{module}") if name.startswith("glideslope.engine")}


def test_a_call_loads_its_own_module_alone() -> None:
    loads = loaded("from glideslope.sdk import calls; calls.halt('r-0001', why='x')")

    assert {name for name in loads if name.endswith("_calls")} == {"glideslope.sdk.calls.act_calls"}


@pytest.mark.parametrize("module", ["client", "assign", "middleware"])
def test_neither_event_loop_nor_mail_parser_nor_tls_is_loaded_before_it_is_used(module: str) -> None:
    heavy = {"asyncio", "email.parser", "http.client", "ssl"}

    assert loaded(f"import glideslope.sdk.{module}") & heavy == set()
