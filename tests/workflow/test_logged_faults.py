"""Faults that the injector reports as log events are known without a fault file."""

from tests.workflow.drawn import MS, START_NS, Log, Record, Span, stored

from tracejury.workflow.faults import Fault
from tracejury.workflow.logged_faults import with_logged

RUN = Span(1, "job", 0, 9000)


def event(at_ms: float, what: str, name: str, **said: str | int) -> Log:
    attributes = {"chaos.fault.id": name} | {f"chaos.fault.{k}": v for k, v in said.items()}
    return Log("", at_ms, service="chaos", attributes=attributes, event=f"chaos.fault.{what}")


def found(*records: Record, injected: tuple[Fault, ...] = ()) -> list[tuple[object, ...]]:
    """Id, kind, target and the window in milliseconds of the run."""
    with stored([RUN, *records]) as reader:
        faults = with_logged(reader, injected)
    return [
        (f.id, f.kind, f.target, (f.start_ns - START_NS) // MS, (f.end_ns - START_NS) // MS)
        for f in faults
    ]


def test_a_start_and_a_stop_are_a_fault() -> None:
    records = (
        event(1000, "start", "hang-1", kind="hang", target="provider", items_expected=20),
        event(4000, "start", "kill-1", kind="kill", target="worker", test_id="TEST-RR-RE01"),
        event(3000, "stop", "hang-1"),
    )
    assert found(*records) == [
        ("hang-1", "hang", "provider", 1000, 3000),
        ("kill-1", "kill", "worker", 4000, 9000),  # nobody ended it
    ]
    with stored([RUN, *records]) as reader:
        hang, kill = with_logged(reader, ())
    assert (hang.items_expected, kill.test_id) == (20, "TEST-RR-RE01")


def test_the_name_of_the_event_may_be_an_attribute() -> None:
    older = Log("", 1000, attributes={"event.name": "chaos.fault.start", "chaos.fault.id": "f"})
    assert found(older) == [("f", "", "", 1000, 9000)]


def test_a_fault_that_is_injected_again_is_another() -> None:
    records = [
        event(at, what, "f")
        for at, what in ((1000, "start"), (2000, "stop"), (3000, "start"), (4000, "stop"))
    ]
    assert found(*records) == [("f", "", "", 1000, 2000), ("f (2)", "", "", 3000, 4000)]


def test_the_fault_file_has_the_last_word() -> None:
    told = Fault("f", START_NS, START_NS + 7 * MS, kind="delay")
    assert found(event(1000, "start", "f", kind="hang"), injected=(told,)) == [
        ("f", "delay", "", 0, 7)
    ]


def test_what_an_event_says_wrong_is_left_out() -> None:
    odd = event(1000, "start", "", kind="meteor", items_expected="many")
    assert found(odd, event(500, "stop", "f"), Log("chaos.fault.start", 700)) == [
        ("meteor", "", "", 1000, 9000)
    ]
    assert found() == []
