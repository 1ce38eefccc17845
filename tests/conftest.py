"""How hard Hypothesis tries: modestly by default, repeatably in CI, thoroughly in `make test-all`."""

import os

from hypothesis import settings

# No deadlines: how long one example took on a busy machine says nothing about the code.
settings.register_profile("everyday", deadline=None, max_examples=60)
# The same examples at each run, so that a change is judged by itself and not by the luck of the draw.
settings.register_profile("ci", deadline=None, max_examples=60, derandomize=True, print_blob=True, database=None)
settings.register_profile("thorough", deadline=None, max_examples=2_000, print_blob=True)

settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "everyday"))
