"""TLS, client certificates, tokens and origins: who gets in, seen with real exporters."""

import re
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from tests.receiver.exported import one_span
from tests.receiver.requests import JSON, PROTOBUF, TRACES, export, post, traces
from tests.receiver.running import Running, Settings, running
from tests.receiver.stored import span_names
from tests.test_cli import called

from tracejury.errors import ReceiverError
from tracejury.receiver.access import Access, read_access

FREE_PORTS = ("--grpc-port", "0", "--http-port", "0")
TOKEN = "s3cret-Token.of_~36+chars/and=="


class Certificates:
    """A CA, the certificate of the receiver and one of a client, as files."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.authority = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.authority)
        self.cert, self.key = self._issue(authority, folder, "127.0.0.1")
        self.client_cert, self.client_key = self._issue(authority, folder, "client.test")

    def _issue(self, authority: trustme.CA, folder: Path, name: str) -> tuple[Path, Path]:
        issued = authority.issue_cert(name)
        cert, key = folder / f"{name}.pem", folder / f"{name}.key"
        issued.cert_chain_pems[0].write_to_path(cert)
        issued.private_key_pem.write_to_path(key)
        return cert, key

    @property
    def of_receiver(self) -> Settings:
        return {"tls_cert": self.cert, "tls_key": self.key}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def token_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(f"{TOKEN}\n")
    return file


@pytest.fixture(autouse=True)
def no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where these are set, an HTTP exporter prefers them to the CA that it is told."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)


@pytest.fixture
def encrypted(tmp_path: Path, certificates: Certificates) -> Iterator[Running]:
    with running(tmp_path / "run.duckdb", settings=certificates.of_receiver) as receiver:
        yield receiver


@pytest.fixture
def mutual(tmp_path: Path, certificates: Certificates) -> Iterator[Running]:
    serve = {**certificates.of_receiver, "tls_client_ca": certificates.authority}
    with running(tmp_path / "run.duckdb", settings=serve) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, token_file: Path) -> Iterator[Running]:
    with running(
        tmp_path_factory.mktemp("guarded") / "run.duckdb", settings={"token_file": token_file}
    ) as it:
        yield it


GIVES_UP_S = 2  # who is not let in tries again until then
LETS_IN_S = 60


def send(exporter: SpanExporter, name: str) -> bool:
    sent = exporter.export(one_span(name)) is SpanExportResult.SUCCESS
    exporter.shutdown()
    return sent


def http_exporter(
    receiver: Running, scheme: str = "https", *, timeout: float = LETS_IN_S, **options: Any
) -> HttpSpanExporter:
    url = receiver.url("/v1/traces").replace("http", scheme, 1)
    return HttpSpanExporter(url, timeout=timeout, **options)


def grpc_exporter(
    receiver: Running,
    authority: Path,
    pair: tuple[Path, Path] | None = None,
    *,
    timeout: float = LETS_IN_S,
) -> GrpcSpanExporter:
    chain, key = (pair[0].read_bytes(), pair[1].read_bytes()) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(authority.read_bytes(), key, chain)
    return GrpcSpanExporter(receiver.grpc_target, credentials=credentials, timeout=timeout)


def test_exporters_send_encrypted(encrypted: Running, certificates: Certificates) -> None:
    authority = certificates.authority
    assert send(http_exporter(encrypted, certificate_file=str(authority)), "over http")
    assert send(grpc_exporter(encrypted, authority), "over grpc")
    encrypted.terminate()
    assert span_names(encrypted.store) == ["over grpc", "over http"]


def test_plain_text_finds_nothing_on_encrypted_ports(encrypted: Running) -> None:
    with pytest.raises(ConnectionError):
        post(encrypted.http_port, "/v1/traces", traces("plain"))
    with grpc.insecure_channel(encrypted.grpc_target) as channel:
        attempt = export(channel, TRACES).future(traces("plain"), timeout=60)
        assert attempt.code() is grpc.StatusCode.UNAVAILABLE
    encrypted.terminate()
    assert span_names(encrypted.store) == []


def test_old_tls_is_not_spoken(encrypted: Running, certificates: Certificates) -> None:
    context = ssl.create_default_context(cafile=certificates.authority)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    connection = HTTPSConnection("127.0.0.1", encrypted.http_port, context=context, timeout=60)
    with pytest.raises(ssl.SSLError):
        connection.request("GET", "/healthz")


def test_clients_show_their_certificates(mutual: Running, certificates: Certificates) -> None:
    authority = certificates.authority
    pair = (certificates.client_cert, certificates.client_key)
    http = http_exporter(
        mutual,
        certificate_file=str(authority),
        client_certificate_file=str(pair[0]),
        client_key_file=str(pair[1]),
    )
    assert send(http, "over http")
    assert send(grpc_exporter(mutual, authority, pair), "over grpc")
    mutual.terminate()
    assert span_names(mutual.store) == ["over grpc", "over http"]


def test_strangers_are_not_let_in(
    mutual: Running, certificates: Certificates, tmp_path: Path
) -> None:
    authority = certificates.authority
    other = Certificates(tmp_path)
    stranger = (other.client_cert, other.client_key)
    for pair in (None, stranger):
        files = dict(
            zip(("client_certificate_file", "client_key_file"), map(str, pair or ()), strict=False)
        )
        ca = str(authority)
        http = http_exporter(mutual, timeout=GIVES_UP_S, certificate_file=ca, **files)
        assert not send(http, "over http")
        stranger_over_grpc = grpc_exporter(mutual, authority, pair, timeout=GIVES_UP_S)
        assert not send(stranger_over_grpc, "over grpc")
    mutual.terminate()
    assert span_names(mutual.store) == []


@pytest.mark.parametrize(
    ("serve", "sentence"),
    [
        ({"--tls-cert": "cert"}, "TLS needs both a certificate and its key."),
        ({"--tls-client-ca": "authority"}, "TLS needs both a certificate and its key."),
        ({"--tls-cert": "cert", "--tls-key": "client_key"}, "key values mismatch"),
        ({"--tls-cert": "cert", "--tls-key": "missing"}, "no such file or directory"),
        ({"--tls-cert": "cert", "--tls-key": "cert"}, "cannot be used for TLS"),
        ({"--tls-cert": "cert", "--tls-key": "key", "--tls-client-ca": "key"}, "The clients' CA"),
    ],
)
def test_files_that_do_not_fit_start_nothing(
    tmp_path: Path, certificates: Certificates, serve: dict[str, str], sentence: str
) -> None:
    store = tmp_path / "run.duckdb"
    files = [
        word
        for option, name in serve.items()
        for word in (option, getattr(certificates, name, Path("missing")))
    ]
    ran = called(tmp_path, "serve", "--store", store, *FREE_PORTS, *files)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert sentence in ran.stderr
    assert not store.exists()


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", f"Basic {TOKEN}", TOKEN, ""])
def test_who_lacks_the_token_is_told_so(guarded: Running, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for content_type, path in ((PROTOBUF, "/v1/traces"), (JSON, "/v1/logs"), (JSON, "/nowhere")):
        reply = post(guarded.http_port, path, b"{}", content_type, headers=headers)
        assert (reply.status, reply.headers["WWW-Authenticate"]) == (401, "Bearer")
        told = reply.json() if content_type == JSON else reply.rpc_status()
        code, message = (
            (told["code"], told["message"]) if isinstance(told, dict) else (told.code, told.message)
        )
        assert code == 16
        assert "Authorization: Bearer" in message
    metadata = tuple((name.lower(), value) for name, value in headers.items())
    with grpc.insecure_channel(guarded.grpc_target) as channel:
        attempt = export(channel).future(traces("a"), timeout=60, metadata=metadata)
        assert attempt.code() is grpc.StatusCode.UNAUTHENTICATED


def test_who_has_the_token_gets_in(guarded: Running) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert send(http_exporter(guarded, "http", headers=headers), "over http")
    grpc_exporter = GrpcSpanExporter(guarded.grpc_target, insecure=True, headers=headers)
    assert send(grpc_exporter, "over grpc")


def test_health_needs_no_token(guarded: Running) -> None:
    assert post(guarded.http_port, "/healthz", b"", None, method="GET").status == 200


def test_the_token_may_stand_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEJURY_TOKEN", TOKEN)
    assert read_access(None).admits(f"bearer {TOKEN}")
    assert not read_access(None).admits(f"bearer {TOKEN[:-1]}")
    monkeypatch.delenv("TRACEJURY_TOKEN")
    assert read_access(None).admits(None)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff\xfe", "é".encode()])
def test_a_file_without_a_token_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ReceiverError, match=re.escape(str(file))) as refused:
        read_access(file)
    assert "two words" not in str(refused.value)


def test_a_missing_token_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReceiverError, match="cannot be read"):
        read_access(tmp_path / "token")


def test_odd_headers_are_no_token() -> None:
    access = Access(TOKEN)
    for header in ("Bearer \udcff", "Bearer é", "Bearer", " ", f"Bearer {TOKEN} {TOKEN}"):
        assert not access.admits(header)


def preflight(port: int, origin: str) -> dict[str, str]:
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,authorization",
    }
    reply = post(port, "/v1/traces", b"", None, method="OPTIONS", headers=headers)
    return {"status": str(reply.status), **reply.headers}


def test_web_pages_may_not_send_unless_asked_for(receiver: Running) -> None:
    told = preflight(receiver.http_port, "https://shop.test")
    assert told["status"] == "405"
    reply = post(
        receiver.http_port, "/v1/traces", b"{}", JSON, headers={"Origin": "https://shop.test"}
    )
    assert not [name for name in {**told, **reply.headers} if name.startswith("Access-Control")]


@pytest.mark.parametrize(
    ("allowed", "origin", "is_allowed"),
    [
        ("https://shop.test,https://b.test", "https://shop.test", True),
        ("https://shop.test", "https://shop.test.evil", False),
        ("*", "https://anything.test", True),
    ],
)
def test_named_origins_may_send(
    tmp_path: Path, token_file: Path, allowed: str, origin: str, is_allowed: bool
) -> None:
    serve: Settings = {"cors_origin": allowed, "token_file": token_file}
    with running(tmp_path / "run.duckdb", settings=serve) as receiver:
        told = preflight(receiver.http_port, origin)
        assert (told["status"] == "204") is is_allowed
        if is_allowed:
            assert told["Access-Control-Allow-Origin"] == origin
            assert told["Access-Control-Allow-Headers"] == "content-type,authorization"
            assert told["Access-Control-Allow-Methods"] == "POST"
        headers = {"Origin": origin, "Authorization": f"Bearer {TOKEN}"}
        reply = post(receiver.http_port, "/v1/traces", b"{}", JSON, headers=headers)
        assert reply.status == 200
        assert reply.headers["Vary"] == "Origin"
        assert reply.headers.get("Access-Control-Allow-Origin") == (origin if is_allowed else None)


def exposure(tmp_path: Path, settings: Settings) -> list[str]:
    """The warnings of a receiver that listens on all addresses."""
    with running(tmp_path / "run.duckdb", settings={"host": "0.0.0.0", **settings}) as receiver:
        return [line for line in receiver.terminate().splitlines() if line]


def test_listening_beyond_this_machine_is_warned_of(
    tmp_path: Path, certificates: Certificates, token_file: Path
) -> None:
    open_to_all, readable = exposure(tmp_path, {})
    assert "whoever reaches it can send telemetry" in open_to_all
    assert "can be read on the way" in readable
    assert exposure(tmp_path, certificates.of_receiver) == [open_to_all]
    assert exposure(tmp_path, {"token_file": token_file}) == [readable]
    assert exposure(tmp_path, {"token_file": token_file, **certificates.of_receiver}) == []
