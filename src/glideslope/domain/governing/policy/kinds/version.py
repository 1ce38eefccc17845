"""Rules about the version itself: signed, described, compatible, of no known weakness, and such that it can be made again."""

import re
from collections.abc import Iterator
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, UnsetType

from glideslope.domain.governing.dossier import Advisory, Dossier, advisories_digest
from glideslope.domain.governing.facts import SignatureState
from glideslope.domain.governing.policy.answers import Missing, Shown, Sight, Wrong
from glideslope.domain.governing.policy.rule import FACTS, Duration, Rule, Words, known, listed, spoken, too_old


class Signed(Rule, frozen=True, kw_only=True, tag="signed"):
    """Its files carry a signature that was checked and holds, over exactly these bytes."""

    by: Words | UnsetType = UNSET
    """Whose: the certificate's subject, or the key's SHA-256. Anybody's when it is left out."""
    checked_within: Duration | UnsetType = UNSET

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        signature = None if facts is None else known(facts.signature)
        if signature is None:
            yield Missing("whether the candidate is signed")
            return
        if signature.state is not SignatureState.VERIFIED:
            yield Wrong(f"the signature is {signature.state.value}")
            return
        digest, signer, checked = known(signature.digest), known(signature.signer), known(signature.checked_at)
        if digest is None:
            yield Missing("what was signed")
        elif digest != dossier.change.candidate_digest:
            yield Wrong(f"what was signed is {digest[7:19]}, another version")
        else:
            yield Shown(f"signature over {digest[7:19]}")
        signers = known(self.by)
        if signers is not None:
            if signer is None:
                yield Missing("who signed")
            elif signer not in signers:
                yield Wrong(f"{signer} signed, who may not")
        within = known(self.checked_within)
        if within is not None:
            yield (
                Missing("when the signature was checked")
                if checked is None
                else too_old("the check of the signature", checked, within, dossier)
            )

    def asks(self) -> str:
        signers, within = known(self.by), known(self.checked_within)
        whose = f" by {listed(signers, last='or')}" if signers else ""
        when = f", checked within {spoken(within)}" if within else ""
        return f"Its files are signed{whose}, over exactly these bytes{when}."

    def mend(self) -> str:
        return "Sign the version's folder, check the signature, and record what the check showed."


Section = Literal[
    "makers", "code", "environment", "configuration", "seed", "task", "architecture", "base", "contract", "datasets",
    "pipelines", "dependencies", "licences", "intended_use", "out_of_scope", "limitations", "evaluations", "fairness",
    "failure_modes", "validations", "signature",
]  # fmt: skip
"""The topics of facts; a test holds the two together."""


class ModelCardComplete(Rule, frozen=True, kw_only=True, tag="model_card_complete"):
    """The model card says something under each of these headings."""

    sections: Annotated[tuple[Section, ...], msgspec.Meta(min_length=1)]

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        if facts is None:
            yield FACTS
            return
        for section in self.sections:
            said = getattr(facts, section)
            empty = said is UNSET or (isinstance(said, (tuple, dict, str)) and not said)
            yield Missing(f"`{section}` of the model card") if empty else Shown(section)

    def asks(self) -> str:
        return f"The model card says something about {listed(tuple(s.replace('_', ' ') for s in self.sections))}."

    def mend(self) -> str:
        return "Complete the facts of the version; the card is made from them."


class SchemaCompatible(Rule, frozen=True, kw_only=True, tag="schema_compatible"):
    """Whoever calls the model today can go on calling it: its input contract breaks nothing."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        contract, facts = known(dossier.contract), known(dossier.candidate)
        if contract is None:
            yield Missing("how the data contract differs from the one in force")
            return
        made_for = None if facts is None else known(facts.contract)
        if made_for is None:
            yield Missing("the data contract that the candidate was made for")
        elif made_for != contract.candidate:
            yield Wrong(f"the candidate was made for the contract {made_for}, and {contract.candidate} was compared")
        yield from map(Wrong, contract.breaking)
        if not contract.breaking:
            yield Shown(f"contract {contract.candidate} instead of {contract.in_force} breaks nothing")

    def asks(self) -> str:
        return "Whoever calls the model today can go on calling it as it is: its data contract breaks nothing."

    def mend(self) -> str:
        return "Keep the fields that callers send, or agree on the new contract with them first."


Severity = Literal["low", "moderate", "high", "critical"]


class NoKnownAdvisory(Rule, frozen=True, kw_only=True, tag="no_known_advisory"):
    """No package that it is made or served with has a known weakness of these severities."""

    severities: Annotated[tuple[Severity, ...], msgspec.Meta(min_length=1)] = ("critical",)
    as_of_within: Duration = "7d"
    """How old the file of advisories may be."""
    accepted: Words | UnsetType = UNSET
    """Advisories that were looked at and accepted, by id."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        advisories, facts = known(dossier.advisories), known(dossier.candidate)
        packages = None if facts is None else known(facts.dependencies)
        if not packages:
            yield Missing("the dependencies of the candidate")
        if advisories is None:
            yield Missing("a file of advisories")
            return
        yield too_old(f"{advisories.source}", advisories.as_of, self.as_of_within, dossier)
        if advisories_digest(advisories.entries) != advisories.digest:
            yield Wrong(f"the advisories are not those of {advisories.source}")
        installed = {(normal(package.name), package.version) for package in packages or ()}
        for advisory in advisories.entries:
            name = normal(advisory.package)
            hit = [version for package, version in sorted(installed) if package == name and _affects(advisory, version)]
            if not hit or advisory.id in (known(self.accepted) or ()):
                continue
            if advisory.severity in self.severities:
                yield Wrong(f"{advisory.package} {hit[0]}: {advisory.id}, {advisory.severity}")
            elif advisory.severity not in {"low", "moderate", "high", "critical"}:
                yield Missing(f"how severe {advisory.id} of {advisory.package} {hit[0]} is")

    def asks(self) -> str:
        accepted = known(self.accepted)
        but = f", but for {listed(accepted)}" if accepted else ""
        return (
            f"No package that it is made or served with has a known {listed(self.severities, last='or')} weakness{but}, by "
            f"advisories at most {spoken(self.as_of_within)} old."
        )

    def mend(self) -> str:
        return "Use a version of the package without the weakness, or let it be accepted by those who answer for it."


def _affects(advisory: Advisory, version: str) -> bool:
    # Where ranges are named and no versions, none can be shown to be free of it.
    return version in advisory.versions or "*" in advisory.versions


def normal(package: str) -> str:
    """Write a package's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", package).lower()


class Rebuildable(Rule, frozen=True, kw_only=True, tag="rebuildable"):
    """All is known that it takes to make the version again: code, environment, configuration, seed, and data by digest."""

    def look(self, dossier: Dossier) -> Iterator[Sight]:
        facts = known(dossier.candidate)
        if facts is None:
            yield FACTS
            return
        code, environment = known(facts.code), known(facts.environment)
        if code is None:
            yield Missing("the code that made it")
        elif code.clean is not True:
            yield (
                Missing("that nothing but the revision was in the working tree")
                if code.clean is UNSET
                else Wrong(f"the working tree held more than {code.revision[:12]}")
            )
        else:
            yield Shown(f"code {code.revision[:12]}")
        if environment is None or known(environment.lock) is None:
            yield Missing("the lock of its environment")
        for name in ("configuration", "seed"):
            yield Missing(f"its {name}") if getattr(facts, name) is UNSET else Shown(name)
        datasets = known(facts.datasets)
        if not datasets:
            yield Missing("its datasets")
        for dataset in datasets or ():
            if known(dataset.digest) is None:
                yield Missing(f"the digest of {dataset.name}")

    def asks(self) -> str:
        return "All is known that it takes to make it again: revision, environment, configuration, seed, and data by digest."

    def mend(self) -> str:
        return "Train from a clean revision, and record what it was made with."


__all__ = ["ModelCardComplete", "NoKnownAdvisory", "Rebuildable", "SchemaCompatible", "Signed"]
