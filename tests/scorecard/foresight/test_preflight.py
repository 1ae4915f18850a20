"""What preflight says of a run, held against what a run with a fault decides."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from tests.checks.measuring import metrics
from tests.report.test_schemas import closed
from tests.samples import recorded
from tests.scorecard.foresight.looked import clean
from tests.workflow.drawn import MS, RECEIVED_NS, START_NS, Log, Record, Span, Value, deliver

from tracejury.checks.catalogue import CATALOGUE, all_checks
from tracejury.checks.evidence import Evidence
from tracejury.config import Config
from tracejury.otlp.decode import decode
from tracejury.otlp.signals import Encoding, Signal
from tracejury.report.preflight import render_preflight
from tracejury.scorecard.foresight.conditions import conditions
from tracejury.scorecard.foresight.needs import Need
from tracejury.scorecard.foresight.preflight import Outlook, Preflight, Standing, preflight
from tracejury.scorecard.foresight.prospects import PROSPECTS
from tracejury.scorecard.runner import run
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.faults import KINDS
from tracejury.workflow.rebuild import prepare

DOCS = Path(__file__).parents[3] / "docs"

# A fault that happens to strike one item alone tests what a bad item tests for certain.
BY_CHANCE = {"PAR-01", "PAR-03"}


ANSWERED = {"http.response.status_code": 200}
LISTED = "https://catalogue.example/articles?"


def sent(destination: str, task: str = "order") -> dict[str, Value]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.destination.name": destination,
        "celery.task_name": task,
    }


def of(outlook: Preflight, check: str) -> Outlook:
    [found] = [entry for entry in outlook.checks if entry.result.id == check]
    return found


def test_every_check_of_the_catalogue_has_a_prospect_of_kinds_that_exist() -> None:
    assert PROSPECTS.keys() == {entry.id for entry in CATALOGUE}
    kinds = {stress.kind for prospect in PROSPECTS.values() for stress in prospect.faults}
    assert kinds <= set(KINDS)


def test_every_check_has_one_line() -> None:
    assert [entry.result.id for entry in clean().checks] == [entry.id for entry in CATALOGUE]
    lines = [entry.line for entry in clean().checks]
    assert all(line.endswith(".") and "\n" not in line for line in lines), lines


def test_what_a_hang_decides_was_foreseen() -> None:
    config, faults = recorded.config("provider-hang"), recorded.faults("provider-hang")
    reader = recorded.rebuilt(
        recorded.recording("provider-hang"),
        config,
        injected=faults,
        baseline=recorded.clean_baseline(),
    )
    areas = ("ING", "TIM", "PAR", "RET", "ST")
    checks = tuple(check for check in all_checks() if check.id.startswith(areas))
    results = run(Evidence(reader, config, has_baseline=True), checks=checks)
    for result in results:
        before = of(clean(), result.id)
        hangs = [hit for stress, hit in before.faults if stress.kind == "hang"]
        is_foreseen = before.standing == "decided" or (
            before.standing == "fault"
            and any(target.name == "provider" for hit in hangs for target in hit)
        )
        if result.outcome in ("pass", "fail") and result.id not in BY_CHANCE:
            assert is_foreseen, (result.id, result.outcome, before.line)
    # And most of what it was said to decide, it does decide.
    said = {
        entry.result.id
        for entry in clean().checks
        if entry.result.id.startswith(areas)
        and any(stress.kind == "hang" for stress, _ in entry.faults)
    }
    decided = {result.id for result in results if result.outcome in ("pass", "fail", "manual")}
    assert len(said & decided) >= 10, sorted(said - decided)


def test_a_check_that_only_lacks_a_fault_names_kind_and_targets() -> None:
    entry = of(clean(), "TIM-01")
    assert entry.could_decide
    assert entry.line == (
        "Once `hang`, `delay` or `partition` hits each of 127.0.0.1:18703, asset-store, provider"
        " and 2 more."
    )
    [names, *_] = [[target.name for target in hit] for _, hit in entry.faults]
    # A database by its system, where its address would say less.
    assert names == ["127.0.0.1:18703", "asset-store", "provider", "postgresql", "redis"]
    assert of(clean(), "Q-01").line.startswith("Once `restart` hits redis,")
    assert of(clean(), "RSM-01").line == "Once `kill` hits worker."


# A run that names everything, but by keys of its own.
def own_keys(job: int) -> list[Record]:
    at, span = 10_000 * job, 100 * job
    named = {"order_ref": f"o-{job}"}
    return [
        Span(span + 1, "POST /orders", at, at + 900, trace=job, kind="SERVER", attributes=named),
        *(
            Span(
                span + 10 + n,
                "pack",
                at + 100 * n,
                at + 100 * n + 80,
                trace=job,
                parent=span + 1,
                service="packer",
                attributes={**named, "article": f"a-{n}", "weight": 3},
            )
            for n in range(1, 5)
        ),
        Log("began", at + 1, trace=job, span=span + 1, attributes={"order.phase": "processing"}),
        Log("ended", at + 899, trace=job, span=span + 1, attributes={"order.phase": "completed"}),
    ]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Preflight]:
    """Five such jobs, sent 4.5 s after the last, of a system that says to have no queue."""
    path, config = (
        tmp_path_factory.mktemp("bare") / "run.duckdb",
        Config(absent_components=("queue",)),
    )
    sent_ns = START_NS + (5 * 10_000 + 900 + 4_500) * MS
    with Store.open(path, kind="serve") as store:
        jobs = [record for job in range(1, 6) for record in own_keys(job)]
        deliver(store, jobs, received_ns=sent_ns)
    with Reader.open(path) as reader:
        prepare(reader, config)
        yield preflight(Evidence(reader, config, has_baseline=False))


def test_keys_that_may_be_meant_are_found_with_their_coverage(bare: Preflight) -> None:
    found = {condition.need: condition for condition, _ in bare.conditions}
    assert [vars_of(entry) for entry in found[Need.JOB_ID].candidates] == [("order_ref", 5, 5)]
    assert [vars_of(entry) for entry in found[Need.ITEM_ID].candidates] == [("article", 20, 20)]
    assert [vars_of(entry) for entry in found[Need.JOB_STATE].candidates] == [("order.phase", 5, 5)]
    assert '`[correlation] keys = ["order_ref"]`' in found[Need.JOB_ID].change
    assert found[Need.JOB_ID].seen == "No key names any of 5 workflow instances."
    assert 'say `items = "article"` of its workflow' in found[Need.ITEM_ID].change


def vars_of(candidate: Any) -> tuple[str, int, int]:
    return candidate.key, candidate.covered, candidate.of


def test_without_a_word_on_sampling_nothing_passes_and_all_say_so(bare: Preflight) -> None:
    waiting = {entry.result.id for entry in bare.checks if Need.SAMPLING in entry.needs}
    assert {"OBS-03", "OBS-06", "TIM-01", "ST-01"} <= waiting
    condition, count = bare.unmet[0]
    assert condition.need is Need.SAMPLING
    assert count == len(waiting)
    assert not of(bare, "OBS-03").could_decide
    # Its own lack first, and what else stands in the way.
    assert of(bare, "PAR-01").needs == (Need.ITEM_ID, Need.SAMPLING)
    assert of(bare, "PAR-01").line.endswith("Also lacking: sampling.")


def test_a_declared_absence_needs_nothing(bare: Preflight) -> None:
    entry = of(bare, "Q-01")
    assert (entry.standing, entry.line) == ("absent", "Declared: there is no queue.")


def test_an_exporter_that_waits_is_named_with_its_delay(bare: Preflight) -> None:
    [condition] = [c for c, _ in bare.conditions if c.need is Need.EXPORT_DELAY]
    assert condition.met is False
    assert "OTEL_BSP_SCHEDULE_DELAY=200" in condition.change
    assert "up to 45.1 s" in condition.seen  # the first job's spans were kept longest


# One of each, and beside it what the check takes for none: no status, no page, an urgent type, the
# SDK's own queue.
SEEN: list[Record] = [
    Span(
        1,
        "GET /ready",
        service="shop",
        kind="SERVER",
        attributes=ANSWERED | {"http.route": "/ready"},
    ),
    Span(2, "GET /ready", trace=2, service="cart", kind="SERVER"),
    Span(3, "POST /jobs", 0, 900, trace=3, service="shop", kind="SERVER"),
    Span(4, "GET", 10, 20, 3, 3, "shop", "CLIENT", attributes={"url.full": LISTED + "page=2"}),
    Span(5, "GET", 30, 40, 3, 3, "shop", "CLIENT", attributes={"url.full": LISTED + "wide=2"}),
    Span(6, "send", 50, 60, 3, 3, "shop", "PRODUCER", attributes=sent("urgent")),
    Span(7, "run", 70, 80, 3, 6, "worker", "CONSUMER", attributes=sent("urgent")),
    Span(8, "send", 50, 60, 3, 3, "shop", "PRODUCER", attributes=sent("jobs", "urgent.order")),
    Span(9, "run", 70, 80, 3, 8, "worker", "CONSUMER", attributes=sent("jobs", "urgent.order")),
]
MEASURED = """
    worker 1 rabbitmq_queue_messages 3
    worker 1 otel.sdk.processor.span.queue.size 3
"""


@pytest.mark.parametrize("says_state", [True, False])
def test_where_there_is_no_queue_a_job_is_told_by_its_state(says_state: bool) -> None:
    state: dict[str, Value] = {"job.status": "completed"} if says_state else {}
    nightly = [
        Span(1, "nightly", 0, 500, trace=trace, service="batch", attributes=state)
        for trace in range(1, 6)
    ]
    config = replace(Config(), absent_components=("queue",))
    store = Store.in_memory()
    deliver(store, nightly)
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, config)
        outlook = preflight(Evidence(reader, config, has_baseline=False))
    found = {condition.need: condition for condition, _ in outlook.conditions}
    assert found[Need.QUEUE].met is says_state
    assert "senders" not in found[Need.QUEUE].change
    for need in (Need.QUEUE_DEPTH, Need.PRIORITY):
        assert (found[need].met, found[need].change) == (None, "")
    # Whoever begins a job does it, and can be killed.
    kills = [
        target.name
        for stress, targets in of(outlook, "ST-01").faults
        if stress.kind == "kill"
        for target in targets
    ]
    assert kills == (["batch"] if says_state else [])


def test_what_a_check_would_judge_is_seen_as_the_check_sees_it() -> None:
    store = Store.in_memory()
    deliver(store, SEEN)
    measured = decode(Signal.METRICS, Encoding.PROTOBUF, metrics(MEASURED))
    store.commit([measured], received_ns=RECEIVED_NS, source="drawn")
    store.close()
    with Reader.of(store) as reader:
        prepare(reader, Config())
        evidence = Evidence(reader, Config(), has_baseline=False)
        gates = tuple(check for check in all_checks() if check.id in ("ING-02", "ING-03"))
        found = conditions(evidence, {gate.id: gate for gate in run(evidence, checks=gates)})
    needs = (Need.HEALTH_ROUTE, Need.PAGES, Need.PRIORITY, Need.QUEUE_DEPTH)
    assert [found[need].seen for need in needs] == [
        "A health route of shop is traced.",
        "1 call asked for a page.",
        "1 message calls itself urgent.",
        "Stored: `rabbitmq_queue_messages`.",
    ]


def test_json_has_every_check_and_condition(bare: Preflight) -> None:
    document = json.loads(render_preflight(bare, "json", inputs=("run.duckdb",)))
    assert document["schema"] == "tracejury.preflight/1"
    assert {entry["id"] for entry in document["conditions"]} == {need.value for need in Need}
    assert len(document["checks"]) == len(CATALOGUE)


def test_every_key_of_its_json_is_described(bare: Preflight) -> None:
    schema = json.loads((DOCS / "preflight.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    for outlook in (bare, clean()):
        document = json.loads(render_preflight(outlook, "json", inputs=("run.duckdb",)))
        Draft202012Validator(closed(schema)).validate(document)
    assert schema["$defs"]["need"]["enum"] == list(Need)
    assert schema["$defs"]["check"]["properties"]["standing"]["enum"] == list(get_args(Standing))


def test_hostile_names_cannot_steer_the_terminal(bare: Preflight) -> None:
    entry = of(bare, "INV-01")
    hostile = replace(bare, checks=(replace(entry, needs=(), line="\x1b[2J[bold]x[/bold].\n"),))
    text = render_preflight(hostile, "text", inputs=())
    assert "\x1b" not in text
    assert "\\x1b[2J[bold]x[/bold]" in text
