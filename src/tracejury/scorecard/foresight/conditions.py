"""How far a run carries what checks rest on: each condition measured, with the line to mend it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tracejury.checks.evidence import Evidence
from tracejury.checks.loop.endless_pagination import pages_asked_for
from tracejury.checks.queue.overrun_workers import MEMORY_METRIC
from tracejury.checks.queue.overtaken_priority import urgent_messages
from tracejury.checks.queue.unwatched_depth import DEPTH_METRIC
from tracejury.checks.resume.shallow_health import traced_services
from tracejury.scorecard.foresight.key_candidates import (
    Candidate,
    item_keys,
    job_keys,
    state_keys,
)
from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.result import CheckResult
from tracejury.telemetry.numbers import counted, either

# Assumed: an exporter that waits no longer than this loses little to a kill.
_SHORT_DELAY_S: Final = 1.0

# What is compared before and after a fault.
_ENOUGH_RUNS: Final = 5

_NAMED: Final = 5


_NO_QUEUE: Final = "Declared: there is no queue."


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: whether it is met, what was seen, and what would meet it.

    `met` is None where the input cannot tell. `change` is '' where nothing need change.
    """

    need: Need
    met: bool | None
    seen: str
    change: str = ""
    candidates: tuple[Candidate, ...] = ()


def conditions(evidence: Evidence, results: dict[str, CheckResult]) -> dict[Need, Condition]:
    """Every condition, measured on a run whose checks gave `results`."""
    measured = [
        _sampling(results["ING-03"]),
        _drops(results["ING-02"]),
        *(measure(evidence) for measure in _MEASURES),
    ]
    return {condition.need: condition for condition in measured}


def _sampling(gate: CheckResult) -> Condition:
    if gate.outcome == "fail":
        return Condition(
            Need.SAMPLING,
            met=False,
            seen=gate.findings[0].message,
            change="Keep every trace: OTEL_TRACES_SAMPLER=parentbased_always_on, and no tail"
            " sampling in the collector.",
        )
    is_known = gate.outcome == "pass"
    return Condition(
        Need.SAMPLING,
        met=is_known,
        seen="Nothing was sampled."
        if is_known
        else gate.note or "Nothing tells whether traces are sampled.",
        change=""
        if is_known
        else "Declare it, if nothing samples: `--sampling none`, or `[evidence] sampling ="
        ' "none"`; or let every SDK count its spans.',
    )


def _drops(gate: CheckResult) -> Condition:
    failed = gate.outcome == "fail"
    return Condition(
        Need.NO_DROPS,
        met=not failed,
        seen=gate.findings[0].message if failed else "Nothing is known to have been dropped.",
        change=gate.remedy if failed else "",
    )


def _self_metrics(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT
            (SELECT count(*) FROM instance_life WHERE spans > 0) AS processes,
            (SELECT count(*) FROM sdk_instance WHERE started IS NOT NULL) AS counting
    """)
    return Condition(
        Need.SELF_METRICS,
        met=0 < row["processes"] <= row["counting"],
        seen=f"{row['counting']} of {counted(row['processes'], 'process', 'processes')}"
        f" {either(row['counting'], 'counts', 'count')} the spans started there.",
        change="Let the SDKs count: OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true,"
        " OTEL_METRICS_EXPORTER=otlp, OTEL_METRIC_EXPORT_INTERVAL=5000 (Python's names).",
    )


def _export_delay(evidence: Evidence) -> Condition:
    rows = evidence.rows("""
        SELECT
            node.service,
            quantile_cont((node.received_ns::BIGINT - node.end_ns) / 1e9, 0.95) AS delay_s
        FROM node
        -- Of what was read from a file nobody knows when it was sent.
        SEMI JOIN (
            SELECT delivery.received_ns
            FROM stored.delivery AS delivery
            JOIN stored.session AS session USING (session_no)
            WHERE session.kind = 'serve' AND delivery.signal = 'traces'
        ) AS served USING (received_ns)
        WHERE node.end_ns IS NOT NULL
        GROUP BY node.service
        ORDER BY delay_s DESC, node.service
    """)
    if not rows:
        return Condition(
            Need.EXPORT_DELAY, met=None, seen="Files do not tell how late spans were sent."
        )
    slow = [row["service"] for row in rows if row["delay_s"] > _SHORT_DELAY_S]
    return Condition(
        Need.EXPORT_DELAY,
        met=not slow,
        seen=f"Spans arrive up to {max(rows[0]['delay_s'], 0):.1f} s after their end (95 %),"
        f" latest those of {rows[0]['service']}.",
        change=f"Set OTEL_BSP_SCHEDULE_DELAY=200 and OTEL_BLRP_SCHEDULE_DELAY=200 for"
        f" {_listed(slow)}: a process that is killed takes along what it has not sent.",
    )


def _instance_id(evidence: Evidence) -> Condition:
    rows = evidence.rows("""
        SELECT service
        FROM node
        WHERE instance_id IS NULL
        GROUP BY service
        ORDER BY service
    """)
    lacking = [row["service"] for row in rows]
    return Condition(
        Need.INSTANCE_ID,
        met=not lacking,
        seen=f"Some spans of {_listed(lacking)} do not say which process sent them."
        if lacking
        else "Every process says which one it is.",
        change=f"Set `service.instance.id` in the resource of {_listed(lacking)}, another for each"
        " process.",
    )


def _job_id(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT
            count(*) AS instances,
            count(*) FILTER (correlation_key NOT IN ('trace', 'links')) AS named,
            coalesce(string_agg(DISTINCT '`' || correlation_key || '`', ', ')
                FILTER (correlation_key NOT IN ('trace', 'links')), '') AS keys
        FROM workflow_instance
        WHERE NOT background
    """)
    met = row["named"] > 0
    candidates = () if met else job_keys(evidence.reader)
    return Condition(
        Need.JOB_ID,
        met=met,
        seen=f"{row['keys'] or 'No key'} names {row['named'] or 'any'} of"
        f" {counted(row['instances'], 'workflow instance')}.",
        change="Put `job.id` on every span and log record of a job"
        + (f', or say `[correlation] keys = ["{candidates[0].key}"]`.' if candidates else "."),
        candidates=candidates,
    )


def _item_id(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT
            count(DISTINCT item_run.item) AS items,
            coalesce(string_agg(DISTINCT '`' || record_item.key || '`', ', '), '') AS keys
        FROM item_run
        JOIN record_item USING (span_no)
    """)
    met = row["items"] > 0
    candidates = () if met else item_keys(evidence.reader)
    return Condition(
        Need.ITEM_ID,
        met=met,
        seen=f"{row['keys']} names {counted(row['items'], 'item')}."
        if met
        else "No key names an item.",
        change="Put `item.id` on the span of each item"
        + (f', or say `items = "{candidates[0].key}"` of its workflow.' if candidates else "."),
        candidates=candidates,
    )


def _job_state(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT
            (SELECT count(*) FROM workflow_instance WHERE NOT background) AS instances,
            count(DISTINCT instance_no) AS told,
            coalesce(string_agg(DISTINCT '`' || key || '`', ', '), '') AS keys
        FROM state_record
        WHERE level = 'job'
    """)
    met = row["told"] > 0
    candidates = () if met else state_keys(evidence.reader)
    return Condition(
        Need.JOB_STATE,
        met=met,
        seen=f"{row['keys'] or 'No key'} tells the state of {row['told'] or 'any'} of"
        f" {counted(row['instances'], 'workflow instance')}.",
        change="Log or set `job.status` (queued, processing, completed, partial, failed, ...)"
        " wherever a job's state changes"
        + (f"; send `{candidates[0].key}` under that name." if candidates else "."),
        candidates=candidates,
    )


def _baseline(evidence: Evidence) -> Condition:
    return Condition(
        Need.BASELINE,
        met=evidence.has_baseline,
        seen="A clean run is known." if evidence.has_baseline else "No clean run is known.",
        change="Name a run in which nothing fails, of three instances of each workflow or more:"
        " `--baseline clean.duckdb`.",
    )


def _declaration(evidence: Evidence) -> Condition:
    declared = len(evidence.config.workflows)
    return Condition(
        Need.DECLARATION,
        met=declared > 0,
        seen=f"{counted(declared, 'workflow')} {either(declared, 'is', 'are')} declared.",
        change="Declare the workflows in tracejury.toml; `tracejury inventory --emit` writes them.",
    )


def _logs(evidence: Evidence) -> Condition:
    rows = evidence.rows("""
        SELECT life.service, bool_or(log.log_no IS NOT NULL) AS logs
        FROM (SELECT DISTINCT service FROM instance_life WHERE spans > 0) AS life
        LEFT JOIN resource ON resource.service = life.service
        LEFT JOIN stored.log_record AS log USING (resource_id)
        GROUP BY life.service
        ORDER BY life.service
    """)
    silent = [row["service"] for row in rows if not row["logs"]]
    return Condition(
        Need.LOGS,
        met=len(silent) < len(rows),
        seen=f"{len(rows) - len(silent)} of {counted(len(rows), 'service')}"
        f" {either(len(rows) - len(silent), 'sends', 'send')} log records."
        + (f" None come from {_listed(silent)}." if silent else ""),
        change=f"Send the logs of {_listed(silent)} over OTLP, with the ids of their spans"
        " (OTEL_LOGS_EXPORTER=otlp).",
    )


def _calls(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT count(*) AS calls, count(DISTINCT call.target) AS targets
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background
    """)
    return Condition(
        Need.CALLS,
        met=row["calls"] > 0,
        seen=f"{counted(row['calls'], 'call')} to {counted(row['targets'], 'target')}.",
        change="Instrument the clients of what your services call: no call was recorded.",
    )


def _queue(evidence: Evidence) -> Condition:
    if "queue" in evidence.config.absent_components:
        return _jobs_without_queue(evidence)
    [row] = evidence.rows("""
        SELECT
            (SELECT count(*) FROM sent_message) AS sent,
            (SELECT count(*) FROM delivery WHERE creation_no IS NOT NULL) AS processed
    """)
    return Condition(
        Need.QUEUE,
        met=row["sent"] > 0 and row["processed"] > 0,
        seen=f"{counted(row['sent'], 'message')} {either(row['sent'], 'was', 'were')} sent, and"
        f" {counted(row['processed'], 'delivery', 'deliveries')}"
        f" {either(row['processed'], 'names', 'name')} the sender.",
        change='Instrument senders and workers of the queue; `[components] queue = "none"` says'
        " that there is none.",
    )


def _jobs_without_queue(evidence: Evidence) -> Condition:
    """Where no message tells a job from a request, its state does."""
    jobs = evidence.rows("SELECT count(*) AS jobs FROM job WHERE state IS NOT NULL")[0]["jobs"]
    return Condition(
        Need.QUEUE,
        met=jobs > 0,
        seen=f"{_NO_QUEUE} {counted(jobs, 'workflow instance')} {either(jobs, 'is', 'are')} known"
        " as a job, by its state.",
        change="Log or set `job.status` (queued, processing, completed, failed, ...) wherever a"
        " job's state changes: without a queue nothing else tells a job from a request.",
    )


def _server_half(evidence: Evidence) -> Condition:
    rows = evidence.rows("""
        SELECT call.target, bool_or(call.has_server_half) AS is_traced
        FROM external_call AS call
        JOIN workflow_instance AS instance USING (instance_no)
        WHERE NOT instance.background AND call.protocol IN ('http', 'rpc', 'genai', 'other')
        GROUP BY call.target
        ORDER BY call.target
    """)
    dark = [row["target"] for row in rows if not row["is_traced"]]
    return Condition(
        Need.SERVER_HALF,
        met=len(dark) < len(rows),
        seen=f"{len(rows) - len(dark)} of {counted(len(rows), 'called service')}"
        f" {either(len(rows) - len(dark), 'sends its own spans', 'send their own spans')}."
        + (f" Not: {_listed(dark)}." if dark else ""),
        change=f"Instrument {_listed(dark) or 'a service that is called'}, or a stub in its place:"
        " only who answers knows how often something was done.",
    )


def _alerts(evidence: Evidence) -> Condition:
    [row] = evidence.rows("SELECT count(*) AS alerts FROM alert")
    return Condition(
        Need.ALERTS,
        met=row["alerts"] > 0,
        seen=f"{counted(row['alerts'], 'alert')} came.",
        change="Point a webhook of Alertmanager at http://HOST:4318/api/alerts, and let its"
        " Watchdog alert fire, so that silence can be told from no connection.",
    )


def _queue_depth(evidence: Evidence) -> Condition:
    if "queue" in evidence.config.absent_components:
        return Condition(Need.QUEUE_DEPTH, met=None, seen=_NO_QUEUE)
    return _metric(
        evidence,
        Need.QUEUE_DEPTH,
        DEPTH_METRIC,
        "Export the broker's queue depth or lag as a metric (rabbitmq_queue_messages, a consumer's"
        " lag, the length of the list).",
    )


def _worker_memory(evidence: Evidence) -> Condition:
    return _metric(
        evidence,
        Need.WORKER_MEMORY,
        MEMORY_METRIC,
        "Export the workers' memory as a metric (process.memory.usage, or a runtime's).",
    )


def _metric(evidence: Evidence, need: Need, pattern: str, change: str) -> Condition:
    rows = evidence.rows(
        """
        SELECT DISTINCT metric
        FROM metric_point
        WHERE regexp_matches(metric, $pattern)
            -- The SDKs' own queues of spans and records are not the system's.
            AND NOT starts_with(metric, 'otel.sdk.')
        ORDER BY metric
        """,
        {"pattern": pattern},
    )
    names = [f"`{row['metric']}`" for row in rows]
    seen = f"Stored: {_listed(names)}." if names else "No such metric is stored."
    return Condition(need, met=bool(names), seen=seen, change=change)


def _priority(evidence: Evidence) -> Condition:
    if "queue" in evidence.config.absent_components:
        return Condition(Need.PRIORITY, met=None, seen=_NO_QUEUE)
    urgent = urgent_messages(evidence)
    return Condition(
        Need.PRIORITY,
        met=urgent > 0,
        seen=f"{counted(urgent, 'message')} {either(urgent, 'calls itself', 'call themselves')}"
        " urgent.",
        change="Name urgent and bulk queues so (`high`, `bulk`), or record each message's priority;"
        " send both kinds.",
    )


def _health_route(evidence: Evidence) -> Condition:
    services = traced_services(evidence)
    return Condition(
        Need.HEALTH_ROUTE,
        met=bool(services),
        seen=f"A health route of {_listed(services)} is traced."
        if services
        else "No health route is traced.",
        change="Trace the readiness route (take it out of the excluded URLs), and ask it every few"
        " seconds.",
    )


def _pages(evidence: Evidence) -> Condition:
    pages = pages_asked_for(evidence)
    return Condition(
        Need.PAGES,
        met=pages > 0,
        seen=f"{counted(pages, 'call')} asked for a page.",
        change="Record the query of calls that ask for pages (`url.full` with `page` or `cursor`),"
        " and how much came back (`http.response.body.size`, `db.response.returned_rows`).",
    )


def _long_runs(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT coalesce(max((end_ns::BIGINT - start_ns::BIGINT) / 1e9), 0) AS longest_s
        FROM workflow_instance
        WHERE NOT background AND end_ns >= start_ns
    """)
    least = evidence.policy.short_workflow_seconds
    return Condition(
        Need.LONG_RUNS,
        met=row["longest_s"] >= least,
        seen=f"The longest workflow instance took {row['longest_s']:.1f} s.",
        change=f"Run a workflow of {least:g} s or more: shorter ones have no time to lose.",
    )


def _enough_runs(evidence: Evidence) -> Condition:
    rows = evidence.rows("""
        SELECT workflow, instances
        FROM workflow
        ORDER BY instances, workflow
    """)
    rare = [row["workflow"] for row in rows if row["instances"] < _ENOUGH_RUNS]
    return Condition(
        Need.ENOUGH_RUNS,
        met=len(rare) < len(rows),
        seen=f"{len(rows) - len(rare)} of {counted(len(rows), 'workflow')} ran {_ENOUGH_RUNS} times"
        " or more.",
        change=f"Let {_listed(rare) or 'a workflow'} run {_ENOUGH_RUNS} times before a fault, and"
        " as often after it.",
    )


def _hosts(evidence: Evidence) -> Condition:
    [row] = evidence.rows("""
        SELECT count(*) AS pairs
        FROM node AS called
        JOIN node AS caller ON caller.span_no = called.parent_no
        WHERE caller.host <> called.host
    """)
    return Condition(
        Need.HOSTS,
        met=row["pairs"] > 0,
        seen=f"{counted(row['pairs'], 'call')} went from one host to another.",
        change="Say on which machine each service runs (`host.id` or `host.name` in its resource);"
        " on a single one there is nothing to compare.",
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


_MEASURES: Final[tuple[Callable[[Evidence], Condition], ...]] = (
    _self_metrics,
    _export_delay,
    _instance_id,
    _job_id,
    _item_id,
    _job_state,
    _baseline,
    _declaration,
    _logs,
    _calls,
    _queue,
    _server_half,
    _alerts,
    _queue_depth,
    _worker_memory,
    _priority,
    _health_route,
    _pages,
    _long_runs,
    _enough_runs,
    _hosts,
)
