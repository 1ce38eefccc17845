"""Short explanations of the words that pages use, at hand where the word stands and all together on one page.

They say what a reader needs in order to decide; the long version is in the project's documentation.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Explained:
    """A word as people read it, and what it means."""

    word: str
    text: str


STATISTICS: Final[Mapping[str, Explained]] = {
    "interval": Explained(
        "95 % interval",
        "Where the true difference between the two versions lies. It holds at all times at once: however often somebody looks, the "
        "chance that it ever leaves out the truth is at most 5 %. An interval that includes no difference does not say that there "
        "is none.",
    ),
    "margin": Explained(
        "margin",
        "How much worse the candidate may be and still be accepted. It was fixed in the plan before anybody met the candidate. "
        "Dashed in every chart.",
    ),
    "harm": Explained(
        "evidence of harm",
        "How far the outcomes speak for a candidate that is worse, on the way to the line at which the machine rolls back: 100 % is "
        "that line. It may fall again. The line is set so that a candidate that is not worse ever reaches any of the plan's lines "
        "with at most the stated chance.",
    ),
    "proof": Explained(
        "proof that all is well",
        "How far the outcomes rule out that the candidate is worse by more than the margin: at 100 % the guardrail is proven. Every "
        "guardrail that the plan requires must be, before more subjects meet the candidate.",
    ),
    "alpha": Explained(
        "chance of a wrong rollback",
        "The largest chance that a candidate that is not worse is rolled back for harm, over the whole rollout, all guardrails and "
        "slices together, however often one looks.",
    ),
    "effective": Explained(
        "worth per arm",
        "How many subjects in each arm of an even split would tell as much. Ninety subjects against ten tell as much as eighteen "
        "against eighteen: what is rare limits what can be seen. Subjects count once, however many requests they make.",
    ),
    "estimate": Explained(
        "comparison",
        "Candidate against incumbent under the same coin: a ratio (×1.08 is 8 % more) or a difference (+0.009). In the shadow both "
        "answered the same requests.",
    ),
    "maturity": Explained(
        "outcomes known",
        "Of how many subjects the truth has come. Outcomes come late, and those that come first may not be like the others, so a "
        "verdict waits until enough are known.",
    ),
    "fresh": Explained(
        "freshness",
        "When the source of a figure last reported. From a source that has been silent for too long nothing is concluded: the "
        "guardrail is unknown, and nothing advances.",
    ),
    "slice": Explained(
        "slice",
        "A part of the data that is judged by itself, so that harm to a few is not averaged away. Half of what a guardrail may spend "
        "on wrong alarms is for the whole, half for its slices.",
    ),
    "unproven": Explained(
        "not told apart yet",
        "The evidence rules out neither harm nor that all is well. It is not a pass: the rollout waits for more, and at the end of "
        "the step's time it is inconclusive.",
    ),
    "no-evidence": Explained(
        "no evidence",
        "Nothing was counted that could speak for or against. Missing evidence is never a yes.",
    ),
    "budget": Explained(
        "harm budget",
        "How much harm ends the rollout by itself, proof or not.",
    ),
}
"""Words of statistics."""

PARTS: Final[Mapping[str, Explained]] = {
    "incumbent": Explained("incumbent", "The version that serves now."),
    "candidate": Explained("candidate", "The version that asks to replace it."),
    "subject": Explained(
        "subject", "Who or what is assigned to a version and stays there: a customer, a device, a flight."
    ),
    "shadow": Explained(
        "shadow", "The candidate answers copies of requests; its answers are compared and thrown away. Nobody meets it."
    ),
    "canary": Explained("canary", "A share of the subjects meets the candidate, step by step more."),
    "bake": Explained("bake", "Everybody meets the candidate, and it is watched long enough to see late harm."),
    "guardrail": Explained("guardrail", "A metric that must not get worse. Harm on any of them rolls back."),
    "lease": Explained(
        "lease",
        "The permission to expose the candidate. It lasts for seconds and ends by itself, so that traffic returns to the incumbent "
        "when whatever renews it is dead.",
    ),
    "confirmed": Explained(
        "data plane confirms", "The gateway itself was asked what it does, and does what was decided."
    ),
    "rescued": Explained(
        "rescued",
        "The candidate failed and the incumbent answered in its place. It counts as a failure of the candidate.",
    ),
    "digest": Explained(
        "digest", "A fingerprint of a version's files: the same digest is the same content, byte by byte."
    ),
    "plan": Explained("plan", "All steps, margins and criteria, fixed with its digest before anything moves."),
}
"""Words of rollouts."""

RECORD: Final[Mapping[str, Explained]] = {
    "entry": Explained("entry", "One fact in the ledger. Entries are only ever added; each has a number."),
    "checkpoint": Explained(
        "checkpoint",
        "The ledger's size and the hash over all its entries, signed. One kept elsewhere shows any later change.",
    ),
    "root": Explained(
        "root hash",
        "One hash over all entries, of a Merkle tree (RFC 6962). Any changed, moved or missing entry changes it.",
    ),
    "inclusion": Explained(
        "proof of inclusion",
        "The few hashes that lead from an entry to a signed root: the entry is in that ledger, at that place.",
    ),
    "replay": Explained(
        "made again",
        "A decision is a function of the recorded evidence and time. Anybody can compute it again and must get the same.",
    ),
    "pack": Explained(
        "evidence pack",
        "One file about one change, with its entries and their proofs, that a stranger checks with Python alone.",
    ),
}
"""Words of the record."""

WORDS: Final[Mapping[str, Explained]] = {**STATISTICS, **PARTS, **RECORD}
