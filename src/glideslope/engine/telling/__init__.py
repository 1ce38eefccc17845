"""Telling people and programs what happened: messages made of the record, carried by couriers, one per channel."""
