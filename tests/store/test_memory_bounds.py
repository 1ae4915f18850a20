"""What a store that is read or written may take of the machine."""

from pathlib import Path

from tracejury.store.reader import Reader
from tracejury.store.writer import Store


def test_a_run_that_is_read_holds_no_more_than_four_gibibytes(tmp_path: Path) -> None:
    """However much the machine has: past that, DuckDB goes on in files beside the store."""
    path = tmp_path / "run.duckdb"
    Store.open(path).close()
    with Reader.open(path) as reader:
        assert reader.value(
            "SELECT parse_formatted_bytes(current_setting('memory_limit')) <= 4 * 1024 ** 3"
        )
        assert reader.value("SELECT current_setting('temp_directory')") == f"{path}.tmp"


def test_a_run_that_is_written_holds_no_more_than_four_gibibytes(tmp_path: Path) -> None:
    """Else it would keep in memory all of the file that it ever touched."""
    with Store.open(tmp_path / "run.duckdb") as store, Reader.of(store) as reader:
        assert reader.value(
            "SELECT parse_formatted_bytes(current_setting('memory_limit')) <= 4 * 1024 ** 3"
        )
