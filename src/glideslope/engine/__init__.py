"""Use cases: they know ports, not technologies."""
