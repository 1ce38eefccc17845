"""A deterministic simulator: one seed decides everything that happens to a whole fleet, and five promises are asked after each step.

The engine, the rules, the statistics and the ledger are the real ones; clocks, network, stores, data planes, services and
people are fakes on a virtual clock, and everything that can go wrong with them does. Run it with
`python -m glideslope.testing.simulate`. Practice: FoundationDB's and TigerBeetle's simulators.
"""
