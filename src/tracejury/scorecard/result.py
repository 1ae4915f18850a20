"""The result of an audit: what every report, screen and gate reads. `contract.md` 3 in types.

A number that could not be computed is None, and its key is left out of the JSON.
"""

from dataclasses import dataclass, field
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from tracejury.checks.check import Finding, Severity
from tracejury.telemetry.numbers import short
from tracejury.workflow.step_risk import StepRisk
from tracejury.workflow.stopwatch import Measurement

Number = TypeVar("Number")

Outcome = Literal["pass", "fail", "not-observed", "not-applicable", "manual", "error"]
Verdict = Literal["PASS", "FAIL", "PARTIAL", "CANNOT_JUDGE"]
TestOutcome = Literal["pass", "fail", "partial", "not-run"]
Basis = Literal["counted", "estimated", "upper-bound"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person says of a criterion or a check that telemetry leaves open."""

    id: str
    outcome: Literal["pass", "fail", "not-applicable"]
    why: str
    who: str
    when: str  # a date, or RFC 3339


@dataclass(frozen=True, slots=True)
class Seen:
    """In which run of a campaign something was decided, and when that run ended."""

    run: str
    when: str  # RFC 3339; '' where it is not known
    is_stale: bool  # older than the policy's bound before the newest run


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check of the catalogue, decided. `reason` says why it is not observed, in one code."""

    id: str
    title: str
    severity: Severity
    task: int
    outcome: Outcome
    reason: str  # a code of the contract; '' where the outcome is pass or fail
    exposures: int
    units_total: int
    units_exposed: int
    untested: tuple[str, ...]  # units that nothing tested
    serves: tuple[str, ...]
    remedy: str
    note: str
    findings: tuple[Finding, ...]
    answer: Answer | None = None  # who decided it, where it was no telemetry
    seen: Seen | None = None  # of a campaign: the run that decided it


@dataclass(frozen=True, slots=True)
class Criterion:
    """A pass criterion or a risk pattern, rolled up from its checks."""

    id: str
    title: str
    tier: Severity
    outcome: Outcome
    checks: tuple[str, ...]
    category: str = ""  # of a risk pattern
    answer: Answer | None = None  # who decided it, where it was no telemetry
    seen: Seen | None = None  # of a campaign: the oldest run that it rests on


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing that a test of the audit asks."""

    text: str
    outcome: Outcome
    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test of the audit, for the faults of its kind."""

    __test__ = False  # not a test of pytest's

    id: str
    title: str
    task: int
    faults: tuple[str, ...]
    outcome: TestOutcome
    clauses: tuple[Clause, ...]
    seen: Seen | None = None  # of a campaign: the newest run in which it ran


@dataclass(frozen=True, slots=True)
class MissingStep:
    """Spans of one step that did not arrive, and why it is known that they existed."""

    service: str
    step: str
    missing: float
    cause: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Share:
    """Received against known missing, of a service, a workflow or a run."""

    received: int
    known_missing: float

    @property
    def ratio(self) -> float | None:
        """Between 0 and 1; None where nothing was received and nothing is known to be missing."""
        total = self.received + self.known_missing
        return self.received / total if total else None


@dataclass(frozen=True, slots=True)
class ServiceShare(Share):
    """What is known of one service, what that rests on, and why spans are missing."""

    basis: Basis
    gap: dict[str, float]  # missing spans by cause; they sum to known_missing
    processes: int = 0  # that sent or counted spans; 0 where none of them counts
    counted_processes: int = 0  # of these, those whose SDK's counts tell until the end of the run


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of what happened was seen.

    It is counted where every service's SDKs counted what they started, and estimated elsewhere;
    without a baseline that shows every workflow an estimate is an upper bound.
    """

    total: Share
    basis: Basis
    by_service: dict[str, ServiceShare]
    by_workflow: dict[str, Share]
    by_instance: dict[str, Share]
    criteria: dict[str, float]  # the five shares of O02 that could be computed
    missing: tuple[MissingStep, ...]
    external_entries: int
    background_spans: int
    not_run: int  # spans of clean instances that a failure kept from being: not missing
    # Services by the names that the clean run knows them by, where these are others.
    renamed: dict[str, str] = field(default_factory=dict)
    is_own_baseline: bool = False  # the clean run is the judged one, and shows nothing beyond it

    @property
    def is_upper_bound(self) -> bool:
        """Whether nothing says what else there was: no baseline, and not every SDK's counts."""
        return self.basis == "upper-bound"


@dataclass(frozen=True, slots=True)
class StepTiming:
    """One step of a workflow. Times are in milliseconds; the share is of the critical path."""

    workflow: str
    service: str
    name: str
    kind: str
    count: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    self_ms: float | None  # median self time
    critical_share: float | None
    baseline_p95_ms: float | None
    baseline_p50_ms: float | None = None
    baseline_p99_ms: float | None = None
    budget_ms: float | None = None  # declared in step_seconds
    over_budget: int | None = None  # spans that took longer than that
    # How much sooner an instance would end on average, at most, if the step took half of its own
    # time, and none; the share is of the instance's time.
    halved_saves_ms: float | None = None
    removed_saves_ms: float | None = None
    removed_saves_share: float | None = None


@dataclass(frozen=True, slots=True)
class GapLine:
    """A log record next to a gap."""

    log: int
    time_ns: int
    severity: int  # 1 to 24; 0: none was sent
    service: str
    body: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Time in spans of a step that no child and no log record accounts for, and the longest of it.

    `before` and `after` are the log records of the workflow instance next to that; None: none.
    """

    workflow: str
    service: str
    name: str
    times: int
    total_ms: float
    longest_ms: float
    share: float  # of the span's duration
    trace_id: str
    span_id: str
    start_ns: int
    before: GapLine | None
    after: GapLine | None


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, as shares of the critical path's; None where it took no time.

    `explained` is what spans account for, `queued` what messages waited for their consumers.
    """

    steps: tuple[StepTiming, ...]
    explained: float | None
    gaps: int
    unexplained: tuple[Gap, ...] = ()  # by step, those that lost most time first
    queued: float | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Calls to one peer from one service."""

    service: str
    target: str
    is_external: bool
    calls: int
    with_request: int
    with_response: int
    implicit_response: int  # ended without error, which is all that some protocols record
    with_duration: int
    missing: tuple[str, ...]  # names of the logical fields that were not recorded


@dataclass(frozen=True, slots=True)
class ExternalCalls:
    """Share of calls with request, response and duration recorded. `share` is between 0 and 1."""

    share: float | None
    calls: int
    complete: int
    unrecorded: int  # calls that are inferred but were not recorded
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place where the fault may be, with what speaks for it."""

    service: str
    step: str
    score: float
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difficulty:
    """How hard a fault, or a workflow's failures, are to diagnose. Minutes are a lower bound.

    By errors: the mean over `failed_instances`. By suspects: nothing failed, and `candidates` is
    the effective number of services that could have the fault.
    """

    basis: Literal["errors", "suspects"]
    candidates: float
    minutes: float
    breakdown: dict[str, float]  # minutes by cause
    savings: dict[str, float]  # minutes that each fix would save alone
    blockers: tuple[str, ...]
    failed_instances: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How hard the failures are to explain from what was recorded. Minutes are a lower bound."""

    candidates: float | None  # effective candidates, 2^entropy
    minutes: float | None
    breakdown: dict[str, float]  # minutes by cause
    savings: dict[str, float]  # minutes that each fix would save
    failed_instances: int
    measured: tuple[Measurement, ...] = ()  # with the stopwatch, oldest first
    by_workflow: dict[str, Difficulty] = field(default_factory=dict)  # of those that failed


@dataclass(frozen=True, slots=True)
class Hurt:
    """One workflow while a fault lasted. Times are in milliseconds; None where none ran."""

    workflow: str
    instances: int  # that ran in the fault's window
    failed: int  # of these, and of those that began soon after
    unfinished: int  # of which nothing says how they ended
    p95_before_ms: float | None
    p95_during_ms: float | None


class Phases(NamedTuple, Generic[Number]):
    """The same figure before, during and after a fault; None where nothing ran."""

    before: Number
    during: Number
    after: Number


Recovery = Literal[
    "unharmed", "recovered", "damaged", "early", "unknown", "helped", "unclear", "ambiguous"
]


@dataclass(frozen=True, slots=True)
class FaultCourse:
    """How one workflow fared around a fault, and what became of it since."""

    workflow: str
    instances: Phases[int]
    success: Phases[float | None]
    p95_ms: Phases[float | None]
    recovery: Recovery
    # From the fault's end to the start of the last instance after it that failed or was slow; only
    # of a workflow that recovered.
    recovered_after_s: float | None

    @property
    def became(self) -> str:
        """Say what became of it since."""
        if self.recovered_after_s is not None:
            return f"recovered within {self.recovered_after_s:.3g} s"
        return _BECAME[self.recovery]


_BECAME: Final[dict[Recovery, str]] = {
    "unharmed": "unharmed",
    "recovered": "recovered",
    "damaged": "not recovered",
    "early": "seen too briefly since",
    "unknown": "too few known before",
    "helped": "an operator stepped in",
    "unclear": "too much is missing",
    "ambiguous": "another fault lasted, too",
}


# By more than so many points the first suspect leads the second, at least, where it stands out.
STANDS_OUT: Final = 1.25


@dataclass(frozen=True, slots=True)
class FaultResult:
    """What happened around one injected fault. Shares are between 0 and 1."""

    id: str
    kind: str
    target: str
    start_ns: int
    end_ns: int
    success_before: float | None
    success_during: float | None
    success_after: float | None
    detected_after_s: float | None  # from its start to the first alert
    stands_out: bool
    suspects: tuple[Suspect, ...]
    rank_of_target: int | None
    first_error_after_s: float | None = None  # from its start to the end of the first failed span
    workflows: tuple[FaultCourse, ...] = ()  # that ran while it lasted
    difficulty: Difficulty | None = None  # None: there is no service to suspect
    hurt: tuple[
        Hurt, ...
    ] = ()  # the workflows that ran meanwhile, the one with most failures first
    hurt_for_s: float | None = None  # from the first failed instance to the end of the last
    # From its end to the end of the last instance of any workflow that failed; None: none failed,
    # or one of these workflows was not seen to go well since.
    recovered_after_s: float | None = None
    # The length of the time just before its window and just after it, where the first suspect
    # stands out in that, too.
    changed_before_s: float | None = None
    changed_after_s: float | None = None

    @property
    def about_window(self) -> str:
        """Say in words where what its first suspect shows is not of its window alone; else ''."""
        beside = {
            "before": (self.changed_before_s, "began before"),
            "after": (self.changed_after_s, "lasted beyond"),
        }
        told = {side: (s, what) for side, (s, what) in beside.items() if s is not None}
        if not told:
            return ""
        when = " and ".join(f"the {short(s)} s {side}" for side, (s, _) in told.items())
        so = " and ".join(what for _, what in told.values())
        too = ", too" if self.stands_out else ""
        return f"{self.suspects[0].service} stands out in {when}{too}: it {so} the window"

    @property
    def why_none_stands_out(self) -> str:
        """In words; '' where the first suspect does. Two that changed much may be hard to part."""
        if self.stands_out:
            return ""
        several = sum(suspect.score > STANDS_OUT for suspect in self.suspects) > 1
        return "none of several suspects stands out" if several else "nothing stands out"


@dataclass(frozen=True, slots=True)
class CutOffs:
    """A row of the audit's timeout table: what should limit a wait, and what was seen to."""

    id: str
    component: str
    kind: str
    default_s: float  # by the audit
    bound_s: float | None  # of the policy; None: it has none
    exposures: int  # waits that were seen
    cut_off: int  # of these, those that a timeout ended
    shortest_s: float | None  # of those cut off
    longest_s: float | None
    longest_wait_s: float | None  # of all that were seen


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What was seen of the queues and topics of the run."""

    destinations: tuple[str, ...]
    sent: int  # messages
    unprocessed: int  # messages that nobody is known to have processed
    deliveries: int
    redelivered: int
    most_deliveries: int  # of one message
    dead_letters: tuple[str, ...]  # destinations that are named so


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was left of a fault: the last states of the jobs that it met, and the way to its cause.

    Minutes are lower bounds, the mean over the instances that failed; None where none did.
    """

    fault: str
    states: dict[str, int]  # jobs by the last state they said; '' where they said none
    find_minutes: float | None
    diagnosis_minutes: float | None


@dataclass(frozen=True, slots=True)
class CallEdge:
    """Who calls whom in a workflow, or sends it messages."""

    workflow: str
    service: str
    target: str
    is_external: bool  # nothing of the target is stored
    is_message: bool
    calls: int
    failed: int


@dataclass(frozen=True, slots=True)
class WaterfallSpan:
    """One span of a drawn trace. Times are milliseconds since its first span began."""

    service: str
    name: str
    kind: str
    depth: int
    start_ms: float
    duration_ms: float | None  # None: no usable end was received
    is_error: bool
    is_cited: bool  # by the finding


@dataclass(frozen=True, slots=True)
class Waterfall:
    """A trace that a finding names, in the order in which it is drawn."""

    check: str
    message: str
    trace_id: str
    total: int  # spans of the trace; the longest and the cited ones are here
    spans: tuple[WaterfallSpan, ...]


@dataclass(frozen=True, slots=True)
class Trust:
    """What the verdict rests on: counts of what came, and what is known to have been lost."""

    spans: int
    logs: int
    metric_points: int
    duplicates: int
    rejected: int
    dropped: int
    sampled: str  # 'none', 'unknown' or 'sampled'
    unsettled: int  # traces to which spans may still arrive
    background: int
    redacted: int = 0  # values from which secrets were taken out
    pruned: int = 0  # workflow instances that were removed to keep the store within its bounds
    pruned_spans: int = 0  # their spans
    pruned_until: str | None = None  # RFC 3339: none of them came later; None: none was pruned
    lost: int = 0  # records that were acknowledged and are not in the file any more
    started_by_sdk: int | None = None  # sampled spans; None where no SDK counted its own


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """One workflow: its instances, what became of them and where they lead."""

    name: str
    trigger: str
    instances: int
    ok: int
    failed: int
    unknown: int
    spans: int
    p50_ms: float | None
    p95_ms: float | None
    services: tuple[str, ...]
    externals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """From the first to the last moment of which there is telemetry, as RFC 3339."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class CampaignRun:
    """One of several runs that were judged together, as it was judged on its own."""

    inputs: tuple[str, ...]
    ran: Period | None
    verdict: Verdict
    score: float | None
    coverage: float | None
    completeness: float | None
    faults: tuple[str, ...]
    trust: Trust


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything one audit says."""

    judged_at: str  # RFC 3339
    inputs: tuple[str, ...]
    bounds: dict[str, float]  # the policy that was used, every name with its unit
    verdict: Verdict
    score: float | None  # 0 to 100; passed weight of the applicable weight
    failed_share: float | None  # 0 to 1
    unobserved_share: float | None  # 0 to 1
    coverage: float | None  # 0 to 1; decided weight of the applicable weight
    completeness: Completeness | None
    timing: Timing | None
    external_calls: ExternalCalls | None
    diagnosis: Diagnosis | None
    trust: Trust
    tests: tuple[TestResult, ...]
    criteria: tuple[Criterion, ...]
    patterns: tuple[Criterion, ...]
    checks: tuple[CheckResult, ...]
    faults: tuple[FaultResult, ...]
    workflows: tuple[WorkflowSummary, ...]
    ran: Period | None = None  # None: no record has a usable time
    step_risks: tuple[StepRisk, ...] = ()  # the highest first
    cut_offs: tuple[CutOffs, ...] = ()
    queue: QueueFacts | None = None  # None: no message was seen
    aftermaths: tuple[Aftermath, ...] = ()
    call_edges: tuple[CallEdge, ...] = ()
    worst_evidence: Waterfall | None = None  # None: nothing failed that names a span
    # What a person says of the system for the report; '' where nobody did.
    system: str = ""
    auditor: str = ""
    system_type: str = ""  # media, saas or ecommerce
    runs: tuple[CampaignRun, ...] = ()  # of a campaign, the newest first; else empty
    state_rows: int = 0  # rows of the system's own database that were judged along
    judged_by: tuple[str, ...] = ()  # options of the command line: by which files, and so on

    @property
    def lowest_completeness(self) -> float | None:
        """Of the run; of a campaign the lowest of all. None: of one it is not known."""
        if not self.runs:
            return self.completeness.total.ratio if self.completeness else None
        ratios = [run.completeness for run in self.runs if run.completeness is not None]
        return min(ratios) if len(ratios) == len(self.runs) else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Lowest and highest score that the unobserved weight leaves possible."""
        if self.score is None or self.unobserved_share is None:
            return None
        return self.score, min(100.0, self.score + 100 * self.unobserved_share)
