"""Round trips by the exporters of the JavaScript SDK, whose bodies are chunked."""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.receiver.running import Running
from tests.receiver.stored import rows

HERE = Path(__file__).parent / "node"


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The pinned packages, installed once a machine."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm is not installed")
    manifest = (HERE / "package.json").read_bytes()
    name = f"tracejury-node-{os.getuid()}-{hashlib.sha256(manifest).hexdigest()[:16]}"
    cached = Path(tempfile.gettempdir()) / name
    if not cached.exists():
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
            made = Path(folder, "made")
            made.mkdir(mode=0o700)
            (made / "package.json").write_bytes(manifest)
            install = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            ran = subprocess.run(
                install, cwd=made, capture_output=True, text=True, timeout=300, check=False
            )
            assert ran.returncode == 0, ran.stderr
            with suppress(OSError):  # another worker of the same run was faster
                made.rename(cached)
    assert cached.stat().st_uid == os.getuid()
    return cached / "node_modules"


def type_name(value: object) -> str:
    names = {bool: "bool", int: "int", float: "double", str: "string", list: "array"}
    return names[type(value)]


def text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"))


def recorded_spans(
    node_modules: Path, exporter: str, url: str, compression: str
) -> list[dict[str, Any]]:
    """What the SDK recorded, having exported it."""
    ran = subprocess.run(
        ["node", str(HERE / "export.js"), exporter, url, compression],
        env=os.environ | {"NODE_PATH": str(node_modules)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    spans: list[dict[str, Any]] = json.loads(ran.stdout)
    return spans


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("encoding", ["http", "proto"])
def test_what_the_sdk_exports_is_what_is_stored(
    receiver: Running, node_modules: Path, encoding: str, compression: str
) -> None:
    exporter = f"@opentelemetry/exporter-trace-otlp-{encoding}"
    spans = recorded_spans(node_modules, exporter, receiver.url("/v1/traces"), compression)
    receiver.terminate()
    expected = [
        {key: value for key, value in span.items() if not isinstance(value, dict | list)}
        | {"service": "checkout", "scope_name": "shop", "instance_id": "one", "duplicates": 0}
        | {"start_ns": int(span["start_ns"]), "end_ns": int(span["end_ns"])}
        for span in spans
    ]
    columns = ", ".join(expected[0])
    assert rows(receiver.store, f"SELECT {columns} FROM span ORDER BY span_no") == expected
    assert_details_are_stored(receiver.store, spans)


def assert_details_are_stored(store: Path, spans: list[dict[str, Any]]) -> None:
    attributes = rows(store, "SELECT span_id, key, type, value FROM span_attribute")
    assert sorted(tuple(row.values()) for row in attributes) == sorted(
        (span["span_id"], key, type_name(value), text(value))
        for span in spans
        for key, value in span["attributes"].items()
    )
    events = rows(store, "SELECT span_id, name, time_ns FROM span_event")
    assert sorted(tuple(row.values()) for row in events) == sorted(
        (span["span_id"], name, int(time)) for span in spans for name, time in span["events"]
    )
    links = rows(store, "SELECT span_id, linked_span_id FROM span_link")
    assert sorted(tuple(row.values()) for row in links) == sorted(
        (span["span_id"], linked) for span in spans for linked in span["links"]
    )
