"""A tamper-evident log that a stranger can check; it has never heard of rollouts.

Modules are imported by name (``from glideslope.ledger import merkle``); nothing is re-exported here.
"""
