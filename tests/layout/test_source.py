"""Source files stay small enough to read, say what they are for, and show at the top what they import."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "glideslope"
LIMIT = 800
REASONED = 500
VAGUE = {"Manager", "Helper", "Helpers", "Util", "Utils", "Base", "Impl"}

# Where our own rooms may be imported inside a function, and why.
LAZY = {
    "glideslope.__main__": "picks the verb: `verify` must not pay for the rest",
}


@dataclass(frozen=True, slots=True)
class Module:
    """One source file: dotted name, path from the root, text, and syntax tree."""

    name: str
    path: str
    text: str
    tree: ast.Module

    @property
    def docstring(self) -> str:
        """What the module says it is for; empty where it says nothing."""
        return ast.get_docstring(self.tree) or ""

    @property
    def lines(self) -> int:
        """Lines of the file, blank ones included: what a reader scrolls through."""
        return len(self.text.splitlines())


def read(path: Path, *, root: Path) -> Module:
    """Read one source file of the checkout at *root*."""
    text = path.read_text(encoding="utf-8")
    name = ".".join(path.relative_to(root / "src").with_suffix("").parts).removesuffix(".__init__")
    return Module(name=name, path=str(path.relative_to(root)), text=text, tree=ast.parse(text, filename=str(path)))


@pytest.fixture(scope="module")
def modules(root: Path) -> list[Module]:
    """Every module under `src/`."""
    found = [read(path, root=root) for path in sorted((root / "src").rglob("*.py"))]
    assert found, "no source found: these tests would pass on nothing"
    return found


def words(identifier: str) -> set[str]:
    """`StoreManager`, `store_manager` and `MANAGER` all contain the word Manager."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", identifier)
    return {part.capitalize() for part in parts}


def test_no_source_file_is_longer_than_800_lines(modules: list[Module]) -> None:
    too_long = [f"{module.path}: {module.lines} lines" for module in modules if module.lines > LIMIT]

    assert too_long == []


def test_a_source_file_of_more_than_500_lines_says_why(modules: list[Module]) -> None:
    """The docstring of such a module holds the words "long because" and then the reason."""
    silent = [
        f"{module.path}: {module.lines} lines and no 'long because' in its docstring"
        for module in modules
        if module.lines > REASONED and "long because" not in " ".join(module.docstring.lower().split())
    ]

    assert silent == []


def test_every_module_says_what_it_is_for(modules: list[Module]) -> None:
    """An `__init__.py` that only marks a package may stay empty."""
    silent = [module.path for module in modules if module.text.strip() and not module.docstring]

    assert silent == []


def test_no_class_or_module_has_a_name_that_says_nothing(modules: list[Module]) -> None:
    vague = [f"{module.path}: the module" for module in modules if words(module.name.rpartition(".")[2]) & VAGUE]
    for module in modules:
        classes = (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef))
        vague += [f"{module.path}:{node.lineno}: {node.name}" for node in classes if words(node.name) & VAGUE]

    assert vague == []


def test_the_word_check_sees_words_and_not_syllables() -> None:
    assert {"Store", "Manager"} == words("StoreManager") == words("store_manager")
    assert not words("Database") & VAGUE
    assert not words("BasisPoints") & VAGUE
    assert words("HTTPBase") & VAGUE


def is_type_checking(node: ast.AST) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def late_imports(node: ast.AST, *, inside: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and text of each import of our own package that happens when a function is called."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child):
            continue
        if inside and isinstance(child, ast.ImportFrom):
            module = child.module or ""
            if child.level or module.split(".")[0] == PACKAGE:
                yield child.lineno, ast.unparse(child)
        elif inside and isinstance(child, ast.Import):
            if any(alias.name.split(".")[0] == PACKAGE for alias in child.names):
                yield child.lineno, ast.unparse(child)
        else:
            called_later = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
            yield from late_imports(child, inside=inside or called_later)


def test_our_own_rooms_are_imported_at_the_top(modules: list[Module]) -> None:
    """An import inside a function hides a dependency from the reader, and often a cycle."""
    late = [
        f"{module.path}:{line}: {text}"
        for module in modules
        if module.name not in LAZY
        for line, text in late_imports(module.tree)
    ]

    assert late == []


def test_the_check_for_late_imports_sees_them() -> None:
    text = """
import glideslope.stats
def f():
    if True:
        from glideslope.engine import ports
    if TYPE_CHECKING:
        from glideslope.engine import governor
    import json
async def g():
    from . import ports
"""

    assert [line for line, _ in late_imports(ast.parse(text))] == [5, 10]
