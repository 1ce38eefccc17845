"""Headers by which a data plane tells services and callers who was assigned where; services read them, nobody forges them."""

from typing import Final

SUBJECT: Final = "x-glideslope-subject"
"""Set by the caller: who is assigned. The only one that a data plane lets in."""

ARM: Final = "x-glideslope-arm"
"""`candidate` or `incumbent` while the request is measured, SHADOW on a mirrored copy, absent otherwise."""

SHADOW: Final = "shadow"
"""The value of ARM on a mirrored copy: its answer is thrown away."""

ROLLOUT: Final = "x-glideslope-rollout"
STEP: Final = "x-glideslope-step"

VERSION: Final = "x-glideslope-version"
"""The version that was assigned."""

SERVED: Final = "x-glideslope-served"
"""On answers: the version that answered, another than VERSION after a rescue."""

REQUEST: Final = "x-request-id"
"""Made by the data plane for each request; the same on the request and its mirrored copy."""

STAMPS: Final = (ARM, ROLLOUT, STEP, VERSION, SERVED)
"""What callers and model servers may not set: removed where requests and answers come in."""
