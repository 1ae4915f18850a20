"""Each check changes its mind when the one fact that it judges is edited in a recorded run."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final

import pytest
from tests.checks.alerting import alerts
from tests.samples.recorded import (
    Json,
    Recording,
    attribute,
    clean_baseline,
    config,
    faults,
    judged,
    opened,
    rebuilt,
    recording,
    without,
)

from tracejury.checks.catalogue import all_checks
from tracejury.checks.check import Check
from tracejury.config import Config, DeclaredWorkflow
from tracejury.store.reader import Reader
from tracejury.telemetry.semconv import DEPRECATED_KEYS
from tracejury.workflow.faults import Fault
from tracejury.workflow.rebuild import prepare

CHECKS: Final = {check.id: check for check in all_checks()}
GATES: Final = tuple(check for check in CHECKS.values() if check.is_gate)

Edit = Callable[[Recording], None]


def nothing(run: Recording) -> None:
    """Leave it as it was recorded."""


def set_attribute(holder: Json, key: str, value: str) -> None:
    without(holder, key)
    holder["attributes"].append({"key": key, "value": {"stringValue": value}})


def calls(run: Recording, service: str, name: str) -> list[Json]:
    """CLIENT spans of a service."""
    return [span for span in run.spans(service) if span["kind"] == 3 and span["name"] == name]


def leave_a_span_without_name(run: Recording) -> None:
    next(run.spans("worker"))["name"] = ""


def report_a_dropped_attribute(run: Recording) -> None:
    next(run.spans("worker"))["droppedAttributesCount"] = 1


def sample_a_trace(run: Recording) -> None:
    next(run.spans("web"))["traceState"] = "ot=th:8"


def move_the_provider_to_a_host_of_its_own(run: Recording) -> None:
    for resource in run.resources():
        set_attribute(resource, "host.name", "media-host")
    for resource in run.resources("provider"):
        set_attribute(resource, "host.name", "elsewhere")


def set_its_clock_back(run: Recording) -> None:
    move_the_provider_to_a_host_of_its_own(run)
    for span in run.spans("provider"):
        for key in ("startTimeUnixNano", "endTimeUnixNano"):
            span[key] = str(int(span[key]) - 5_000_000_000)


def name_an_entry_that_nobody_declared(run: Recording) -> None:
    for span in run.spans("web"):
        if span["name"] == "POST /exports":
            span["name"] = "POST /archives"


def give_the_notifier_a_name(run: Recording) -> None:
    for span in calls(run, "worker", "POST"):
        if attribute(span, "server.port") == "18703":
            set_attribute(span, "server.address", "hooks.example.com")


def call_somebody_without_a_name(run: Recording) -> None:
    give_the_notifier_a_name(run)
    for span in calls(run, "worker", "POST"):
        if attribute(span, "server.port") == "18703":
            without(span, "server.address", "server.port", "network.peer.", "url.full")


def lose_the_context_in_the_queue(run: Recording) -> None:
    """The worker begins traces of its own, and neither it nor whom it calls says the job."""
    consumers = {s["traceId"]: s for s in run.spans("worker") if s["name"].startswith("run/")}
    for service in ("worker", "provider", "asset-store"):
        for record in (*run.spans(service), *run.log_records(service)):
            without(record, "job.id", "item.id")
            if record.get("traceId") in consumers:
                record["traceId"] = record["traceId"][::-1]
    for consumer in consumers.values():
        consumer.pop("parentSpanId")


def write_logs_without_ids(run: Recording) -> None:
    for record in run.log_records("web"):
        record.pop("traceId", None)
        record.pop("spanId", None)


def lose_parents(run: Recording) -> None:
    run.keep(lambda service, span: span["name"] != "process item")


def lose_one_parent(run: Recording) -> None:
    """Long before the worker of the sample `worker-kill` dies."""
    lost = next(span["spanId"] for span in run.spans("worker") if span["name"] == "upload asset")
    run.keep(lambda service, span: span["spanId"] != lost)


def lose_a_parent_and_sample(run: Recording) -> None:
    lose_one_parent(run)
    sample_a_trace(run)


def keep_all_at_the_head(run: Recording) -> None:
    """This says nothing of a tail sampler behind the SDKs."""
    for span in run.spans():
        span["traceState"] = "ot=th:0"


def lose_half_of_the_answers(run: Recording) -> None:
    run.keep(lambda service, span: service != "provider" or int(span["spanId"], 16) % 2 == 0)


def lose_a_step(run: Recording) -> None:
    lost = {span["spanId"] for span in run.spans("worker") if span["name"] == "record asset"}
    run.keep(
        lambda service, span: not {span["spanId"], span.get("parentSpanId")} & lost,
    )


def record_no_calls_to_the_provider(run: Recording) -> None:
    """One in two; the worker goes on."""
    ids = sorted(s["parentSpanId"] for s in run.spans("provider") if s["kind"] == 2)
    run.keep(lambda service, span: span["spanId"] not in ids[::2])


def send_no_key_of_old(run: Recording) -> None:
    for holder in run.spans():
        without(holder, *DEPRECATED_KEYS)
        if attribute(holder, "messaging.destination.name"):
            set_attribute(holder, "messaging.system", "redis")


def alert_without_a_runbook(run: Recording) -> None:
    run.alerts.extend(alerts("JobsStuck 1s..9s service=worker"))


def alert_with_a_runbook(run: Recording) -> None:
    run.alerts.extend(alerts("JobsStuck 1s..9s annotation:runbook_url=https://wiki/stuck"))


def record_no_status_codes(run: Recording) -> None:
    for span in calls(run, "worker", "PUT"):
        without(span, "http.response.status_code")


def hide_the_steps_of_an_item(run: Recording) -> None:
    """What `process item` did becomes one span without any below it, and without log records."""
    above = {span["spanId"]: span.get("parentSpanId", "") for span in run.spans()}
    items = {span["spanId"] for span in run.spans("worker") if span["name"] == "process item"}

    def is_inside(span: Json) -> bool:
        at = span.get("parentSpanId", "")
        while at and at not in items:
            at = above.get(at, "")
        return bool(at)

    inside = {span["spanId"] for span in run.spans() if is_inside(span)}
    run.keep(lambda service, span: span["spanId"] not in inside)
    for record in run.log_records():
        if record.get("spanId") in inside | items:
            record.pop("spanId")
            record.pop("traceId")


def say_only_that_it_failed(run: Recording) -> None:
    for record in run.log_records():
        if record["severityNumber"] >= 13:
            record["body"] = {"stringValue": "error"}
            without(record, "exception.")
    for span in run.spans():
        if span.get("status", {}).get("code") == 2:
            span["status"]["message"] = "error"
            without(span, "error.type", "http.response.status_code")
            for event in span.get("events", ()):
                event["attributes"] = [
                    {"key": "exception.message", "value": {"stringValue": "error"}}
                ]


def lose_the_half_that_refused(run: Recording) -> None:
    failed = {span["spanId"] for span in calls(run, "worker", "POST") if span.get("status")}
    run.keep(lambda service, span: service != "provider" or span["parentSpanId"] not in failed)
    for span in calls(run, "worker", "POST"):
        if span["spanId"] in failed:
            without(span, "http.response.status_code", "error.type")


def fail_the_job_at_a_step(run: Recording) -> None:
    """The job of the bad item fails as well, and not because of the item."""
    fail(run, "run/generate_assets", "")
    fail(run, "load job", "the record is locked")


def fail_the_job_at_another_step(run: Recording) -> None:
    fail_the_job_at_a_step(run)
    fail(run, "find finished items", "the index is gone")


def fail(run: Recording, name: str, message: str) -> None:
    trace = next(
        s["traceId"] for s in run.spans("worker") if s["name"] == "process item" and s.get("status")
    )
    for span in run.spans("worker"):
        if span["traceId"] == trace and span["name"] == name:
            span["status"] = {"code": 2, "message": message}


def lose_what_lies_above_the_error(run: Recording) -> None:
    run.keep(
        lambda service, span: (
            span["name"] != "generate asset" or "status" not in span or not span["status"]
        )
    )


def forget_who_the_provider_is(run: Recording) -> None:
    for resource in run.resources("provider"):
        without(resource, "service.name")


def set_no_severity(run: Recording) -> None:
    next(run.log_records("web")).pop("severityNumber")


def provider_calls(run: Recording) -> list[Json]:
    """The calls to the provider that were given up."""
    return [
        span
        for span in calls(run, "worker", "POST")
        if any(
            "Timeout" in str(attribute(event, "exception.type")) for event in span.get("events", ())
        )
    ]


def last(span: Json, seconds: float) -> None:
    """Let a span take so long."""
    span["endTimeUnixNano"] = str(int(span["startTimeUnixNano"]) + int(seconds * 1e9))


def let_the_provider_stay_away(run: Recording) -> None:
    """Every call of an item to it is given up, before the fault and after it."""
    port = attribute(provider_calls(run)[0], "server.port")
    for span in calls(run, "worker", "POST"):
        if attribute(span, "server.port") == port:
            without(span, "http.response.status_code")
            set_attribute(span, "error.type", "ReadTimeout")
            span["status"] = {"code": 2}


def refuse_the_bad_item(run: Recording) -> None:
    """A breaker refused it, and nobody comes back to it."""
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    set_attribute(bad, "error.type", "CircuitBreakerError")
    let_the_run_go_on(run)


def take_an_item_back(run: Recording) -> None:
    """The first item of the batch is called pending after the bad one has failed."""
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    job = attribute(bad, "job.id")
    for group in run.logs["resourceLogs"]:
        for scope in group["scopeLogs"]:
            for record in scope["logRecords"]:
                if attribute(record, "item.id") == f"{job}-01" and attribute(record, "item.status"):
                    again = json.loads(json.dumps(record))
                    again["timeUnixNano"] = str(int(bad["endTimeUnixNano"]) + 5_000_000_000)
                    set_attribute(again, "item.status", "pending")
                    scope["logRecords"].append(again)
                    return


def say_that_the_work_paused(run: Recording) -> None:
    """Every attempt that the worker logs says how far the job is, and that it waits."""
    for record in run.log_records("worker"):
        if "provider attempt" in str(record["body"].get("stringValue")):
            record["body"] = {"stringValue": "paused at 1 of 4 items, the provider is unavailable"}


def wait_for_the_provider_whatever_it_takes(run: Recording) -> None:
    for span in provider_calls(run):
        last(span, 6)
        span.update(status={}, events=[])
        set_attribute(span, "http.response.status_code", "200")
        without(span, "error.type")


def give_up_late(run: Recording) -> None:
    for span in provider_calls(run):
        last(span, 9)


def call_a_timeout_something_else(run: Recording) -> None:
    for span in provider_calls(run):
        span["events"] = []
        span["status"] = {"code": 2, "message": "no"}
        set_attribute(span, "error.type", "_OTHER")


def let_a_job_go_on(run: Recording) -> None:
    last(next(s for s in run.spans("worker") if s["name"] == "run/export_project"), 90)


def end_the_batch_with_the_bad_item(run: Recording) -> None:
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    loop = bad["parentSpanId"]
    later = {
        span["spanId"]
        for span in run.spans("worker")
        if span.get("parentSpanId") == loop and span["startTimeUnixNano"] > bad["startTimeUnixNano"]
    }
    run.keep(lambda service, span: span["spanId"] not in later)


def say_nothing_of_the_item(run: Recording) -> None:
    say_only_that_it_failed(run)
    for record in run.log_records():
        if record["severityNumber"] >= 13:
            without(record, "item.id")


def call_the_job_completed(run: Recording) -> None:
    for record in (*run.spans(), *run.log_records()):
        if attribute(record, "job.status") == "partial":
            set_attribute(record, "job.status", "completed")
            without(record, "items.failed", "job.items_failed")


def try_again_and_again(run: Recording) -> None:
    """The last attempt at one thing is followed by ten more, 10 ms apart."""
    ordered = sorted(provider_calls(run), key=lambda span: str(span["startTimeUnixNano"]))
    last_of = {span["parentSpanId"]: span["spanId"] for span in ordered}
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in [s for s in scope["spans"] if s["spanId"] in last_of.values()]:
                scope["spans"] += list(repeated(span))


def repeated(span: Json) -> Iterator[Json]:
    length = int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) + 10_000_000
    for number in range(1, 11):
        copy = {**span, "spanId": f"{int(span['spanId'], 16) ^ number << 8:016x}"}
        for key in ("startTimeUnixNano", "endTimeUnixNano"):
            copy[key] = str(int(span[key]) + number * length)
        yield copy


def process_a_completed_job(run: Recording) -> None:
    for group in run.logs["resourceLogs"]:
        for scope in group["scopeLogs"]:
            for record in scope["logRecords"]:
                if attribute(record, "job.status") == "completed":
                    again = json.loads(json.dumps(record))
                    again["timeUnixNano"] = str(int(record["timeUnixNano"]) + 5_000_000_000)
                    set_attribute(again, "job.status", "processing")
                    scope["logRecords"].append(again)
                    return


def begin_traces_in_the_queue(run: Recording) -> None:
    for span in run.spans("worker"):
        if span["name"].startswith("run/"):
            span.pop("parentSpanId")


def below(run: Recording, top: str) -> set[str]:
    """The ids of a span and of all that lies below it."""
    children: dict[str, list[str]] = {}
    for span in run.spans():
        children.setdefault(span.get("parentSpanId", ""), []).append(span["spanId"])
    found, open_ids = set(), [top]
    while open_ids:
        found.add(at := open_ids.pop())
        open_ids += children.get(at, [])
    return found


def again(run: Recording) -> Json:
    """The span that processed the message of the killed worker once more."""
    return next(
        span
        for span in run.spans("worker")
        if "'redelivered': True" in str(attribute(span, "celery.delivery_info"))
    )


def never_deliver_again(run: Recording) -> None:
    begun = int(again(run)["startTimeUnixNano"])
    job, gone = attribute(again(run), "job.id"), below(run, again(run)["spanId"])
    run.keep(lambda service, span: span["spanId"] not in gone)
    for group in run.logs["resourceLogs"]:
        for scope in group["scopeLogs"]:
            scope["logRecords"] = [
                record
                for record in scope["logRecords"]
                if attribute(record, "job.id") != job or int(record["timeUnixNano"]) < begun
            ]


def know_of_no_crash(run: Recording) -> None:
    for record in run.log_records("worker"):
        record["body"] = {"stringValue": "something was said"}
    for resource in list(run.resources("worker")):
        without(resource, "service.name", "service.instance.id", "process.", "host.")


def limited_job(run: Recording) -> object:
    """The id of the job that the time limit ended."""
    return next(
        attribute(span, "job.id")
        for span in run.spans("worker")
        if any("TimeLimit" in str(attribute(e, "exception.type")) for e in span.get("events", ()))
    )


def call_the_limited_job(run: Recording, state: str) -> None:
    hit = limited_job(run)
    for record in (*run.spans(), *run.log_records()):
        if attribute(record, "job.id") == hit and attribute(record, "job.status"):
            set_attribute(record, "job.status", state)


def let_the_run_go_on(run: Recording) -> None:
    latest = max(run.spans("web"), key=lambda span: int(span["startTimeUnixNano"]))
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        latest[key] = str(int(latest[key]) + 400_000_000_000)


def keep_the_killed_job_open(run: Recording) -> None:
    """Nobody takes it up again, though a younger process of the worker is heard of long after."""
    never_deliver_again(run)
    latest = max(run.spans("worker"), key=lambda span: int(span["startTimeUnixNano"]))
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        latest[key] = str(int(latest[key]) + 400_000_000_000)


def leave_a_job_in_processing(run: Recording) -> None:
    """The job that the time limit ended says only that it is in work; all else goes on."""
    call_the_limited_job(run, "processing")
    let_the_run_go_on(run)


def call_a_limited_job_completed(run: Recording) -> None:
    call_the_limited_job(run, "completed")


def hear_no_more_of_a_job_after_its_timeout(run: Recording) -> None:
    hit = limited_job(run)
    ends = [s for s in provider_calls(run) if attribute(s, "job.id") == hit]
    last_ns = max(int(span["endTimeUnixNano"]) for span in ends)
    run.keep(
        lambda service, span: (
            attribute(span, "job.id") != hit or int(span["endTimeUnixNano"]) <= last_ns
        )
    )
    for group in run.logs["resourceLogs"]:
        for scope in group["scopeLogs"]:
            scope["logRecords"] = [
                record
                for record in scope["logRecords"]
                if attribute(record, "job.id") != hit or int(record["timeUnixNano"]) <= last_ns
            ]
    let_the_run_go_on(run)


def go_on_past_the_last_item(run: Recording) -> None:
    """The batch of twenty goes round ten times more."""
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    latest = max(
        (
            span
            for span in run.spans("worker")
            if span["name"] == "process item" and span["parentSpanId"] == bad["parentSpanId"]
        ),
        key=lambda span: int(span["startTimeUnixNano"]),
    )
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            if latest in scope["spans"]:
                scope["spans"] += list(repeated(latest))


def work_on_a_completed_item_again(run: Recording) -> None:
    """The first run after the kill is of an item that was completed before it."""
    inside = below(run, again(run)["spanId"])
    item = str(attribute(again(run), "job.id")) + "-01"
    first = min(
        (s for s in run.spans("worker") if s["spanId"] in inside and s["name"] == "process item"),
        key=lambda span: int(span["startTimeUnixNano"]),
    )
    for span in run.spans():
        if span["spanId"] in below(run, first["spanId"]):
            set_attribute(span, "item.id", item)


def store_nothing_of_an_export(run: Recording) -> None:
    """One export is completed without its archive."""
    upload = next(span for span in run.spans("worker") if span["name"] == "upload archive")
    lost = below(run, upload["spanId"])
    run.keep(lambda service, span: span["spanId"] not in lost)


def charge_after_the_limit(run: Recording) -> None:
    """The job that the time limit ended calls the provider once more, a minute later."""
    hit = limited_job(run)
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                if span in provider_calls(run) and attribute(span, "job.id") == hit:
                    copy = {**span, "spanId": flipped(span["spanId"])}
                    for key in ("startTimeUnixNano", "endTimeUnixNano"):
                        copy[key] = str(int(span[key]) + 60_000_000_000)
                    scope["spans"].append(copy)
                    return


def forget_what_failed(run: Recording) -> None:
    """Error types stay, and no status says error."""
    for span in run.spans("worker"):
        if span.get("status", {}).get("code") == 2:
            span["status"] = {}
            set_attribute(span, "error.type", "ProviderError")


def pay_once(run: Recording) -> None:
    """What the provider did for callers that had left, it refused."""
    left = {span["spanId"] for span in provider_calls(run)}
    for span in run.spans("provider"):
        if span.get("parentSpanId") in left:
            set_attribute(span, "http.response.status_code", "500")
            span["status"] = {"code": 2}


def try_a_whole_batch_again(run: Recording) -> None:
    """The job with the bad item is worked on once more, from its first item."""
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    batch = below(run, bad["parentSpanId"])
    shift = 60_000_000_000
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in [s for s in scope["spans"] if s["spanId"] in batch]:
                copy = {**span, "spanId": flipped(span["spanId"])}
                if span["spanId"] != bad["parentSpanId"]:
                    copy["parentSpanId"] = flipped(span["parentSpanId"])
                for key in ("startTimeUnixNano", "endTimeUnixNano"):
                    copy[key] = str(int(span[key]) + shift)
                scope["spans"].append(copy)


def flipped(span_id: str) -> str:
    return f"{int(span_id, 16) ^ 1 << 40:016x}"


def lose_a_message(run: Recording) -> None:
    """The last export is never worked on, and its worker is heard of for long afterwards."""
    taken = max(
        (span for span in run.spans("worker") if span["name"] == "run/export_project"),
        key=lambda span: int(span["startTimeUnixNano"]),
    )
    job, gone = attribute(taken, "job.id"), below(run, taken["spanId"])
    run.keep(lambda service, span: span["spanId"] not in gone)
    for group in run.logs["resourceLogs"]:
        if attribute(group["resource"], "service.name") != "web":
            for scope in group["scopeLogs"]:
                scope["logRecords"] = [
                    record for record in scope["logRecords"] if attribute(record, "job.id") != job
                ]
    latest = max(run.spans("worker"), key=lambda span: int(span["startTimeUnixNano"]))
    for key in ("startTimeUnixNano", "endTimeUnixNano"):
        latest[key] = str(int(latest[key]) + 400_000_000_000)


def go_on_with_what_comes_again(run: Recording) -> None:
    """Another process has the message that came again, from before until after."""
    late = again(run)
    around = {**late, "spanId": flipped(late["spanId"])}
    set_attribute(around, "celery.delivery_info", "{'redelivered': False}")
    around["startTimeUnixNano"] = str(int(late["startTimeUnixNano"]) - 500_000_000)
    around["endTimeUnixNano"] = str(int(late["startTimeUnixNano"]) + 5_000_000_000)
    other = next(
        group
        for group in run.traces["resourceSpans"]
        if attribute(group["resource"], "service.name") == "worker"
        and not any(late in scope["spans"] for scope in group["scopeSpans"])
        and attribute(group["resource"], "service.instance.id") != instance_of(run, late)
    )
    other["scopeSpans"][0]["spans"].append(around)


def instance_of(run: Recording, span: Json) -> object:
    return next(
        attribute(group["resource"], "service.instance.id")
        for group in run.traces["resourceSpans"]
        if any(span in scope["spans"] for scope in group["scopeSpans"])
    )


def refuse_what_was_done(run: Recording) -> None:
    """The provider refuses the image that it had made for the worker that was killed."""
    inside = below(run, again(run)["spanId"])
    kept = {span["spanId"] for span in run.spans()}
    killed = {
        str(attribute(span, "item.id"))
        for span in run.spans("provider")
        if span.get("parentSpanId") not in kept
    }
    for span in run.spans():
        if (
            span["spanId"] in inside
            and span["name"] in ("POST", "POST /v1/images")
            and attribute(span, "item.id") in killed
        ):
            without(span, "http.status_code", "http.response.status_code")
            set_attribute(span, "http.response.status_code", "409")


def mend_the_bad_item_and_call_it_failed(run: Recording) -> None:
    recorded = {span["spanId"] for span in run.spans()}
    try_a_whole_batch_again(run)
    for span in run.spans():
        if span["spanId"] not in recorded:
            span.update(status={}, events=[])
            span["attributes"] = list(span["attributes"])
            without(span, "error.type", "http.response.status_code")
    for group in run.logs["resourceLogs"]:
        for scope in group["scopeLogs"]:
            for record in list(scope["logRecords"]):
                if attribute(record, "item.status") == "failed":
                    late = str(int(record["timeUnixNano"]) + 62_000_000_000)
                    told = {"timeUnixNano": late, "severityNumber": 9, "spanId": ""}
                    scope["logRecords"].append({**record, **told})


def ask_for_a_job_twice(run: Recording) -> None:
    """Somebody clicked again before the first job had ended."""
    trace = next(s["traceId"] for s in run.spans("web") if s["name"] == "POST /jobs")
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in [s for s in scope["spans"] if s["traceId"] == trace]:
                copy = {**span, "traceId": trace[::-1], "spanId": flipped(span["spanId"])}
                if span.get("parentSpanId"):
                    copy["parentSpanId"] = flipped(span["parentSpanId"])
                for key in ("startTimeUnixNano", "endTimeUnixNano"):
                    copy[key] = str(int(span[key]) + 200_000_000)
                scope["spans"].append(copy)


def let_five_items_in_a_row_fail(run: Recording) -> None:
    bad = next(s for s in run.spans("worker") if s["name"] == "process item" and s.get("status"))
    turns = sorted(
        (
            span
            for span in run.spans("worker")
            if span["name"] == "process item" and span["parentSpanId"] == bad["parentSpanId"]
        ),
        key=lambda span: int(span["startTimeUnixNano"]),
    )
    for span in turns[2:8]:
        span["status"] = {"code": 2, "message": "the disk is full"}


def processing(run: Recording, name: str) -> list[Json]:
    """Spans in which messages were processed, by the time at which they began."""
    taken = [span for span in run.spans("worker") if span["name"] == f"run/{name}"]
    return sorted(taken, key=lambda span: int(span["startTimeUnixNano"]))


def fail_again_and_again(run: Recording) -> None:
    """The last export fails, and is delivered ten times more."""
    taken = processing(run, "export_project")[-1]
    taken["status"] = {"code": 2}
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            if taken in scope["spans"]:
                scope["spans"] += list(repeated(taken))


def let_a_worker_die(run: Recording) -> None:
    record = list(run.log_records("worker"))[100]
    record.update(severityNumber=17, body={"stringValue": "process exited with 137 (OOMKilled)"})


def let_bulk_wait(run: Recording) -> None:
    """Generations are sent a minute before anybody takes them, exports go past them."""
    for span in run.spans():
        if span["name"].endswith("/generate_assets"):
            set_attribute(span, "messaging.destination", "bulk")
            if span["kind"] == 4:
                for key in ("startTimeUnixNano", "endTimeUnixNano"):
                    span[key] = str(int(span[key]) - 60_000_000_000)
        if span["name"].endswith("/export_project"):
            set_attribute(span, "messaging.destination", "urgent")


def name_no_queue(run: Recording) -> None:
    for span in run.spans():
        without(span, "messaging.destination")


def cut_a_call_short_and_repeat_it(run: Recording) -> None:
    """A call that the provider answered is cut off all the same, and made once more."""
    half = next(run.spans("provider"))
    call = next(span for span in run.spans("worker") if span["spanId"] == half["parentSpanId"])
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in [span for span in scope["spans"] if span in (half, call)]:
                copy = {**span, "spanId": flipped(span["spanId"])}
                if span is half:
                    copy["parentSpanId"] = flipped(call["spanId"])
                for key in ("startTimeUnixNano", "endTimeUnixNano"):
                    copy[key] = str(int(span[key]) + 1_000_000_000)
                scope["spans"].append(copy)
    call["status"] = {"code": 2, "message": "Connection aborted."}
    call["attributes"] = list(call["attributes"])
    without(call, "http.status_code", "http.response.status_code")


def say_ready_all_the_same(run: Recording) -> None:
    """A worker that can reach no provider says that it is ready."""
    given_up = sorted(provider_calls(run), key=lambda span: str(span["startTimeUnixNano"]))
    late = given_up[len(given_up) // 2]
    for group in run.traces["resourceSpans"]:
        for scope in group["scopeSpans"]:
            if late in scope["spans"]:
                ready = {**late, "traceId": late["traceId"][::-1], "events": [], "kind": 2}
                ready.update(name="GET /ready", status={}, attributes=[], parentSpanId="")
                set_attribute(ready, "http.route", "/ready")
                set_attribute(ready, "http.response.status_code", "200")
                last(ready, 0.01)
                scope["spans"].append(ready)
                return


def fail_a_job_in_the_fault(run: Recording) -> None:
    (fault,) = BLIP
    taken = next(
        span
        for span in processing(run, "generate_assets")
        if int(span["startTimeUnixNano"]) >= fault.start_ns
    )
    taken["status"] = {"code": 2, "message": "the disk is full"}


def let_all_go_well(run: Recording) -> None:
    """No span failed, no job did, and nobody warned of anything."""
    for span in run.spans():
        span.update(status={}, events=[])
        without(span, "error.type", "http.status_code", "http.response.status_code")
        without(span, "celery.state")
    for record in run.log_records():
        record["severityNumber"] = min(record["severityNumber"], 9)
        without(record, "exception.")
    for record in (*run.spans(), *run.log_records()):
        without(record, "job.status")
    for record in run.log_records():
        record["body"] = {"stringValue": "all is well"}


def happen_on_another_day(run: Recording) -> None:
    for span in run.spans():
        for key in ("startTimeUnixNano", "endTimeUnixNano"):
            span[key] = str(int(span[key]) + 86_400_000_000_000)
    for record in run.log_records():
        for key in ("timeUnixNano", "observedTimeUnixNano"):
            if key in record:
                record[key] = str(int(record[key]) + 86_400_000_000_000)


BLIP: Final = (
    Fault("blip-1", 1_795_495_516_000_000_000, 1_795_495_517_000_000_000, "error", "worker"),
)
RESTART: Final = (
    Fault("restart-1", 1_795_495_480_000_000_000, 1_795_495_550_000_000_000, "restart", "provider"),
)
FLOOD: Final = (
    Fault("flood-1", 1_795_495_480_000_000_000, 1_795_495_550_000_000_000, "flood", "web"),
)


def send_a_longer_body_each_time(run: Recording) -> None:
    for number, span in enumerate(provider_calls(run)):
        set_attribute(span, "http.request.body.size", str(1000 + 100 * number))


def give_up_at_the_first_failure(run: Recording) -> None:
    first: dict[str, str] = {}
    for span in sorted(provider_calls(run), key=lambda span: int(span["startTimeUnixNano"])):
        first.setdefault(span["parentSpanId"], span["spanId"])
    run.keep(
        lambda service, span: (
            span["kind"] != 3
            or first.get(span.get("parentSpanId", ""), span["spanId"]) == span["spanId"]
        )
    )


def read_pages_past_the_end(run: Recording) -> None:
    """The files of an export become pages, of which all but the first are empty."""
    loop = next(s["spanId"] for s in run.spans("worker") if s["name"] == "download assets")
    pages = [span for span in calls(run, "worker", "GET") if span["parentSpanId"] == loop]
    pages.sort(key=lambda span: int(span["startTimeUnixNano"]))
    for number, span in enumerate(pages):
        set_attribute(span, "url.full", f"http://127.0.0.1/list?page={number}")
        set_attribute(span, "http.response.status_code", "204" if number else "200")


def run_out_of_connections(run: Recording) -> None:
    """A process that gave up calls gets no connection of its pool any more, as its last word."""
    given_up = {span["spanId"] for span in provider_calls(run)}
    spans: dict[object, list[Json]] = {}
    for group in run.traces["resourceSpans"]:
        process = attribute(group["resource"], "service.instance.id")
        for scope in group["scopeSpans"]:
            spans.setdefault(process, []).extend(scope["spans"])
    of_process = next(own for own in spans.values() if given_up & {span["spanId"] for span in own})
    latest = max(
        (span for span in of_process if span["kind"] == 3),
        key=lambda span: int(span["startTimeUnixNano"]),
    )
    latest["status"] = {"code": 2}
    set_attribute(latest, "error.type", "PoolTimeout")


def make_every_export_slow(run: Recording) -> None:
    for span in run.spans("worker"):
        if span["name"] == "run/export_project":
            last(span, 90)


def send_nothing(run: Recording) -> None:
    run.keep(lambda *_: False)


DECLARED: Final = (DeclaredWorkflow("POST /jobs"), DeclaredWorkflow("POST /exports"))


@dataclass(frozen=True)
class Flip:
    """One check: the outcome before and after an edit of a sample."""

    check: str
    sample: str
    before: str
    edit: Edit
    after: str
    prepare: Edit = nothing
    settings: dict[str, Any] = field(default_factory=dict)
    # Instead of those that were injected into the sample.
    injected: tuple[Fault, ...] | None = None

    def __str__(self) -> str:
        return f"{self.check}-{self.edit.__name__}"


FLIPS: Final = (
    Flip("ING-01", "clean", "pass", leave_a_span_without_name, "fail"),
    Flip("ING-02", "clean", "not-observed uninstrumented", report_a_dropped_attribute, "fail"),
    Flip("ING-03", "clean", "pass", sample_a_trace, "fail"),
    Flip(
        "ING-03",
        "clean",
        "not-observed sampled",
        sample_a_trace,
        "fail",
        prepare=keep_all_at_the_head,
        settings={"sampling": ""},
    ),
    Flip(
        "ING-05",
        "clean",
        "not-observed no-exposure",
        move_the_provider_to_a_host_of_its_own,
        "pass",
    ),
    Flip(
        "ING-05",
        "clean",
        "pass",
        set_its_clock_back,
        "fail",
        prepare=move_the_provider_to_a_host_of_its_own,
    ),
    Flip(
        "INV-01",
        "clean",
        "pass",
        name_an_entry_that_nobody_declared,
        "fail",
        settings={"workflows": DECLARED},
    ),
    Flip(
        "INV-03",
        "clean",
        "not-observed needs-declaration",
        send_nothing,
        "not-observed no-exposure",
    ),
    Flip(
        "INV-04",
        "clean",
        "pass",
        make_every_export_slow,
        "fail",
        settings={"workflows": (DeclaredWorkflow("POST /exports", expected_seconds=20),)},
    ),
    Flip("INV-02", "clean", "not-observed units", give_the_notifier_a_name, "pass"),
    Flip(
        "INV-02",
        "clean",
        "pass",
        call_somebody_without_a_name,
        "fail",
        prepare=give_the_notifier_a_name,
    ),
    Flip(
        "TIM-01",
        "provider-hang",
        "not-observed units",
        wait_for_the_provider_whatever_it_takes,
        "fail",
    ),
    Flip("TIM-02", "provider-hang", "pass", give_up_late, "fail"),
    Flip("TIM-03", "provider-hang", "pass", call_a_timeout_something_else, "fail"),
    Flip("TIM-04", "provider-hang", "pass", hear_no_more_of_a_job_after_its_timeout, "fail"),
    Flip("TIM-05", "provider-hang", "not-observed no-exposure", run_out_of_connections, "fail"),
    Flip("TIM-06", "provider-hang", "not-observed units", let_a_job_go_on, "fail"),
    Flip(
        "TIM-07",
        "provider-hang",
        "not-observed no-exposure",
        call_a_limited_job_completed,
        "fail",
    ),
    Flip("PAR-01", "bad-item", "pass", end_the_batch_with_the_bad_item, "fail"),
    Flip("PAR-02", "bad-item", "pass", say_nothing_of_the_item, "fail"),
    Flip("PAR-03", "bad-item", "pass", call_the_job_completed, "fail"),
    Flip("PAR-04", "provider-hang", "not-observed no-exposure", let_the_provider_stay_away, "fail"),
    Flip(
        "LOOP-01",
        "bad-item",
        "not-observed no-exposure",
        go_on_past_the_last_item,
        "fail",
        settings={"policy": replace(config("bad-item").policy, loop_turns=20)},
    ),
    Flip("PAR-05", "bad-item", "not-observed no-exposure", refuse_the_bad_item, "fail"),
    Flip("PAR-06", "bad-item", "pass", take_an_item_back, "fail"),
    Flip("PAR-07", "provider-hang", "manual", say_that_the_work_paused, "pass"),
    Flip("LOOP-03", "bad-item", "not-observed no-exposure", let_five_items_in_a_row_fail, "fail"),
    Flip("LOOP-02", "clean", "not-observed no-exposure", read_pages_past_the_end, "fail"),
    Flip(
        "RET-01",
        "provider-hang",
        "pass",
        give_up_at_the_first_failure,
        "not-observed no-exposure",
    ),
    Flip(
        "RET-05", "provider-hang", "not-observed no-exposure", send_a_longer_body_each_time, "fail"
    ),
    Flip("RET-02", "provider-hang", "pass", try_again_and_again, "fail"),
    Flip("RET-03", "provider-hang", "pass", try_again_and_again, "fail"),
    Flip("ST-02", "clean", "pass", store_nothing_of_an_export, "fail"),
    Flip("ST-05", "bad-item", "pass", call_the_job_completed, "fail"),
    Flip("ST-06", "provider-hang", "not-observed unsettled", let_the_run_go_on, "pass"),
    Flip("ST-06", "provider-hang", "not-observed unsettled", charge_after_the_limit, "fail"),
    Flip("ST-07", "bad-item", "pass", forget_what_failed, "fail"),
    Flip("ST-03", "bad-item", "pass", call_the_job_completed, "fail"),
    Flip("ST-04", "clean", "pass", process_a_completed_job, "fail"),
    Flip("RET-04", "bad-item", "not-observed no-exposure", try_a_whole_batch_again, "fail"),
    Flip("RET-07", "clean", "not-observed no-exposure", ask_for_a_job_twice, "fail"),
    Flip("RET-08", "bad-item", "not-observed no-exposure", try_a_whole_batch_again, "fail"),
    Flip(
        "RET-09",
        "bad-item",
        "not-observed no-exposure",
        mend_the_bad_item_and_call_it_failed,
        "fail",
    ),
    Flip("RET-06", "provider-hang", "fail", pay_once, "pass"),
    Flip("RSM-00", "worker-kill", "pass", know_of_no_crash, "not-observed no-exposure"),
    Flip("RSM-01", "worker-kill", "pass", never_deliver_again, "not-observed unsettled"),
    Flip("RSM-02", "worker-kill", "pass", work_on_a_completed_item_again, "fail"),
    Flip("Q-02", "worker-kill", "pass", never_deliver_again, "not-observed unsettled"),
    Flip(
        "RSM-03",
        "clean",
        "not-observed no-exposure",
        cut_a_call_short_and_repeat_it,
        "fail",
        injected=RESTART,
    ),
    Flip("RSM-04", "provider-hang", "not-observed no-exposure", say_ready_all_the_same, "fail"),
    Flip(
        "RSM-05",
        "clean",
        "not-observed no-exposure",
        fail_a_job_in_the_fault,
        "pass",
        injected=BLIP,
    ),
    Flip("Q-01", "clean", "not-observed no-exposure", lose_a_message, "fail"),
    Flip("Q-03", "worker-kill", "pass", go_on_with_what_comes_again, "fail"),
    Flip("Q-04", "worker-kill", "fail", refuse_what_was_done, "pass"),
    Flip("Q-05", "clean", "not-observed no-exposure", fail_again_and_again, "fail"),
    Flip("Q-06", "clean", "manual", let_a_worker_die, "fail", injected=FLOOD),
    Flip("Q-07", "clean", "not-observed no-exposure", let_bulk_wait, "pass"),
    Flip(
        "Q-08",
        "clean",
        "not-observed uninstrumented",
        name_no_queue,
        "not-observed no-exposure",
        injected=FLOOD,
    ),
    Flip("Q-09", "clean", "pass", begin_traces_in_the_queue, "fail"),
    Flip("ST-01", "provider-hang", "not-observed units", leave_a_job_in_processing, "fail"),
    Flip("ST-08", "bad-item", "pass", call_the_job_completed, "fail"),
    Flip("ST-09", "worker-kill", "pass", keep_the_killed_job_open, "fail"),
    Flip("OBS-01", "clean", "pass", lose_the_context_in_the_queue, "fail"),
    Flip("OBS-02", "clean", "pass", write_logs_without_ids, "fail"),
    Flip("OBS-03", "clean", "pass", lose_parents, "fail"),
    Flip("OBS-03", "worker-kill", "pass", lose_one_parent, "fail"),
    Flip(
        "OBS-03",
        "clean",
        "fail",
        lose_a_parent_and_sample,
        "not-observed sampled",
        prepare=lose_one_parent,
    ),
    Flip("OBS-04", "clean", "pass", lose_half_of_the_answers, "fail"),
    Flip("OBS-05", "worker-kill", "pass", lose_a_step, "fail"),
    Flip("OBS-06", "clean", "pass", record_no_status_codes, "fail"),
    Flip("OBS-07", "clean", "pass", record_no_calls_to_the_provider, "fail"),
    Flip("OBS-08", "clean", "pass", hide_the_steps_of_an_item, "fail"),
    Flip("OBS-09", "bad-item", "pass", say_only_that_it_failed, "fail"),
    Flip("OBS-10", "bad-item", "pass", lose_the_half_that_refused, "fail"),
    Flip("OBS-10", "bad-item", "pass", lose_what_lies_above_the_error, "fail"),
    Flip(
        "OBS-10",
        "bad-item",
        "pass",
        fail_the_job_at_another_step,
        "fail",
        prepare=fail_the_job_at_a_step,
    ),
    Flip("OBS-11", "provider-hang", "pass", let_all_go_well, "not-observed unsettled"),
    Flip(
        "OBS-12",
        "provider-hang",
        "not-observed uninstrumented",
        happen_on_another_day,
        "not-observed no-exposure",
    ),
    Flip(
        "OBS-13",
        "provider-hang",
        "not-observed estimated",
        let_all_go_well,
        "not-observed no-exposure",
    ),
    Flip("OBS-14", "clean", "pass", forget_who_the_provider_is, "fail"),
    Flip("OBS-16", "clean", "fail", send_no_key_of_old, "pass"),
    Flip("OBS-17", "clean", "not-observed no-exposure", alert_without_a_runbook, "fail"),
    Flip("OBS-17", "clean", "not-observed no-exposure", alert_with_a_runbook, "pass"),
    Flip("OBS-15", "clean", "pass", set_no_severity, "fail"),
)


def outcome(check: Check, reader: Reader, settings: Config) -> str:
    result = judged(reader, check, GATES, settings, compared=True)
    return f"{result.outcome} {result.reason}".strip()


@cache
def as_recorded(sample: str, prepare: Edit, injected: tuple[Fault, ...] | None = None) -> Reader:
    return edited(sample, prepare, config(sample), injected)


def edited(
    sample: str, edit: Edit, settings: Config, injected: tuple[Fault, ...] | None = None
) -> Reader:
    run = recording(sample)
    edit(run)
    known = faults(sample) if injected is None else injected
    return rebuilt(run, settings, injected=known, baseline=clean_baseline())


@pytest.mark.parametrize("flip", FLIPS, ids=str)
def test_a_check_follows_its_fact(flip: Flip) -> None:
    settings = replace(config(flip.sample), **flip.settings)
    check = CHECKS[flip.check]
    assert (
        outcome(check, as_recorded(flip.sample, flip.prepare, flip.injected), settings)
        == flip.before
    )
    assert (
        outcome(check, edited(flip.sample, flip.edit, settings, flip.injected), settings)
        == flip.after
    )


def test_the_window_is_open_while_the_server_runs() -> None:
    settings = config("clean")
    reader = opened(recording("clean"))
    prepare(reader, settings)
    assert outcome(CHECKS["ING-04"], reader, settings) == "not-observed unsettled"
    assert outcome(CHECKS["ING-04"], as_recorded("clean", nothing), settings) == "pass"


def test_no_check_is_without_a_flip() -> None:
    assert {flip.check for flip in FLIPS} | {"ING-04"} == set(CHECKS)
