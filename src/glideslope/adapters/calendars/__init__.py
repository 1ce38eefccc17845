"""Adapters that know public holidays."""
