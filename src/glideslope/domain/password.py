"""Which passwords are refused, after NIST SP 800-63B-4, section 3.1.1: short ones and what everybody tries; no composition, no expiry.

A password alone signs in here, so it has fifteen characters at least. The list is an argument: this room reads no files.
"""

import itertools
import unicodedata
from collections.abc import Collection
from typing import Final

from glideslope.domain.errors import PasswordWeak
from glideslope.domain.ids import Actor

SHORTEST: Final = 15
"""Characters (code points after normalisation) of a password that is the only factor."""
LONGEST: Final = 256
"""Characters; the standard asks for 64 at least. What is longer costs time and brings nothing."""
FEWEST: Final = 5
"""Different characters."""
OURS: Final = "glideslope"


def normalised(password: str) -> str:
    """Return a password as it is compared: NFC, so that the same keys mean the same wherever they are pressed."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, *, actor: Actor, common: Collection[str]) -> str:
    """Return a password that may be used, normalised. Raises PasswordWeak with what to do instead.

    `common` holds passwords that are tried first, in lower case.
    """
    text = normalised(password)
    if len(text) < SHORTEST:
        raise PasswordWeak(f"it has {len(text)} characters, and {SHORTEST} is the least; a few words in a row will do")
    if len(text) > LONGEST:
        raise PasswordWeak(f"it has {len(text)} characters, and {LONGEST} is the most")
    plain = text.casefold()
    if len(set(plain)) < FEWEST:
        raise PasswordWeak(f"it has fewer than {FEWEST} different characters")
    if plain in (plain + plain)[1:-1]:
        raise PasswordWeak("it repeats one piece")
    if _is_run(plain):
        raise PasswordWeak("it runs along the alphabet or the digits")
    if _bare(plain, actor=actor, common=common):
        raise PasswordWeak("it is made of what everybody tries first, or of your name or ours")
    return text


def _is_run(plain: str) -> bool:
    """Tell whether nearly every character follows the one before it: abcdefghijklmno, 987654321098765."""
    steps = [ord(b) - ord(a) for a, b in itertools.pairwise(plain)]
    return max(sum(step in (1, -9) for step in steps), sum(step in (-1, 9) for step in steps)) >= len(steps) - 1


def _bare(plain: str, *, actor: Actor, common: Collection[str]) -> bool:
    """Tell whether it is one or two common passwords in a row, or names that a guesser knows with a few signs around."""
    if plain in common or any(plain[:cut] in common and plain[cut:] in common for cut in range(1, len(plain))):
        return True
    left = plain
    for name in sorted({actor.casefold(), *actor.casefold().replace("@", ".").split("."), OURS}, key=len, reverse=True):
        if len(name) >= 3:
            left = left.replace(name, "")
    return left != plain and (len(left) < 8 or left in common)
