"""A store of an older version is brought to today's format, and reads the same."""

import stat
from pathlib import Path

import duckdb
import pytest
from tests.store.stores import contents, counts
from tests.workflow import drawn
from tests.workflow.drawn import Span

from tracejury.errors import StoreError
from tracejury.store import migration
from tracejury.store.connection import FORMAT_VERSION
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

FORMATS = Path(__file__).parent / "formats"  # schema.sql as each former version had it

_SHAPE = "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() ORDER BY ALL"

# What the former layouts had no place for.
WITHOUT_METRICS = (
    "metric",
    "metric_attribute",
    "metric_point",
    "point_attribute",
    "exemplar",
    "exemplar_attribute",
)

# The same telemetry in each layout.
_ROWS = """
INSERT INTO stored.session VALUES (0, 'serve', 1, 2);
INSERT INTO stored.delivery VALUES (0, 5, 'serve', 'traces', 1, 1, 1, 0, 0);
INSERT INTO stored.resource VALUES (7, '', 0);
INSERT INTO stored.resource_attribute VALUES (7, 'service.name', 'string', 'shop');
INSERT INTO stored.scope VALUES (8, 'lib', '1', '', 0);
INSERT INTO stored.span VALUES
    (0, 0, 5, 7, 8, 'AAAAAAAAAAAAAAAA'::BLOB, 1, NULL, '', 0, 'work', 2, 10, 20, 0, '', 0, 0, 0,
    99);
INSERT INTO stored.span_event VALUES (0, 0, 15, 'said', 0);
INSERT INTO stored.span_link VALUES (0, 0, 'BBBBBBBBBBBBBBBB'::BLOB, '12345678'::BLOB, '', 0, 0);
INSERT INTO stored.log_record VALUES
    (0, 1, 6, 7, 8, 12, 13, 9, 'INFO', '', 'string', 'hello', NULL, NULL, 0, 0, 98);
"""
_ATTRIBUTES = {
    1: """
INSERT INTO stored.span_attribute VALUES (0, 'b', 'string', 'x'), (0, 'a', 'int', '1');
INSERT INTO stored.event_attribute VALUES (0, 'a', 'int', '2');
INSERT INTO stored.link_attribute VALUES (0, 'a', 'string', '3');
INSERT INTO stored.log_attribute VALUES (0, 'c', 'empty', NULL);
""",
    2: """
INSERT INTO stored.attribute_key VALUES
    (0, 'b', 'string'), (1, 'a', 'int'), (2, 'a', 'string'), (3, 'c', 'empty');
INSERT INTO stored.span_value VALUES (0, 0, 'x'), (0, 1, '1');
INSERT INTO stored.event_value VALUES (0, 1, '2');
INSERT INTO stored.link_value VALUES (0, 2, '3');
INSERT INTO stored.log_value VALUES (0, 3, NULL);
""",
}


def former(path: Path, version: int) -> Path:
    """A store as that version wrote it."""
    with duckdb.connect(str(path)) as connection:
        connection.execute((FORMATS / f"{version}.sql").read_text())
        store_id = ["3fa85f64-5717-4562-b3fc-2c963f66afa6"] if version > 2 else []
        places = ", ".join("?" for _ in [version, "0.0", *store_id])
        connection.execute(
            f"INSERT INTO stored.format VALUES ({places})", [version, "0.0", *store_id]
        )
        connection.execute(_ROWS + _ATTRIBUTES[min(version, max(_ATTRIBUTES))])
    return path


def shape(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(_SHAPE).fetchall()


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION))
def test_a_former_store_has_todays_layout_once_it_is_written(tmp_path: Path, version: int) -> None:
    path = former(tmp_path / "former.duckdb", version)
    with Store.open(path) as store:
        drawn.deliver(store, [Span(2, attributes={"a": 5})])
    Store.open(tmp_path / "fresh.duckdb").close()
    assert shape(path) == shape(tmp_path / "fresh.duckdb")
    with Reader.open(path) as reader:
        assert counts(reader) == (2, 1)


@pytest.mark.parametrize("version", range(1, FORMAT_VERSION))
def test_a_former_store_reads_the_same(tmp_path: Path, version: int) -> None:
    with Reader.open(former(tmp_path / "former.duckdb", version)) as reader:
        found = contents(reader)
    assert {table: sum(rows.values()) for table, rows in found.items()} == {
        "span": 1,
        "span_attribute": 2,
        "span_event": 1,
        "event_attribute": 1,
        "span_link": 1,
        "link_attribute": 1,
        "log_record": 1,
        "log_attribute": 1,
        "resource": 1,
        "resource_attribute": 1,
        "scope": 1,
        "scope_attribute": 0,
        **dict.fromkeys(WITHOUT_METRICS, 0),
    }
    assert (99, "b", "string", "x") in found["span_attribute"]
    assert (98, "c", "empty", None) in found["log_attribute"]


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = former(tmp_path / "former.duckdb", FORMAT_VERSION - 1)
    before = shape(path)
    monkeypatch.setattr(migration, "FORMAT_VERSION", FORMAT_VERSION + 1)  # for which is no script
    with pytest.raises(FileNotFoundError):
        Store.open(path)
    assert shape(path) == before


def test_a_former_store_that_cannot_be_written_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = former(tmp_path / "former.duckdb", FORMAT_VERSION - 1)

    def refuse(*_: object, **__: object) -> None:
        raise StoreError("it is not yours.", next_step="")

    monkeypatch.setattr(migration, "connect", refuse)
    path.chmod(stat.S_IRUSR)
    with pytest.raises(StoreError, match="written by an older version") as refused:
        Reader.open(path)
    assert "Copy it" in refused.value.next_step
