"""Judge an example the way an audit does: bytes → store → views → runner."""

import importlib
import json
import re
import tomllib
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import duckdb
import pyarrow as pa
from tests.checks.alerting import alerts
from tests.checks.counting import counts
from tests.checks.drawing import BASE_NS, Drawing, draw, nanoseconds
from tests.checks.measuring import metrics
from tests.checks.pages import Example

from tracejury.checks.catalogue import CATALOGUE, all_checks
from tracejury.checks.check import Check
from tracejury.checks.evidence import Evidence
from tracejury.config import Config, load_config
from tracejury.otlp.alert_webhook import alerts_of
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.scorecard.result import CheckResult
from tracejury.scorecard.runner import Runner
from tracejury.store.reader import Reader
from tracejury.store.writer import Store, create
from tracejury.workflow.baseline import Baseline
from tracejury.workflow.faults import Fault, read_faults
from tracejury.workflow.rebuild import prepare
from tracejury.workflow.state_rows import read_state_rows

_NOW_NS: Final = BASE_NS + 86_400_000_000_000

# One thread: a drawing has a handful of rows, and the suite runs on all cores already.
_DUCKDB: Final = duckdb.connect(":memory:", config={"threads": 1})
_NUMBERS: Final = count()


def judge(example: Example, folder: Path) -> CheckResult:
    """What the runner says of the example's check. `folder` takes the files that users write."""
    check = check_of(example.check)
    entry = next(entry for entry in CATALOGUE if entry.id == check.id)
    evidence = evidence_of(example.blocks, folder)
    with evidence.reader:
        return Runner(evidence, all_checks()).result(entry)


def check_of(page: str) -> Check:
    """The check of which `page` (area/file) is the example page."""
    check = importlib.import_module(f"tracejury.checks.{page.replace('/', '.')}").CHECK
    assert isinstance(check, Check)
    return check


def evidence_of(blocks: dict[str, str], folder: Path) -> Evidence:
    """The rebuilt run that `blocks` draw."""
    drawing = draw(blocks.get("trace", ""), blocks.get("logs", ""))
    config = _config(blocks.get("config", ""), folder)
    if drawing.is_unsampled:
        config = replace(config, sampling="none")
    clean = Baseline.empty()
    if "baseline" in blocks:
        run = blocks["baseline"]
        learnt_from = drawing if run.strip() == "itself" else draw(run, run="clean ")
        with _store(learnt_from) as reader:
            prepare(reader, config)
            clean = Baseline.learn(reader)
    measured = counts(blocks.get("counts", "")) + metrics(blocks.get("metrics", ""))
    reader = _store(drawing, measured, alerts(blocks.get("alerts", "")))
    injected = _faults(blocks["faults"], folder) if "faults" in blocks else ()
    with patch("time.time_ns", return_value=_NOW_NS):
        rows = _state_rows(blocks["rows"], folder) if "rows" in blocks else None
        prepare(reader, config, injected=injected, baseline=clean, state_rows=rows)
    return Evidence(reader, config, has_baseline=clean.exists)


def _store(drawing: Drawing, measured: Sequence[bytes] = (), told: Sequence[bytes] = ()) -> Reader:
    connection, forget = _database()
    store = Store(connection, None, "import")
    received_ns = _NOW_NS - round((drawing.seconds_ago or 0) * 1e9)
    requests = drawing.requests() + [(Signal.METRICS, body) for body in measured]
    for signal in (Signal.TRACES, Signal.LOGS, Signal.METRICS):
        if bodies := [body for of, body in requests if of is signal]:
            batch = decode(signal, Encoding.PROTOBUF, bodies)
            store.commit([batch], received_ns=received_ns, source="drawing")
    if told:
        store.commit([alerts_of(told)], received_ns=received_ns, source="drawing")
    if drawing.seconds_ago is None:
        store.close()
    reader = Reader(connection)
    weakref.finalize(reader, forget)
    return reader


def _database() -> tuple[duckdb.DuckDBPyConnection, Callable[[], object]]:
    """An empty store in memory, and what forgets it: one more at a DuckDB that has started."""
    connection = _DUCKDB.cursor()
    name = f"store_{next(_NUMBERS)}"
    connection.execute(f"ATTACH ':memory:' AS {name}")
    connection.execute(f"USE {name}")
    create(connection)
    return connection, partial(_DUCKDB.execute, f"DETACH {name}")


def _config(text: str, folder: Path) -> Config:
    path = folder / "tracejury.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, start=folder)


def _state_rows(text: str, folder: Path) -> pa.Table:
    """Rows of a database in which `updated_at` may be a time of the drawing, such as `12s`."""
    path = folder / "rows.csv"
    timed = re.sub(r"(?<=,)[\d.]+m?s(?=,|$)", lambda m: str(nanoseconds(m[0])), text, flags=re.M)
    path.write_text(timed, encoding="utf-8")
    return read_state_rows(path)


def _faults(text: str, folder: Path) -> tuple[Fault, ...]:
    """A fault file in which `start` and `end` may be times of the drawing, such as `"12s"`."""
    document: dict[str, Any] = tomllib.loads(text)
    for fault in document["faults"]:
        for key in ("start", "end"):
            if re.fullmatch(r"[\d.]+m?s", str(fault[key])):
                fault[key] = nanoseconds(fault[key])
    path = folder / "faults.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return read_faults(path)
