"""Names that things are known by; each a type of its own so that one cannot pass for another."""

import re
from typing import Final, NewType

from glideslope.domain.errors import NameInvalid

ModelName = NewType("ModelName", str)
"""What callers ask for by name."""

VersionName = NewType("VersionName", str)
"""A version's name within its model; the digest is its identity."""

RolloutId = NewType("RolloutId", str)
"""One attempt to replace an incumbent: `<model>-<number>`."""

StepName = NewType("StepName", str)
"""A step within one rollout's plan: `s1`, `s2`, ...; stamped on requests."""

MetricName = NewType("MetricName", str)

SliceName = NewType("SliceName", str)
"""A part of the data looked at separately: `origin=LGA`; the whole is `all`."""

Actor = NewType("Actor", str)
"""Who did it: a person's or a service's name, or `glideslope` itself."""

Digest = NewType("Digest", str)
"""`sha256:` and 64 hexadecimal digits."""

WHOLE: Final = SliceName("all")
MACHINE: Final = Actor("glideslope")
NOBODY: Final = Actor("")
"""Stands for whoever is not known yet: who would propose a plan that is only looked at."""

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,62}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def model_name(text: str) -> ModelName:
    """Accept a model's name: lower-case letters, digits, dots, dashes; at most 64. Raises NameInvalid."""
    return ModelName(_checked(text, what="model"))


def version_name(text: str) -> VersionName:
    """Accept a version's name, by the same rule. Raises NameInvalid."""
    return VersionName(_checked(text, what="version"))


def metric_name(text: str) -> MetricName:
    """Accept a metric's name, by the same rule with underscores. Raises NameInvalid."""
    _checked(text.replace("_", "-"), what="metric", shown=text)
    return MetricName(text)


def digest(text: str) -> Digest:
    """Accept a SHA-256 digest. Raises NameInvalid."""
    if not _DIGEST.fullmatch(text):
        raise NameInvalid(what="digest", text=text, expected="sha256: and 64 hexadecimal digits")
    return Digest(text)


def _checked(text: str, *, what: str, shown: str | None = None) -> str:
    if not _NAME.fullmatch(text):
        raise NameInvalid(
            what=what,
            text=shown or text,
            expected="1 to 64 lower-case letters, digits, dots or dashes, ending in a letter or digit",
        )
    return text
