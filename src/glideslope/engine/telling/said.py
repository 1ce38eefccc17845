"""What a message says; the rest follows from its entry."""

from dataclasses import dataclass

from glideslope.domain.telling.message import Happening, Matter, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a message says. Empty where there is nothing to say."""

    happening: Happening
    severity: Severity
    title: str
    happened: str
    done: str = ""
    asked: str = ""
    settled: str = ""
    matter: Matter = Matter.NONE
    people: tuple[str, ...] = ()
    """Of whom something is asked by name, or who had a part in it."""
    functions: tuple[str, ...] = ()
    """In which something is asked of people."""
