"""The keys of attributes have numbers in the store, and few of them a place in memory."""

from pathlib import Path

import pytest
from tests.workflow.drawn import Span, deliver

from tracejury.errors import StoreError
from tracejury.store import attribute_keys
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

KEPT = 4


def test_more_keys_than_are_remembered_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribute_keys, "REMEMBERED_KEYS", KEPT)
    path = tmp_path / "run.duckdb"
    sent = {
        span: {f"key {(3 * span + at) % 12}": f"{span} {at}" for at in range(4)}
        for span in range(1, 9)
    }
    for half in (range(1, 5), range(5, 9)):  # the second by a new writer
        with Store.open(path) as store:
            for span in half:
                deliver(store, [Span(span, attributes=sent[span])])
                assert len(store._contents._keys._known) <= KEPT
            store.connection().execute("ALTER TABLE stored.span_link RENAME TO away")
            with pytest.raises(StoreError):  # its keys are not stored
                deliver(store, [Span(99, attributes={"lost": "", "key 0": ""}, links=[(9, 9)])])
            store.connection().execute("ALTER TABLE stored.away RENAME TO span_link")
    with Reader.open(path) as reader:
        found = reader.rows(
            "SELECT span_id, key, value FROM stored.span_attribute JOIN stored.span USING (span_no)"
        )
        keys = reader.rows("SELECT key, key_no FROM stored.attribute_key")
    assert {(row["key"], row["value"]) for row in found} == {
        pair for attributes in sent.values() for pair in attributes.items()
    }
    assert len(found) == 4 * len(sent)
    names = [row["key"] for row in keys]
    assert sorted(names) == sorted({key for attributes in sent.values() for key in attributes})
    assert sorted(row["key_no"] for row in keys) == list(range(len(keys)))
