"""What the recorded runs hold: several processes, real instrumentation, and the fault itself."""

import re
from functools import cache

import pytest
from tests.samples.recorded import (
    FAULTY,
    NAMES,
    SAMPLES,
    config,
    faults,
    files,
    rebuilt,
    recording,
    requests,
)

from tracejury.store.reader import Reader

FRAMEWORKS = ("flask", "celery", "redis", "psycopg")

# /srv/media-pipeline stands for where the pipeline ran, /usr/lib for any Debian's Python.
MACHINE_PATH = re.compile(r"/(?:home|root|Users|work|tmp|mnt|opt|workspace)/[\w.-]+")


@cache
def run(name: str) -> Reader:
    return rebuilt(recording(name), config(name), injected=faults(name))


def window(name: str) -> dict[str, object]:
    (fault,) = faults(name)
    return {"start": fault.start_ns, "end": fault.end_ns}


@pytest.mark.parametrize("name", NAMES)
def test_at_least_three_processes_sent_spans(name: str) -> None:
    rows = run(name).rows("SELECT DISTINCT service, instance_id FROM span")
    processes = {row["instance_id"] for row in rows}
    assert None not in processes
    assert len(processes) >= 3
    assert len({row["service"] for row in rows}) >= 3


@pytest.mark.parametrize("name", NAMES)
def test_the_frameworks_instrumented_themselves(name: str) -> None:
    scopes = {row["scope_name"] for row in run(name).rows("SELECT DISTINCT scope_name FROM span")}
    assert {f"opentelemetry.instrumentation.{framework}" for framework in FRAMEWORKS} <= scopes


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_how_much_it_holds(name: str) -> None:
    counted = run(name).rows(
        "SELECT (SELECT count(*) FROM span) AS spans, (SELECT count(*) FROM log_record) AS logs"
    )[0]
    text = " ".join((SAMPLES / name / "README.md").read_text().split())
    assert f"{counted['spans']} spans and {counted['logs']} log records" in text


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_names_no_machine(name: str) -> None:
    assert sum(path.stat().st_size for path in files(name)) < 300_000
    text = "\n".join((*requests(name, "traces"), *requests(name, "logs")))
    assert MACHINE_PATH.findall(text) == []
    # Celery names its processes after their host.
    assert set(re.findall(r"\bgen\d+@([\w.-]+)", text)) == {"media-host"}
    attributes = run(name).rows("FROM resource_attribute")
    hosts = {row["value"] for row in attributes if row["key"].startswith("host.")}
    assert hosts <= {"media-host"}


def test_nothing_fails_in_the_clean_run() -> None:
    outcomes = run("clean").rows(
        "SELECT DISTINCT outcome FROM workflow_instance WHERE NOT background"
    )
    assert [row["outcome"] for row in outcomes] == ["ok"]


def test_the_provider_answers_late_and_its_callers_give_up_in_the_window_alone() -> None:
    hang = run("provider-hang")
    served = {
        row["inside"]: row
        for row in hang.rows(
            """
            SELECT start_ns BETWEEN $start AND $end AS inside, count(*) AS spans,
                median(duration_ns) / 1e9 AS seconds
            FROM span
            WHERE service = 'provider' AND kind = 'SERVER'
            GROUP BY inside
            """,
            window("provider-hang"),
        )
    }
    assert served[True]["spans"] >= 10
    assert served[True]["seconds"] > 2 > 10 * served[False]["seconds"] / 2
    calls = hang.rows(
        """
        SELECT start_ns BETWEEN $start AND $end AS inside, count(*) AS calls
        FROM external_call
        WHERE target = 'provider' AND failed
        GROUP BY inside
        """,
        window("provider-hang"),
    )
    assert [row["inside"] for row in calls] == [True]
    assert calls[0]["calls"] >= 10


def test_one_item_fails_and_no_other() -> None:
    (fault,) = faults("bad-item")
    failed = run("bad-item").rows(
        """
        SELECT DISTINCT span.name, item.value AS item, job.value AS job,
            span.start_ns BETWEEN $start AND $end AS inside
        FROM span
        JOIN span_attribute AS item ON item.span_no = span.span_no AND item.key = 'item.id'
        JOIN span_attribute AS job ON job.span_no = span.span_no AND job.key = 'job.id'
        WHERE span.status = 'ERROR'
        """,
        window("bad-item"),
    )
    # The provider refuses the item, so the call failed too.
    assert {row["name"] for row in failed} == {"process item", "generate asset", "POST"}
    assert {row["inside"] for row in failed} == {True}
    (item,) = {row["item"] for row in failed}
    assert re.search(rf"\b0*{fault.item_injected}\b", item)
    (job,) = {row["job"] for row in failed}
    items = run("bad-item").value(
        """
        SELECT count(*)
        FROM span
        JOIN span_attribute AS job USING (span_no)
        WHERE span.name = 'process item' AND job.key = 'job.id' AND job.value = $job
        """,
        {"job": job},
    )
    assert items == fault.items_expected


def test_a_process_falls_silent_at_the_kill_and_another_begins() -> None:
    lives = run("worker-kill").rows(
        """
        SELECT instance_id,
            (min(start_ns)::BIGINT - $start::BIGINT) / 1e9 AS first,
            (max(end_ns)::BIGINT - $start::BIGINT) / 1e9 AS last
        FROM span
        WHERE service = 'worker'
        GROUP BY instance_id
        ORDER BY first
        """,
        {"start": window("worker-kill")["start"]},
    )
    end = max(life["last"] for life in lives)
    silent = [life for life in lives if life["first"] < 0 and -5 < life["last"] <= 0.5]
    begun = [life for life in lives if 0 < life["first"] < 30]
    assert len(silent) == len(begun) == 1
    assert end > 30
    again = run("worker-kill").value(
        """
        SELECT count(*)
        FROM span
        JOIN span_attribute AS delivery USING (span_no)
        WHERE delivery.key = 'celery.delivery_info'
            AND delivery.value LIKE '%''redelivered'': True%'
            AND span.start_ns > $start
        """,
        {"start": window("worker-kill")["start"]},
    )
    assert again >= 1


@pytest.mark.parametrize("name", FAULTY)
def test_what_happens_outside_of_the_window_is_as_in_the_clean_run(name: str) -> None:
    (fault,) = faults(name)
    failed = run(name).value(
        """
        SELECT count(*)
        FROM workflow_instance
        WHERE NOT background AND outcome = 'failed' AND (end_ns < $start OR start_ns > $end)
        """,
        {"start": fault.start_ns, "end": fault.end_ns},
    )
    assert failed == 0
