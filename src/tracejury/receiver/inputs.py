"""Open what a command was told to read: a store, or OTLP files loaded into memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tracejury.config import Keeping
from tracejury.errors import InputError, StoreError
from tracejury.receiver.import_files import Loaded, import_file
from tracejury.store.batches import stored_batches
from tracejury.store.reader import Reader
from tracejury.store.writer import Store

_DUCKDB_MAGIC: Final = b"DUCK"
_MAGIC_AT: Final = 8
_LINES: Final = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")

Report = Callable[[Path, Loaded], None]
Progress = Callable[[Path], Callable[[int, int, int], None]]


def is_store(path: Path) -> bool:
    """Whether `path` is a DuckDB file, by its content."""
    try:
        with path.open("rb") as file:
            return file.read(_MAGIC_AT + 4)[_MAGIC_AT:] == _DUCKDB_MAGIC
    except OSError:
        return False


def run_files(path: Path) -> tuple[Path, ...]:
    """What makes up the run at `path`: itself, or the OTLP/JSON lines of a folder, as of an export.

    Raises `InputError` for a folder without them, and for what does not exist.
    """
    if not path.exists():
        raise InputError(f"There is no {path}.", next_step="Name a store, a file, or an export.")
    if not path.is_dir():
        return (path,)
    found = sorted({file for name in _LINES for file in path.glob(name)})
    if not found:
        raise InputError(
            f"{path} holds no OTLP/JSON lines.", next_step="Name a store, a file, or an export."
        )
    return tuple(found)


def open_inputs(
    paths: Sequence[Path],
    report: Report,
    progress: Progress,
    *,
    keeping: Keeping | None = None,
) -> Reader:
    """Read one store as it is; anything else is loaded into memory, in the order given.

    What is loaded is redacted as if it were stored, so that a file and its import read the same.
    `report` is told what became of every file. Raises `InputError` and `StoreError`.
    """
    if not paths:
        raise StoreError("There is nothing to read.", next_step="Name a --store, or OTLP files.")
    if len(paths) == 1 and is_store(paths[0]):
        return Reader.open(paths[0])
    memory = Store.in_memory(keeping=keeping)
    for path in paths:
        if is_store(path):
            _copy(path, memory)
        else:
            report(path, import_file(memory, path, progress(path)))
    memory.close()
    return Reader.of(memory)


def _copy(path: Path, memory: Store) -> None:
    with Reader.open(path) as reader:
        received_ns = int(reader.value("SELECT coalesce(max(received_ns), 0) FROM stored.delivery"))
        for batch in stored_batches(reader):
            memory.commit([batch], received_ns=received_ns, source=path.name)
