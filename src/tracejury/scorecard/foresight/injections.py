"""How each kind of fault is injected: how strong it must be, by hand, and by the example."""

from typing import Final

from tracejury.config import Policy
from tracejury.scorecard.foresight.targets import Target

# Ways to do it to any system.
BY_HAND: Final = {
    "bad_item": "Submit one job of five items or more, of which one, not the last, fails each time"
    " it is tried.",
    "cancel": "Cancel a job while it is in work, the way a user does.",
    "delay": "Put a proxy in between that holds each answer back.",
    "double_retry": "Ask twice at once for the same failed job to be tried again.",
    "endless_source": "Let the source give one more turn for ever.",
    "error": "Let each call be answered with 503.",
    "flood": "Send messages faster than the workers take them, urgent ones among the bulk.",
    "hang": "Stop the process and keep its connections open: kill -STOP PID.",
    "kill": "kill -9 the process that has a job in work, after some of its items are done.",
    "partition": "Drop the packets to it: iptables -A OUTPUT -d ADDRESS -j DROP.",
    "restart": "Stop it and start it again while work for it is under way.",
    "retry": "Ask for one failed item of a job to be tried again, the way a user does.",
    "retry_all": "Ask for all failed items of a job to be tried again, the way a user does.",
    "storage": "Let each write fail, as on a full disk.",
}

# What `--fault` of examples/media-pipeline does it, by kind and target.
EXAMPLE: Final = {
    ("bad_item", "POST /jobs"): "bad-item",
    ("cancel", "POST /jobs"): "cancel",
    ("delay", "provider"): "provider-slow",
    ("double_retry", "POST /jobs"): "R03",
    ("error", "provider"): "provider-503",
    ("flood", "media"): "Q03",
    ("hang", "asset-store"): "T01",
    ("hang", "postgresql"): "postgres-stop",
    ("hang", "provider"): "provider-hang",
    ("hang", "redis"): "redis-stop",
    ("kill", "worker"): "worker-kill",
    ("restart", "provider"): "RE02",
    ("restart", "redis"): "broker-restart",
    ("retry", "POST /jobs"): "R01",
    ("retry_all", "POST /jobs"): "R02",
}


def command(kind: str, target: str) -> str:
    """What to type at the root of the repository, while `serve` listens; '' if it has no such."""
    fault = EXAMPLE.get((kind, target))
    if fault is None:
        return ""
    run = "examples/media-pipeline/run --endpoint http://127.0.0.1:4317"
    return f"{run} --fault {fault} --output {fault}"


def magnitude(kind: str, target: Target, checks: frozenset[str], policy: Policy) -> str:
    """How strong and how long, by the policy that the verdicts use."""
    if kind in ("hang", "delay", "partition"):
        return _waiting(target, checks, policy)
    return {
        "error": f"every call, until {policy.failures_in_a_row + 1:g} things in a row have failed",
        "kill": "SIGKILL, once; then listen until what was in work has gone on, for"
        f" {policy.redelivery_seconds:g} s if it does not",
        "restart": "once",
        "bad_item": "one item of five or more",
        "endless_source": f"for more than {policy.loop_turns:g} turns or {policy.loop_seconds:g} s",
        "flood": "at least twice the usual rate, and 20 messages",
        "storage": "every write",
    }.get(kind, "once")


def _waiting(target: Target, checks: frozenset[str], policy: Policy) -> str:
    bound = policy.statement_seconds if target.system else policy.call_seconds
    name = "statement_seconds" if target.system else "call_seconds"
    lasts = f"no answer for longer than {bound:g} s ({name})"
    if checks & {"TIM-06", "TIM-07"}:
        lasts += f"; longer than {policy.job_seconds:g} s (job_seconds) for the limit of a job"
    return lasts
