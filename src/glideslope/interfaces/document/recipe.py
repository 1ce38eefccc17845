"""`recipe.yaml`: how a version is made, with a position for everything that is wrong."""

import re
from typing import Final

import msgspec

from glideslope.domain.governing.rebuild import FORMAT, Recipe, RecipeInvalid, check_recipe
from glideslope.interfaces.document import tree
from glideslope.interfaces.document.text import DocumentInvalid, Source
from glideslope.interfaces.document.tree import Path, Tree, dotted

_MESSAGE: Final = re.compile(r"(.*?)(?: - at `(?:key in )?\$(.*)`)?", re.DOTALL)
_PART: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")


class RecipeRefused(RecipeInvalid, DocumentInvalid):
    """What is wrong with a recipe, at its place in a file."""


def read(text: str, *, file: str) -> Recipe:
    """Read a recipe. Raises RecipeRefused."""
    found = tree.read(Source(text=text, file=file, what="recipe", error=RecipeRefused))
    written = dict(found.value)
    if written.pop("rebuild", None) != FORMAT or isinstance(found.value.get("rebuild"), bool):
        raise _refusal(found, "rebuild", f"this reads recipes of format {FORMAT}; say `rebuild: {FORMAT}`")
    try:
        recipe = msgspec.convert({**written, "format": FORMAT}, type=Recipe)
    except msgspec.ValidationError as error:
        matched = _MESSAGE.fullmatch(str(error))
        sentence, place = (matched[1], matched[2] or "") if matched else (str(error), "")
        parts = ".".join(name or number for name, number in _PART.findall(place))
        raise _refusal(found, parts, sentence[:1].lower() + sentence[1:]) from None
    try:
        check_recipe(recipe)
    except RecipeInvalid as error:
        raise _refusal(found, error.where, error.sentence) from None
    return recipe


def _refusal(found: Tree, where: str, sentence: str) -> DocumentInvalid:
    path: Path = ()
    for part in where.split(".") if where else ():
        path = (*path, int(part) if part.isdecimal() else part)
    return found.source.refusal(sentence, found.span(path), where=dotted(path))
