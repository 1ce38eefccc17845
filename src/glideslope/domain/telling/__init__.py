"""Telling people and programs what happened: messages, channels, and in what order a channel carries them."""
