"""The offline stage: measures a candidate in its own serving process, beside the incumbent. Needs the extra `evaluate`."""
