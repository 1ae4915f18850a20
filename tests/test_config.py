"""The sections [serve] and [retention]: what the receiver is told by file, and what it is not."""

from pathlib import Path

import pytest

from tracejury.config import Retention, Serve, byte_count, duration_seconds, load_config
from tracejury.errors import UsageError


def configured(folder: Path, lines: str) -> Serve:
    (folder / "tracejury.toml").write_text(f"[serve]\n{lines}\n")
    return load_config(None, start=folder).serve


def test_everything_about_serving_may_be_configured(tmp_path: Path) -> None:
    lines = """
    host = "::1"
    grpc_port = 14317
    http_port = 0
    max_request_size = "16 MiB"
    tls_cert = "tls/cert.pem"
    tls_key = "tls/key.pem"
    tls_client_ca = "/etc/ca.pem"
    token_file = "token"
    cors_origin = ["https://shop.test"]
    """
    assert configured(tmp_path, lines) == Serve(
        host="::1",
        grpc_port=14317,
        http_port=0,
        max_request_size=16 * 2**20,
        tls_cert=tmp_path / "tls/cert.pem",
        tls_key=tmp_path / "tls/key.pem",
        tls_client_ca=Path("/etc/ca.pem"),
        token_file=tmp_path / "token",
        cors_origin=("https://shop.test",),
    )


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    assert configured(tmp_path, "") == Serve()


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("host = 1", "serve.host must be text"),
        ("grpc_port = 70000", "serve.grpc_port must be a port, not 70000"),
        ("http_port = true", "serve.http_port must be a port"),
        ('http_port = "4318"', "serve.http_port must be a port"),
        ('max_request_size = "much"', "serve.max_request_size must be a size, not 'much'"),
        ("max_request_size = 0", "serve.max_request_size must be a size"),
        ("max_request_size = -1", "serve.max_request_size must be a size"),
        ("tls_cert = []", "serve.tls_cert must be text"),
        ('cors_origin = "*"', "serve.cors_origin must be a list of texts"),
        ('token = "secret"', 'has no key "token"'),
    ],
)
def test_what_cannot_be_served_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        configured(tmp_path, line)
    assert complaint in refused.value.message


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("timed_share = 0", "policy.timed_share must be a share above 0 and up to 1, not 0"),
        ("call_details_share = 95", "policy.call_details_share must be a share above 0"),
        ("attempts = 0", "policy.attempts must be at least 1, not 0"),
    ],
)
def test_bounds_that_anything_would_meet_are_refused(
    tmp_path: Path, line: str, complaint: str
) -> None:
    path = tmp_path / "tracejury.toml"
    path.write_text(f"[policy]\n{line}\n", encoding="utf-8")
    with pytest.raises(UsageError) as refused:
        load_config(path, start=tmp_path)
    assert complaint in refused.value.message


@pytest.mark.parametrize(
    ("text", "size"),
    [("1000", 1000), ("2KB", 2000), (" 3 KiB ", 3072), ("1GB", 10**9), ("1TiB", 2**40)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", "1 mib", "1 EiB", "9" * 16, "\u0661"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        byte_count(text)


def retained(folder: Path, lines: str) -> Retention:
    (folder / "tracejury.toml").write_text(f"{lines}\n")
    return load_config(None, start=folder).retention


def test_retention_knows_its_bounds_and_the_keys_of_instances(tmp_path: Path) -> None:
    lines = '[correlation]\nkeys = ["order"]\n[retention]\nmax_size = "2GB"\nmax_age = "1.5h"'
    assert retained(tmp_path, lines) == Retention(2 * 10**9, 5400.0, ("order",))
    assert not retained(tmp_path, "").is_bounded


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('max_size = "much"', "retention.max_size must be a size, not 'much'"),
        ('max_size = "15MiB"', "retention.max_size must be at least 16 MiB"),
        ('max_age = "7 days"', "retention.max_age must be a duration, not '7 days'"),
        ('max_age = "0d"', "retention.max_age must be a duration"),
        ("max_age = 7", "retention.max_age must be a duration, not 7"),
        ('max_ages = "7d"', 'has no key "max_ages". Did you mean "max_age"?'),
    ],
)
def test_what_is_no_bound_is_refused(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(UsageError) as refused:
        retained(tmp_path, f"[retention]\n{line}")
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("36h", 129_600), (" 7 d ", 604_800), ("2w", 1_209_600)],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "1e3s", "7D", "1d12h", "nan s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration_seconds(text)
