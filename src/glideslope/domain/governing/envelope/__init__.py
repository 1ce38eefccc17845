"""Envelopes: what may change is agreed on once, and each candidate is classified by machine, inside or outside.

What was not shown is outside. What lies outside goes to everybody whom its tier asks for, with each clause that was left.
"""

from glideslope.domain.governing.envelope.classifying import (
    CLASSIFIERS,
    ENGINE,
    Classification,
    Standing,
    again,
    classify,
)
from glideslope.domain.governing.envelope.document import Envelope, check_envelope

__all__ = ["CLASSIFIERS", "ENGINE", "Classification", "Envelope", "Standing", "again", "check_envelope", "classify"]
