"""Plants a fault in the product as it is imported, to see whether the simulator finds it (mutation testing, DeMillo et al. 1978)."""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault that somebody might really make: in `module`, `before` (found exactly once) becomes `after`."""

    name: str
    what: str
    module: str
    before: str
    after: str


class NotPlanted(ValueError):
    """The text that a mutant replaces is not in the product, or not just once: the list must follow the code."""


def mutated(source: str, mutant: Mutant) -> str:
    """Return a module's text with the fault in it. Raises NotPlanted."""
    if source.count(mutant.before) != 1:
        raise NotPlanted(f"{mutant.name}: {mutant.module} holds {mutant.before!r} {source.count(mutant.before)} times")
    return source.replace(mutant.before, mutant.after)


def source_of(mutant: Mutant) -> str:
    """Return the text of the module in which a fault is planted, without importing it. Raises NotPlanted."""
    spec = importlib.util.find_spec(mutant.module)
    if spec is None or spec.origin is None:
        raise NotPlanted(f"{mutant.name}: there is no module {mutant.module}")
    with open(spec.origin, encoding="utf-8") as file:  # noqa: PTH123 - pathlib would be imported before the fault is planted
        return file.read()


def plant(mutant: Mutant) -> None:
    """Have the next import of the module bring the fault along. Raises NotPlanted, also when it was imported before."""
    if mutant.module in sys.modules:
        raise NotPlanted(f"{mutant.name}: {mutant.module} was imported already")
    mutated(source_of(mutant), mutant)
    sys.meta_path.insert(0, _Planter(mutant))


class _Planter(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if found is None or found.origin is None:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(fullname, found.origin, self._mutant))


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, mutant: Mutant) -> None:
        super().__init__(fullname, path)
        self._mutant = mutant

    def get_code(self, fullname: str) -> object:  # type: ignore[override]  # a code object; no cache may be read or written
        path = self.get_filename(fullname)
        source = self.get_data(path).decode()
        return compile(mutated(source, self._mutant), path, "exec")
