"""Everything that can be refused, by what the caller should do about it.

GlideslopeError
├── Invalid       fix the input            (HTTP 422, exit 2)
├── NotFound      name something that is   (HTTP 404, exit 2)
├── Conflict      reload and decide again  (HTTP 409, exit 3)
├── Refused       a rule said no           (HTTP 403, exit 3)
├── Denied        who are you?             (HTTP 401, exit 4)
└── Unavailable   try later                (HTTP 503, exit 1)

It is long because the whole tree stands in one place.

Each class has a stable code: its HTTP problem type, its line in the terminal, its heading in the reference.
Code reads fields, people read the sentence.
"""

from collections.abc import Iterable, Sequence
from typing import ClassVar


class GlideslopeError(Exception):
    """Something was refused. `code` never changes meaning; `next_command` can be pasted."""

    code: ClassVar[str] = "error"

    def __init__(self, sentence: str, *, traffic: str = "Traffic is unchanged.", next_command: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.traffic = traffic
        self.next_command = next_command


class Invalid(GlideslopeError):
    """The input cannot be understood; nothing was repaired, nothing was done."""

    code = "invalid"


class NameInvalid(Invalid):
    code = "name-invalid"

    def __init__(self, *, what: str, text: str, expected: str) -> None:
        article = "an" if what[:1] in "aeiou" else "a"
        super().__init__(f"{text!r} cannot be the name of {article} {what}: expected {expected}.")


class CosignatureRefused(Invalid):
    """What was given is not what a known witness says of this checkpoint; nothing was taken in."""

    code = "cosignature-refused"

    def __init__(self, *, size: int, why: str) -> None:
        super().__init__(
            f"This is no cosignature of the checkpoint over {size} entries: {why}. None of the lines was taken in.",
            next_command=f"glideslope checkpoint --size {size}",
        )


class WitnessesUnreadable(Invalid):
    """The file that says which witnesses count is not a list of public keys."""

    code = "witnesses-unreadable"

    def __init__(self, *, path: str, line: int, why: str) -> None:
        super().__init__(
            f"{path}:{line}: {why}. Expected one public key of a witness on each line: name+id+base64, type 4."
        )


class SplitInvalid(Invalid):
    code = "split-invalid"

    def __init__(self, *, candidate: int, control: int) -> None:
        super().__init__(
            f"A split of {candidate} candidate and {control} control basis points cannot be: "
            "each must be 0 or more and both together at most 10000.",
        )


class PlanInvalid(Invalid):
    """A plan that cannot be read or cannot be run, with its place in the file when there is one."""

    code = "plan-invalid"
    untouched: ClassVar[str] = "Nothing was started; traffic is unchanged."
    usual_next: ClassVar[str] = "glideslope schema"

    def __init__(
        self,
        sentence: str,
        *,
        where: str = "",
        line: int = 0,
        column: int = 0,
        width: int = 1,
        source: str = "",
        suggestion: str = "",
        next_command: str = "",
    ) -> None:
        super().__init__(sentence, traffic=self.untouched, next_command=next_command or self.usual_next)
        self.where = where
        self.line = line
        self.column = column
        self.width = width
        self.source = source
        self.suggestion = suggestion


class ContractInvalid(PlanInvalid):
    """A data contract that cannot be read or cannot be counted by, with its place in the file when there is one."""

    code = "contract-invalid"
    untouched = "Nothing was registered; traffic is unchanged."
    usual_next = "glideslope contract schema"


class FactsInvalid(PlanInvalid):
    """Facts about a version that cannot be read or cannot be, with their place in the file when there is one."""

    code = "facts-invalid"
    untouched = "Nothing was recorded; traffic is unchanged."
    usual_next = "glideslope facts schema"


class PolicyInvalid(PlanInvalid):
    """A policy that cannot be read or could not decide, with its place in the file when there is one."""

    code = "policy-invalid"
    untouched = "Nothing was examined; traffic is unchanged."
    usual_next = "glideslope schema policy"


class DossierInvalid(PlanInvalid):
    """A dossier that cannot be read or cannot be: no policy is asked about it, and that blocks."""

    code = "dossier-invalid"
    untouched = "Nothing was examined, so nothing may go on; traffic is unchanged."
    usual_next = "glideslope schema dossier"


class AgreementInvalid(PlanInvalid):
    """A document of governance that cannot be read or could not govern, with its place in the file when there is one."""

    code = "agreement-invalid"
    untouched = "Nothing was tabled; traffic is unchanged."
    usual_next = "glideslope agree schema"


class ChannelsInvalid(PlanInvalid):
    """Channels that cannot be read or lead nowhere, with their place in the file when there is one."""

    code = "channels-invalid"
    untouched = "Nobody was told; channels from before stay, and traffic is unchanged."
    usual_next = "glideslope channel schema"


class OwnerUnknown(Invalid):
    code = "owner-unknown"

    def __init__(self, *, owner: str) -> None:
        super().__init__(
            f"{owner!r} is no person of the organisation, nor a team with people and a place where it is reached. "
            "A change without a reachable owner is refused.",
            traffic="Nothing was started; traffic is unchanged.",
            next_command="glideslope agree show organisation",
        )


class PlanCannotDetect(Invalid):
    code = "plan-cannot-detect"

    def __init__(self, *, step: str, guardrail: str, needs: float, gets: int, changes: Sequence[str] = ()) -> None:
        enough = (
            f"it needs about {needs:,.0f} candidate subjects" if needs < 1e15 else "no number of subjects is enough"
        )
        do = (
            f"Any one of these would do: {'; '.join(changes)}."
            if changes
            else "Give it more time, a larger share or a wider margin."
        )
        super().__init__(
            f"Step {step} cannot tell whether {guardrail} is within its margin: {enough} "
            f"and the traffic to expect brings {gets:,} before its maximum time. {do}",
            next_command="glideslope plan",
        )
        self.changes = tuple(changes)


class ReceiptInvalid(Invalid):
    code = "receipt-invalid"

    def __init__(self, why: str) -> None:
        super().__init__(f"This prediction id is not one of ours: {why}.")


class OutcomeIncomplete(Invalid):
    code = "outcome-incomplete"

    def __init__(self, *, rollout: str, why: str = "") -> None:
        told = f": {why}" if why else ", since none of its metrics asks for what this tells"
        super().__init__(f"Nothing of {rollout} can be counted from this outcome{told}.")


class TokenScopeInvalid(Invalid):
    """A token whose rights were not said clearly; nothing is assumed in their place."""

    code = "token-scope-invalid"


class RoleInvalid(Invalid):
    code = "role-invalid"

    def __init__(self, *, role: str, expected: str) -> None:
        super().__init__(f"An account cannot have the role {role!r}: expected one of {expected}.")


class PasswordWeak(Invalid):
    """A password that would be guessed; nothing was kept of it."""

    code = "password-weak"

    def __init__(self, why: str) -> None:
        super().__init__(f"This password cannot be used: {why}.")


class ProvidersInvalid(Invalid):
    code = "providers-invalid"

    def __init__(self, *, file: str, why: str) -> None:
        super().__init__(f"{file} does not say who may sign in by an identity provider: {why}.")


class TlsRequired(Invalid):
    code = "tls-required"

    def __init__(self, *, host: str, option: str) -> None:
        super().__init__(
            f"On {host} others can listen to what passes, and nothing was said about TLS. Say --tls, or --insecure-no-tls.",
            traffic="Nothing was started; traffic is unchanged.",
            next_command=f"glideslope up {option} {host} --tls",
        )


class CertificateUnusable(Invalid):
    code = "certificate-unusable"

    def __init__(self, *, path: str, why: str, next_command: str = "glideslope tls create") -> None:
        super().__init__(f"The certificate {path} cannot be used: {why}.", next_command=next_command)


class ArtifactInvalid(Invalid):
    code = "artifact-invalid"

    def __init__(self, why: str, *, folder: str = "") -> None:
        super().__init__(f"The artifact folder{f' {folder}' if folder else ''} cannot be a version: {why}.")
        self.why = why


class EventUnknown(Invalid):
    code = "event-unknown"

    def __init__(self, kind: str) -> None:
        super().__init__(f"The ledger holds an entry of kind {kind!r}, which this version cannot read. Upgrade first.")


class NotFound(GlideslopeError):
    """There is no such thing."""

    code = "not-found"

    def __init__(self, *, what: str, name: str, next_command: str = "glideslope ls") -> None:
        super().__init__(f"There is no {what} {name!r}.", next_command=next_command)


class Conflict(GlideslopeError):
    """Somebody was faster, or the thing is not in a state for this."""

    code = "conflict"


class VersionConflict(Conflict):
    code = "version-conflict"

    def __init__(self, *, stream: str, expected: int) -> None:
        super().__init__(f"{stream} has moved on since version {expected} was read. Nothing was recorded.")
        self.stream = stream
        self.expected = expected


class PageStale(Conflict):
    """What the caller had looked at has changed since; an act that was meant for what it was is not carried out."""

    code = "page-stale"

    def __init__(self, *, what: str, seen: str, current: str, changes: Sequence[str], next_command: str = "") -> None:
        told = " Since then: " + " ".join(changes) if changes else ""
        super().__init__(
            f"{what} is not as you saw it: you looked at {seen}, and it is {current} now.{told} Look again and decide again.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=next_command,
        )
        self.current = current


class KeyReused(Conflict):
    code = "key-reused"

    def __init__(self) -> None:
        super().__init__(
            "This idempotency key was used before, for something else or by somebody else. Nothing was done; use another."
        )


class AlreadyRegistered(Conflict):
    code = "already-registered"

    def __init__(self, *, model: str, version: str) -> None:
        super().__init__(
            f"{model} already has a version {version} with other content; versions are immutable. Use a new name.",
            next_command=f"glideslope show {model}",
        )


class RolloutInProgress(Conflict):
    code = "rollout-in-progress"

    def __init__(self, *, model: str, rollout: str) -> None:
        super().__init__(
            f"{model} already has a rollout in progress: {rollout}. One at a time.",
            traffic="Traffic is unchanged.",
            next_command=f"glideslope watch {rollout}",
        )


class RolloutEnded(Conflict):
    code = "rollout-ended"

    def __init__(self, *, rollout: str, phase: str) -> None:
        super().__init__(
            f"{rollout} has ended ({phase}); nothing can follow.", next_command=f"glideslope show {rollout}"
        )


class NotInPhase(Conflict):
    code = "not-in-phase"

    def __init__(self, *, rollout: str, phase: str, needs: str) -> None:
        super().__init__(
            f"{rollout} is {phase}; this needs it to be {needs}.",
            next_command=f"glideslope show {rollout}",
        )


class LeaseLost(Conflict):
    code = "lease-lost"

    def __init__(self, *, name: str) -> None:
        super().__init__(
            f"Another server holds the lease {name}; this one stopped acting for it.",
            next_command="glideslope doctor",
        )


class Refused(GlideslopeError):
    """A rule said no; asking again will not help."""

    code = "refused"


class SelfApproval(Refused):
    code = "self-approval"

    def __init__(self, *, rollout: str, actor: str, next_command: str = "") -> None:
        super().__init__(
            f"{actor} proposed {rollout}, so an approval by {actor} does not count. Somebody else must look at it.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=next_command or f"glideslope show {rollout}",
        )


class NotEntitled(Refused):
    code = "not-entitled"

    def __init__(self, *, actor: str, needs: str, next_command: str = "glideslope agree show organisation") -> None:
        super().__init__(
            f"The organisation does not let {actor} do that: it takes {needs}.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=next_command,
        )


class ProofTooOld(Refused):
    """Who somebody is was not proved lately enough, or not in a way that counts here. Times in milliseconds."""

    code = "proof-too-old"

    def __init__(self, *, within: int, by: Sequence[str], had: str = "") -> None:
        known = f" Yours: {had}." if had else ""
        super().__init__(
            f"This takes a proof of who you are by {' or '.join(by)}, not older than {within / 60_000:g} minutes.{known} "
            "Prove it again on the page, then do it again.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command="glideslope open",
        )


class MakerMayNotApprove(Refused):
    code = "maker-may-not-approve"

    def __init__(self, *, rollout: str, actor: str) -> None:
        super().__init__(
            f"{actor} had a part in making what {rollout} would bring, so an approval by {actor} does not count. "
            "Somebody else must look at it.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=f"glideslope show {rollout}",
        )


class SignOffMissing(Refused):
    code = "sign-off-missing"

    def __init__(self, *, rollout: str, functions: Sequence[str], why: str) -> None:
        super().__init__(
            f"{why} in {rollout}. Before anybody is exposed again, {', '.join(functions)} must approve.",
            traffic="Nobody is exposed, and it stays so.",
            next_command=f"glideslope approve {rollout} -m WHY",
        )


class IncidentIncomplete(Refused):
    code = "incident-incomplete"

    def __init__(self, *, rollout: str, lacking: Sequence[str]) -> None:
        super().__init__(
            f"The incident of {rollout} cannot be closed yet. It lacks: {'; '.join(lacking)}.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=f"glideslope incident note {rollout} -m WHY",
        )
        self.lacking = tuple(lacking)


class DigestChanged(Refused):
    code = "digest-changed"

    def __init__(self, *, rollout: str, seen: str, current: str, what: str = "plan", next_command: str = "") -> None:
        super().__init__(
            f"You approved {what} {seen[:19]}, but {rollout} rests on {current[:19]}. Look again and approve what you see.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=next_command or f"glideslope show {rollout}",
        )


class ChangeMoved(Refused):
    code = "change-moved"

    def __init__(self, *, rollout: str, since: Sequence[str]) -> None:
        super().__init__(
            f"{rollout} has moved since it was shown to you. {' '.join(since)} Look again, and answer what you see.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=f"glideslope show {rollout}",
        )


class JudgementOutdated(Conflict):
    code = "judgement-outdated"

    def __init__(self, *, rollout: str, about: Sequence[str]) -> None:
        now = f"What waits for a judgement now: {', '.join(about)}" if about else "Nothing waits for a judgement now"
        super().__init__(
            f"{rollout} is not asked about that any more. {now}.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=f"glideslope show {rollout}",
        )


class NothingAsked(Conflict):
    code = "nothing-asked"

    def __init__(self, *, rollout: str, question: int, replied_by: str = "") -> None:
        super().__init__(
            f"{replied_by} has replied to entry {question} of {rollout} already."
            if replied_by
            else f"Nobody asked for more by entry {question} of {rollout}.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command=f"glideslope show {rollout}",
        )


class PlanChanged(Refused):
    code = "plan-changed"

    def __init__(self, *, model: str, seen: str, current: str) -> None:
        super().__init__(
            f"You saw plan {seen[:19]} for {model}, but the same file now gives {current[:19]}. Look at it again.",
            traffic="Nothing was recorded; traffic is unchanged.",
            next_command="glideslope plan",
        )


class FeatureMissing(Refused):
    code = "feature-missing"

    def __init__(self, *, driver: str, feature: str) -> None:
        super().__init__(
            f"The plan needs {feature}, which the driver {driver} does not have. A plan that cannot be obeyed is refused.",
        )


class TokenStale(Refused):
    code = "token-stale"

    def __init__(self, *, model: str, seen: str, offered: str) -> None:
        super().__init__(f"The gateway for {model} has obeyed {seen} and refuses the older {offered}.")


class Denied(GlideslopeError):
    """The caller is not known or may not do this."""

    code = "denied"


class TokenUnknown(Denied):
    code = "token-unknown"

    def __init__(self) -> None:
        super().__init__(
            "No token was sent, or the server does not know this token. The one in a state folder is not sent to a server named by "
            "--server or GLIDESLOPE_SERVER: set GLIDESLOPE_TOKEN.",
            next_command="glideslope doctor",
        )


class TokenExpired(Denied):
    code = "token-expired"

    def __init__(self, *, actor: str, expired_at: str) -> None:
        super().__init__(
            f"The token of {actor} was made to last until {expired_at}, and no longer.",
            next_command="glideslope token create",
        )


class ModelNotAllowed(Denied):
    code = "model-not-allowed"

    def __init__(self, *, actor: str, model: str, allowed: Iterable[str]) -> None:
        super().__init__(
            f"The token of {actor} speaks for {', '.join(sorted(allowed)) or 'no model'}, not for {model}.",
            next_command=f"glideslope token create {actor} --role source --model {model}",
        )


class SignInRefused(Denied):
    """One sentence for an unknown name, a wrong password and a disabled account: it tells nobody which accounts there are."""

    code = "sign-in-refused"

    def __init__(self, what: str = "this name and password") -> None:
        super().__init__(
            f"No account answers to {what}. Whoever runs the server can give you a new link.",
            next_command="glideslope account reset ACTOR",
        )


class PersonUnknown(Denied):
    code = "person-unknown"

    def __init__(self, *, provider: str, sub: str) -> None:
        super().__init__(
            f"{provider} knows you as {sub!r}, and this server lets nobody of that id in. Whoever runs it can name you in providers.toml.",
            next_command="glideslope explain person-unknown",
        )


class ProviderRefused(Denied):
    """An identity provider said no, or said something that is not proven to be about this sign-in."""

    code = "provider-refused"

    def __init__(self, *, provider: str, why: str) -> None:
        super().__init__(
            f"Signing in by {provider} did not succeed: {why}. Begin again at the sign-in page.",
            next_command="glideslope open",
        )


class SetupLinkSpent(Denied):
    code = "setup-link-spent"

    def __init__(self) -> None:
        super().__init__(
            "This link sets up nothing: it was used, or its time is over. Whoever runs the server makes another.",
            next_command="glideslope account reset ACTOR",
        )


class NotAllowed(Denied):
    code = "not-allowed"

    def __init__(self, *, actor: str, act: str) -> None:
        super().__init__(f"{actor} may not {act}.")


class Unavailable(GlideslopeError):
    """Something needed does not answer; trying later may help."""

    code = "unavailable"


class ProviderUnavailable(Unavailable):
    code = "provider-unavailable"

    def __init__(self, *, provider: str, why: str) -> None:
        super().__init__(
            f"The identity provider {provider} does not answer as it should: {why}. Other ways to sign in are open.",
            traffic="Traffic is unchanged.",
            next_command="glideslope open",
        )


class StoreUnavailable(Unavailable):
    code = "store-unavailable"

    def __init__(self, why: str, *, next_command: str = "glideslope doctor") -> None:
        super().__init__(
            f"The state could not be read or written: {why}. What was acknowledged before is kept.",
            traffic="Exposure that cannot be renewed returns to the incumbent when its lease ends.",
            next_command=next_command,
        )


class StoreInUse(Unavailable):
    code = "store-in-use"

    def __init__(self, *, path: str, holder: str) -> None:
        super().__init__(
            f"Another server ({holder}) works on {path}. Two servers on one SQLite file would fight; this one did not start.",
            next_command="glideslope status",
        )


class StoreCorrupt(Unavailable):
    code = "store-corrupt"

    def __init__(self, *, path: str, why: str) -> None:
        super().__init__(
            f"The state in {path} is damaged: {why}. Nothing was written to it.",
            traffic="The gateway keeps serving the incumbent.",
            next_command="glideslope doctor",
        )


class LogUnavailable(Unavailable):
    """The prediction log cannot be read or written now."""

    code = "prediction-log-unavailable"

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The prediction log could not be read or written: {why}. What was acknowledged before is kept.",
            traffic="Traffic is unchanged; a plan that asks for the recomputation advances only when it agrees.",
            next_command="glideslope doctor",
        )


class LogAbsent(Conflict):
    """What was asked for needs a prediction log, and this server keeps none."""

    code = "prediction-log-absent"

    def __init__(self) -> None:
        super().__init__(
            "This server keeps no prediction log, so there is nothing to recompute from and no outcome can be joined.",
            next_command="glideslope up --prediction-log",
        )


class EndpointUnreachable(Unavailable):
    code = "endpoint-unreachable"

    def __init__(self, *, version: str, url: str, why: str) -> None:
        super().__init__(f"{version} does not answer at {url}: {why}. A candidate that does not start is not exposed.")


class DriverUnavailable(Unavailable):
    code = "driver-unavailable"

    def __init__(self, *, driver: str, why: str) -> None:
        super().__init__(
            f"The data plane ({driver}) does not answer: {why}.",
            traffic="It goes on with what it last obeyed until the lease ends, then serves the incumbent.",
            next_command="glideslope doctor",
        )
        self.why = why


class PortInUse(Unavailable):
    code = "port-in-use"

    def __init__(self, *, port: int, purpose: str, setting: str) -> None:
        super().__init__(
            f"Port {port} for the {purpose} is taken by another program.",
            next_command=f"glideslope up {setting} 0",
        )
