"""Each character of a YAML text is found where it was typed, however the text is written."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from glideslope.interfaces.document.within import places

LETTERS = st.text(alphabet="ab'\"\\ \n&>|:#é\t", min_size=1, max_size=40)


def written(raw: str) -> tuple[str, str]:
    """Return the only scalar of a document: as written, and as YAML reads it."""
    (event,) = (each for each in yaml.parse(raw, Loader=yaml.SafeLoader) if isinstance(each, yaml.ScalarEvent))
    return raw[event.start_mark.index : event.end_mark.index], event.value


@pytest.mark.parametrize(
    ("raw", "value", "at", "index"),
    [
        ("a && b", "a && b", 2, 2),
        ("'a && b'", "a && b", 2, 3),
        ("'it''s b'", "it's b", 5, 7),
        ('"a \\" b"', 'a " b', 4, 6),
        ('"\\u00e9 b"', "é b", 2, 8),
        ("a\n  b", "a b", 2, 4),
        ("'a\n\n  b'", "a\nb", 2, 6),
        (">-\n  a\n  && b", "a && b", 2, 9),
        ("|\n  a\n  && b\n", "a\n&& b\n", 2, 8),
    ],
)
def test_places(raw: str, value: str, at: int, index: int) -> None:
    scalar, found = written(raw)
    indices = places(scalar, found)

    assert found == value
    assert indices is not None
    assert indices[at] == index


@given(LETTERS, st.sampled_from(["'", '"', None, "|", ">"]), st.integers(5, 40))
def test_every_character_is_found_or_nothing_is_claimed(text: str, style: str | None, width: int) -> None:
    """What PyYAML writes and reads: a character that stands for itself stands at its place; others may be escaped or folded."""
    scalar, value = written(yaml.safe_dump(text, default_style=style, width=width, allow_unicode=True))
    indices = places(scalar, value)
    if indices is None:
        assert scalar[:1] not in "'\"", (scalar, value)
        return

    assert len(indices) == len(value) + 1
    assert list(indices) == sorted(indices)
    for character, index in zip(value, indices, strict=False):
        if character in "abé&:#":
            # In double quotes any character may be written as its number.
            assert scalar[index] in (character, "\\")
