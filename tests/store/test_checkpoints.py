"""What a checkpoint costs those who wait for it: only some join what tables were written in."""

from pathlib import Path

from tests.workflow.drawn import Span, deliver

from tracejury.store.reader import Reader
from tracejury.store.writer import Store

PARTS = """
    SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('stored.span')
    WHERE persistent
"""


def commit(store: Store, number: int) -> None:
    deliver(store, [Span(1000 * number + span, trace=number) for span in range(1, 100)])


def parts(store: Store) -> object:
    with Reader.of(store) as reader:
        return reader.value(PARTS)


def test_a_commit_that_moves_the_log_into_the_file_joins_nothing_and_the_end_does(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.duckdb"
    with Store.open(path) as store:
        for number in range(1, 4):
            commit(store, number)
            store.connection().execute("CHECKPOINT")  # as DuckDB does at the end of a commit
        assert parts(store) == 3
    with Store.open(path) as store:
        assert parts(store) == 1
        commit(store, 4)
        store.connection().execute("CHECKPOINT")
        commit(store, 5)
        assert parts(store) == 2
        store.checkpoint()
        assert parts(store) == 1
