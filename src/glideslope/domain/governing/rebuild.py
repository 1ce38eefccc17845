"""A recipe that makes a version again, what contradicts the recorded facts in it, and what came out of following it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.errors import PlanInvalid
from glideslope.domain.governing.facts import Facts, Value
from glideslope.domain.ids import Digest

FORMAT: Final = 1
PLACES: Final = ("output", "data", "configuration", "seed")
"""What may stand in braces in a command."""

_REVISION: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PLACE: Final = re.compile(r"\{([^{}]*)\}")


class RecipeInvalid(PlanInvalid):
    """A recipe that cannot be read or followed, with its place in the file when there is one."""

    code = "recipe-invalid"
    untouched = "Nothing was made; traffic is unchanged."
    usual_next = "glideslope rebuild --help"


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Source(_Part, frozen=True, kw_only=True):
    """The code: a repository that git can clone, and a whole commit of it."""

    repository: str
    revision: str


class Input(_Part, frozen=True, kw_only=True):
    """A file or folder of data, its name under `{data}`, and what it must hash to."""

    name: str
    path: str
    digest: Digest


class Recipe(_Part, frozen=True, kw_only=True):
    """How a version is made. Paths are relative to the recipe's file; `lock` is relative to the repository."""

    format: int = FORMAT
    code: Source
    lock: str
    """Requirements that pin every package by hash."""
    command: tuple[str, ...]
    data: tuple[Input, ...] = ()
    configuration: dict[str, Value] | UnsetType = UNSET
    seed: int | UnsetType = UNSET


class Remade(msgspec.Struct, frozen=True, kw_only=True):
    """What came out."""

    digest: Digest
    expected: Digest
    same: bool
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    surplus: tuple[str, ...]
    compared: bool
    """The original's files were at hand, so the three lists above say all there is."""
    offline: bool
    """The command ran without a network."""
    seconds: float


def check_recipe(recipe: Recipe) -> None:
    """Refuse what cannot be followed. Raises RecipeInvalid with `where`."""
    for where, sentence in _wrong(recipe):
        raise RecipeInvalid(sentence, where=where)


def _wrong(recipe: Recipe) -> Iterator[tuple[str, str]]:
    if not _REVISION.fullmatch(recipe.code.revision):
        yield "code.revision", "a revision is a whole commit: 40 or 64 hexadecimal digits"
    if recipe.code.repository.startswith("-"):
        yield "code.repository", "this is no repository"
    if not _inside(recipe.lock):
        yield "lock", "the lock lies in the repository"
    if not recipe.command:
        yield "command", "a command has words"
    for number, word in enumerate(recipe.command):
        for place in _PLACE.findall(word):
            if place not in PLACES:
                yield f"command.{number}", f"{{{place}}} is none of {', '.join(f'{{{each}}}' for each in PLACES)}"
    if not any("{output}" in word for word in recipe.command):
        yield "command", "the command is told where to write: {output}"
    names = [each.name for each in recipe.data]
    for number, each in enumerate(recipe.data):
        if not _inside(each.name) or names.count(each.name) > 1:
            yield f"data.{number}.name", "a name is a path of its own under {data}"
        if not _DIGEST.fullmatch(each.digest):
            yield f"data.{number}.digest", "a digest is sha256: and 64 hexadecimal digits"


def _inside(path: str) -> bool:
    return all(part not in {"", ".", ".."} for part in path.split("/"))


def contradictions(recipe: Recipe, facts: Facts, *, lock: Digest | None = None) -> tuple[str, ...]:
    """Say where the recipe is not what was recorded; where nothing was recorded, nothing contradicts it."""
    return tuple(_contradictions(recipe, facts, lock))


def _contradictions(recipe: Recipe, facts: Facts, lock: Digest | None) -> Iterator[str]:
    if not isinstance(facts.code, UnsetType) and facts.code.revision != recipe.code.revision:
        yield f"the facts say revision {facts.code.revision}, the recipe {recipe.code.revision}"
    if facts.seed is not UNSET and facts.seed != recipe.seed:
        yield f"the facts say seed {facts.seed}, the recipe {'none' if recipe.seed is UNSET else recipe.seed}"
    if facts.configuration is not UNSET and facts.configuration != recipe.configuration:
        yield "the facts say another configuration than the recipe"
    if lock is not None and not isinstance(facts.environment, UnsetType):
        recorded = facts.environment.lock
        if recorded is not UNSET and recorded != lock:
            yield f"the facts say the lock {recorded}, the one in the repository is {lock}"
    given = {each.digest for each in recipe.data}
    for dataset in () if isinstance(facts.datasets, UnsetType) else facts.datasets:
        if (
            not isinstance(dataset.digest, UnsetType)
            and dataset.digest not in given
            and dataset.use.value != "evaluation"
        ):
            yield f"the facts say that it learned from {dataset.name} {dataset.digest}, which the recipe does not give"


def compared(
    found: Mapping[str, str], original: Mapping[str, str] | None
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the files that changed, are missing and came on top, by their digests."""
    if original is None:
        return (), (), ()
    both = found.keys() & original.keys()
    changed = sorted(name for name in both if found[name] != original[name])
    return tuple(changed), tuple(sorted(original.keys() - found.keys())), tuple(sorted(found.keys() - original.keys()))
