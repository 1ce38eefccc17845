"""The dashboard: pages over the same commands and queries as every other door, rendered here, working without JavaScript."""
