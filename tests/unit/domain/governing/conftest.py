"""The dossier and the policies that are shipped, as tests begin with them."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

import glideslope.interfaces.cli
from glideslope.domain.governing.dossier import Dossier, dossier_of
from glideslope.domain.governing.policy import Policy
from glideslope.domain.governing.policy.trying import Case, as_agreed, edited
from glideslope.interfaces.document import policies

SHIPPED = Path(glideslope.interfaces.cli.__file__).parent / "files" / "policies"
NAMES = ("regulated-bank", "product-team", "lab")


@pytest.fixture(scope="session")
def _document() -> dict[str, Any]:
    path = SHIPPED / "dossier.yaml"
    return policies.read_document(path.read_text(encoding="utf-8"), file=path.name)


@pytest.fixture
def document(_document: dict[str, Any]) -> dict[str, Any]:
    """A dossier of a change with everything, as plain values of the test's own."""
    return deepcopy(_document)


@pytest.fixture(scope="session")
def shipped() -> Mapping[str, Policy]:
    return {name: policies.read((SHIPPED / f"{name}.yaml").read_text("utf-8"), file=name).policy for name in NAMES}


@pytest.fixture
def made(document: dict[str, Any]) -> Callable[..., Dossier]:
    """Return a dossier with parts dropped or set; as agreed like that unless it is said otherwise."""

    def make(*drop: str, agreed: bool = True, **parts: Any) -> Dossier:
        changes = {path.replace("__", "."): value for path, value in parts.items()}
        case = Case(name="a test", dossier="-", drop=drop, set=changes, passes=True)
        dossier = dossier_of(edited(document, case))
        return as_agreed(dossier) if agreed else dossier

    return make
