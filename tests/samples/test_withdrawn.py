"""What must hold however a recorded run is delivered, and whatever of it is withdrawn."""

import json
import random
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples.recorded import (
    NAMES,
    RECEIVED_NS,
    Json,
    Recording,
    clean_baseline,
    config,
    faults,
    recording,
    requests,
    stored,
)

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.report.json import audit_document
from tracejury.scorecard.audit import audit
from tracejury.scorecard.result import Audit
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

# What a span is, it stays: without these a broker's poll is a call that somebody asked for.
TELLING = ("db.", "messaging.")


def judged(name: str, reader: Reader, *, compared: bool = True) -> Audit:
    return audit(
        reader,
        config(name),
        injected=faults(name),
        baseline=clean_baseline() if compared else None,
    )


@cache
def whole(name: str, *, compared: bool = True) -> Audit:
    return judged(name, stored(recording(name)), compared=compared)


def delivered(name: str, *, seed: int, again: float) -> Reader:
    """The requests of a run in any order, a share of them twice."""
    order = random.Random(seed)
    sent = [
        (signal, text)
        for signal in (Signal.TRACES, Signal.LOGS)
        for text in requests(name, str(signal))
    ]
    sent += order.sample(sent, int(again * len(sent)))
    order.shuffle(sent)
    store = Store.in_memory()
    for start in range(0, len(sent), 40):
        bodies: dict[Signal, list[bytes]] = {}
        for signal, text in sent[start : start + 40]:
            bodies.setdefault(signal, []).append(text.encode())
        batches = [decode(signal, Encoding.JSON, of_signal) for signal, of_signal in bodies.items()]
        store.commit(batches, received_ns=RECEIVED_NS, source="recorded")
    store.close()
    return Reader.of(store)


def said(judgement: Audit) -> Any:
    """Everything but when it was said, how often records came, and their row numbers.

    A record that comes twice is redacted twice.
    """
    document: Any = json.loads(json.dumps(audit_document(judgement)))
    document.pop("judged_at")
    document["trust"].pop("duplicates")
    document["trust"].pop("redacted", None)
    return _without_rows(document)


def _without_rows(document: Any) -> Any:
    match document:
        case dict():
            return {key: _without_rows(value) for key, value in document.items() if key != "log"}
        case list():
            return [_without_rows(value) for value in document]
    return document


@pytest.mark.parametrize(
    "name",
    [
        name if name == "worker-kill" else pytest.param(name, marks=pytest.mark.long)
        for name in NAMES
    ],
)
def test_neither_order_nor_duplicates_change_a_verdict(name: str) -> None:
    judgement = judged(name, delivered(name, seed=7, again=0.3))
    assert judgement.trust.duplicates > 0
    assert said(judgement) == said(whole(name))


def withdraw(run: Recording, *, what: str, rate: float, seed: int) -> None:
    """Take records or attributes away, at random but for the seed."""
    lots = random.Random(seed)

    def stays(*_: object) -> bool:
        return lots.random() >= rate

    match what:
        case "spans":
            run.keep(stays)
        case "log records":
            for group in run.logs["resourceLogs"]:
                for scope in group["scopeLogs"]:
                    scope["logRecords"] = list(filter(stays, scope["logRecords"]))
        case "attributes":
            holders: list[Json] = [*run.spans(), *run.log_records()]
            for holder in holders:
                holder["attributes"] = [
                    entry
                    for entry in holder.get("attributes", ())
                    if entry["key"].startswith(TELLING) or stays()
                ]


@settings(max_examples=settings().max_examples // 20)
@given(
    name=st.sampled_from(NAMES),
    what=st.sampled_from(["spans", "log records", "attributes"]),
    rate=st.sampled_from([0.01, 0.1, 0.5, 0.9, 1.0]),
    seed=st.integers(0, 2**16),
)
def test_withdrawing_evidence_adds_no_pass(name: str, what: str, rate: float, seed: int) -> None:
    run = recording(name)
    withdraw(run, what=what, rate=rate, seed=seed)
    left = judged(name, stored(run))
    passed = {check.id for check in left.checks if check.outcome == "pass"}
    assert passed <= {check.id for check in whole(name).checks if check.outcome == "pass"}
    assert (left.score or 0) <= (whole(name).score or 0)


@settings(max_examples=settings().max_examples // 33)
@given(rate=st.sampled_from([0.02, 0.1, 0.3]), more=st.floats(0.01, 0.3), seed=st.integers(0, 999))
def test_fewer_spans_are_never_more_complete(rate: float, more: float, seed: int) -> None:
    """The baseline stays; every span that is gone at `rate` is gone at the greater one, too."""
    ratios = []
    for share in (rate, rate + more):
        run = recording("clean")
        withdraw(run, what="spans", rate=share, seed=seed)
        judgement = judged("clean", stored(run))
        assert judgement.completeness is not None
        ratios.append(judgement.completeness.total.ratio or 0.0)
    assert ratios[0] >= ratios[1]
