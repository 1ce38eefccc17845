"""`glideslope withdraw`: an approval is taken back, and what rested on it exposes nobody any more."""

from glideslope.interfaces.cli.ordering import ordering

command = ordering(
    "withdraw",
    help_text="Take your approval of ROLLOUT (an id or a model) back. Where it was needed, nobody is exposed any more.",
)
