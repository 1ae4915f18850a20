"""Secrets never reach the disk: not by their key, not by their look, wherever they stand."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.store.stores import written
from tests.workflow import drawn
from tests.workflow.drawn import Event, Log, Record, Span

from tracejury.config import Keeping, Redaction
from tracejury.errors import UsageError
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.store.reader import Reader
from tracejury.store.redaction import Redactor
from tracejury.store.writer import Store
from tracejury.telemetry.secrets import HINT, MARK, RULES, is_secret_key

# Put together here, so that nobody who searches this repository for leaks finds one.
PLANTED = "hunter" + "2Swordfish"
TOKENS = {
    "jwt": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0In0.c2lnbmF0dXJlc2ln",
    "aws": "AKIA" + "IOSFODNN7EXAMPLE",
    "github": "ghp" + "_16C7e42F292c6912E7710c838347Ae178B4a",
    "gitlab": "glpat" + "-abcdefghij0123456789",
    "slack": "xoxb" + "-123456789012-abcdefABCDEF",
    "stripe": "sk" + "_live_4eC39HqLyjWDarjtT1zdp7dc",
    "google": "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    "openai": "sk" + "-proj-abcdefghijklmnopqrstuvwxyz0123",
    "pypi": "pypi" + "-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMC0wMDAw",
    "npm": "npm" + "_abcdefghijklmnopqrstuvwxyz0123456789",
    "hugging face": "hf" + "_abcdefghijklmnopqrstuvwxyzABCDEFGH",
    "sendgrid": "SG" + ".abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz",
}

# Text as it is sent, and what must be left of it.
TEXTS = {
    f"https://api.example/v1?q=shoes&token={PLANTED}&page=2": (
        f"https://api.example/v1?q=shoes&token={MARK}&page=2"
    ),
    f"https://maps.example/geocode?key={PLANTED}": f"https://maps.example/geocode?key={MARK}",
    f"/blob?sv=2024&sig={PLANTED}%3D": f"/blob?sv=2024&sig={MARK}",
    f"/o?X-Amz-Credential={PLANTED}&X-Amz-Signature=ab{PLANTED}": (
        f"/o?X-Amz-Credential={MARK}&X-Amz-Signature={MARK}"
    ),
    f"postgresql://app:{PLANTED}@db:5432/shop": f"postgresql://app:{MARK}@db:5432/shop",
    f"redis://:{PLANTED}@cache/0": f"redis://:{MARK}@cache/0",
    f"https://u:p%40{PLANTED}@host/a@b": f"https://u:{MARK}@host/a@b",
    f"app:{PLANTED}@tcp(db:3306)/shop": f"app:{MARK}@tcp(db:3306)/shop",
    f"Server=db;User Id=app;Password={PLANTED};Timeout=5": (
        f"Server=db;User Id=app;Password={MARK};Timeout=5"
    ),
    f"AccountName=shop;AccountKey={PLANTED}==;EndpointSuffix=x": (
        f"AccountName=shop;AccountKey={MARK};EndpointSuffix=x"
    ),
    f"python worker.py --password {PLANTED} --queue jobs": (
        f"python worker.py --password {MARK} --queue jobs"
    ),
    f"worker --api-key={PLANTED} -v": f"worker --api-key={MARK} -v",
    f"curl -u admin:{PLANTED} http://x": f"curl -u admin:{MARK} http://x",
    f'["curl","--user","admin:{PLANTED}","http://x"]': f'["curl","--user","admin:{MARK}","http://x"]',
    f'["worker","--token","{PLANTED}","-v"]': f'["worker","--token","{MARK}","-v"]',
    f'["worker", "--token={PLANTED}"]': f'["worker", "--token={MARK}"]',
    f"PGPASSWORD={PLANTED} psql": f"PGPASSWORD={MARK} psql",
    f'{{"user":"a","password":"{PLANTED}\\"x","n":1}}': f'{{"user":"a","password":"{MARK}","n":1}}',
    f"{{'api_key': '{PLANTED}', 'n': 1}}": f"{{'api_key': \"{MARK}\", 'n': 1}}",
    '{"password":123456,"n":1}': f'{{"password":"{MARK}","n":1}}',
    f'{{\\"secret\\":\\"{PLANTED}\\",\\"n\\":1}}': f'{{\\"secret\\":"{MARK}",\\"n\\":1}}',
    f'{{"$kvlist":[["token","{PLANTED}"],["n",1]]}}': f'{{"$kvlist":[["token","{MARK}"],["n",1]]}}',
    f"GET / HTTP/1.1\nAuthorization: Basic {PLANTED}\nHost: x": (
        f"GET / HTTP/1.1\nAuthorization: {MARK}\nHost: x"
    ),
    f"Set-Cookie: sid={PLANTED}; Path=/": f"Set-Cookie: {MARK}",
    f"login failed, password: {PLANTED}, retrying": f"login failed, password: {MARK}, retrying",
    f"sent bearer {PLANTED} to provider": f"sent bearer {MARK} to provider",
    f"ALTER USER app IDENTIFIED BY '{PLANTED}'": f"ALTER USER app IDENTIFIED BY '{MARK}'",
    f"SET password = '{PLANTED}'": f"SET password = {MARK}",
    f"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n{PLANTED}\n-----END RSA PRIVATE KEY-----\nrest": (
        f"-----BEGIN RSA PRIVATE KEY-----{MARK}-----END RSA PRIVATE KEY-----\nrest"
    ),
    f"-----BEGIN PRIVATE KEY-----\n{PLANTED}\ncut off": f"-----BEGIN PRIVATE KEY-----{MARK}",
    **{f"it was {token}, see": f"it was {MARK}, see" for token in TOKENS.values()},
}

INNOCENT = [
    "GET /users/{id}?page=2&sort=name",
    "http://shop.example:8080/orders?email=a@b.example",
    "SELECT token_count, password_hash FROM users WHERE id = $1",
    "the token has expired",
    "Basic authentication is required",
    "bearer of bad news",
    "disk-usage-of-task-queue-worker-number-one",
    "retry 3 of 5: connection refused",
    "key=value",
    "mailto:someone@example.com",
    '{"tokens": 5, "total_tokens": 12}',
    "input_tokens=1204",
]


def cleaned(text: str, rules: Redaction | None = None) -> str:
    [(signal, body)] = drawn.requests([Log(text)])
    batch, _ = Redactor(rules or Redaction()).redact(decode(signal, Encoding.PROTOBUF, [body]))
    return str(batch.logs["body"][0].as_py())


@pytest.mark.parametrize(("sent", "kept"), TEXTS.items())
def test_a_secret_is_known_by_its_look(sent: str, kept: str) -> None:
    assert cleaned(sent) == kept
    assert cleaned(kept) == kept


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "db.password",
        "userPassword",
        "DB_PASSWD",
        "http.request.header.authorization",
        "http.request.header.x-api-key",
        "http.response.header.set_cookie",
        "accessKey",
        "aws.secret_access_key",
        "oauth.token",
        "clientSecret",
        "app.credentials",
    ],
)
def test_a_key_says_that_its_value_is_secret(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize(
    "key",
    [
        "gen_ai.usage.input_tokens",
        "gen_ai.token.type",
        "aws.secretsmanager.secret.arn",
        "http.route",
        "db.query.text",
        "messaging.kafka.message.key",
        "session.id",
        "passenger",
        "keyspace",
        "",
    ],
)
def test_a_key_about_other_things_does_not(key: str) -> None:
    assert not is_secret_key(key)


def records() -> list[Record]:
    """A span and a log record with the same secret everywhere that telemetry has room for text."""
    url = f"https://u:{PLANTED}@x/?token={PLANTED}"
    return [
        Span(
            1,
            name=f"GET /login?token={PLANTED}",
            status="ERROR",
            message=f"refused: password={PLANTED}",
            attributes={
                "url.full": url,
                "url.query": f"api_key={PLANTED}",
                "db.query.text": f"ALTER USER a PASSWORD '{PLANTED}'",
                "enduser.password": PLANTED,
                "http.request.header.cookie": [PLANTED, "b"],
                "ok": "kept",
            },
            resource={
                "process.command_args": ["worker", "--token", PLANTED],
                "process.command_line": f"worker --token {PLANTED}",
                "deployment.secret": PLANTED,
            },
            events=[
                Event(
                    f"sent password={PLANTED}",
                    {
                        "exception.message": f"401 for Bearer {PLANTED}",
                        "exception.stacktrace": f"at login(password='{PLANTED}')\n  at main()",
                        "token": PLANTED,
                    },
                )
            ],
        ),
        Log(f"connecting to {url}", attributes={"authToken": PLANTED}),
    ]


def with_a_link(body: bytes) -> bytes:
    request = ExportTraceServiceRequest.FromString(body)
    link = request.resource_spans[0].scope_spans[0].spans[0].links.add()
    link.trace_id, link.span_id = bytes([1] * 16), bytes([2] * 8)
    attribute = link.attributes.add()
    attribute.key, attribute.value.string_value = "x.secret", PLANTED
    scope = request.resource_spans[0].scope_spans[0].scope.attributes.add()
    scope.key, scope.value.string_value = "apiKey", PLANTED
    return request.SerializeToString()


def requests() -> list[tuple[Signal, bytes]]:
    return [
        (signal, with_a_link(body) if signal is Signal.TRACES else body)
        for signal, body in drawn.requests(records())
    ]


def test_no_byte_of_a_secret_is_on_disk(tmp_path: Path) -> None:
    def bytes_on_disk() -> bytes:
        return b"".join(file.read_bytes() for file in sorted(tmp_path.iterdir()))

    with Store.open(tmp_path / "run.duckdb") as store:
        for signal, body in requests():
            assert PLANTED.encode() in body
            batch = decode(signal, Encoding.PROTOBUF, [body])
            store.commit([batch], received_ns=1, source="test")
        assert (tmp_path / "run.duckdb.wal").stat().st_size
        assert PLANTED.encode() not in bytes_on_disk()
        assert b"kept" in bytes_on_disk()
        store.checkpoint()
        assert PLANTED.encode() not in bytes_on_disk()
    assert PLANTED.encode() not in bytes_on_disk()
    with Reader.open(tmp_path / "run.duckdb") as reader:
        counted = reader.value("SELECT sum(redacted)::BIGINT FROM stored.redaction")
        marked = reader.value(f"""
            SELECT count(*) FROM (
                SELECT value FROM stored.span_attribute
                UNION ALL SELECT value FROM stored.event_attribute
                UNION ALL SELECT value FROM stored.link_attribute
                UNION ALL SELECT value FROM stored.log_attribute
                UNION ALL SELECT value FROM stored.resource_attribute
                UNION ALL SELECT value FROM stored.scope_attribute
                UNION ALL SELECT name FROM stored.span
                UNION ALL SELECT status_message FROM stored.span
                UNION ALL SELECT name FROM stored.span_event
                UNION ALL SELECT body FROM stored.log_record
            ) WHERE contains(value, '{MARK}')
        """)
    assert counted == marked == 18


def test_what_is_sent_again_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "run.duckdb"
    for _ in range(2):
        with Store.open(path) as store:
            for signal, body in requests():
                batch = decode(signal, Encoding.PROTOBUF, [body])
                store.commit([batch], received_ns=1, source="test")
    with Reader.open(path) as reader:
        assert reader.value("SELECT count(*) FROM stored.span") == 1
        assert reader.value("SELECT count(*) FROM stored.log_record") == 1


def test_a_number_behind_a_secret_key_becomes_text(tmp_path: Path) -> None:
    sent = Span(1, attributes={"password": 1234, "token": True, "n": 5})
    with Reader.open(written(tmp_path / "run.duckdb", [sent])) as reader:
        found = reader.rows("SELECT key, type, value FROM stored.span_attribute ORDER BY key")
    assert [tuple(row.values()) for row in found] == [
        ("n", "int", "5"),
        ("password", "string", MARK),
        ("token", "bool", "true"),
    ]


def test_the_rules_are_the_users(tmp_path: Path) -> None:
    rules = Redaction(
        keys=("card.*",), patterns=(r"^\d{4}-\d{4}$", "iban [A-Z]+"), allow=("Next.Token",)
    )
    attributes = {"card.holder": "Ann", "next.token": "page2", "code": "1234-5678", "password": "x"}
    with Store.open(tmp_path / "run.duckdb", keeping=Keeping(redaction=rules)) as store:
        drawn.deliver(store, [Span(1, attributes=attributes), Log("to iban DEAD now")])
    with Reader.open(tmp_path / "run.duckdb") as reader:
        found = reader.rows("SELECT key, value FROM stored.span_attribute ORDER BY key")
        body = reader.value("SELECT body FROM stored.log_record")
    assert {row["key"]: row["value"] for row in found} == {
        "card.holder": MARK,
        "next.token": "page2",
        "code": MARK,
        "password": MARK,
    }
    assert body == f"to {MARK} now"


def test_the_defaults_can_be_left_out() -> None:
    assert cleaned(f"password={PLANTED}", Redaction(defaults=False)) == f"password={PLANTED}"


@pytest.mark.parametrize(
    ("pattern", "complaint"), [("(", "no regular expression"), ("x*", "even an empty text")]
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        Redactor(Redaction(patterns=(pattern,)))


def test_the_hint_finds_whatever_a_rule_changes() -> None:
    """Also in the middle of other text: it is searched in all values put end to end."""
    for text in TEXTS:
        for before in ("", "x", "_", "9", " "):
            found = pc.match_substring_regex(pa.array([before + text]), HINT)
            assert found[0].as_py(), text


@given(st.text(alphabet="pasword=:&?-u@/ \"'{}[],.eyJA1\n", max_size=60))
def test_no_rule_changes_what_the_hint_does_not_find(text: str) -> None:
    values = pa.array([text])
    if pc.match_substring_regex(values, HINT)[0].as_py():
        return
    for pattern, replacement in RULES:
        assert pc.replace_substring_regex(values, pattern, replacement)[0].as_py() == text


def test_keys_without_end_are_not_remembered_without_end() -> None:
    redactor = Redactor(Redaction())
    [(signal, body)] = drawn.requests([Span(1, attributes={f"k{n}": "v" for n in range(12_000)})])
    batch = decode(signal, Encoding.PROTOBUF, [body])
    same, count = redactor.redact(batch)
    assert (same.span_attributes.equals(batch.span_attributes), count) == (True, 0)
    assert len(redactor._kinds) <= 10_000


def test_values_that_are_not_set_stay_so() -> None:
    [(signal, body)] = drawn.requests([Span(1, attributes={"password": "x", "n": "v"})])
    batch = decode(signal, Encoding.PROTOBUF, [body])
    attributes = batch.span_attributes.set_column(3, "value", pa.array([None, None], pa.string()))
    redacted, count = Redactor(Redaction()).redact(replace(batch, span_attributes=attributes))
    assert redacted.span_attributes["value"].to_pylist() == [None, None]
    assert count == 0
