"""Prediction logs, each behind the port of `engine.prediction_log`."""
