"""What telemetry must carry before a fault can prove anything, by name."""

from enum import StrEnum


class Need(StrEnum):
    """A condition that checks rest on; `conditions` measures each."""

    SAMPLING = "sampling"
    NO_DROPS = "drops"
    SELF_METRICS = "self-metrics"
    EXPORT_DELAY = "export-delay"
    INSTANCE_ID = "instance-id"
    JOB_ID = "job-id"
    ITEM_ID = "item-id"
    JOB_STATE = "job-state"
    BASELINE = "baseline"
    DECLARATION = "declaration"
    LOGS = "logs"
    CALLS = "calls"
    QUEUE = "queue"
    SERVER_HALF = "server-half"
    ALERTS = "alerts"
    QUEUE_DEPTH = "queue-depth"
    WORKER_MEMORY = "worker-memory"
    PRIORITY = "priority"
    HEALTH_ROUTE = "health-route"
    PAGES = "pages"
    LONG_RUNS = "long-runs"
    ENOUGH_RUNS = "enough-runs"
    HOSTS = "hosts"
