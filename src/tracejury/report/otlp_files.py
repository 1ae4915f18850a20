"""Write a store as OTLP/JSON lines and its alerts as webhooks, which load back to the same rows."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final, TextIO

from tracejury.errors import UsageError
from tracejury.otlp.encode import encode_json_lines
from tracejury.store.batches import stored_batches
from tracejury.store.reader import Reader

_NAMES: Final = {
    '{"resourceSpans"': "traces.jsonl",
    '{"resourceLogs"': "logs.jsonl",
    '{"resourceMetrics"': "metrics.jsonl",
    '{"version"': "alerts.jsonl",
}


def export_store(
    reader: Reader, folder: Path, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Iterator[tuple[Path, int]]:
    """Write traces, logs, metrics and alerts into `folder`; yields each file and its requests.

    `on_progress` is told how many requests have been read, and how many there are.

    A signal without a record has no file. Files get their names once all are complete. Raises
    `UsageError` when the folder cannot be written or holds one of them already.
    """
    paths = {start: folder / name for start, name in _NAMES.items()}
    parts = {start: path.with_name(f"{path.name}.part") for start, path in paths.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths.values():
            if path.exists():
                raise UsageError(f"{path} exists already.", next_step="Name another --output.")
        try:
            written = _write(reader, parts, on_progress)
            for start in written:
                parts[start].rename(paths[start])
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be written: {error.strerror}.", next_step="Name another --output."
        ) from error
    yield from ((paths[start], count) for start, count in written.items())


def _write(
    reader: Reader, parts: dict[str, Path], on_progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Write each signal's file, if there is anything to write; how many lines, in their order."""
    files: dict[str, TextIO] = {}
    written: dict[str, int] = {}
    with ExitStack() as opened:
        for batch in stored_batches(reader, on_progress):
            for line in encode_json_lines(batch):
                start = next(start for start in parts if line.startswith(start))
                if start not in files:
                    files[start] = opened.enter_context(parts[start].open("w", encoding="utf-8"))
                files[start].write(line + "\n")
                written[start] = written.get(start, 0) + 1
    return {start: written[start] for start in parts if start in written}
