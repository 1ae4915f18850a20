"""Alertmanager's webhooks are stored beside the telemetry, each alert once."""

import gzip
import json
from pathlib import Path
from typing import Any

from tests.receiver.requests import JSON, PROTOBUF, Reply, post, traces
from tests.receiver.running import Running, running
from tests.receiver.stored import delivered, rows, span_names
from tests.receiver.test_meter import samples

from tracejury.cli import main
from tracejury.config import Redaction
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.receiver.inputs import open_inputs
from tracejury.store.redaction import Redactor

# As Alertmanager 0.27 sends it.
FIRING: dict[str, Any] = {
    "status": "firing",
    "labels": {"alertname": "JobsStuck", "severity": "page", "service": "worker"},
    "annotations": {"summary": "3 jobs are stuck", "runbook_url": "https://wiki.example/stuck"},
    "startsAt": "2026-03-02T12:00:30.123456789Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example:9090/graph?g0.expr=jobs_stuck+%3E+0&g0.tab=1",
    "fingerprint": "b6f1d2c3a4958677",
}
RESOLVED = FIRING | {"status": "resolved", "endsAt": "2026-03-02T13:05:00+01:00"}


def webhook(*alerts: dict[str, Any], **other: Any) -> bytes:
    document = {
        "version": "4",
        "groupKey": '{}:{alertname="JobsStuck"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "tracejury",
        "groupLabels": {"alertname": "JobsStuck"},
        "commonLabels": {"alertname": "JobsStuck", "severity": "page"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": list(alerts),
    }
    return json.dumps(document | other).encode()


def send(receiver: Running, body: bytes, content_type: str | None = JSON, **how: Any) -> Reply:
    return post(receiver.http_port, "/api/alerts", body, content_type, **how)


def test_an_alert_is_stored_with_all_it_says(receiver: Running) -> None:
    reply = send(receiver, webhook(FIRING, RESOLVED))
    assert (reply.status, reply.json()) == (200, {})
    receiver.terminate()
    firing, resolved = rows(receiver.store, "SELECT * FROM alert ORDER BY alert_no")
    assert json.loads(firing.pop("labels")) == FIRING["labels"]
    assert json.loads(firing.pop("annotations")) == FIRING["annotations"]
    assert firing.pop("received_ns") > 0
    assert firing == {
        "alert_no": 0,
        "name": "JobsStuck",
        "status": "firing",
        "starts_ns": 1_772_452_830_123_456_789,
        "ends_ns": None,
        "fingerprint": "b6f1d2c3a4958677",
        "generator_url": FIRING["generatorURL"],
        "receiver": "tracejury",
        "group_key": '{}:{alertname="JobsStuck"}',
    }
    assert (resolved["status"], resolved["ends_ns"]) == ("resolved", 1_772_453_100_000_000_000)
    [row] = rows(receiver.store, "SELECT DISTINCT notification FROM stored.alert")
    assert json.loads(row["notification"]) == {
        "version": "4",
        "status": "firing",
        "groupLabels": {"alertname": "JobsStuck"},
        "commonLabels": {"alertname": "JobsStuck", "severity": "page"},
        "externalURL": "http://alertmanager.example:9093",
    }


def test_an_alert_that_is_repeated_is_stored_once_also_after_a_kill(tmp_path: Path) -> None:
    store = tmp_path / "run.duckdb"
    with running(store) as receiver:
        assert send(receiver, webhook(FIRING, FIRING)).status == 200
        assert send(receiver, webhook(FIRING | {"annotations": {"summary": "4"}})).status == 200
        receiver.kill()
    again = FIRING | {"startsAt": "2026-03-02T14:00:00Z"}
    with running(store) as receiver:
        assert send(receiver, webhook(FIRING, RESOLVED, again)).status == 200
        told = samples(receiver)
        assert told['records_total{kind="alerts",outcome="stored"}'] == 2
        assert told['records_total{kind="alerts",outcome="duplicate"}'] == 1
        assert told['requests_total{transport="http",signal="alerts",code="200"}'] == 1
        receiver.terminate()
    stored = rows(store, "SELECT status, starts_ns // 1000000000 AS s FROM alert ORDER BY alert_no")
    assert stored == [
        {"status": "firing", "s": 1_772_452_830},
        {"status": "resolved", "s": 1_772_452_830},
        {"status": "firing", "s": 1_772_460_000},
    ]
    assert (delivered(store, "received"), delivered(store, "duplicates")) == (6, 3)
    assert rows(store, "SELECT * FROM stored.loss") == []


SECRET = "hunter2hunter2"


def test_secrets_of_alerts_never_reach_the_disk(receiver: Running) -> None:
    alert = FIRING | {
        "labels": {"alertname": "JobsStuck", "db_password": SECRET},
        "annotations": {"summary": f"the command was mysql --password={SECRET}"},
        "generatorURL": f"http://prometheus.example/graph?token={SECRET}",
    }
    body = webhook(
        alert,
        groupKey=f'{{}}:{{alertname="JobsStuck", db_password="{SECRET}"}}',
        commonLabels={"db_password": SECRET},
        externalURL=f"http://ada:{SECRET}@alertmanager.example",
    )
    assert send(receiver, body).status == 200
    for file in receiver.store.parent.iterdir():
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file.name
    receiver.terminate()
    assert SECRET.encode() not in receiver.store.read_bytes()
    [row] = rows(
        receiver.store,
        """
        SELECT labels, annotations, generator_url, group_key, redacted
        FROM alert, stored.redaction
        """,
    )
    assert json.loads(row["labels"]) == {"alertname": "JobsStuck", "db_password": "[REDACTED]"}
    assert row["annotations"].endswith('--password=[REDACTED]"}')
    assert row["generator_url"] == "http://prometheus.example/graph?token=[REDACTED]"
    assert row["group_key"] == '{}:{alertname="JobsStuck", db_password=[REDACTED]}'
    assert row["redacted"] == 6


def test_a_label_that_only_its_owner_calls_a_secret_is_taken_out_of_the_group_too() -> None:
    labels = {"alertname": "Slow", "customer": 'Ada "the first"'}
    group = '{}:{alertname="Slow", customer="Ada \\"the first\\""}'
    batch = alerts_of([webhook(FIRING | {"labels": labels}, groupKey=group, commonLabels=labels)])
    cleaned, redacted = Redactor(Redaction(keys=("customer",))).redact(batch)
    [alert] = cleaned.alerts.to_pylist()
    assert alert["group_key"] == '{}:{alertname="Slow", customer="[REDACTED]"}'
    assert "Ada" not in str(alert)
    assert redacted == 2


BAD = {
    "": "The body is no JSON",
    "[]": "The body must be a JSON object",
    "[" * 100_000: "The body is no JSON",
    '{"alerts": []}': "version",
    '{"version": "3", "alerts": []}': "version",
    '{"version": "4"}': "alerts must be a list",
    '{"version": "4", "alerts": [7]}': "alerts[0] must be an object",
    '{"version": "4", "alerts": [], "receiver": 7}': "receiver",
    '{"version": "4", "alerts": [], "commonLabels": {"a": 7}}': "commonLabels",
    '{"version": "4", "alerts": [], "truncatedAlerts": "7"}': "truncatedAlerts",
    webhook(FIRING, FIRING | {"status": "on"}).decode(): "alerts[1].status",
    webhook(FIRING | {"labels": ["a"]}).decode(): "alerts[0].labels",
    webhook({k: v for k, v in FIRING.items() if k != "labels"}).decode(): "alerts[0].labels",
    webhook(FIRING | {"annotations": {"a": None}}).decode(): "alerts[0].annotations",
    webhook(FIRING | {"annotations": {"a": "\ud800"}}).decode(): "alerts[0].annotations",
    webhook(FIRING | {"startsAt": "yesterday"}).decode(): "alerts[0].startsAt",
    webhook(FIRING | {"startsAt": "2026-02-30T00:00:00Z"}).decode(): "alerts[0].startsAt",
    webhook(FIRING | {"startsAt": "0001-01-01T00:00:00+23:59"}).decode(): "alerts[0].startsAt",
    webhook(FIRING | {"endsAt": "1969-12-31T23:59:59Z"}).decode(): "alerts[0].endsAt",
    webhook(FIRING | {"endsAt": 7}).decode(): "alerts[0].endsAt",
    webhook(FIRING | {"generatorURL": {}}).decode(): "alerts[0].generatorURL",
    webhook(FIRING | {"fingerprint": ""}).decode(): "alerts[0].fingerprint",
}


def test_a_bad_webhook_is_told_its_field_and_costs_no_other_request(receiver: Running) -> None:
    for body, field in BAD.items():
        reply = send(receiver, body.encode())
        assert (reply.status, reply.json()["code"]) == (400, 3), body[:200]
        assert field in reply.json()["message"]
    assert send(receiver, b'{"version": "\xff"}').json()["message"] == "The body is no UTF-8."
    assert send(receiver, webhook()).status == 200
    assert post(receiver.http_port, "/v1/traces", traces("a")).status == 200
    receiver.terminate()
    assert span_names(receiver.store) == ["a"]
    assert rows(receiver.store, "SELECT * FROM alert") == []


def test_the_rules_of_the_other_endpoints_hold(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    settings: dict[str, str | Path] = {
        "token_file": tmp_path / "token",
        "max_request_size": "10000",
        "cors_origin": "https://ui.example",
    }
    known = {"Authorization": "Bearer secret"}
    with running(tmp_path / "run.duckdb", settings=settings) as receiver:
        body = webhook(FIRING)
        assert send(receiver, body).status == 401
        assert send(receiver, gzip.compress(body), encoding="gzip", headers=known).status == 200
        for refused, status in (
            (send(receiver, body, PROTOBUF, headers=known), 415),
            (send(receiver, body, None, headers=known), 415),
            (send(receiver, body, method="GET", headers=known), 405),
            (send(receiver, body, encoding="br", headers=known), 400),
            (send(receiver, webhook(*[FIRING] * 100), headers=known), 413),
        ):
            assert (refused.status, bool(refused.json()["message"])) == (status, True)
        origin = {"Origin": "https://ui.example", "Access-Control-Request-Method": "POST"}
        asked = send(receiver, b"", None, method="OPTIONS", headers=origin)
        assert asked.headers["Access-Control-Allow-Origin"] == "https://ui.example"
        receiver.terminate()
    assert len(rows(tmp_path / "run.duckdb", "SELECT * FROM alert")) == 1


def test_a_flood_of_alerts_in_one_webhook_is_stored(receiver: Running) -> None:
    count = 20_000
    alerts = [FIRING | {"fingerprint": f"{number:016x}"} for number in range(count)]
    assert send(receiver, webhook(*alerts)).status == 200
    receiver.terminate()
    [row] = rows(receiver.store, "SELECT count(*) AS n, count(DISTINCT alert_no) AS nos FROM alert")
    assert row == {"n": count, "nos": count}


def test_alerts_are_exported_and_imported_again(tmp_path: Path) -> None:
    store, again = tmp_path / "run.duckdb", tmp_path / "again.duckdb"
    started = FIRING | {"fingerprint": "2", "startsAt": "0001-01-01T00:00:00Z", "annotations": {}}
    with running(store) as receiver:
        assert send(receiver, webhook(FIRING, started, truncatedAlerts=3)).status == 200
        assert post(receiver.http_port, "/v1/traces", traces("a")).status == 200
        assert send(receiver, webhook(RESOLVED, receiver="other")).status == 200
        receiver.terminate()
    assert main(["export", "--store", str(store), "--output", str(tmp_path / "out")]) == 0
    files = [str(file) for file in sorted((tmp_path / "out").iterdir()) if file.stat().st_size]
    assert main(["import", *files, "--store", str(again)]) == 0
    everything = "SELECT * EXCLUDE (received_ns, alert_no, notification_no) FROM stored.alert"
    assert rows(again, everything) == rows(store, everything)
    grouped = "SELECT count(DISTINCT notification_no) AS n FROM stored.alert"
    assert rows(again, grouped) == [{"n": 2}]
    # Several inputs are copied into one store.
    with open_inputs([store, again], lambda *_: None, lambda _: lambda *_: None) as reader:
        assert reader.value("SELECT count(*) FROM stored.alert") == 3
