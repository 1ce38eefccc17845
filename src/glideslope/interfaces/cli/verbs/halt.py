"""`glideslope halt`: nobody meets the candidate until a person resumes."""

from glideslope.interfaces.cli.ordering import ordering

command = ordering(
    "halt", help_text="Withdraw the exposure of ROLLOUT (an id or a model) and freeze it, until somebody resumes it."
)
