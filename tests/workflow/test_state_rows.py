"""Rows of the system's own database: what is read of them, and what is refused, line by line."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.workflow.drawn import MS, START_NS, Log, Span, rebuilt

from tracejury.errors import InputError
from tracejury.workflow.state_rows import no_state_rows, read_state_rows

HEADER = "unit,status,updated_at,items_done,items_failed,worker\n"
TIME = "2026-01-31T12:00:00Z"


def rows_of(folder: Path, text: str | bytes) -> list[dict[str, object]]:
    file = folder / "jobs.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    rows: list[dict[str, object]] = read_state_rows(file).to_pylist()
    return rows


def test_what_databases_write_is_read(tmp_path: Path) -> None:
    text = (
        "\ufeffstatus,unit,updated_at,items_failed\r\n"
        'In Progress,"job, 1",2026-01-31 12:00:00.5+00,\r\n'
        "\r\n"
        f"succeeded,j-2,{START_NS},0\r\n"
    )
    first, second = rows_of(tmp_path, text)
    noon = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()) * 10**9
    assert first == {
        "row_no": 2,
        "unit": "job, 1",
        "state": "processing",
        "is_final": False,
        "said": "In Progress",
        "updated_ns": noon + 500 * MS,
        "items_done": None,
        "items_failed": None,
        "worker": "",
    }
    assert (second["row_no"], second["state"], second["items_failed"]) == (4, "completed", 0)
    assert second["updated_ns"] == START_NS


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["no row below its header"]),
        (HEADER, ["no row below its header"]),
        ("unit,state,updated_at\n", [":1", '"state"', '"status"?']),
        ("unit,status\n", [":1", 'no column "updated_at"']),
        ("unit,unit,status,updated_at\n", [":1", '"unit" twice']),
        (HEADER + "j-1,done\n", [":2", "2 cells", "6"]),
        (HEADER + f"j-1,done,{TIME},,,\n,done,{TIME},,,\n", [":3", "names no unit"]),
        (HEADER + f"j-1,complted,{TIME},,,\n", [":2", '"complted"', '"completed"?']),
        (HEADER + f"j-1,beaming up,{TIME},,,\n", [":2", '"beaming up"', "Map it to one of"]),
        (HEADER + "j-1,done,yesterday,,,\n", [":2: updated_at", "'yesterday'", "RFC 3339"]),
        (HEADER + "j-1,done,2026-01-31 12:00:00,,,\n", [":2: updated_at", "no time zone"]),
        (HEADER + f"j-1,done,{TIME},-1,,\n", [":2: items_done", "'-1'"]),
        (HEADER + f"j-1,done,{TIME},,many,\n", [":2: items_failed", "'many'"]),
        (HEADER + f"j-1,done,{TIME},,{2**63},\n", [":2: items_failed"]),
        (HEADER + 'j-1,"done\n', [":2", "no CSV"]),
        (b"\xff\xfe", ["not text"]),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(
    tmp_path: Path, text: str | bytes, parts: list[str]
) -> None:
    with pytest.raises(InputError) as refused:
        rows_of(tmp_path, text)
    for part in ["jobs.csv", *parts]:
        assert part in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.csv cannot be read"):
        read_state_rows(tmp_path / "absent.csv")


def test_the_database_has_the_last_word_where_it_was_asked_later(tmp_path: Path) -> None:
    """A job that its log calls completed, and the database, asked afterwards, does not."""
    job = {"job.id": "j-1"}
    run = Span(1, "run", 0, 100, kind="CONSUMER", attributes=job)
    log = Log("over", 90, trace=1, span=1, attributes={"job.status": "completed"})
    rows = [(50, "processing"), (10, "queued"), (5000, "failed")]
    text = "unit,status,updated_at\n" + "".join(
        f"{unit},{state},{START_NS + at * MS}\n"
        for unit, (at, state) in zip(("j-1", "j-1", "j-2"), rows, strict=True)
    )
    (tmp_path / "jobs.csv").write_text(text)
    table = read_state_rows(tmp_path / "jobs.csv")

    def told(rows: object) -> tuple[object, ...]:
        with rebuilt([run, log], state_rows=rows) as reader:
            [found] = reader.rows("SELECT state, is_ended FROM job")
            said = reader.rows("SELECT state, row_no FROM state_record ORDER BY time_ns")
            rows_seen = reader.rows("SELECT unit, is_last, instance_no FROM state_row")
        return (*found.values(), [tuple(row.values()) for row in said], len(rows_seen))

    assert told(no_state_rows()) == ("completed", True, [("completed", None)], 0)
    assert told(table) == (
        "processing",
        False,
        [("queued", 3), ("processing", 2), ("completed", None)],
        3,
    )
