"""The section [serve]: what the receiver is told by file, and what it is not."""

from pathlib import Path

import pytest

from tracejury.config import Serve, byte_count, load_config
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
    ("text", "size"),
    [("1000", 1000), ("2KB", 2000), (" 3 KiB ", 3072), ("1GB", 10**9), ("1TiB", 2**40)],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert byte_count(text) == size


@pytest.mark.parametrize("text", ["", "MiB", "1.5MiB", "-1", "1 mib", "1 EiB", "9" * 16, "\u0661"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no size"):
        byte_count(text)
