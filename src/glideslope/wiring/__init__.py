"""The composition root: the only room that knows everyone. It builds, starts and stops; it decides nothing."""
