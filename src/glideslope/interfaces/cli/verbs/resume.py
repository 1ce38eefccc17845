"""`glideslope resume`: a halted rollout goes on, by a fresh decision."""

from glideslope.interfaces.cli.ordering import ordering

command = ordering(
    "resume", help_text="Let a halted ROLLOUT (an id or a model) go on; the same subjects meet the candidate again."
)
