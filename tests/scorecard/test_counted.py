"""Completeness where SDKs counted the spans that they started, and where some did not."""

from pathlib import Path

import pytest
from tests.checks.judging import evidence_of

from tracejury.scorecard.completeness import completeness
from tracejury.scorecard.result import Completeness

ORDER = """
web POST /orders SERVER 0..900ms
  web GET CLIENT 20..300ms server.address=stock http.response.status_code=200
    stock GET /price SERVER 30..290ms
  web render INTERNAL 310..400ms
"""
ALL = "web 950ms started=3 live=0\nstock 950ms started=1 live=0"


@pytest.fixture
def judged(tmp_path: Path) -> "Judged":
    return Judged(tmp_path)


class Judged:
    """What is said of a drawn run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, trace: str, counts: str = "", **blocks: str) -> Completeness:
        drawn = {"trace": trace, "counts": counts, **blocks}
        evidence = evidence_of(drawn, self._folder)
        with evidence.reader as reader:
            return completeness(reader, ())


def test_what_every_process_counted_and_sent_is_complete_by_count(judged: Judged) -> None:
    found = judged(ORDER, ALL)
    assert (found.basis, found.is_upper_bound) == ("counted", False)
    assert (found.total.ratio, found.total.received, found.missing) == (1.0, 4, ())
    assert {share.basis for share in found.by_service.values()} == {"counted"}


def test_the_gap_is_shown_by_service_and_cause(judged: Judged) -> None:
    found = judged(
        ORDER,
        "web 950ms started=20 unsampled=5 live=2 processed=6 queue_full=12\n"
        "stock 950ms started=1 live=0",
    )
    web = found.by_service["web"]
    # 18 had ended: 6 were passed on, of which 3 came, and 12 were not.
    assert web.gap == {"dropped": 12, "sampled": 5, "not-exported": 3, "never-ended": 2}
    assert (web.received, web.known_missing) == (3, 22)
    assert found.by_service["stock"].gap == {}
    assert (found.total.received, found.total.known_missing) == (4, 22)
    assert [(step.service, step.step, step.missing) for step in found.missing] == [("web", "", 22)]
    assert found.by_workflow["POST /orders"].known_missing == pytest.approx(22)


def test_counts_overrule_the_estimate(judged: Judged) -> None:
    # The estimate knows of the parent that a child names, the counts of three.
    lost = ORDER.replace("300ms server", "300ms missing server")
    unaided = judged(lost)
    assert unaided.basis == "upper-bound"
    assert unaided.total.known_missing < 2
    found = judged(lost, "web 950ms started=5 live=0\nstock 950ms started=1 live=0")
    assert found.basis == "counted"
    assert found.by_service["web"].known_missing == 3
    assert sum(step.missing for step in found.missing) == pytest.approx(3)
    assert {step.cause for step in found.missing} == {"not-exported"}


def test_a_service_that_does_not_count_is_estimated_and_the_whole_says_so(judged: Judged) -> None:
    found = judged(ORDER, "web 950ms started=5 live=0")
    assert found.basis == "upper-bound"
    assert found.by_service["web"].basis == "counted"
    assert found.by_service["stock"].basis == "upper-bound"
    assert found.total.known_missing == 2
    assert judged(ORDER, "web 950ms started=5 live=0", baseline=ORDER).basis == "estimated"


def test_a_service_that_sent_nothing_but_counts_is_missing_altogether(judged: Judged) -> None:
    found = judged("web POST /orders SERVER 0..900ms", "web 950ms started=1\nstock 950ms started=9")
    assert found.by_service["web"].basis == "upper-bound"  # what is live was not counted
    found = judged(
        "web POST /orders SERVER 0..900ms",
        "web 950ms started=1 live=0\nstock 950ms started=9 live=0",
    )
    assert (found.basis, found.total.ratio) == ("counted", 0.1)
    assert found.by_service["stock"].ratio == 0


CALLED_BY_ANOTHER = (
    ORDER
    + """
trace
job tick INTERNAL 1000..1900ms missing
  job GET CLIENT 1000..1900ms missing
    stock GET /price SERVER 1030..1290ms remote
"""
)


def test_a_parent_that_no_counted_process_lacks_is_of_somebody_else(judged: Judged) -> None:
    found = judged(CALLED_BY_ANOTHER, "web 1950ms started=3 live=0\nstock 1950ms started=2 live=0")
    assert (found.basis, found.total.known_missing) == ("upper-bound", 1)
    assert {share.basis for share in found.by_service.values()} == {"counted"}
    assert [(step.service, step.missing) for step in found.missing] == [("", 1)]
    assert sum(share.known_missing for share in found.by_workflow.values()) == 1
    # A count that lacks one may be of it.
    found = judged(CALLED_BY_ANOTHER, "web 1950ms started=4 live=0\nstock 1950ms started=2 live=0")
    assert (found.basis, found.total.known_missing) == ("counted", 1)

    # But not of more than it lacks.
    more = CALLED_BY_ANOTHER + CALLED_BY_ANOTHER.replace(ORDER, "")
    found = judged(more, "web 1950ms started=4 live=0\nstock 1950ms started=3 live=0")
    assert (found.basis, found.total.known_missing) == ("upper-bound", 2)
    assert [(step.service, step.missing, step.cause) for step in found.missing] == [
        ("", 1, "not-exported"),
        ("web", 1, "not-exported"),
    ]


KILLED = """
worker run CONSUMER 0..5000ms missing instance=one
  worker item INTERNAL 100..200ms instance=one local
  worker item INTERNAL 4000..4100ms instance=one local

worker run CONSUMER 8000..9000ms instance=two
"""


def test_a_process_that_was_killed_is_counted_until_its_last_count(judged: Judged) -> None:
    found = judged(
        KILLED,
        "worker 1000ms started=7 live=1 instance=one\nworker 9500ms started=1 live=0 instance=two",
        faults="""
            [[faults]]
            id = "kill-1"
            kind = "kill"
            target = "worker"
            start = "4500ms"
            end = "4600ms"
        """,
    )
    worker = found.by_service["worker"]
    # Of six that had ended one came; the job was open. What it did later is in no count.
    assert (worker.basis, worker.processes, worker.counted_processes) == ("upper-bound", 2, 1)
    assert worker.gap == {"not-exported": 5, "killed": 1}
    assert found.basis == "upper-bound"


def test_a_span_that_was_open_at_the_last_count_and_came_is_not_missing(judged: Judged) -> None:
    found = judged("web POST /orders SERVER 0..9000ms", "web 500ms started=1 live=1")
    assert found.total.ratio == 1
    assert found.basis == "upper-bound"


def test_a_forked_process_counts_what_its_parent_had_counted(judged: Judged) -> None:
    found = judged(
        "web start INTERNAL 0..90ms instance=parent\n\n"
        "web POST /orders SERVER 100..900ms instance=child",
        "web 950ms started=1 live=0 instance=parent began=0ms\n"
        "web 950ms started=2 live=0 instance=child began=0ms",
    )
    assert (found.basis, found.total.known_missing) == ("upper-bound", 0)
    assert found.by_service["web"].counted_processes == 0


def test_what_was_sampled_away_is_not_received(judged: Judged) -> None:
    found = judged("web POST /orders SERVER 0..900ms", "web 950ms started=1 live=0 unsampled=3")
    assert (found.basis, found.total.ratio) == ("counted", 0.25)
    assert found.by_service["web"].gap == {"sampled": 3}


def test_background_is_counted_along_where_sdks_count(judged: Judged) -> None:
    polls = "trace poll times=9 every=1s\nweb GET /healthz SERVER 0..1ms http.route=/healthz\n\n"
    assert judged(polls + ORDER).total.received == 4
    found = judged(polls + ORDER, "web 9500ms started=24 live=0\nstock 9500ms started=1 live=0")
    assert (found.background_spans, found.total.received) == (9, 13)
    assert found.total.known_missing == 12
    # Of what is missing only that part is of the workflow which its spans have of all.
    assert found.by_workflow["POST /orders"].known_missing == pytest.approx(12 * 3 / 12)


OTHER = """
till POST /pay SERVER 0..900ms
  till render INTERNAL 310..400ms
"""
OF_BOTH = (
    ORDER
    + """
trace
web POST /return SERVER 2000..2900ms
  web render INTERNAL 2310..2400ms
"""
)


def test_a_baseline_tells_of_no_workflow_but_its_own(judged: Judged) -> None:
    """What a clean run of something else does not ask for may be missing all the same."""
    assert judged(ORDER, baseline=OTHER).basis == "upper-bound"
    assert judged(ORDER, baseline=ORDER).basis == "estimated"
    found = judged(OF_BOTH, baseline=ORDER)
    assert found.basis == "upper-bound"
    assert {name: share.basis for name, share in found.by_service.items()} == {
        "web": "upper-bound",
        "stock": "estimated",
    }


def test_a_run_is_no_baseline_of_itself(judged: Judged) -> None:
    """A service that was silent throughout is silent there, too."""
    for run in (ORDER, ORDER.replace("290ms", "290ms missing")):
        found = judged(run, baseline="itself")
        assert (found.basis, found.is_own_baseline) == ("upper-bound", True)
        assert not judged(run).is_own_baseline
        assert not judged(run, baseline=ORDER).is_own_baseline
