"""Who starts the receiver is told which services arrive, once each, and nothing that steers."""

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.receiver.requests import traces

from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.receiver.first_seen import SERVICES_NAMED, FirstSeen
from tracejury.receiver.measured_store import MeasuredStore


def sent_by(name: str) -> bytes:
    request = ExportTraceServiceRequest.FromString(traces("work"))
    resource = request.resource_spans[0].resource
    del resource.attributes[:]
    resource.attributes.add(key="service.name").value.string_value = name
    return request.SerializeToString()


def told_of(*commits: list[str]) -> list[str]:
    told: list[str] = []
    with MeasuredStore.in_memory() as store:
        store.first_seen = FirstSeen(told.append)
        for names in commits:
            bodies = [sent_by(name) for name in names]
            batch = decode(Signal.TRACES, Encoding.PROTOBUF, bodies)
            store.commit([batch], received_ns=1, source="test")
    return told


def test_each_service_is_told_of_once() -> None:
    told = told_of(["shop", "shop"], ["shop"], ["pay", "shop"])
    assert told == ["Receiving from shop.", "Receiving from pay."]


def test_a_name_can_neither_steer_a_terminal_nor_bring_a_secret() -> None:
    told = told_of(["\x1b]2;x\x07"], ["Bearer abcdefghijklmnopqrstuvwxyz0123456789"])
    assert told == ["Receiving from \\x1b]2;x\\x07."]


def test_only_so_many_services_are_named() -> None:
    told = told_of([f"s{number:02}" for number in range(SERVICES_NAMED + 5)], ["more"])
    assert told[:SERVICES_NAMED] == [f"Receiving from s{n:02}." for n in range(SERVICES_NAMED)]
    assert told[SERVICES_NAMED:] == ["More services send; they are not named here."]
