"""Code on a page can be pasted: Python parses and imports what exists, plans are read without complaint."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from glideslope.interfaces.document import reading

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
YAML = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLAN_KEYS = ("model:", "candidate:", "owner:", "why:")


def missing(code: str) -> list[str]:
    """Return what a piece of Python imports from Glideslope and cannot get."""
    wanted = [
        (node.module, name.name)
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "glideslope"
        for name in node.names
    ]
    return [f"{module}.{name}" for module, name in wanted if not hasattr(importlib.import_module(module), name)]


def test_python_on_a_page_parses_and_imports_what_exists(pages: list[Path], root: Path) -> None:
    found = {
        str(page.relative_to(root)): [
            each for code in PYTHON.findall(page.read_text("utf-8")) for each in missing(code)
        ]
        for page in pages
    }

    assert {page: names for page, names in found.items() if names} == {}


def test_plans_on_a_page_are_plans(pages: list[Path], root: Path) -> None:
    plans = [
        (page, text)
        for page in pages
        for text in YAML.findall(page.read_text(encoding="utf-8"))
        if all(re.search(rf"^{key}", text, re.MULTILINE) for key in PLAN_KEYS)
    ]
    assert plans, "no plan found: this test would pass on nothing"
    for page, text in plans:
        reading.read(text, file=str(page.relative_to(root)))


def test_a_name_that_is_not_there_is_found() -> None:
    assert missing("from glideslope.sdk import Glideslope, Nothing") == ["glideslope.sdk.Nothing"]
    with pytest.raises(SyntaxError):
        missing("from glideslope import")
