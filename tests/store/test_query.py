"""A user's query answers one SELECT, and can do nothing else, least of all to the store."""

from pathlib import Path

import pytest
from tests.store.stores import written
from tests.workflow.drawn import Span, stored

from tracejury.config import Config
from tracejury.errors import QueryError
from tracejury.store.query import ask
from tracejury.store.reader import Reader
from tracejury.workflow.rebuild import rebuild

COPY = "COPY (SELECT 'gone') TO '{store}' (FORMAT csv, USE_TMP_FILE false)"
COPY_WAL = "COPY (SELECT 'gone') TO '{store}.wal' (FORMAT csv, USE_TMP_FILE false)"

ATTACKS = {
    "two statements": "SELECT 1; DROP TABLE stored.span",
    "two selects": "SELECT 1; SELECT 2",
    "nothing": "",
    "a comment": "-- nothing",
    "no SQL": "SELEKT 1",
    "delete": "DELETE FROM stored.span",
    "delete in a CTE": "WITH x AS (DELETE FROM stored.span RETURNING *) SELECT * FROM x",
    "update in a CTE": "WITH x AS (UPDATE stored.span SET name = 'x' RETURNING *) SELECT * FROM x",
    "insert in a CTE": "WITH x AS (INSERT INTO stored.format VALUES (2, '') RETURNING *)"
    " SELECT * FROM x",
    "copy": COPY,
    "copy in a CTE": f"WITH x AS ({COPY}) SELECT * FROM x",
    "copy to the log in a CTE": f"WITH x AS ({COPY_WAL}) SELECT * FROM x",
    "copy explained": f"EXPLAIN ANALYZE {COPY}",
    "copy to the log explained": f"EXPLAIN ANALYZE {COPY_WAL}",
    "copy in a CTE explained": f"EXPLAIN ANALYZE WITH x AS ({COPY}) SELECT * FROM x",
    "copy in a CTE in a subquery": f"SELECT (WITH x AS ({COPY}) SELECT count(*) FROM x)",
    "copy to a spilled file": "WITH x AS (COPY (SELECT 1) TO '{store}.tmp/a.csv') SELECT * FROM x",
    "delete explained": "EXPLAIN ANALYZE DELETE FROM stored.span",
    "delete as text": "SELECT * FROM query('DELETE FROM stored.span')",
    "delete prepared": "PREPARE p AS DELETE FROM stored.span",
    "begin": "BEGIN TRANSACTION",
    "copy elsewhere": "COPY (SELECT 1) TO '{folder}/out.csv'",
    "copy elsewhere in a CTE": "WITH x AS (COPY (SELECT 1) TO '{folder}/out.csv') SELECT * FROM x",
    "export": "EXPORT DATABASE '{folder}/out'",
    "read_csv": "SELECT * FROM read_csv('{folder}/secret.csv')",
    "read_text": "SELECT * FROM read_text('{folder}/secret.csv')",
    "read_blob of the store": "SELECT * FROM read_blob('{store}')",
    "glob": "SELECT * FROM glob('{folder}/*')",
    "a file as a table": "SELECT * FROM '{folder}/secret.csv'",
    "attach": "ATTACH '{folder}/other.duckdb' AS other",
    "attach memory": "ATTACH ':memory:' AS other",
    "set": "SET disabled_filesystems = ''",
    "reset": "RESET disabled_filesystems",
    "pragma": "PRAGMA memory_limit = '1TB'",
    "install": "INSTALL httpfs",
    "load": "LOAD httpfs",
    "checkpoint": "CHECKPOINT",
    "call": "CALL force_checkpoint()",
    "create": "CREATE TABLE stored.mine AS SELECT 1",
    "drop": "DROP TABLE stored.span",
    "secret": "CREATE SECRET (TYPE s3)",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asked")
    (folder / "secret.csv").write_text("password\n")
    return written(folder / "run.duckdb", [Span(1), Span(2, parent=1)])


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_fails_and_leaves_every_byte(store: Path, attack: str) -> None:
    before = {path: path.read_bytes() for path in store.parent.iterdir()}
    with Reader.open(store) as reader:
        with pytest.raises(QueryError) as refusal:
            ask(reader, ATTACKS[attack].format(store=store, folder=store.parent))
        assert "password" not in str(refusal.value)
    assert {path: path.read_bytes() for path in store.parent.iterdir()} == before


def test_an_attack_after_a_question_fails_too(store: Path) -> None:
    before = store.read_bytes()
    with Reader.open(store) as reader:
        assert ask(reader, "SELECT count(*) FROM stored.span").rows == [(2,)]
        with pytest.raises(QueryError):
            ask(reader, f"WITH x AS ({COPY}) SELECT * FROM x".format(store=store))
    assert store.read_bytes() == before


def test_a_question_is_answered(store: Path) -> None:
    with Reader.open(store) as reader:
        rebuild(reader, Config())
        answer = ask(reader, "FROM span SELECT span_id, parent_span_id ORDER BY span_id")
    assert answer.columns == ("span_id", "parent_span_id")
    assert answer.rows == [
        ("0000000000000001", None),
        ("0000000000000002", "0000000000000001"),
    ]


def test_a_question_that_fails_is_explained() -> None:
    with stored([Span(1)]) as reader, pytest.raises(QueryError, match='"span_id"') as refusal:
        ask(reader, "SELECT spam_id FROM stored.span")
    assert "docs/views.md" in refusal.value.next_step


ENDLESS = {
    "join": "SELECT count(*) FROM range(100000000) AS a, range(100000) AS b"
    " WHERE a.range < b.range",
    "recursion": "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n)"
    " SELECT count(*) FROM n",
    "sleep": "SELECT sleep_ms(1000000000000)",
    "few rows of it": "SELECT a.range FROM range(100000000) AS a, range(100000) AS b"
    " WHERE a.range % 10000000 = 0 AND b.range % 1000 = 0",
}


@pytest.mark.parametrize("endless", ENDLESS)
def test_a_query_ends_with_its_time(endless: str) -> None:
    with stored([Span(1)]) as reader, pytest.raises(QueryError, match=r"longer than 0\.2 s"):
        ask(reader, ENDLESS[endless], time_limit_s=0.2)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM range(1000000000)",
        "SELECT repeat('x', 10000) FROM range(100000)",
        "SELECT {'inner': [repeat('x', 10000)::BLOB]} FROM range(100000)",
    ],
    ids=["rows", "texts", "nested"],
)
def test_an_answer_too_large_to_hold_is_none(sql: str) -> None:
    with stored([Span(1)]) as reader, pytest.raises(QueryError, match="1,000,000 rows") as refusal:
        ask(reader, sql)
    assert "LIMIT" in refusal.value.next_step


def test_an_answer_of_many_rows_is_whole() -> None:
    with stored([Span(1)]) as reader:
        answer = ask(reader, "SELECT * FROM range(1000000)")
    assert answer.rows == [(number,) for number in range(1_000_000)]


def test_duckdb_draws_no_progress_between_results(tmp_path: Path) -> None:
    with Reader.open(written(tmp_path / "run.duckdb")) as reader, stored([Span(1, "a")]) as memory:
        for each in (reader, memory):
            assert each.value("SELECT current_setting('enable_progress_bar')") is False
