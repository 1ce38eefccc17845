"""Every family that is told, by its name: the list that the reference, the dashboards and the rules are checked against."""

from typing import Final

from glideslope.engine.telemetry.families import Definition, Kind

PREFIX: Final = "glideslope_"


def _of(name: str, kind: Kind, told: str, labels: str = "") -> Definition:
    return Definition(name=f"{PREFIX}{name}", kind=kind, help=told, labels=tuple(labels.split()))


_C, _G, _H, _I = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Kind.INFO
_ARM: Final = "model rollout arm"
_WHERE: Final = "model rollout metric slice"

# Traffic. The label `rollout` is empty for the incumbent's requests outside any step.
REQUESTS = _of("requests_total", _C, "Requests that ended, by the arm that was assigned.", _ARM)
ERRORS = _of("request_errors_total", _C, "Those that failed: no answer, 5xx, or rescued by the incumbent.", _ARM)
RESCUED = _of("requests_rescued_total", _C, "Those that the candidate failed and the incumbent answered.", _ARM)
DURATION = _of("request_duration_seconds", _H, "How long requests took, as the gateway saw it.", _ARM)
MODEL = _of("model_info", _I, "Which version serves a model.", "model incumbent")
CPU = _of(
    "model_cpu_cores", _G, "CPU seconds a second that the servers of a version use, as they say.", "model arm version"
)
MEMORY = _of("model_memory_bytes", _G, "Memory that they use, as they say.", "model arm version")
GPU_MEMORY = _of("model_gpu_memory_bytes", _G, "GPU memory that they use, as they say.", "model arm version")
FLAGGED = _of("signals_flagged", _G, "Series outside the criteria that are not as usual now; advisory.", "model")

# Exposure.
DESIRED = _of(
    "exposure_desired_ratio", _G, "Share of the subjects that is to meet the candidate, by the record.", "model rollout"
)
CONFIRMED = _of(
    "exposure_confirmed_ratio",
    _G,
    "The same as the data plane itself reported it last; absent where it did not.",
    "model rollout",
)
EXPOSED = _of("exposed_subjects", _G, "Subjects really served by each arm so far.", _ARM)
LEASE_LEFT = _of(
    "exposure_lease_remaining_seconds",
    _G,
    "Until an exposure ends by itself unless it is renewed; below 0 it is over.",
    "model rollout",
)
RENEWED = _of(
    "exposure_lease_renewal_left_ratio",
    _H,
    "Share of an exposure's lease that was left when it was renewed; 0 is too late.",
    "model",
)
LAPSES = _of("exposure_lapses_total", _C, "Exposures that ended because nobody renewed them, by the ledger.", "model")

# Rollouts. They are told while they are under way.
ROLLOUT = _of("rollout_info", _I, "Where a rollout stands.", "model rollout incumbent candidate phase stage step")
PROPOSED_AT = _of("rollout_proposed_timestamp_seconds", _G, "When it was proposed.", "model rollout")
ENTERED_AT = _of("rollout_step_entered_timestamp_seconds", _G, "When its present step was entered.", "model rollout")
STEP_MAXIMUM = _of(
    "rollout_step_maximum_seconds", _G, "The most time that its present step may take by its plan.", "model rollout"
)
ROLLOUTS = _of("rollouts", _G, "Rollouts by how they stand or ended.", "phase")
DECISIONS = _of(
    "decisions_total", _C, "Decisions of the ledger, by the first of their reasons.", "model decision reason"
)
ROLLBACK = _of(
    "rollback_duration_seconds",
    _H,
    "From the commit of a roll-back to the data plane's word that nobody is exposed.",
    "model",
)
APPROVALS = _of(
    "approvals_pending",
    _G,
    "Approvals that are missing; `function` is empty where anybody may give them.",
    "model rollout function",
)

# What guardrails show. Slices are the plan's own, the worst of them, and bounded in number.
DIFFERENCE = _of(
    "guardrail_difference",
    _G,
    "Candidate against incumbent: a ratio or a difference, as `kind` says.",
    f"{_WHERE} kind",
)
BOUND = _of(
    "guardrail_bound",
    _G,
    "The ends of its 95 % interval, valid at all times; absent where that side is open.",
    f"{_WHERE} kind bound",
)
MARGIN = _of("guardrail_margin", _G, "The ratio or difference beyond which it counts as worse.", f"{_WHERE} kind")
EVIDENCE = _of(
    "guardrail_evidence_ratio",
    _G,
    "Evidence on its way to the line where the verdict changes: of harm, of proof.",
    f"{_WHERE} question",
)
VALUE = _of(
    "metric_value",
    _G,
    "What an arm shows of a metric; latencies in seconds, all else in its own unit.",
    f"{_WHERE} arm",
)
SAMPLES = _of("metric_samples", _G, "Subjects or pairs that stand behind it.", f"{_WHERE} arm")
WORTH = _of(
    "value_per_subject",
    _G,
    "What outcomes of an arm are worth, in the plan's currency.",
    "model rollout slice arm currency",
)
LEFT_OUT = _of("slices_left_out", _G, "Slices that are not told, since there are too many.", "model rollout")
FIGURED_AT = _of(
    "guardrails_computed_timestamp_seconds", _G, "When these figures of a rollout were computed.", "model rollout"
)

# Where evidence comes from.
HEARD_AT = _of(
    "source_heard_timestamp_seconds",
    _G,
    "When a kind of source was last heard of; absent where it never was.",
    "model rollout origin",
)
FRESH = _of(
    "source_fresh",
    _G,
    "1 while its evidence is fresh by the plan; stale evidence advances nothing.",
    "model rollout origin",
)
DROPPED = _of("source_dropped", _G, "What it could not count.", "model rollout origin")
DELAY = _of("outcome_delay_seconds", _H, "How long after its prediction an outcome came.", "model")

# Upkeep.
DRILLED_AT = _of(
    "drill_last_success_timestamp_seconds", _G, "When going back was last practised and worked; 0 for never.", "model"
)
DRILL_DUE_AT = _of(
    "drill_due_timestamp_seconds",
    _G,
    "Until when a drill must be held again, where its tier asks for one; 0 where none was held.",
    "model",
)
OVERDUE = _of("overdue", _G, "Reviews and drills that should have been held by now.", "what")

# Ourselves.
BUILD = _of("build_info", _I, "Which release serves.", "version python")
ACTING = _of("governor_acting", _G, "1 while this server holds the lease of the governor: of several, one does.")
GOVERNOR_LEFT = _of("governor_lease_remaining_seconds", _G, "Until another server may govern in its place.")
TICKS = _of("governor_tick_duration_seconds", _H, "How long a tick took: gather evidence, decide, record, obey.")
TICKED_AT = _of("governor_last_tick_timestamp_seconds", _G, "When the last tick ended.")
TROUBLE = _of("trouble", _G, "1 while a part did not do its work the last time; `glideslope doctor` says why.", "part")
ENTRIES = _of("ledger_entries", _G, "Entries of the ledger.")
SIGNED = _of("ledger_signed_entries", _G, "Entries under the last signed checkpoint.")
SIGNED_AT = _of(
    "ledger_last_checkpoint_timestamp_seconds", _G, "When it was signed; absent before the first since the start."
)
CHAIN = _of(
    "ledger_chain_valid",
    _G,
    "1 when all entries read back gave every checkpoint's root; 0 when not; absent before the first look.",
)
CHAIN_AT = _of("ledger_chain_checked_timestamp_seconds", _G, "When that was looked at last.")
QUEUES = _of(
    "queue_length",
    _G,
    "What waits: counts to be saved, rollouts with new evidence, answers whose pair has not come.",
    "queue",
)
HTTP = _of(
    "http_request_duration_seconds",
    _H,
    "How long answers of this server took, by route and not by address.",
    "method route status",
)
HTTP_OPEN = _of("http_requests_in_flight", _G, "Requests that are being answered; event streams are among them.")
TOLD_IN = _of("telemetry_duration_seconds", _G, "How long it took to put this together, the last time.")

CPU_SECONDS = Definition("process_cpu_seconds_total", Kind.COUNTER, "CPU time of the server process.")
RESIDENT = Definition("process_resident_memory_bytes", Kind.GAUGE, "Memory of the server process.")
OPEN_FILES = Definition("process_open_fds", Kind.GAUGE, "Open file descriptors of the server process.")
STARTED_AT = Definition("process_start_time_seconds", Kind.GAUGE, "When the server process started.")

DEFINITIONS: Final = tuple(found for found in list(globals().values()) if isinstance(found, Definition))
"""All of them, in the order of this page."""
