"""The set-up scripts decide rightly what is missing and refuse what they cannot read."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def ensure_debian(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ensure_debian", root / "tools" / "ensure_debian.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_only_programs_that_are_not_there_are_installed(ensure_debian: ModuleType) -> None:
    here = {"psql": "/usr/bin/psql"}

    missing = ensure_debian.missing(["psql=postgresql", "chromium=chromium"], which=here.get)

    assert missing == ["chromium"]


@pytest.mark.parametrize("wanted", ["postgresql", "=postgresql", "psql=", ""])
def test_a_program_without_its_package_is_refused(ensure_debian: ModuleType, wanted: str) -> None:
    with pytest.raises(ValueError, match="program=package"):
        ensure_debian.missing([wanted], which={}.get)


def test_nothing_is_done_when_nothing_is_missing(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "tools/ensure_debian.py", "git=git"], cwd=root, capture_output=True, text=True, check=False
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_an_unknown_lock_is_refused_before_anything_is_made(root: Path) -> None:
    run = subprocess.run(
        [sys.executable, "tools/environment.py", "prod"], cwd=root, capture_output=True, text=True, check=False
    )

    assert run.returncode != 0
    assert "demo|dev" in run.stderr
