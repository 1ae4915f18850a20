"""Records that were acknowledged, and that the store lacks, are a loss like any other."""

from pathlib import Path

from tests.workflow import drawn

from tracejury.checks.evidence import Evidence
from tracejury.checks.ingest import dropped_records
from tracejury.config import Config
from tracejury.otlp.decode import Encoding, Signal, decode
from tracejury.otlp.encode import encode_json_lines
from tracejury.receiver.import_files import import_file
from tracejury.scorecard.runner import run
from tracejury.store.reader import Reader
from tracejury.store.writer import Store
from tracejury.workflow.rebuild import prepare


def test_a_store_that_lacks_records_fails_the_gate() -> None:
    with Store.in_memory() as store:
        drawn.deliver(store, [drawn.Span(1)])
        store.connection().execute("INSERT INTO stored.loss VALUES (1, 3)")
        with Reader.of(store) as reader:
            prepare(reader, Config(sampling="none"))
            evidence = Evidence(reader, Config(sampling="none"), has_baseline=False)
            results = run(evidence, checks=(dropped_records.CHECK,))
    [result] = [result for result in results if result.id == "ING-02"]
    assert result.outcome == "fail"
    assert [finding.message for finding in result.findings] == [
        "The store lacks 3 records that it had acknowledged."
    ]


def test_a_file_of_which_the_rest_could_not_be_read_fails_the_gate(tmp_path: Path) -> None:
    """However well the readable part of it looks; and once it is whole, all is well."""
    whole = tmp_path / "run.jsonl"
    lines = [drawn_json([drawn.Span(number, trace=number)]) for number in (1, 2, 3)]
    for cut, message in (
        (20, ["Of run.jsonl 1 record could not be read, the first at line 3."]),
        (0, []),
    ):
        text = "\n".join(lines)
        whole.write_text(text[:-cut] if cut else text)
        with Store.in_memory() as store:
            import_file(store, whole)
            with Reader.of(store) as reader:
                prepare(reader, Config(sampling="none"))
                evidence = Evidence(reader, Config(sampling="none"), has_baseline=False)
                judgement = dropped_records.judge(evidence)
        found = [finding.message for unit in judgement.units for finding in unit.findings]
        assert found == message


def drawn_json(records: list[drawn.Record]) -> str:
    [(_, body)] = drawn.requests(records)
    batch = decode(Signal.TRACES, Encoding.PROTOBUF, [body])
    [line] = encode_json_lines(batch)
    return line
