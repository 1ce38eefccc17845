"""`glideslope rollback`: all traffic returns to the incumbent, now and for good."""

from glideslope.interfaces.cli.ordering import ordering

command = ordering(
    "rollback", help_text="Return all traffic of ROLLOUT (an id or a model) to the incumbent, now and for good."
)
