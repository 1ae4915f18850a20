"""Who is suspected in drawn runs: pages that ask two services and a database, and what fails."""

import math
from collections.abc import Callable, Container
from dataclasses import replace
from random import Random

import pytest
from tests.workflow.drawn import LOCAL, START_NS, Log, Record, Span, Value, stored

from tracejury.config import Config
from tracejury.scorecard.suspects import Bounds, Ranking, judge
from tracejury.scorecard.suspicion.change import Change
from tracejury.scorecard.suspicion.observed import FLOOR_NS, Step, observe
from tracejury.scorecard.suspicion.wording import sentence
from tracejury.workflow.rebuild import prepare

TRACES = 300
EVERY_MS = 2_000.0
FIRST, LAST = 150, 179  # the traces of the window

Page = list[Record]
Fault = Callable[[Page, int], Page]

DEFAULT = Bounds()

HTTP: dict[str, Value] = {"http.request.method": "GET", "http.response.status_code": 200}


def page(trace: int) -> Page:
    """A page that asks `api`, which computes, and then `stock`; times vary from page to page."""
    chance = Random(trace)
    at = trace * EVERY_MS

    def span(number: int, parent: int, name: str, service: str, *, kind: str = "SERVER") -> Span:
        return Span(number, name, trace=trace, parent=parent, service=service, kind=kind)

    compute, wait, count = (chance.uniform(4, 8) for _ in range(3))
    api_at, api_ends = at + 3 + wait, at + 4 + wait + compute
    stock_at = api_ends + wait + 3
    stock_ends = stock_at + count
    asks_api: dict[str, Value] = {**HTTP, "server.address": "api", "url.path": "/price"}
    asks_stock: dict[str, Value] = {**HTTP, "server.address": "stock", "url.path": "/left"}
    inserts: dict[str, Value] = {
        "db.system.name": "mysql",
        "db.operation.name": "INSERT",
        "server.address": "db",
    }
    drawn: list[tuple[Span, float, float]] = [
        (span(1, 0, "GET /order", "web"), at, stock_ends + 2 * wait + 4),
        (
            replace(span(2, 1, "GET", "web", kind="CLIENT"), attributes=asks_api),
            at + 2,
            api_ends + wait,
        ),
        (span(3, 2, "GET /price", "api"), api_at, api_ends),
        (span(4, 3, "compute", "api", kind="INTERNAL"), api_at + 0.5, api_at + 0.5 + compute),
        (
            replace(span(5, 1, "GET", "web", kind="CLIENT"), attributes=asks_stock),
            api_ends + wait + 1,
            stock_ends + wait,
        ),
        (span(6, 5, "GET /left", "stock"), stock_at, stock_ends),
        (
            replace(span(7, 1, "INSERT", "web", kind="CLIENT"), attributes=inserts),
            stock_ends + wait + 1,
            stock_ends + 2 * wait + 1,
        ),
    ]
    spans = [replace(one, start_ms=start, end_ms=end) for one, start, end in drawn]
    log = Log(f"price of {trace} found", api_at + 1, trace=trace, span=4, service="api")
    return [*spans, log]


def nothing(records: Page, _trace: int) -> Page:
    return records


def judged(
    fault: Fault,
    *,
    always: Fault = nothing,
    also: Container[int] = (),
    pages: range = range(1, TRACES + 1),
    last: int = LAST,
    bounds: Bounds = DEFAULT,
    is_shuffled: bool = False,
) -> Ranking:
    """The ranking of the window in which `fault` changes every page, and `always` every other.

    `also` names pages outside the window that `fault` changes; the window ends with page `last`.
    """
    records: list[Record] = []
    for trace in pages:
        is_hit = FIRST <= trace <= last or trace in also
        records += (fault if is_hit else always)(page(trace), trace)
    if is_shuffled:
        Random(0).shuffle(records)
    window = [START_NS + round(trace * EVERY_MS * 1e6) for trace in (FIRST, last + 0.5)]
    with stored(records) as reader:
        prepare(reader, Config())
        (ranking,) = judge(observe(reader), [(window[0], window[1])], bounds)
    return ranking


def stretched(records: Page, number: int, by_ms: float) -> Page:
    """Span `number` takes `by_ms` more, and with it what waits for it; what follows comes later."""
    spans = {one.id: one for one in records if isinstance(one, Span)}
    end = spans[number].end_ms
    above = {number}
    while (parent := spans[min(above)].parent) and parent not in above:
        above.add(parent)
    return [
        replace(
            one,
            start_ms=one.start_ms + (by_ms if one.start_ms >= end else 0),
            end_ms=one.end_ms + (by_ms if one.id in above or one.start_ms >= end else 0),
        )
        if isinstance(one, Span)
        else one
        for one in records
    ]


def changed(records: Page, numbers: set[int], **to: object) -> Page:
    return [
        replace(one, **to) if isinstance(one, Span) and one.id in numbers else one  # type: ignore[arg-type]
        for one in records
    ]


def without(records: Page, numbers: set[int]) -> Page:
    return [one for one in records if (one.span if isinstance(one, Log) else one.id) not in numbers]


def slow_compute(records: Page, _trace: int) -> Page:
    return stretched(records, 4, 85)


def slow_network_of_api(records: Page, _trace: int) -> Page:
    return stretched(records, 2, 85)


def slow_network_of_web(records: Page, _trace: int) -> Page:
    return stretched(stretched(stretched(records, 2, 85), 5, 85), 7, 85)


def api_fails(records: Page, trace: int) -> Page:
    """Two prices in three cannot be told, and everything above says so."""
    return records if trace % 3 == 0 else changed(records, {1, 2, 3}, status="ERROR", message="no")


def api_says_something_else(records: Page, _trace: int) -> Page:
    """The code of `api` takes another way, and the page gives up before it asks for the stock."""
    said = [
        replace(one, body="no price, take the default") if isinstance(one, Log) else one
        for one in records
    ]
    return without(said, {5, 6, 7})


def web_stops_asking_stock(records: Page, _trace: int) -> Page:
    return without(records, {5, 6, 7})


def api_is_not_heard(records: Page, _trace: int) -> Page:
    return without(records, {3, 4})


@pytest.mark.parametrize(
    ("fault", "service", "step", "said"),
    [
        (slow_compute, "api", "compute", "own time of `compute` of api"),
        (slow_network_of_api, "api", "GET /price", "waiting for api in `GET` of web"),
        (slow_network_of_web, "web", "INSERT", "waiting for"),
        (api_fails, "api", "GET /price", "`GET /price` of api fails"),
        (
            api_says_something_else,
            "api",
            "compute",
            "`compute` of api logs `no price, take the default`",
        ),
        (web_stops_asking_stock, "web", "GET /order", "`GET /order` of web calls `GET` of stock"),
        (api_is_not_heard, "api", "GET /price", "`GET` of web is answered by api"),
    ],
)
def test_the_service_with_the_fault_is_first(
    fault: Fault, service: str, step: str, said: str
) -> None:
    ranking = judged(fault)
    assert ranking.stands_out
    assert ranking.candidates < 3
    first = ranking.suspects[0]
    assert (first.service, first.step) == (service, step)
    assert any(said in sentence for sentence in first.evidence), first.evidence


def api_loses_what_it_began(records: Page, _trace: int) -> Page:
    """The process dies before it sends the span whose child it has sent already."""
    return changed(without(records, {3}), {4}, flags=LOCAL)


def test_a_service_whose_spans_never_arrive_is_first() -> None:
    ranking = judged(api_loses_what_it_began)
    first = ranking.suspects[0]
    assert ranking.stands_out
    assert first.service == "api"
    assert any("never arrived" in sentence for sentence in first.evidence), first.evidence


def test_what_answers_a_failure_is_not_blamed_for_it() -> None:
    """`web` tries again for a while, and says that it failed as well: `api` began it."""

    def retried(records: Page, _trace: int) -> Page:
        return stretched(changed(records, {1, 2, 3}, status="ERROR", message="no"), 1, 400)

    ranking = judged(retried)
    assert ranking.stands_out
    assert [suspect.service for suspect in ranking.suspects] == ["api"]
    assert ranking.suspects[0].evidence == (
        "`GET /price` of api fails: 100% in the window (30 spans), 0% outside (268)",
    )


def test_what_answers_a_failure_further_down_is_not_blamed_for_it() -> None:
    """`stock` hands on what `pay` says, and `web` then leaves out what it would have inserted."""

    def with_pay(records: Page, trace: int) -> Page:
        stock = next(one for one in records if isinstance(one, Span) and one.id == 6)
        pay: dict[str, Value] = {**HTTP, "server.address": "pay", "url.path": "/charge"}
        asks = Span(8, "POST", trace=trace, parent=6, service="stock", kind="CLIENT")
        charges = Span(9, "POST /charge", trace=trace, parent=8, service="pay", kind="SERVER")
        below = [replace(asks, attributes=pay), charges]
        return [
            *records,
            *(replace(one, start_ms=stock.start_ms, end_ms=stock.end_ms) for one in below),
        ]

    def pay_fails(records: Page, trace: int) -> Page:
        return changed(without(with_pay(records, trace), {7}), {9}, status="ERROR")

    ranking = judged(pay_fails, always=with_pay)
    assert ranking.stands_out
    assert [suspect.service for suspect in ranking.suspects] == ["pay", "web"]


def mailed(records: Page, trace: int, *, wait_ms: float = 1, pay_ms: float = 3) -> Page:
    """What `web` sends to a queue, `mailer` takes `wait_ms` later, and then asks `pay`."""
    chance = Random(-trace)
    top = next(one for one in records if isinstance(one, Span) and one.id == 1)
    queue: dict[str, Value] = {"messaging.system": "rabbitmq", "messaging.destination.name": "jobs"}
    pay: dict[str, Value] = {**HTTP, "server.address": "pay", "url.path": "/charge"}
    sent = top.end_ms - 1
    taken = sent + wait_ms * chance.uniform(0.8, 1.2)
    asked = taken + chance.uniform(1, 3)
    paid = asked + pay_ms * chance.uniform(0.8, 1.2)
    send = Span(10, "jobs send", sent - 0.5, sent, parent=1, service="web", kind="PRODUCER")
    take = Span(11, "jobs process", taken, paid + 2, parent=10, service="mailer", kind="CONSUMER")
    ask = Span(12, "POST", asked, paid + 1, parent=11, service="mailer", kind="CLIENT")
    done = Span(13, "POST /charge", paid - 0.5, paid, parent=12, service="pay", kind="SERVER")
    work = [
        replace(send, attributes=queue),
        replace(take, attributes=queue),
        replace(ask, attributes=pay),
        done,
    ]
    return [*records, *(replace(one, trace=trace) for one in work)]


def test_who_takes_its_messages_late_is_first() -> None:
    def late(records: Page, trace: int) -> Page:
        return mailed(records, trace, wait_ms=5_000)

    ranking = judged(late, always=mailed)
    assert ranking.stands_out
    assert [suspect.service for suspect in ranking.suspects] == ["mailer"]
    assert ranking.suspects[0].step == "jobs process"
    assert ranking.suspects[0].evidence[0].startswith("waiting for mailer after `jobs send` of web")


def test_who_takes_its_messages_late_waits_for_somebody_else() -> None:
    def late(records: Page, trace: int) -> Page:
        return mailed(records, trace, wait_ms=5_000, pay_ms=300)

    ranking = judged(late, always=mailed)
    assert ranking.stands_out
    assert (ranking.suspects[0].service, ranking.suspects[0].step) == ("pay", "POST /charge")


def test_a_choice_of_calls_is_no_change_of_who_is_called() -> None:
    """`web` asks for a price only where it used to be computed: it is `web` that changed."""

    def every_other(records: Page, trace: int) -> Page:
        return without(records, {4}) if trace % 2 else records

    def choosing(records: Page, trace: int) -> Page:
        return without(records, {2, 3, 4}) if trace % 2 else records

    ranking = judged(choosing, always=every_other)
    assert ranking.stands_out
    assert ranking.suspects[0].service == "web"
    assert "api" not in {suspect.service for suspect in ranking.suspects}


@pytest.mark.parametrize("fault", [api_says_something_else, api_loses_what_it_began])
def test_the_order_of_arrival_changes_nothing(fault: Fault) -> None:
    assert judged(fault, is_shuffled=True) == judged(fault)


def test_nothing_stands_out_where_nothing_happened() -> None:
    assert not judged(nothing).stands_out


def test_one_slow_page_is_no_evidence_where_some_always_are() -> None:
    def slow(records: Page, _trace: int) -> Page:
        return stretched(records, 4, 5_000)

    assert not judged(slow, also=range(1, TRACES, 5), last=FIRST).stands_out
    assert judged(slow, also=range(1, TRACES, 5), last=FIRST + 9).stands_out


@pytest.mark.parametrize("fault", [slow_compute, slow_network_of_api, web_stops_asking_stock])
def test_a_window_is_no_stranger_than_slices_that_are_like_it(fault: Fault) -> None:
    """What is so in a third of the time outside is what the shop is like."""
    often = [*range(1, 31), *range(91, 121), *range(210, 240)]
    assert not judged(fault, also=often).stands_out


def test_the_same_step_in_the_course_of_two_operations_is_two() -> None:
    """More reports are asked for, each of which always took as long."""

    def report(records: Page, _trace: int) -> Page:
        return stretched(changed(records, {3}, name="GET /report"), 4, 300)

    def few(records: Page, trace: int) -> Page:
        return report(records, trace) if trace % 5 == 0 else records

    def many(records: Page, trace: int) -> Page:
        return records if trace % 5 == 0 else report(records, trace)

    assert not judged(many, always=few).stands_out


def test_a_window_must_lead_by_more_than_the_slices_that_are_kept() -> None:
    """Where every slice is about as strange as the next, and no bound is set."""
    assert not judged(nothing, bounds=Bounds(least=0, stands_out=0)).stands_out


def test_a_slice_with_an_incident_of_its_own_does_not_hide_the_fault() -> None:
    ranking = judged(api_says_something_else, also=range(31, 61))
    assert ranking.stands_out
    assert ranking.suspects[0].service == "api"


@pytest.mark.parametrize(
    ("also", "before", "after"),
    [((), False, False), (range(135, 150), True, False), (range(180, 195), False, True)],
)
def test_what_began_before_its_window_or_lasts_beyond_it_is_told(
    also: Container[int], before: bool, after: bool
) -> None:
    ranking = judged(api_says_something_else, also=also)
    assert ranking.suspects[0].service == "api"
    beside = ranking.changed_before_s, ranking.changed_after_s
    assert [seconds is not None for seconds in beside] == [before, after]
    # Half of a slice, which is as long as the window.
    assert all(29 < seconds < 31 for seconds in beside if seconds is not None)


def test_another_incident_beside_a_window_says_nothing_of_its_times() -> None:
    def other(records: Page, trace: int) -> Page:
        return slow_network_of_web(records, trace) if 120 <= trace < FIRST else records

    ranking = judged(api_says_something_else, always=other)
    assert ranking.suspects[0].service == "api"
    assert ranking.changed_before_s is None


def test_logs_that_were_recorded_in_the_window_alone_say_nothing() -> None:
    def silent(records: Page, _trace: int) -> Page:
        return [one for one in records if isinstance(one, Span)]

    assert not judged(nothing, always=silent).stands_out


def test_nothing_stands_out_where_there_is_nothing_to_compare_with() -> None:
    ranking = judged(slow_network_of_api, pages=range(FIRST, LAST + 1))
    assert not ranking.stands_out
    assert ranking.candidates == pytest.approx(4)  # with the database
    assert {suspect.service for suspect in ranking.suspects} == {"api", "stock", "web"}
    assert "no time outside to compare it with" in ranking.suspects[0].evidence[0]


@pytest.mark.parametrize(
    ("usual", "changed_to", "is_new"),
    [
        ("took 12 ms", "took 4711 ms", False),
        ("user 'ann' is in", "user 'bob' is in", False),
        (
            "id 5f9c2e1a-77b0-4b1c-9d3e-0a1b2c3d4e5f",
            "id 00000000-77b0-4b1c-9d3e-0a1b2c3d4e5f",
            False,
        ),
        ("Prices#83 found it", "Prices#83 has it", False),
        ("Prices#83 found it", "Prices#97 found it", True),
        ("prices.py:10 found it", "prices.py:20 found it", True),
        ("found it", "found nothing", True),
    ],
)
def test_a_log_line_is_told_by_where_or_what_it_is(
    usual: str, changed_to: str, *, is_new: bool
) -> None:
    def saying(body: str) -> Fault:
        return lambda records, _trace: [
            replace(one, body=body) if isinstance(one, Log) else one for one in records
        ]

    ranking = judged(saying(changed_to), always=saying(usual))
    assert ranking.stands_out is is_new


def test_a_log_line_is_told_by_its_place_in_the_code_where_that_is_sent() -> None:
    def at(line: int) -> Fault:
        place: dict[str, Value] = {"code.file.path": "prices.py", "code.line.number": line}
        return lambda records, trace: [
            replace(one, body=f"text {trace * 'x'}", attributes=place)
            if isinstance(one, Log)
            else one
            for one in records
        ]

    assert not judged(at(10), always=at(10)).stands_out
    first = judged(at(20), always=at(10)).suspects[0]
    assert any("`compute` of api logs `prices.py:20`" in said for said in first.evidence)


@pytest.mark.parametrize(
    ("nanoseconds", "said"), [(0, "0 ms"), (1_500, "0.0015 ms"), (12_400_000, "12 ms")]
)
def test_a_time_is_told_as_long_as_it_was(nanoseconds: int, said: str) -> None:
    step = Step("web", "jobs send", "PRODUCER", "mailer", "POST /jobs")
    took = math.log(FLOOR_NS + nanoseconds)
    assert sentence(Change(step, None, 2.0, took, took, 3, 1)) == (
        f"waiting for mailer after `jobs send` of web: {said} in the window (3 spans),"
        f" {said} outside (1)"
    )
