"""What sets a fragile, a decent and a resilient pipeline apart: one policy for each."""

import os
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Variant:
    """How the pipeline treats what goes wrong. A bound of None is none: it waits, or goes on."""

    # How long to wait, in seconds.
    connect: float | None
    provider_read: float | None
    store_read: float | None
    notify_read: float | None
    statement: float | None
    broker: float | None
    job_soft: float | None
    job_hard: float | None
    visibility: float

    # How often to try again, and whether also what is refused for good.
    attempts: int
    pause: float
    pauses_grow: bool
    retries_refusals: bool
    retries_everywhere: bool  # the store and the database as well as the provider
    sends_keys: bool  # the provider makes nothing twice for the same key
    breaker_failures: int | None

    # Batches, and loops.
    isolates_items: bool
    keeps_finished_items: bool
    failures_in_a_row: int | None
    pages: int | None
    stops_at_empty_page: bool

    # The queue.
    acks_late: bool
    durable_broker: bool
    deliveries: int | None  # then the message goes to the dead letters
    has_urgent_queue: bool

    # What is said of a job, and what may be done to it.
    admits_failures: bool
    limit_state: str
    guards_jobs: bool  # no second retry beside one, no retry for ever, no work once cancelled
    tests_dependencies: bool  # in /readyz

    # What is recorded.
    specific_errors: bool
    correlates_logs: bool


DECENT = Variant(
    connect=1,
    provider_read=2,
    store_read=3,
    notify_read=1,
    statement=5,
    broker=None,
    job_soft=20,
    job_hard=25,
    # Longer than the longest job: a shorter one would hand a running job to a second worker.
    visibility=30,
    attempts=3,
    pause=0.3,
    pauses_grow=True,
    retries_refusals=False,
    retries_everywhere=False,
    sends_keys=False,
    breaker_failures=None,
    isolates_items=True,
    keeps_finished_items=True,
    failures_in_a_row=None,
    pages=None,
    stops_at_empty_page=True,
    acks_late=True,
    durable_broker=True,
    deliveries=None,
    has_urgent_queue=False,
    admits_failures=True,
    limit_state="failed",
    guards_jobs=False,
    tests_dependencies=True,
    specific_errors=True,
    correlates_logs=True,
)

RESILIENT = replace(
    DECENT,
    store_read=1.5,
    statement=1,
    broker=2,
    attempts=4,
    pause=0.5,
    retries_everywhere=True,
    sends_keys=True,
    breaker_failures=3,
    failures_in_a_row=5,
    pages=30,
    deliveries=3,
    has_urgent_queue=True,
    limit_state="timeout",
    guards_jobs=True,
)

FRAGILE = replace(
    DECENT,
    connect=None,
    provider_read=None,
    store_read=None,
    notify_read=None,
    statement=None,
    job_soft=None,
    job_hard=None,
    attempts=25,
    pause=0.08,
    pauses_grow=False,
    retries_refusals=True,
    isolates_items=False,
    keeps_finished_items=False,
    stops_at_empty_page=False,
    acks_late=False,
    durable_broker=False,
    admits_failures=False,
    tests_dependencies=False,
    specific_errors=False,
    correlates_logs=False,
)

VARIANTS = {"decent": DECENT, "fragile": FRAGILE, "resilient": RESILIENT}
CURRENT = VARIANTS[os.environ.get("MEDIA_VARIANT", "decent")]
