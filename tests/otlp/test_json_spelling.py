"""What is read although it is spelled otherwise is named."""

import json
from typing import Any

import pytest
from tests.otlp.requests import as_json, busy_request

from tracejury.otlp.json_spelling import odd_spelling


def spans(**members: Any) -> bytes:
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [members]}]}]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        spans(spanId="01", kind=3, startTimeUnixNano="1"),
        spans(http_status=1, name="span_id", some_other_key={}),
        spans(name='"span_id":', kind="3"),
        spans(attributes=[{"key": "kind", "value": {"stringValue": "SPAN_KIND_CLIENT"}}]),
        b"",
        b"\xff",
    ],
)
def test_what_is_spelled_as_otlp_says_is_no_matter(body: bytes) -> None:
    assert odd_spelling(body) == ""


def test_keys_and_enumerations_are_named() -> None:
    body = spans(span_id="01", trace_id="02", kind="SPAN_KIND_CLIENT", status={"code": "STATUS"})
    assert odd_spelling(body) == (
        "Accepted, but OTLP/JSON has lowerCamelCase keys, not span_id, trace_id"
        " and has numbers for enumerations, not names in code, kind."
    )


def test_every_snake_case_key_of_protobufs_own_json_is_found() -> None:
    told = odd_spelling(as_json(busy_request(30), snake=True))
    for key in ("resource_spans", "start_time_unix_nano", "string_value", "time_unix_nano"):
        assert key in told
    assert odd_spelling(as_json(busy_request(30))) == ""
