"""The top of the command tree."""

from typing import Final

import click

from glideslope import __version__
from glideslope.interfaces.cli.lazy import LazyGroup, Verb

_BEGIN, _CHANGE, _STOP, _LOOK, _PROVE, _MORE = (
    "Begin", "Change", "Stop", "Look", "Prove", "More",
)  # fmt: skip

VERBS: Final = {
    "demo": Verb("See it work on real flights and real models.", _BEGIN),
    "init": Verb("Write a commented glideslope.yaml to start from.", _BEGIN),
    "up": Verb("Start server and gateway on this machine.", _BEGIN),
    "gateway": Verb("Keep a gateway alive on another host.", _BEGIN),
    "register": Verb("Make a version of a model known.", _CHANGE),
    "evaluate": Verb("Measure a candidate offline, before anybody meets it.", _CHANGE),
    "contract": Verb("Agree on what a model's input looks like.", _CHANGE),
    "policy": Verb("Write, test and ask a policy; needs no server.", _CHANGE),
    "facts": Verb("Record how a version was made.", _CHANGE),
    "bom": Verb("Print what a version is made of (CycloneDX).", _PROVE),
    "card": Verb("Print a version's model card.", _PROVE),
    "document": Verb("Print an evaluation report, rollback plan, failure modes.", _PROVE),
    "signature": Verb("Sign a version's files, or check who did.", _PROVE),
    "plan": Verb("Show what a rollout would do; changes nothing.", _CHANGE),
    "simulate": Verb("Carry a plan through by chance, many times.", _CHANGE),
    "backtest": Verb("Show what a plan would have decided on recorded rollouts.", _CHANGE),
    "apply": Verb("Propose the rollout.", _CHANGE),
    "approve": Verb("Say yes (or no) to a plan.", _CHANGE),
    "ask": Verb("Ask the proposer for more, before a yes.", _CHANGE),
    "reply": Verb("Reply to what you were asked for.", _CHANGE),
    "judge": Verb("Judge what the machine cannot, and let it go on.", _CHANGE),
    "withdraw": Verb("Take your approval back.", _CHANGE),
    "agree": Verb("Say who decides: the organisation, and what it agreed on.", _CHANGE),
    "drill": Verb("Practise going back, and see how long it takes.", _CHANGE),
    "advisories": Verb("Record known weaknesses of packages.", _CHANGE),
    "incident": Verb("Say what a breach was about, and what is done.", _CHANGE),
    "retry": Verb("Try a rolled-back change again.", _CHANGE),
    "outcomes": Verb("Send the truth about predictions from a file.", _CHANGE),
    "halt": Verb("Withdraw the exposure and freeze.", _STOP),
    "resume": Verb("Let a halted rollout go on.", _STOP),
    "rollback": Verb("Return all traffic to the incumbent.", _STOP),
    "break-glass": Verb("Pass what governance forbids, by two people, for a while.", _STOP),
    "open": Verb("Open the dashboard, signed in.", _LOOK),
    "browse": Verb("Show a copy of a record as pages; without one, a recorded run.", _LOOK),
    "watch": Verb("Follow a rollout as it happens.", _LOOK),
    "status": Verb("Tell how a rollout stands, for scripts.", _LOOK),
    "inbox": Verb("List what waits for you, or for anybody.", _LOOK),
    "ls": Verb("List models and rollouts.", _LOOK),
    "show": Verb("Show a rollout or a model in full.", _LOOK),
    "search": Verb("Find entries of the record by words and fields.", _LOOK),
    "channel": Verb("Show where people are told; try a channel, or tell it again.", _LOOK),
    "announce": Verb("Write the page of a change for the people affected.", _LOOK),
    "owners": Verb("Show who owns what, and what nobody does.", _LOOK),
    "access": Verb("Show who may do what.", _LOOK),
    "dues": Verb("List reviews and drills that are due.", _LOOK),
    "slices": Verb("Show the parts of the data, worst first.", _LOOK),
    "disagreements": Verb("Show what the arms answer most differently.", _LOOK),
    "features": Verb("Show drift and quality of a model's input.", _LOOK),
    "signals": Verb("Show what was not as usual, outside the criteria.", _LOOK),
    "doctor": Verb("Look for what is wrong.", _LOOK),
    "monitoring": Verb("Write what Prometheus and Grafana need.", _LOOK),
    "verify": Verb("Check the ledger and recompute every decision.", _PROVE),
    "pack": Verb("Write the evidence pack of a rollout.", _PROVE),
    "checkpoint": Verb("Print a signed checkpoint, or what a witness is sent.", _PROVE),
    "cosign": Verb("Hand in what a witness signed.", _PROVE),
    "dossier": Verb("Print what a policy is shown about a change.", _PROVE),
    "replay": Verb("Make one decision again from the record.", _PROVE),
    "rebuild": Verb("Make a version again and compare it.", _PROVE),
    "recompute": Verb("Count a rollout again from the prediction log.", _PROVE),
    "explain": Verb("Explain an error or a reason.", _MORE),
    "schema": Verb("Print the JSON Schema of a file that people write.", _MORE),
    "mcp": Verb("Let an assistant read and draft; it can change nothing.", _MORE),
    "token": Verb("Create, list and revoke API tokens.", _MORE),
    "account": Verb("Let people sign in at the dashboard.", _MORE),
    "people": Verb("Say, show and erase who is behind an id.", _MORE),
    "credentials": Verb("Make the credentials of a gateway on another host.", _MORE),
    "tls": Verb("Make a private CA and a certificate.", _MORE),
    "completion": Verb("Print the script that completes commands.", _MORE),
    "serve": Verb("Be the server process.", hidden=True),
}


@click.group(
    "glideslope",
    cls=LazyGroup,
    package="glideslope.interfaces.cli.verbs",
    boundary="glideslope.interfaces.cli.boundary",
    verbs=VERBS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(__version__, prog_name="glideslope")
def glideslope() -> None:
    """Governed updates of machine-learning models: staged, watched, withdrawn by the machine, verifiable by a stranger."""
