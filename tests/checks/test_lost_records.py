"""Records that were acknowledged, and that the store lacks, are a loss like any other."""

from tests.workflow import drawn

from tracejury.checks.evidence import Evidence
from tracejury.checks.ingest import dropped_records
from tracejury.config import Config
from tracejury.scorecard.runner import run
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.rebuild import rebuild


def test_a_store_that_lacks_records_fails_the_gate() -> None:
    with Store.in_memory() as store:
        drawn.deliver(store, [drawn.Span(1)])
        store.connection().execute("INSERT INTO stored.loss VALUES (1, 3)")
        with Reader.of(store) as reader:
            rebuild(reader, Config(sampling="none"))
            evidence = Evidence(reader, Config(sampling="none"), has_baseline=False)
            results = run(evidence, checks=(dropped_records.CHECK,))
    [result] = [result for result in results if result.id == "ING-02"]
    assert result.outcome == "fail"
    assert [finding.message for finding in result.findings] == [
        "The store lacks 3 records that it had acknowledged."
    ]
