"""The receiver that `live` starts serves as it was configured."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from tests.receiver.requests import post

from tracejury.config import Retention, Serve, load_config
from tracejury.errors import ReceiverError
from tracejury.receiver.child import receiving


def test_the_child_serves_as_configured(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret")
    (tmp_path / "tracejury.toml").write_text('[serve]\ntoken_file = "token"\nhost = "::1"\n')
    config = load_config(None, start=tmp_path)
    serve = replace(config.serve, host="127.0.0.1", grpc_port=0, http_port=0)
    with receiving(tmp_path / "run.duckdb", replace(config, serve=serve)) as receiver:
        assert "http://127.0.0.1:" in receiver.announced
        assert "OTEL_EXPORTER_OTLP_HEADERS" in receiver.announced


def test_a_child_that_dies_is_missed(tmp_path: Path) -> None:
    config = replace(load_config(None, start=tmp_path), serve=Serve(grpc_port=0, http_port=0))
    with receiving(tmp_path / "run.duckdb", config) as receiver:
        assert receiver.trouble() == ""
        receiver.child.kill()
        receiver.child.wait()
        assert "was ended by signal 9" in receiver.trouble()
        assert "run.duckdb.log" in receiver.trouble()


def test_the_child_keeps_within_the_bounds_of_the_command_line(tmp_path: Path) -> None:
    config = load_config(None, start=tmp_path)
    serve = replace(config.serve, grpc_port=0, http_port=0)
    retention = Retention(max_size=50 * 2**20, max_age_seconds=0.75)
    config = replace(config, serve=serve, retention=retention)
    with receiving(tmp_path / "run.duckdb", config) as receiver:
        found = re.findall(r"http://127\.0\.0\.1:(\d+)", receiver.announced)
        assert found
        metrics = post(int(found[-1]), "/metrics", b"", None, method="GET").body.decode()
    assert "tracejury_retention_max_bytes 52428800\n" in metrics
    assert "tracejury_retention_max_age_seconds 0.75\n" in metrics


def test_a_child_that_cannot_serve_says_why(tmp_path: Path) -> None:
    config = replace(load_config(None, start=tmp_path), serve=Serve(tls_cert=tmp_path / "none"))
    with (
        pytest.raises(ReceiverError, match="TLS needs both"),
        receiving(tmp_path / "run.duckdb", config),
    ):
        pass
