"""Text on its way to a terminal: what came from elsewhere is shown there, and never obeyed.

A reason, a name or a ledger may hold whatever somebody wrote into it: escape sequences that clear the screen or forge a
line, marks that turn the reading direction around, letters that cannot be seen.
"""

import re
from typing import Final

import click

_BREAKS: Final = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text, with all that is not visible in it made so. Everything the command line prints goes through here."""
    click.echo(visible(text), err=err, nl=nl)


def visible(text: str) -> str:
    r"""Write what cannot be printed, but for line ends, as JSON escapes it (`\u001b`): so a JSON document stays the same one."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter == "\n" else _escaped(letter) for letter in text)


def shown(value: object) -> object:
    """Return a JSON value for people: each text on one line, so that no reason looks like a line of ours, and all visible."""
    match value:
        case str():
            return visible(_BREAKS.sub(" ", value.strip()))
        case dict():
            return {key: shown(member) for key, member in value.items()}
        case list():
            return [shown(member) for member in value]
        case _:
            return value


def _escaped(letter: str) -> str:
    code = ord(letter)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
